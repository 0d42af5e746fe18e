"""Probes of the bytes of a stream: server-sent events that official clients can take apart."""

from collections.abc import Iterator

from harness.conformance import (
    DONE,
    Check,
    Seen,
    Untestable,
    accepted,
    chat,
    check,
    parse,
    probe,
    streamed,
    streams,
)
from harness.conformance.plain import STREAMS

ONE = ("stream.status_type",)
SSE = "WHATWG HTML: server-sent events, interpreting an event stream"
# Signs of two, three and four bytes in UTF-8; tokenizers cut most of them into several tokens.
FOREIGN = "Grüße こんにちは 🎉"
# Shown once how it is done, the smallest models repeat it too.
REPEAT = (
    {"role": "user", "content": "Repeat: abc"},
    {"role": "assistant", "content": "abc"},
    {"role": "user", "content": "Repeat: 東京 🌊"},
    {"role": "assistant", "content": "東京 🌊"},
    {"role": "user", "content": f"Repeat: {FOREIGN}"},
)
UNICODE = chat(
    "stream_unicode_whole",
    "a line beyond ASCII to repeat",
    REPEAT,
    cap=64,
    surface="stream",
    visible=True,
    temperature=0,
)
UNICODE_STREAM = chat(
    "stream_unicode",
    "the same as a stream",
    REPEAT,
    cap=64,
    surface="stream",
    stream=True,
    visible=True,
    temperature=0,
)


@probe(
    "stream.framing",
    title="Frames a stream as server-sent events",
    sees=STREAMS,
    over="all",
    severity="core",
    needs=ONE,
    spec=SSE,
    faults={"bom": "broken", "no_last_blank": "partial", "sse_odd_lines": "partial"},
)
def framing(seen: Seen) -> Iterator[Check]:
    """A stream has lines of data, event, id, retry and comments alone, no byte order mark, and a blank line last."""
    for capture in streams(seen):
        found = capture.framing
        yield check("no byte order mark", "bom" not in found, "data:", repr(capture.body[:12]), of=capture)
        ended = "no_final_blank_line" not in found
        tail = repr(capture.body[-24:])
        # An event that no blank line ends is dropped; without [DONE] nothing is lost, without anything else it is.
        lost = not ended and capture.events[-1].data.strip() != DONE
        yield check("the last chunk is ended", not lost, "an empty line", tail, of=capture)
        yield check("the last event is ended", ended, "an empty line", tail, must=False, of=capture)
        yield check("known fields", not capture.stray, "data, event, id, retry", capture.stray, must=False, of=capture)
        odd = sorted(found & {"bad_retry", "nul_in_id"})
        yield check("values of id and retry", not odd, "an id, milliseconds", odd, must=False, of=capture)


@probe(
    "stream.json_each",
    title="Sends JSON in every event",
    sees=STREAMS,
    over="all",
    severity="core",
    needs=ONE,
    spec="API reference: chat completions, streaming",
    faults={"comment_as_data": "broken", "empty_data": "broken"},
)
def json_each(seen: Seen) -> Iterator[Check]:
    """The data of every event is one JSON object, or [DONE]."""
    for capture in streams(seen):
        data = [event.data for event in capture.events]
        odd = [text for text in data if text.strip() != DONE and not isinstance(parse(text), dict)]
        yield check("JSON", not odd, "a JSON object or [DONE]", f"data: {odd[0]}" if odd else "", of=capture)


@probe(
    "stream.no_bare_events",
    title="Sends no event without data",
    sees=STREAMS,
    over="all",
    severity="core",
    basis="eco",
    needs=ONE,
    spec=f"{SSE}; official SDK",
    faults={"bare_event": "broken"},
)
def no_bare_events(seen: Seen) -> Iterator[Check]:
    """No block of a stream has event or retry and no data: the official client takes its data for JSON."""
    for capture in streams(seen):
        bare = "event_without_data" in capture.framing
        yield check("data in every block", not bare, "data", "event or retry alone", of=capture)


@probe(
    "stream.id_then_blank",
    title="Sends no blank block once an id was set",
    sees=STREAMS,
    over="all",
    basis="eco",
    needs=ONE,
    spec=f"{SSE}; official SDK",
    threads=("openai/openai-python#2722",),
    faults={"id_then_comment": "broken"},
)
def id_then_blank(seen: Seen) -> Iterator[Check]:
    """After an id no blank line comes without data before it: the official client makes an event of it and raises."""
    for capture in streams(seen):
        blank = "blank_after_id" in capture.framing
        yield check("no blank block after an id", not blank, "data before it", "nothing, or a comment", of=capture)


@probe(
    "stream.utf8_whole",
    title="Streams characters whole, in UTF-8",
    sees=(UNICODE_STREAM,),
    severity="core",
    ability="E",
    needs=ONE,
    spec=f"{SSE}: UTF-8; RFC 8259 section 8.1",
    faults={"split_character": "broken", "lone_surrogate": "broken"},
)
def utf8_whole(seen: Seen) -> Iterator[Check]:
    """A streamed line with signs of two to four bytes is UTF-8 throughout and holds no half of a surrogate pair."""
    capture = seen[UNICODE_STREAM]
    yield from streamed(capture)
    text = capture.text
    yield check("UTF-8", "invalid_utf8" not in capture.framing, "UTF-8", text, of=capture)
    pieces = [delta["content"] for delta in capture.deltas() if isinstance(delta.get("content"), str)]
    halves = [piece for piece in pieces if _halved(piece)]
    yield check("whole surrogate pairs", not halves, "whole characters", ascii(halves[:1]), of=capture)
    if text.isascii():
        raise _unsaid(capture.cut_short)


@probe(
    "stream.no_fffd",
    title="Replaces no character in a stream",
    sees=(UNICODE_STREAM, UNICODE),
    severity="core",
    ability="E",
    needs=("stream.utf8_whole",),
    spec="RFC 8259 section 8.1",
    threads=("mlc-ai/mlc-llm#1142", "Blaizzy/mlx-vlm#1076"),
    faults={"stream_replacement_char": "broken"},
)
def no_fffd(seen: Seen) -> Iterator[Check]:
    """A streamed line beyond ASCII holds no U+FFFD, unless the same answer in one piece has it too."""
    capture, twin = seen[UNICODE_STREAM], seen[UNICODE]
    yield from streamed(capture)
    if "\ufffd" in capture.text and "\ufffd" in twin.text:
        raise Untestable("model", "the answer in one piece holds U+FFFD as well")
    yield check("no U+FFFD", "\ufffd" not in capture.text, FOREIGN, capture.text, of=capture)
    if capture.text.isascii():
        raise _unsaid(capture.cut_short)
    yield from accepted(twin)


def _halved(text: str) -> bool:
    return any(0xD800 <= ord(sign) < 0xE000 for sign in text)


def _unsaid(cut_short: bool) -> Untestable:  # noqa: FBT001 - reads as what it is
    if cut_short:
        return Untestable("headroom", "the output was cut before it said anything")
    return Untestable("model", "it wrote nothing beyond ASCII")


PROBES = (framing, json_each, no_bare_events, id_then_blank, utf8_whole, no_fffd)
