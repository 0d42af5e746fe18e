"""What the probes of thinking make of answers that no fault of the simulator shows, and of answers without sense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from simulated import ROOT
from transcripts import ENDPOINT, Reply, captures, chunk, completion, error, events

from harness.catalog import discover
from harness.conformance import Capture, Probe, judge_all, scenarios_of
from harness.types import Verdict

KNOWN = discover([ROOT / "tasks" / "probes"]).probes.values()
PROBES: tuple[Probe, ...] = tuple(probe for probe in KNOWN if probe.surface == "reason")
SCENARIOS = [scenario.name for scenario in scenarios_of(PROBES)]
THOUGHT = "Let me see which primes there are."
CALL = {"id": "call_1", "type": "function", "function": {"name": "paint_wall", "arguments": '{"colour": "red"}'}}
STREAM = "reason_medium_stream"


def said(text: str | None = "8", *, thought: str | None = THOUGHT, told: Any = 9, **fields: Any) -> Reply:
    """An answer with thinking before it, and what usage counts of that; None: no thinking, no count."""
    channel = {} if thought is None else {"reasoning_content": thought}
    body = completion(text, **{"output": 20, **channel, **fields})
    if told is not None:
        body["usage"]["completion_tokens_details"] = {"reasoning_tokens": told}
    return Reply(body)


def streamed(*deltas: dict[str, Any]) -> Reply:
    """A stream of these deltas."""
    return events(*map(chunk, deltas), chunk({}, finish="stop"), "[DONE]")


def uncounted(reply: Reply) -> Reply:
    """An answer without usage."""
    return replace(reply, body={**reply.body, "usage": None})


PLAIN = said("1 2 3", thought=None, told=None)
THINKING, SPEAKING = {"reasoning_content": THOUGHT}, {"content": "8"}
CUT = said("", finish="length")
REFUSED = error("reasoning_effort is not known")
CLEAN: Mapping[str, Reply | list[Reply]] = {
    **dict.fromkeys(SCENARIOS, said()),
    "twin_whole": PLAIN,
    STREAM: streamed(THINKING, SPEAKING),
    "reason_cut": CUT,
    "reason_bogus": error("no such effort"),
    "reason_none": PLAIN,
    "reason_low": [said(told=5), said(told=6)],
    "reason_high": [said(told=50), said(told=7)],
    "reason_tools": said(None, tool_calls=[CALL], finish="tool_calls"),
    "reason_schema": said('{"zq": true}'),
}
CASES = [
    # probe, scenario, its answer, verdict, what the verdict says
    ("reason.channel", "reason_medium", said("Hm.</think>8", thought=None), "broken", "content is clean"),
    ("reason.channel", "reason_medium", said(thought=None, reasoning="Hm."), "supported", ""),
    ("reason.channel", "reason_medium", said(thought=None), "untestable", "evidence"),
    ("reason.channel", "reason_medium", said(thought=None, told=0), "untestable", "model"),
    ("reason.channel", "reason_medium", said(thought=None, reasoning=[7]), "partial", "text"),
    ("reason.channel", "reason_medium", REFUSED, "rejected", "not known"),
    ("reason.stream_channel", STREAM, streamed(SPEAKING), "partial", "no thinking"),
    ("reason.stream_channel", STREAM, streamed(THINKING, SPEAKING, THINKING), "broken", "before the text"),
    ("reason.stream_channel", STREAM, streamed(THINKING, SPEAKING, {"reasoning_content": "\n"}), "supported", ""),
    ("reason.stream_channel", STREAM, streamed({"content": "<think>Hm"}), "broken", "clean"),
    ("reason.stream_channel", STREAM, said(), "ignored", "one piece"),
    ("reason.stream_channel", STREAM, error("no streams"), "rejected", "no streams"),
    ("reason.both_names", "reason_medium", said(reasoning=THOUGHT), "supported", ""),
    ("reason.both_names", "reason_medium", said(reasoning="Hm."), "partial", "same text"),
    ("reason.tokens", "reason_medium", said(told=None), "partial", "reasoning_tokens"),
    ("reason.tokens", "reason_medium", said(told=99), "partial", "part of the output"),
    ("reason.tokens", "reason_medium", said(told=0), "ignored", "none is counted"),
    ("reason.tokens", "reason_medium", said(thought=None), "supported", ""),
    ("reason.tokens", "reason_medium", uncounted(said()), "untestable", "evidence"),
    ("reason.budget_cut", "reason_cut", said(), "untestable", "model"),
    ("reason.budget_cut", "reason_cut", said("", finish="stop"), "untestable", "model"),
    ("reason.budget_cut", "reason_cut", said("8", thought=None, told=0), "untestable", "model"),
    ("reason.budget_cut", "reason_cut", said(THOUGHT[:20], thought=None, finish="length"), "broken", "no thinking"),
    ("reason.budget_cut", "reason_cut", said("<think>Let", thought=None, finish="length"), "broken", "clean"),
    ("reason.budget_cut", "reason_cut", error("max_tokens was reached"), "broken", "answered"),
    ("reason.budget_cut", "reason_cut", said("", told=0, finish="length"), "partial", "reasoning_tokens"),
    ("reason.budget_cut", "reason_cut", uncounted(CUT), "supported", ""),
    ("reason.history", "reason_replay", error("unknown field reasoning_content"), "rejected", "unknown field"),
    ("reason.effort_accept", "reason_high", REFUSED, "rejected", "not known"),
    ("reason.effort_accept", "reason_high", error("busy", 503), "untestable", "transient"),
    ("reason.effort_bogus", "reason_bogus", error("no", 422), "partial", "status 400"),
    ("reason.effort_bogus", "reason_bogus", said(), "ignored", "made sense"),
    ("reason.effort_values", "reason_max", REFUSED, "supported", ""),
    ("reason.effort_values", "reason_max", Reply({"detail": "no"}, 422), "broken", "error body"),
    ("reason.effort_effect", "reason_high", said(told=5), "ignored", "as much"),
    ("reason.effort_effect", "reason_low", said(told=50, finish="length"), "untestable", "headroom"),
    ("reason.effort_effect", "reason_low", said(thought=None, told=0), "supported", ""),
    ("reason.effort_effect", "reason_low", said(thought="Hm.", told=None), "supported", ""),
    ("reason.off", "reason_none", said(), "ignored", "all the same"),
    ("reason.off", "reason_none", said("<think>Hm", thought=None, told=0), "ignored", "<think"),
    ("reason.off", "reason_none", REFUSED, "rejected", "not known"),
    ("reason.off", "reason_medium", said(thought=None, told=0), "untestable", "model"),
    ("reason.with_tools", "reason_tools", said(None, tool_calls=[CALL], finish="stop"), "supported", ""),
    ("reason.with_tools", "reason_tools", said("Paris."), "ignored", "without a call"),
    ("reason.with_tools", "reason_tools", CUT, "untestable", "headroom"),
    ("reason.with_tools", "reason_tools", said(None, thought='<tool_call>{"name"'), "broken", "left in the thinking"),
    ("reason.with_tools", "reason_tools", said("<tool_call>", thought=None), "broken", "left in the text"),
    (
        "reason.with_tools",
        "reason_tools",
        said(None, thought="A <tool_call> will do.", tool_calls=[CALL], finish="tool_calls"),
        "supported",
        "",
    ),
    ("reason.with_tools", "reason_tools", said(None, thought=None, told=0, tool_calls=[CALL]), "untestable", "model"),
    ("reason.with_tools", "reason_tools", said(None, tool_calls={"0": CALL}), "broken", "array"),
    ("reason.with_tools", "reason_tools", said(None, tool_calls=[7]), "broken", "function.name"),
    ("reason.with_tools", "reason_tools", REFUSED, "rejected", "not known"),
    ("reason.with_schema", "reason_schema", said("Paris."), "ignored", "did not come"),
    ("reason.with_schema", "reason_schema", said('Hm. {"zq": true}'), "broken", "JSON alone"),
    ("reason.with_schema", "reason_schema", said("", thought='Hm. {"zq": true}'), "broken", "in the content"),
    ("reason.with_schema", "reason_schema", CUT, "untestable", "headroom"),
    ("reason.with_schema", "reason_schema", said('{"zq": t', finish="length"), "untestable", "headroom"),
    ("reason.with_schema", "reason_schema", said(None, refusal="I will not"), "untestable", "model"),
    ("reason.with_schema", "reason_schema", said('{"zq": true}', thought=None, told=0), "untestable", "model"),
]
GARBAGE = {
    "nothing": Reply(b""),
    "HTML": Reply(b"<html>Sign in</html>", 200, {"content-type": "text/html"}),
    "null": Reply(b"null"),
    "array": Reply([]),
    "text": Reply("hello"),
    "nesting": Reply(b"[" * 200_000),
    "choice a number": Reply({"choices": [7], "usage": []}),
    "fields of other types": said(7, thought=7, told="9", tool_calls=7),  # type: ignore[arg-type]
    "objects": said("8", thought={"text": ["Hm."]}, told={}, tool_calls=[{"function": []}]),  # type: ignore[arg-type]
    "error a list": Reply({"error": [7]}, 400),
    "a stream": events(
        "7", "[]", {"choices": 7}, {"choices": [{"index": 0, "delta": {"reasoning": 7, "content": {}}}]}
    ),
}


def taken(replies: Mapping[str, Any]) -> dict[str, list[Capture]]:
    """The clean captures with these replies in them, that of the stream as one that was asked for."""
    found = captures({**CLEAN, **replies})
    for capture in found[STREAM]:
        request = replace(capture.attempt.request, stream=True)
        found[STREAM] = [replace(capture, attempt=replace(capture.attempt, request=request))]
    return found


def judged(replies: Mapping[str, Any]) -> dict[str, Verdict]:
    """Verdicts by probe, each by itself, so that none is skipped for what it needs."""
    found = taken(replies)
    return {probe.id: judge_all([probe], found, ENDPOINT)[0] for probe in PROBES}


def test_a_clean_transcript_passes_every_probe() -> None:
    """Answers without a fault are supported in everything."""
    assert {name: one.reason for name, one in judged({}).items() if one.verdict != "supported"} == {}


@pytest.mark.parametrize(
    ("probe", "scenario", "reply", "verdict", "says"), CASES, ids=[f"{case[0]} {at}" for at, case in enumerate(CASES)]
)
def test_verdict(probe: str, scenario: str, reply: Reply, verdict: str, says: str) -> None:
    """Each answer gets the verdict that its probe's criterion gives it, for the reason that it has."""
    found = judged({scenario: reply})[probe]
    assert found.verdict == verdict, found
    assert says in " ".join((found.reason, found.expected, found.actual))


