"""Scorers: tables of nasty texts, and no model output that makes one raise."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import TaskError
from harness.exchange import Completion, StreamMarks, ToolCall
from harness.scorers.bfcl import bfcl
from harness.scorers.choice import choice
from harness.scorers.exact import exact
from harness.scorers.json_schema import json_schema
from harness.scorers.numeric import numeric
from harness.scorers.strict_json import clipped, parse, shown
from harness.scorers.tool_call import tool_call
from harness.types import Sample, Score, Scorer

BFCL = Path(__file__).parents[2] / "shared" / "data" / "bfcl_v4"


def completion(text: str = "", *calls: tuple[str, str], finish: str | None = "stop", **fields: Any) -> Completion:
    """A completion with only what scorers look at."""
    made = tuple(ToolCall(f"call_{number}", name, arguments) for number, (name, arguments) in enumerate(calls))
    fields = {"reasoning": "", "refusal": "", **fields}
    return Completion(text=text, tool_calls=made, finish_reason=finish, usage=None, marks=StreamMarks(), **fields)


def judge(scorer: Scorer, target: Any, answer: Completion | str) -> Score:
    """The score of one answer to a sample with that target."""
    answer = completion(answer) if isinstance(answer, str) else answer
    return scorer.score(Sample("s", (), target), answer)


# --- numeric ---------------------------------------------------------------------------------------------

NUMBERS = [
    ("18", "18"),
    ("-18", "-18"),
    ("\u22125", "-5"),
    ("It is \u2013 as said \u2013 \u20137", "-7"),
    ("between 3\u20135", "5"),
    ("10-4", "4"),
    ("$1,234.50", "1234.5"),
    ("-$5", "-5"),
    ("$-5", "-5"),
    (r"\$18", "18"),
    ("1{,}234", "1234"),
    ("1\u202f234\u202f567", "1234567"),
    ("1,00,000", "100000"),
    ("1, 2, 3", "3"),
    ("50%", "50"),
    ("The total is 42.", "42"),
    ("so...5", "5"),
    (".5", "0.5"),
    ("**18**", "18"),
    ("_18_ eggs", "18"),
    ("3 apples and 4 pears make 7", "7"),
    ("#### 18", "18"),
    ("#### $1,200\nThat took 5 minutes.", "1200"),
    ("####18 dollars", "18"),
    ("#### 3. Result\nThe sum is 9", "9"),
    ("#### Step 1\n2 + 2 = 4", "4"),
    ("first #### 1 then #### 2", "2"),
    (r"\boxed{42} after 7 steps", "42"),
    (r"\boxed{\text{12 apples}} of 30", "12"),
    (r"\boxed{x = \frac{3}{4}}", "0.75"),
    (r"\boxed{1} or rather \boxed{2}", "2"),
    ("The answer is 12 because 5 and 7 are known.", "12"),
    ("The answer is 3 + 4 = 7", "7"),
    ("The answer is 5. No: the answer is 7, not 6", "7"),
    ("**Answer:** 8 (see 3 above)", "8"),
    ("ANSWER: $9 of 10", "9"),
    (r"The answer is \(11\), from 2 sums", "11"),
    ("3/4", "0.75"),
    ("-1/2", "-0.5"),
    ("1 1/2 cups", "1.5"),
    ("48 / 2 = 24", "24"),
    ("1/0", None),
    ("12/25/2024", "2024"),
    ("1.5e3", "1500"),
    ("2 \u00d7 10^3", "2000"),
    (r"1.2 \times 10^{-2}", "0.012"),
    ("10\u00b3", "1000"),
    ("an area of 25 m^2", "25"),
    ("an area of 25 m\u00b2", "25"),
    ("H2O", None),
    ("seven", None),
    ("", None),
    ("9" * 5000, None),
    ("7 " + "9" * 5000, "7"),
]


@pytest.mark.parametrize(("text", "number"), NUMBERS)
def test_numeric_reads_the_number_finally_stated(text: str, number: str | None) -> None:
    """Each text gives the number a careful reader would take from it, or none."""
    score = judge(numeric(), number or 1, text)
    assert score.value == (number is not None), score.explanation
    assert (score.answer is None) == (number is None)


@pytest.mark.parametrize("target", [1234.5, "1,234.50", " 1234.500 "])
def test_numeric_targets_may_be_numbers_or_text(target: Any) -> None:
    """A target's type does not matter, its value does."""
    assert judge(numeric(), target, "1234.50").value == 1.0


