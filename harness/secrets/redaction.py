"""Takes keys out of an attempt before it is stored: the run's own key values, and headers that carry credentials.

Works on bytes across reads: a server may echo a key in a body that arrives in pieces. The times and the number of the
reads stay as they were; only the piece that held the key changes its length.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.exchange import Exchange, Read
from harness.secrets.hidden import MARK, Secrets, known
from harness.types import Attempt, Request

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


def redact(attempt: Attempt, secrets: Sequence[str] = ()) -> Attempt:
    """Give the attempt without credentials; the very same object where there was nothing to take out.

    ``secrets`` are key values; those under eight characters are placeholders and are left alone.
    """
    among = known(tuple(secrets))
    request = _request(attempt.request, among)
    exchange = _exchange(attempt.exchange, among)
    if request is attempt.request and exchange is attempt.exchange:
        return attempt
    return replace(attempt, request=request, exchange=exchange)


def _text(text: str, among: Secrets | None) -> str:
    return text if among is None else among.remove_text(text)


def _header(name: str, value: str, among: Secrets | None) -> str:
    lowered = name.lower()
    if lowered in _CREDENTIAL_HEADERS or lowered.endswith("-api-key"):
        return MARK
    text = _text(value, among)
    return text if len(text) < _SHORTEST_KEY else _LOOKS_LIKE_KEY.sub(MARK, text)


def _request(request: Request, among: Secrets | None) -> Request:
    headers: Mapping[str, str] = {name: _header(name, value, among) for name, value in request.headers.items()}
    path = _text(request.path, among)
    body = request.body
    if body is not None and among is not None:
        body = among.remove(body)
    if (path, body, headers) == (request.path, request.body, request.headers):
        return request
    return replace(request, path=path, body=body, headers=headers)


def _exchange(exchange: Exchange, among: Secrets | None) -> Exchange:
    headers = tuple((name, _header(name, value, among)) for name, value in exchange.headers)
    reads = exchange.reads
    failure = exchange.failure
    if among is not None:
        reads = _reads(exchange, among)
        if failure is not None:
            failure = replace(failure, detail=_text(failure.detail, among))
    if (headers, reads, failure) == (exchange.headers, exchange.reads, exchange.failure):
        return exchange
    return replace(exchange, headers=headers, reads=reads, failure=failure)


def _reads(exchange: Exchange, among: Secrets) -> tuple[Read, ...]:
    """The mark goes to the read where a secret began; the rest of the secret is cut out of the reads it ran over."""
    body = exchange.body
    if not among.within(body):
        return exchange.reads
    spans = [match.span() for match in among.pattern.finditer(body)]
    reads, start = [], 0
    for read in exchange.reads:
        end = start + len(read.data)
        pieces, position = [], start
        for low, high in spans:
            if high <= start or low >= end:
                continue
            pieces.append(body[position : max(low, position)])
            if low >= start:
                pieces.append(MARK.encode())
            position = min(high, end)
        pieces.append(body[position:end])
        reads.append(Read(read.at_ns, b"".join(pieces)))
        start = end
    return tuple(reads)
