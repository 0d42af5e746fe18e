"""Probes of requests that are wrong as a whole: their body, its type, their method."""

import json
from collections.abc import Iterator

from harness.conformance import (
    BAD_REFUSALS,
    MISSHAPEN_REFUSALS,
    Check,
    Refused,
    Seen,
    accepted,
    bare,
    chat,
    check,
    envelope,
    literal,
    probe,
    refuses,
)
from harness.conformance.plain import HELLO
from harness.provider import Endpoint
from harness.types import JsonObject

DEPTH = 2000
HUGE = 32 * 2**20
"""Bytes of a body that no chat needs."""
UNLISTED = (404, 405)


def _hello(endpoint: Endpoint, **more: object) -> JsonObject:
    return {
        "model": endpoint.model_id,
        "messages": [{"role": "user", "content": HELLO}],
        endpoint.provider.quirks.max_tokens_field: 8,
        **more,
    }


def _twice(endpoint: Endpoint) -> bytes:
    return b'{"model": "first-of-two", ' + json.dumps(_hello(endpoint)).encode()[1:]


def _deep(endpoint: Endpoint) -> bytes:
    nested = b"[" * DEPTH + b"]" * DEPTH
    return json.dumps(_hello(endpoint)).encode()[:-1] + b', "metadata": ' + nested + b"}"


