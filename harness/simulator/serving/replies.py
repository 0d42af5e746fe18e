"""Status lines, headers and the bodies of errors."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from harness.simulator.engine.batch import Seat
from harness.simulator.engine.stream import ENGINE_DIED, Send, streamed, whole
from harness.simulator.model.speech import Piece
from harness.simulator.refusal import SYNTAX, TYPE, Refusal
from harness.simulator.serving.turn import Turn
from harness.simulator.surfaces.events import Answer, Framing, spoilt
from harness.simulator.surfaces.shapes import dumps
from harness.types import JsonObject

JSON = "application/json"
EVENTS = "text/event-stream; charset=utf-8"
HTML = "text/html; charset=utf-8"
PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Sign in to go on</h1></body></html>"
"""What a proxy answers in the place of an endpoint."""
_KNOWN = frozenset(HTTPStatus)
_LAST_CHUNK = b"0\r\n\r\n"
_LONG = 16
"""Tokens of a stream that is long enough to pause."""
_PAUSE_NS = 6_000_000_000
_TRACE = 'Traceback (most recent call last):\n  File "/srv/app/serve.py", line 88, in handle\nKeyError: '
_LIE = 1_000_000
"""Bytes that a lying content-length adds."""


@dataclass(slots=True)
class Reply:
    """How one request is answered."""

    sends: Iterator[Send]
    status: int
    record: JsonObject = field(default_factory=dict)
    """What the log tells of it beside the times."""
    close: bool = False
    """Whether the connection ends with it."""
    seat: Seat | None = None
    """Its place in the batch; None: it needs none."""


def head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """Status line and headers with the empty line behind them."""
    phrase = HTTPStatus(status).phrase if status in _KNOWN else "Overloaded"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def of_answer(turn: Turn, built: Answer, usual: Sequence[tuple[str, str]], *, stream: bool) -> Reply:
    """The reply with an answer, or with what a fault puts in its place.

    ``usual``: headers of every response, ``connection`` the last of them.
    """
    closes = False
    if turn.fate == "html_200":
        # When the answer would have begun.
        headers = [("content-type", HTML), ("content-length", str(len(PAGE))), *usual]
        sends = whole(replace(built, steps=0), head(200, headers), PAGE)
    else:
        closes = stream and "close_after_stream" in turn.mutants
        usual = [*usual[:-1], ("connection", "close")] if closes else usual
        sends = _streamed(turn, built, usual) if stream else _whole(turn, built, usual)
    return Reply(sends, 200, {"request_id": turn.name}, turn.closes or closes, built.seat)


def _streamed(turn: Turn, built: Answer, usual: Sequence[tuple[str, str]]) -> Iterator[Send]:
    lies = turn.fate == "lying_length"
    headers = [
        ("content-type", JSON if "wrong_type" in turn.mutants else EVENTS),
        *([] if "no_cache_control" in turn.mutants else [("cache-control", "no-cache")]),
        ("content-length", str(_LIE)) if lies else ("transfer-encoding", "chunked"),
        *_encoded(turn),
        *usual,
    ]
    sends = streamed(built, head(200, headers), Framing(turn.mutants, chunked=not lies))
    if "no_last_chunk" in turn.mutants:
        sends = _unended(sends)
    return _paused(sends) if "pauses" in turn.mutants and built.steps > _LONG else sends


def _paused(sends: Iterator[Send]) -> Iterator[Send]:
    """The writes with a pause before the end."""
    for send in sends:
        yield send._replace(due_ns=send.due_ns + _PAUSE_NS) if send.kind == "end" else send


def _unended(sends: Iterator[Send]) -> Iterator[Send]:
    """The writes without the last chunk of HTTP: the connection ends in its place."""
    for send in sends:
        if send.kind == "end" and send.data.endswith(_LAST_CHUNK):
            yield send._replace(data=send.data.removesuffix(_LAST_CHUNK))
            yield Send(send.due_ns, "close")
        else:
            yield send


def _whole(turn: Turn, built: Answer, usual: Sequence[tuple[str, str]]) -> Iterator[Send]:
    choices = built.choices
    if turn.fate == "giant_line":
        choices = (replace(choices[0], pieces=(Piece("x" * turn.profile.giant_bytes),)), *choices[1:])
    body = spoilt(dumps(built.shape.whole(choices, built.usage)), turn.mutants)
    if turn.fate == "malformed":
        body = body[: len(body) * 2 // 3]
    elif turn.fate == "inband_error":
        body = dumps({"error": ENGINE_DIED})
    if "blank_lines" in turn.mutants:
        body = b"\n\n" + body
    if "gzip_unasked" in turn.mutants:
        body = gzip.compress(body, mtime=0)
    told = len(body) + _LIE if turn.fate == "lying_length" else len(body)
    size = ("transfer-encoding", "chunked") if turn.fate == "endless" else ("content-length", str(told))
    return whole(built, head(200, [("content-type", JSON), size, *_encoded(turn), *usual]), body)


def _encoded(turn: Turn) -> list[tuple[str, str]]:
    """The header that names a compression, rightly or not."""
    return [("content-encoding", "gzip")] if turn.mutants & {"gzip_unasked", "lying_encoding"} else []


def error(refusal: Refusal, mutants: frozenset[str]) -> tuple[int, str, bytes]:
    """Status, content type and body of an error, with the deviations of ``mutants``."""
    status, code = _status(refusal, mutants)
    fields: JsonObject = {
        "message": _message(refusal, mutants),
        "type": refusal.kind,
        "param": refusal.param,
        "code": status if "int_code" in mutants else code,
    }
    if "status_200" in mutants:
        status = 200
    if "html_error" in mutants:
        return status, "text/html", f"<html><body><h1>{refusal.status}</h1></body></html>".encode()
    return status, "text/plain" if "plain_error" in mutants else JSON, dumps(_enveloped(fields, mutants))


def _status(refusal: Refusal, mutants: frozenset[str]) -> tuple[int, str | None]:
    """Status and code of an error."""
    status, code = refusal.status, refusal.code
    if ("crash_on_type" in mutants and code == TYPE) or ("crash_on_json" in mutants and code == SYNTAX):
        return 500, None
    if status == 400:
        return 500 if "status_500" in mutants else 422 if "status_422" in mutants else 400, code
    return (400, None) if status == 404 and "status_400" in mutants else (status, code)


def _message(refusal: Refusal, mutants: frozenset[str]) -> str:
    if "trace_in_error" in mutants:
        return f"{_TRACE}{refusal.param!r}"
    return f"{refusal.message} (/srv/models/weights.bin)" if "path_in_error" in mutants else refusal.message


def _enveloped(fields: JsonObject, mutants: frozenset[str]) -> object:
    if "flat_error" in mutants:
        return {"object": "error", **fields}
    if "array_error" in mutants:
        return [{"error": fields}]
    if "string_error" in mutants:
        return {"error": fields["message"]}
    if "detail_error" in mutants:
        return {"detail": fields["message"]}
    return {"error": fields}
