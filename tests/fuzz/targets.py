"""What must hold of any bytes at all: each target is given some and raises AssertionError, or nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from harness.config.file import read_file
from harness.data import local_rows
from harness.errors import HarnessError, StoreError
from harness.exchange import Exchange, Failure, Outcome, Read, WireMarks
from harness.record.folder import RunFolder
from harness.record.journal import from_line, read_attempts, to_line
from harness.wire.assemble import assemble
from harness.wire.response import Response
from harness.wire.sse import Decoder, LineTooLongError

HEADERS = (("content-type", "text/event-stream"),)
CUT = Failure("reset", "made")


def pieces(data: bytes) -> tuple[bytes, list[bytes]]:
    """The rest of the data, whole and cut up as its first byte says: the cuts are a part of what is searched."""
    if not data:
        return b"", []
    step, rest = 1 + data[0] % 7, data[1:]
    return rest, [rest[at : at + step] for at in range(0, len(rest), step)]


def decoded(parts: list[bytes]) -> tuple[list[tuple[str, str, str | None]], set[str]]:
    """Events and deviations of a stream that comes in these reads."""
    decoder, events = Decoder(), []
    try:
        for place, part in enumerate(parts):
            events += decoder.feed(place, place, part)
        events += decoder.close()
    except LineTooLongError as error:
        events += error.events
    return [(event.event, event.data, event.id) for event in events], decoder.deviations


def sse(data: bytes) -> None:
    """The same events however the bytes are split."""
    whole, cut = pieces(data)
    assert decoded([whole]) == decoded(cut)


def exchange(parts: list[bytes], fault: Failure | None = None) -> Exchange:
    """An answer with status 200 whose body came in these reads."""
    reads = tuple(Read(place, part) for place, part in enumerate(parts, 1))
    return Exchange(WireMarks(0, 0, None, 0, 0, 1, len(reads) + 1), 200, HEADERS, reads, "user", False, fault)


def said(outcome: Outcome) -> tuple[object, ...]:
    """What an answer says, whenever it came."""
    one = outcome.completion
    heard = (
        None if one is None else (one.text, one.reasoning, one.refusal, one.tool_calls, one.finish_reason, one.usage)
    )
    return outcome.failure, heard


def answer(data: bytes) -> None:
    """An outcome for any body; the same with and without shortcuts, and however it is split."""
    whole, cut = pieces(data)
    stream, fault = bool(data) and data[0] & 8 == 0, CUT if data and data[0] & 16 else None
    found = assemble(exchange(cut, fault), stream=stream)
    assert found.failure is not None or found.completion is not None
    if found.failure is not None:
        assert "\n" not in found.failure.detail
        found.failure.detail.encode()
    assert found == assemble(exchange(cut, fault), stream=stream, shortcuts=False)
    assert said(found) == said(assemble(exchange([whole], fault), stream=stream))


def response(data: bytes) -> None:
    """A response off the socket: no exception, and the same body however it was split."""
    whole, cut = pieces(data)
    found = []
    for parts in ([whole], cut):
        one = Response(decode=bool(data) and data[0] & 8 == 0)
        body = b""
        for part in parts:
            if part and one.fault is None and not one.complete:
                body += one.feed(part)
        one.end()
        # Of an error answer that is compressed and damaged there may be more or less to read.
        found.append((one.status, body, one.fault is None and (one.status or 0) < 400))
        one.release()
    if all(clean for _, _, clean in found):
        assert found[0] == found[1]


def one_line(error: HarnessError) -> None:
    """What a user is told is one line."""
    assert "\n" not in str(error)


def line(data: bytes) -> None:
    """A line of a journal is refused, or is an attempt that can be written and read again as the same."""
    try:
        attempt = from_line(data)
    except StoreError as error:
        one_line(error)
        return
    assert from_line(to_line(attempt)) == attempt


def journal(data: bytes) -> None:
    """A journal file is read to its end or refused in one line; nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        run.journal_path(0).write_bytes(data)
        try:
            for attempt in read_attempts(run):
                replace(attempt)
        except HarnessError as error:
            one_line(error)


def table(data: bytes) -> None:
    """A user's data file is read or refused in one line, whatever its name says that it is."""
    names = ("a.jsonl", "a.csv", "a.tsv", "a.json")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / names[data[0] % len(names) if data else 0]
        path.write_bytes(data[1:])
        try:
            for row in local_rows(path):
                assert isinstance(row, dict)
        except HarnessError as error:
            one_line(error)


def providers(data: bytes) -> None:
    """A user's providers file is read or refused in one line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "providers.yaml"
        path.write_bytes(data)
        try:
            read_file(path)
        except HarnessError as error:
            one_line(error)


_ALL = (sse, answer, response, line, journal, table, providers)
TARGETS: Mapping[str, Callable[[bytes], None]] = {one.__name__: one for one in _ALL}
