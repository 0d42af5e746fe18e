"""What the judges of a run said, read from its captures: rows to keep, and the scores that follow from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from harness.conformance.capture import Capture
from harness.run.planning.judging import Matter
from harness.run.planning.plan import Plan
from harness.scorers.judge import FAILED, scored
from harness.scorers.judge_reply import Reading, rating, verdict
from harness.types import Job, JsonObject, Score, Scorer

_Answer = tuple[str, str, str, int]
"""(task, endpoint, sample, repeat)."""
_WORDS = {1.0: "win", 0.5: "tie", 0.0: "loss"}


class Judgements:
    """The judgements of a run, by what they are about."""

    def __init__(self, captures: Iterable[Capture], plan: Plan) -> None:
        """``captures`` are the last attempts of its jobs, those of answers among them."""
        captures = list(captures)
        answered = {one.attempt.job.id for one in captures if one.attempt.job.id in plan.answers and one.outcome.ok}
        self._baseline = plan.selection.endpoints[0]
        self._judges = plan.selection.judges
        self._said: list[tuple[Job, Matter, Reading | None, str]] = []
        self._ratings: dict[_Answer, dict[tuple[str, int], Reading | None]] = defaultdict(dict)
        for capture in captures:
            job = capture.attempt.job
            matter = plan.matters.get(job.id)
            if matter is None or not matter.answered(answered):
                continue
            read = rating if len(matter.shown) == 1 else verdict
            outcome = capture.outcome
            reading = read(outcome.completion) if outcome.ok and outcome.completion is not None else None
            why = outcome.failure.detail if outcome.failure is not None else ""
            self._said.append((job, matter, reading, why))
            if len(matter.shown) == 1:
                about = (matter.task, matter.shown[0], matter.sample, matter.repeat)
                self._ratings[about][job.endpoint, matter.turn] = reading

    def score(self, job: Job, turns: int, scorer: Scorer) -> Score | None:
        """The score of a sample's answers, ``turns`` of them, ``job`` being the first; None: not all are judged yet."""
        found = self._ratings[job.task, job.endpoint, job.sample, job.repeat]
        if any((judge, turn) not in found for judge in self._judges for turn in range(turns)):
            return None
        return scored(scorer, {judge: [found[judge, turn] for turn in range(turns)] for judge in self._judges})

    def rows(self) -> Iterator[JsonObject]:
        """A line of ``judgements.jsonl`` for each request to a judge; of a comparison as the endpoint sees it."""
        for job, matter, reading, why in self._said:
            pair = len(matter.shown) == 2
            endpoint = next((name for name in matter.shown if name != self._baseline), matter.shown[0])
            first = matter.shown[0] == endpoint
            row: JsonObject = {
                "job": job.id,
                "judge": job.endpoint,
                "task": matter.task,
                "sample": matter.sample,
                "repeat": matter.repeat,
                "turn": matter.turn,
                "endpoint": endpoint,
            }
            if pair:
                row |= {"baseline": self._baseline, "endpoint_first": first}
            if reading is None:
                row |= {"fault": FAILED, "reason": why}
            elif reading.value is None:
                row |= {"fault": reading.fault, "reason": reading.reason}
            else:
                value = reading.value if first else 1 - reading.value
                row |= {"verdict": _WORDS[value] if pair else reading.said, "value": value, "reason": reading.reason}
            yield row
