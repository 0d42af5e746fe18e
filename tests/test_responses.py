"""Answers of the Responses API: events and times in, understanding out, by the same rule as for a chat."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams.case import CUT, RESET, exchange

from harness.exchange import Exchange, Failure, Outcome, StreamMarks, ToolCall, Usage
from harness.types import Attempt, Job, Request
from harness.wire.responses import assemble
from harness.wire.understand import understand

STREAM = Request("/responses", b"{}", stream=True, workload_sha256="")
WHOLE = Request("/responses", b"{}", stream=False, workload_sha256="")
SSE = (("content-type", "text/event-stream"),)
COUNTS = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 3,
    "output_tokens_details": {"reasoning_tokens": 1},
    "total_tokens": 12,
}
USED = Usage(prompt_tokens=9, completion_tokens=3, cached_tokens=4, reasoning_tokens=1)


def event(kind: str, **fields: Any) -> bytes:
    """One event, named as its data is."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def response(status: str, *items: Any, **fields: Any) -> dict[str, Any]:
    """A response object."""
    made = {"id": "resp_1", "object": "response", "model": "m", "status": status, "output": list(items)}
    return {**made, "error": None, "incomplete_details": None, "usage": COUNTS, **fields}


def message(*texts: str) -> dict[str, Any]:
    """A message item."""
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": one} for one in texts]}


def call(name: str = "weather", arguments: str = '{"city":"Oslo"}', call_id: str = "call_1") -> dict[str, Any]:
    """A function call item."""
    return {"type": "function_call", "id": "fc_1", "call_id": call_id, "name": name, "arguments": arguments}


def text(said: str, **place: Any) -> bytes:
    """A piece of text."""
    return event("response.output_text.delta", **{"output_index": 0, "content_index": 0, "delta": said, **place})


def piece(said: str, at: int = 0) -> bytes:
    """A piece of the arguments of a call."""
    return event("response.function_call_arguments.delta", output_index=at, item_id="fc_1", delta=said)


def added(item: dict[str, Any], at: int = 0) -> bytes:
    """An item begins."""
    return event("response.output_item.added", output_index=at, item=item)


def completed(*items: Any, **fields: Any) -> bytes:
    """The event that ends a response."""
    return event("response.completed", response=response("completed", *items, **fields))


BEGIN = event("response.created", response=response("in_progress", usage=None))
OPEN = added({**message(), "content": []})
HELLO = (BEGIN, OPEN, text("Hel"), text("lo"), completed(message("Hello")))
ENDED = "ev1=1 tok1=3 vis1=3 tokn=4 fin=5 done=5"
DONE = b"data: [DONE]\n\n"


class Case(NamedTuple):
    """Reads in, one for each event, and what is understood of them."""

    name: str
    reads: tuple[bytes, ...]
    text: str = ""
    finish: str | None = "stop"
    marks: str = ""
    names: str = ""
    failure: str | None = None
    reasoning: str = ""
    refusal: str = ""
    calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = USED
    fault: Failure | None = None


def incomplete(reason: str) -> bytes:
    """The event that ends a response which was cut."""
    cut = response("incomplete", message("Hello"), incomplete_details={"reason": reason})
    return event("response.incomplete", response=cut)


