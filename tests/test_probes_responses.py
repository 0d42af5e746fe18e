"""What the probes of the Responses API make of answers that no fault of the simulator shows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from served import GARBAGE, GONE, PAGE, Bench, edited, restreamed
from simulated import accused, simulator, verdicts
from transcripts import Reply, error

BENCH = Bench.of("resp")
CLEAN = BENCH.clean
PLAIN, CAPPED, HELD, TOOL = (CLEAN[name] for name in ("resp_plain", "resp_cap", "resp_schema", "resp_tool"))
STREAM, TOOL_STREAM = CLEAN["resp_stream"], CLEAN["resp_tool_stream"]
TEXT = ("output", 0, "content", 0, "text")
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": []}


def cut(reply: Reply) -> Reply:
    """The answer as its limit would have ended it."""
    reply = edited(reply, "status", to="incomplete")
    return edited(reply, "incomplete_details", to={"reason": "max_output_tokens"})


def thinking_alone(reply: Reply) -> Reply:
    """An answer that had no room for more than thinking."""
    return cut(edited(reply, "output", to=[THOUGHT]))


def without(*kinds: str) -> Any:
    """A stream without events of these types."""
    return lambda events: [event for event in events if event["type"] not in kinds]


def renumbered(events: list[Any]) -> list[Any]:
    """Numbers from 1, as some count."""
    return [{**event, "sequence_number": at} for at, event in enumerate(events, 1)]


def thoughtful(events: list[Any]) -> list[Any]:
    """The same behind a reasoning item, which has the first place."""
    moved = [{**event, "output_index": 1} if "output_index" in event else event for event in events]
    added = {"type": "response.output_item.added", "output_index": 0, "item": THOUGHT}
    done = {"type": "response.output_item.done", "output_index": 0, "item": THOUGHT}
    return renumbered([*moved[:2], added, done, *moved[2:]])


def swapped(events: list[Any]) -> list[Any]:
    """The item is announced before the response."""
    return [events[2], *events[:2], *events[3:]]


def unsaid(events: list[Any]) -> list[Any]:
    """A stream that its limit ended while it thought."""
    ended = {**events[-1], "type": "response.incomplete"}
    return [*events[:2], ended]


def told(events: list[Any]) -> list[Any]:
    """A stream that begins, and then fails."""
    return [*events[:5], {"type": "error", "code": "engine", "message": "died", "param": None, "sequence_number": 5}]


CASES = [
    # probe, answers by scenario, verdict, what the verdict says
    ("resp.basic", {"resp_plain": error("no such path", 404)}, "rejected", "404"),
    ("resp.basic", {"resp_plain": Reply(b"404 page not found", 404, {})}, "rejected", "page not found"),
    ("resp.basic", {"resp_plain": PAGE, "meta_post": PAGE}, "rejected", "Hello"),
    ("resp.basic", {"resp_plain": PAGE}, "broken", "object"),
    ("resp.basic", {"resp_plain": error("oops", 500)}, "broken", "500"),
    ("resp.basic", {"resp_plain": thinking_alone(PLAIN)}, "untestable", "headroom"),
    ("resp.basic", {"resp_plain": cut(PLAIN)}, "supported", ""),
    ("resp.basic", {"resp_plain": edited(PLAIN, "status", to="failed")}, "broken", "status"),
    ("resp.basic", {"resp_plain": edited(PLAIN, "output", to=[])}, "broken", "output_text"),
    ("resp.usage", {"resp_plain": error("no such path", 404)}, "skipped", "resp.basic (rejected)"),
    ("resp.usage", {"resp_plain": edited(PLAIN, "usage", to=None)}, "broken", "counts"),
    ("resp.input_items", {"resp_items": error("text alone", 422)}, "rejected", "text alone"),
    ("resp.input_items", {"resp_items": edited(CLEAN["resp_items"], "usage", to=None)}, "supported", ""),
    ("resp.instructions", {"resp_instructions": edited(PLAIN, "usage", to=None)}, "untestable", "evidence"),
    ("resp.required", {"resp_plain": edited(PLAIN, "created_at", to=GONE)}, "broken", "created_at"),
    ("resp.required", {"resp_plain": edited(PLAIN, "created_at", to="now")}, "broken", "now"),
    ("resp.required", {"resp_plain": edited(PLAIN, "metadata", to=GONE)}, "partial", "metadata"),
    ("resp.max_output", {"resp_cap": error("at least 20", 400)}, "rejected", "at least 20"),
    ("resp.max_output", {"resp_cap": edited(CAPPED, *TEXT, to="no end " * 100)}, "ignored", "more text"),
    ("resp.max_output", {"resp_cap": PLAIN}, "untestable", "model"),
    ("resp.max_output", {"resp_cap": edited(CAPPED, "usage", "output_tokens", to=19)}, "partial", "token too many"),
    ("resp.json_schema", {"resp_schema": error("no schema", 400)}, "rejected", "no schema"),
    ("resp.json_schema", {"resp_schema": cut(edited(HELD, *TEXT, to='{"zq": t'))}, "untestable", "headroom"),
    ("resp.json_schema", {"resp_schema": edited(HELD, *TEXT, to='{"zq": t')}, "broken", "whole"),
    ("resp.json_schema", {"resp_schema": edited(HELD, *TEXT, to='{"zq": 1, "vx": "mimsy"}')}, "ignored", "not of"),
    ("resp.error_stream", {"resp_error_stream": STREAM}, "ignored", "made sense"),
    ("resp.error_stream", {"resp_error_stream": restreamed(STREAM, told)}, "broken", "the status says it"),
    ("resp.reasoning", {"resp_reasoning": error("it does not reason", 400)}, "rejected", "does not reason"),
    ("resp.reasoning", {"resp_reasoning": PLAIN}, "ignored", "nothing says"),
    ("resp.input_tokens", {"resp_input_tokens": Reply(b"not found", 404, {})}, "rejected", "not found"),
    ("resp.input_tokens", {"resp_plain": edited(PLAIN, "usage", "input_tokens", to=0)}, "untestable", "evidence"),
    ("resp.stream_order", {"resp_stream": PLAIN}, "ignored", "one piece"),
    ("resp.stream_order", {"resp_stream": restreamed(STREAM, unsaid)}, "untestable", "headroom"),
    ("resp.stream_order", {"resp_stream": restreamed(STREAM, thoughtful)}, "supported", ""),
    ("resp.stream_order", {"resp_stream": restreamed(STREAM, swapped)}, "broken", "order"),
    (
        "resp.stream_order",
        {"resp_stream": restreamed(STREAM, without("response.in_progress"))},
        "partial",
        "in_progress",
    ),
    ("resp.stream_order", {"resp_stream": restreamed(STREAM, told)}, "partial", "done"),
    ("resp.stream_seq", {"resp_stream": restreamed(STREAM, renumbered)}, "supported", ""),
    (
        "resp.stream_seq",
        {"resp_stream": restreamed(STREAM, lambda events: events[3:] + events[:3])},
        "skipped",
        "order",
    ),
    ("resp.stream_ids", {"resp_stream": restreamed(STREAM, thoughtful)}, "supported", ""),
    ("resp.stream_event_name", {"resp_stream": restreamed(STREAM, lambda _: None)}, "partial", "event"),
    ("resp.stream_concat", {"resp_stream": restreamed(STREAM, without("response.completed"))}, "supported", ""),
    ("resp.stream_concat", {"resp_stream": restreamed(STREAM, lambda events: events[:6])}, "untestable", "evidence"),
    ("resp.stream_terminal", {"resp_stream": restreamed(STREAM, told)}, "broken", "one end"),
    ("resp.stream_terminal", {"resp_stream": restreamed(STREAM, lambda events: [*events, "[DONE]"])}, "supported", ""),
    ("resp.stream_terminal", {"resp_stream": restreamed(STREAM, lambda e: [*e, {"type": "ping"}])}, "partial", "last"),
    ("resp.tool", {"resp_tool": error("no tools", 400)}, "rejected", "no tools"),
    ("resp.tool", {"resp_tool": thinking_alone(TOOL)}, "untestable", "headroom"),
    ("resp.tool", {"resp_tool": cut(edited(TOOL, "output", 0, "arguments", to='{"col'))}, "untestable", "headroom"),
    ("resp.tool", {"resp_tool": edited(PLAIN, *TEXT, to='<tool_call>{"name": "x"}')}, "broken", "parsed"),
    ("resp.tool", {"resp_tool": edited(TOOL, "output", 0, "name", to="other")}, "broken", "name"),
    ("resp.tool_stream", {"resp_tool_stream": STREAM}, "ignored", "without a call"),
    ("resp.tool_stream", {"resp_tool_stream": restreamed(TOOL_STREAM, unsaid)}, "untestable", "headroom"),
    (
        "resp.tool_stream",
        {"resp_tool_stream": restreamed(TOOL_STREAM, without("response.function_call_arguments.delta"))},
        "partial",
        "delta",
    ),
    ("resp.tool_roundtrip", {"resp_tool_result": error("oops", 500)}, "broken", "500"),
    ("resp.previous_id", {"resp_previous": error("it keeps nothing", 400)}, "rejected", "keeps nothing"),
    ("resp.previous_id", {"resp_kept": error("no store", 400)}, "rejected", "no store"),
    ("resp.retrieve_delete", {"resp_get": Reply(b"not found", 404, {})}, "rejected", "not found"),
    ("resp.retrieve_delete", {"resp_delete": error("not allowed", 405)}, "rejected", "not allowed"),
    ("resp.retrieve_delete", {"resp_gone": error("gone", 410)}, "partial", "410"),
    ("resp.retrieve_delete", {"resp_get": PLAIN}, "broken", "id"),
    ("resp.background", {"resp_background": error("not in the background", 400)}, "rejected", "not in the"),
    ("resp.background", {"resp_background_3": CLEAN["resp_background"]}, "untestable", "evidence: it was still queued"),
    ("resp.background", {"resp_background_cancel": error("too late", 400)}, "partial", "cancelled"),
    ("resp.store_false", {"resp_unkept_get": error("no such path", 501)}, "supported", ""),
    ("resp.store_false", {"resp_unkept": error("no store", 400)}, "rejected", "no store"),
]


@pytest.mark.parametrize(
    ("probe", "replies", "verdict", "says"), CASES, ids=[f"{case[0]} {at}" for at, case in enumerate(CASES)]
)
def test_verdict(probe: str, replies: dict[str, Reply], verdict: str, says: str) -> None:
    """Each answer gets the verdict that its probe's criterion gives it, for the reason that it has."""
    found = BENCH.judged(replies)[probe]
    assert found.verdict == verdict, found
    assert says in " ".join((found.reason, found.expected, found.actual))


