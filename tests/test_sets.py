"""Standard data sets in the hub's schema, and the needle in a long text."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from made import reply

from harness import catalog, config
from harness.errors import CannotMeasure, TaskError
from harness.types import JsonObject, Sample, Task
from harness.workload import words

MMLU = Path(__file__).parents[2] / "shared" / "data" / "mmlu"
NEEDLES = tuple(f"needle_{thousands}k" for thousands in (1, 2, 4, 8, 16, 32, 64, 128))

ARC = {"text": ["steam", "ice", "sand"], "label": ["A", "B", "C"]}
GPQA = {"Correct Answer": "the right one\n", **{f"Incorrect Answer {n}": f"wrong {n}" for n in (1, 2, 3)}}
SCENE = "[header] How to tie a shoe [title] Take both laces. [step] Cross them."
FOUR = ["w", "x", "y", "z"]
ROWS: dict[str, tuple[list[JsonObject], list[tuple[str, str]]]] = {
    # Rows in the hub's schema, written for this test; the letter of each, and the text behind it.
    "mmlu": (
        [
            {"question": "2 + 2?", "subject": "sums", "choices": ["3", "4", "5", "6"], "answer": 1},
            {"question": "3 + 3?", "subject": "sums", "choices": ["3", "4", "5", "6"], "answer": "D"},
        ],
        [("B", "4"), ("D", "6")],
    ),
    "mmlu_pro": (
        [
            {"question": "2 + 2?", "options": list("0123456789"), "answer": "E", "answer_index": 4, "category": "math"},
            {"question": "1 + 1?", "options": ["1", "2", "3"], "answer": "B", "answer_index": 1, "category": "math"},
        ],
        [("E", "4"), ("B", "2")],
    ),
    "arc_challenge": (
        [
            {"id": "q1", "question": "What is frozen water?", "choices": ARC, "answerKey": "B"},
            {"id": "q2", "question": "Hot?", "choices": {"text": FOUR, "label": list("1234")}, "answerKey": "4"},
        ],
        [("B", "ice"), ("D", "z")],
    ),
    "gpqa_diamond": (
        [{"Question": f"Why, number {n}?", **GPQA, "High-level domain": "Physics"} for n in range(12)],
        [],
    ),
    "hellaswag": (
        [{"ctx": SCENE, "endings": ["[substeps] Pull.", *FOUR[1:]], "label": "0", "activity_label": "Shoes"}],
        [("A", "Pull.")],
    ),
    "truthfulqa_mc": (
        [
            {"question": f"Is it so, {n}?", "mc1_targets": {"choices": ["right", *FOUR], "labels": [1, 0, 0, 0, 0]}}
            for n in range(12)
        ],
        [],
    ),
}
HINTS = {
    "mmlu": "test split with the columns question, choices, answer",
    "mmlu_pro": "test split with the columns question, options, answer",
    "arc_challenge": "test split with the columns question, choices, answerKey",
    "gpqa_diamond": "train split with the columns Question, Correct Answer, Incorrect Answer 1, "
    "Incorrect Answer 2, Incorrect Answer 3",
    "hellaswag": "validation split with the columns ctx, endings, label",
    "truthfulqa_mc": "validation split with the columns question, mc1_targets",
}


@pytest.fixture(scope="module")
def shipped() -> catalog.Catalog:
    """What ships with the tool, without the working folder."""
    return catalog.discover([config.shipped("tasks")])


def value(task: Task, sample: Sample, text: str) -> float | None:
    """The score of a text."""
    return task.scorer.score(sample, reply(text)).value


def jsonl(path: Path, rows: list[JsonObject]) -> Path:
    """The path, after the rows were written to it."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def options_of(sample: Sample) -> dict[str, str]:
    """The options of a sample by letter, as the model reads them."""
    return dict(re.findall(r"^([A-Z])\) (.*)$", sample.messages[0]["content"], re.MULTILINE))


