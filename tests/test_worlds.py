"""The simulated environments and their tasks: no call can break them, and only the right state is worth anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import begin, harness, reply
from test_sitting import _lines, _soon, _tries

from harness import catalog, config
from harness.errors import TaskError
from harness.exchange import Completion, ToolCall
from harness.record.folder import open_run
from harness.run import session
from harness.scorers.tool_state import tool_state
from harness.simulator.model import book
from harness.store.query import rows
from harness.types import JsonObject, Sample, Score, Task
from harness.worlds.calendar import Calendar
from harness.worlds.file_system import FileSystem
from harness.worlds.order_desk import OrderDesk
from harness.worlds.script import GONE, after
from harness.worlds.toolbox import Tool, carry_out, number, text, texts

NAMES = ("file_system", "order_desk", "calendar")
SHIPPED = catalog.discover([config.shipped("tasks")])
TASKS: dict[str, Task] = {name: SHIPPED.task(name) for name in NAMES}
SAMPLES = [(name, sample) for name in NAMES for sample in TASKS[name].load(None)]
PROVIDERS = """
providers:
  sure:
    kind: simulated
    serve: {engine: simulator, profile: "null", knows_tasks: yes}
    models: {m: sim-small}
  slow:
    kind: simulated
    serve: {engine: simulator, profile: "null", knows_tasks: yes, ttft_ms: 60}
    models: {m: sim-small}
"""


def said(*steps: Any) -> list[Completion]:
    """The answers of a model that does these steps: texts, or lists of calls."""
    return [_completion(place, one) for place, one in enumerate(steps)]


def _completion(place: int, step: Any) -> Completion:
    text_, made = (step, ()) if isinstance(step, str) else ("", step)
    calls = [
        ToolCall(f"c{place}-{at}", one["name"], json.dumps(one["arguments"], ensure_ascii=False))
        for at, one in enumerate(made)
    ]
    return reply(text_, *calls)


def judged(name: str, sample: Sample, *steps: Any) -> Score:
    """What the task's scorer says of these steps."""
    episode = TASKS[name].scorer.episode
    assert episode is not None
    return episode(sample, said(*steps))


def of(name: str, sample: str) -> Sample:
    """A sample by its id."""
    return next(one for task, one in SAMPLES if (task, one.id) == (name, sample))


# --- environments ----------------------------------------------------------------------------------------

PIECES = st.one_of(
    st.sampled_from(
        [
            *(
                "/",
                "/files",
                "/files/trash",
                "/files/notes/todo.txt",
                "/files/notes",
                "//files/../x",
                "/files/new",
                "",
                ".",
            ),
            *("C-1", "C-3", "P-3", "P-2", "O-1002", "O-1003", "O-1006", "O-1008", "E1", "E5", "E8", "Ines"),
            *(
                "2026-03-02",
                "2026-03-09",
                "2026-02-31",
                "09:00",
                "23:59",
                "24:00",
                "9:00",
                "a",
                "ß",
                "\ud800",
                "x" * 30_000,
            ),
        ]
    ),
    st.integers(-3, 40),
    st.sampled_from([0, 1, 2.0, 2.5, 10**30, 1e300, True, None, [], ["Ines"], ["", 7], {}, {"a": 1}]),
    st.text(max_size=12),
)


def calls(tools: dict[str, Tool]) -> st.SearchStrategy[list[tuple[str, str]]]:
    """Any calls in a row: known and unknown tools, with fitting, foreign, missing and broken arguments."""

    def of_tool(tool: Tool) -> st.SearchStrategy[tuple[str, str]]:
        named = st.fixed_dictionaries({}, optional=dict.fromkeys((*tool.parameters, "more"), PIECES))
        full = st.fixed_dictionaries(dict.fromkeys(tool.parameters, PIECES))
        return st.tuples(st.just(tool.name), st.one_of(full, named).map(json.dumps))

    broken = st.sampled_from(["", "{", "[]", "7", "null", '{"a": NaN}', '{"a": 1, "a": 2}', "[" * 5_000, "x" * 99])
    odd = st.tuples(st.sampled_from([*tools, "", "nothing", "call", "__init__"]), broken | st.text(max_size=20))
    return st.lists(st.one_of(*map(of_tool, tools.values()), odd), max_size=12)


