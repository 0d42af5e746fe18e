"""Probes of log probabilities."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from harness.conformance import (
    BAD_REFUSALS,
    Capture,
    Check,
    Ignored,
    Seen,
    Untestable,
    accepted,
    chat,
    check,
    dig,
    envelope,
    probe,
    said_no,
)
from harness.conformance.plain import HELLO, SENTENCES

TOP = 5
END_MARK = 20
"""More characters than the token that ends an answer is written with."""
TIE = 1e-3
"""Log probabilities closer than this are the same."""

PLAINLY = chat("sampling_logprobs", "sentences with logprobs", SENTENCES, cap=16, surface="sampling", logprobs=True)
RANKED = chat(
    "sampling_top_logprobs",
    f"sentences at temperature 0 with top_logprobs {TOP}",
    SENTENCES,
    cap=16,
    surface="sampling",
    temperature=0,
    logprobs=True,
    top_logprobs=TOP,
)
ALONE = chat("sampling_top_alone", "top_logprobs without logprobs", HELLO, cap=8, surface="sampling", top_logprobs=3)
OFF = chat("sampling_logprobs_off", "logprobs false", HELLO, cap=8, surface="sampling", logprobs=False)

Entry = dict[str, Any]


def entries(capture: Capture) -> Iterator[Check]:
    """Checks that there are log probabilities of tokens; ``told`` then gives them.

    Raises:
        Ignored: there are none.
        Untestable: there is nothing that they could be of.
    """
    yield from accepted(capture)
    found = capture.at("choices", 0, "logprobs")
    if not found or (isinstance(found, dict) and not found.get("content")):
        if not capture.text:
            raise Untestable("headroom", "the answer holds no text")
        raise Ignored("no log probabilities came", "logprobs.content", found, of=capture)
    content = dig(found, "content")
    whole = isinstance(content, list) and all(isinstance(each, dict) for each in content)
    yield check("logprobs.content", whole, "an array of objects", found, of=capture)


def told(capture: Capture) -> list[Entry]:
    """The log probabilities, where ``entries`` holds; empty: there are none."""
    content = capture.at("choices", 0, "logprobs", "content")
    return [each for each in content if isinstance(each, dict)] if isinstance(content, list) else []


def logprob(entry: Any) -> float | None:
    """A log probability; None: it is not stated as a number."""
    value = dig(entry, "logprob")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def alternatives(entry: Entry) -> list[float] | None:
    """The log probabilities of the likeliest tokens in a place; None: there is no list of them."""
    ranked = entry.get("top_logprobs")
    values = [logprob(each) for each in ranked] if isinstance(ranked, list) else [None]
    return None if None in values else [value for value in values if value is not None]


@probe(
    "sampling.logprobs_shape",
    title="Sends log probabilities",
    sees=(PLAINLY,),
    needs=("chat.basic",),
    spec="OpenAPI: ChatCompletionTokenLogprob.required",
    threads=("vllm-project/vllm#4795", "sgl-project/sglang#4440", "EricLBuehler/mistral.rs#1876"),
    faults={"ignore_logprobs": "ignored", "logprobs_no_bytes": "partial", "logprobs_positive": "broken"},
)
def logprobs_shape(seen: Seen) -> Iterator[Check]:
    """With logprobs true each token has token, a logprob of at most 0, bytes and top_logprobs."""
    capture = seen[PLAINLY]
    yield from entries(capture)
    for entry in told(capture):
        value, raw = logprob(entry), entry.get("bytes")
        yield check("token", isinstance(entry.get("token"), str), "a string", entry, of=capture)
        yield check("logprob", value is not None and value <= TIE, "a number of at most 0", entry, of=capture)
        listed = "bytes" in entry and (raw is None or as_bytes(raw) is not None)
        yield check("bytes", listed, "an array of bytes, or null", entry, must=False)
        ranked = entry.get("top_logprobs")
        yield check("top_logprobs", isinstance(ranked, list), "an array", ranked, must=False)


def as_bytes(value: Any) -> bytes | None:
    """An array of bytes as what it spells; None: it is none."""
    if not isinstance(value, list) or not all(type(each) is int and 0 <= each < 256 for each in value):
        return None
    return bytes(value)


@probe(
    "sampling.logprobs_concat",
    title="Gives every token its log probability",
    sees=(PLAINLY,),
    needs=("sampling.logprobs_shape",),
    spec="OpenAPI: ChatCompletionTokenLogprob.bytes",
    faults={"logprobs_lost": "broken"},
)
def logprobs_concat(seen: Seen) -> Iterator[Check]:
    """The bytes of all tokens with a log probability, joined, are the text in UTF-8."""
    capture = seen[PLAINLY]
    yield from entries(capture)
    pieces = [
        as_bytes(entry.get("bytes")) or str(entry.get("token")).encode(errors="replace") for entry in told(capture)
    ]
    # A limit may cut a character in two, which text shows as U+FFFD; half a surrogate pair has no bytes at all.
    joined, text = b"".join(pieces).decode(errors="replace"), capture.text.encode(errors="ignore").decode()
    if joined != text and capture.thinking:
        raise Untestable("evidence", "the text follows thoughts, whose tokens have log probabilities as well")
    # The token that ends an answer may be listed, and space at the edges of the text may have been cut off.
    inside = bool(text) and text.strip() in joined and len(joined) - len(text) < END_MARK
    yield check("the tokens hold the text", inside, text, joined, of=capture)
    yield check("the tokens are the text", joined == text, text, joined, must=False)


@probe(
    "sampling.top_logprobs_count",
    title="Sends the likeliest tokens",
    sees=(RANKED,),
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.top_logprobs, 0 to 20",
    faults={"ignore_logprobs": "ignored", "top_logprobs_unsorted": "partial", "top_logprobs_more": "partial"},
)
def top_logprobs_count(seen: Seen) -> Iterator[Check]:
    """With top_logprobs 5 each token comes with one to five alternatives, the likeliest first."""
    capture = seen[RANKED]
    yield from entries(capture)
    if not any(entry.get("top_logprobs") for entry in told(capture)):
        raise Ignored("no token has alternatives", f"up to {TOP} for each token", told(capture)[:1], of=capture)
    for entry in told(capture):
        values = alternatives(entry)
        yield check("top_logprobs", values is not None, "an array with a logprob each", entry, of=capture)
        assert values is not None
        ranked = all(one >= other - TIE for one, other in pairwise(values))
        # The token sent is listed by some servers although it is not among the likeliest.
        yield check("number of alternatives", 1 <= len(values) <= TOP, f"1 to {TOP}", len(values), must=False)
        yield check("the likeliest comes first", ranked, "falling", values, must=False)


@probe(
    "sampling.logprobs_argmax",
    title="Sends the likeliest token at temperature 0",
    sees=(RANKED,),
    severity="ext",
    needs=("sampling.top_logprobs_count",),
    spec="OpenAPI: ChatCompletionTokenLogprob.top_logprobs, CreateChatCompletionRequest.temperature",
    faults={"logprobs_not_top": "broken"},
)
def logprobs_argmax(seen: Seen) -> Iterator[Check]:
    """At temperature 0 no token was less likely than one of its alternatives."""
    capture = seen[RANKED]
    yield from entries(capture)
    pairs = [(logprob(entry), alternatives(entry), entry) for entry in told(capture)]
    ranked = [(chosen, max(values), entry) for chosen, values, entry in pairs if chosen is not None and values]
    if not ranked:
        raise Untestable("evidence", "no token has alternatives")
    missed = [entry for chosen, best, entry in ranked if chosen < best - TIE]
    rate = f"{len(missed)} of {len(ranked)} tokens are not, such as {missed[:1]}"
    yield check("most tokens are the likeliest", len(missed) * 2 <= len(ranked), "each token", rate, of=capture)
    yield check("each token is the likeliest", not missed, "each token", rate, must=False)


@probe(
    "sampling.top_logprobs_alone",
    title="Knows top_logprobs without logprobs for a mistake",
    sees=(ALONE,),
    severity="ext",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.top_logprobs",
    faults={**BAD_REFUSALS, "top_logprobs_alone": "partial"},
)
def top_logprobs_alone(seen: Seen) -> Iterator[Check]:
    """Where logprobs is not set, top_logprobs is refused with 400 or brings no log probabilities."""
    capture = seen[ALONE]
    if said_no(capture):
        yield from envelope(capture)
        yield check("status 400", capture.status == 400, 400, capture.status, must=False)
        return
    yield from accepted(capture)
    yield check("no log probabilities", not told(capture), "none", told(capture)[:1], must=False)


@probe(
    "sampling.logprobs_off",
    title="Sends no log probabilities unasked",
    sees=(OFF,),
    severity="ext",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.logprobs",
    threads=("vllm-project/vllm#5008",),
    faults={"logprobs_unasked": "broken"},
)
def logprobs_off(seen: Seen) -> Iterator[Check]:
    """With logprobs false the field logprobs of the choice is null or absent."""
    capture = seen[OFF]
    yield from accepted(capture)
    yield check("no log probabilities", not told(capture), "null", told(capture)[:1], of=capture)


PROBES = (
    logprobs_shape,
    logprobs_concat,
    top_logprobs_count,
    logprobs_argmax,
    top_logprobs_alone,
    logprobs_off,
)
