"""Takes keys out of an attempt before it is stored: the run's own key values, and headers that carry credentials.

Works on bytes across reads: a server may echo a key in a body that arrives in pieces. The times and the number of the
reads stay as they were; only the piece that held the key changes its length.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from harness.exchange import Exchange, Read
from harness.types import Attempt, Request

MARK = "[redacted]"
_MARK = MARK.encode()
SHORTEST_SECRET = 8
"""Placeholders of local servers (``EMPTY``, ``none``) are no secrets, and taking them out would maul answers."""

_CREDENTIAL_HEADERS = frozenset(
    {
        "api-key",
        "authorization",
        "cookie",
        "proxy-authorization",
        "set-cookie",
        "set-cookie2",
        "x-amz-security-token",
        "x-goog-api-key",
    }
)
_LOOKS_LIKE_KEY = re.compile(
    r"\b(?:sk|pk|rk|gsk|hf|nvapi|pplx|xai|fw|csk|tgp)[-_][A-Za-z0-9_-]{16,}"  # the prefixes vendors give their keys
    r"|\bAIza[A-Za-z0-9_-]{30,}"
    r"|\bBearer\s+\S{8,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"  # a JSON web token
)
_SHORTEST_KEY = 15
"""Characters of the shortest text that looks like a key: ``Bearer`` and eight more."""


class _Secrets(NamedTuple):
    """Every secret, as it is and as a JSON string would spell it, the longest first."""

    forms: tuple[bytes, ...]
    pattern: re.Pattern[bytes]

    def remove(self, data: bytes) -> bytes:
        """``data`` with the mark for each of them; the same object where there is none."""
        return self.pattern.sub(_MARK, data) if self.within(data) else data

    def within(self, data: bytes) -> bool:
        """Whether there is one: plain searches, which are many times faster than the pattern."""
        return any(form in data for form in self.forms)


def redact(attempt: Attempt, secrets: Sequence[str] = ()) -> Attempt:
    """Give the attempt without credentials; the very same object where there was nothing to take out.

    ``secrets`` are key values; those under eight characters are placeholders and are left alone.
    """
    known = _known(tuple(secrets))
    request = _request(attempt.request, known)
    exchange = _exchange(attempt.exchange, known)
    if request is attempt.request and exchange is attempt.exchange:
        return attempt
    return replace(attempt, request=request, exchange=exchange)


@lru_cache(maxsize=4)
def _known(secrets: tuple[str, ...]) -> _Secrets | None:
    """None: there are none."""
    plain = {secret for secret in secrets if len(secret) >= SHORTEST_SECRET}
    spelled = plain | {json.dumps(secret)[1:-1] for secret in plain}
    forms = sorted((form.encode("utf-8", "surrogatepass") for form in spelled), key=len, reverse=True)
    return _Secrets(tuple(forms), re.compile(b"|".join(map(re.escape, forms)))) if forms else None


def _text(text: str, known: _Secrets | None) -> str:
    if known is None:
        return text
    return known.remove(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def _header(name: str, value: str, known: _Secrets | None) -> str:
    lowered = name.lower()
    if lowered in _CREDENTIAL_HEADERS or lowered.endswith("-api-key"):
        return MARK
    text = _text(value, known)
    return text if len(text) < _SHORTEST_KEY else _LOOKS_LIKE_KEY.sub(MARK, text)


def _request(request: Request, known: _Secrets | None) -> Request:
    headers: Mapping[str, str] = {name: _header(name, value, known) for name, value in request.headers.items()}
    path = _text(request.path, known)
    body = request.body
    if body is not None and known is not None:
        body = known.remove(body)
    if (path, body, headers) == (request.path, request.body, request.headers):
        return request
    return replace(request, path=path, body=body, headers=headers)


def _exchange(exchange: Exchange, known: _Secrets | None) -> Exchange:
    headers = tuple((name, _header(name, value, known)) for name, value in exchange.headers)
    reads = exchange.reads
    failure = exchange.failure
    if known is not None:
        reads = _reads(exchange, known)
        if failure is not None:
            failure = replace(failure, detail=_text(failure.detail, known))
    if (headers, reads, failure) == (exchange.headers, exchange.reads, exchange.failure):
        return exchange
    return replace(exchange, headers=headers, reads=reads, failure=failure)


def _reads(exchange: Exchange, known: _Secrets) -> tuple[Read, ...]:
    """The mark goes to the read where a secret began; the rest of the secret is cut out of the reads it ran over."""
    body = exchange.body
    if not known.within(body):
        return exchange.reads
    spans = [match.span() for match in known.pattern.finditer(body)]
    reads, start = [], 0
    for read in exchange.reads:
        end = start + len(read.data)
        pieces, position = [], start
        for low, high in spans:
            if high <= start or low >= end:
                continue
            pieces.append(body[position : max(low, position)])
            if low >= start:
                pieces.append(_MARK)
            position = min(high, end)
        pieces.append(body[position:end])
        reads.append(Read(read.at_ns, b"".join(pieces)))
        start = end
    return tuple(reads)