def _huge(endpoint: Endpoint) -> bytes:
    return json.dumps(_hello(endpoint, messages=[{"role": "user", "content": "a " * (HUGE // 2)}])).encode()


ARRAY = literal("error_array_body", "an empty array as the body", b"[]", surface="error")
STRING = literal("error_string_body", "a string as the body", b'"x"', surface="error")
EMPTY = literal("error_empty_body", "a body of no bytes", b"", surface="error")
TWICE = literal("error_duplicate_keys", "a body that names its model twice", _twice, surface="error")
DEEP = literal("error_deep_json", f"metadata that nests {DEPTH} arrays", _deep, surface="error")
AFTER_DEEP = chat("error_after_deep", "a plain request after it", HELLO, cap=8, surface="error")
TEXT = literal(
    "error_content_type",
    "a chat declared as text/plain",
    lambda endpoint: json.dumps(_hello(endpoint)).encode(),
    surface="error",
    headers={"Content-Type": "text/plain"},
)
GET = bare("error_get_chat", "GET of the path of chats", "/chat/completions", surface="error")
PUT = bare("error_put_chat", "PUT to the path of chats", "/chat/completions", method="PUT", surface="error")
LARGE = literal("error_too_large", "a body of 32 MiB", _huge, surface="error")
AFTER_LARGE = chat("error_after_large", "a plain request after it", HELLO, cap=8, surface="error")


@probe(
    "error.non_object",
    title="Refuses a body that is no object",
    sees=(ARRAY, STRING),
    severity="common",
    basis="observed",
    needs=("chat.basic",),
    spec="API guide: error codes; RFC 9110, 15.5.1",
    faults={**BAD_REFUSALS, "crash_on_type": "broken"},
)
def non_object(seen: Seen) -> Iterator[Check]:
    """A body that is a JSON array or a JSON string gets 400 and the documented error body."""
    yield from refuses(seen[ARRAY])
    yield from refuses(seen[STRING])


@probe(
    "error.empty_body",
    title="Refuses an empty body",
    sees=(EMPTY,),
    severity="common",
    basis="observed",
    needs=("chat.basic",),
    spec="API guide: error codes; RFC 9110, 15.5.1",
    faults={**BAD_REFUSALS, "crash_on_json": "broken"},
)
def empty_body(seen: Seen) -> Iterator[Check]:
    """A body of no bytes gets 400 and the documented error body."""
    yield from refuses(seen[EMPTY])


@probe(
    "error.duplicate_keys",
    title="Survives a key that occurs twice",
    sees=(TWICE,),
    severity="ext",
    needs=("chat.basic",),
    spec="RFC 8259, 4",
    faults={"crash_on_duplicates": "broken"},
)
def duplicate_keys(seen: Seen) -> Iterator[Check]:
    """A body that names its model twice is answered by the model named last, or cleanly refused."""
    capture = seen[TWICE]
    # The first name is made up: who reads it refuses with 404, which is as good a reading as the other.
    if capture.status == 404 and isinstance(capture.json, dict):
        yield check("refused for the first name", bool(capture.json), "an error body", capture.json)
        return
    yield from accepted(capture)


@probe(
    "error.deep_json",
    title="Survives deeply nested JSON",
    sees=(DEEP, AFTER_DEEP),
    severity="ext",
    basis="observed",
    ability="X",
    needs=("chat.basic",),
    spec="RFC 8259, 9",
    faults=BAD_REFUSALS,
)
def deep_json(seen: Seen) -> Iterator[Check]:
    """Metadata that nests 2000 arrays is refused or left unread, never a crash, and the next request is answered."""
    capture, after = seen[DEEP], seen[AFTER_DEEP]
    status = capture.status or 0
    yield check("no crash", 200 <= status < 500, "4xx, or 200 where metadata is not read", status, of=capture)
    yield from accepted(capture) if status == 200 else refuses(capture)
    yield from accepted(after)


@probe(
    "error.method",
    title="Refuses a wrong method",
    sees=(GET, PUT),
    severity="ext",
    needs=("chat.basic",),
    spec="RFC 9110, 15.5.6",
    faults={"status_200": "broken", "method_404": "partial"},
)
def method(seen: Seen) -> Iterator[Check]:
    """GET and PUT of the path of chats get 405 with an Allow header; a GET may list stored chats instead."""
    for scenario in (GET, PUT):
        capture = seen[scenario]
        status = capture.status or 0
        if scenario is GET and status == 200 and capture.at("object") == "list":
            continue
        yield check("status", 400 <= status < 500, "405", status, of=capture)
        yield check("status 405", status == 405, "405", status, must=False, of=capture)
        if status == 405:
            yield check("Allow", bool(capture.header("allow")), "POST", "no such header", must=False, of=capture)


@probe(
    "error.content_type",
    title="Minds the declared type of a body",
    sees=(TEXT,),
    severity="ext",
    needs=("chat.basic",),
    spec="RFC 9110, 15.5.16",
    faults={**MISSHAPEN_REFUSALS, "ignore_content_type": "partial"},
)
def content_type(seen: Seen) -> Iterator[Check]:
    """JSON declared as text/plain gets 415 or 400 with the documented error body; reading it is partial."""
    capture = seen[TEXT]
    status = capture.status or 0
    if status == 200:
        yield from accepted(capture)
        yield check("text/plain is not read as JSON", False, "415", 200, must=False)  # noqa: FBT003 - it was read
        return
    yield check("status", 400 <= status < 500, "415 or 400", status)
    yield from envelope(capture)
    yield check("status 415", status in (400, 415), "415 or 400", status, must=False)


@probe(
    "error.too_large",
    title="Refuses a body that is far too large",
    sees=(LARGE, AFTER_LARGE),
    severity="ext",
    ability="X",
    needs=("chat.basic",),
    spec="RFC 9110, 15.5.14",
    faults={
        "flat_error": "partial",
        "array_error": "partial",
        "string_error": "partial",
        "detail_error": "partial",
        "html_error": "partial",
        "status_200": "broken",
        "crash_on_large": "broken",
    },
)
def too_large(seen: Seen) -> Iterator[Check]:
    """A body of 32 MiB gets 413 or 400, and the next request is answered."""
    capture, after = seen[LARGE], seen[AFTER_LARGE]
    status = capture.status or 0
    yield check("no crash", status < 500, "413 or 400", status, of=capture)
    if status == 200:
        yield from accepted(capture)
    else:
        yield check("status 413", status in (400, 413), "413 or 400", status, must=False, of=capture)
        told = isinstance(capture.at("error", "message"), str)
        yield check("error body", told, '{"error": {…}}', capture.body.decode(errors="replace"), must=False, of=capture)
    try:
        yield from accepted(after)
    except Refused as refused:
        yield check("the next request", False, "200", refused.actual, of=after)  # noqa: FBT003 - it was refused


PROBES = (non_object, empty_body, duplicate_keys, method, content_type, deep_json, too_large)
