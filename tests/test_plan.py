"""A plan: the same questions for everybody, in an order drawn from a seed, and the same at every look."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from made import catalog, endpoint, load, plan, sample, task
from transcripts import error

from harness.conformance import chat
from harness.errors import HarnessError, TaskError, UnknownName, UsageError
from harness.exchange import Completion, Failure
from harness.provider import Quirks
from harness.run.arrivals import Closed, Constant, Poisson
from harness.run.planning.plan import Plan, sha256
from harness.run.selecting.selection import Selection
from harness.scorers.choice import choice
from harness.scorers.exact import exact
from harness.scorers.json_schema import json_schema
from harness.scorers.numeric import numeric
from harness.scorers.tool_call import tool_call
from harness.types import Sample, Score, Scorer

SUMS = task("sums", [sample(f"s{n}") for n in range(9)])
CALLS = task("calls", [sample(f"c{n}") for n in range(5)], kind="tools", stream=False)
CHAT = load("chat", Closed(1), Closed(4), Poisson(2.5), n=6, warmup=2)
EVERYTHING = (SUMS, CALLS, CHAT)
TWO = (endpoint("a/m"), endpoint("b/m", quirks=Quirks(max_tokens_field="max_tokens", drop=("stop",))))


def _asked(made: Plan, name: str) -> list[tuple[str, str, str, int, str]]:
    """What one endpoint is asked, in its order."""
    return [
        (job.stage, job.task, job.sample, job.repeat, made.request(job).workload_sha256)
        for job in made.jobs
        if job.endpoint == name
    ]


def test_the_same_selection_gives_the_same_bytes() -> None:
    """A plan is a pure function: made twice it is equal byte for byte, also from the selection as it was stored."""
    first = plan(EVERYTHING, TWO, seed=7)
    assert plan(EVERYTHING, TWO, seed=7).lines() == first.lines()
    stored = Selection.from_json(json.loads(json.dumps(asdict(first.selection))))
    assert stored == first.selection
    assert sha256(first.lines()) != sha256(plan(EVERYTHING, TWO, seed=8).lines())


def test_every_endpoint_is_asked_the_same() -> None:
    """Samples, order and workload hashes are equal for every endpoint, whatever its quirks; the bodies need not be."""
    made = plan(EVERYTHING, TWO, repeats=2)
    assert _asked(made, "a/m") == _asked(made, "b/m")
    bodies = {job.endpoint: made.request(job).body for job in made.jobs if job.sample == "s0"}
    assert len(set(bodies.values())) == 2


def test_every_job_is_planned_once() -> None:
    """Each sample, repeat and endpoint has one job, and its id is unique."""
    made = plan(EVERYTHING, TWO, repeats=3)
    ids = [job.id for job in made.jobs]
    assert len(ids) == len(set(ids)) == 2 * (3 * (9 + 5) + 3 * (6 + 2))
    each = Counter((job.endpoint, job.task, job.sample, job.repeat) for job in made.jobs)
    assert set(each.values()) == {1}
    assert [json.loads(line)["id"] for line in made.lines().splitlines()] == ids


def test_endpoints_are_interleaved_for_quality_and_apart_for_load() -> None:
    """Quality lanes run side by side, so that a bad hour hits all alike; load lanes do not disturb each other."""
    for stage in plan(EVERYTHING, TWO).stages:
        assert [lane[0].endpoint for lane in stage.lanes] == ["a/m", "b/m"]
        assert stage.together == (stage.kind != "load")


def test_the_order_is_drawn_from_the_seed() -> None:
    """Another seed asks the same samples in another order; a task's order does not depend on the tasks beside it."""
    orders = [[job.sample for job in plan([SUMS], TWO[:1], seed=seed).jobs] for seed in range(4)]
    assert len({tuple(order) for order in orders}) > 1
    assert len({frozenset(order) for order in orders}) == 1
    beside = [job.sample for job in plan(EVERYTHING, TWO[:1], seed=3).jobs if job.task == "sums"]
    assert beside == orders[3]


def test_a_limit_keeps_the_first_samples_of_the_file() -> None:
    """`task:N` is the first N samples, in whatever order they are asked."""
    made = plan([SUMS], TWO[:1], tasks=("sums:4",), seed=5)
    assert {job.sample for job in made.jobs} == {"s0", "s1", "s2", "s3"}
    assert len(list(plan([SUMS], TWO[:1], tasks=("sums:99",)).jobs)) == 9


def test_a_limit_reads_no_further_than_it_must() -> None:
    """The first two samples of an endless source are taken without asking for a fourth."""
    read = itertools.count()

    def endless(data: Path | None) -> Iterator[Sample]:
        while True:
            yield sample(f"s{next(read)}")

    made = plan([task("endless", [], load=endless)], TWO[:1], tasks=("endless:2",))
    assert len(list(made.jobs)) == 2
    assert next(read) <= 3


def _raising(data: Path | None) -> Iterator[Sample]:
    yield sample("s0")
    raise KeyError("question")


