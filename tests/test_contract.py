"""Faults of a reply's contract: each has one name, what our own cap did is none, and the store counts them."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made import reply
from published import attempt, make_run
from streams.nasty import CASES
from transcripts import Reply

from harness import contract
from harness.exchange import Completion, Failure, Outcome, ToolCall
from harness.provider import Naming
from harness.record.journal import Session
from harness.store import query
from harness.store.index import publish
from harness.store.rows import attempt_row
from harness.wire import chunks, sse, toolcalls

CALL = ToolCall("c1", "f", "{}")
NAMES = {
    *("leaked_markup", "wrong_finish_reason", "duplicate_call_id", "missing_call_id", "empty_call"),
    *("unknown_tool", "arguments_not_json", "arguments_not_object", "only_reasoning", "thinking_markup"),
    "turn_markup",
}


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        (reply("Hi"), ""),
        (reply("", CALL), ""),
        (reply("I will look.", CALL, reasoning="Hm."), ""),
        (reply("", refusal="No.", reasoning="Hm."), ""),
        (reply('<tool_call>{"name": "f"}</tool_call>'), "leaked_markup"),
        (reply("[TOOL_CALLS][]", CALL), "leaked_markup"),
        (reply("<|tool_calls_section_begin|>"), "leaked_markup"),
        (reply("Hi", reasoning="<tool_call>"), "leaked_markup"),
        (reply("", CALL, reasoning="I write <tool_call> now."), ""),
        (reply("<tool_call>{", finish="length"), ""),
        (reply("", CALL, finish="stop"), "wrong_finish_reason"),
        (reply("", CALL, finish="function_call"), ""),
        (reply("Hi", finish="tool_calls"), "wrong_finish_reason"),
        (reply("", CALL, CALL), "duplicate_call_id"),
        (reply("", CALL, dataclasses.replace(CALL, id="c2")), ""),
        (reply("", ToolCall("", "f", "{}")), "missing_call_id"),
        (reply("", ToolCall("", "f", "{}"), ToolCall("", "f", "{}")), "missing_call_id"),
        (reply("", ToolCall("", "f", "{}"), finish="function_call", deviations=("legacy_function_call",)), ""),
        (reply("", ToolCall("c", "", "{}")), "empty_call"),
        (reply("", ToolCall("c", "f", "")), "arguments_not_json"),
        (reply("", ToolCall("c", "f", "[" * 100_000)), "arguments_not_json"),
        (reply("", ToolCall("c", "f", "[1]")), "arguments_not_object"),
        (reply("", CALL, ToolCall("d", "f", '{"a"'), finish="length"), ""),
        (reply("", ToolCall("d", "f", '{"a"'), CALL, finish="length"), "arguments_not_json"),
        (reply("", reasoning="Hm."), "only_reasoning"),
        (reply(" \n", reasoning="Hm."), "only_reasoning"),
        (reply("", reasoning="Hm.", finish="length"), ""),
        (reply("<think>Hm.</think>Hi"), "thinking_markup"),
        (reply("Hm.</think>Hi"), "thinking_markup"),
        (reply("Hi", reasoning="<think>"), ""),
        (reply("analysisHm.assistantfinalHi"), "thinking_markup"),
        (reply("analysis of a final"), ""),
        (reply("Hi<|im_end|>"), "turn_markup"),
        (reply("mv [ARGS] ..."), ""),
        (reply('weather[ARGS]{"city": "Rome"}'), "leaked_markup"),
        (reply("<|start|>assistant<|channel|>commentary to=functions.f"), "leaked_markup thinking_markup turn_markup"),
        (
            reply("<think>", ToolCall("", "", "1"), finish="stop"),
            "arguments_not_object empty_call missing_call_id thinking_markup wrong_finish_reason",
        ),
    ],
)
def test_each_fault_has_its_name(answer: Completion, names: str) -> None:
    """What an application trips over is named, and nothing else is."""
    assert " ".join(contract.faults(answer)) == names
    assert set(names.split()) <= NAMES


def test_every_marker_is_looked_for() -> None:
    """A text that is one marker has a fault, whichever it is."""
    names = {
        "leaked_markup": contract.CALL_MARKERS,
        "thinking_markup": contract.THINKING_MARKERS,
        "turn_markup": contract.TURN_MARKERS,
    }
    for fault, markers in names.items():
        assert all(contract.faults(reply(marker)) == (fault,) for marker in markers)


def test_what_was_asked_for_is_no_fault() -> None:
    """A call that the request names may end with stop, and a custom tool is given free text."""
    named = b'{"tool_choice":{"type":"function","function":{"name":"f"}}}'
    assert contract.faults(reply("", CALL, finish="stop"), named) == ()
    free = b'{"tool_choice":"auto","tools":[{"type":"custom","custom":{"name":"f"}}]}'
    assert contract.faults(reply("", CALL, finish="stop"), free) == ("wrong_finish_reason",)
    assert contract.faults(reply("", ToolCall("c", "f", "print(1)")), free) == ()


def test_a_tool_must_have_been_offered() -> None:
    """A call of a name that the request does not hold is told, where the request is known."""
    call = ToolCall("c", 'ä"b', "{}")
    assert contract.faults(reply("", call)) == ()
    assert contract.faults(reply("", call), '{"tools":[{"function":{"name":"ä\\"b"}}]}'.encode()) == ()
    assert contract.faults(reply("", call), b'{"tools":[{"function":{"name":"b"}}]}') == ("unknown_tool",)


def test_no_name_is_on_both_axes() -> None:
    """A deviation says how an answer was sent, a fault what it says: none of the tables' names is both."""
    deviations = {name for case in CASES for name in case.names.split()}
    assert not deviations & NAMES
    told = " ".join(str(module.__doc__) + str(vars(module)) for module in (chunks, sse, toolcalls))
    assert not [name for name in NAMES if f"``{name}``" in told]


