"""All that a request passes before it is sent, and that is told afterwards how it ended.

In this order: is its endpoint there, does it fit the budget, what do its provider's limits say. Waits are here, outside
the timed part of a request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.exchange import Outcome
from harness.provider import Endpoint, Price
from harness.run.admission.breaker import Breakers
from harness.run.admission.budget import Spending, estimate_tokens, used_tokens
from harness.run.admission.rate_limits import DayIsOverError, Limiter
from harness.run.tally import Budget
from harness.types import Attempt, Job, Request


class Admission:
    """One for all endpoints of a sitting."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        prices: Mapping[str, Price | None],
        budget: Budget,
        tell: Callable[[str], None],
    ) -> None:
        """``tell`` is told in one line what holds up an endpoint."""
        self._tell = tell
        self._providers = {name: endpoint.provider.id for name, endpoint in endpoints.items()}
        self._limiters = {one.provider.id: Limiter(one.provider) for one in endpoints.values()}
        self._breakers = Breakers(tell)
        self.spending = Spending(budget, prices)

    def given_up(self, endpoint: str) -> str | None:
        """Why an endpoint is asked nothing more; None: it is."""
        return self._breakers.why(endpoint)

    async def enter(self, job: Job, request: Request) -> int | None:
        """Wait until a job may be asked; gives the requests then under way on its endpoint, this one included.

        None: it is not to be asked, since its endpoint was given up or the budget is reached. Each that entered is
        taken out by ``leave``, and ``done`` is told how it ended.
        """
        if not await self._breakers.passes(job) or not await self.spending.set_aside(job, request):
            return None
        limiter = self._limiters[self._providers[job.endpoint]]
        try:
            in_flight = await limiter.enter(job, lambda: estimate_tokens(request))
        except DayIsOverError as over:
            self.spending.give_back(job)
            for name, provider in self._providers.items():
                if provider == self._providers[job.endpoint]:
                    self._breakers.give_up(name, str(over))
            return None
        except BaseException:
            self.spending.give_back(job)
            raise
        if self._breakers.why(job.endpoint) is None and self.spending.reached() is None:
            return in_flight
        limiter.leave(job.endpoint)
        limiter.settle(job, 0)
        self.spending.give_back(job)
        return None

    def leave(self, job: Job) -> None:
        """The exchange of a job is over."""
        self._limiters[self._providers[job.endpoint]].leave(job.endpoint)

    def done(self, attempt: Attempt, outcome: Outcome, *, again: bool) -> None:
        """How an attempt ended; ``again``: its job is tried once more."""
        job = attempt.job
        if attempt.exchange.cached:
            return
        limiter = self._limiters[self._providers[job.endpoint]]
        if limiter.counts_tokens:
            limiter.settle(job, used_tokens(attempt, outcome))
        self.spending.settle(attempt, outcome)
        # What a probe provokes is no sign of trouble: it is one only where the probe is tried again.
        if job.kind not in ("load", "probe") or (job.kind == "probe" and again):
            seconds = limiter.heard(outcome.failure)
            if seconds is not None and seconds >= 1:
                assert outcome.failure is not None
                provider = self._providers[job.endpoint]
                self._tell(f"{provider}: {outcome.failure.kind}; all its requests wait {seconds:.3g} s")
        self._breakers.note(attempt, outcome, again=again)

    def rest(self) -> None:
        """Nothing is under way: what was taken beforehand and not used is given back."""
        for limiter in self._limiters.values():
            limiter.close()
