"""Prompts of a user's file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import TaskError
from harness.types import Sample
from harness.workload.lengths import Fixed, Uniform
from harness.workload.prompts import Prompts

DATA = Path(__file__).parents[2] / "shared" / "data"


def prompts(tmp_path: Path, *rows: Any) -> Prompts:
    """A file with these rows."""
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return Prompts(path)


def said(sample: Sample) -> list[tuple[str, Any]]:
    """Roles and contents of the first request."""
    return [(message["role"], message["content"]) for message in sample.messages]


def test_every_kind_of_row_is_a_prompt_or_a_session(tmp_path: Path) -> None:
    """One text, messages with their history, turns, and recorded conversations without their answers."""
    asked = prompts(
        tmp_path,
        {"prompt": "One", "max_tokens": 7, "note": "passed over"},
        {"question": "Two ä", "answer": "#### 2"},
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}] * 2},
        {"turns": ["first", "second", "third"], "question_id": 81},
        {"conversation": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]},
        {
            "conversations": [
                {"from": "gpt", "value": "hello"},
                {"from": "human", "value": "x"},
                {"from": "gpt", "value": "y"},
                {"from": "human", "value": "z"},
            ]
        },
    )
    samples = [asked(0, index) for index in range(len(asked))]
    assert [said(sample) for sample in samples] == [
        [("user", "One")],
        [("user", "Two ä")],
        [("user", "a"), ("assistant", "b"), ("user", "a")],
        [("user", "first")],
        [("system", "s"), ("user", "u")],
        [("user", "x")],
    ]
    assert [sample.turns for sample in samples] == [(), (), (), ("second", "third"), (), ("z",)]
    assert [sample.params["max_tokens"] for sample in samples[:2]] == [7, 256]
    assert [sample.metadata for sample in samples[:2]] == [{"output_tokens": 7}, {"output_tokens": 256}]


def test_the_file_goes_round_again(tmp_path: Path) -> None:
    """More requests than rows ask the rows once more, each under an id of its own; the length is drawn anew."""
    asked = prompts(tmp_path, {"prompt": "a"}, {"prompt": "b"})
    asked.output = Uniform(1, 10_000)
    samples = [asked(0, index) for index in range(6)]
    assert [said(sample)[0][1] for sample in samples] == ["a", "b"] * 3
    assert len({sample.id for sample in samples}) == 6
    assert len({sample.params["max_tokens"] for sample in samples}) > 4
    assert samples == [asked(0, index) for index in range(6)]


def test_the_file_is_read_once_and_only_when_needed(tmp_path: Path) -> None:
    """A workload of a missing file can be made; what was read does not change under a run; the hash names it."""
    missing = Prompts(tmp_path / "gone.jsonl", Fixed(5))
    with pytest.raises(TaskError, match=r"gone\.jsonl: No such file"):
        missing(0, 0)
    asked = prompts(tmp_path, {"prompt": "a"})
    assert asked.sha256 == hashlib.sha256(asked.path.read_bytes()).hexdigest()
    assert said(asked(0, 0)) == [("user", "a")]
    asked.path.write_text("{")
    assert said(asked(0, 1)) == [("user", "a")]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"text": "a"}, "line 2: none of the fields messages, turns, .* It has: text"),
        ({"prompt": ""}, "line 2: field 'prompt' must be a text that is not empty, not ''"),
        ({"question": 5}, "line 2: field 'question' must be a text that is not empty, not '5'"),
        ({"prompt": "a", "max_tokens": 0}, "line 2: field 'max_tokens' must be a whole number above 0, not '0'"),
        ({"turns": []}, "line 2: field 'turns' must be a list that is not empty"),
        ({"turns": ["a", None]}, r"line 2: field 'turns'\[1\] must be a text"),
        ({"messages": ["a"]}, r"line 2: field 'messages'\[0\] must be an object with a 'role'"),
        ({"messages": [{"role": "user"}]}, r"line 2: field 'messages'\[0\] has no 'content'"),
        ({"messages": [{"role": "assistant", "content": "a"}]}, "holds answers alone"),
        ({"conversation": [{"from": "bot", "value": "a"}]}, r"'conversation'\[0\]: 'bot' is none of human, user"),
        ({"conversation": [{"from": "human"}]}, r"'conversation'\[0\] must be a text"),
        ({"conversation": ["a"]}, r"'conversation'\[0\] must be an object"),
        ({"conversation": [{"from": "gpt", "value": "a"}]}, "the user says nothing"),
        ([1], "line 2: a row is a JSON object, this is a list"),
    ],
)
def test_a_bad_row_is_told_with_file_line_and_field(tmp_path: Path, row: Any, words: str) -> None:
    """One line that names all three."""
    asked = prompts(tmp_path, {"prompt": "good"}, row)
    with pytest.raises(TaskError, match=rf"mine\.jsonl .*{words}") as caught:
        asked(0, 0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "rows", "turns"), [("mt_bench/question.jsonl", 80, 1), ("gsm8k/test.jsonl", 1319, 0)])
def test_published_sets_work_as_they_are(name: str, rows: int, turns: int) -> None:
    """MT-Bench gives sessions of two turns and GSM8K single questions."""
    if not (DATA / name).is_file():
        pytest.skip(f"the data set {name} is not beside this checkout")
    asked = Prompts(DATA / name)
    assert len(asked) == rows
    assert {len(asked(0, index).turns) for index in range(rows)} == {turns}
