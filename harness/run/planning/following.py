"""Requests that hang on what came before: they are made of earlier answers."""

from __future__ import annotations

from collections.abc import Mapping

from harness.conformance.capture import Capture
from harness.exchange import Outcome
from harness.run.planning.judging import answer_of
from harness.run.planning.plan import Plan
from harness.run.planning.samples import told
from harness.types import Attempt, Job, Request

MISSING = "the answer that its request is made of did not come, or does not hold what it takes"


class Following:
    """Keeps the answers that later requests are made of."""

    def __init__(self, answered: Mapping[str, Capture], answers: Mapping[str, str]) -> None:
        """By job id, what earlier sittings left: captures for probes, texts for judges."""
        self._answered = dict(answered)
        self._answers = dict(answers)

    def keep(self, plan: Plan, attempt: Attempt, outcome: Outcome) -> None:
        """Note the last attempt of a job."""
        job = attempt.job
        if job.id in plan.answers and outcome.ok and outcome.completion is not None:
            self._answers[job.id] = answer_of(outcome.completion)
        if job.kind == "probe" and job.sample in plan.followed:
            self._answered[job.id] = Capture(attempt, outcome)

    def request(self, plan: Plan, job: Job, planned: Request) -> Request | str:
        """What is sent for a job, as planned or made of the answers before it; or why it is not sent."""
        if job.kind == "judge":
            return plan.judged(job, self._answers) or MISSING
        earlier = plan.earlier(job)
        if earlier is None:
            return planned
        before = self._answered.get(earlier)
        if before is None or before.status is None:
            return MISSING
        with told(f"probe scenario {job.sample}"):
            return plan.continued(job, before) or MISSING
