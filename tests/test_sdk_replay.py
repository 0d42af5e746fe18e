"""What the official SDK makes of odd bytes: measured with the one that is installed, never over a network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from streams.case import CUT, DONE, HTML, JSON, ROLE, SSE, STOP, chunk, data, exchange, fn, say, tool, whole

from harness.exchange import Exchange, Failure
from harness.types import Request
from harness.wire.assemble import assemble
from harness.wire.sdk_replay import Replay, events_of, replay

HI = (ROLE, say("Hi"), STOP, DONE)


class Fact(NamedTuple):
    """A stream and what the SDK's user suffers of it: parts of the lines told, in their order; none: nothing."""

    name: str
    reads: tuple[bytes, ...]
    suffers: tuple[str, ...] = ()


def call(name: str, arguments: str, **more: object) -> bytes:
    """A chunk with a call."""
    return tool(fn(name, arguments, id=f"id-{name}", type="function", **more))


NOTHING = ("hands out no event", "text none where 'Hi'", "finish reason none")
CRASH = ("raises JSONDecodeError",)
FACTS = (
    Fact("clean", HI),
    Fact("CRLF", tuple(read.replace(b"\n", b"\r\n") for read in HI)),
    Fact("CR", tuple(read.replace(b"\n", b"\r") for read in HI)),
    Fact("comments", (b": a\n\n", HI[0], b": b\n\n", *HI[1:])),
    Fact("event, id and retry beside data", tuple(b"event: e\nid: 1\nretry: 5\n" + read for read in HI)),
    Fact("U+2028 in the text", (ROLE, say("a\u2028b"), STOP, DONE)),
    Fact("one byte a read", tuple(bytes([byte]) for byte in b"".join(HI))),
    Fact("a line that is no field", (HI[0], b"time: 5\n", *HI[1:])),
    Fact("no role", HI[1:]),
    Fact("two finish reasons", (*HI[:3], STOP, DONE)),
    Fact("[DONE] is missing", HI[:3]),
    Fact("a chunk after [DONE]", (*HI, say("more"))),
    Fact("no blank line behind [DONE]", (*HI[:3], DONE[:-1])),
    Fact("choices are empty at the start", (data({"object": "chat.completion.chunk", "choices": []}), *HI)),
    Fact(
        "no blank line behind the last chunk",
        (ROLE, chunk({"content": "Hi"}, "stop")[:-1]),
        ("loses 1 of 2", "text none", "finish reason none"),
    ),
    Fact("byte order mark", (b"\xef\xbb\xbf" + HI[1], *HI[2:]), ("loses 1 of 2", "text none where 'Hi'")),
    Fact(
        "object is another constant",
        tuple(r.replace(b"completion.chunk", b"part") for r in HI),
        ("hands out no event", "text", "finish"),
    ),
    Fact(
        "role in every chunk",
        (ROLE, chunk({"role": "assistant", "content": "Hi"}), STOP, DONE),
        ("assistantassistant",),
    ),
    Fact("bare event", (HI[0], b"event: ping\n\n", *HI[1:]), CRASH),
    Fact("bare retry", (HI[0], b"retry: 5\n\n", *HI[1:]), CRASH),
    Fact("blank line after an id", (b"id: 1\n" + HI[0], b"\n", *HI[1:]), CRASH),
    Fact("comment after an id", (b"id: 1\n" + HI[0], b": ping\n\n", *HI[1:]), CRASH),
    Fact("comment as data", (HI[0], b"data: : ping\n\n", *HI[1:]), CRASH),
    Fact("empty data", (HI[0], b"data:\n\n", *HI[1:]), CRASH),
    Fact(
        "bytes that are no UTF-8", (HI[0], say("Hi!").replace(b"!", b"\xff"), *HI[2:]), ("raises UnicodeDecodeError",)
    ),
    Fact(
        "half a surrogate pair",
        (HI[0], say("Hi!").replace(b"!", b"\\ud83d"), *HI[2:]),
        ("text 'Hi\\ud83d' where 'Hi\ufffd'",),
    ),
    Fact("choice without index", tuple(read.replace(b'"index": 0, ', b"") for read in HI), ("raises TypeError",)),
    Fact(
        "index counts the chunks",
        (ROLE, HI[1].replace(b'"index": 0', b'"index": 1'), STOP.replace(b'"index": 0', b'"index": 2'), DONE),
        ("text none where 'Hi'", "finish reason none"),
    ),
    Fact(
        "message in place of delta",
        tuple(read.replace(b'"delta"', b'"message"') for read in HI),
        ("raises AttributeError",),
    ),
    Fact("choice without delta", (*HI[:2], STOP.replace(b'"delta": {}, ', b""), DONE), ("raises AttributeError",)),
    Fact("choices null", (data({"object": "chat.completion.chunk", "choices": None}), *HI), ("raises TypeError",)),
    Fact("error in the stream", (ROLE, data({"error": {"message": "oops"}}), DONE), ("raises APIError: oops",)),
    Fact("calls", (ROLE, call("f", "{}", index=0), call("g", "{}", index=1), STOP, DONE)),
    Fact("call without index", (ROLE, call("f", "{}"), STOP, DONE), ("raises TypeError",)),
    Fact(
        "two calls of index 0",
        (ROLE, call("f", "{}", index=0), call("g", "{}", index=0), STOP, DONE),
        ("id-fid-g fg({}{})",),
    ),
    Fact(
        "id and name in every piece",
        (ROLE, call("f", "{", index=0), call("f", "}", index=0), STOP, DONE),
        ("id-fid-f ff({})",),
    ),
    Fact("HTML", (HTML,), ("hands out no event",)),
    Fact("answered in one piece", (whole({"role": "assistant", "content": "Hi"}),), NOTHING),
)


