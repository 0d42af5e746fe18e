"""The plan of a load: when each request is due, who gives up, what a session says, and how it is dealt out."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, replace
from itertools import islice
from typing import Any

import pytest
from made import catalog, endpoint, load, plan, reply, sample

from harness.errors import UsageError
from harness.exchange import ToolCall
from harness.provider import Limits
from harness.run.arrivals import Burst, Closed, Constant, Law, Poisson, Ramp, law_json, offsets_ns
from harness.run.manifest import loads_json
from harness.run.planning.plan import Plan, make
from harness.run.selecting.selection import Changes, Level, Search, Selection
from harness.run.session import answer, nonced
from harness.run.workers.shares import share
from harness.types import Job, Load, Sample

ONE = (endpoint("a/m"),)
TWO = (endpoint("a/m"), endpoint("b/m"))


def _sessions(seed: int, index: int) -> Sample:
    return replace(sample(f"n{index}"), turns=("And then?", "And at last?"))


def _chat(*laws: Law, **changes: Any) -> Load:
    return replace(load("chat", *laws), **changes)


def _body(made: Plan, job: Job, said: tuple[Any, ...] = ()) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(made.request(job, said).body or b"")
    return body


def test_the_schedule_is_stored_with_the_plan() -> None:
    """Each request of an open law has its due time in the plan's lines: same seed, same load, to the nanosecond."""
    made = plan([_chat(Poisson(20.0))], TWO, seed=5)
    due = list(islice(offsets_ns(Poisson(20.0), 5), 4))
    for lane in made.stages[0].lanes:
        assert [job.due_ns for job in lane] == due
    assert [json.loads(line).get("due_ns") for line in made.lines().splitlines()[:4]] == due
    assert plan([_chat(Poisson(20.0))], TWO, seed=6).lines() != made.lines()


def test_a_closed_loop_has_no_due_times() -> None:
    """Its next request goes when a place is free, so its lines say nothing of a time."""
    assert b"due_ns" not in plan([_chat(Closed(2))], ONE).lines()


def test_a_law_that_ends_says_how_many_there_are() -> None:
    """A burst is as many requests as its size, a ramp as many as its rates give, unless fewer are asked for."""
    burst = Changes(levels=(law_json(Burst(7)),))
    assert len(list(plan([_chat()], ONE, changes=burst).jobs)) == 7
    ramp = Ramp(1.0, 9.0, 4.0)
    made = plan([_chat()], ONE, changes=Changes(levels=(law_json(ramp),)))
    assert len(list(made.jobs)) == len(list(offsets_ns(ramp, 0)))
    made = plan([_chat()], ONE, changes=Changes(levels=(law_json(ramp),), requests=5))
    assert len(list(made.jobs)) == 5


def test_a_duration_ends_a_level() -> None:
    """Under an open law the arrivals inside the time are planned; a closed loop carries the time itself."""
    made = plan([_chat(Constant(10.0), warmup=0)], ONE, changes=Changes(duration_s=2.0))
    assert len(list(made.jobs)) == 20
    closed = plan([_chat(Closed(3))], ONE, changes=Changes(duration_s=2.0)).stages[0]
    assert closed.duration_s == 2.0
    assert len(closed.lanes[0]) >= 3 * 2 / 0.05


def test_a_timed_stage_is_not_begun_twice() -> None:
    """A run taken up again goes on after the stage that was running: its time has passed."""
    made = plan([_chat(Closed(3), Closed(4))], ONE, changes=Changes(duration_s=2.0))
    began = frozenset({made.stages[0].lanes[0][0].id})
    assert [len(stage.lanes[0]) > 0 for stage in made.without(began).stages] == [False, True]


def test_every_turn_of_a_session_is_a_job_of_its_own() -> None:
    """Three turns are three jobs in order; only the first has a due time, all share the index of their prompt."""
    made = plan([_chat(Constant(1.0), sample=_sessions)], ONE)
    first = list(made.jobs)[:3]
    assert [job.turn for job in first] == [0, 1, 2]
    assert [job.due_ns is None for job in first] == [False, True, True]
    assert {job.sample for job in first} == {"0"}
    assert len({job.id for job in made.jobs}) == 12