TEXT = st.text(max_size=8) | st.sampled_from([*contract.CALL_MARKERS, *contract.THINKING_MARKERS, "{}", "[]", "\ud800"])


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # the machine may be busy
@given(
    text=TEXT,
    reasoning=TEXT,
    calls=st.lists(st.builds(ToolCall, TEXT, TEXT, TEXT), max_size=3),
    finish=st.sampled_from(["stop", "length", "tool_calls", "odd", None]),
    asked=st.binary(max_size=30),
)
def test_any_answer_is_looked_at(
    text: str, reasoning: str, calls: list[ToolCall], finish: str | None, asked: bytes
) -> None:
    """Whatever came, the names are known ones, sorted, each once."""
    answer = dataclasses.replace(reply(text, *calls, reasoning=reasoning), finish_reason=finish)
    found = contract.faults(answer, asked)
    assert list(found) == sorted(set(found))
    assert set(found) <= NAMES


def sealed(answer: Completion, failure: Failure | None = None) -> Any:
    """What the row of an attempt says of its contract."""
    session = Session(0, 1, 0, datetime(2026, 1, 1, tzinfo=UTC), 0)
    attempt = Reply(b"{}").capture("some_scenario", 0).attempt
    return attempt_row("r", session, attempt, Outcome(answer, failure), None, Naming()).get("contract_faults")


def test_only_what_was_answered_has_a_contract() -> None:
    """The row of a completion holds its faults; what came before a failure is not looked at."""
    assert sealed(reply("Hi")) == ()
    assert sealed(reply("<tool_call>")) == ("leaked_markup",)
    assert sealed(reply("<tool_call>"), Failure("truncated", "no finish reason")) is None


def test_the_store_counts_faults_of_completions(tmp_path: Path) -> None:
    """Each name with its share of the endpoint's completions and a job; failures and probes are not among them."""
    both = ["leaked_markup", "wrong_finish_reason"]
    answers = [
        attempt("b", contract_faults=both),
        attempt("a", contract_faults=["leaked_markup"]),
        attempt("c", contract_faults=[]),
        attempt("d", contract_faults=[]),
        attempt("e", failure_kind="empty", failure_detail="nothing"),
        attempt("x", kind="probe", contract_faults=both),
        attempt("o", endpoint="q/m", contract_faults=["only_reasoning"]),
    ]
    make_run(tmp_path, attempts=answers)
    publish(tmp_path)
    found = query.rows(tmp_path, "select * exclude (run_id) from contract_faults order by all")
    assert json.loads(json.dumps(found)) == [
        {"endpoint": "p/m", "fault": "leaked_markup", "n": 2, "share": 0.5, "example_job_id": "a"},
        {"endpoint": "p/m", "fault": "wrong_finish_reason", "n": 1, "share": 0.25, "example_job_id": "b"},
        {"endpoint": "q/m", "fault": "only_reasoning", "n": 1, "share": 1.0, "example_job_id": "o"},
    ]
