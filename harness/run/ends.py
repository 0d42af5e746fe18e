"""Requests that say nothing of their endpoint: not asked, or sent to a server of ours that had ended by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from harness.exchange import Exchange, Failure, FailureKind, WireMarks
from harness.provider import Provider
from harness.wire.origin import origin_of
from harness.wire.spoken import listens

_NOTICE_S = 0.5
"""Within which whoever watches a server has noticed that it ended."""
_LOOK_EVERY_S = 0.01
_CUT: frozenset[FailureKind] = frozenset({"connect", "reset", "truncated", "bad_http"})
"""How requests fail whose server ends."""


def nothing(kind: FailureKind, detail: str) -> Exchange:
    """The exchange of a request that was not sent, or not answered by our own doing."""
    return Exchange(WireMarks(), None, (), (), "user", reused=False, failure=Failure(kind, detail))


class Ends:
    """Tells what was under way when a server that we started ended from what was sent to it afterwards."""

    def __init__(self, stopped: Callable[[], str | None]) -> None:
        """``stopped`` gives the reason why the run stops, soon after a server has ended; None: it goes on."""
        self._stopped = stopped
        self._since_ns: dict[str, int] = {}
        """When a provider's server was first found gone."""

    async def told_apart(self, provider: Provider, exchange: Exchange, admit_ns: int) -> Exchange:
        """What is recorded of an exchange that began at ``admit_ns``: itself, or that there was nobody any more.

        The latter is ``cancelled``, so that a resumed run asks it. It takes time only where the server is gone.
        """
        failure = exchange.failure
        if failure is None or failure.kind not in _CUT or provider.serve is None or await self._is_there(provider):
            return exchange
        until = time.monotonic() + _NOTICE_S
        while (why := self._stopped()) is None and time.monotonic() < until:  # noqa: ASYNC110 - seldom, and soon over
            await asyncio.sleep(_LOOK_EVERY_S)
        if why is None:
            self._since_ns.pop(provider.id, None)
            return exchange
        if failure.kind == "connect" or admit_ns > self._since_ns[provider.id]:
            return nothing("cancelled", "its server had ended before this request was sent")
        return exchange

    async def _is_there(self, provider: Provider) -> bool:
        """Whether its port still takes connections."""
        if provider.id in self._since_ns:
            return False
        found_ns = time.perf_counter_ns()
        # The kernel closes what a process had open one by one, and the port may be the last of it.
        await asyncio.sleep(_LOOK_EVERY_S)
        if await listens(origin_of(provider.base_url or ""), _NOTICE_S):
            return True
        self._since_ns.setdefault(provider.id, found_ns)
        return False
