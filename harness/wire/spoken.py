"""What a port tells without a request: whether anybody accepts, and whether plain HTTP or TLS is spoken there."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import Literal

from harness.provider import Deadlines
from harness.wire.dial import Dial
from harness.wire.fault import Fault
from harness.wire.origin import Origin
from harness.wire.tls import Tls
from harness.wire.trace import Trace

_ASKED = b"HEAD / HTTP/1.0\r\n\r\n"
"""Names no host and carries no key."""


async def listens(origin: Origin, limit_s: float) -> bool:
    """Whether anybody accepts a connection within ``limit_s``; nothing is sent."""
    try:
        async with asyncio.timeout(limit_s):
            _, writer = await asyncio.open_connection(origin.host, origin.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def spoken(origin: Origin, limit_s: float) -> Literal["http", "https"] | None:
    """What the port of ``origin`` speaks, on a direct connection; None: neither could be seen within ``limit_s`` each.

    Nothing secret is sent: a TLS handshake that trusts anybody and is hung up, then a bare line of HTTP.
    """
    if await _shakes_hands(origin, limit_s):
        return "https"
    return "http" if await _answers_plainly(origin, limit_s) else None


async def _shakes_hands(origin: Origin, limit_s: float) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        tls = Tls(context, origin.host)
        trace = Trace(started_ns=time.perf_counter_ns())
        sock, _ = await Dial().connect(origin, tls, Deadlines(limit_s, limit_s, limit_s, limit_s), trace, None)
    except Fault:
        return False
    sock.close()
    return True


async def _answers_plainly(origin: Origin, limit_s: float) -> bool:
    try:
        async with asyncio.timeout(limit_s):
            reader, writer = await asyncio.open_connection(origin.host, origin.port)
            try:
                writer.write(_ASKED)
                return (await reader.read(5)).startswith(b"HTTP/")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
