"""Probes of what a server does when its client hangs up: they keep it busy, so they run only when asked for.

That a request which nobody waits for still occupies a server can be seen from outside only where the server answers one
request after another: there the next one waits.
"""

from collections.abc import Iterator

from harness.conformance import Capture, Check, Refused, Seen, Untestable, chat, check, probe, streamed
from harness.conformance.scenario import Scenario

LENGTH = 2000
"""Tokens of an answer that is long enough to be hung up in its middle."""
HANG_UP_S = 1.0
LEAST_S = 1.0
"""A server that was idle may take so long to begin, however quick it is otherwise."""
PROMPT = 2500
"""Words of a prompt that takes a while to read."""
PREFILL_HANG_UP_S = 0.3
STORY = f"Write a story of {LENGTH} words about a ship that sails around the whole world."
SHORT = "Write a story of 40 words about a ship."


def _short(name: str, title: str, repeats: int = 1) -> Scenario:
    send = {"repeats": repeats, "together": repeats > 1}
    return chat(name, title, SHORT, cap=40, surface="cancel", stream=True, visible=True, send=send)


def _reading(name: str, title: str, word: str, hang_up_s: float | None) -> Scenario:
    """A long prompt; with another word each, so that none is in a cache."""
    line = f"{word} " * PROMPT
    return chat(name, title, line, cap=4, surface="cancel", stream=True, send={"hang_up_s": hang_up_s})


PAIR = _short("cancel_pair", "two short streams at once", 2)
DROPS = chat(
    "cancel_drops",
    f"five long streams, one after the other, each hung up after {HANG_UP_S:g} s",
    STORY,
    cap=LENGTH,
    surface="cancel",
    stream=True,
    send={"repeats": 5, "hang_up_s": HANG_UP_S},
)
NEXT = _short("cancel_next", "a short stream right after them")
DROP_WHOLE = chat(
    "cancel_whole",
    f"the long answer in one piece, hung up after {HANG_UP_S:g} s",
    STORY,
    cap=LENGTH,
    surface="cancel",
    send={"hang_up_s": HANG_UP_S},
)
NEXT_WHOLE = _short("cancel_next_whole", "a short stream right after it")
READ = _reading("cancel_read", f"a prompt of {PROMPT} words", "anchor", None)
DROP_READ = _reading(
    "cancel_drop_read", f"another one, hung up after {PREFILL_HANG_UP_S:g} s", "harbour", PREFILL_HANG_UP_S
)
NEXT_READ = _short("cancel_next_read", "a short stream right after it")


@probe(
    "cancel.stream_frees",
    title="Stops a stream that nobody reads",
    sees=(PAIR, DROPS, NEXT),
    severity="common",
    basis="eco",
    ability="X",
    over="all",
    needs=("chat.basic",),
    spec="RFC 9112, 9.5: a closed connection ends its requests",
    threads=(
        "ggml-org/llama.cpp#24496",
        "ggml-org/llama.cpp#11720",
        "vllm-project/vllm#54947",
        "vllm-project/vllm#32442",
    ),
    answers=("abandoned", "timeout_first_byte"),
    faults={"work_goes_on": "broken"},
)
def stream_frees(seen: Seen) -> Iterator[Check]:
    """Where one request waits for another, the one after dropped streams begins within twice its idle time, or 1 s."""
    within = _patience(seen)
    _still_busy(seen, within)
    yield _begins(seen, NEXT, within)


@probe(
    "cancel.nonstream_frees",
    title="Stops an answer that nobody waits for",
    sees=(PAIR, DROPS, NEXT, DROP_WHOLE, NEXT_WHOLE),
    severity="ext",
    basis="eco",
    ability="X",
    over="all",
    needs=("chat.basic",),
    spec="RFC 9112, 9.5: a closed connection ends its requests",
    threads=("ggml-org/llama.cpp#24496",),
    answers=("abandoned", "timeout_first_byte"),
    faults={"work_goes_on": "broken"},
)
def nonstream_frees(seen: Seen) -> Iterator[Check]:
    """The same for an answer in one piece: the next request begins within twice its idle time, or 1 s."""
    within = _patience(seen)
    _still_busy(seen, within)
    if not _hung_up(seen[DROP_WHOLE]):
        raise Untestable("evidence", "it was through before we hung up")
    yield _begins(seen, NEXT_WHOLE, within)


