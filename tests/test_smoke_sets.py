"""The offline sets: every target scores 1, the wrong answer beside it 0, and a model that is right gets all."""

from __future__ import annotations

import contextlib
import io
import json
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from made import harness, reply
from test_tasks import gold_calls, value_of

from harness import catalog, config
from harness.exchange import ToolCall
from harness.store.query import rows
from harness.types import JsonObject, Sample, Task

LETTERED = ("classification", "commonsense", "logic")
WORDED = ("reading", "extraction", "instructions", "quantities", "code_reading", "languages", "rewriting")
SETS = (*LETTERED, *WORDED, "errands")
SMOKE = ("arithmetic:20", "assistant", *SETS)

VARIANTS: dict[str, list[tuple[str, str]]] = {
    # Item and answer: what a right answer may also look like.
    "reading": [("01", "rosa lind."), ("11", "on Fridays"), ("02", "Pier 4"), ("12", "Trucks"), ("17", "May 20th")],
    "instructions": [("01", " LANTERN\n"), ("09", "[3,2,1]"), ("15", "{ }")],
    "quantities": [("01", "150 minutes"), ("04", "3,200 m"), ("19", "25.40 cm"), ("05", "The answer is 750 g.")],
    "languages": [("09", "七"), ("01", "roma."), ("15", "O cão"), ("20", "８")],
    "rewriting": [("03", "He'll open the window."), ("01", "she walked to school"), ("10", "We’re late.")],
    "code_reading": [("16", "[1,2,3]"), ("08", "2  1\n")],
    "extraction": [("04", '```json\n{"teas": 1, "coffees": 2}\n```'), ("05", '{"free_rooms": [15, 12]}')],
    "classification": [("01", "the answer is (a)"), ("01", "A) negative")],
}
WRONG: dict[str, list[tuple[str, str]]] = {
    "reading": [("01", "Rosa Lind owns it, or Mill Street"), ("01", "")],
    "instructions": [("01", '"LANTERN"'), ("01", "Sure! LANTERN")],
    "quantities": [("04", "3.2"), ("01", "about two hours")],
    "languages": [("01", "Rome")],
    "code_reading": [("10", "true")],
    "extraction": [("04", '{"coffees": "2", "teas": "1"}'), ("04", '{"coffees": 2}'), ("04", "2 and 1")],
    "rewriting": [("01", "Here is the new text: She walked to school.")],
    "classification": [("01", "A or B"), ("01", "negative or positive")],
}


@pytest.fixture(scope="module")
def shipped() -> catalog.Catalog:
    """What ships with the tool, without the working folder."""
    return catalog.discover([config.shipped("tasks")])


def value(task: Task, sample: Sample, text: str) -> float | None:
    """The score of a text."""
    return task.scorer.score(sample, reply(text)).value


