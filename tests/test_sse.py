"""The event-stream decoder alone: framing, arrival times, and nothing else raised than a line too long."""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams.case import DONE, ROLE, STOP, data, fn, say, tool
from streams.nasty import CASES

from harness.wire.sse import MAX_LINE, Decoder, Event, LineTooLongError


def decode(*parts: bytes) -> tuple[list[Event], set[str]]:
    """Events and deviations of a stream whose n-th read arrived at 10 n."""
    decoder = Decoder()
    events = [event for read, part in enumerate(parts) for event in decoder.feed(read, 10 * read, part)]
    return events + decoder.close(), decoder.deviations


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b"data: a\n\n", ["a"]),
        (b"data:a\r\n\r\n", ["a"]),
        (b"data:  a\r\r", [" a"]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", ["YHOO\n+2\n10"]),
        (b": comment\n\n:\n\n", []),
        (b"data\n\ndata\ndata\n\ndata:\n\n", ["", "\n", ""]),
        (b"data:test\n\ndata: test\n\n", ["test", "test"]),
        (b"\n\n\ndata: a\n\n\n\n", ["a"]),
        ("data: é\u2028\u0085\n\n".encode(), ["é\u2028\u0085"]),
        (b"", []),
    ],
)
def test_clean_framing(body: bytes, data: list[str]) -> None:
    """What the standard allows is decoded as it says, without a deviation."""
    events, names = decode(body)
    assert [event.data for event in events] == data
    assert names == set()
    assert decode(*(bytes([byte]) for byte in body))[1] == set()


@pytest.mark.parametrize(
    ("body", "data", "name"),
    [
        (b"\xef\xbb\xbfdata: a\n\n", ["a"], "bom"),
        (b"data: a\xff\n\n", ["a\ufffd"], "invalid_utf8"),
        (b"data: a\n", ["a"], "no_final_blank_line"),
        (b"data: a", ["a"], "no_final_blank_line"),
        (b"data: a\n\ndata: b\n", ["a", "b"], "no_final_blank_line"),
        (b"dat: x\ndata: a\n\n", ["a"], "unknown_field"),
        (b"event: ping\n\ndata: a\n\n", ["a"], "event_without_data"),
        (b"data: a\n\nevent: end", ["a"], "event_without_data"),
        (b"retry: soon\ndata: a\n\n", ["a"], "bad_retry"),
        (b"id: a\0b\ndata: a\n\n", ["a"], "nul_in_id"),
        (b"id: 1\ndata: a\n\n\n", ["a"], "blank_after_id"),
    ],
)
def test_tolerated_framing(body: bytes, data: list[str], name: str) -> None:
    """What is tolerated is decoded and named, byte by byte too."""
    for parts in ([body], [bytes([byte]) for byte in body]):
        events, names = decode(*parts)
        assert [event.data for event in events] == data
        assert names == {name}


def test_fields() -> None:
    """An event has its own name and the last id that was set; a bare retry field says nothing."""
    events, names = decode(b"event: x\nid: 1\nretry: 5\ndata: a\n\n", b"data: b\n\n", b"id\ndata: c\n\n")
    assert [(event.event, event.id, event.data) for event in events] == [
        ("x", "1", "a"),
        ("message", "1", "b"),
        ("message", "", "c"),
    ]
    assert names == set()


def test_arrival() -> None:
    """An event's arrival is that of the byte that ended its last data line, CR where CRLF was split."""
    events, _ = decode(b"data: a", b"\r", b"\n\r\n", b"data: b\ndata: c\n", b": x\n", b"\n", b"data: d")
    assert [(event.data, event.read, event.at_ns) for event in events] == [
        ("a", 1, 10),
        ("b\nc", 3, 30),
        ("d", 6, 60),
    ]


def test_line_end_split_over_reads() -> None:
    """CR and LF of one line end may come in two reads: that is one line end and no blank line."""
    events, names = decode(b"id: 1\r", b"\ndata: a\r", b"\ndata: b\r\n", b"\r", b"\n")
    assert [event.data for event in events] == ["a\nb"]
    assert names == set()
    body = b"id: 1\r\ndata: a\r\ndata: b\r\n\r\n"
    assert decode(*(bytes([byte]) for byte in body))[1] == set()


def test_stray_lines() -> None:
    """Lines that are no field are kept to be looked at, a bounded number of them."""
    decoder = Decoder()
    decoder.feed(0, 0, b'{"error": 1}\n' * 1000)
    assert set(decoder.stray) == {'{"error": 1}'}
    assert len(decoder.stray) < 100


