"""Whether the temperature does at a candidate what it does at the reference: the same prompts, cold and hot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from harness.fidelity.sampling import MARGIN, Response, response, variety
from harness.report.fidelity.answers import Answer, Answers, texts
from harness.report.fidelity.distribution import TASK as HOT
from harness.report.fidelity.finding import Finding, Shown, Word, always

TASK = "fidelity_greedy"
_MOST_SHOWN = 1


def temperature(answers: Answers, endpoint: str) -> Finding:
    """How much more answers vary at temperature 1 than at 0, against the same of the reference."""
    cold, hot = answers.candidate(endpoint, TASK), answers.candidate(endpoint, HOT)
    own = _response(cold, hot)
    reference = _response(answers.first(TASK), answers.first(HOT))
    return Finding(
        test="temperature",
        endpoint=endpoint,
        says=f"answers vary by {_varied(own)} at temperature 0 and 1, the reference's by {_varied(reference)}",
        n=own.prompts,
        word=always(_word(own, reference)),
        shown=_shown(answers.first(TASK), cold),
        details={"candidate": asdict(own), "reference": asdict(reference)},
    )


def _response(cold: Sequence[Answer], hot: Sequence[Answer]) -> Response:
    return response(texts(cold), texts(hot), variety, "rises", margin=MARGIN)


def _word(own: Response, reference: Response) -> Word:
    """Only a reference that honours the parameter says what to expect."""
    if reference.word != "honoured":
        return "not applicable" if reference.word == "not applicable" else "inconclusive"
    if own.word == "inconclusive":
        return "inconclusive"
    return "equivalent" if own.word == "honoured" else "different"


def _varied(found: Response) -> str:
    if found.off is None or found.on is None:
        return "too few to tell"
    return f"{100 * found.off:.0f} and {100 * found.on:.0f} %"


def _shown(first: Sequence[Answer], own: Sequence[Answer]) -> tuple[Shown, ...]:
    """A prompt whose answers at temperature 0 vary most, the reference's beside it."""
    given, asked = texts(own), {one.sample: one.job for one in reversed(first)}
    jobs = {one.sample: one.job for one in reversed(own)}
    worst = sorted((name for name in given if name in asked), key=lambda name: -(variety(given[name]) or 0))
    return tuple(
        Shown(jobs[name], asked[name], f"{name}: {len(set(given[name]))} answers of {len(given[name])} are different")
        for name in worst[:_MOST_SHOWN]
    )
