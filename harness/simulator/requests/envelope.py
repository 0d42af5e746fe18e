"""What is looked at before a body is read as JSON: method, headers, size, type and compression."""

from __future__ import annotations

import zlib
from collections import OrderedDict

from harness.simulator.refusal import Refusal, crash
from harness.simulator.serving.turn import Incoming

JSON = "application/json"
_LARGEST = 16 * 2**20
"""Of a body once it is decompressed."""
_KEYS = 1_000
"""Idempotency keys that are remembered."""


def body_of(incoming: Incoming, mutants: frozenset[str]) -> bytes:
    """The body, decompressed; Refusal 400, 413, 415 or 417 says what is wrong with how it came."""
    headers = incoming.headers
    if incoming.too_large and "crash_on_large" in mutants:
        raise crash()
    if incoming.too_large:
        raise Refusal(413, "The body is too large.", code="request_too_large")
    if "expect" in headers and "reject_expect" in mutants:
        raise Refusal(417, "Expect is not supported.", code="expectation_failed")
    if "openai-organization" in headers and "reject_client_headers" in mutants:
        raise Refusal(400, "Unknown header: OpenAI-Organization.", code="unknown_header")
    kind = headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if kind != JSON and "ignore_content_type" not in mutants:
        raise Refusal(415, f"Unsupported content type: {kind!r}. Only {JSON} is read.", code="unsupported_content_type")
    encoding = headers.get("content-encoding", "identity").lower()
    if encoding == "gzip" and "reject_gzip" not in mutants:
        return _gunzipped(incoming.body)
    if encoding != "identity":
        raise Refusal(415, "Content-Encoding is not supported.", code="unsupported_encoding")
    return incoming.body


def wrong_method(method: str, allowed: str, mutants: frozenset[str]) -> Refusal:
    """The refusal of a method that a path does not have."""
    if "method_404" in mutants:
        return Refusal(404, "Not found.", code="unknown_url")
    return Refusal(405, f"Method {method} is not allowed here.", code="method_not_allowed", headers={"allow": allowed})


class Keys:
    """Idempotency keys that were seen."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()

    def check(self, incoming: Incoming, mutants: frozenset[str]) -> None:
        """Let every key pass, as often as it comes; Refusal 409 where a mutant says so."""
        key = incoming.headers.get("idempotency-key")
        if key is None or "idempotency_conflict" not in mutants:
            return
        if key in self._seen:
            raise Refusal(409, "A request with this Idempotency-Key was answered already.", code="idempotency_conflict")
        self._seen[key] = None
        if len(self._seen) > _KEYS:
            self._seen.popitem(last=False)


def _gunzipped(body: bytes) -> bytes:
    inflater = zlib.decompressobj(wbits=31)
    try:
        plain = inflater.decompress(body, _LARGEST + 1)
    except zlib.error:
        raise Refusal(400, "The body is not gzip.", code="invalid_encoding") from None
    if len(plain) > _LARGEST:
        raise Refusal(413, "The body is too large.", code="request_too_large")
    if not inflater.eof:
        raise Refusal(400, "The body ends in its middle.", code="invalid_encoding")
    return plain
