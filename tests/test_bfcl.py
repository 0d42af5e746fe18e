"""BFCL on its own data: gold passes, all but the four items that nothing can pass; what is not gold does not."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from harness import catalog, config
from harness.cli import cli
from harness.errors import TaskError, UsageError
from harness.exchange import Completion, StreamMarks, ToolCall
from harness.scorers.bfcl import bfcl
from harness.scorers.bfcl_call import call_fault, sent_name
from harness.types import Sample, Score, Task

DATA = Path(__file__).parents[2] / "shared" / "data" / "bfcl_v4"
ROWS = {
    "simple": 400,
    "multiple": 200,
    "parallel": 200,
    "parallel_multiple": 200,
    "irrelevance": 240,
    "live_simple": 258,
    "live_multiple": 1053,
    "live_parallel": 16,
    "live_parallel_multiple": 24,
    "live_irrelevance": 884,
    "live_relevance": 16,
}
GOLD = [name for name in ROWS if "relevance" not in name]
UNPASSABLE = ["live_simple_106-63-0", "live_simple_112-68-0", "live_multiple_862-181-3", "live_multiple_964-207-0"]
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the BFCL data is not beside this checkout")


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    """The shipped BFCL tasks by the name of their set."""
    found = catalog.discover([config.shipped("tasks")]).tasks
    return {name.removeprefix("bfcl_"): task for name, task in found.items() if name.startswith("bfcl_")}


def reply(text: str = "", *calls: tuple[str, Any], finish: str | None = None, reasoning: str = "") -> Completion:
    """An answer; arguments that are no text are written as JSON."""
    made = tuple(
        ToolCall(f"c{number}", name, given if isinstance(given, str) else json.dumps(given))
        for number, (name, given) in enumerate(calls)
    )
    return Completion(text, reasoning, "", made, finish or ("tool_calls" if made else "stop"), None, StreamMarks())


def _plain(value: Any) -> Any:
    """An accepted value as a model would give it; objects list accepted values for each of their names."""
    if isinstance(value, dict):
        return {name: values[0] for name, values in value.items() if values and "" not in values}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def gold(sample: Sample) -> list[tuple[str, dict[str, Any]]]:
    """Gold as calls: of each parameter the first accepted value; what may be left out is, unless it is required."""
    by_name = {function["name"]: function for function in sample.target["functions"]}
    calls = []
    for call in sample.target["ground_truth"]:
        ((name, accepted),) = call.items()
        required = by_name[name]["parameters"]["required"]
        arguments = {
            parameter: next((_plain(value) for value in values if value != ""), "")
            for parameter, values in accepted.items()
            if "" not in values or parameter in required
        }
        calls.append((sent_name(name), arguments))
    return calls


def judged(tasks: dict[str, Task], name: str) -> Iterator[tuple[Sample, Score]]:
    """Each sample with the score of its gold calls."""
    for sample in tasks[name].load(DATA):
        yield sample, tasks[name].scorer.score(sample, reply("", *gold(sample)))


def test_every_set_is_a_task(tasks: dict[str, Task]) -> None:
    """Eleven sets, none of which asks a network for its data."""
    assert set(tasks) == set(ROWS)
    for task in tasks.values():
        with pytest.raises(TaskError, match=r"reads local files.*bfcl-eval"):
            next(task.load(None))


@needs_data
@pytest.mark.parametrize("name", GOLD)
def test_gold_passes_in_every_item_but_four(tasks: dict[str, Task], name: str) -> None:
    """Golden value of the upstream checker: all rows are right, less the four that contradict their own schema."""
    scores = {sample.id: score for sample, score in judged(tasks, name)}
    assert len(scores) == ROWS[name]
    odd = {ident: score for ident, score in scores.items() if score.value != 1.0}
    assert sorted(odd) == sorted(ident for ident in UNPASSABLE if ident.rpartition("_")[0] == name)
    assert all((score.value, score.fault) == (None, "unscorable") for score in odd.values())
    assert all(score.details == {"bfcl_compat": ident not in odd} for ident, score in scores.items())


@needs_data
@pytest.mark.parametrize("name", ROWS)
def test_tools_are_json_schema_under_names_that_can_be_sent(tasks: dict[str, Task], name: str) -> None:
    """Every function has a name of letters, digits, - and _, and parameters that are a schema without foreign types."""
    samples = list(tasks[name].load(DATA))
    assert len(samples) == len({sample.id for sample in samples}) == ROWS[name]
    assert all(("tool_choice" in sample.params) == bool(sample.tools) for sample in samples)
    for told in {json.dumps(tool["function"]) for sample in samples for tool in sample.tools}:
        function = json.loads(told)
        assert function["name"].replace("_", "").replace("-", "").isalnum()
        assert '"optional": ' not in json.dumps(function["parameters"])
        Draft202012Validator.check_schema(function["parameters"])


@needs_data
def test_parallel_178_is_right_in_all_orders(tasks: dict[str, Task]) -> None:
    """All 24 orders of its four calls are right; the original's greedy matching rejects 12 of them."""
    sample = next(one for one in tasks["parallel"].load(DATA) if one.id == "parallel_178")
    scores = [bfcl().score(sample, reply("", *order)) for order in itertools.permutations(gold(sample))]
    assert Counter((score.value, score.details["bfcl_compat"]) for score in scores) == {
        (1.0, True): 12,
        (1.0, False): 12,
    }