@pytest.mark.parametrize("name", NAMES)
def test_no_call_can_break_an_environment(name: str) -> None:
    """Whatever is called in whatever order: nothing is raised, results and state are JSON, errors change nothing."""
    sample = next(sample for task, sample in SAMPLES if task == name)
    make = TASKS[name].world
    assert make is not None
    tools = {"file_system": FileSystem, "order_desk": OrderDesk, "calendar": Calendar}[name]
    module = __import__(tools.__module__, fromlist=["TOOLS"])

    @settings(max_examples=150, deadline=None)
    @given(calls(module.TOOLS))
    def holds(made: list[tuple[str, str]]) -> None:
        world, twin = make(sample), make(sample)
        for called, arguments in made:
            before = json.dumps(world.state(), allow_nan=False)
            result = world.call(called, arguments)
            told = json.loads(result)
            now = json.dumps(world.state(), allow_nan=False)
            now.encode()
            assert before == now or not (isinstance(told, dict) and "error" in told)
            assert twin.call(called, arguments) == result
        assert world.state() == twin.state()
        assert make(sample).state() == sample.metadata["start"]

    holds()


@pytest.mark.parametrize("name", NAMES)
def test_a_state_that_was_handed_out_is_not_the_environment(name: str) -> None:
    """Who changes what they were given changes nothing."""
    make = TASKS[name].world
    assert make is not None
    world = make(next(sample for task, sample in SAMPLES if task == name))
    before = json.dumps(world.state())
    next(iter(world.state().values())).clear()
    assert json.dumps(world.state()) == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ('{"title": "x", "minutes": 5}', '"x 5 []"'),
        ('{"title": "x", "minutes": 5.0, "people": ["a"]}', "\"x 5 ['a']\""),
        ('{"title": "x"}', "the argument minutes is missing"),
        ('{"title": 7, "minutes": 5}', "title must be a string"),
        ('{"title": "x", "minutes": "5"}', "minutes must be a whole number"),
        ('{"title": "x", "minutes": true}', "minutes must be a whole number"),
        ('{"title": "x", "minutes": 5, "people": "a"}', "people must be a list of strings"),
        ('{"title": "x", "minutes": 5, "place": "y"}', "enter has no argument"),
        ('{"title": "x", "minutes": 5', "the arguments are not JSON"),
        ("[1]", "must be a JSON object"),
        ("", "the argument title is missing"),
    ],
)
def test_arguments_are_checked_before_anything_is_done(arguments: str, told: str) -> None:
    """A mistake is told in words that name the argument; a whole number may be written with a point."""
    enter = Tool(
        "enter",
        "Enter it.",
        {"title": text("t"), "minutes": number("m"), "people": texts("p")},
        lambda world, title, minutes, people=(): f"{title} {minutes} {list(people)}",
        optional=("people",),
    )
    assert told in carry_out({"enter": enter}, None, "enter", arguments)
    assert "there is no tool" in carry_out({"enter": enter}, None, "leave", arguments)


def test_the_order_desk_keeps_its_stock() -> None:
    """What is ordered leaves the stock, what is cancelled comes back, and nothing is refunded twice."""
    desk = OrderDesk.of(of("order_desk", "cancel"))
    for call, arguments, stock in (
        ("change_quantity", {"order_id": "O-1004", "quantity": 6}, 0),
        ("change_quantity", {"order_id": "O-1004", "quantity": 7}, 0),
        ("cancel_order", {"order_id": "O-1004"}, 6),
        ("cancel_order", {"order_id": "O-1004"}, 6),
        ("place_order", {"customer_id": "C-1", "product_id": "P-4", "quantity": 2}, 4),
        ("cancel_order", {"order_id": "O-1008"}, 6),
    ):
        desk.call(call, json.dumps(arguments))
        assert desk.state()["products"]["P-4"]["stock"] == stock
    results = [desk.call("refund_order", '{"order_id": "O-1006", "cents": 3000}') for _ in range(2)]
    assert json.loads(results[0])["refunded_cents"] == 3000
    assert "at most 2000 cents" in results[1]


def test_a_folder_is_moved_with_all_that_is_in_it() -> None:
    """Nothing is left behind, nothing is lost, and a folder does not go into itself."""
    files = FileSystem.of(of("file_system", "sum"))
    assert "cannot be moved" in files.call("move", '{"path": "/files/notes", "to": "/files/notes/old/x"}')
    files.call("move", '{"path": "/files/notes/", "to": "/files/trash/notes"}')
    state = files.state()
    assert "/files/trash/notes/old" in state["folders"]
    assert not [path for path in (*state["files"], *state["folders"]) if path.startswith("/files/notes")]
    assert state["files"]["/files/trash/notes/old/diary-2025.txt"] == "sun\n"
    assert json.loads(files.call("list_folder", '{"path": "/files/trash/notes"}')) == ["ideas.txt", "old/", "todo.txt"]