def replayed(
    recorded: Exchange, *, stream: bool = True, path: str = "/chat/completions"
) -> tuple[Replay, tuple[str, ...]]:
    """What the SDK made of it, and the lines that tell what was suffered."""
    theirs = replay(Request(path, b"{}", stream, ""), recorded)
    ours = assemble(recorded, stream=stream).completion
    return theirs, theirs.beside(ours, events_of(recorded) if stream else 1)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_streams(fact: Fact) -> None:
    """The SDK copes with what is allowed, and raises, loses or doubles just what the table says."""
    found = replayed(exchange(enumerate(fact.reads), headers=SSE))[1]
    assert len(found) == len(fact.suffers), found
    for line, part in zip(found, fact.suffers, strict=True):
        assert part in line


def test_what_came_before_an_exception_is_kept() -> None:
    """Events and text before the fault are told, as a user of the SDK has them in hand."""
    for reads, fault in (((ROLE, say("Hi"), b"data: x\n\n"), None), ((ROLE, say("Hi")), CUT)):
        theirs, _ = replayed(exchange(enumerate(reads), headers=SSE, fault=fault))
        assert (theirs.events, theirs.text, bool(theirs.raised)) == (2, "Hi", True)


@pytest.mark.parametrize(
    ("recorded", "raises"),
    [
        (exchange([(1, whole({"role": "assistant", "content": "Hi"}))], headers=JSON), ""),
        (exchange([(1, whole({"role": "assistant", "content": "Hi"}))], headers=(("content-type", "text/plain"),)), ""),
        (exchange([(1, b"{}")], headers=JSON), "TypeError"),
        (exchange([(1, b"[" * 100_000)], headers=JSON), "RecursionError"),
        (exchange([(1, HTML)], headers=(("content-type", "text/html"),)), "AttributeError"),
        (exchange([(1, b'{"error": {"message": "no"}}')], status=400, headers=JSON), "BadRequestError"),
        (exchange([(1, b"")], status=503), "InternalServerError"),
        (exchange([], status=None, fault=Failure("connect", "refused")), "APIConnectionError"),
        (exchange([(1, b"{")], headers=JSON, fault=Failure("timeout_total", "late")), "APITimeoutError"),
    ],
)
def test_answers_in_one_piece(recorded: Exchange, raises: str) -> None:
    """Of an answer that is not streamed it tells the same: the text, or what was raised and where nothing came."""
    theirs, found = replayed(recorded, stream=False)
    assert theirs.raised.partition(":")[0] == raises
    assert (theirs.text == "Hi") is (not found)


def test_other_paths() -> None:
    """Any recorded answer can be replayed: what is no chat shows whether it is handed out at all."""
    listed = exchange([(1, b'{"object": "list"}')], headers=JSON)
    assert replayed(listed, stream=False, path="/models")[1] == ()
    assert replayed(exchange(enumerate(HI), headers=SSE), path="/completions")[0].events == 3
    assert (
        "raises NotFoundError"
        in replayed(exchange([(1, b"{}")], status=404, headers=JSON), path="/x", stream=False)[1][0]
    )


def test_nobody_waits_for_it_who_only_lists_probes() -> None:
    """The probes are imported without the SDK, which takes a second to load."""
    code = (
        "import sys; from pathlib import Path; from harness.catalog import discover;"
        "assert discover([Path('tasks/probes')]).probes; assert not {'openai', 'httpx2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])
