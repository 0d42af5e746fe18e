"""Probes of requests at once: what no simulated fault shows, and that no answer makes a judge fail."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import Any

import pytest
from recorded import spoken_at, taken, verdict
from simulated import ROOT, sent, simulator
from test_probes_errors import GARBAGE
from transcripts import ENDPOINT, Reply, captures, chunk, completion, error, events

from harness.catalog import discover
from harness.conformance import Capture, Probe, judge_all, scenarios_of, select
from harness.exchange import WireMarks
from harness.provider import Deadlines

PROBES = discover([ROOT / "tasks" / "probes"]).probes
MINE = [probe for probe in PROBES.values() if probe.surface in ("isolation", "load", "cancel", "stall")]
CORE = select(tuple(PROBES.values()), "core")


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("probe", MINE, ids=lambda probe: probe.id)
def test_no_answer_makes_a_judge_fail(probe: Probe, garbage: str) -> None:
    """Whatever comes is judged, as JSON or as anything else."""
    scenarios = [scenario.name for scenario in scenarios_of([probe])]
    (found,) = judge_all([probe], captures({name: [GARBAGE[garbage]] * 4 for name in scenarios}), ENDPOINT)
    assert not found.reason.startswith("probe:"), found


def code(number: int) -> str:
    """The code of a guest."""
    (scenario,) = PROBES["isolation.canary"].sees
    body = json.loads(scenario.build(ENDPOINT, number).body or b"")
    return str(body["messages"][1]["content"]).partition(" ")[0]


def guests(*answers: str) -> list[Capture]:
    """What guests were answered, each with the code of its number."""
    (scenario,) = PROBES["isolation.canary"].sees
    asked = [json.loads(scenario.build(ENDPOINT, number).body or b"") for number in range(len(answers))]
    return [
        taken(Reply(completion(text)), scenario.name, number, sent=asked[number]) for number, text in enumerate(answers)
    ]


def chats(*ids: str, **sent: Any) -> list[Capture]:
    """Chats with these ids; each asks something else unless it is said what they ask."""
    return [
        taken(Reply({**completion(), "id": name}), repeat=number, sent=sent or {"number": number})
        for number, name in enumerate(ids)
    ]


def calls(*ids: str) -> list[Capture]:
    """Chats that are answered with a call of these ids."""
    call = {"type": "function", "function": {"name": "paint_wall", "arguments": "{}"}}
    return [
        taken(
            Reply({**completion(None, tool_calls=[{**call, "id": name}]), "id": f"chat-{number}"}),
            "isolation_tools",
            number,
            sent={"tools": [1]},
        )
        for number, name in enumerate(ids)
    ]


def mixed(*answers: tuple[bool, bool]) -> list[Capture]:
    """Chats by whether they were given tools and whether they called one."""
    call = {"id": "c", "type": "function", "function": {"name": "paint_wall", "arguments": "{}"}}
    return [
        taken(
            Reply(completion(None, tool_calls=[call]) if called else completion("Hi")),
            "isolation_tools",
            number,
            sent={"tools": [1]} if given else {"messages": []},
        )
        for number, (given, called) in enumerate(answers)
    ]


def load(*replies: Reply) -> list[Capture]:
    """A chat alone, and others at once."""
    alone = taken(Reply(completion("The sea is deep.")), "load_alone")
    return [alone, *(taken(reply, "load_together", number) for number, reply in enumerate(replies))]


SEA = Reply(completion("The sea is deep."))
SPOKEN = (chunk({"content": "a"}), chunk({"content": "b"}), chunk({"content": "c"}))


def stream(*times_s: float, failure: Any = None) -> Capture:
    """A stream whose pieces came at these times."""
    made = replace(events(*SPOKEN, "[DONE]"), failure=failure)
    return taken(made, "stream_plain", stream=True, reads_s=times_s)


def short(name: str, sent_s: float, first_s: float, last_s: float, repeat: int = 0) -> Capture:
    """A stream that was sent at one time and spoke between two others."""
    marks = WireMarks(send0_ns=round(sent_s * 1e9))
    return spoken_at(taken(events(*SPOKEN, "[DONE]"), name, repeat, stream=True, marks=marks), first_s, last_s)


def dropped(name: str = "cancel_drops", first_s: float = 2.1, last_s: float = 3.0) -> Capture:
    """A long stream that was hung up."""
    return spoken_at(taken(replace(events(*SPOKEN), failure="abandoned"), name, stream=True), first_s, last_s)


SERIAL = [short("cancel_pair", 0, 0.1, 0.9), short("cancel_pair", 0, 1.0, 1.9, 1)]
AT_ONCE = [short("cancel_pair", 0, 0.1, 0.9), short("cancel_pair", 0, 0.1, 0.9, 1)]
SILENT = taken(Reply(status=None, failure="timeout_first_byte"), "cancel_next", stream=True)

CASES: dict[str, tuple[str, list[Capture], str, str]] = {
    "own codes": ("isolation.canary", guests(code(0), code(1), code(2)), "supported", ""),
    "a foreign code": ("isolation.canary", guests(code(0), code(2), code(2)), "broken", code(2)),
    "a foreign code beside its own": (
        "isolation.canary",
        guests(code(0), f"{code(1)} {code(0)}"),
        "broken",
        code(0),
    ),
    "no codes at all": ("isolation.canary", guests("Hello!", "Welcome."), "untestable", "model"),
    "one that was answered": ("isolation.canary", guests(code(0)), "untestable", "evidence"),
    "a code afterwards": (
        "isolation.sequential",
        [*guests(code(0)), taken(Reply(completion(f"You said {code(3)}")), "isolation_then")],
        "broken",
        code(3),
    ),
    "ids of their own": ("isolation.ids", chats("a", "b"), "supported", ""),
    "one id for two": ("isolation.ids", chats("a", "a"), "broken", "a twice"),
    "a cached answer": ("isolation.ids", chats("a", "a", messages=[]), "supported", ""),
    "no ids": ("isolation.ids", chats("", ""), "untestable", "evidence"),
    "calls of one id": ("isolation.ids", calls("c", "c"), "partial", "tool call ids"),
    "calls where there are tools": ("isolation.tools", mixed((True, True), (False, False)), "supported", ""),
    "a call without tools": ("isolation.tools", mixed((True, True), (False, True)), "broken", "calls only"),
    "no calls": ("isolation.tools", mixed((True, False), (False, False)), "untestable", "model"),
    "nobody without tools": ("isolation.tools", mixed((True, True)), "untestable", "evidence"),
    "all at once": ("load.parallel_accepts", load(SEA, SEA), "supported", ""),
    "one throttled": ("load.parallel_accepts", load(SEA, error("busy", 429)), "partial", "429"),
    "all throttled": ("load.parallel_accepts", load(error("busy", 429)), "untestable", "transient"),
    "one crashed": ("load.parallel_accepts", load(SEA, error("oops", 500)), "broken", "500"),
    "other words": ("isolation.t0_load", load(SEA, Reply(completion("The sea is dark."))), "partial", "alike"),
    "no words": ("isolation.t0_load", load(Reply(completion(""))), "untestable", "evidence"),
    "fluent": ("stall.guard", [stream(0, 1, 2)], "supported", ""),
    "slow but steady": ("stall.guard", [stream(0, 10, 20, 30)], "supported", ""),
    "a pause": ("stall.guard", [stream(0, 0.1, 0.2, 0.3, 8)], "partial", "7.7 s"),
    "a stall": ("stall.guard", [stream(0, 1, 62)], "broken", "61.0 s"),
    "given up": ("stall.guard", [stream(0, 1, failure="timeout_idle")], "broken", "60.0 s"),
    "never begun": (
        "stall.guard",
        [taken(Reply(status=None, failure="timeout_first_byte"), stream=True)],
        "untestable",
        "transient",
    ),
    "freed": ("cancel.stream_frees", [*SERIAL, dropped(), short("cancel_next", 5, 5.2, 6)], "supported", ""),
    "busy": ("cancel.stream_frees", [*SERIAL, dropped(), short("cancel_next", 5, 9, 10)], "broken", "4.00 s"),
    "busy for good": ("cancel.stream_frees", [*SERIAL, dropped(), SILENT], "broken", "nothing at all"),
    "many at once": (
        "cancel.stream_frees",
        [*AT_ONCE, dropped(), short("cancel_next", 5, 9, 10)],
        "untestable",
        "several",
    ),
    "too quick": (
        "cancel.stream_frees",
        [*SERIAL, dropped(last_s=2.1001), short("cancel_next", 5, 9, 10)],
        "untestable",
        "through before",
    ),
    "not hung up": (
        "cancel.stream_frees",
        [*SERIAL, short("cancel_drops", 2, 2.1, 3), short("cancel_next", 5, 9, 10)],
        "untestable",
        "through before",
    ),
    "alive after drops": ("cancel.server_ok", [dropped(), short("cancel_next", 5, 9, 10)], "supported", ""),
    "dead after drops": (
        "cancel.server_ok",
        [dropped(), taken(error("gone", 500), "cancel_next", stream=True)],
        "broken",
        "500",
    ),
    "no drops": (
        "cancel.server_ok",
        [short("cancel_drops", 2, 2.1, 3), short("cancel_next", 5, 9, 10)],
        "untestable",
        "evidence",
    ),
    "a prompt read at once": (
        "cancel.prefill_frees",
        [
            *SERIAL,
            short("cancel_read", 2, 2.5, 3),
            dropped("cancel_drop_read"),
            short("cancel_next_read", 5, 9, 10),
        ],
        "untestable",
        "too quick",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_verdict(case: str) -> None:
    """A probe makes of each transcript what its criterion says, and tells why."""
    name, seen, expected, says = CASES[case]
    found = verdict(PROBES[name], *seen)
    assert found.verdict == expected, found
    assert says in " ".join((found.reason, found.expected, found.actual))


def test_everybody_has_a_code_of_his_own() -> None:
    """All guests of a burst tell different codes, the same ones in every run."""
    (scenario,) = PROBES["isolation.canary"].sees
    told = [code(number) for number in range(scenario.repeats)]
    assert len(set(told)) == scenario.repeats
    assert all(len(one) == 12 for one in told)
    assert scenario.build(ENDPOINT, 3) == scenario.build(ENDPOINT, 3)


@pytest.mark.parametrize("fault", ["stall_before_headers", "stall_after_headers", "no_answer"])
def test_a_server_that_hangs_is_not_accused(fault: str) -> None:
    """One that never answers makes no probe accuse it, ends within the deadlines, and every request is kept."""
    names = ("chat.basic", "error.recovery", "http.client_headers", "stall.guard", "load.parallel_accepts")
    probes = [PROBES[name] for name in names]
    scenarios = scenarios_of(probes)
    with simulator() as endpoint:
        provider = replace(endpoint.provider, deadlines=Deadlines(first_byte_s=0.3, idle_s=0.3))
        began = time.monotonic()
        found = asyncio.run(sent(replace(endpoint, provider=provider), scenarios, f"fault={fault}"))
        assert time.monotonic() - began < 0.3 * len(scenarios) + 5
    assert {name: len(each) for name, each in found.items()} == {one.name: one.repeats for one in scenarios}
    judged = judge_all(probes, found, endpoint)
    assert {one.verdict for one in judged} == {"untestable"}
    assert {one.reason.partition(":")[0] for one in judged} <= {"transient", "transport"}


def test_pages_in_the_place_of_answers_are_told() -> None:
    """A server that answers every chat with a page is broken where chats are asked for, and no judge fails on it."""
    probes = [probe for probe in CORE if probe.surface in ("chat", "error", "http", "isolation")]
    with simulator() as endpoint:
        judged = judge_all(probes, asyncio.run(sent(endpoint, scenarios_of(probes), "fault=html_200")), endpoint)
    found = {one.probe: one for one in judged}
    assert found["chat.basic"].verdict == "broken"
    assert {one.verdict for one in judged} <= {"broken", "skipped", "supported"}
    assert not [one for one in judged if one.reason.startswith("probe:")]