def test_a_model_that_does_not_think_accuses_no_server() -> None:
    """Where effort is taken and nothing is thought, nothing is said against the endpoint."""
    idle = {name: said("8", thought=None, told=0) for name in SCENARIOS} | {
        STREAM: streamed(SPEAKING),
        "reason_bogus": error("no such effort"),
        "reason_tools": said(None, thought=None, told=0, tool_calls=[CALL]),
        "reason_schema": said('{"zq": true}', thought=None, told=0),
    }
    assert {one.verdict for one in judged(idle).values()} == {"supported", "untestable"}


def test_an_endpoint_without_efforts_says_no() -> None:
    """Where reasoning_effort is refused, that is all that there is to say."""
    found = {name: one.verdict for name, one in judged(dict.fromkeys(SCENARIOS, REFUSED)).items()}
    assert {name for name, word in found.items() if word != "rejected"} == {"reason.effort_bogus"}


def test_a_model_that_always_thinks_is_seen_without_effort() -> None:
    """Where reasoning_effort is refused, thinking that comes unasked is judged all the same."""
    found = judged({"reason_medium": REFUSED, "twin_whole": said()})
    assert {found[f"reason.{name}"].verdict for name in ("channel", "both_names", "tokens")} == {"supported"}


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_makes_no_judge_fail(what: str) -> None:
    """Whatever stands in the place of an answer, every probe comes to a verdict of its own."""
    for replies in (dict.fromkeys(CLEAN, GARBAGE[what]), *({name: GARBAGE[what]} for name in CLEAN)):
        assert [one for one in judged(replies).values() if one.reason.startswith("probe:")] == []
