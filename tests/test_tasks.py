"""The shipped tasks, loads and suites, and the command that shows them."""

from __future__ import annotations

import ast
import itertools
import json
import operator
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from made import reply

from harness import catalog, config, request
from harness.cli.tasks import command
from harness.errors import TaskError
from harness.exchange import ToolCall
from harness.provider import Endpoint, Provider
from harness.types import Sample, Task

GSM8K = Path(__file__).parents[2] / "shared" / "data" / "gsm8k" / "test.jsonl"


@pytest.fixture(scope="module")
def shipped() -> catalog.Catalog:
    """What ships with the tool, without the working folder."""
    return catalog.discover([config.shipped("tasks")])


def value_of(expression: str) -> Fraction:
    """The value of an arithmetic expression, exactly."""
    ways: dict[type, Any] = {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: operator.truediv,
        ast.Mod: operator.mod,
        ast.Pow: operator.pow,
    }

    def walk(node: ast.expr) -> Fraction:
        if isinstance(node, ast.BinOp):
            return Fraction(ways[type(node.op)](walk(node.left), walk(node.right)))
        assert isinstance(node, ast.Constant)
        return Fraction(str(node.value))

    return walk(ast.parse(expression, mode="eval").body)


@pytest.mark.parametrize("name", ["arithmetic", "assistant"])
def test_shipped_samples_are_distinct_and_come_in_one_order(shipped: catalog.Catalog, name: str) -> None:
    """Ids and questions are unique, parameters are bounded, and two loads give the same samples."""
    task = shipped.task(name)
    samples = list(task.load(None))
    assert samples == list(task.load(None))
    assert len({sample.id for sample in samples}) == len(samples)
    assert len({json.dumps(sample.messages) for sample in samples}) == len(samples)
    assert {sample.params["temperature"] for sample in samples} == {0}
    assert all(0 < sample.params["max_tokens"] <= 128 for sample in samples)


def test_arithmetic_answers_follow_from_their_working(shipped: catalog.Catalog) -> None:
    """Each of at least 40 answers is the value of the expression beside it, and scores 1."""
    task = shipped.task("arithmetic")
    rows = [json.loads(line) for line in (config.shipped("tasks") / "data/arithmetic.jsonl").read_text().splitlines()]
    samples = list(task.load(None))
    assert len(rows) == len(samples) >= 40
    for row, sample in zip(rows, samples, strict=True):
        assert value_of(row["working"]) == Fraction(row["answer"]) == Fraction(sample.target), row
        assert task.scorer.score(sample, reply(f"{sample.target}")).value == 1.0
        assert task.scorer.score(sample, reply(f"{sample.target}1")).value == 0.0


def test_the_first_twenty_sums_are_as_hard_as_all(shipped: catalog.Catalog) -> None:
    """A limit keeps the share of each level within a tenth."""
    levels = [sample.metadata["level"] for sample in shipped.task("arithmetic").load(None)]
    first, every = Counter(levels[:20]), Counter(levels)
    for level in (1, 2, 3):
        assert abs(first[level] / 20 - every[level] / len(levels)) <= 0.1


def gold_calls(sample: Sample) -> tuple[ToolCall, ...]:
    """The expected calls, with the first accepted value of each argument."""
    calls = []
    for number, call in enumerate(sample.target):
        arguments = {
            name: value["any_of"][0] if isinstance(value, dict) else value for name, value in call["arguments"].items()
        }
        calls.append(ToolCall(f"c{number}", call["name"], json.dumps(arguments)))
    return tuple(calls)


def test_assistant_expectations_can_be_met(shipped: catalog.Catalog) -> None:
    """Every expected call names a tool of its sample, fits its schema and scores 1; another answer does not."""
    task = shipped.task("assistant")
    for sample in task.load(None):
        tools = {tool["function"]["name"]: tool["function"]["parameters"] for tool in sample.tools}
        assert 1 <= len(tools) <= 3
        calls = gold_calls(sample)
        for call in calls:
            Draft202012Validator(tools[call.name]).validate(json.loads(call.arguments))
        assert task.scorer.score(sample, reply("" if calls else "Hello!", *calls)).value == 1.0, sample.id
        surplus = (*calls, ToolCall("c9", next(iter(tools)), "{}"))
        assert task.scorer.score(sample, reply("", *surplus)).value == 0.0


def test_assistant_asks_for_none_one_and_several_calls(shipped: catalog.Catalog) -> None:
    """At least two samples of each odd kind, and one of each among the first ten."""
    counts = [len(sample.target) for sample in shipped.task("assistant").load(None)]
    assert len(counts) >= 12
    assert Counter(counts)[0] >= 2
    assert Counter(counts)[2] >= 2
    assert {0, 1, 2} <= set(counts[:10])


def test_a_users_file_takes_the_place_of_a_tasks_own(shipped: catalog.Catalog, tmp_path: Path) -> None:
    """The same task asks other questions, and an unknown tool in them is told."""
    path = tmp_path / "mine.jsonl"
    path.write_text('{"question": "1 + 0?", "answer": 1}\n')
    (sample,) = shipped.task("arithmetic").load(path)
    assert (sample.messages[0]["content"], sample.target) == ("1 + 0?\nAnswer with the number only.", 1)
    path.write_text('{"id": "x", "question": "?", "tools": ["get_whether"], "expected": []}\n')
    with pytest.raises(TaskError, match="item x: no tool 'get_whether'"):
        list(shipped.task("assistant").load(path))


