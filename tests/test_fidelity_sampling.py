"""Sampling parameters that are honoured, ignored or reversed, and the signs of a broken sampler."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from fidelity_made import called
from numpy.random import Generator

from harness.exchange import Completion, StreamMarks
from harness.fidelity import lengths, sampling
from harness.fidelity.sampling import Signs

SAID = Completion("Yes.", "", "", (), "stop", None, StreamMarks())


def _hot(draw: Generator, temperature: float, n: int, prompts: int = 20) -> dict[str, list[str]]:
    """Answers of ten letters with logits of known spread."""
    logits = np.random.default_rng(4).normal(0, 2, (prompts, 10, 6))
    if not temperature:
        chances = (logits == logits.max(axis=2, keepdims=True)).astype(float)
    else:
        chances = np.exp(logits / temperature)
    bounds = np.cumsum(chances / chances.sum(axis=2, keepdims=True), axis=2)[:, None, :, :-1]
    letters = (draw.random((prompts, n, 10, 1)) > bounds).sum(axis=3)
    return {f"p{at}": ["".join(chr(97 + each) for each in row) for row in rows] for at, rows in enumerate(letters)}


@pytest.mark.parametrize(
    ("temperatures", "word"),
    [((0.2, 1.0), "honoured"), ((1.0, 1.0), "ignored"), ((1.0, 0.2), "reversed"), ((0.0, 0.0), "not applicable")],
)
def test_temperature_widens_what_is_said(temperatures: tuple[float, float], word: str) -> None:
    """A higher temperature gives more variety; one that changes nothing is ignored, where there is any variety."""
    draw = np.random.default_rng(1)
    off, on = (_hot(draw, each, 12) for each in temperatures)
    assert sampling.response(off, on, sampling.variety, "rises").word == word


def test_a_seed_that_is_kept_repeats_the_answer() -> None:
    """One seed, one answer: honoured; as many answers as without a seed: ignored; one answer always: no matter."""
    draw = np.random.default_rng(2)
    free = _hot(draw, 1.0, 30)
    kept = {prompt: answers[:1] * 30 for prompt, answers in free.items()}
    assert sampling.seed_response(kept, free).word == "honoured"
    assert sampling.seed_response(_hot(draw, 1.0, 30), free).word == "ignored"
    assert sampling.seed_response(kept, kept).word == "not applicable"


def test_a_penalty_makes_words_recur_less() -> None:
    """Of answers that repeat half their words and answers that repeat none the penalty is honoured."""
    draw = np.random.default_rng(3)
    words = [f"w{at}" for at in range(400)]
    off = {f"p{at}": [" ".join(draw.choice(words[:20], 40))] for at in range(12)}
    on = {f"p{at}": [" ".join(draw.choice(words, 40, replace=False))] for at in range(12)}
    assert sampling.response(off, on, sampling.repetition, "falls").word == "honoured"
    assert sampling.repetition(["", "..."]) is None


def test_no_prompt_and_one_answer() -> None:
    """Variety needs two answers; without a prompt under both settings nothing is said."""
    assert sampling.variety(["a"]) is None
    assert sampling.response({"p": ["a"]}, {"q": ["a"]}, sampling.variety, "rises").word == "inconclusive"


def test_variety_is_the_mean_share_of_places_that_differ() -> None:
    """Three answers, three pairs; what one is longer by differs."""
    assert sampling.variety(["ab", "ab", "ac"]) == pytest.approx(fmean([0, 0.5, 0.5]))
    assert sampling.variety(["ab", "abcd"]) == 0.5


def test_a_parameter_that_does_nothing_is_found_to_change_in_a_twentieth() -> None:
    """400 endpoints that ignore the temperature: 5 % have p of at most 0.05, give or take 1.5."""

    def p_of(draw: Generator, run: int) -> float:
        found = sampling.response(_hot(draw, 1.0, 4, 12), _hot(draw, 1.0, 4, 12), sampling.variety, "rises", seed=run)
        return found.p_value if found.p_value is not None else 1.0

    assert called(p_of, 400, seed=1) == pytest.approx(0.05, abs=0.015)


LOOP = "I will now check the file again. "


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("Let me see. " + LOOP * 9, True),
        ("the the " * 30, True),
        ("今天天气很好。" * 12, True),
        ("0" * 80, True),
        ("A heading\n" + "-" * 200, False),
        ("| --- | --- |" * 3, False),
        (LOOP * 2, False),
        ("".join(f"{at}. item {at}\n" for at in range(200)), False),
        ("No, no, no, no, no!", False),
        ("", False),
        (LOOP * 9 + "Done.", False),
    ],
)
def test_a_loop_at_the_end(text: str, unit: bool) -> None:
    """A unit that is repeated to the end is a loop, of any script; rules, lists and a few repetitions are none."""
    assert (sampling.looped(text) is not None) == unit


@pytest.mark.parametrize(
    ("text", "asked", "script"),
    [
        ("The answer is хорошо.", "What is it?", "CYRILLIC"),
        ("The answer is 很好的。", "What is it?", "CJK"),
        ("Ответ: хорошо.", "Что это?", None),
        ("Α café costs 3 µ; α + β = γ.", "What?", None),
        ("An и.", "What?", None),
        ("ありがとう 東京", "日本語で?", None),
        ("좋아요 정말", "What?", "HANGUL"),
        ("𝐱𝐲𝐳 and ﬁt", "What?", None),
    ],
)
def test_letters_of_a_script_that_nobody_asked_for(text: str, asked: str, script: str | None) -> None:
    """Three letters of a script that the prompt has none of; Latin and Greek are at home everywhere."""
    assert sampling.wrong_script(text, asked) == script


def test_signs_and_their_shares() -> None:
    """Each sign stands by itself, and its share is one per prompt."""
    nothing = replace(SAID, text="", reasoning="Hm.")
    found = [("p", sampling.signs(each, "What?")) for each in (SAID, nothing, replace(SAID, text=" "))]
    assert [each for _, each in found] == [
        Signs(False, False, False, False),
        Signs(False, False, True, False),
        Signs(False, False, False, True),
    ]
    assert sampling.shares(found, "empty") == {"p": pytest.approx(1 / 3)}


def _lengths(draw: Generator, n: int, cut: float | None, prompts: int = 12) -> dict[str, list[float]]:
    middle = np.random.default_rng(6).uniform(3, 6, prompts)
    drawn = np.exp(draw.normal(middle[:, None], 0.4, (prompts, n))).round()
    return {f"p{at}": (row if cut is None else np.minimum(row, cut)).tolist() for at, row in enumerate(drawn)}


def test_answers_that_stop_early_are_found() -> None:
    """A cap of 90 tokens that nobody set: more answers end up to there, and p is small."""
    draw = np.random.default_rng(7)
    found = lengths.lengths(_lengths(draw, 8, None), _lengths(draw, 8, 90))
    assert found is not None
    assert (found.earlier, found.at) == (True, 90)
    assert found.p_value <= 0.01
    assert lengths.lengths({"p": [1]}, {"q": [1]}) is None


def test_equal_lengths_are_called_different_in_a_twentieth() -> None:
    """400 pairs of equal endpoints: 5 %, give or take 1.5; power rises as answers are cut shorter."""

    def p_of(cut: float | None):
        def of(draw: Generator, run: int) -> float:
            found = lengths.lengths(_lengths(draw, 4, None), _lengths(draw, 4, cut), permutations=99, seed=run)
            return found.p_value if found else 1.0

        return of

    assert called(p_of(None), 400, seed=1) == pytest.approx(0.05, abs=0.015)
    power = [called(p_of(cut), 40, seed=2) for cut in (400, 150, 60)]
    assert power == sorted(power)
    assert power[-1] > 0.9


def test_lengths_are_measured_against_the_references_own() -> None:
    """Equal endpoints are equivalent within a tenth, one with a cap is different; fixed lengths have no gap at all."""
    draw = np.random.default_rng(9)
    first, again, same, cut = (_lengths(draw, 12, cap, 40) for cap in (None, None, None, 90))
    gaps = [lengths.against_itself(first, again, each) for each in (same, cut)]
    assert [gap.word(lengths.MARGIN) for gap in gaps if gap] == ["equivalent", "different"]
    fixed = {"p": [7.0], "q": [3.0]}
    none = lengths.against_itself(fixed, fixed, fixed)
    assert none is not None
    assert (none.value, none.low, none.high) == (0, 0, 0)


def test_rare_signs_are_called_more_frequent_in_a_twentieth() -> None:
    """400 candidates that loop as seldom as their reference, asked half as often: 5 %, give or take 1.5."""

    def p_of(draw: Generator, run: int) -> float:
        sides = ({f"p{at}": (draw.random(n) < 0.05).astype(float).tolist() for at in range(40)} for n in (12, 6))
        found = lengths.lengths(*sides, permutations=199, seed=run)
        return found.p_value if found else 1.0

    assert called(p_of, 400, seed=1) == pytest.approx(0.05, abs=0.015)
