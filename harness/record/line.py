"""One line of a journal: an attempt as JSON and back, with a checksum at its end.

Line: ``{"v":2,"type":"attempt",...,"crc":"89abcdef"}``. The checksum is the CRC-32 of all that stands before it, so
that no flipped bit is read as an answer; lines of version 1 have none. Bodies are kept whole, as text where they are
UTF-8 and as base64 where they are not.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from itertools import accumulate
from math import isfinite
from operator import sub
from typing import Any
from zlib import crc32

import orjson

from harness.errors import StoreError
from harness.exchange import Exchange, Failure, Read, WireMarks
from harness.types import Attempt, Job, JsonObject, Request

VERSION = 2
_CRC = b',"crc":"'
_END = len(_CRC) + len(b'00000000"}\n')
_MARKS = tuple(field.name for field in fields(WireMarks))
_read: Callable[[tuple[int, bytes]], Read] = partial(tuple.__new__, Read)
"""``Read._make`` without a Python frame for each read."""
_FAILURE = tuple(field.name for field in fields(Failure))


def to_line(attempt: Attempt) -> bytes:
    r"""Write an attempt as one line of JSON that ends in ``\n`` and holds no other."""
    failure = attempt.exchange.failure
    return line_of(
        {
            "v": VERSION,
            "type": "attempt",
            "job": _job_object(attempt.job),
            "number": attempt.number,
            "sched_ns": attempt.sched_ns,
            "admit_ns": attempt.admit_ns,
            "in_flight": attempt.in_flight,
            "request": _request_object(attempt.request),
            "exchange": _exchange_object(attempt.exchange),
        },
        reals=(attempt.job.give_up_s, failure.retry_after_s if failure else None),
    )


def from_line(line: bytes) -> Attempt:
    """Read a line of ``to_line`` back.

    Errors: StoreError when it is not such a line, or of a newer version.
    """
    try:
        record = record_of(line)
        if record["type"] != "attempt":
            raise StoreError(f"journal line is not an attempt but {record['type']!r}")
        return Attempt(
            job=Job(**record["job"]),
            number=record["number"],
            request=_request(record["request"]),
            exchange=_exchange(record["exchange"]),
            sched_ns=record["sched_ns"],
            admit_ns=record["admit_ns"],
            in_flight=record["in_flight"],
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        said = " ".join(str(error).split())[:200]  # it may name what it found, of whatever bytes
        raise StoreError(f"journal line cannot be read: {type(error).__name__}: {said}") from error


def line_of(record: JsonObject, reals: Sequence[float | None] = ()) -> bytes:
    """JSON on one line with its checksum; ``reals`` are the fractions in it.

    ``orjson`` writes nearly every line. It refuses lone surrogates, which UTF-8 has no bytes for and which force the
    escaped form, and it would write an infinity as null.
    """
    try:
        whole = all(real is None or isfinite(real) for real in reals)
        text = orjson.dumps(record) if whole else _escaped(record)
    except orjson.JSONEncodeError:
        text = _escaped(record)
    text = text[:-1]
    return b'%b%b%08x"}\n' % (text, _CRC, crc32(text))


def _escaped(record: JsonObject) -> bytes:
    return json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode()


def record_of(line: bytes) -> Any:
    """What a line says, proved by its checksum.

    Errors: StoreError where the checksum does not fit, or the line is of a newer version; ValueError, KeyError or
    TypeError where it is no such line.
    """
    tail = line[-_END:]
    has_crc = tail.startswith(_CRC) and tail.endswith(b'"}\n')
    if has_crc and b"%08x" % crc32(memoryview(line)[:-_END]) != tail[len(_CRC) : -3]:
        raise StoreError("journal line is damaged: its checksum does not fit")
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:  # infinities and lone surrogates only ``json`` reads
        record = json.loads(line)
    version = record["v"]
    if not isinstance(version, int) or version > VERSION:
        raise StoreError(f"journal line has version {version!r}", hint="Update endpoint-harness")
    if version < 1 or has_crc != (version > 1):
        raise StoreError("journal line is damaged: its version and its checksum do not fit")
    return record


def _body_value(body: bytes | None) -> str | dict[str, str] | None:
    if body is None:
        return None
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode("ascii")}


def _body(value: str | dict[str, str] | None) -> bytes | None:
    if value is None:
        return None
    return value.encode("utf-8") if isinstance(value, str) else base64.b64decode(value["base64"], validate=True)


def _job_object(job: Job) -> JsonObject:
    """Plans and turns of a load are written only where there are such; lines of before have none of them."""
    record: JsonObject = {
        "id": job.id,
        "endpoint": job.endpoint,
        "kind": job.kind,
        "stage": job.stage,
        "task": job.task,
        "sample": job.sample,
        "repeat": job.repeat,
        "phase": job.phase,
    }
    if job.turn:
        record["turn"] = job.turn
    for name in ("due_ns", "give_up_s", "input_tokens", "output_tokens"):
        value = getattr(job, name)
        if value is not None:
            record[name] = value
    return record


def _request_object(request: Request) -> JsonObject:
    return {
        "path": request.path,
        "method": request.method,
        "stream": request.stream,
        "workload_sha256": request.workload_sha256,
        "headers": dict(request.headers),
        "auth": request.auth,
        "body": _body_value(request.body),
    }


def _request(record: JsonObject) -> Request:
    return Request(**(record | {"body": _body(record["body"])}))


def _exchange_object(exchange: Exchange) -> JsonObject:
    """The reads become their sizes, their times (the first, then steps) and the body they make together."""
    times, marks, failure = [read.at_ns for read in exchange.reads], exchange.marks, exchange.failure
    record: JsonObject = {
        "marks": {name: mark for name in _MARKS if (mark := getattr(marks, name)) is not None},
        "status": exchange.status,
        "headers": exchange.headers,
        "clock": exchange.clock,
        "reused": exchange.reused,
        "failure": None if failure is None else {name: getattr(failure, name) for name in _FAILURE},
        "coalesced_reads": exchange.coalesced_reads,
        "lag_max_ns": exchange.lag_max_ns,
        "tls_version": exchange.tls_version,
        "remote": exchange.remote,
        "read_steps_ns": [*times[:1], *map(sub, times[1:], times)],
        "read_bytes": [len(read.data) for read in exchange.reads],
        "body": _body_value(exchange.body),
    }
    if exchange.cached:
        record["cached"] = True
    return record


def _exchange(record: JsonObject) -> Exchange:
    body = _body(record.pop("body")) or b""
    sizes = record.pop("read_bytes")
    if sum(sizes) != len(body):
        raise StoreError(f"journal line cannot be read: {len(body)} body bytes where {sum(sizes)} are announced")
    times, ends = accumulate(record.pop("read_steps_ns")), list(accumulate(sizes))
    pieces = [body[start:end] for start, end in zip((0, *ends), ends, strict=False)]
    record["reads"] = tuple(map(_read, zip(times, pieces, strict=True)))
    record["marks"] = WireMarks(**record["marks"])
    record["headers"] = tuple((name, value) for name, value in record["headers"])
    record["failure"] = None if record["failure"] is None else Failure(**record["failure"])
    return Exchange(**record)