# --- multiple choice -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ROWS)
def test_a_local_copy_in_the_hubs_schema_is_asked_offline(
    shipped: catalog.Catalog, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSONL and Parquet give the same samples; the right letter scores 1, every other and none at all 0."""
    import datasets

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    task, (rows, expected) = shipped.task(name), ROWS[name]
    samples = list(task.load(jsonl(tmp_path / "rows.jsonl", rows)))
    assert len(samples) == len(rows)
    if all(type(row.get("answer")) is type(rows[0].get("answer")) for row in rows):
        datasets.Dataset.from_list(rows).to_parquet(str(tmp_path / "rows.parquet"))
        assert list(task.load(tmp_path / "rows.parquet")) == samples
    for sample, (letter, text) in zip(samples, expected, strict=False):
        assert (sample.target, options_of(sample)[letter]) == (letter, text)
    for sample in samples:
        assert sample.params["temperature"] == 0
        assert len(options_of(sample)) == sample.metadata["options"]
        assert value(task, sample, f"The answer is {sample.target}.") == 1.0
        assert all(value(task, sample, other) == 0.0 for other in options_of(sample) if other != sample.target)
        assert value(task, sample, "I cannot say.") == 0.0


@pytest.mark.parametrize("name", ["gpqa_diamond", "truthfulqa_mc"])
def test_an_option_that_the_source_lists_first_is_hidden(shipped: catalog.Catalog, name: str, tmp_path: Path) -> None:
    """The right option has several places, and its text stands behind the right letter."""
    samples = list(shipped.task(name).load(jsonl(tmp_path / "rows.jsonl", ROWS[name][0])))
    assert len({sample.target for sample in samples}) >= 3
    assert {options_of(sample)[sample.target] for sample in samples} <= {"the right one", "right"}


def test_marks_of_wikihow_are_no_part_of_a_scene(shipped: catalog.Catalog, tmp_path: Path) -> None:
    """What stands in square brackets is not asked."""
    (sample,) = shipped.task("hellaswag").load(jsonl(tmp_path / "rows.jsonl", ROWS["hellaswag"][0]))
    assert "How to tie a shoe. Take both laces. Cross them." in sample.messages[0]["content"]
    assert "[" not in sample.messages[0]["content"]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("mmlu", {"answer": 4}, "mmlu row 1: the right option is '4', not a letter A to D"),
        ("mmlu", {"choices": "['3', '4']"}, "mmlu row 1: the options are one text, not a list. CSV cannot"),
        ("mmlu_pro", {"answer": "K"}, "mmlu_pro row 1: the right option is 'K', not a letter A to J"),
        ("arc_challenge", {"answerKey": "E"}, "arc_challenge row 1: answerKey 'E' is none of the labels"),
        ("arc_challenge", {"choices": FOUR}, "arc_challenge row 1: column 'choices' must hold two lists"),
        ("gpqa_diamond", {"Correct Answer": None}, "line 1: no column 'Correct Answer'"),
        ("hellaswag", {"label": ""}, "hellaswag row 1: label is empty. The test split has no answers"),
        ("hellaswag", {"endings": "a"}, "hellaswag row 1: the options are one text"),
        ("truthfulqa_mc", {"mc1_targets": {"choices": FOUR, "labels": [1, 1, 0, 0]}}, "row 1: 2 of its labels are 1"),
        ("truthfulqa_mc", {"mc1_targets": {"choices": FOUR, "labels": [1]}}, "row 1: column 'mc1_targets' must"),
        ("truthfulqa_mc", {"mc1_targets": "right"}, "row 1: column 'mc1_targets' must hold two lists"),
    ],
)
def test_a_row_that_is_wrong_is_named(
    shipped: catalog.Catalog, name: str, change: JsonObject, message: str, tmp_path: Path
) -> None:
    """One line says which row and which field."""
    with pytest.raises(TaskError, match=re.escape(message)) as told:
        list(shipped.task(name).load(jsonl(tmp_path / "rows.jsonl", [ROWS[name][0][0] | change])))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", HINTS)
def test_without_the_hub_the_file_to_give_is_told(
    shipped: catalog.Catalog, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the split and every column, and the revision that is asked for is a commit."""
    import datasets

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path))
    task = shipped.task(name)
    with pytest.raises(CannotMeasure, match="cannot be reached") as told:
        next(task.load(None))
    assert str(told.value).endswith(HINTS[name])
    assert re.fullmatch(r"hub [\w-]+/[\w-]+@[0-9a-f]{7}", task.source)


