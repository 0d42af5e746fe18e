"""Endpoints that nobody answers for are given up, so that the others need not wait for them.

An endpoint whose last jobs all failed as if nobody were there is left alone for a while and then asked once more. If
that fails too, its remaining jobs are not asked: each gets an attempt of the kind ``unasked`` that says why, and a
resumed run asks it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.exchange import OUR_DOING, Failure, FailureKind, Outcome
from harness.types import Attempt, Job

AFTER = 5
"""Jobs in a row."""
AFTER_PROBES = 3
AFTER_LOAD = 20
"""Requests of a load that were refused entrance, and none let in: what fails under load is data, but this is none."""
COOL_S = 5.0
"""So long it is left alone before it is asked once more: a server that is restarted is not a dead one."""

_NOBODY: frozenset[FailureKind] = frozenset({"dns", "connect", "tls", "timeout_connect", "timeout_first_byte"})
"""What a probe may find that tells of the endpoint and not of what the probe asks for."""
_DOWN: frozenset[FailureKind] = _NOBODY | {
    *("reset", "timeout_idle", "timeout_total", "auth", "throttled", "overloaded", "http_5xx", "bad_http"),
}
_NOT_THERE = (402, 404)
"""No money left, no such model: no other request would be answered either."""
_NOT_IMPLEMENTED = 501
"""Of one request, not of the endpoint."""

GIVEN_UP = "given up: "
"""What the reason of a job begins with that was not asked since its endpoint was given up."""


def given_up(failure: Failure | None) -> bool:
    """Whether a job was not asked since its endpoint was given up: that is no end, a resumed run asks it."""
    return failure is not None and failure.kind == "unasked" and failure.detail.startswith(GIVEN_UP)


@dataclass(slots=True)
class _State:
    """One endpoint."""

    row: int = 0
    """Jobs that failed since anything was answered."""
    shut: int | None = 0
    """Requests of a load that were refused entrance; None: one was let in."""
    until: float | None = None
    """End of its rest, on the loop's clock; None: it is asked as planned."""
    trial: str | None = None
    """Job that is asked once more after the rest."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the rest and its trial are over, for good or ill."""
    why: str | None = None
    """Why it is given up; None: it is not."""


class Breakers:
    """One for each endpoint."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        """``tell`` is told in one line when an endpoint is given up, or is back."""
        self._tell = tell
        self._states: dict[str, _State] = {}

    def why(self, endpoint: str) -> str | None:
        """Why an endpoint is given up; None: it is not."""
        state = self._states.get(endpoint)
        return state.why if state else None

    async def passes(self, job: Job) -> bool:
        """Wait while its endpoint rests; whether the job may be asked."""
        state = self._states.get(job.endpoint)
        if state is None:
            return True
        while state.until is not None and state.why is None and state.trial != job.id:
            if state.trial is None:
                state.trial = job.id
                try:
                    async with asyncio.timeout(state.until - time.monotonic()):
                        await state.over.wait()
                except TimeoutError:
                    pass
                continue
            await state.over.wait()
        return state.why is None

    def note(self, attempt: Attempt, outcome: Outcome, *, again: bool) -> None:
        """Take in how an attempt ended; ``again``: its job is tried once more.

        Under load failures are data, except where nobody is ever let in.
        """
        job, failure = attempt.job, outcome.failure
        ours = failure is not None and failure.kind in OUR_DOING
        if attempt.exchange.cached or ours:
            return
        if job.kind == "load":
            self._note_load(job, failure)
            return
        state = self._states.get(job.endpoint)
        if not _down(job, failure):
            if state is not None and state.why is None:
                self._close(job.endpoint, state)
            return
        assert failure is not None
        if state is None:
            state = self._states[job.endpoint] = _State()
        if state.until is not None:
            if state.trial == job.id and state.why is None:
                self.give_up(job.endpoint, f"{state.row + 1} failures in a row ({failure.kind}: {failure.detail})")
        elif not again:
            state.row += 1
            if state.row >= (AFTER_PROBES if job.kind == "probe" else AFTER):
                state.until, state.trial = time.monotonic() + COOL_S, None
                state.over.clear()
                self._tell(
                    f"{job.endpoint}: {state.row} failures in a row ({failure.kind}); asked once more in {COOL_S:g} s"
                )

    def _note_load(self, job: Job, failure: Failure | None) -> None:
        state = self._states.get(job.endpoint)
        if state is None:
            state = self._states[job.endpoint] = _State()
        if failure is None:
            state.shut = None
        elif state.shut is not None and (failure.kind == "auth" or failure.status in _NOT_THERE):
            state.shut += 1
            if state.shut >= AFTER_LOAD:
                self.give_up(job.endpoint, f"refused from the first request on ({failure.kind}: {failure.detail})")

    def give_up(self, endpoint: str, why: str) -> None:
        """Ask an endpoint nothing more."""
        state = self._states.setdefault(endpoint, _State())
        if state.why is None:
            state.why = why
            self._tell(f"{endpoint}: given up: {why}; its other requests are not asked")
        state.over.set()

    def _close(self, endpoint: str, state: _State) -> None:
        if state.until is not None:
            self._tell(f"{endpoint}: answers again")
        state.row, state.until, state.trial = 0, None, None
        state.over.set()


def _down(job: Job, failure: Failure | None) -> bool:
    if failure is None:
        return False
    if job.kind == "probe":
        return failure.kind in _NOBODY
    if failure.status == _NOT_IMPLEMENTED:
        return False
    return failure.kind in _DOWN or failure.status in _NOT_THERE
