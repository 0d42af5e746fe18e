"""Bytes and times in, understanding out: the table of nasty answers, and what holds for all of them."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams.case import CUT, DONE, HI, ROLE, STOP, Case, chunk, exchange, say, whole
from streams.nasty import CASES

from harness.exchange import Completion, Failure, Outcome, StreamMarks
from harness.wire.assemble import assemble

ONE_EVENT = re.compile(rb"\Adata:[^\r\n]*(\r\n|\r|\n){2}\Z")


def understood(case: Case, reads: Iterable[tuple[int, bytes]]) -> Outcome:
    """What is made of a case's answer when it comes in these reads."""
    return assemble(exchange(reads, status=case.status, headers=case.headers, fault=case.fault), stream=case.stream)


def marks(text: str) -> StreamMarks:
    """``tok1=2`` and so on."""
    return StreamMarks(**{f"{name}_ns": int(at) for name, at in (one.split("=") for one in text.split())})


def told(outcome: Outcome) -> tuple[Any, ...]:
    """All of an outcome that must not depend on how its bytes were split."""
    completion = outcome.completion
    if completion is None:
        return (outcome.failure,)
    return (
        outcome.failure,
        completion.text,
        completion.reasoning,
        completion.refusal,
        completion.tool_calls,
        completion.finish_reason,
        completion.usage,
        completion.marks,
        completion.deviations,
        sorted(set(completion.output_ns)),
        sum(completion.output_events),
        completion.response_id,
        completion.model,
    )


def got(outcome: Outcome) -> Completion:
    """The completion, which must be there."""
    assert outcome.completion is not None
    return outcome.completion


by_name = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@by_name
def test_table(case: Case) -> None:
    """Every nasty answer is understood exactly, and what was tolerated or failed is named."""
    outcome = understood(case, enumerate(case.reads, start=1))
    failure = outcome.failure
    assert (failure and failure.kind) == case.failure, failure
    assert failure is None or (case.detail in failure.detail and failure.status == 200)
    assert outcome.ok is (case.failure is None)
    if case.nothing:
        assert outcome.completion is None
        return
    completion = got(outcome)
    assert (completion.text, completion.reasoning, completion.refusal) == (case.text, case.reasoning, case.refusal)
    assert completion.tool_calls == case.calls
    assert (completion.finish_reason, completion.usage) == (case.finish, case.usage)
    assert completion.marks == marks(case.marks)
    pairs = zip(completion.output_ns, completion.output_events, strict=True)
    assert " ".join(f"{at}:{count}" for at, count in pairs) == case.outputs
    assert " ".join(completion.deviations) == " ".join(sorted(case.names.split()))


@by_name
def test_split_anywhere(case: Case) -> None:
    """Splitting a read at any byte, or into single bytes of the same arrival, changes nothing."""
    reads = list(enumerate(case.reads, start=1))
    expected = told(understood(case, reads))
    if sum(len(part) for _, part in reads) < 100_000:
        assert told(understood(case, ((at, bytes([byte])) for at, part in reads for byte in part))) == expected
    for number, (at, part) in enumerate(reads):
        stride = 1 + len(part) // 5_000  # only the line of a million bytes is not split at every byte
        for cut in range(1, len(part), stride * stride):
            split = [*reads[:number], (at, part[:cut]), (at, part[cut:]), *reads[number + 1 :]]
            assert told(understood(case, split)) == expected, (number, cut)


PLAIN = [case for case in CASES if case.marks and all(ONE_EVENT.match(part) for part in case.reads)]


@pytest.mark.parametrize("case", PLAIN, ids=lambda case: case.name)
def test_byte_stamps(case: Case) -> None:
    """With a time for each byte, a mark is the time of the byte that ended its event's data line."""
    starts = itertools.accumulate((len(part) for part in case.reads), initial=0)
    ends = {
        number: start + min(part.index(end) for end in (b"\r", b"\n") if end in part)
        for number, (start, part) in enumerate(zip(starts, case.reads, strict=False), start=1)
    }
    completion = got(understood(case, ((at, bytes([byte])) for at, byte in enumerate(b"".join(case.reads)))))
    expected = re.sub(r"=(\d+)", lambda at: f"={ends[int(at[1])]}", case.marks)
    assert completion.marks == marks(expected)
    assert completion.output_ns == tuple(ends[int(one.split(":")[0])] for one in case.outputs.split())


def test_table_is_large() -> None:
    """The table is worth its name: 45 streams at least, most of them with byte stamps, all names distinct."""
    assert sum(case.stream for case in CASES) >= 45
    assert len(PLAIN) >= 45
    assert len({case.name for case in CASES}) == len(CASES)


def test_reads_with_output_events() -> None:
    """Output events are counted by read; an event belongs to the read that ended it."""
    first, second = say("a"), say("b")
    parts = [ROLE, first + second, say("c")[:20], say("c")[20:] + say("d") + STOP, DONE]
    completion = got(assemble(exchange(enumerate(parts)), stream=True))
    assert (completion.output_ns, completion.output_events) == ((1, 3), (2, 2))
    same_time = got(assemble(exchange([(5, first), (5, second), (6, STOP), (7, DONE)]), stream=True))
    assert (same_time.output_ns, same_time.output_events) == ((5, 5), (1, 1))


def test_identity() -> None:
    """Id, model and fingerprint are what the server says first, empty ones aside."""
    reads = (say("Hi", id="", model="", system_fingerprint="fp"), *HI)
    completion = got(assemble(exchange(enumerate(reads)), stream=True))
    assert (completion.response_id, completion.model, completion.system_fingerprint) == ("c1", "m", "fp")