@pytest.mark.parametrize(("file", "n"), [("test_first20_per_subject.jsonl", 1140), ("dev.jsonl", 285)])
def test_mmlu_reads_real_rows(shipped: catalog.Catalog, file: str, n: int) -> None:
    """All rows of 57 subjects, each with its own letter, which scores 1."""
    if not MMLU.is_dir():
        pytest.skip("the MMLU data is not beside this checkout")
    task = shipped.task("mmlu")
    samples = list(task.load(MMLU / file))
    rows = [json.loads(line) for line in (MMLU / file).read_text(encoding="utf-8").splitlines()]
    assert len(samples) == len(rows) == n
    assert set(Counter(sample.metadata["subject"] for sample in samples).values()) == {n // 57}
    for sample, row in zip(samples, rows, strict=True):
        assert sample.target == row["answer"]
        assert row["choices"]["ABCD".index(row["answer"])].strip() in sample.messages[0]["content"]
        assert value(task, sample, f"{row['answer']})") == 1.0


# --- the needle ------------------------------------------------------------------------------------------


def test_every_length_holds_every_depth_four_times(shipped: catalog.Catalog) -> None:
    """Twenty prompts each, the first five at the five depths, about as long as the name says."""
    for name in NEEDLES[:5]:
        samples = list(shipped.task(name).load(None))
        asked = 1000 * int(name.removeprefix("needle_").removesuffix("k"))
        depths = [sample.metadata["depth"] for sample in samples]
        assert depths[:5] == [0, 25, 50, 75, 100]
        assert set(Counter(depths).values()) == {4}
        assert all(asked - 2 <= words.count(sample.messages[0]["content"]) <= asked for sample in samples)
    assert all(name in shipped.tasks for name in NEEDLES)


def test_the_needle_lies_at_its_depth(shipped: catalog.Catalog) -> None:
    """First, last, or within 2 % of its share of the text; it is told once, and three others like it are there."""
    for name in NEEDLES[:4]:
        for sample in shipped.task(name).load(None):
            text, question = sample.messages[0]["content"].split("\n\n")
            place = question.split(" of the ")[1].split("?")[0]
            needle = f"The code of the {place} is {sample.target}."
            assert text.count(needle) == text.count(sample.target) == text.count(place) == 1
            codes = re.findall(r"The code of the (\w+) is (\d{6})\.", text)
            assert len(dict(codes)) == len({code for _, code in codes}) == 4
            depth, before = sample.metadata["depth"], text.index(needle)
            assert before == 0 if depth == 0 else True
            assert text.endswith(needle) if depth == 100 else True
            assert abs(before / len(text) - depth / 100) < 0.02


def test_no_two_prompts_share_their_beginning(shipped: catalog.Catalog) -> None:
    """No prompt cache can help: the first hundred characters differ, also between lengths."""
    begun = [one.messages[0]["content"][:100] for name in NEEDLES[:4] for one in shipped.task(name).load(None)]
    assert len(set(begun)) == len(begun)


def test_the_longest_text_is_whole_and_the_same_for_ever(shipped: catalog.Catalog) -> None:
    """The first prompts of the shortest and the longest task are these bytes."""
    found = {}
    for name in ("needle_1k", "needle_128k"):
        text = next(shipped.task(name).load(None)).messages[0]["content"]
        found[name] = (words.count(text), hashlib.sha256(text.encode()).hexdigest()[:12])
    assert found == {"needle_1k": (1000, "58f4292d16fe"), "needle_128k": (128_000, "bc4cc4365396")}


def test_only_the_code_is_right(shipped: catalog.Catalog) -> None:
    """A code in a sentence is right, another place's code and a refusal are wrong."""
    task: Any = shipped.task("needle_1k")
    sample = next(task.load(None))
    codes = re.findall(r"\d{6}", sample.messages[0]["content"])
    assert value(task, sample, f"The code is {sample.target}.") == 1.0
    assert [value(task, sample, code) for code in codes].count(1.0) == 1
    assert value(task, sample, "The text does not tell it.") == 0.0


def test_a_file_for_the_needle_is_refused(shipped: catalog.Catalog, tmp_path: Path) -> None:
    """What would be ignored silently is an error."""
    with pytest.raises(TaskError, match=r"needle_4k makes its own texts\. Leave out --data"):
        next(shipped.task("needle_4k").load(tmp_path / "mine.jsonl"))
