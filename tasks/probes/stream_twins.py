"""Probes that lay two readings side by side: streamed and in one piece, the official client's and ours."""

from collections.abc import Iterator
from difflib import SequenceMatcher

from harness.conformance import (
    Capture,
    Check,
    Ignored,
    Seen,
    Untestable,
    accepted,
    chat,
    check,
    dig,
    probe,
    streamed,
    streams,
    suffered,
)
from harness.conformance.plain import LISTED, STREAMS, TWIN, TWIN_STREAM

ALIKE = 0.98
"""Share of equal text from which two texts differ in a trifle."""
CLOSE, FAR = 0.01, 0.5
"""Differences of a log probability: beyond the first two kernels differ, beyond the second it is another number."""

EXPLAINED = (
    *("stream.framing", "stream.json_each", "stream.no_bare_events"),
    *("stream.object_const", "stream.delta_only", "stream.index"),
)
"""Probes that say why the official client stumbles; where one of them does, the stumbling is no second finding."""

LOGPROBS = chat(
    "stream_logprobs_whole",
    "a list of numbers with log probabilities",
    LISTED,
    cap=16,
    surface="stream",
    visible=True,
    temperature=0,
    logprobs=True,
)
LOGPROBS_STREAM = chat(
    "stream_logprobs",
    "the same as a stream",
    LISTED,
    cap=16,
    surface="stream",
    stream=True,
    visible=True,
    temperature=0,
    logprobs=True,
)


@probe(
    "stream.concat_twin",
    title="Streams the text of the answer in one piece",
    sees=(TWIN, TWIN_STREAM),
    severity="core",
    ability="F",
    needs=("stream.delta_only", "stream.index"),
    spec="OpenAPI: ChatCompletionStreamResponseDelta.content",
    threads=("vllm-project/vllm#47137",),
    faults={
        "token_lost": "broken",
        "token_twice": "broken",
        "text_after_finish": "broken",
        "text_after_done": "broken",
        "lone_surrogate": "broken",
    },
)
def concat_twin(seen: Seen) -> Iterator[Check]:
    """At temperature 0 the joined text of a stream is that of the same request in one piece."""
    whole, stream = seen[TWIN], seen[TWIN_STREAM]
    yield from accepted(whole)
    yield from streamed(stream)
    ours, theirs = stream.text, whole.text
    if stream.cut_short or whole.cut_short:
        raise Untestable("headroom", "the output was cut before it said anything")
    counted = stream.tokens("completion_tokens") == whole.tokens("completion_tokens")
    trimmed = ours.strip() == theirs.strip()
    changed = not trimmed and counted and (_within(ours, theirs) or _within(theirs, ours))
    yield check("nothing lost or doubled", not changed, theirs, ours, of=stream)
    alike = counted and SequenceMatcher(None, theirs, ours, autojunk=False).ratio() >= ALIKE
    if not trimmed and not alike:
        # Another answer, as models may give even at temperature 0, shows nothing of how it was streamed.
        raise Untestable("model", f"two answers at temperature 0: {theirs[:40]!r} and {ours[:40]!r}")
    yield check("the same text", ours == theirs, theirs, ours, must=False, of=stream)


def _within(inner: str, outer: str) -> bool:
    """Whether the signs of one text come in the other, in their order."""
    rest = iter(outer)
    return all(sign in rest for sign in inner)


@probe(
    "stream.logprobs_twin",
    title="Streams the log probabilities of the answer in one piece",
    sees=(LOGPROBS, LOGPROBS_STREAM),
    ability="F",
    needs=("stream.concat_twin",),
    spec="OpenAPI: ChatCompletionTokenLogprob",
    faults={
        "logprobs_lost": "broken",
        "empty": "ignored",
        "ignore_logprobs": "ignored",
        "stream_no_logprobs": "ignored",
        "stream_logprobs_off": "broken",
    },
)
def logprobs_twin(seen: Seen) -> Iterator[Check]:
    """At temperature 0 a stream has the tokens and, within 0.01, the log probabilities of the answer in one piece."""
    whole, stream = seen[LOGPROBS], seen[LOGPROBS_STREAM]
    yield from accepted(whole)
    yield from streamed(stream)
    ours = [each for part in stream.parts() for each in _logprobs(part)]
    theirs = _logprobs(whole.at("choices", 0))
    if not ours:
        raise Ignored("no chunk holds log probabilities", "logprobs.content", "none", of=stream)
    yield check("in one piece too", bool(theirs), "logprobs.content", "none", must=False, of=whole)
    if not theirs:
        return
    if stream.text != whole.text:
        raise Untestable("model", "two answers at temperature 0")
    told = ["".join(f"{token!r} " for token, _ in each[:8]) for each in (theirs, ours)]
    yield check("the same tokens", [one[0] for one in ours] == [one[0] for one in theirs], *told, of=stream)
    apart = max(abs(one - other) for (_, one), (_, other) in zip(ours, theirs, strict=True))
    yield check("the same values", apart <= FAR, "within 0.01", f"up to {apart:.3g} apart", of=stream)
    yield check("equal values", apart <= CLOSE, "within 0.01", f"up to {apart:.3g} apart", must=False, of=stream)


def _logprobs(choice: object) -> list[tuple[str, float]]:
    """Tokens and values that one choice states."""
    listed = dig(choice, "logprobs", "content")
    pairs = [(dig(each, "token"), dig(each, "logprob")) for each in (listed if isinstance(listed, list) else ())]
    return [(token, value) for token, value in pairs if isinstance(token, str) and isinstance(value, int | float)]


@probe(
    "stream.sdk_equal",
    title="Gives the official client all there is",
    sees=STREAMS,
    over="all",
    severity="core",
    basis="eco",
    needs=EXPLAINED,
    spec="official SDK: chat.completions.stream",
    faults={
        "role_every_chunk": "broken",
        "id_then_comment": "broken",
        "lone_surrogate": "broken",
        "tool_no_index": "broken",
        "tool_head_repeated": "broken",
    },
)
def sdk_equal(seen: Seen) -> Iterator[Check]:
    """The official client raises at none of the recorded streams, and reads the text and calls that we read."""
    for capture in streams(seen):
        yield _all_there(capture)


def _all_there(capture: Capture) -> Check:
    lost = suffered(capture)
    return check("the official client gets it all", not lost, "nothing lost", "; ".join(lost), of=capture)


PROBES = (concat_twin, logprobs_twin, sdk_equal)