# --- tasks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_task_has_enough_of_every_kind(name: str) -> None:
    """Twelve samples or more, with two turns, refusals, chains and single calls among them, none of them alike."""
    samples = [sample for task, sample in SAMPLES if task == name]
    assert 12 <= len(samples) <= 20
    assert len({sample.id for sample in samples}) == len({str(sample.messages) for sample in samples}) == len(samples)
    chains = [[one for one in sample.metadata["solution"] if not isinstance(one, str)] for sample in samples]
    assert sum(bool(sample.turns) for sample in samples) >= 2
    assert sum(sample.target["state"] == sample.metadata["start"] for sample in samples) >= 3
    assert sum(not chain for chain in chains) >= 1
    assert sum(len(chain) == 1 for chain in chains) >= 3
    assert sum(len(chain) >= 2 for chain in chains) >= 5
    most = max(len(sample.metadata["solution"]) for sample in samples)
    assert (TASKS[name].steps or 0) >= most + 2


@pytest.mark.parametrize(("name", "sample"), SAMPLES, ids=lambda one: getattr(one, "id", one))
def test_the_reference_solution_is_right(name: str, sample: Sample) -> None:
    """It comes to the target without an error, and the session is over right then."""
    steps = sample.metadata["solution"]
    score = judged(name, sample, *steps)
    assert (score.value, score.explanation) == (1.0, "the state is as it must be")
    details = dict(score.details)
    assert (details["errors"], details["cut_off"], details["requests"]) == (0, False, len(steps))
    carried = [session.answer(one) for one in said(*steps)]
    assert session.over(sample, carried)
    assert not session.over(sample, carried[:-1])


WORKING = [(name, sample) for name, sample in SAMPLES if sample.target["state"] != sample.metadata["start"]]
SURPLUS: dict[str, JsonObject] = {
    "file_system": {"name": "delete", "arguments": {"path": "/files/recipes/bread.txt"}},
    "order_desk": {"name": "cancel_order", "arguments": {"order_id": "O-1007"}},
    "calendar": {"name": "delete_event", "arguments": {"event_id": "E3"}},
}


def _last_calls(sample: Sample) -> tuple[list[Any], int]:
    """The solution's steps, and which of them holds the last calls that change something."""
    steps = list(sample.metadata["solution"])
    lookups = ("list_", "find_", "read_", "get_")
    changing = [not isinstance(one, str) and not one[-1]["name"].startswith(lookups) for one in steps]
    return steps, max(place for place, changes in enumerate(changing) if changes)


@pytest.mark.parametrize(("name", "sample"), WORKING, ids=lambda one: getattr(one, "id", one))
def test_a_call_left_out_is_wrong(name: str, sample: Sample) -> None:
    """Without its last call nothing else of the solution counts."""
    steps, place = _last_calls(sample)
    steps[place : place + 1] = [steps[place][:-1]] if len(steps[place]) > 1 else []
    score = judged(name, sample, *steps)
    assert (score.value, bool(score.details["differs"])) == (0.0, True)


@pytest.mark.parametrize(("name", "sample"), SAMPLES, ids=lambda one: getattr(one, "id", one))
def test_a_side_effect_that_nobody_asked_for_is_wrong(name: str, sample: Sample) -> None:
    """One deletion too many spoils what is right otherwise, refusals and plain questions too."""
    score = judged(name, sample, [SURPLUS[name]], *sample.metadata["solution"])
    assert score.value == 0.0


@pytest.mark.parametrize(
    ("name", "sample", "field", "value"),
    [
        ("file_system", "add-line", "text", "water the plans"),
        ("order_desk", "three-boards", "quantity", 4),
        ("order_desk", "one-was-broken", "cents", 1520),
        ("calendar", "haircut", "time", "15:30"),
        ("calendar", "next-week", "event_id", "E1"),
    ],
)
def test_a_wrong_argument_is_wrong(name: str, sample: str, field: str, value: object) -> None:
    """The explanation names what is not as it must be."""
    found = of(name, sample)
    steps, place = _last_calls(found)
    steps[place] = [{**one, "arguments": {**one["arguments"], field: value}} for one in steps[place]]
    score = judged(name, found, *steps)
    assert score.value == 0.0
    assert ": " in score.explanation