@pytest.mark.parametrize("ended", [b"", b"\n\n"])
def test_line_too_long(ended: bytes) -> None:
    """A line of the greatest length is read, a longer one is refused, and the events before it are handed over."""
    longest = b"data: " + b"x" * (MAX_LINE - 6)
    events, _ = decode(longest + ended)
    assert len(events) == 1
    with pytest.raises(LineTooLongError) as caught:
        decode(b"data: a\n\n" + longest + b"x" + ended)
    assert [event.data for event in caught.value.events] == ["a"]
    with pytest.raises(LineTooLongError):
        decode(*(longest[low : low + 65_536] for low in range(0, MAX_LINE, 65_536)), b"x" + ended)


MIXED = (
    *(ROLE, say("a\u2028b\u0085c\u2029\U0001f30a"), data({"choices": []}), b"id: 7\nevent: x\nretry: 9\ndata: y\n\n"),
    *(b"data: one\ndata:two\n\n", tool(fn("weather", '{"city": "S\u00e3o Paulo"}', index=0)), STOP, DONE),
)
"""Everything that an event stream may hold, in a few events."""
SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "LF": lambda body: body,
    "CR": lambda body: body.replace(b"\n", b"\r"),
    "CRLF": lambda body: body.replace(b"\n", b"\r\n"),
    "CR and CRLF in turns": lambda body: body.replace(b"\n\n", b"\r\r\n"),
    "byte order mark": lambda body: codecs.BOM_UTF8 + body,
    "comments in every event": lambda body: b": a\n" + body.replace(b"\n\n", b"\n:\n: \xe2\x80\xa8b\n\n"),
    "comments between events": lambda body: b": a\n\n" + body.replace(b"\n\n", b"\n\n: b\n\n"),
    "no final blank line": lambda body: body.removesuffix(b"\n"),
    "no final line end": lambda body: body.rstrip(b"\n"),
    "byte order mark, CRLF, no final line end": lambda body: (
        codecs.BOM_UTF8 + body.rstrip(b"\n").replace(b"\n", b"\r\n")
    ),
}
"""The same events in other bytes."""


def read(*parts: bytes) -> tuple[list[tuple[str, str, str | None]], set[str]]:
    """What does not depend on how a stream was split."""
    events, names = decode(*parts)
    return [(event.event, event.data, event.id) for event in events], names


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_split_at_every_byte(spelling: str) -> None:
    """However a stream is spelt, and at whatever byte it is split, its events are the same."""
    plain, body = b"".join(MIXED), SPELLINGS[spelling](b"".join(MIXED))
    expected, names = read(body)
    assert expected == read(plain)[0]
    assert len(expected) == len(MIXED)
    assert read(*(body[at : at + 1] for at in range(len(body)))) == (expected, names)
    for cut in range(1, len(body)):
        assert read(body[:cut], body[cut:]) == (expected, names), cut
        assert read(body[:cut], body[cut : cut + 1], body[cut + 1 :]) == (expected, names), cut


STREAMS = [case for case in CASES if case.stream and sum(map(len, case.reads)) < 10_000]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_stream_in_every_spelling(spelling: str) -> None:
    """Each stream of the tables says the same in other bytes, read whole, byte by byte and three bytes at a time."""
    for case in STREAMS:
        plain = b"".join(case.reads)
        if b"\r" in plain or plain.startswith(codecs.BOM_UTF8) or not plain.endswith(b"\n\n"):
            continue  # these are spelt in a way of their own already
        body = SPELLINGS[spelling](plain)
        expected, names = read(body)
        assert expected == read(plain)[0], case.name
        for size in (1, 3):
            parts = (body[at : at + size] for at in range(0, len(body), size))
            assert read(*parts) == (expected, names), case.name


PIECES = st.sampled_from(
    (b"data: ", b"data", b"\r", b"\n", b"\r\n", b"\xef\xbb\xbf", b"id: 1", b"event: e", b":", b"\xc3")
)


@settings(deadline=None)
@given(parts=st.lists(st.binary(max_size=20) | PIECES, max_size=40), cuts=st.lists(st.integers(0, 400), max_size=10))
def test_any_bytes(parts: list[bytes], cuts: list[int]) -> None:
    """Any bytes are decoded without an error, and the same however they are split."""
    body = b"".join(parts)
    edges = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    whole, names = decode(body)
    split, split_names = decode(*(body[low:high] for low, high in itertools.pairwise(edges)))
    assert [(event.event, event.data, event.id) for event in whole] == [
        (event.event, event.data, event.id) for event in split
    ]
    assert names == split_names
