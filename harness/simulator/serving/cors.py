"""What pages in a browser may do: everything but to use somebody else's credentials.

Source: Fetch standard, "HTTP-network-or-cache fetch" and "CORS protocol".
"""

from __future__ import annotations

from harness.simulator.serving.turn import Turn

_METHODS = "GET, POST, OPTIONS"
_HEADERS = "authorization, content-type, *"


def is_preflight(turn: Turn) -> bool:
    """Whether a browser asks before it sends a page's request; it is answered without a key."""
    incoming = turn.incoming
    asks = incoming.method == "OPTIONS" and "access-control-request-method" in incoming.headers
    return asks and "no_cors" not in turn.mutants


def headers(turn: Turn) -> list[tuple[str, str]]:
    """The headers of any answer to a page; none for who is no page."""
    origin = turn.incoming.headers.get("origin")
    if origin is None or "no_cors" in turn.mutants:
        return []
    if "cors_reflect" in turn.mutants:
        found = [("access-control-allow-origin", origin), ("access-control-allow-credentials", "true")]
    else:
        found = [("access-control-allow-origin", "*")]
    if is_preflight(turn):
        allowed = "content-type" if "cors_narrow" in turn.mutants else _HEADERS
        found += [("access-control-allow-methods", _METHODS), ("access-control-allow-headers", allowed)]
    return found