# --- the scorer ------------------------------------------------------------------------------------------

SUM = of("file_system", "sum")
READ: JsonObject = {"name": "read_file", "arguments": {"path": "/files/work/budget.csv"}}
WRITE: JsonObject = {"name": "write_file", "arguments": {"path": "/files/work/sum.txt", "text": "1370"}}


def test_another_way_to_the_same_state_is_right() -> None:
    """How it was reached does not count; calls, errors and calls that changed nothing are told."""
    gone = {"name": "read_file", "arguments": {"path": "/nowhere"}}
    unknown = {"name": "sum_up", "arguments": {}}
    score = judged(
        "file_system",
        SUM,
        [READ, READ],
        [gone],
        [unknown],
        [{**WRITE, "arguments": {**WRITE["arguments"], "text": "1"}}],
        [WRITE],
        "ok",
    )
    assert score.value == 1.0
    details = dict(score.details)
    assert [details[key] for key in ("calls", "errors", "idle", "requests")] == [6, 2, 4, 6]


def test_an_episode_that_is_cut_off_is_judged_by_what_it_reached() -> None:
    """The explanation says so, whether it is right or wrong; the last calls are carried out."""
    right = judged("file_system", SUM, [READ], [WRITE])
    assert (right.value, right.explanation) == (1.0, "the state is as it must be; cut off after 2 requests")
    wrong = judged("file_system", SUM, [READ])
    assert wrong.value == 0.0
    assert wrong.explanation == 'files: "/files/work/sum.txt" is missing; cut off after 1 requests'
    unsaid = judged("file_system", of("file_system", "not-cake"), "Done.")
    assert unsaid.details["cut_off"] is True


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("It takes 10 g.", 1.0),
        ("Exactly 10  G of salt", 1.0),
        ("ten grams", 1.0),
        ("It takes 110 g.", 0.0),
        ("It takes 10 gallons.", 0.0),
        ("3.10 g", 0.0),
        ("", 0.0),
    ],
)
def test_facts_are_told_in_the_last_text(words: str, value: float) -> None:
    """In any case and spacing, as whole words and numbers; the state alone is not enough."""
    sample = of("file_system", "salt")
    assert judged("file_system", sample, "10 g", words).value == value


def test_a_call_that_the_parser_left_standing_is_not_judged() -> None:
    """It is no refusal, though nothing was changed, and no mistake of the model."""
    score = judged("file_system", of("file_system", "never-system"), '<tool_call>{"name": "x"}</tool_call>')
    assert (score.value, score.fault) == (None, "leaked_markup")


@pytest.mark.parametrize(
    "target",
    [
        None,
        7,
        {},
        {"state": {}},
        {"state": {"files": {}}, "facts": "x"},
        {"state": {"a": 1}, "facts": [[]]},
        {"state": {"a": 1}, "facts": [7]},
    ],
)
def test_a_useless_target_is_told(target: Any) -> None:
    """One line names the sample and the shape that is wanted."""
    scorer = tool_state(FileSystem.of)
    with pytest.raises(TaskError, match=r"sample sum: .*target of tool_state"):
        scorer.score(replace(SUM, target=target), said("hello")[0])


def test_only_the_parts_that_the_target_names_count() -> None:
    """A part that is not named may be as it likes."""
    sample = replace(SUM, target={"state": {"folders": SUM.metadata["start"]["folders"]}})
    assert judged("file_system", sample, [WRITE], "ok").value == 1.0


def test_a_state_with_changes() -> None:
    """Values are set and taken out by their path, and the first state stays as it was."""
    start = {"a": {"b": 1, "c": 2}}
    assert after(start, [("a", "b", 7), ("a", "c", GONE), ("d", 3)]) == {"a": {"b": 7}, "d": 3}
    assert start == {"a": {"b": 1, "c": 2}}