def test_numeric_compares_exactly_unless_told_otherwise() -> None:
    """0.1 is 0.1 without binary noise, and a tolerance is an absolute difference with its bound included."""
    assert judge(numeric(), 0.1, "0.10").value == 1.0
    assert judge(numeric(), 3, "3.01").value == 0.0
    assert judge(numeric(tolerance=0.01), 3, "3.01").value == 1.0
    assert judge(numeric(tolerance="0.01"), 3, "3.02").value == 0.0
    assert numeric(tolerance=0.01).name != numeric().name


def test_numeric_explains_a_wrong_answer() -> None:
    """A wrong answer is told with what was read, where, and what was expected."""
    score = judge(numeric(), "18", "#### 17")
    assert (score.answer, score.explanation) == ("17", "17 stands after ####, expected 18")


@pytest.mark.parametrize("target", [None, True, "many", [1], "inf"])
def test_numeric_refuses_a_target_that_is_no_number(target: Any) -> None:
    """A task's mistake is an error that names the sample, never a score."""
    with pytest.raises(TaskError, match="sample s"):
        judge(numeric(), target, "1")


# --- exact and choice ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "target", "text", "value"),
    [
        ({}, "Paris", " Paris\n", 1.0),
        ({}, "two words", "two   words", 1.0),
        ({}, "Paris", "paris", 0.0),
        ({}, "Paris", "Paris.", 0.0),
        ({}, ["Paris", "Lutetia"], "Lutetia", 1.0),
        ({}, "caf\u00e9", "cafe\u0301", 1.0),
        ({}, "Paris", "", 0.0),
        ({"ignore_case": True}, "STRASSE", "stra\u00dfe", 1.0),
        ({"ignore_punctuation": True}, "well-known", "Well known!", 0.0),
        ({"ignore_punctuation": True, "ignore_case": True}, "well-known", "Well known!", 1.0),
    ],
)
def test_exact_forgives_what_it_says_and_nothing_else(
    options: dict[str, bool], target: Any, text: str, value: float
) -> None:
    """Only white space and Unicode form are forgiven without being asked for."""
    assert judge(exact(**options), target, text).value == value


CHOICES = [
    ("C", "C"),
    ("c", "C"),
    ("(c)", "C"),
    (" **C**. ", "C"),
    ("C) Paris", "C"),
    ("(C) Paris, since B is in Spain", "C"),
    ("C. Paris", "C"),
    ("The answer is C.", "C"),
    ("The answer is (c) because A is wrong", "C"),
    ("Answer: B\nWait. Answer: C", "C"),
    ("**Answer:** C", "C"),
    (r"So \boxed{C} and not A", "C"),
    (r"\boxed{\text{C}}", "C"),
    ("A dog barks, so option C", "C"),
    ("It is C, surely C", "C"),
    ("It may be B or C", None),
    ("It may be A or C", None),
    ("The answer is a dog", None),
    ("Cats and Dogs", None),
    ("E", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "letter"), CHOICES)
def test_choice_reads_a_letter_or_none(text: str, letter: str | None) -> None:
    """A letter is taken from where answers state it, and an ambiguous answer is not guessed at."""
    score = judge(choice(), "C", text)
    assert (score.answer, score.value) == (letter, float(letter == "C"))


@pytest.mark.parametrize(
    ("text", "letter"),
    [("I think it must be C", "C"), ("I’m sure: C", "C"), ("I would take I", "I"), ("I", "I"), ("It is I or C", None)],
)
def test_choice_does_not_take_the_pronoun_for_a_letter(text: str, letter: str | None) -> None:
    """Where I is one of the letters, "I think" names none."""
    assert judge(choice("ABCDEFGHIJ"), "C", text).answer == letter


def test_choice_and_exact_refuse_a_target_of_another_kind() -> None:
    """A task's mistake is an error that names the sample."""
    for scorer, target in ((choice("AB"), "C"), (choice("AB"), 1), (exact(), 3), (exact(), [])):
        with pytest.raises(TaskError, match="sample s"):
            judge(scorer, target, "A")


