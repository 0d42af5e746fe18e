"""Questions with lettered options: what is asked, which letter is right, and whose order the options have."""

from __future__ import annotations

from string import ascii_uppercase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import TaskError
from harness.types import Sample
from harness.workload.lettered import AFTER_STEPS, LETTER_ALONE, Lettered

ask = Lettered("quiz")
mixed = Lettered("quiz", shuffled=True)


def options_of(sample: Sample) -> dict[str, str]:
    """The options of a sample by letter, as the model reads them."""
    _, shown, _ = sample.messages[0]["content"].rsplit("\n\n", 2)
    return dict(line.split(") ", 1) for line in shown.splitlines())


def test_question_options_and_instruction_stand_in_one_message() -> None:
    """In this order, with a blank line between; the row's number is the id and what else is told is kept."""
    sample = ask(7, " Which is a colour? ", ["seven", "red "], 1, subject="art")
    assert sample.id == "00007"
    assert sample.messages == (
        {"role": "user", "content": f"Which is a colour?\n\nA) seven\nB) red\n\n{LETTER_ALONE}"},
    )
    assert (sample.target, sample.params) == ("B", {"temperature": 0, "max_tokens": 32})
    assert sample.metadata == {"options": 2, "subject": "art"}


def test_reasoning_is_asked_for_and_gets_room() -> None:
    """With steps the instruction says how the answer is to end, and 2,048 tokens are allowed."""
    sample = Lettered("quiz", steps=True)(1, "?", ["a", "b"], 0)
    assert sample.messages[0]["content"].endswith(AFTER_STEPS)
    assert sample.params["max_tokens"] == 2048


@pytest.mark.parametrize(("right", "letter"), [(2, "C"), (" 2", "C"), ("C", "C"), ("c ", "C"), (0, "A")])
def test_the_right_option_is_an_index_or_a_letter(right: Any, letter: str) -> None:
    """Data sets say it in one of these ways."""
    assert ask(1, "?", ["x", "y", "z"], right).target == letter


@pytest.mark.parametrize("right", [3, -1, "D", "", "x y", None, True, 1.0, "9" * 5000, "²"])
def test_a_right_option_that_is_none_is_told(right: Any) -> None:
    """The row is named, and what would be right."""
    with pytest.raises(TaskError, match=r"quiz row 4: the right option is .*, not a letter A to C or an index from 0"):
        ask(4, "?", ["x", "y", "z"], right)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("['a', 'b']", "quiz row 4: the options are one text.*CSV cannot hold lists"),
        (["a"], "quiz row 4: the options must be a list of 2 to 26 texts"),
        (["a"] * 27, "quiz row 4: the options must be"),
        (["a", None], "quiz row 4: the options must be"),
        ({"a": 1, "b": 2}, "quiz row 4: the options must be"),
        (None, "quiz row 4: the options must be"),
    ],
)
def test_options_that_are_no_list_of_texts_are_told(options: Any, message: str) -> None:
    """A table of text cannot hold lists, and its user is told what can."""
    with pytest.raises(TaskError, match=message):
        ask(4, "?", options, 0)


def test_numbers_are_options_too() -> None:
    """A JSON file may hold them as numbers."""
    assert options_of(ask(1, "?", [1, 2.5], 0)) == {"A": "1", "B": "2.5"}


_options = st.lists(st.text(ascii_uppercase, min_size=1, max_size=5), min_size=2, max_size=13, unique=True)


@given(st.text(ascii_uppercase, max_size=20), _options, st.randoms(use_true_random=False), st.integers(0, 12))
def test_the_order_follows_from_the_content_alone(question: str, options: list[str], rng: Any, right: int) -> None:
    """However the source orders the options, the same question is asked, and the letter is that of the right text."""
    right %= len(options)
    other = list(options)
    rng.shuffle(other)
    first = mixed(1, question, options, right)
    second = mixed(1, question, other, other.index(options[right]))
    assert first == second
    assert sorted(options_of(first).values()) == sorted(options)
    assert options_of(first)[first.target] == options[right]


def test_shuffled_options_have_no_favourite_place() -> None:
    """Over 400 questions whose source lists the right option first, each of four letters is right 70 to 130 times."""
    letters = [mixed(n, f"question {n}", ["right", "one", "two", "three"], 0).target for n in range(1, 401)]
    assert all(70 <= letters.count(letter) <= 130 for letter in "ABCD")


def test_the_order_is_the_same_for_ever() -> None:
    """A change of the rule would make old and new scores another thing."""
    sample = mixed(1, "Which is a number?", ["red", "seven", "loud", "soft"], 1)
    assert (sample.target, "".join(text[0] for text in options_of(sample).values())) == ("A", "srls")