@needs_data
@pytest.mark.parametrize("name", GOLD)
def test_what_is_not_gold_is_wrong(tasks: dict[str, Task], name: str) -> None:
    """A required argument left out, another function, text for a number, a call more or less: each by its name."""
    seen: Counter[str] = Counter()
    for sample in tasks[name].load(DATA):
        if sample.id in UNPASSABLE:
            continue
        (first, arguments), *others = gold(sample)
        number = next((key for key, value in arguments.items() if type(value) in (int, float)), None)
        wrong = {
            "wrong_name": [(f"{first}_x", arguments), *others],
            "wrong_count": [(first, arguments), *others, (first, arguments)],
            "no_call" if not others else "wrong_count ": others,
            "arguments_not_json": [(first, json.dumps(arguments)[:-1]), *others],
            "arguments_not_object": [(first, "[]"), *others],
            "unexpected_param": [(first, {**arguments, "no_such": 1}), *others],
        }
        if arguments:
            wrong["missing_required"] = [(first, dict(list(arguments.items())[1:])), *others]
        if number is not None:
            wrong["type_error"] = [(first, {**arguments, number: str(arguments[number])}), *others]
        for kind, calls in wrong.items():
            score = bfcl().score(sample, reply("", *calls))
            assert score.value == 0.0, (sample.id, kind)
            assert score.details["bfcl_compat"] is False
            seen[score.details["error"]] += 1
    assert {"wrong_name", "wrong_count", "arguments_not_json", "unexpected_param", "missing_required"} <= set(seen)


@needs_data
@pytest.mark.parametrize("name", ["irrelevance", "live_irrelevance"])
def test_text_is_right_where_no_function_helps(tasks: dict[str, Task], name: str) -> None:
    """Plain text is right in every item, a call is wrong, and what a broken parser left is neither."""
    scorer = tasks[name].scorer
    for sample in tasks[name].load(DATA):
        said = scorer.score(sample, reply("None of these functions can do that."))
        assert (said.value, said.details) == (1.0, {"outcome": "abstained", "bfcl_compat": True})
        called = scorer.score(sample, reply("", ("f", {})))
        assert (called.value, called.details) == (0.0, {"outcome": "called", "bfcl_compat": False})
        leaked = scorer.score(sample, reply('<tool_call>{"name": "f", "arguments": {}}'))
        assert (leaked.value, leaked.fault) == (None, "leaked_markup")
        assert leaked.details == {"outcome": "invalid", "bfcl_compat": True}


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize(
    ("answer", "value", "fault"),
    [
        (reply("Sorry, no."), 1.0, ""),
        (reply("Sorry.", ("f", "{bad")), 0.0, ""),
        (reply("", ("", "{}")), None, "empty_call"),
        (reply("Hm <function=f>{}</function>"), None, "leaked_markup"),
        (reply("Sorry.", reasoning="<tool_call>{}</tool_call>"), None, "leaked_markup"),
        (reply('{"name": "f", "parameters": {}}'), None, "leaked_markup"),
        (reply('```json\n[{"name": "f", "arguments": {}}]\n```'), None, "leaked_markup"),
        (reply("[f(x=1)]"), None, "leaked_markup"),
        (reply('{"name": "another", "parameters": {}}'), 1.0, ""),
        (reply('{"name": "f", "age": 3}'), 1.0, ""),
        (reply("", reasoning="Hm."), None, "only_reasoning"),
        (reply(" \n"), None, "no_content"),
        (reply("Sorry, I", finish="length"), None, "cut_off"),
        (reply("Sorry.", finish="tool_calls"), None, "wrong_finish_reason"),
    ],
)
def test_only_a_normal_answer_abstains(answer: Completion, value: float | None, fault: str) -> None:
    """Abstained, called, or neither: what a parser, a cut or a server spoilt is neither right nor wrong."""
    score = bfcl().score(Sample("s", (), {"expect": "no_call"}, (TOOL,)), answer)
    assert (score.value, score.fault) == (value, fault)


