"""Probes of stop strings that any model's text holds, so that no model has to follow an instruction."""

from collections.abc import Iterator

from harness.conformance import (
    Capture,
    Check,
    Ignored,
    Scenario,
    Seen,
    Untestable,
    accepted,
    brief,
    chat,
    check,
    probe,
    said_no,
)
from harness.conformance.plain import HELLO, PLAIN, PROSE, PROSE_CAP, SENTENCES

STOP = "."
"""Ends sentences in whatever a model says."""
UNSAID = ("zqxj", "#~#", "zqxk", "zqxl")
COMMON = "e"
"""Comes before the first full stop of any English text."""


def stopping(name: str, title: str, *stops: str) -> Scenario:
    """The task of several sentences with stop strings."""
    return chat(f"sampling_{name}", title, SENTENCES, cap=PROSE_CAP, surface="sampling", stop=stops)


STOPPED = stopping("stop", 'the same with stop "."', STOP)
FOUR = stopping("stop_array", "the same with four stop strings", STOP, *UNSAID[:2], COMMON)
FIVE = stopping("stop_five", "the same with five stop strings", *UNSAID, STOP)
LONG = chat("sampling_stop_long", "a stop string of 4 KiB", HELLO, cap=8, surface="sampling", stop=["zqxj" * 1024])
PROMPTED = chat(
    "sampling_stop_prompt", "a stop string that the prompt holds", HELLO, cap=16, surface="sampling", stop=["Say"]
)


def evidence(free: Capture, stopped: Capture, stop: str) -> None:
    """That the text without stop strings holds this one, and that the other was not cut before it.

    Raises:
        Untestable: one of the two is not so.
    """
    if free.status != 200:
        raise Untestable("evidence", f"the same request without stop was answered with {free.status}")
    if stop not in free.text:
        raise Untestable("model", f"without stop it wrote no {stop!r} either: {brief(free.text, 60)}")
    spent = stopped.tokens("completion_tokens")
    if stopped.cut_short or (stopped.finish_reason == "length" and (spent is None or spent >= PROSE_CAP)):
        raise Untestable("headroom", f"the output was cut before its first {stop!r}")


def left_out(capture: Capture, *stops: str) -> Iterator[Check]:
    """Checks that the text holds none of the stop strings.

    Raises:
        Ignored: it goes on behind one.
    """
    text = capture.text
    found = [(text.find(stop), stop) for stop in stops if stop in text]
    if found:
        place, stop = min(found)
        # Text that ends with its first stop string did stop there; text that goes on never looked for it.
        ended = not text[place + len(stop) :].strip()
        yield check("the stop string is left out", not ended, f"text before {stop!r}", text, of=capture)
        raise Ignored("the text runs past the stop string", f"text before {stop!r}", text, of=capture)


@probe(
    "sampling.stop_string",
    title="Stops at a stop string",
    sees=(PROSE, STOPPED),
    severity="core",
    ability="F",
    needs=("chat.basic",),
    spec="OpenAPI: StopConfiguration",
    faults={"ignore_stop": "ignored", "include_stop": "broken"},
    profile=("smoke", "core", "full"),
)
def stop_string(seen: Seen) -> Iterator[Check]:
    """Sentences hold full stops without a stop string, and with stop "." the text ends before the first of them."""
    free, stopped = seen[PROSE], seen[STOPPED]
    if free.status != 200:
        raise Untestable("evidence", f"the same request without stop was answered with {free.status}")
    yield from accepted(stopped)
    yield from left_out(stopped, STOP)
    evidence(free, stopped, STOP)
    yield check("stops before the stop string", ok=True)


@probe(
    "sampling.stop_excluded",
    title="Leaves the stop string out",
    sees=(PROSE, STOPPED),
    severity="core",
    ability="F",
    needs=("chat.basic",),
    spec="OpenAPI: StopConfiguration",
    faults={"include_stop": "broken"},
)
def stop_excluded(seen: Seen) -> Iterator[Check]:
    """A text that a stop string ended does not hold the stop string."""
    free, stopped = seen[PROSE], seen[STOPPED]
    yield from accepted(stopped)
    try:
        yield from left_out(stopped, STOP)
    except Ignored:
        raise Untestable("evidence", "the stop string did not end the text") from None
    evidence(free, stopped, STOP)
    yield check("the stop string is not in the text", ok=True)


