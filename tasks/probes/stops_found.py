"""Probes of stop strings taken from what the model says anyway, and of one beyond ASCII."""

from collections.abc import Callable, Iterator
from typing import Any

from harness.conformance import (
    Capture,
    Check,
    Ignored,
    Scenario,
    Seen,
    Untestable,
    accepted,
    after,
    brief,
    chat,
    check,
    dig,
    probe,
    streamed,
)
from harness.conformance.plain import SENTENCES
from harness.provider import Endpoint
from harness.request import raw
from harness.types import Request

PIECE = 6
"""Signs of a stop string, more than most tokens have."""
TAIL = 4
NEVER = "~~#"
ACCENT = "é"
CAFE = "The small café is open."


def crossing(text: str) -> str | None:
    """A piece of a text from inside one word to inside the next, found nowhere before; None: there is none.

    It begins in the middle of the text, so that there is something before it.
    """
    for start in range(len(text) // 3, len(text) - PIECE):
        piece = text[start : start + PIECE]
        inside = text[start - 1].isalnum() and piece[0].isalnum() and piece[-1].isalnum()
        if inside and " " in piece and text.find(piece) == start:
            return piece
    return None


def tail(text: str) -> str | None:
    """The end of a text, and what never comes behind it; None: the text is too short."""
    end = text.rstrip()
    return end[-TAIL:] + NEVER if len(end) > TAIL else None


def base(name: str, title: str, *stops: str) -> Scenario:
    """Sentences at temperature 0, which another request gets again up to a stop string taken from them."""
    fields: dict[str, Any] = {"stop": stops} if stops else {}
    return chat(
        f"sampling_{name}",
        title,
        SENTENCES,
        cap=32,
        surface="sampling",
        visible=True,
        temperature=0,
        **fields,
    )


FREE = base("stop_free", "sentences at temperature 0")
BLANK = base("stop_blank", "the same with stop strings of white space", " ", "\n")


def stopped_at(name: str, title: str, stop_of: Callable[[str], str | None]) -> Scenario:
    """The same as a stream, with a stop string made of what came in one piece."""

    def build_on(endpoint: Endpoint, free: Capture) -> Request | None:
        stop = stop_of(free.text)
        return raw(endpoint, free.sent | {"stop": [stop], "stream": True}, stream=True) if stop else None

    return after(FREE, f"sampling_{name}", title, build_on)


SPLIT = stopped_at("stop_split", "the same as a stream, stopped between two of its words", crossing)
HELD = stopped_at("stop_held", "the same as a stream, with a stop string of which only the beginning comes", tail)
ACCENTED = chat(
    "sampling_stop_accent",
    f"a sentence to repeat with stop {ACCENT!r}",
    f"Repeat exactly this sentence and write nothing else: {CAFE}",
    cap=24,
    surface="sampling",
    visible=True,
    temperature=0,
    stop=[ACCENT],
)


@probe(
    "sampling.stop_multi_token",
    title="Stops a stream at a string of several tokens",
    sees=(FREE, SPLIT),
    ability="F",
    needs=("sampling.stop_string", "stream.done"),
    spec="OpenAPI: StopConfiguration",
    threads=("ggml-org/llama.cpp#15007", "lm-sys/FastChat#3883"),
    faults={"ignore_stop_stream": "ignored", "stop_leak": "broken"},
)
def stop_multi_token(seen: Seen) -> Iterator[Check]:
    """A stream that repeats an answer, with a piece across two of its words as stop string, ends before that piece."""
    whole, stopped = seen[FREE], seen[SPLIT]
    yield from streamed(stopped)
    stop = str(dig(stopped.sent, "stop", 0))
    before, text = whole.text.partition(stop)[0].strip(), stopped.text.strip()
    if stopped.cut_short:
        raise Untestable("headroom", "the output was cut before it said anything")
    if not (text.startswith(before) or before.startswith(text)):
        raise Untestable("model", f"at temperature 0 it wrote another text: {brief(text, 60)}")
    if stop in text:
        left = not text.partition(stop)[2].strip()
        yield check("the stop string is left out", not left, f"text before {stop!r}", text, of=stopped)
        raise Ignored("the text runs past the stop string", f"text before {stop!r}", text, of=stopped)
    if len(before) - len(text) > PIECE:
        raise Untestable("evidence", f"much more text is missing than stopping explains: {brief(text, 60)}")
    more = text[len(before) :].lstrip()
    if not stop.startswith(more):
        raise Untestable("model", f"at temperature 0 it wrote another text: {brief(text, 60)}")
    yield check("no part of the stop string is left", not more, before, text, of=stopped)
    yield check("all text before it is there", text == before, before, text, must=False)


@probe(
    "sampling.stop_tail_kept",
    title="Sends what was held back for a stop string",
    sees=(FREE, HELD),
    severity="ext",
    ability="F",
    needs=("stream.done",),
    spec="OpenAPI: StopConfiguration",
    threads=("ggml-org/llama.cpp#15007",),
    faults={"stop_tail_lost": "broken"},
)
def stop_tail_kept(seen: Seen) -> Iterator[Check]:
    """A stream whose last letters begin a stop string, and then end, holds these letters."""
    whole, held = seen[FREE], seen[HELD]
    yield from streamed(held)
    expected, text = whole.text.strip(), held.text.strip()
    if held.cut_short or not text:
        raise Untestable("headroom", "the output was cut before it said anything")
    if text != expected and not (expected.startswith(text) and len(expected) - len(text) <= 2 * TAIL):
        raise Untestable("model", f"at temperature 0 it wrote another text: {brief(text, 60)}")
    yield check("the end of the text is there", text == expected, expected[-3 * TAIL :], text[-3 * TAIL :], of=held)


@probe(
    "sampling.stop_whitespace",
    title="Stops at white space",
    sees=(FREE, BLANK),
    severity="ext",
    ability="F",
    needs=("sampling.stop_string",),
    spec="OpenAPI: StopConfiguration",
    faults={"stop_not_blank": "ignored"},
)
def stop_whitespace(seen: Seen) -> Iterator[Check]:
    """With a space and a line feed as stop strings, an answer ends before its second word."""
    free, stopped = seen[FREE], seen[BLANK]
    yield from accepted(stopped)
    if len(free.text.split()) < 2:
        raise Untestable("model", f"without stop it writes no white space either: {brief(free.text, 60)}")
    if stopped.cut_short:
        raise Untestable("headroom", "the output was cut before it said anything")
    if len(stopped.text.split()) > 1:
        raise Ignored("the text runs past white space", free.text.split()[0], stopped.text, of=stopped)
    yield check("stops at white space", ok=True)


@probe(
    "sampling.stop_unicode",
    title="Stops at a character beyond ASCII",
    sees=(ACCENTED,),
    severity="ext",
    ability="E",
    needs=("sampling.stop_string",),
    spec="OpenAPI: StopConfiguration",
    faults={"stop_ascii": "ignored"},
)
def stop_unicode(seen: Seen) -> Iterator[Check]:
    """A sentence that is repeated ends before the letter that is the stop string, one of two bytes."""
    capture = seen[ACCENTED]
    yield from accepted(capture)
    text = capture.text.strip()
    if ACCENT in text:
        raise Ignored("the text holds the stop string", f"text before {ACCENT}", text, of=capture)
    if not CAFE.partition(ACCENT)[0].endswith(text[-3:]) or len(text) < 3:
        raise Untestable("model", f"it does not repeat the sentence: {brief(text, 60)}")
    yield check("stops before the letter", ok=True)


PROBES = (stop_multi_token, stop_tail_kept, stop_whitespace, stop_unicode)