def paired(shipped: catalog.Catalog, name: str) -> list[tuple[JsonObject, Sample]]:
    """The rows of a set's file and the samples made of them."""
    lines = (config.shipped("tasks") / "data" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return list(zip(map(json.loads, lines), shipped.task(name).load(None), strict=True))


@pytest.mark.parametrize("name", SETS)
def test_a_set_holds_twenty_distinct_bounded_items(shipped: catalog.Catalog, name: str) -> None:
    """Ids and questions are unique, few tokens are allowed, and two loads give the same samples."""
    samples = list(shipped.task(name).load(None))
    assert samples == list(shipped.task(name).load(None))
    assert len(samples) == len({sample.id for sample in samples}) == 20
    assert len({json.dumps(sample.messages) for sample in samples}) == 20
    assert all(sample.params["temperature"] == 0 and sample.params["max_tokens"] <= 128 for sample in samples)
    assert shipped.task(name).licence == "Apache-2.0"


@pytest.mark.parametrize("name", LETTERED)
def test_one_letter_is_right(shipped: catalog.Catalog, name: str) -> None:
    """The target scores 1 in any usual form, every other letter 0, and no letter is right much more often."""
    task = shipped.task(name)
    for row, sample in paired(shipped, name):
        assert sample.target == row["answer"]
        for letter, text in zip("ABCD", row["options"], strict=False):
            said = (letter, letter.lower(), f"({letter}) {text}", f"The answer is {letter}.")
            assert {value(task, sample, one) for one in said} == {float(letter == sample.target)}
    letters = Counter(row["answer"] for row, _ in paired(shipped, name) if len(row["options"]) == 4)
    assert max(letters.values()) <= sum(letters.values()) / 2


@pytest.mark.parametrize("name", WORDED)
def test_every_right_wording_scores_and_the_wrong_one_does_not(shipped: catalog.Catalog, name: str) -> None:
    """Each target scores 1, the wrong answer that the item lists scores 0."""
    task = shipped.task(name)
    for row, sample in paired(shipped, name):
        right = row["answer"] if isinstance(row["answer"], list) else [row["answer"]]
        texts = [one if isinstance(one, str) else json.dumps(one) for one in right]
        assert {value(task, sample, text) for text in texts} == {1.0}, sample.id
        wrong = row["wrong"] if isinstance(row["wrong"], str) else json.dumps(row["wrong"])
        assert value(task, sample, wrong) == 0.0, sample.id


@pytest.mark.parametrize("name", VARIANTS)
def test_sensible_variants_are_right_and_sloppy_ones_are_not(shipped: catalog.Catalog, name: str) -> None:
    """Case, punctuation, units and other wordings are forgiven where they are not what is asked for."""
    task = shipped.task(name)
    by_id = {sample.id[-2:]: sample for sample in task.load(None)}
    assert [text for item, text in VARIANTS[name] if value(task, by_id[item], text) != 1.0] == []
    assert [text for item, text in WRONG[name] if value(task, by_id[item], text) != 0.0] == []


def test_other_values_of_an_extraction_are_as_good(shipped: catalog.Catalog) -> None:
    """Each alternative scores 1, a field more or less 0."""
    task = shipped.task("extraction")
    for row, sample in paired(shipped, "extraction"):
        assert set(row["fields"]) == set(row["answer"])
        for field, others in row.get("also", {}).items():
            assert all(value(task, sample, json.dumps(row["answer"] | {field: one})) == 1.0 for one in others)
        assert value(task, sample, json.dumps(row["answer"] | {"more": 1})) == 0.0
        assert value(task, sample, json.dumps(dict(list(row["answer"].items())[1:]))) == 0.0


def test_quantities_follow_from_their_working(shipped: catalog.Catalog) -> None:
    """Each answer is the value of the expression beside it."""
    for row, _ in paired(shipped, "quantities"):
        assert value_of(row["working"]) == Fraction(row["answer"]), row


def test_programs_print_what_is_said(shipped: catalog.Catalog) -> None:
    """Each program was run: its output is the first accepted answer, to the letter."""
    for row, sample in paired(shipped, "code_reading"):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(row["code"], {})
        assert printed.getvalue().rstrip("\n") == row["answer"][0]
        assert row["code"] in sample.messages[0]["content"]


def test_an_answer_of_reading_stands_in_its_passage(shipped: catalog.Catalog) -> None:
    """Wherever it is not a matter of one step: 17 of 20."""
    found = [
        any(text.casefold() in row["passage"].casefold() for text in row["answer"])
        for row, _ in paired(shipped, "reading")
    ]
    assert sum(found) >= 17


def test_ten_languages_come_once_before_any_comes_again(shipped: catalog.Catalog) -> None:
    """The first ten items are of ten languages, the second ten too."""
    languages = [sample.metadata["language"] for sample in shipped.task("languages").load(None)]
    assert len(set(languages[:10])) == 10
    assert languages[:10] == languages[10:]


def test_errands_can_be_run(shipped: catalog.Catalog) -> None:
    """Every expected call names a tool of its item, fits its schema and scores 1; another answer does not."""
    task = shipped.task("errands")
    samples = list(task.load(None))
    assert Counter(len(sample.target) for sample in samples) == {1: 14, 2: 3, 0: 3}
    for sample in samples:
        tools = {tool["function"]["name"]: tool["function"]["parameters"] for tool in sample.tools}
        calls = gold_calls(sample)
        for call in calls:
            Draft202012Validator(tools[call.name]).validate(json.loads(call.arguments))
        assert task.scorer.score(sample, reply("" if calls else "Hello!", *calls)).value == 1.0, sample.id
        surplus = (*calls, ToolCall("c9", next(iter(tools)), "{}"))
        assert task.scorer.score(sample, reply("", *surplus)).value == 0.0
        for call in calls:
            for name, given in json.loads(call.arguments).items():
                other = json.dumps(json.loads(call.arguments) | {name: "other" if isinstance(given, str) else 77})
                changed = tuple(ToolCall(one.id, one.name, other) if one == call else one for one in calls)
                assert task.scorer.score(sample, reply("", *changed)).value == 0.0, (sample.id, name)


def test_errands_are_not_those_of_assistant(shipped: catalog.Catalog) -> None:
    """No question and no tool is in both sets."""
    ours, theirs = (list(shipped.task(name).load(None)) for name in ("errands", "assistant"))
    asked = [{sample.messages[0]["content"] for sample in one} for one in (ours, theirs)]
    tools = [{tool["function"]["name"] for sample in one for tool in sample.tools} for one in (ours, theirs)]
    assert asked[0] & asked[1] == tools[0] & tools[1] == set()


@pytest.mark.parametrize("name", SETS)
def test_a_users_file_takes_the_place_of_the_items(shipped: catalog.Catalog, name: str, tmp_path: Path) -> None:
    """The set's own file, given as --data, is asked as it is."""
    path = tmp_path / "mine.jsonl"
    path.write_bytes((config.shipped("tasks") / "data" / f"{name}.jsonl").read_bytes())
    task: Any = shipped.task(name)
    assert list(task.load(path)) == list(task.load(None))


def test_a_vendor_that_is_right_gets_everything(shipped: catalog.Catalog, tmp_path: Path) -> None:
    """The suite smoke names all sets, and a simulated vendor without errors has 256 of 256 right."""
    assert set(shipped.suite("smoke").tasks) == set(SMOKE)
    (tmp_path / "providers.yaml").write_text(
        "providers:\n  sure:\n    kind: simulated\n    models: {sim-small: sim-small}\n"
        "    serve: {engine: simulator, profile: steady-vendor, accuracy: 1, tool_accuracy: 1, ttft_ms: 0, itl_ms: 0}\n"
    )
    done = harness(tmp_path, "run", "smoke", "-e", "sure/sim-small")
    assert done.returncode == 0, done.stderr
    scored = rows(tmp_path / "results", "select task, n_correct as n from quality_summary where n_correct > 0")
    counted = {row["task"]: row["n"] for row in scored}
    assert counted == {name.partition(":")[0]: 16 if name == "assistant" else 20 for name in SMOKE}