def test_a_later_turn_carries_what_was_answered() -> None:
    """Answers stand between the user's words, calls are followed by their results, and the planned hash stays."""
    made = plan([_chat(Closed(1), sample=_sessions)], ONE)
    third = list(made.jobs)[2]
    call = ToolCall("c1", "look", "{}")
    said = tuple(answer(reply(text, *calls)) for text, calls in (("Once.", ()), ("Twice.", (call,))))
    messages = _body(made, third, said)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "assistant", "tool", "user"]
    assert messages[1]["content"] == "Once."
    assert messages[3]["tool_calls"][0]["function"]["name"] == "look"
    assert messages[4]["tool_call_id"] == "c1"
    assert messages[-1]["content"] == "And at last?"
    assert made.request(third, said).workload_sha256 == made.request(third).workload_sha256


def test_who_gives_up_is_drawn_from_the_seed_and_alike_for_all_endpoints() -> None:
    """About the stated share of users has a patience; the same ones for every endpoint."""
    made = plan([_chat(Closed(1), requests_per_level=400, give_up_share=0.25, give_up_s=2.0)], TWO)
    patient = [[job.sample for job in lane if job.give_up_s == 2.0] for lane in made.stages[0].lanes]
    assert patient[0] == patient[1]
    assert 70 <= len(patient[0]) <= 130


@pytest.mark.parametrize(
    ("kind", "run", "text"),
    [
        ("request", "ab12", "[ab12-3] Hi"),
        ("run", "ab12", "[ab12] Hi"),
        ("none", "ab12", "Hi"),
        ("request", "", "[3] Hi"),
    ],
)
def test_a_nonce_stands_before_the_first_message(kind: Any, run: str, text: str) -> None:
    """No cache of an earlier run can know a prompt that begins with this run's own text."""
    given = Sample("s", ({"role": "system", "content": "Hi"}, {"role": "user", "content": "You"}))
    assert nonced(given, kind, run, "3").messages == ({"role": "system", "content": text}, given.messages[1])


def test_two_runs_ask_different_bytes_and_two_endpoints_the_same() -> None:
    """The nonce belongs to the run: within it every endpoint is asked the same."""
    first, second = (plan([_chat(Closed(1))], TWO, nonce=nonce) for nonce in ("aaaa", "bbbb"))
    hashes = [{job.endpoint: made.request(job).workload_sha256 for job in made.jobs} for made in (first, second)]
    assert hashes[0]["a/m"] == hashes[0]["b/m"] != hashes[1]["a/m"]


@pytest.mark.parametrize("law", [Poisson(50.0), Closed(7)], ids=["open", "closed"])
@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_any_number_of_processes_carries_out_the_one_plan(law: Law, workers: int) -> None:
    """The shares together are the plan: every job once, with its own due time, and as many places in all."""
    whole = plan([_chat(law, requests_per_level=40, sample=_sessions)], TWO)
    shares = [share(whole, shard, workers) for shard in range(workers)]
    dealt = Counter((job.id, job.due_ns) for one in shares for job in one.jobs)
    assert dealt == Counter((job.id, job.due_ns) for job in whole.jobs)
    for one in shares:
        for lane in one.stages[0].lanes:
            sessions = {job.sample for job in lane}
            assert len(lane) == 3 * len(sessions)  # a session stays with one process
    if isinstance(law, Closed):
        assert sum(one.stages[0].law.concurrency for one in shares if one.stages[0].lanes) == law.concurrency  # type: ignore[union-attr]


def test_limits_are_divided_among_the_processes() -> None:
    """Together they keep within what the user allows."""
    limited = endpoint("a/m", limits=Limits(requests_per_minute=100, concurrency=8))
    shares = [share(plan([_chat(Closed(4))], [limited]), shard, 3) for shard in range(3)]
    of = [one.endpoints["a/m"].provider.limits for one in shares]
    assert sum(limits.requests_per_minute or 0 for limits in of) == 100
    assert sum(limits.concurrency or 0 for limits in of) == 8