@pytest.mark.parametrize(
    ("selection", "things", "error", "words"),
    [
        ({"tasks": ("sums:0",)}, [SUMS], UsageError, "sums:20"),
        ({"tasks": ("sums:-1",)}, [SUMS], UsageError, "sums:20"),
        ({"tasks": ("sums:many",)}, [SUMS], UsageError, "sums:20"),
        ({"tasks": ("sums:",)}, [SUMS], UsageError, "sums:20"),
        ({"tasks": ("sums:²",)}, [SUMS], UsageError, "sums:20"),
        ({"tasks": ("sums", "sums:2")}, [SUMS], UsageError, "'sums' is named twice"),
        ({"tasks": ("sum",)}, [SUMS], UnknownName, "Did you mean sums"),
        ({"loads": ("caht",)}, [CHAT], UnknownName, "Did you mean chat"),
        ({"tasks": ()}, [SUMS], UsageError, "nothing to do"),
        ({"max_requests": 17}, [SUMS], UsageError, "needs 18 requests, more than --max-requests 17"),
        ({}, [task("twins", [sample("x"), sample("y"), sample("x")])], TaskError, "two samples have the id 'x'"),
        ({}, [task("none", [])], TaskError, "task none: no samples"),
        ({"data": "mine.csv"}, [task("none", [])], TaskError, "no samples in mine.csv"),
        ({}, [task("bad", [], load=_raising)], TaskError, "task bad: KeyError: 'question'"),
        ({}, [task("model", [sample("x", model="gpt")])], TaskError, "params must not hold 'model'"),
    ],
)
def test_what_cannot_be_planned_is_told(
    selection: dict[str, Any], things: list[Any], error: type[HarnessError], words: str
) -> None:
    """A mistake in the selection or in a task is one line that names it, before anything is sent."""
    with pytest.raises(error) as caught:
        plan(things, TWO, **selection).lines()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mistake_in_the_code_of_a_task_names_its_line() -> None:
    """Whatever a task's own code raises is told with file and line of that code."""
    line = _raising.__code__.co_firstlineno + 2
    with pytest.raises(TaskError, match=rf"test_plan\.py:{line}"):
        plan([task("bad", [], load=_raising)], TWO)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": ""}, "sample number 2: id must be a string that is not empty, not an empty one"),
        ({"id": 3}, "sample number 2: id must be a string that is not empty, not a int"),
        ({"messages": ()}, "sample 3: messages is empty"),
        ({"messages": "Hi"}, "sample 3: messages must be a tuple of messages, as in (message,), not a str"),
        (
            {"messages": {"role": "user"}},
            "sample 3: messages must be a tuple of messages, as in (message,), not a dict",
        ),
        ({"messages": ("Hi",)}, "sample 3: messages[0] must be a dict, not a str"),
        ({"messages": ({"role": "user"},)}, "sample 3: messages[0] has no 'content'"),
        ({"messages": ({"content": "Hi"},)}, "sample 3: messages[0] has no 'role'"),
        (
            {"messages": ({"role": 1, "content": "Hi"},)},
            "sample 3: messages[0] has a 'role' that is a int, not a string",
        ),
        ({"params": [("max_tokens", 8)]}, "sample 3: params must be a mapping, not a list"),
    ],
)
def test_a_sample_that_cannot_be_sent_is_told(changes: dict[str, Any], words: str) -> None:
    """A sample of a wrong shape is one line that names task, sample and field, before anything is sent."""
    with pytest.raises(TaskError) as caught:
        plan([task("mine", [sample("sound"), replace(sample("3"), **changes)])], TWO)
    assert str(caught.value) == f"task mine: {words}"


def test_what_is_no_sample_is_told() -> None:
    """A task that yields its rows as they are is told which one came as what."""
    rows: list[Any] = [{"question": "?"}]
    with pytest.raises(TaskError, match="task mine: sample number 1 is a dict, not a Sample"):
        plan([task("mine", rows)], TWO)


def test_messages_may_be_a_list_and_hold_calls_without_content() -> None:
    """What the wire takes is not refused."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages: Any = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "1"},
    ]
    assert plan([task("mine", [replace(sample("x"), messages=messages)])], TWO).lines()


@pytest.mark.parametrize(
    ("scorer", "target", "words"),
    [
        (numeric(), "twelve", "numeric"),
        (choice(), "E", "choice(ABCD)"),
        (json_schema(), "x", "json_schema"),
        (tool_call(), {"name": "f"}, "tool_call"),
        (exact(ignore_case=True), None, "exact(ignore_case)"),
    ],
    ids=lambda one: one.name if isinstance(one, Scorer) else "",
)
def test_a_target_that_its_scorer_cannot_use_is_told(scorer: Scorer, target: object, words: str) -> None:
    """It is found before anything is paid for, with the names of task and sample."""
    with pytest.raises(TaskError, match=r"^task mine: sample 3: the target") as caught:
        plan([task("mine", [replace(sample("3"), target=target)], scorer=scorer)], TWO)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_any_error_about_a_target_names_task_and_sample() -> None:
    """A scorer's error that is not worded for a user becomes one that is."""
    deep: Any = {"$schema": ["not", "a", "string"]}
    with pytest.raises(TaskError, match=r"^task mine: sample 3: \w+Error: "):
        plan([task("mine", [replace(sample("3"), target=deep)], scorer=json_schema())], TWO)