@probe(
    "cancel.prefill_frees",
    title="Stops reading a prompt that nobody waits for",
    sees=(PAIR, READ, DROP_READ, NEXT_READ),
    severity="ext",
    basis="eco",
    ability="X",
    over="all",
    needs=("chat.basic",),
    spec="RFC 9112, 9.5: a closed connection ends its requests",
    threads=("ikawrakow/ik_llama.cpp#1020",),
    answers=("abandoned", "timeout_first_byte"),
    faults={"work_goes_on": "broken"},
)
def prefill_frees(seen: Seen) -> Iterator[Check]:
    """The same for a client that hangs up while its prompt is read: the next request begins within that time."""
    within = _patience(seen)
    reading = _ttft_s(seen[READ])
    if reading is None or not _hung_up(seen[DROP_READ]):
        raise Untestable("evidence", "the long prompt was not read, or was through before we hung up")
    if reading < PREFILL_HANG_UP_S + 1.5 * within:
        raise Untestable("evidence", f"it reads {PROMPT} words in {reading:.1f} s, too quick to tell")
    yield _begins(seen, NEXT_READ, within)


@probe(
    "cancel.server_ok",
    title="Goes on after clients hung up",
    sees=(DROPS, NEXT),
    severity="common",
    basis="eco",
    ability="X",
    over="all",
    needs=("chat.basic",),
    spec="RFC 9112, 9.5",
    faults={"hang_up_breaks": "broken"},
)
def server_ok(seen: Seen) -> Iterator[Check]:
    """After five streams that were hung up the next request is answered."""
    if not any(map(_hung_up, seen.all(DROPS))):
        raise Untestable("evidence", "they were through before we hung up")
    try:
        yield from streamed(seen[NEXT])
    except Refused as refused:
        yield check("status", False, "200", refused.actual, of=seen[NEXT])  # noqa: FBT003 - it was refused


def _patience(seen: Seen) -> float:
    """Seconds within which the next request has to begin.

    Raises:
        Untestable: the server works at several requests at once, or does not show it.
    """
    spans = sorted(span for span in map(_span, seen.all(PAIR)) if span is not None)
    if len(spans) < 2:
        raise Untestable("evidence", "two streams at once were not both answered")
    if spans[1][0] < spans[0][1]:
        raise Untestable("evidence", "it works at several requests at once, where one that goes on delays nobody")
    idle = min(found for found in map(_ttft_s, seen.all(PAIR)) if found is not None)
    return max(2 * idle, LEAST_S)


def _still_busy(seen: Seen, within: float) -> None:
    """Nothing where the long answer would have taken well over ``within`` seconds more when it was hung up.

    Raises:
        Untestable: it would not, or nobody can say.
    """
    for capture in filter(_hung_up, seen.all(DROPS)):
        span = _span(capture)
        tokens = len([delta for delta in capture.deltas() if delta.get("content")])
        if span is not None and tokens > 1 and span[1] > span[0]:
            left = (LENGTH - tokens) * (span[1] - span[0]) / 1e9 / (tokens - 1)
            if left > 2 * within:
                return
    raise Untestable("evidence", "the long answer was through before we hung up, or nearly so")


def _begins(seen: Seen, scenario: Scenario, within: float) -> Check:
    capture = seen[scenario]
    if capture.status not in (None, 200):
        raise Untestable("evidence", f"the next one was answered with {capture.status}")
    took = _ttft_s(capture)
    told = f"{took:.2f} s" if took is not None else "nothing at all"
    return check("the next one begins", took is not None and took <= within, f"within {within:.2f} s", told, of=capture)


def _hung_up(capture: Capture) -> bool:
    failure = capture.attempt.exchange.failure
    return failure is not None and failure.kind == "abandoned"


def _span(capture: Capture) -> tuple[int, int] | None:
    """When the first and the last output arrived; None: there was none."""
    completion = capture.outcome.completion
    if completion is None or completion.marks.tok1_ns is None or completion.marks.tokn_ns is None:
        return None
    return completion.marks.tok1_ns, completion.marks.tokn_ns


def _ttft_s(capture: Capture) -> float | None:
    """From sending to the first output; None: there was none."""
    span, sent = _span(capture), capture.attempt.exchange.marks.send0_ns
    return None if span is None or sent is None else (span[0] - sent) / 1e9


PROBES = (stream_frees, server_ok, nonstream_frees, prefill_frees)