OSLO = ToolCall("call_1", "weather", '{"city":"Oslo"}')
CASES = (
    Case("a text", HELLO, "Hello", marks=ENDED),
    Case("the sentinel of a chat behind it", (*HELLO, DONE), "Hello", marks=ENDED, names="done_sentinel"),
    Case("more after the end", (*HELLO, text("!")), "Hello", marks=ENDED, names="data_after_done"),
    Case("cut by the cap", (*HELLO[:4], incomplete("max_output_tokens")), "Hello", "length", ENDED),
    Case(
        "stopped by a filter",
        (*HELLO[:4], incomplete("content_filter")),
        "Hello",
        "content_filter",
        ENDED,
        failure="content_filter",
    ),
    Case("an unknown end", (*HELLO[:4], incomplete("moon")), "Hello", "moon", ENDED, "finish_unknown"),
    Case(
        "a call",
        (
            BEGIN,
            added({**call(), "arguments": ""}),
            piece('{"city":'),
            piece('"Oslo"}'),
            event("response.function_call_arguments.done", output_index=0, arguments='{"city":"Oslo"}'),
            completed(call()),
        ),
        finish="tool_calls",
        marks="ev1=1 tok1=2 tool1=2 tokn=4 fin=6 done=6",
        calls=(OSLO,),
    ),
    Case(
        "two calls, the second with nothing but its end",
        (
            added({**call(), "arguments": ""}),
            piece('{"city":"Oslo"}'),
            added({**call("time", "", "call_2")}, 1),
            event("response.function_call_arguments.done", output_index=1, arguments="{}"),
            completed(call(), call("time", "{}", "call_2")),
        ),
        finish="tool_calls",
        marks="ev1=1 tok1=1 tool1=1 tokn=4 fin=5 done=5",
        names="text_not_streamed",
        calls=(OSLO, ToolCall("call_2", "time", "{}")),
    ),
    Case(
        "a call without the id to answer it by",
        (added({**call(call_id=""), "arguments": ""}), piece("{}"), completed(call())),
        finish="tool_calls",
        marks="ev1=1 tok1=1 tool1=1 tokn=2 fin=3 done=3",
        names="call_id_missing",
        calls=(ToolCall("fc_1", "weather", "{}"),),
    ),
    Case(
        "thoughts, then a text",
        (
            event("response.reasoning_text.delta", output_index=0, content_index=0, delta="Hm."),
            text("Yes", output_index=1),
            completed({"type": "reasoning"}, message("Yes")),
        ),
        "Yes",
        marks="ev1=1 tok1=1 vis1=2 tokn=2 fin=3 done=3",
        reasoning="Hm.",
    ),
    Case(
        "a summary of thoughts",
        (
            event("response.reasoning_summary_text.delta", output_index=0, summary_index=0, delta="Thought."),
            text("Yes", output_index=1),
            completed(message("Yes")),
        ),
        "Yes",
        marks="ev1=1 tok1=1 vis1=2 tokn=2 fin=3 done=3",
        reasoning="Thought.",
    ),
    Case(
        "a refusal",
        (event("response.refusal.delta", output_index=0, content_index=0, delta="No."), completed(message())),
        refusal="No.",
        marks="ev1=1 tok1=1 vis1=1 tokn=1 fin=2 done=2",
    ),
    Case(
        "no pieces, the whole at the end",
        (BEGIN, completed(message("Hello"))),
        "Hello",
        marks="ev1=1 tok1=2 vis1=2 tokn=2 fin=2 done=2",
        names="text_not_streamed",
    ),
    Case("the last response is without output", (*HELLO[:4], completed()), "Hello", marks=ENDED, names="output_lost"),
    Case(
        "the last response says another thing",
        (*HELLO[:4], completed(message("Help"))),
        "Hello",
        marks=ENDED,
        names="output_differs",
    ),
    Case(
        "the end of the text says another thing",
        (
            *HELLO[:4],
            event("response.output_text.done", output_index=0, content_index=0, text="Hell"),
            HELLO[4],
        ),
        "Hello",
        marks="ev1=1 tok1=3 vis1=3 tokn=4 fin=6 done=6",
        names="done_differs",
    ),
    Case(
        "the counts of a chat",
        (*HELLO[:4], completed(message("Hello"), usage={"prompt_tokens": 9, "completion_tokens": 3})),
        "Hello",
        marks=ENDED,
        names="usage_field_names",
        usage=Usage(prompt_tokens=9, completion_tokens=3),
    ),
    Case(
        "another model in the end",
        (*HELLO[:4], completed(message("Hello"), model="n")),
        "Hello",
        marks=ENDED,
        names="model_changed",
    ),
    Case(
        "events without names",
        tuple(one.split(b"\n", 1)[1] for one in HELLO),
        "Hello",
        marks=ENDED,
        names="event_name_missing",
    ),
    Case(
        "events with other names",
        tuple(b"event: update\n" + one.split(b"\n", 1)[1] for one in HELLO),
        "Hello",
        marks=ENDED,
        names="event_name_differs",
    ),
    Case("no end", HELLO[:4], "Hello", None, "ev1=1 tok1=3 vis1=3 tokn=4", failure="truncated", usage=None),
    Case(
        "a broken connection",
        HELLO[:4],
        "Hello",
        None,
        "ev1=1 tok1=3 vis1=3 tokn=4",
        failure="reset",
        usage=None,
        fault=RESET,
    ),
    Case("a connection that ends badly after the end", HELLO, "Hello", marks=ENDED, names="unclean_close", fault=CUT),
    Case(
        "it fails on the way",
        (*HELLO[:4], event("response.failed", response=response("failed", error={"code": "x", "message": "broke"}))),
        "Hello",
        None,
        ENDED,
        "output_lost",
        failure="inband_error",
    ),
    Case(
        "an error event",
        (*HELLO[:3], event("error", code="rate_limit_exceeded", message="too many", param=None)),
        "Hel",
        None,
        "ev1=1 tok1=3 vis1=3 tokn=3",
        failure="throttled",
        usage=None,
    ),
    Case("nothing said", (BEGIN, completed()), "", marks="ev1=1 fin=2 done=2", failure="empty"),
    Case(
        "chunks of a chat",
        (b'data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n',),
        "",
        None,
        "ev1=1",
        failure="bad_sse",
        usage=None,
    ),
    Case("no JSON", (b"data: Hello\n\n",), "", None, "ev1=1", failure="bad_json", usage=None),
)