def test_gsm8k_reads_the_real_test_split(shipped: catalog.Catalog) -> None:
    """1,319 rows, the first answer is 18, and the targets add up to 9,009,187."""
    if not GSM8K.is_file():
        pytest.skip("the GSM8K data is not beside this checkout")
    task: Task = shipped.task("gsm8k")
    samples = list(task.load(GSM8K))
    assert (len(samples), samples[0].target) == (1319, "18")
    assert sum(int(sample.target) for sample in samples) == 9_009_187
    rows = [json.loads(line) for line in GSM8K.read_text(encoding="utf-8").splitlines()]
    for sample, row in zip(samples, rows, strict=True):
        assert row["question"] in sample.messages[0]["content"]
        assert task.scorer.score(sample, reply(row["answer"])).value == 1.0


def test_gsm8k_names_the_row_without_an_answer(shipped: catalog.Catalog, tmp_path: Path) -> None:
    """A row whose answer does not end in a number is a mistake of the file."""
    path = tmp_path / "mine.jsonl"
    path.write_text('{"question": "a", "answer": "#### 1,000"}\n{"question": "b", "answer": 18}\n')
    samples = shipped.task("gsm8k").load(path)
    assert next(samples).target == "1000"
    with pytest.raises(TaskError, match="gsm8k row 2: column 'answer'"):
        next(samples)


def test_shipped_loads_give_prompts_that_can_be_sent(shipped: catalog.Catalog) -> None:
    """The same seed gives the same prompts, each within its own bounds, and every load has an objective."""
    assert set(shipped.loads) == {"short_chat", "chat", "rag", "agent", "json", "embeddings"}
    target = Endpoint(Provider("p", "hosted", None), "m", "m")
    for load in shipped.loads.values():
        samples = [load.sample(1, index) for index in range(20)]
        assert samples == [load.sample(1, index) for index in range(20)]
        assert len({sample.id for sample in samples}) == 20
        assert all(request.build(sample, target, stream=True).body for sample in samples)
        if load.name == "embeddings":  # without output there is no first token
            assert all(len(sample.inputs) == 1 and len(sample.inputs[0].split()) <= 400 for sample in samples)
            assert (load.slo.ttft_ms, load.slo.e2e_ms) == (None, 500)
            continue
        assert all(0 < sample.params["max_tokens"] <= 400 for sample in samples)
        assert load.slo.ttft_ms is not None
    assert [level.label for level in shipped.load("short_chat").levels] == ["c1", "c4", "c8"]
    assert len(shipped.load("agent").sample(0, 0).turns) == 2


def test_loads_with_shared_prefixes_keep_them_shared(shipped: catalog.Catalog) -> None:
    """A nonce of each request's own would make every prefix another."""
    for load in shipped.loads.values():
        samples = [load.sample(0, index) for index in range(40)]
        shared = Counter(one.messages[0]["content"] if one.messages else one.inputs[0] for one in samples)
        assert load.nonce == ("run" if load.name in {"rag", "agent"} else "request")
        assert load.nonce == "request" or max(shared.values()) > 2


def test_suites_name_what_there_is(shipped: catalog.Catalog) -> None:
    """Every task and load of every shipped suite exists, and a limit is within its task's samples."""
    for suite in map(shipped.suite, shipped.suites):
        for entry in suite.tasks:
            name, _, limit = entry.partition(":")
            if limit:
                wanted = int(limit)
                assert len(list(itertools.islice(shipped.task(name).load(None), wanted))) == wanted
        assert all(name in shipped.loads for name in suite.loads)


# --- the command -----------------------------------------------------------------------------------------


def run(*arguments: str) -> str:
    """What the command prints."""
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_list_shows_all_without_loading_data() -> None:
    """Kind, number of items where it is known, scorer, source and licence of each."""
    rows = {row["name"]: row for row in json.loads(run("list", "--json"))}
    assert (rows["arithmetic"]["n"], rows["arithmetic"]["scorer"]) == (48, "numeric v1")
    assert (rows["gsm8k"]["n"], rows["gsm8k"]["licence"]) == (None, "MIT")
    assert (rows["short_chat"]["kind"], rows["short_chat"]["n"]) == ("load", 36)
    assert rows["demo"]["kind"] == "suite"
    table = run("list")
    assert all(name in table for name in rows)


def test_show_prints_two_samples_or_says_why_not(tmp_path: Path) -> None:
    """Tasks and loads come with two examples, from the user's file if one is given."""
    assert [sample["id"] for sample in json.loads(run("show", "arithmetic", "--json"))["samples"]] == ["01", "02"]
    assert len(json.loads(run("show", "short_chat", "--json"))["samples"]) == 2
    assert json.loads(run("show", "demo", "--json"))["loads"] == ["short_chat"]
    assert "get_weather" in run("show", "assistant")
    path = tmp_path / "mine.jsonl"
    path.write_text('{"question": "a?", "answer": "#### 1"}\n')
    (sample,) = json.loads(run("show", "gsm8k", "--data", str(path), "--json"))["samples"]
    assert sample["target"] == "1"
    with pytest.raises(TaskError, match="no such data file"):
        run("show", "gsm8k", "--data", str(tmp_path / "nowhere.jsonl"))


def test_show_tells_an_unknown_name() -> None:
    """The nearest name is offered, whatever its kind."""
    with pytest.raises(Exception, match="Did you mean short_chat"):
        run("show", "short_chta")
