"""Named faults: what may befall one request. A profile gives each a share, a request may ask for one by name.

Faults here replace or end an answer. A deviation that an answer can live with is a mutant
(``harness.simulator.deviations.mutants``); every mutant is also known here by its name, as a fault of single requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.simulator.deviations.mutants import MUTANTS
from harness.simulator.refusal import Refusal

FAULTS: Mapping[str, str] = MappingProxyType(
    {
        "http_500": "status 500",
        "http_429": "status 429 with `retry-after` in seconds (`retry_after_s`; none: without it)",
        "overload_503": "status 503 with `retry-after` in seconds",
        "malformed": "a body, or one event of a stream, is no JSON",
        "cut": "the connection ends inside the answer",
        "reset": "the connection is reset (RST) inside the answer",
        "stall": "the answer stops coming; the connection ends `stall_s` later",
        "inband_error": "an error object after status 200, in a stream after some of its tokens",
        "empty": "a complete answer without a token",
        "http_401": "status 401",
        "http_403": "status 403",
        "http_404": "status 404",
        "http_408": "status 408",
        "http_529": "status 529, overloaded",
        "http_429_date": "status 429 with `retry-after` as an HTTP date, and the server's own `date`",
        "http_429_absurd": "status 429 with a `retry-after` of thirty years",
        "http_429_bare": "status 429 without `retry-after`",
        "no_answer": "the connection ends before a byte was sent",
        "stall_before_headers": "nothing is sent; the connection ends `stall_s` later",
        "stall_after_headers": "headers, and then nothing; the connection ends `stall_s` later",
        "slow_loris": "the body comes a byte at a time, each after `drip_ms`",
        "html_200": "status 200 with a page of HTML, as of a proxy",
        "lying_length": "`content-length` says more than is sent before the connection ends",
        "giant_line": "one line of `giant_bytes`",
        "endless": "the answer never ends",
    }
)
FATES = (*FAULTS, *MUTANTS)
"""All that may befall one request, in the order in which shares are drawn."""

_ABSURD_S = 10**9
_STATUS: Mapping[str, tuple[int, str, str, str | None]] = {
    "http_500": (500, "The server had an error.", "server_error", None),
    "http_429": (429, "Too many requests.", "requests", "rate_limit_exceeded"),
    "overload_503": (503, "The engine is overloaded.", "server_error", "overloaded"),
    "http_401": (401, "The API key provided is not correct.", "invalid_request_error", "invalid_api_key"),
    "http_403": (403, "The key may not use this model.", "invalid_request_error", "permission_denied"),
    "http_404": (404, "The model does not exist.", "invalid_request_error", "model_not_found"),
    "http_408": (408, "The request timed out.", "server_error", "timeout"),
    "http_529": (529, "The service is overloaded.", "overloaded_error", "overloaded"),
}


def refusal_of(fate: str | None, retry_after_s: float | None, now: str, later: str) -> Refusal | None:
    """The error response of a fault; None: it is none of those.

    ``now`` and ``later`` are HTTP dates, the latter that of its Retry-After.
    """
    status = _STATUS.get("http_429" if fate and fate.startswith("http_429") else fate or "")
    if status is None:
        return None
    code, message, kind, word = status
    after = "" if retry_after_s is None or code not in (429, 503, 529) else f"{retry_after_s:g}"
    after = {"http_429_date": later, "http_429_absurd": str(_ABSURD_S), "http_429_bare": ""}.get(fate or "", after)
    dated = {"date": now} if fate == "http_429_date" else {}
    return Refusal(code, message, kind=kind, code=word, headers={**dated, **({"retry-after": after} if after else {})})