def came(reads: Iterable[bytes], fault: Failure | None = None, status: int = 200) -> Exchange:
    """An exchange whose n-th read came at time n."""
    return exchange(enumerate(reads, 1), headers=SSE, fault=fault, status=status)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_events_are_understood(case: Case) -> None:
    """Texts, calls, finish reason, counts, marks and deviations of each stream are those of the table."""
    outcome = assemble(STREAM, came(case.reads, case.fault))
    assert (outcome.failure.kind if outcome.failure else None) == case.failure
    found = outcome.completion
    assert found is not None
    assert (found.text, found.reasoning, found.refusal) == (case.text, case.reasoning, case.refusal)
    assert (found.finish_reason, found.tool_calls, found.usage) == (case.finish, case.calls, case.usage)
    wanted = StreamMarks(**{f"{name}_ns": int(at) for name, at in (one.split("=") for one in case.marks.split())})
    assert found.marks == wanted
    assert found.deviations == tuple(sorted(case.names.split()))


@given(cuts=st.lists(st.integers(0, 10_000), max_size=12), case=st.sampled_from(CASES))
def test_how_bytes_are_split_changes_no_word(cuts: list[int], case: Case) -> None:
    """However the bytes of a stream come, the same is understood; only times may differ."""
    body = b"".join(case.reads)
    edges = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    parts = [body[start:end] for start, end in itertools.pairwise(edges)]
    one, other = (assemble(STREAM, came(reads, case.fault)) for reads in (case.reads, parts))
    assert told(one) == told(other)


def told(outcome: Outcome) -> tuple[Any, ...]:
    """All of an outcome but its times."""
    found = outcome.completion
    assert found is not None
    kind = outcome.failure and outcome.failure.kind
    return kind, found.text, found.reasoning, found.tool_calls, found.finish_reason, found.usage, found.deviations


def test_tokens_are_counted_by_read() -> None:
    """Two pieces in one read are two output events at one time: their gap is not taken for an ITL of 0."""
    found = assemble(
        STREAM, came((BEGIN + OPEN + text("a") + text("b"), text("c"), completed(message("abc"))))
    ).completion
    assert found is not None
    assert (found.output_ns, found.output_events) == ((1, 2), (2, 1))


def test_a_whole_response_is_understood() -> None:
    """Without a stream the items of the response are the answer, and there are no marks of tokens."""
    items = ({"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}, message("Hel", "lo"), call())
    body = json.dumps(response("completed", *items)).encode()
    outcome = assemble(WHOLE, exchange([(7, body)], headers=(("content-type", "application/json"),)))
    found = outcome.completion
    assert outcome.ok
    assert found is not None
    assert (found.text, found.reasoning, found.tool_calls) == ("Hello", "Hm.", (OSLO,))
    assert (found.finish_reason, found.marks, found.deviations) == ("tool_calls", StreamMarks(ev1_ns=7), ())


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "empty"),
        (b"<html>", "bad_json"),
        (b"{}", "bad_json"),
        (b'{"choices":[]}', "bad_json"),
        (json.dumps(response("completed")).encode(), "empty"),
        (json.dumps(response("in_progress", message("Hel"))).encode(), "truncated"),
        (json.dumps(response("cancelled", message("Hel"))).encode(), "inband_error"),
        (json.dumps(response("failed", error={"message": "maximum context length"})).encode(), "context_overflow"),
    ],
)
def test_what_is_no_answer_is_a_failure(body: bytes, kind: str) -> None:
    """A body without a finished response that says something fails under its own kind."""
    failure = assemble(WHOLE, exchange([(1, body)])).failure
    assert failure is not None
    assert failure.kind == kind


def test_an_unknown_path_is_a_refusal() -> None:
    """A server without a Responses API answers 404, and that is the failure."""
    failure = assemble(STREAM, came((b'{"error":{"message":"Not found"}}',), status=404)).failure
    assert failure is not None
    assert (failure.kind, failure.status) == ("http_4xx", 404)


SCRAPS = st.lists(
    st.one_of(
        st.binary(max_size=60),
        st.sampled_from([one for case in CASES for one in case.reads]),
        st.builds(
            event,
            st.sampled_from(
                ["response.output_text.delta", "response.output_item.added", "response.completed", "error"]
            ),
            response=st.recursive(
                st.none() | st.integers() | st.text(max_size=5), lambda one: st.lists(one, max_size=3)
            ),
            delta=st.none() | st.integers() | st.text(max_size=5),
            output_index=st.none() | st.integers() | st.lists(st.integers(), max_size=2),
            item=st.none() | st.dictionaries(st.sampled_from(["type", "name", "call_id"]), st.integers() | st.text()),
        ),
    ),
    max_size=12,
)


@settings(max_examples=150)
@given(parts=SCRAPS, stream=st.booleans())
def test_nothing_that_a_server_sends_raises(parts: list[bytes], stream: bool) -> None:
    """Whatever comes is a completion, a failure, or both."""
    outcome = assemble(STREAM if stream else WHOLE, exchange(enumerate(parts)))
    assert outcome.completion is not None or outcome.failure is not None


def test_the_path_says_who_reads_an_answer() -> None:
    """A task's answer is read by the API that was asked; a probe's is left to its judge, and so is read as a chat."""
    for kind, ok in (("load", True), ("quality", True), ("probe", False)):
        job = Job("j", "p/m", kind, "s", "t", "1")  # type: ignore[arg-type]
        assert understand(Attempt(job, 0, STREAM, came(HELLO), 0, 0, 1)).ok is ok
