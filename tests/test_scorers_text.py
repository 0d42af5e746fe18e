"""Scorers of texts: what is held, what matches, what is alike, and several conditions at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import reply

from harness.errors import CannotMeasure, TaskError
from harness.scorers.assertions import TYPES, assertions
from harness.scorers.exact import exact
from harness.scorers.extra import need
from harness.scorers.includes import includes
from harness.scorers.numeric import numeric
from harness.scorers.per_row import per_row
from harness.scorers.regex import regex
from harness.scorers.similarity import similarity
from harness.types import Sample, Score, Scorer

HOSTILE = ("", "{" * 50_000, '{"a":' * 20_000, "[" * 100_000, "\ud800", "a" * 300_000, '{"a": NaN}', "\x00")


def score(scorer: Scorer, target: Any, text: str) -> Score:
    """The score of a text."""
    return scorer.score(Sample("7", (), target=target), reply(text))


# --- includes --------------------------------------------------------------------------------------------

INCLUDES = (
    ({}, "Paris", "It is Paris.", 1),
    ({}, "Paris", "it is paris.", 0),
    ({}, ["Paris", "Lutetia"], "Lutetia, of old", 1),
    ({"every": True}, ["Paris", "Lutetia"], "Lutetia, of old", 0),
    ({"every": True}, ["Paris", "Lutetia"], "Paris was Lutetia", 1),
    ({"ignore_case": True}, "STRASSE", "eine Straße", 1),
    ({"start": True}, "yes", "  yes, it is", 1),
    ({"start": True}, "yes", "oh yes", 0),
    # Source: openai/evals, elsuite/utils.py: the definitions of normalize and fuzzy_match, carried out by hand.
    ({"loose": True}, "The Eiffel-Tower", "eiffeltower!", 1),
    ({"loose": True}, "a long answer about Paris", "Paris", 1),
    ({"loose": True}, "Paris", "", 0),
    ({"loose": True}, "the", "!!", 1),
    ({"loose": True}, "Rome", "Paris", 0),
)


@pytest.mark.parametrize(("options", "target", "text", "value"), INCLUDES)
def test_includes(options: dict[str, bool], target: Any, text: str, value: int) -> None:
    """One of several texts is enough unless all are wanted; what is lacking is named."""
    got = score(includes(**options), target, text)
    assert got.value == value
    assert got.explanation.startswith("holds" if value else "lacks")


@pytest.mark.parametrize("scorer", [includes(), similarity()], ids=["includes", "similarity"])
@pytest.mark.parametrize("target", [None, 7, [], [""], "", ["a", 7], {"a": 1}])
def test_a_target_that_is_no_text_is_refused(scorer: Scorer, target: Any) -> None:
    """An empty text is in every answer."""
    with pytest.raises(TaskError, match="sample 7: the target of"):
        score(scorer, target, "a")


# --- regex -----------------------------------------------------------------------------------------------

REGEX = (
    (r"^\d+$", "42", 1, "42"),
    (r"^\d+$", "a 42", 0, None),
    (r"answer: (\d+)", "the answer: 42.", 1, "42"),
    (r"(?<year>\d{4})", "in 1999", 1, "1999"),
    (r"(?i)paris", "PARIS", 1, "PARIS"),
    (r"a|(b)", "a", 1, "a"),
)


@pytest.mark.parametrize(("pattern", "text", "value", "answer"), REGEX)
def test_regex(pattern: str, text: str, value: int, answer: str | None) -> None:
    """The pattern may stand anywhere, is given once or with each sample, and its first group is the answer."""
    got = score(regex(pattern), None, text)
    assert (got.value, got.answer) == (value, answer)
    assert score(regex(), pattern, text).value == value


@pytest.mark.parametrize(("pattern", "text"), [(r"(x+x+)+y", "x" * 5_000), (r"(.*?,){25}P", "1,2,3,4,5,6,7,8,9," * 9)])
def test_a_pattern_that_never_ends_is_given_up(pattern: str, text: str) -> None:
    """Neither right nor wrong, by its name; within the scorer and among conditions."""
    got = score(regex(pattern), None, text)
    assert (got.value, got.fault) == (None, "pattern_too_slow")
    got = score(assertions(), [{"type": "regex", "value": pattern}], text)
    assert (got.value, got.fault) == (None, "pattern_too_slow")


@pytest.mark.parametrize("pattern", ["(", "[", "*", "\\", "(?P<1>a)", "a{2,1}", "", None, 7, "a" * 10_001])
def test_what_is_no_pattern_is_refused(pattern: Any) -> None:
    """With the reason, and the sample where it is its target."""
    with pytest.raises(TaskError, match="sample 7: the target of regex is not a regular expression"):
        score(regex(), pattern, "a")


# --- similarity ------------------------------------------------------------------------------------------

CAT = "The cat sat on the mat."


def test_likeness_is_that_of_the_published_programs() -> None:
    """The values of chrF and BLEU are those of sacrebleu, the ratio's of rapidfuzz, ROUGE-L's of rouge-score."""
    fuzz = pytest.importorskip("rapidfuzz.fuzz")
    metrics = pytest.importorskip("sacrebleu.metrics")
    rouge = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(["rougeL"])
    texts = ("The cat sat.", "A cat, the mat: sat on!", CAT, "no word of it", "the the the mat-cat 3.5", "x")
    for text in texts:
        assert score(similarity(), CAT, text).value == pytest.approx(
            metrics.CHRF().sentence_score(text, [CAT]).score / 100
        )
        bleu = metrics.BLEU(effective_order=True).sentence_score(text, [CAT]).score / 100
        assert score(similarity("bleu"), CAT, text).value == pytest.approx(bleu)
        assert score(similarity("ratio"), CAT, text).value == pytest.approx(fuzz.ratio(text, CAT) / 100)
        assert score(similarity("rouge_l"), CAT, text).value == pytest.approx(rouge.score(CAT, text)["rougeL"].fmeasure)


def test_words_of_any_script_count_for_rouge_l() -> None:
    """Where rouge-score sees no word at all."""
    pytest.importorskip("rapidfuzz")
    assert score(similarity("rouge_l"), "Привет большой мир", "привет, мир").value == pytest.approx(0.8)


@pytest.mark.parametrize("metric", ["chrf", "bleu", "rouge_l", "ratio"])
def test_the_best_of_several_targets_counts(metric: Any) -> None:
    """The same text is 1, nothing alike is near 0, and a threshold makes it right or wrong."""
    pytest.importorskip("sacrebleu")
    assert score(similarity(metric), ["zzz", CAT], CAT).value == pytest.approx(1)
    assert (score(similarity(metric), CAT, "zzz").value or 0) < 0.1
    got = score(similarity(metric, threshold=0.4), CAT, "The cat sat on a rug.")
    assert got.value == 1
    assert 0.4 <= got.details[metric] < 1
    assert score(similarity(metric, threshold=0.4), CAT, "zzz").value == 0


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra that brings it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    need.cache_clear()
    with pytest.raises(CannotMeasure, match=r"needs sacrebleu.*endpoint-harness\[scorers\]"):
        similarity("bleu")
    need.cache_clear()


@pytest.mark.parametrize("threshold", [0, -1, 1.5])
def test_a_threshold_out_of_range_is_refused(threshold: float) -> None:
    """At 0 every answer would be right, above 1 none."""
    with pytest.raises(TaskError, match="threshold"):
        similarity("ratio", threshold=threshold)


# --- several conditions ----------------------------------------------------------------------------------

SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
# Source: promptfoo, src/assertions/*.ts, carried out by hand.
CONDITIONS = (
    ("equals", "Paris", "Paris", True),
    ("equals", "Paris", "Paris ", False),
    ("equals", 5.0, "5", True),
    ("equals", True, "true", True),
    ("equals", {"a": [1, 2.0]}, '{"a": [1.0, 2]}', True),
    ("equals", {"a": 1}, '{"a": true}', False),
    ("equals", {"a": 1}, "no JSON", False),
    ("not-equals", {"a": 1}, "no JSON", True),
    ("contains", "ris", "Paris", True),
    ("contains", 42, "it is 42", True),
    ("contains", "RIS", "Paris", False),
    ("icontains", "RIS", "Paris", True),
    ("not-contains", "Rome", "Paris", True),
    ("starts-with", "Pa", "Paris", True),
    ("starts-with", "Pa", " Paris", False),
    ("ends-with", "ris", "Paris", True),
    ("contains-any", ["x", "a"], "Paris", True),
    ("contains-any", 'x, "a, b", ris', "Paris", True),
    ("contains-all", "P,a", "Paris", True),
    ("contains-all", ["P", "x"], "Paris", False),
    ("not-contains-all", ["P", "x"], "Paris", True),
    ("icontains-all", ["p", "A"], "Paris", True),
    ("icontains-any", ["ROME", "PARIS"], "Paris", True),
    ("regex", r"^\w+$", "Paris", True),
    ("not-regex", r"\d", "Paris", True),
    ("is-json", None, ' {"n": 1} ', True),
    ("is-json", None, '```json\n{"n": 1}\n```', False),
    ("is-json", None, '{"n": NaN}', False),
    ("is-json", None, "[1]", True),
    ("is-json", SCHEMA, '{"n": 1}', True),
    ("is-json", SCHEMA, '{"n": "1"}', False),
    ("is-json", '{"type": "array"}', "[1]", True),
    ("not-is-json", None, "Paris", True),
    ("not-is-json", SCHEMA, '{"n": "1"}', True),
    ("contains-json", None, 'Here: {"n": 1}!', True),
    ("contains-json", None, "Here: [1]!", False),
    ("contains-json", SCHEMA, '{"m": 1} and {"n": 2}', True),
    ("contains-json", SCHEMA, '{"m": 1}', False),
    ("not-contains-json", None, "none { at all }", True),
)


@pytest.mark.parametrize(("kind", "value", "text", "holds"), CONDITIONS)
def test_each_condition(kind: str, value: Any, text: str, holds: bool) -> None:
    """Each type says of a text what its program says, and its opposite says the opposite."""
    assert score(assertions(), [{"type": kind, "value": value}], text).value == float(holds)
    opposite = kind.removeprefix("not-") if kind.startswith("not-") else f"not-{kind}"
    assert score(assertions(), [{"type": opposite, "value": value}], text).value == float(not holds)


def test_all_conditions_are_tried() -> None:
    """Every type stands in the table above."""
    assert {kind.removeprefix("not-") for kind, *_ in CONDITIONS} == set(TYPES)


A, B = {"type": "contains", "value": "a"}, {"type": "contains", "value": "b"}
TOGETHER = (
    ([A, B], 1.0, 1.0, "ab"),
    ([A, B], 0.0, 0.5, "a"),
    ([A, {**B, "weight": 0}], 1.0, 1.0, "a"),
    ([A, {**B, "weight": 3}], 0.0, 0.25, "a"),
    ({"assertions": [A, B], "threshold": 0.5}, 1.0, 0.5, "a"),
    ({"assertions": [A, {**B, "weight": 3}], "threshold": 0.5}, 0.0, 0.25, "a"),
    ({"assertions": [A, B], "threshold": 0}, 1.0, 0.0, "x"),
    ([{**A, "weight": 0}], 1.0, 0.0, "x"),
)


@pytest.mark.parametrize(("target", "value", "share", "text"), TOGETHER)
def test_conditions_combine(target: Any, value: float, share: float, text: str) -> None:
    """All must hold but those of weight 0; a threshold looks at the weighted share instead."""
    got = score(assertions(), target, text)
    assert (got.value, got.details["share"]) == (value, share)


BAD = (
    None,
    [],
    "contains",
    [7],
    [{"value": "a"}],
    [{"type": "javascript", "value": "true"}],
    [{"type": "contains"}],
    [{"type": "contains", "value": ""}],
    [{"type": "contains-any", "value": []}],
    [{"type": "regex", "value": "("}],
    [{"type": "is-json", "value": {"type": "objct"}}],
    [{"type": "is-json", "value": "{"}],
    [{"type": "equals"}],
    [{**A, "weight": -1}],
    [{**A, "weight": "heavy"}],
    {"assertions": [A], "threshold": "high"},
    {"assertions": [A], "treshold": 1},
)


@pytest.mark.parametrize("target", BAD)
def test_what_is_no_condition_is_refused(target: Any) -> None:
    """Before anything is sent, with the sample and the place in its target."""
    with pytest.raises(TaskError, match="sample 7: the target of assertions"):
        score(assertions(), target, "a")


@given(st.text(max_size=200))
def test_no_answer_makes_a_condition_fail_to_judge(text: str) -> None:
    """Any text is judged, and a condition and its opposite never agree."""
    for kind, value, _, _ in CONDITIONS[:20]:
        held = score(assertions(), [{"type": kind, "value": value}], text).value
        assert held in (0.0, 1.0)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_answers_are_judged(text: str) -> None:
    """Unclosed braces, nesting, loops and surrogates cost no more than a moment and raise nothing."""
    every = [{"type": kind, "value": value} for kind, value, _, _ in CONDITIONS]
    assert score(assertions(), every, text).value == 0.0
    scorers = (
        (includes(loose=True), "a"),
        (regex("z$"), None),
        (similarity("ratio"), "a"),
        (similarity("rouge_l"), "b"),
    )
    for scorer, target in scorers:
        assert score(scorer, target, text).value is not None


# --- each row its own ------------------------------------------------------------------------------------


def test_each_row_is_judged_by_its_own_scorer() -> None:
    """The score carries the name of the scorer that gave it; a row without one is told."""
    each = per_row({"exact": exact(), "numeric": numeric()})
    said = reply("It is 4")
    got = [each.score(Sample("1", (), target="4", metadata={"scorer": name}), said) for name in ("exact", "numeric")]
    assert [(one.scorer, one.value) for one in got] == [("exact", 0.0), ("numeric", 1.0)]
    assert each.episode is not None
    whole = Scorer("whole", 1, numeric().score, lambda sample, said: Score(float(len(said)), None, "", "whole", 1))
    both = per_row({"whole": whole, "numeric": numeric()})
    assert not both.waits
    assert per_row({"whole": replace(whole, waits=True)}).waits
    assert both.episode is not None
    rows = [Sample("1", (), "4", metadata={"scorer": name}) for name in ("whole", "numeric")]
    sessions = [both.episode(row, (said, said)) for row in rows]
    assert [(one.scorer, one.value) for one in sessions] == [("whole", 2.0), ("numeric", 1.0)]
    with pytest.raises(TaskError, match="sample 1"):
        each.score(Sample("1", (), target="4"), said)
