"""What a run may spend in money, tokens, requests and time: set aside before a request goes, settled when it ends.

A request sets aside the most that it can use: each byte of its body as a token, and all the output it allows. So what
is spent and what is under way never exceed the budget together, however many requests are under way. Only an answer
that states more than it was allowed can, and then nothing more is asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from harness.exchange import Outcome
from harness.prices import cost_usd
from harness.provider import Price
from harness.request import allowance
from harness.run.tally import Budget
from harness.types import Attempt, Job, Request

UNCAPPED_TOKENS = 32_768
"""Output tokens set aside for a request that sets no cap of its own; few models give more in one answer."""
_BYTES_PER_TOKEN = 4
"""For the estimate that token limits go by; never for a reported count, and never for a budget."""


class Most(NamedTuple):
    """The most that a request can use; None: not known."""

    tokens: int
    usd: float | None


def most(request: Request, price: Price | None, to_come: int = 0) -> Most:
    """The worst case of one request: every byte a token, every allowed token given.

    ``to_come``: tokens of answers that will stand in its prompt and are not there yet.
    """
    prompt, allowed = len(request.body or b"") + to_come, allowance(request)
    output = UNCAPPED_TOKENS if allowed is None else allowed
    usd = None
    if price is not None and price.input_usd_per_mtok is not None and price.output_usd_per_mtok is not None:
        usd = (prompt * price.input_usd_per_mtok + output * price.output_usd_per_mtok) / 1e6
    return Most(prompt + output, usd)


def estimate_tokens(request: Request) -> int:
    """Tokens that a request may well use, prompt and answer: what a limit of tokens per minute is held to."""
    return estimate_prompt_tokens(request) + (allowance(request) or 0)


def estimate_prompt_tokens(request: Request) -> int:
    """Tokens that a prompt may well have."""
    return len(request.body or b"") // _BYTES_PER_TOKEN


def used_tokens(attempt: Attempt, outcome: Outcome) -> int | None:
    """Tokens that an attempt used by the server's own count; 0 where it was refused or not sent, None: not known."""
    usage = outcome.completion.usage if outcome.completion else None
    if usage is not None and usage.prompt_tokens is not None and usage.completion_tokens is not None:
        return max(0, usage.prompt_tokens) + max(0, usage.completion_tokens)
    exchange = attempt.exchange
    refused = exchange.status is not None and not 200 <= exchange.status < 300
    return 0 if refused or exchange.cached or exchange.marks.send0_ns is None else None


class Spending:
    """Keeps a budget: what is spent, what is set aside for requests under way, and whether anything more may go."""

    def __init__(self, budget: Budget, prices: Mapping[str, Price | None]) -> None:
        """``prices``: by endpoint id. What has none costs nothing here: who bounds what it costs is told before."""
        self._budget = budget
        self._prices = prices
        self._counts = budget.max_cost_usd is not None or budget.max_tokens is not None
        self._limited = self._counts or budget.max_requests is not None
        self._aside: dict[str, Most] = {}
        self._changed = asyncio.Event()
        self._began_ns: int | None = None
        self._planned = 0
        self.spent_usd = self.aside_usd = 0.0
        self.spent_tokens = self.aside_tokens = 0
        self.sent = 0
        self.over: str | None = None
        """Why nothing more may be asked; None: it may."""

    def begin(self, planned: int) -> None:
        """So many more jobs are planned; time counts from the first call on."""
        self._began_ns = self._began_ns or time.perf_counter_ns()
        self._planned += planned

    @property
    def waits(self) -> bool:
        """Whether what a request cost must be known before the next one may go."""
        return self._counts

    @contextmanager
    def in_time(self, stop: Callable[[str], None]) -> Iterator[None]:
        """Within the block ``stop`` is called when the time is up, whatever is waited for."""
        if self._budget.max_duration_s is None or self._began_ns is None:
            yield
            return
        left_s = self._budget.max_duration_s - (time.perf_counter_ns() - self._began_ns) / 1e9
        timer = asyncio.get_running_loop().call_later(
            max(0.0, left_s), lambda: stop(self.reached() or self._budget.time_is_up)
        )
        try:
            yield
        finally:
            timer.cancel()

    def reached(self) -> str | None:
        """Why nothing more may be asked, in one line; None: it may."""
        most_s = self._budget.max_duration_s
        if self.over is not None or most_s is None or self._began_ns is None:
            return self.over
        if (time.perf_counter_ns() - self._began_ns) / 1e9 >= most_s:
            self.over = self._budget.time_is_up
        return self.over

    def may_retry(self) -> bool:
        """Whether there are requests left for another try, beside those that the plan needs; counts it if so."""
        if self._budget.max_requests is None:
            return True
        if self._planned >= self._budget.max_requests:
            return False
        self._planned += 1
        return True

    async def set_aside(self, job: Job, request: Request) -> bool:
        """Set aside what a request can use at most, once it fits beside what is under way; False: it never will.

        A load never waits: what does not fit at its time ends the run.
        """
        if not self._limited:
            return True
        wanted = most(request, self._prices.get(job.endpoint)) if self._counts else Most(0, None)
        while self.reached() is None:
            if (why := self._excess(wanted)) is None:
                self._aside[job.id] = wanted
                self._add(wanted, 1)
                self.sent += 1
                return True
            if not self._aside or job.kind == "load" or why.startswith("--max-requests"):
                self.over = why
                self._changed.set()
                break
            self._changed.clear()
            await self._changed.wait()
        return False

    def give_back(self, job: Job) -> None:
        """Nothing was sent after all."""
        if (aside := self._aside.pop(job.id, None)) is not None:
            self._add(aside, -1)
            self.sent -= 1
            self._changed.set()

    def settle(self, attempt: Attempt, outcome: Outcome) -> None:
        """Put what a request used in the place of what was set aside; what it does not state is taken at its worst."""
        aside = self._aside.pop(attempt.job.id, None)
        if aside is None:
            return
        self._add(aside, -1)
        if self._counts:
            tokens = used_tokens(attempt, outcome)
            usage = outcome.completion.usage if outcome.completion else None
            usd = cost_usd(usage, self._prices.get(attempt.job.endpoint), attempt.exchange.headers)
            self.spent_tokens += aside.tokens if tokens is None else tokens
            self.spent_usd += usd if usd is not None else 0.0 if tokens == 0 else aside.usd or 0.0
        self._changed.set()

    def _add(self, most: Most, sign: int) -> None:
        self.aside_tokens += sign * most.tokens
        self.aside_usd = max(0.0, self.aside_usd + sign * (most.usd or 0.0))

    def _excess(self, wanted: Most) -> str | None:
        """The bound that a request would go beyond, in one line; None: none."""
        budget = self._budget
        if budget.max_requests is not None and self.sent >= budget.max_requests:
            return f"--max-requests {budget.max_requests} was reached"
        tokens = self.spent_tokens + self.aside_tokens + wanted.tokens
        if budget.max_tokens is not None and tokens > budget.max_tokens:
            more = f"{self.spent_tokens} spent, the next may take {wanted.tokens}"
            return f"--max-total-tokens {budget.max_tokens} was reached ({more})"
        usd = self.spent_usd + self.aside_usd + (wanted.usd or 0.0)
        if budget.max_cost_usd is not None and usd > budget.max_cost_usd:
            more = f"{self.spent_usd:.3g} spent, the next may take {wanted.usd or 0.0:.3g}"
            return f"--max-cost {budget.max_cost_usd:g} USD was reached ({more})"
        return None
