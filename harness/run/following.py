"""Requests that hang on what came before: made of earlier answers, or not sent where nobody answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from harness.conformance.capture import Capture
from harness.exchange import FailureKind, Outcome
from harness.run.judging import answer_of
from harness.run.plan import Plan
from harness.run.samples import told
from harness.types import Attempt, Job, Request

MISSING = "the answer that its request is made of did not come, or does not hold what it takes"
LOST = "three probes in a row found nobody who answers"
_LOST_AFTER = 3
_NOBODY: frozenset[FailureKind] = frozenset({"dns", "connect", "tls", "timeout_connect", "timeout_first_byte"})


class Following:
    """Keeps the answers that later requests are made of, and count of endpoints that do not answer."""

    def __init__(self, answered: Mapping[str, Capture], answers: Mapping[str, str]) -> None:
        """By job id, what earlier sittings left: captures for probes, texts for judges."""
        self._answered = dict(answered)
        self._answers = dict(answers)
        self._silent: Counter[str] = Counter()

    def keep(self, plan: Plan, attempt: Attempt, outcome: Outcome) -> None:
        """Note the last attempt of a job."""
        job, failure = attempt.job, attempt.exchange.failure
        if job.id in plan.answers and outcome.ok and outcome.completion is not None:
            self._answers[job.id] = answer_of(outcome.completion)
        if job.kind != "probe":
            return
        if failure is not None and failure.kind in _NOBODY:
            self._silent[job.endpoint] += 1
        elif failure is None or failure.kind != "unasked":
            self._silent[job.endpoint] = 0
        if job.sample in plan.followed:
            self._answered[job.id] = Capture(attempt, outcome)

    def request(self, plan: Plan, job: Job, planned: Request) -> Request | str:
        """What is sent for a job, as planned or made of the answers before it; or why it is not sent."""
        if self._silent[job.endpoint] >= _LOST_AFTER and job.kind == "probe":
            return LOST
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