def test_the_levels_of_a_search_are_those_it_decided_on() -> None:
    """Each is a stage of the endpoint it was decided for; a repeated level has a name of its own, all ask anew."""
    decided = (Level("a/m", 1, 0, 5), Level("a/m", 2, 0, 5), Level("a/m", 2, 1, 10), Level("b/m", 1, 0, 5))
    search = Search("concurrency", 1, 64)
    made = plan([_chat(Closed(9))], TWO, search=search, decided=decided, changes=Changes(slo="errors<5%"))
    names = [(stage.name, [lane[0].endpoint for lane in stage.lanes]) for stage in made.stages]
    assert names == [
        ("load.chat@c1", ["a/m"]),
        ("load.chat@c2", ["a/m"]),
        ("load.chat@c2#2", ["a/m"]),
        ("load.chat@c1", ["b/m"]),
    ]
    asked = [{job.sample for job in stage.lanes[0]} for stage in made.stages]
    assert asked[0] == asked[3]
    assert asked[0].isdisjoint(asked[1] | asked[2])
    stored = Selection.from_json(json.loads(json.dumps(asdict(made.selection))))
    assert stored == made.selection
    assert make(stored, catalog(_chat(Closed(9))), TWO).lines() == made.lines()


def test_blocks_go_by_turns_and_each_is_a_stage_of_its_own() -> None:
    """A B, B A, A B: a drift in time falls on both alike; both are asked the same in a block, and no two blocks are."""
    made = plan([_chat(Closed(1), Closed(4))], TWO, blocks=3)
    order = [(stage.name, stage.block, [lane[0].endpoint[0] for lane in stage.lanes]) for stage in made.stages]
    assert order == [
        ("load.chat@c1#1", 1, ["a", "b"]),
        ("load.chat@c4#1", 1, ["a", "b"]),
        ("load.chat@c1#2", 2, ["b", "a"]),
        ("load.chat@c4#2", 2, ["b", "a"]),
        ("load.chat@c1#3", 3, ["a", "b"]),
        ("load.chat@c4#3", 3, ["a", "b"]),
    ]
    asked = [[{job.sample for job in lane} for lane in stage.lanes] for stage in made.stages]
    assert all(one == other for one, other in asked)
    assert len(set.union(*(one for one, _ in asked))) == sum(len(one) for one, _ in asked)
    assert all(not stage.together for stage in made.stages)
    stored = Selection.from_json(json.loads(json.dumps(asdict(made.selection))))
    assert make(stored, catalog(_chat(Closed(1), Closed(4))), TWO).lines() == made.lines()
    levels = loads_json(made)[0]["levels"]
    assert [level.get("block") for level in levels] == [1, 1, 2, 2, 3, 3]


def test_a_load_that_is_gone_through_once_has_no_blocks() -> None:
    """Its plan is byte for byte what it always was."""
    once = plan([_chat(Closed(1))], TWO)
    assert [stage.name for stage in once.stages] == ["load.chat@c1"]
    assert "block" not in loads_json(once)[0]["levels"][0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (Changes(slo="ttft_p95"), "ttft_p95"),
        (Changes(slo="speed_p95<1s"), "Did you mean"),
        (Changes(input_tokens="many"), "many"),
        (Changes(give_up="2"), "SHARE:SECONDS"),
        (Changes(prompts="x.jsonl", kind="tools"), "--kind"),
        (Changes(levels=(law_json(Constant(1.0)),), duration_s=0.5), "warm-up"),
    ],
)
def test_a_change_that_cannot_be_made_is_told_in_one_line(changes: Changes, words: str) -> None:
    """What the user wrote and how to mend it."""
    with pytest.raises(UsageError) as told:
        plan([_chat(Closed(1), warmup=1)], ONE, changes=changes)
    assert words in str(told.value)
    assert "\n" not in str(told.value)
