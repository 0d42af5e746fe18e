"""Requests of probes that hang on what came before: they are made of an earlier answer."""

from __future__ import annotations

from collections.abc import Mapping

from harness.conformance.capture import Capture
from harness.exchange import Outcome
from harness.run.plan import Plan
from harness.run.samples import told
from harness.types import Attempt, Job, Request

MISSING = "the answer that its request is made of did not come, or does not hold what it takes"


class Following:
    """Keeps the answers that later requests are made of."""

    def __init__(self, answered: Mapping[str, Capture]) -> None:
        """``answered``: by job id, what earlier sittings of the run left."""
        self._answered = dict(answered)

    def keep(self, plan: Plan, attempt: Attempt, outcome: Outcome) -> None:
        """Note the last attempt of a job."""
        job = attempt.job
        if job.kind == "probe" and job.sample in plan.followed:
            self._answered[job.id] = Capture(attempt, outcome)

    def request(self, plan: Plan, job: Job, planned: Request) -> Request | str:
        """What is sent for a job, as planned or made of the answer before it; or why it is not sent."""
        earlier = plan.earlier(job)
        if earlier is None:
            return planned
        before = self._answered.get(earlier)
        if before is None or before.status is None:
            return MISSING
        with told(f"probe scenario {job.sample}"):
            return plan.continued(job, before) or MISSING