@probe(
    "sampling.stop_finish",
    title="Says that it stopped",
    sees=(PROSE, STOPPED),
    severity="core",
    ability="F",
    needs=("finish.present",),
    spec="OpenAPI: CreateChatCompletionResponse.choices.finish_reason",
    faults={"finish_length": "broken", "finish_odd": "partial", "usage_inflated": "partial"},
)
def stop_finish(seen: Seen) -> Iterator[Check]:
    """A text that a stop string ended has finish_reason stop and fewer completion tokens than allowed."""
    free, stopped = seen[PROSE], seen[STOPPED]
    yield from accepted(stopped)
    if stopped.text.partition(STOP)[2].strip():
        raise Untestable("evidence", "the stop string did not end the text")
    evidence(free, stopped, STOP)
    finish, spent = stopped.finish_reason, stopped.tokens("completion_tokens")
    yield check("it was not the limit", finish not in ("length", None), "stop", finish, of=stopped)
    yield check("finish_reason", finish == "stop", "stop", finish, must=False)
    fewer = spent is None or spent < PROSE_CAP
    yield check("usage.completion_tokens", fewer, f"fewer than {PROSE_CAP}", spent, must=False)


@probe(
    "sampling.stop_array",
    title="Stops at the first of four stop strings",
    sees=(PROSE, FOUR),
    ability="F",
    needs=("sampling.stop_string",),
    spec="OpenAPI: StopConfiguration, up to 4 sequences",
    faults={"stop_first_only": "ignored"},
)
def stop_array(seen: Seen) -> Iterator[Check]:
    """Of four stop strings, whatever their order, the one that comes first in the text ends it."""
    free, stopped = seen[PROSE], seen[FOUR]
    yield from accepted(stopped)
    yield from left_out(stopped, STOP, COMMON)
    evidence(free, stopped, COMMON)
    yield check("stops before the first of them", ok=True)


@probe(
    "sampling.stop_five",
    title="Keeps to the number of stop strings",
    sees=(PROSE, FIVE),
    severity="ext",
    needs=("sampling.stop_string",),
    spec="OpenAPI: StopConfiguration, up to 4 sequences",
    faults={"stop_first_four": "ignored", "html_error": "broken", "status_200": "broken", "status_500": "broken"},
)
def stop_five(seen: Seen) -> Iterator[Check]:
    """A fifth stop string is refused, or ends the text as the other four do."""
    free, stopped = seen[PROSE], seen[FIVE]
    if said_no(stopped):
        yield check("refused", ok=True)
        return
    yield from accepted(stopped)
    yield from left_out(stopped, STOP)
    evidence(free, stopped, STOP)
    yield check("stops before the fifth", ok=True)


@probe(
    "sampling.stop_long",
    title="Survives a long stop string",
    sees=(LONG,),
    severity="ext",
    needs=("chat.basic",),
    spec="OpenAPI: StopConfiguration",
    faults={"crash_long_stop": "broken"},
)
def stop_long(seen: Seen) -> Iterator[Check]:
    """A stop string of 4 KiB that no text holds is answered like none."""
    capture = seen[LONG]
    yield from accepted(capture)
    yield check("choices", bool(capture.at("choices")), "one choice or more", capture.json, of=capture)


@probe(
    "sampling.stop_not_prompt",
    title="Looks for stop strings in the answer alone",
    sees=(PLAIN, PROMPTED),
    severity="ext",
    ability="F",
    needs=("chat.basic",),
    spec="OpenAPI: StopConfiguration",
    faults={"stop_in_prompt": "broken"},
)
def stop_not_prompt(seen: Seen) -> Iterator[Check]:
    """A stop string that the prompt holds and the answer does not leaves the answer as it is."""
    free, capture = seen[PLAIN], seen[PROMPTED]
    yield from accepted(capture)
    if not free.text.strip() or "Say" in free.text:
        raise Untestable("model", f"without stop it says {brief(free.text, 60) or 'nothing'}")
    if capture.cut_short or capture.thinking:
        raise Untestable("headroom", "it thinks before it says anything")
    yield check("the answer is not empty", bool(capture.text.strip()), "text", capture.text, of=capture)


PROBES = (
    stop_string,
    stop_excluded,
    stop_finish,
    stop_array,
    stop_five,
    stop_long,
    stop_not_prompt,
)