# --- json_schema -----------------------------------------------------------------------------------------

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("text", "value", "explanation"),
    [
        ('{"name": "Ann", "age": 3}', 1.0, "fits the schema"),
        ('```json\n{"name": "Ann", "age": 3}\n```', 1.0, "fits the schema (inside a code fence)"),
        ('Here: {"name": "Ann", "age": 3}', 0.0, "not JSON: Expecting value at line 1 column 1"),
        ('{"name": "Ann", "age": -3}', 0.0, "breaks the schema: -3 is less than the minimum of 0 at $.age"),
        ('{"name": "Ann"}', 0.0, "breaks the schema: 'age' is a required property at $"),
        ('{"name": "Ann", "age": 3, "age": 4}', 0.0, 'not JSON: the name "age" stands twice in one object'),
        ('{"name": "Ann", "age": NaN}', 0.0, "not JSON: NaN is not JSON"),
        ('{"name": "Ann", "age": 1e999}', 0.0, "not JSON: the number 1e999 is out of range"),
        ("", 0.0, "not JSON: Expecting value at line 1 column 1"),
        ("[" * 100_000, 0.0, "not JSON: nested too deeply"),
    ],
)
def test_json_schema_judges_and_explains(text: str, value: float, explanation: str) -> None:
    """Valid JSON that fits is right, and what is wrong is named with its place."""
    for score in (judge(json_schema(), PERSON, text), judge(json_schema(PERSON), None, text)):
        assert (score.value, score.explanation) == (value, explanation)


def test_json_schema_fetches_nothing_and_refuses_a_bad_schema() -> None:
    """A remote reference or a schema that is none is the task's mistake."""
    for schema in ({"$ref": "http://127.0.0.1:9/schema.json"}, {"type": "text"}, "text", None):
        with pytest.raises(TaskError, match="sample s"):
            judge(json_schema(), schema, "{}")


# --- tool_call -------------------------------------------------------------------------------------------

BOOK = {"name": "book", "arguments": {"city": "New York", "nights": {"any_of": [2, 3]}}, "optional": ["nights", "note"]}


@pytest.mark.parametrize(
    ("arguments", "explanation"),
    [
        ('{"city": "new york", "nights": 2}', None),
        ('{"city": "New-York", "nights": 3.0}', None),
        ('{"city": "New York"}', None),
        ('{"city": "New York", "note": "quiet"}', None),
        ('{"city": "Boston"}', 'book: city is "Boston", expected "New York"'),
        ('{"city": "New York", "nights": 4}', "book: nights is 4, expected 2 or 3"),
        ('{"city": "New York", "nights": "2"}', 'book: nights is "2", expected 2 or 3'),
        ('{"city": "New York", "nights": true}', "book: nights is true, expected 2 or 3"),
        ('{"nights": 2}', 'book: city is missing, expected "New York"'),
        ('{"city": "New York", "stars": 5}', "book: stars was not expected"),
        ('{"city": ', "book: arguments are not JSON: Expecting value at line 1 column 10"),
        ('"{}"', 'book: arguments are not an object: "{}"'),
        ("", "book: arguments are not JSON: Expecting value at line 1 column 1"),
    ],
)
def test_tool_call_names_the_first_wrong_argument(arguments: str, explanation: str | None) -> None:
    """One call is right only when every argument is, and the explanation says which is not."""
    score = judge(tool_call(), [BOOK], completion("", ("book", arguments), finish="tool_calls"))
    assert (score.value, score.explanation) == (float(explanation is None), explanation or "1 expected call(s) made")