def test_the_scorer_of_a_user_is_not_tried() -> None:
    """It may count on an answer that is not empty, as every answer that is scored is."""

    def first_word(one: Sample, completion: Completion) -> Score:
        return Score(1.0, completion.text.split()[0], "", "mine", 1)

    assert plan([task("mine", [sample("3")], scorer=Scorer("mine", 1, first_word))], TWO).lines()


def test_as_many_requests_as_allowed_are_planned() -> None:
    """--max-requests is a ceiling, not a target."""
    assert len(list(plan([SUMS], TWO, max_requests=18).jobs)) == 18


def test_load_prompts_are_distinct_and_equal_between_endpoints() -> None:
    """No prompt comes twice in a run, warm-ups included, so no cache can answer; every endpoint gets the same ones."""
    made = plan([CHAT], TWO, seed=3)
    for name in ("a/m", "b/m"):
        hashes = [asked[-1] for asked in _asked(made, name)]
        assert len(set(hashes)) == len(hashes) == 3 * (6 + 2)
    assert _asked(made, "a/m") == _asked(made, "b/m")
    other = {asked[-1] for asked in _asked(plan([CHAT], TWO, seed=4), "a/m")}
    assert other.isdisjoint(asked[-1] for asked in _asked(made, "a/m"))


def test_each_level_is_a_stage_that_warms_up_and_cools_down_under_its_own_law() -> None:
    """What is measured begins and ends in the middle of the load: warm-ups before it, cool-downs after it."""
    chat = replace(load("chat", Closed(2), Constant(5.0), n=3, warmup=1), cooldown=2)
    stages = plan([chat], TWO[:1]).stages
    assert [(stage.name, stage.law) for stage in stages] == [
        ("load.chat@c2", Closed(2)),
        ("load.chat@r5", Constant(5.0)),
    ]
    for stage in stages:
        assert [job.phase for job in stage.lanes[0]] == ["warmup", *["measure"] * 3, *["cooldown"] * 2]


def test_load_is_streamed_and_quality_as_its_task_says() -> None:
    """Latency needs a stream; a task may ask for a whole answer."""
    made = plan(EVERYTHING, TWO[:1])
    assert {(job.task, made.request(job).stream) for job in made.jobs} == {
        ("sums", True),
        ("calls", False),
        ("chat", True),
    }


def test_without_takes_away_exactly_what_is_done() -> None:
    """What is left keeps its order and its stages; the plan it came from is as it was."""
    made = plan(EVERYTHING, TWO)
    ids = [job.id for job in made.jobs]
    rest = made.without(frozenset(ids[::3]))
    assert [job.id for job in rest.jobs] == [id_ for n, id_ in enumerate(ids) if n % 3]
    assert [stage.name for stage in rest.stages] == [stage.name for stage in made.stages]
    assert [job.id for job in made.jobs] == ids
    assert list(made.without(frozenset(ids)).jobs) == []


def test_served_at_moves_the_endpoints_of_started_servers_only() -> None:
    """The address of a started server reaches its endpoints; the bytes asked and the plan's hash do not change."""
    made = plan(EVERYTHING, TWO)
    served = made.served_at({"b": "http://127.0.0.1:1/v1"})
    assert served.endpoints["a/m"] == made.endpoints["a/m"]
    assert served.endpoints["b/m"].provider.base_url == "http://127.0.0.1:1/v1"
    assert made.endpoints["b/m"].provider.base_url is None
    assert served.lines() == made.lines()


def test_a_changed_question_changes_the_plan() -> None:
    """One changed character in one sample gives another plan; a changed model id does not: the question is the same."""
    changed = task("sums", [sample(f"s{n}", "What?" if n == 4 else None) for n in range(9)])
    assert plan([changed], TWO).lines() != plan([SUMS], TWO).lines()
    renamed = [replace(one, model_id="other") for one in TWO]
    assert plan([SUMS], renamed).lines() == plan([SUMS], TWO).lines()


def test_names_come_from_the_catalogue() -> None:
    """What is planned is what the catalogue holds under that name."""
    assert catalog(*EVERYTHING).task("sums") is plan([SUMS], TWO).tasks["sums"]


@pytest.mark.parametrize(("wanted", "again"), [(frozenset[int](), True), (frozenset({429}), False)])
def test_what_a_probe_wants_to_see_is_not_tried_again(wanted: frozenset[int], again: bool) -> None:
    """A throttled probe is asked once more, except one that asks for just that; then the refusal is its answer."""
    scenario = replace(chat("burst", "a line", "Hello.", cap=1), answers=wanted)
    refused = error("slow down", 429).capture("burst")
    job = replace(refused.attempt.job, sample="burst", kind="probe")
    made = replace(plan(EVERYTHING, TWO), scenarios={"burst": scenario})
    outcome = replace(refused.outcome, failure=Failure("throttled", "slow down", 429))
    delay_s = made.retry_delay_s(replace(refused.attempt, job=job), outcome)
    assert (delay_s is not None) == again
