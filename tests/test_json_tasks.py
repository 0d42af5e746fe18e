"""Tasks of schemas to follow: every schema is one, and every example of ours fits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from made import reply

from harness import catalog, config
from harness.errors import TaskError
from harness.simulator.model.book import write
from harness.types import Sample, Score, Task

WALLE = Path(__file__).parents[2] / "shared" / "data" / "walle_json_schema"
SHIPPED = catalog.discover([config.shipped("tasks")])
RECORDS, FOLLOWING = SHIPPED.task("json_records"), SHIPPED.task("json_schema_following")
needs_data = pytest.mark.skipif(not WALLE.is_dir(), reason="the schemas are not beside this checkout")


def judged(task: Task, sample: Sample, text: str) -> Score:
    """The score of a text."""
    return task.scorer.score(sample, reply(text))


def test_every_record_can_be_written() -> None:
    """Twenty distinct items; the example of each fits its schema, which is sent strict and told in the question."""
    samples = list(RECORDS.load(None))
    assert samples == list(RECORDS.load(None))
    assert len(samples) == len({sample.messages[0]["content"] for sample in samples}) == 20
    for sample in samples:
        assert judged(RECORDS, sample, sample.metadata["answer_text"]).value == 1.0, sample.id
        assert judged(RECORDS, sample, "{}").value == 0.0
        form = sample.params["response_format"]["json_schema"]
        assert (form["schema"], form["strict"]) == (sample.target, True)
        assert json.dumps(sample.target, ensure_ascii=False) in sample.messages[0]["content"]
        Draft202012Validator.check_schema(sample.target)


def test_the_simulator_knows_the_records() -> None:
    """Its book holds the example of each."""
    book = write([RECORDS])
    for sample in RECORDS.load(None):
        entry = book.find(sample.messages, ())
        assert entry is not None
        assert entry.text == sample.metadata["answer_text"]


def test_a_users_records_need_no_example(tmp_path: Path) -> None:
    """Columns id, text and schema are enough."""
    path = tmp_path / "mine.jsonl"
    path.write_text('{"id": "a", "text": "Three.", "schema": {"type": "integer"}}\n')
    (sample,) = RECORDS.load(path)
    assert judged(RECORDS, sample, "3").value == 1.0
    path.write_text('{"id": "a", "text": "Three."}\n')
    with pytest.raises(TaskError, match="line 1: no column 'schema'"):
        next(RECORDS.load(path))


@needs_data
def test_every_schema_judges_answers() -> None:
    """213 schemas in 17 folders; each is sent as it stands, and takes any answer without raising."""
    samples = list(FOLLOWING.load(WALLE))
    assert len(samples) == len({sample.id for sample in samples}) == 213
    assert len({sample.id.rpartition("-")[0] for sample in samples}) == len(list(WALLE.glob("*/valid.jsonl")))
    odd = [
        sample.id for sample in samples if sample.target != sample.params["response_format"]["json_schema"]["schema"]
    ]
    assert odd == ["TestID-03", "TestID-05", "TestID-06"]
    values = [
        judged(FOLLOWING, sample, text).value for sample in samples for text in ("{}", "[]", "null", "1", '"a"', "{")
    ]
    assert set(values) == {0.0, 1.0}


@needs_data
def test_a_folder_of_schemas_or_one_file_will_do() -> None:
    """All folders, one of them, or a file in it; what is not there is told."""
    one = list(FOLLOWING.load(WALLE / "TestAnyOf"))
    assert one == list(FOLLOWING.load(WALLE / "TestAnyOf" / "valid.jsonl"))
    assert [sample.id for sample in one] == [f"TestAnyOf-{number:02d}" for number in (1, 2, 3, 4)]


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    """No data at all, and a folder that holds no schemas."""
    with pytest.raises(TaskError, match=r"reads local files.*walle"):
        next(FOLLOWING.load(None))
    with pytest.raises(TaskError, match=r"holds no valid\.jsonl"):
        next(FOLLOWING.load(tmp_path))


def test_rows_that_are_no_schemas_are_refused(tmp_path: Path) -> None:
    """Of the wrong file every answer would be right; the empty schema is one."""
    path = tmp_path / "mine.jsonl"
    path.write_text('{}\n{"question": "a", "answer": "1"}\n')
    samples = FOLLOWING.load(path)
    assert next(samples).target == {}
    with pytest.raises(TaskError, match=r"mine\.jsonl row 2: no JSON Schema\. It has: question, answer"):
        next(samples)