@pytest.mark.parametrize(
    ("want", "got", "same"),
    [
        ("1.5", "15", False),
        ("1.5", "1.50", True),
        ("-5", "5", False),
        ("+", "-", False),
        ("it's", 'IT"S', True),
        (None, None, True),
        (1, True, False),
        (False, 0, False),
        ([1, "A b"], [1.0, "ab"], True),
        ([1, 2], [2, 1], False),
        ({"a": {"any_of": ["x", "y"]}}, {"a": "Y"}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        (10**30, 1e30, False),
        ("1", 1, False),
    ],
)
def test_tool_call_compares_values_as_json_and_text_as_bfcl(want: Any, got: Any, same: bool) -> None:
    """Numbers are equal by value, booleans are not numbers, and text is compared without case and punctuation."""
    target = [{"name": "f", "arguments": {"x": want}}]
    score = judge(tool_call(), target, completion("", ("f", json.dumps({"x": got}))))
    assert score.value == same, score.explanation


def test_tool_call_takes_parallel_calls_in_any_order() -> None:
    """Calls are matched as a whole: a call that fits two expectations is given to the one that needs it."""
    target: list[Any] = [{"name": "f", "arguments": {"x": {"any_of": [1, 2]}}}, {"name": "f", "arguments": {"x": 1}}]
    for first, second in ((1, 2), (2, 1), (1, 1)):
        calls = [("f", json.dumps({"x": value})) for value in (first, second)]
        assert judge(tool_call(), target, completion("", *calls)).value == 1.0
    score = judge(tool_call(), target, completion("", ("f", '{"x": 2}'), ("f", '{"x": 2}')))
    assert (score.value, score.explanation) == (0.0, "f: x is 2, expected 1")
    score = judge(tool_call(), target, completion("", ("f", '{"x": 1}'), ("g", '{"x": 2}')))
    assert (score.value, score.explanation) == (0.0, "expected a call of f, got g")


@pytest.mark.parametrize(
    ("answer", "explanation"),
    [
        (completion("Sunny, I suppose."), "no call was made"),
        (completion("", ("f", "{}"), ("f", "{}")), "expected 1 call(s), got 2: f, f"),
        (completion("", ("g", "{}")), "expected a call of f, got g"),
        (completion("", ("a.b", "{}")), "expected a call of f, got a.b"),
    ],
)
def test_tool_call_counts_and_names_calls(answer: Completion, explanation: str) -> None:
    """A missing, surplus or misnamed call is wrong."""
    score = judge(tool_call(), [{"name": "f", "arguments": {}}], answer)
    assert (score.value, score.explanation) == (0.0, explanation)


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (completion("Hello!"), 1.0),
        (completion("", refusal="I cannot help."), 1.0),
        (completion("Hello!", ("f", "{}")), 0.0),
        (completion("", ("f", "{bad")), 0.0),
        (completion(""), None),
        (completion("Hello", finish="length"), None),
        (completion("Hello!", reasoning="<|tool_call|>"), None),
    ],
)
def test_tool_call_abstaining_needs_a_normal_answer(answer: Completion, value: float | None) -> None:
    """Only a finished answer without a call is a right abstention; a call is wrong, and what was spoilt is neither."""
    assert judge(tool_call(), [], answer).value == value


@pytest.mark.parametrize(
    ("answer", "value", "fault"),
    [
        (completion('<tool_call>{"name": "f"}</tool_call>'), None, "leaked_markup"),
        (completion("[TOOL_CALLS]", ("f", "{}")), None, "leaked_markup"),
        (completion("", reasoning="<tool_call>"), None, "leaked_markup"),
        (completion("", ("f", "{}"), reasoning="Now <tool_call>."), 1.0, ""),
        (completion("<tool_call>{", finish="length"), 0.0, ""),
    ],
)
def test_tool_call_does_not_judge_what_a_parser_lost(answer: Completion, value: float | None, fault: str) -> None:
    """Calls that stand as markup may have been right ones; a call that our own cap cut is none."""
    score = judge(tool_call(), [{"name": "f", "arguments": {}}], answer)
    assert (score.value, score.fault) == (value, fault)


def test_tool_call_refuses_a_malformed_target() -> None:
    """A task's mistake is an error that names the sample."""
    malformed: tuple[Any, ...] = (None, {"name": "f"}, [{"arguments": {}}], [{"name": "f", "args": {}}])
    for target in malformed:
        with pytest.raises(TaskError, match="sample s"):
            judge(tool_call(), target, "x")


# --- golden values: BFCL ---------------------------------------------------------------------------------


def _expectation(truth: dict[str, dict[str, list[Any]]]) -> dict[str, Any]:
    (name, accepted), *_ = truth.items()
    arguments = {
        key: {"any_of": [_nested(value) for value in values if value != ""] or [""]} for key, values in accepted.items()
    }
    return {"name": name, "arguments": arguments, "optional": [key for key, values in accepted.items() if "" in values]}


def _nested(value: Any) -> Any:
    """BFCL lists accepted values inside objects too; the first of each will do for the gold call."""
    if isinstance(value, dict):
        return {key: _nested(one[0]) if isinstance(one, list) and one else one for key, one in value.items()}
    return [_nested(one) for one in value] if isinstance(value, list) else value


def _gold(expected: dict[str, Any], required: list[str]) -> tuple[str, str]:
    arguments = {
        key: accepted["any_of"][0]
        for key, accepted in expected["arguments"].items()
        if key not in expected["optional"] or key in required
    }
    return expected["name"], json.dumps(arguments)


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("category", "rows"), [("simple_python", 400), ("multiple", 200), ("parallel", 200), ("parallel_multiple", 200)]
)
def test_tool_call_accepts_every_gold_answer_of_bfcl(category: str, rows: int) -> None:
    """All gold answers score 1, in reverse order too, and 0 once the last call is left out."""
    if not BFCL.is_dir():
        pytest.skip("the BFCL data is not beside this checkout")
    truths = _rows(BFCL / "possible_answer" / f"BFCL_v4_{category}.json")
    questions = _rows(BFCL / f"BFCL_v4_{category}.json")
    assert len(truths) == rows
    for truth, question in zip(truths, questions, strict=True):
        required = {tool["name"]: tool["parameters"].get("required", []) for tool in question["function"]}
        target = [_expectation(call) for call in truth["ground_truth"]]
        calls = [_gold(call, required[call["name"]]) for call in target]
        for order in (calls, calls[::-1]):
            score = judge(tool_call(), target, completion("", *order))
            assert score.value == 1.0, (truth["id"], score.explanation)
        assert judge(tool_call(), target, completion("", *calls[:-1])).value == 0.0


