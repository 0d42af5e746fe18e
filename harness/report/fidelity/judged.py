"""A verification judged: every test of every candidate, the p-values of all adjusted together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.record.folder import RunFolder
from harness.report.fidelity.answers import Answers, read
from harness.report.fidelity.context import context, is_needle
from harness.report.fidelity.distribution import TASK as TEXT
from harness.report.fidelity.distribution import distribution
from harness.report.fidelity.endings import endings
from harness.report.fidelity.failures import ANSWERED, failures
from harness.report.fidelity.finding import Finding
from harness.report.fidelity.prompts import TASK as PROMPTS
from harness.report.fidelity.prompts import prompt_tokens
from harness.report.fidelity.quality import MARGIN, SCORE, quality
from harness.report.fidelity.sampling import TASK as GREEDY
from harness.report.fidelity.sampling import temperature
from harness.report.fidelity.signals import TASKS as SIGNALS
from harness.report.fidelity.signals import signals
from harness.report.fidelity.streams import TASK as CALLS
from harness.report.fidelity.streams import WHOLE, streams
from harness.report.fidelity.tools import tools
from harness.stats.family import benjamini_hochberg
from harness.types import JsonObject

TASKS = (TEXT, GREEDY, PROMPTS, CALLS, WHOLE, "fidelity_walle", "fidelity_bfcl", "fidelity_tau", *SIGNALS)
"""Tasks of the tests themselves: their scores only say that there was an answer."""


def judged(results: Path, folder: RunFolder, *, margin: float = MARGIN) -> JsonObject:
    """What was found of each candidate of a run.

    Args:
        results: folder of the results.
        folder: of the run.
        margin: loss of the share of right answers that would matter.

    Returns:
        ``kind`` (``verification``), ``run``, ``status``, and what ``judge`` gives.

    Errors: as ``answers.read``.
    """
    manifest = folder.read_manifest()
    told = judge(read(results, folder), manifest["tasks"], margin=margin)
    return {"kind": "verification", "run": folder.id, "status": manifest["status"], **told}


def judge(answers: Answers, tasks: Sequence[JsonObject], *, margin: float = MARGIN) -> JsonObject:
    """What was found of each candidate, from all answers.

    Args:
        answers: of the reference and of the candidates.
        tasks: what was asked, each with its ``name`` and ``kind``.
        margin: as above.

    Returns:
        ``reference``, ``family`` (p-values adjusted together) and ``candidates``, each with its ``endpoint``, its
        ``word`` and ``findings`` as ``Finding.as_json`` gives them.
    """
    found = [one for endpoint in answers.candidates for one in _findings(answers, endpoint, tasks, margin)]
    tested = [one for one in found if one.p is not None]
    values = benjamini_hochberg([one.p for one in tested if one.p is not None])
    adjusted = {id(one): value for one, value in zip(tested, values, strict=True)}
    rows = [one.as_json(adjusted.get(id(one))) for one in found]
    return {
        "reference": answers.reference,
        "family": len(tested),
        "candidates": [
            {"endpoint": endpoint, "findings": (own := [row for row in rows if row["endpoint"] == endpoint])}
            | {"word": _word(own)}
            for endpoint in answers.candidates
        ],
    }


def _findings(answers: Answers, endpoint: str, tasks: Sequence[JsonObject], margin: float) -> Iterator[Finding]:
    """The tests of one candidate, as far as their tasks were asked."""
    yield failures(answers, endpoint)
    names = [task["name"] for task in tasks]
    if TEXT in names:
        yield distribution(answers, endpoint)
    if GREEDY in names and TEXT in names:
        yield temperature(answers, endpoint)
        # Not those at temperature 0: one flipped token there ends all answers to a prompt otherwise, whoever serves it.
        yield endings(answers, endpoint, [TEXT])
    if PROMPTS in names:
        yield prompt_tokens(answers, endpoint)
    yield from signals(answers, endpoint, names)
    called = [task["name"] for task in tasks if task["kind"] == "tools" and task["name"] != WHOLE]
    if called:
        yield from tools(answers, endpoint, called)
    if CALLS in names and WHOLE in names:
        yield streams(answers, endpoint)
    if needles := [name for name in names if is_needle(name)]:
        yield context(answers, endpoint, needles)
    scored = [name for name in names if name not in TASKS and name not in needles]
    if scored:
        yield quality(answers, endpoint, scored, margin=margin)
    for task in scored if len(scored) > 1 else ():
        yield quality(answers, endpoint, [task], name=task, margin=margin)


def _word(findings: list[JsonObject]) -> str:
    """Different where a test says so or answers fail to come, equivalent where all tests do, else inconclusive.

    Scores are another question, and have no part in it.
    """
    words = {one["test"]: one["word"] for one in findings if not one["test"].startswith(SCORE)}
    if "different" in words.values() or words.pop(ANSWERED, None) == "worse":
        return "different"
    left = {word for word in words.values() if word != "not applicable"}
    return "equivalent" if left == {"equivalent"} else "inconclusive"