def test_content_type() -> None:
    """An answer of another media type than its body is understood, and named."""
    plain = exchange(enumerate(HI), headers=[("content-type", "text/plain")])
    assert got(assemble(plain, stream=True)).deviations == ("content_type",)
    odd = exchange([(1, whole({"content": "Hi"}))], headers=[("content-type", "Application/JSON; charset=utf-8")])
    assert got(assemble(odd, stream=False)).deviations == ()


# --- properties ------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
DELTAS = st.one_of(
    st.builds(lambda text: {"content": text}, TEXT),
    st.builds(lambda text: {"reasoning_content": text}, TEXT),
    st.builds(
        lambda index, text: {"tool_calls": [{"index": index, "function": {"arguments": text}}]}, st.integers(0, 2), TEXT
    ),
)
LINE_ENDS = st.sampled_from((b"\n", b"\r\n", b"\r"))


@settings(deadline=None)
@given(deltas=st.lists(DELTAS, max_size=8), end=LINE_ENDS, cuts=st.lists(st.integers(0, 4_000), max_size=12))
def test_any_split(deltas: list[dict[str, Any]], end: bytes, cuts: list[int]) -> None:
    """However a valid stream is split into reads of one arrival, it says the same, and all that was sent."""
    ascii_safe = [
        json.dumps(json.loads(chunk(delta)[6:]), ensure_ascii=bool(number % 2)).encode()
        for number, delta in enumerate(deltas)
    ]
    body = b"".join(b"data: " + one + end + end for one in [*ascii_safe, STOP[6:-2], b"[DONE]"])
    edges = sorted({0, len(body), *(cut % len(body) for cut in cuts)})
    parts = [(7, body[low:high]) for low, high in itertools.pairwise(edges)]
    outcome = assemble(exchange(parts), stream=True)
    assert told(outcome) == told(assemble(exchange([(7, body)]), stream=True))
    completion = got(outcome)
    assert completion.text == "".join(delta.get("content", "") for delta in deltas)
    assert completion.reasoning == "".join(delta.get("reasoning_content", "") for delta in deltas)
    assert completion.marks.done_ns == 7
    assert outcome.ok is any(
        delta.get("content")
        or delta.get("reasoning_content")
        or ("tool_calls" in delta and delta["tool_calls"][0]["function"]["arguments"])
        for delta in deltas
    )


KEYS = st.sampled_from(
    (
        *(
            "id",
            "object",
            "model",
            "choices",
            "index",
            "delta",
            "message",
            "content",
            "text",
            "type",
            "role",
            "thinking",
        ),
        *("reasoning", "reasoning_content", "reasoning_details", "refusal", "tool_calls", "function", "name", "custom"),
        *("arguments", "function_call", "finish_reason", "usage", "x_groq", "error", "detail", "code", "status", "loc"),
        *(
            "prompt_tokens",
            "completion_tokens",
            "prompt_tokens_details",
            "cached_tokens",
            "metadata",
            "raw",
            "thinking",
        ),
    )
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    TEXT,
    st.sampled_from(("stop", "error", "thinking", "assistant", "\ud83d", "null", "[DONE]")),
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=12
)
CHUNKS = st.builds(
    lambda choices, usage, error: {"choices": choices, "usage": usage, **error},
    st.lists(
        st.fixed_dictionaries(
            {"delta": st.dictionaries(KEYS, VALUES, max_size=4)},
            optional={"index": st.integers(0, 2) | LEAVES, "finish_reason": LEAVES, "message": VALUES},
        ),
        max_size=2,
    ),
    VALUES,
    st.dictionaries(st.just("error"), VALUES, max_size=1),
)


@settings(max_examples=200, deadline=None)
@given(values=st.lists(VALUES | CHUNKS, max_size=5), status=st.sampled_from((200, 400, 429, 500)), stream=st.booleans())
def test_any_json(values: list[Any], status: int, stream: bool) -> None:
    """Any JSON at all gives an outcome that can be stored as UTF-8, streamed or whole."""
    for reads in ([data_ascii(value) for value in values], [json.dumps(value).encode() for value in values[:1]]):
        outcome = assemble(exchange(enumerate(reads), status=status), stream=stream)
        repr(outcome).encode()
        if outcome.completion:
            said = outcome.completion
            texts = [said.text, said.reasoning, said.refusal, said.finish_reason or "", said.model or ""]
            texts += [text for call in said.tool_calls for text in (call.id, call.name, call.arguments)]
            "".join(texts).encode()
        if outcome.failure:
            outcome.failure.detail.encode()
            assert "\n" not in outcome.failure.detail


def data_ascii(value: Any) -> bytes:
    """One event; what is not ASCII is escaped, lone surrogates too."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


@settings(deadline=None)
@given(
    parts=st.lists(st.binary(max_size=40) | st.sampled_from((b"data: ", b"\r", b"\n\n", b"event: error\n", DONE, *HI))),
    stream=st.booleans(),
    status=st.sampled_from((200, 302, 404, 503)),
    fault=st.sampled_from((None, CUT)),
)
def test_any_bytes(parts: list[bytes], stream: bool, status: int, fault: Failure | None) -> None:
    """Any bytes at all give an outcome."""
    outcome = assemble(exchange(enumerate(parts), status=status, fault=fault), stream=stream)
    assert outcome.failure is not None or outcome.completion is not None


@pytest.mark.parametrize("stream", [True, False])
def test_deep_json(stream: bool) -> None:
    """JSON nested deeper than the parser goes is a failure of the answer, not of ours."""
    deep = b'{"choices":' + b"[" * 100_000
    for body in (deep, b"data: " + deep + b"\n\n"):
        failure = assemble(exchange([(1, body), (2, STOP)]), stream=stream).failure
        assert failure is not None
        assert failure.kind in ("bad_json", "bad_sse")