@pytest.mark.parametrize(
    ("answer", "value", "fault"),
    [
        (reply("", ("f", "{}")), 1.0, ""),
        (reply("", ("another", {"a": 1})), 1.0, ""),
        (reply("", ("f", "{bad")), 0.0, ""),
        (reply("Here you are."), 0.0, ""),
        (reply("<tool_call>"), None, "leaked_markup"),
        (reply("<tool_call>", ("f", "{}")), None, "leaked_markup"),
    ],
)
def test_relevance_takes_any_call_that_can_be_read(answer: Completion, value: float | None, fault: str) -> None:
    """One call is enough, whichever it is; without any, leaked markup is told from silence."""
    score = bfcl().score(Sample("s", (), {"expect": "any_call"}, (TOOL,)), answer)
    assert (score.value, score.fault) == (value, fault)


BOOK = {
    "name": "book",
    "parameters": {
        "type": "dict",
        "properties": {
            "city": {"type": "string"},
            "nights": {"type": "integer"},
            "price": {"type": "float"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "rates": {"type": "array", "items": {"type": "float"}},
            "guest": {"type": "dict"},
            "guests": {"type": "array", "items": {"type": "dict"}},
            "late": {"type": "boolean"},
        },
        "required": ["city"],
    },
}


@pytest.mark.parametrize(
    ("accepted", "arguments", "kind"),
    [
        ({}, {"city": "new-york"}, None),
        ({}, {"city": "Newark"}, "value_error"),
        ({}, {}, "missing_required"),
        ({"nights": [2]}, {"city": "New York"}, "missing_optional"),
        ({"nights": [2, ""]}, {"city": "New York"}, None),
        ({"nights": [2]}, {"city": "New York", "nights": 2.0}, "type_error"),
        ({"nights": [1]}, {"city": "New York", "nights": True}, "type_error"),
        ({"price": [5.0]}, {"city": "New York", "price": 5}, None),
        ({"price": [5]}, {"city": "New York", "price": 10**400}, "value_error"),
        ({"tags": [["A b", "c"]]}, {"city": "New York", "tags": ["ab", "C"]}, None),
        ({"tags": [["a", "b"]]}, {"city": "New York", "tags": ["b", "a"]}, "value_error"),
        ({"tags": [["a"]]}, {"city": "New York", "tags": [1]}, "type_error"),
        ({"rates": [[1.5, 2.0]]}, {"city": "New York", "rates": [1.5, 2]}, "type_error"),
        ({"guest": [{"name": ["Ann"], "age": [3, ""]}]}, {"city": "New York", "guest": {"name": "ann"}}, None),
        ({"guest": [{"name": ["Ann"]}]}, {"city": "New York", "guest": {"name": "Ann", "x": 1}}, "value_error"),
        ({"guest": [{"age": [1]}]}, {"city": "New York", "guest": {"age": True}}, "value_error"),
        ({"guests": [[{"name": ["A"]}]]}, {"city": "New York", "guests": [{"name": "a"}]}, None),
        ({"guests": [[{"name": ["A"]}]]}, {"city": "New York", "guests": []}, "value_error"),
        ({"late": ["is_late"]}, {"city": "New York", "late": "is_late"}, None),
        ({"late": ["is_late"]}, {"city": "New York", "late": "Is-late"}, "value_error"),
        ({}, {"city": "New York", "stars": 5}, "unexpected_param"),
        ({}, {"city": None}, "type_error"),
    ],
)
def test_values_are_compared_as_the_original_does(
    accepted: dict[str, list[Any]], arguments: dict[str, Any], kind: str | None
) -> None:
    """Exact types with one coercion, text without case and punctuation, lists in order, objects name by name."""
    fault = call_fault(BOOK, {"city": ["New York", "NYC"], **accepted}, arguments)
    assert (fault and fault.kind) == kind


def test_leaked_calls_are_not_judged() -> None:
    """Where calls stand in the text the parser failed, also beside calls that it did find."""
    target = {"expect": "calls", "functions": [BOOK], "ground_truth": [{"book": {"city": ["Rome"]}}]}
    sample = Sample("s", (), target, (TOOL,))
    for answer in (reply("<tool_call>"), reply("<tool_call>", ("book", {"city": "Rome"}))):
        score = bfcl().score(sample, answer)
        assert (score.value, score.fault) == (None, "leaked_markup")
    thought = reply("", ("book", {"city": "Rome"}), reasoning="I write <tool_call> now.")
    assert bfcl().score(sample, thought).value == 1.0


@pytest.mark.parametrize(
    "target",
    [
        None,
        {"expect": "something"},
        {"expect": "calls", "functions": [], "ground_truth": []},
        {"expect": "calls", "functions": [{"name": "f"}], "ground_truth": [{"f": {}}]},
        {"expect": "calls", "functions": [BOOK], "ground_truth": [{"another": {}}]},
        {"expect": "calls", "functions": [BOOK], "ground_truth": [{"book": {"city": "Rome"}}]},
    ],
)
def test_a_malformed_target_is_the_tasks_mistake(target: Any) -> None:
    """It is told with the sample's name."""
    with pytest.raises(TaskError, match="sample s"):
        bfcl().score(Sample("s", (), target), reply("x"))


# --- files -----------------------------------------------------------------------------------------------

QUESTION = {"id": "multiple_0", "question": [[{"role": "user", "content": "Book it."}]], "function": [BOOK]}
TRUTH = {"id": "multiple_0", "ground_truth": [{"book": {"city": ["Rome"]}}]}


def written(folder: Path, **answers: Any) -> Path:
    """A folder in BFCL's shape with one item; ``answers`` changes its answer."""
    (folder / "possible_answer").mkdir()
    (folder / "BFCL_v4_multiple.json").write_text(json.dumps(QUESTION) + "\n")
    (folder / "possible_answer" / "BFCL_v4_multiple.json").write_text(json.dumps(TRUTH | answers) + "\n")
    return folder


def test_folder_and_question_file_give_the_same(tasks: dict[str, Task], tmp_path: Path) -> None:
    """The answers are found beside the questions, whichever of the two is named."""
    folder = written(tmp_path)
    assert list(tasks["multiple"].load(folder)) == list(tasks["multiple"].load(folder / "BFCL_v4_multiple.json"))


def test_what_is_missing_is_told(tasks: dict[str, Task], tmp_path: Path) -> None:
    """No question file, no answers, no answer to one question: each with where it was looked for."""
    with pytest.raises(TaskError, match=r"holds no BFCL_v4_parallel\.json"):
        next(tasks["parallel"].load(written(tmp_path, id="multiple_1")))
    with pytest.raises(TaskError, match="no answer to 'multiple_0'"):
        next(tasks["multiple"].load(tmp_path))
    (tmp_path / "possible_answer" / "BFCL_v4_multiple.json").unlink()
    with pytest.raises(TaskError, match=r"there is no .*possible_answer"):
        next(tasks["multiple"].load(tmp_path))


def test_a_folder_serves_several_tasks(tmp_path: Path) -> None:
    """One folder may go with many tasks, a file with one only; a task that reads a file says so."""
    written(tmp_path)
    base = ["eval", "--dry-run", "--results", str(tmp_path / "results"), "-e", "steady-vendor/sim-small", "--data"]
    done = CliRunner().invoke(cli, [*base, str(tmp_path), "bfcl_multiple"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    with pytest.raises(TaskError, match="holds no BFCL_v4_simple_python"):
        CliRunner().invoke(cli, [*base, str(tmp_path), "bfcl_simple", "bfcl_multiple"], catch_exceptions=False)
    file = str(tmp_path / "BFCL_v4_multiple.json")
    with pytest.raises(UsageError, match="goes with one task"):
        CliRunner().invoke(cli, [*base, file, "bfcl_simple", "bfcl_multiple"], catch_exceptions=False)
    with pytest.raises(TaskError, match="is a folder, and one data file is needed"):
        CliRunner().invoke(cli, [*base, str(tmp_path), "arithmetic"], catch_exceptions=False)
