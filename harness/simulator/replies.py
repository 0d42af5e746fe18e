"""Status lines, headers and the bodies of errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus

from harness.simulator.refusal import Refusal
from harness.simulator.shapes import dumps
from harness.simulator.stream import Send
from harness.types import JsonObject

JSON = "application/json"
EVENTS = "text/event-stream; charset=utf-8"


@dataclass(slots=True)
class Reply:
    """How one request is answered."""

    sends: Iterator[Send]
    status: int
    close: bool = False
    """Whether the connection ends with it."""
    record: JsonObject = field(default_factory=dict)
    """What the log tells of it beside the times."""


def head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """Status line and headers with the empty line behind them."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def error(refusal: Refusal, mutants: frozenset[str]) -> tuple[int, str, bytes]:
    """Status, content type and body of an error, with the deviations of ``mutants``."""
    status, code = refusal.status, refusal.code
    if status == 400:
        status = 500 if "status_500" in mutants else 422 if "status_422" in mutants else 400
    elif status == 404 and "status_400" in mutants:
        status, code = 400, None
    fields: JsonObject = {
        "message": refusal.message,
        "type": refusal.kind,
        "param": refusal.param,
        "code": status if "int_code" in mutants else code,
    }
    if "status_200" in mutants:
        status = 200
    if "html_error" in mutants:
        return status, "text/html", f"<html><body><h1>{refusal.status}</h1></body></html>".encode()
    return status, JSON, dumps(_enveloped(fields, mutants))


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
