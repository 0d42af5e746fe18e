"""Whether answers get worse when the server is busy: each question alone and under a load, by turns, in one run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from harness.record.folder import RunFolder
from harness.report.fidelity.answers import Answer, Answers, Sides, answers_in, asked_in, by_place
from harness.report.fidelity.failures import ANSWERED, failures
from harness.report.fidelity.finding import Finding
from harness.report.fidelity.quality import MARGIN, SCORE, quality
from harness.run.arrivals import Closed, Constant, Gamma, Law, Poisson, law_from_json
from harness.types import JsonObject

SIDES = Sides("alone", "under load")


def under_load(results: Path, folder: RunFolder, *, margin: float = MARGIN) -> JsonObject:
    """What was found of each endpoint of a run whose tasks were asked under a load.

    Returns:
        As ``judged.judged``, where ``reference`` is ``alone``; each of ``candidates`` has ``times`` as well: by side
        ``ttft_ms``, the median of its answers, ``under_way``, the median of requests under way, and ``n`` answers.

    Errors: as ``answers.read``.
    """
    manifest = folder.read_manifest()
    selection, tasks = manifest["selection"], [task["name"] for task in manifest["tasks"]]
    given = list(answers_in(results, folder))
    asked = asked_in(results, folder)
    cards = []
    for endpoint in selection["endpoints"]:
        own = [(SIDES[one.repeat % 2], one) for name, one in given if name == endpoint]
        fared = {side: asked.get((endpoint, half), {}) for half, side in enumerate(SIDES)}
        answers = Answers(SIDES.base, (SIDES.other,), by_place(own), fared, sides=SIDES)
        findings = [replace(one, endpoint=endpoint).as_json(None) for one in _findings(answers, tasks, margin)]
        times = {side: _times([one for name, one in own if name == side and one.ok]) for side in SIDES}
        cards.append({"endpoint": endpoint, "findings": findings, "word": _word(findings), "times": times})
    return {
        "kind": "under load",
        "run": folder.id,
        "status": manifest["status"],
        "reference": SIDES.base,
        "load": _named(law_from_json(selection["busy"]["law"])),
        "blocks": selection["repeats"] // 2,
        "family": 0,
        "candidates": cards,
    }


def _named(law: Law) -> str:
    if isinstance(law, Closed):
        return f"{law.concurrency} requests at once"
    return f"{law.rate_per_s:g} requests per second" if isinstance(law, Constant | Poisson | Gamma) else law.label


def _findings(answers: Answers, tasks: Sequence[str], margin: float) -> Iterator[Finding]:
    yield failures(answers, SIDES.other)
    yield quality(answers, SIDES.other, tasks, margin=margin)
    for task in tasks if len(tasks) > 1 else ():
        yield quality(answers, SIDES.other, [task], name=task, margin=margin)


def _times(answers: Sequence[Answer]) -> JsonObject:
    times = [one.ttft_ms for one in answers if one.ttft_ms is not None]
    return {
        "ttft_ms": median(times) if times else None,
        "under_way": median(one.in_flight for one in answers) if answers else None,
        "n": len(answers),
    }


def _word(findings: Sequence[JsonObject]) -> str:
    """Worse where fewer answers come or fewer are right, not worse where both are excluded, else inconclusive."""
    words = {one["test"]: one["word"] for one in findings}
    both = {words[ANSWERED], words[SCORE]}
    return "worse" if "worse" in both else "not worse" if both == {"not worse"} else "inconclusive"
