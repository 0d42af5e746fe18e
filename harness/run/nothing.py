"""What is recorded of a request that nothing came of, and that says nothing about its endpoint."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from harness.exchange import Exchange, Failure, FailureKind, WireMarks

_NOTICE_S = 0.5
"""Within which whoever watches a server has noticed that it ended."""
_LOOK_EVERY_S = 0.01


def nothing(kind: FailureKind, detail: str) -> Exchange:
    """The exchange of a request that was not sent, or not answered by our own doing."""
    return Exchange(WireMarks(), None, (), (), "user", reused=False, failure=Failure(kind, detail))


async def nobody_there(exchange: Exchange, stopped: Callable[[], str | None]) -> Exchange:
    """What is recorded where a server that we started refused a connection.

    When it has ended by itself, ``stopped`` soon gives the reason why the run stops, and the request is as good as not
    asked: a resumed run asks it. Otherwise the refusal is the server's own.
    """
    until = time.monotonic() + _NOTICE_S
    while (why := stopped()) is None and time.monotonic() < until:  # noqa: ASYNC110 - seldom, and soon over
        await asyncio.sleep(_LOOK_EVERY_S)
    return exchange if why is None else nothing("cancelled", "the server had ended before this request was sent")