def test_a_name_that_is_not_recalled_may_have_been_read() -> None:
    """A model that does not answer with the name is not taken for a server that forgets: the tokens were counted."""
    forgetful = edited(CLEAN["resp_previous"], *TEXT, to="I do not know.")
    assert BENCH.judged({"resp_previous": forgetful})["resp.previous_id"].verdict == "supported"
    uncounted = edited(forgetful, "usage", "input_tokens", to=9)
    assert BENCH.judged({"resp_previous": uncounted})["resp.previous_id"].verdict == "ignored"


def test_what_follows_is_made_of_what_was_answered() -> None:
    """The next turn names the response before it, and a result goes back behind the call that it is of."""
    first = json.loads(CLEAN["resp_kept"].body)["id"]
    assert json.loads(CLEAN["resp_previous"].body)["previous_response_id"] == first
    assert json.loads(CLEAN["resp_delete"].body)["id"] == first


@pytest.mark.parametrize("fault", ["", "resp_ignore_background", "resp_no_cancel", "resp_not_kept"])
def test_the_background_is_told_from_an_answer_at_once(fault: str) -> None:
    """The probe that is not in every run is supported by the reference, and sees its faults."""
    (probe,) = (one for one in BENCH.probes if one.id == "resp.background")
    with simulator() as endpoint:
        found = accused(verdicts(endpoint, [probe], f"mutants={fault}" if fault else ""))
    assert found == ({probe.id: probe.faults[fault]} if fault else {})


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_makes_no_judge_fail(what: str) -> None:
    """Whatever stands in the place of an answer, every probe comes to a verdict of its own."""
    assert BENCH.failing(GARBAGE[what]) == []