def test_wishes_of_a_user_are_asked_in_the_same_environment(tmp_path: Path) -> None:
    """A row has its own first state or the script's, and need not name all parts of the state in the end."""
    path = tmp_path / "mine.jsonl"
    made = {"id": "a", "asks": ["Make /new.", "Thanks."], "state": {"folders": {"/new": True}}, "facts": ["/new"]}
    own = {
        "id": 7,
        "asks": "Delete /x for good.",
        "state": {"files": {}},
        "start": {"files": {"/x": "y"}, "folders": []},
    }
    path.write_text("\n".join(map(json.dumps, (made | {"start": {"files": {}, "folders": {}}}, own))))
    first, second = TASKS["file_system"].load(path)
    assert (first.turns, second.id, second.turns) == (("Thanks.",), "7", ())
    making = [{"name": "make_folder", "arguments": {"path": "/new"}}]
    assert judged("file_system", first, making, "Made.", "There is a /new.").value == 1.0
    assert judged("file_system", second, [{"name": "delete", "arguments": {"path": "/x"}}], "Done.").value == 1.0
    assert judged("file_system", second, "Done.").value == 0.0


@pytest.mark.parametrize("asks", [7, [], ["x", 7], {"a": "b"}])
def test_a_wish_that_is_none_is_told(asks: Any, tmp_path: Path) -> None:
    """One line names the item and what it must be."""
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"id": "a", "asks": asks, "state": {"files": {}}}))
    with pytest.raises(TaskError, match="item a: asks is a text, or a list of texts"):
        list(TASKS["file_system"].load(path))


# --- over the wire ---------------------------------------------------------------------------------------


def test_the_simulator_plays_every_reference_solution(tmp_path: Path) -> None:
    """Through ``harness eval`` over loopback HTTP every sample of all tasks is right, and stays so judged again."""
    (tmp_path / "providers.yaml").write_text(PROVIDERS)
    done = harness(tmp_path, "eval", *NAMES, "-e", "sure/m")
    assert done.returncode == 0, done.stderr
    query = "select task, n_planned, n_scored, n_failed, n_invalid, n_correct from quality_summary order by task"
    per_task = {name: sum(task == name for task, _ in SAMPLES) for name in NAMES}
    expected = [
        {"task": name, "n_planned": n, "n_scored": n, "n_failed": 0, "n_invalid": 0, "n_correct": n}
        for name, n in sorted(per_task.items())
    ]
    assert rows(tmp_path / "results", query) == expected
    assert "no failures" in done.stderr
    (summary,) = rows(tmp_path / "results", "select n, n_failed from endpoint_summary")
    asked = sum(len(sample.metadata["solution"]) for _, sample in SAMPLES)
    assert summary == {"n": asked, "n_failed": 0}
    assert harness(tmp_path, "score").returncode == 0
    assert rows(tmp_path / "results", query) == expected


def test_killed_in_the_middle_of_an_episode_it_goes_on(tmp_path: Path) -> None:
    """What was journalled stays, no try is made twice, and in the end everything is right."""
    (tmp_path / "providers.yaml").write_text(PROVIDERS)
    argv: tuple[str, ...] = ("eval", "order_desk", "-e", "slow/m", "--concurrency", "2")
    kept: list[tuple[str, int]] = []
    for _ in range(3):
        lines = _lines(tmp_path)
        with begin(tmp_path, *argv) as process:
            try:
                assert _soon(lambda seen=lines: _lines(tmp_path) > seen + 6 or process.poll() is not None)  # type: ignore[misc]
            finally:
                process.kill()
            process.communicate(timeout=60)
        found = _tries(open_run(tmp_path / "results", "latest"))
        assert found[: len(kept)] == kept
        kept, argv = found, ("resume",)
    done = harness(tmp_path, "resume")
    assert done.returncode == 0, done.stderr
    tries = _tries(open_run(tmp_path / "results", "latest"))
    assert len(tries) == len(set(tries)) == 16 * 8
    (row,) = rows(tmp_path / "results", "select n_scored, n_failed, n_correct from quality_summary")
    assert row == {"n_scored": 16, "n_failed": 0, "n_correct": 16}


def test_a_task_without_a_reference_solution_does_not_stop_the_simulator() -> None:
    """It is answered all the same, and a task whose solutions are none is left out of what is known."""

    def without(data: Path | None, solution: Any = None) -> Iterator[Sample]:
        return (replace(SUM, metadata={"start": SUM.metadata["start"], "solution": solution}) for _ in "x")

    made = replace(TASKS["file_system"], load=without)
    found = book.write([made]).find(SUM.messages, [tool["function"]["name"] for tool in SUM.tools])
    assert found is not None
    assert (found.text, found.calls) == ("I do not know.", ())
    broken = replace(made, load=lambda data: without(data, [[{"tool": "x"}]]))
    assert len(book.write([broken, TASKS["order_desk"]])) == 32
