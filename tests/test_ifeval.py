"""IFEval: each kind of instruction, the published scores of GPT-4's answers, and answers that mean harm."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import reply

from harness import catalog
from harness.errors import HarnessError, TaskError, UnknownName
from harness.scorers.ifeval import ifeval
from harness.scorers.ifeval_checks import CHECKS
from harness.types import Sample, Score

DATA = Path(__file__).parents[2] / "shared" / "data" / "ifeval"
ANSWERS = "input_response_data_gpt4_20231107_145030.jsonl"


def judged(text: str, *instructions: tuple[str, dict[str, Any]]) -> Score:
    """The score of an answer to a prompt with some instructions."""
    target = [{"id": name, "kwargs": kwargs} for name, kwargs in instructions]
    return ifeval().score(Sample("s", ({"role": "user", "content": "?"},), target), reply(text))


AT_LEAST, LESS = {"relation": "at least"}, {"relation": "less than"}
TABLE: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("keywords:existence", {"keywords": ["Cat", "c++"]}, ["concatenate C++"], ["cat and c"]),
    ("keywords:frequency", {"keyword": "ha", "frequency": 2, **AT_LEAST}, ["HAha", "a ha, a ha"], ["ha"]),
    ("keywords:forbidden_words", {"forbidden_words": ["cat"]}, ["concatenate"], ["a Cat."]),
    (
        "keywords:letter_frequency",
        {"letter": "#", "let_frequency": 2, "let_relation": "less than"},
        ["# one"],
        ["## two"],
    ),
    (
        "language:response_language",
        {"language": "de"},
        ["Das ist ein ganz gewöhnlicher deutscher Satz."],
        ["A plain one."],
    ),
    ("length_constraints:number_sentences", {"num_sentences": 2, **LESS}, ["Dr. Smith went home."], ["One. Two."]),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, ["a *** b", "***\na\n***\nb"], ["a", "a***\n***b"]),
    ("length_constraints:number_words", {"num_words": 3, **AT_LEAST}, ["it's so"], ["two words"]),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Then"},
        ["a\n\nthen, b", 'a\n\n"Then" b'],
        ["a\n\nthence b", "then", "a\n\nb\n\nthen", "\n\n\n\na\n\nb"],
    ),
    (
        "detectable_content:number_placeholders",
        {"num_placeholders": 2},
        ["[a] [b]", "[[a] ]][ [b]"],
        ["[a\n]", "[a] ["],
    ),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, ["x\np. s. y"], ["PS y"]),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, ["P. P.S y"], ["P.S. y"]),
    (
        "detectable_format:number_bullet_lists",
        {"num_bullets": 2},
        ["* a\n - b", "*\n* a\n* b"],
        ["** a\n* b", "* a", "*\n*", "- a\n- b\n- c"],
    ),
    ("detectable_format:constrained_response", {}, ["So: My answer is no."], ["my answer is no"]),
    (
        "detectable_format:number_highlighted_sections",
        {"num_highlights": 2},
        ["*a* and *b*", "**a** **b**"],
        ["*a*", "**a**", "* * *"],
    ),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "SECTION", "num_sections": 2},
        ["SECTION 1\na SECTION2"],
        ["Section 1 SECTION 2"],
    ),
    ("detectable_format:json_format", {}, ["```json\n{}\n```", "[1]"], ["{'a': 1}", "[" * 100_000]),
    ("detectable_format:title", {}, ["<<a>>\ntext"], ["<<a\n>>", "<<>>", "<< >>"]),
    ("combination:two_responses", {}, ["a******b"], ["a******a", "a", "a******b******c", "a************b"]),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say A. "}, [" say a. A"], ["A, say a."]),
    ("startend:end_checker", {"end_phrase": "Any questions?"}, ['so. any questions?" '], ["Any questions? No."]),
    ("startend:quotation", {}, [' "a" '], ['"', '"a', "'a'"]),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        ["GO ON, then"],
        ["GO on"],
    ),
    (
        "change_case:english_capital",
        {},
        ["THIS IS AN ORDINARY SENTENCE."],
        ["This is", "DAS IST EIN GANZ NORMALER SATZ"],
    ),
    ("change_case:english_lowercase", {}, ["this is an ordinary sentence."], ["This is an ordinary sentence."]),
    ("punctuation:no_comma", {}, ["a; b"], ["a, b"]),
]


@pytest.mark.parametrize(("name", "kwargs", "right", "wrong"), TABLE)
def test_each_instruction_is_checked_by_its_published_rule(
    name: str, kwargs: dict[str, Any], right: list[str], wrong: list[str]
) -> None:
    """Answers that follow it score 1, those that do not score 0."""
    assert [judged(text, (name, kwargs)).value for text in right] == [1.0] * len(right)
    assert [judged(text, (name, kwargs)).value for text in wrong] == [0.0] * len(wrong)


def test_the_table_holds_all_25_kinds() -> None:
    """No kind of instruction is without an example."""
    assert {row[0] for row in TABLE} == set(CHECKS)
    assert len(CHECKS) == 25


def test_all_instructions_of_a_prompt_must_be_followed() -> None:
    """One that is missed makes the prompt 0, and the explanation names it."""
    score = judged("a, b", ("punctuation:no_comma", {}), ("keywords:existence", {"keywords": ["a"]}))
    assert (score.value, score.details["followed"], score.details["loose"]) == (0.0, [False, True], 0.0)
    assert score.explanation == "1 of 2 instructions followed; not punctuation:no_comma"


@pytest.mark.parametrize(
    "text", ["Sure, here:\na; b", "a; b\nHope that helps, bye", "Sure,\na; b\nBye,", "Sure,\n*a*; b"]
)
def test_the_loose_rule_forgives_first_and_last_line_and_stars(text: str) -> None:
    """What is around the answer costs the strict score, not the loose one."""
    score = judged(text, ("punctuation:no_comma", {}))
    assert (score.value, score.details["loose"]) == (0.0, 1.0)


def test_a_language_that_cannot_be_told_counts_as_followed_and_is_named() -> None:
    """So do the published scores; the details say where."""
    score = judged("1234", ("punctuation:no_comma", {}), ("language:response_language", {"language": "de"}))
    assert (score.value, score.details["undetermined"]) == (1.0, [1])


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (None, "is a list of"),
        ([], "is a list of"),
        ([{"id": "punctuation:no_coma"}], "punctuation:no_comma"),
        ([{"id": "punctuation:no_comma", "kwargs": {"n": 1}}], "it takes no n"),
        ([{"id": "length_constraints:number_words", "kwargs": {"relation": "at least"}}], "num_words must be a int"),
        ([{"id": "keywords:existence", "kwargs": {"keywords": "a"}}], "keywords must be a list"),
    ],
)
def test_a_wrong_target_is_told(target: Any, message: str) -> None:
    """One line that says which sample, which instruction and what is wrong."""
    sample = Sample("s7", ({"role": "user", "content": "?"},), target)
    with pytest.raises((TaskError, UnknownName), match=message) as told:
        ifeval().score(sample, reply("a"))
    assert "s7" in str(told.value)
    assert isinstance(told.value, HarnessError)


@given(st.text(max_size=300))
@settings(max_examples=60, deadline=None)
def test_any_answer_is_judged(text: str) -> None:
    """No text makes a check fail."""
    for name, kwargs, _, _ in TABLE:
        assert judged(text, (name, kwargs)).value in (0.0, 1.0)


@pytest.mark.parametrize("unit", ["\n", "[", "<<", "*", "* ", "-\n", " ", "***", "\n\n", "p.", "SECTION", '"', "Ab "])
def test_a_long_answer_of_one_mark_is_judged_at_once(unit: str) -> None:
    """No rule looks at an answer more than a few times: the test would not end otherwise."""
    for name, kwargs, _, _ in TABLE:
        if name not in ("change_case:capital_word_frequency", "length_constraints:number_sentences"):
            judged(unit * (100_000 // len(unit)), (name, kwargs))


@pytest.mark.skipif(not DATA.is_dir(), reason="the IFEval data with GPT-4's answers is not beside this project")
def test_gpt_4_gets_its_published_scores() -> None:
    """416 of 541 prompts and 697 of 834 instructions, strictly; all but two are decided by rules.

    Prompts 1122 and 1129 ask for "#" and "!" as often as so many times. The published checker replaces what is no
    letter by one drawn at random, and was right once by its draw; here the sign that was asked for is counted, and
    GPT-4 gave enough of both.
    """
    task = catalog.discover().task("ifeval")
    samples = list(task.load(DATA / "input_data.jsonl"))
    answers = [json.loads(line)["response"] for line in (DATA / ANSWERS).read_text("utf-8").splitlines()]
    scores = [task.scorer.score(sample, reply(text)) for sample, text in zip(samples, answers, strict=True)]
    drawn = [number for number, sample in enumerate(samples) if any(map(_is_no_letter, sample.target))]
    assert [samples[number].id for number in drawn] == ["1122", "1129"]
    assert [scores[number].value for number in drawn] == [1.0, 1.0]
    assert len(scores) == 541
    assert sum(score.value or 0 for score in scores) == 416 + 1
    assert sum(sum(score.details["followed"]) for score in scores) == 697 + 1
    assert sum(len(score.details["followed"]) for score in scores) == 834
    # Of the loose scores the published ones (79.30, 85.37) are of an older text of prompt 2785.
    assert sum(score.details["loose"] for score in scores) == 430 + 1
    assert sum(sum(score.details["followed_loosely"]) for score in scores) == 713 + 1


def _is_no_letter(instruction: dict[str, Any]) -> bool:
    letter = instruction["kwargs"].get("letter", "a")
    return len(letter) != 1 or letter.lower() not in string.ascii_lowercase