def test_tool_call_accepts_all_orders_where_greedy_matching_does_not() -> None:
    """parallel_178 is right in each of its 24 orders; BFCL's own greedy matcher rejects 12 of them."""
    if not BFCL.is_dir():
        pytest.skip("the BFCL data is not beside this checkout")
    truth = next(
        row for row in _rows(BFCL / "possible_answer" / "BFCL_v4_parallel.json") if row["id"] == "parallel_178"
    )
    target = [_expectation(call) for call in truth["ground_truth"]]
    orders = list(itertools.permutations([_gold(call, []) for call in target]))
    assert len(orders) == 24
    assert all(judge(tool_call(), target, completion("", *order)).value == 1.0 for order in orders)


# --- hostile output --------------------------------------------------------------------------------------

BFCL_BOOK = {
    "name": "book",
    "parameters": {"properties": {"x": {"type": "any"}, "y": {"type": "array", "items": {"type": "dict"}}}},
}
SCORERS = [
    (exact(), "x"),
    (exact(ignore_case=True, ignore_punctuation=True), ["x", "y"]),
    (numeric(), 3),
    (numeric(tolerance=0.5), "-1.5"),
    (choice(), "A"),
    (json_schema(), PERSON),
    (json_schema({"type": "object", "additionalProperties": {"type": "number", "multipleOf": 0.1}}), None),
    (tool_call(), [BOOK]),
    (tool_call(), []),
    (bfcl(), {"expect": "no_call"}),
    (bfcl(), {"expect": "any_call"}),
    (
        bfcl(),
        {"expect": "calls", "functions": [BFCL_BOOK], "ground_truth": [{"book": {"x": ["a"], "y": [[{"z": [1]}]]}}]},
    ),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PIECES = st.sampled_from(
    [
        "####",
        "\\boxed{",
        "}",
        "answer is",
        "-",
        "$",
        ",",
        ".",
        "/",
        "10^",
        "9",
        "e",
        "²",
        "(A)",
        "```\n",
        "{",
        '"a":',
        "\ud800",
    ]
)
TEXTS = st.text(st.characters()) | st.lists(PIECES, max_size=30).map("".join) | JSON.map(json.dumps)


@settings(max_examples=200, deadline=None)
@given(text=TEXTS, names=st.lists(st.tuples(st.sampled_from(["book", "x", "\ud800"]), TEXTS), max_size=3))
def test_no_scorer_raises_on_what_a_model_wrote(text: str, names: list[tuple[str, str]]) -> None:
    """Whatever the output, every scorer gives 0 or 1, or names a fault, and an explanation that UTF-8 can hold."""
    for scorer, target in SCORERS:
        score = judge(scorer, target, completion(text, *names))
        assert score.value in (0.0, 1.0) or (score.value is None and score.fault)
        assert (score.scorer, score.version) == (scorer.name, scorer.version)
        (score.explanation + (score.answer or "")).encode("utf-8")


@pytest.mark.parametrize(
    "piece", ["9", "1,", "1,000", "####", "answer ", "answer is ", " ", "1/", "\\boxed{", "-", "(A", "[", "\\frac{"]
)
def test_no_scorer_is_slow_on_a_model_in_a_loop(piece: str) -> None:
    """A hundred thousand characters of one piece, over and over, end in a score (no quadratic pattern)."""
    text = piece * (100_000 // len(piece))
    for scorer, target in SCORERS:
        assert judge(scorer, target, completion(text, ("book", text))).value in (0.0, 1.0)


@given(JSON)
def test_strict_json_reads_what_it_shows(value: Any) -> None:
    """Any JSON value with finite numbers is read back; a value is always shown in bounds."""
    text = json.dumps(value)
    assert len(shown(value)) <= 80
    assert clipped("\ud800") == "?"
    if "NaN" not in text and "Infinity" not in text:
        assert parse(text) == value
