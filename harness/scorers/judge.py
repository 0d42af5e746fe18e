"""Another endpoint, the judge, says how good the answer is.

The scorer says how a judge is asked; the run asks it, and what it says becomes the score: a rating r of 1 to 10 counts
(r - 1) / 9, several turns and several judges count by their mean.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from harness.errors import TaskError
from harness.exchange import Completion
from harness.scorers.judge_reply import Reading
from harness.types import Judging, Sample, Score, Scorer

VERSION = 1
EXAMPLE = "judge:It is polite and answers the question."
NOT_JUDGED = "not_judged"
"""Fault of an answer that no judge was asked about yet."""
FAILED = "judge_failed"
"""Fault of an answer of which a judge's request failed."""


def judge(rubric: str = "") -> Scorer:
    """A score by other endpoints, which the user names with ``--judge``.

    ``rubric`` says what makes an answer good; empty: following the instructions, being right, complete and clear. The
    target may be a reference answer: a string, a list of them (None among them: no reference), one for each turn, or
    None. TaskError for another target.
    """
    name = f"judge(rubric {hashlib.sha256(rubric.encode()).hexdigest()[:8]})" if rubric else "judge"

    def score(sample: Sample, completion: Completion) -> Score:  # noqa: ARG001 - what a judge says of it decides
        reference(sample, 0)
        return Score(None, None, "no judge has said anything of it yet", name, VERSION, fault=NOT_JUDGED)

    return Scorer(name, VERSION, score, judging=Judging(rubric))


def reference(sample: Sample, turn: int) -> str | None:
    """The reference answer to one turn; None: there is none. TaskError for a target of another shape."""
    target = sample.target
    if target is None or isinstance(target, str):
        return target if turn == 0 else None
    turns = 1 + len(sample.turns)
    fits = isinstance(target, list | tuple) and len(target) == turns
    if not fits or not all(one is None or isinstance(one, str) for one in target):
        raise TaskError(
            f"sample {sample.id}: the target of judge is a reference answer: a text, a list of {turns} (one for each "
            "turn), or none"
        )
    found: str | None = target[turn]
    return found


def scored(scorer: Scorer, said: Mapping[str, Sequence[Reading | None]]) -> Score:
    """The score of one sample from what each judge said of each of its turns; None: that request failed.

    All judges and turns are needed: a mean over those that happened to answer would compare strict judges here with
    lenient ones there. Without one the value is None, and the fault says why.
    """
    readings = [reading for turns in said.values() for reading in turns]
    details = {
        "ratings": {judge: [_number(reading) for reading in turns] for judge, turns in said.items()},
        "reasons": {judge: [reading.reason if reading else "" for reading in turns] for judge, turns in said.items()},
    }
    values = [reading.value for reading in readings if reading is not None and reading.value is not None]
    words = "; ".join(f"{', '.join(map(_shown, turns))} by {judge}" for judge, turns in said.items())
    if len(values) == len(readings):
        mean = sum(values) / len(values)
        return Score(mean, f"{1 + 9 * mean:.4g}", f"rated {words}", scorer.name, VERSION, details=details)
    fault = FAILED if None in readings else next(one.fault for one in readings if one is not None and one.fault)
    return Score(None, None, words, scorer.name, VERSION, fault=fault, details=details)


def _number(reading: Reading | None) -> float | None:
    return None if reading is None or reading.value is None else float(reading.said)


def _shown(reading: Reading | None) -> str:
    if reading is None:
        return "no judgement"
    return reading.said or reading.reason
