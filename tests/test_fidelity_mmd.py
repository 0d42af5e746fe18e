"""Maximum mean discrepancy on answers: its value, its p, its level and power, and the word that comes of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from statistics import fmean

import numpy as np
import pytest
from fidelity_made import called, mixed, sampler
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import Generator

from harness.fidelity import categories, mmd
from harness.fidelity.verdict import Gap, verdict


def _by_hand(x: list[str], y: list[str], length: int) -> float:
    """MMD^2 of one prompt as its definition has it."""

    def k(a: str, b: str) -> float:
        return fmean(p == q for p, q in zip(a[:length].ljust(length), b[:length].ljust(length), strict=True))

    within = [fmean(k(a, b) for a, b in itertools.permutations(side, 2)) for side in (x, y)]
    return sum(within) - 2 * fmean(k(a, b) for a in x for b in y)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.text("abc", max_size=6), min_size=2, max_size=5),
    st.lists(st.text("abc", max_size=6), min_size=2, max_size=5),
    st.integers(1, 8),
)
def test_the_distance_is_its_definition(x: list[str], y: list[str], length: int) -> None:
    """Computed at once or pair by pair, cut or padded: the same number; and the same from either side."""
    found = mmd.distance({"p": x}, {"p": y}, length=length, permutations=1)
    back = mmd.distance({"p": y}, {"p": x}, length=length, permutations=1)
    assert found is not None
    assert back is not None
    assert found.squared == pytest.approx(_by_hand(x, y, length), abs=1e-9)
    assert back.squared == pytest.approx(found.squared, abs=1e-9)


def test_the_effect_does_not_depend_on_the_padding() -> None:
    """Ten places or a thousand beyond the longest answer: MMD^2 becomes a smaller share, the effect stays."""
    x, y = {"p": ["yes", "yes", "no"], "q": ["a", "b"]}, {"p": ["no", "no", "yes"], "q": ["b", "b"]}
    short, long = (mmd.distance(x, y, length=length) for length in (10, 1000))
    assert short is not None
    assert long is not None
    assert short.effect == pytest.approx(long.effect)
    assert short.squared == pytest.approx(100 * long.squared)


def test_answers_of_two_fixed_models() -> None:
    """Each side says one thing only, and another one: effect 1, and the least p there is with many prompts."""
    x, y = ({f"p{i}": [word] * 3 for i in range(9)} for word in ("aaaa", "bbbb"))
    found = mmd.distance(x, y, permutations=199)
    assert found is not None
    assert (found.effect, found.p_value, found.prompts, found.answers) == (pytest.approx(1.0), 1 / 200, 9, (27, 27))


def test_answers_that_are_all_the_same() -> None:
    """Two deterministic servers that agree: effect 0, p 1, and no smallest effect that could be told."""
    same = {f"p{i}": ["Paris"] * 3 for i in range(9)}
    found = mmd.distance(same, same)
    assert found is not None
    assert (found.effect, found.p_value, found.mde) == (0.0, 1.0, None)
    gap = mmd.against_itself(same, same, same)
    assert gap is not None
    assert gap.word(mmd.MARGIN) == "equivalent"


def test_tokens_by_number_and_characters_alike() -> None:
    """An answer is its code points, those beyond the basic plane as well, or a sequence of token numbers."""
    x, y = ["añ𝄞", "b"], ["añ", "b𝄞"]
    tokens = [{"p": [[ord(sign) for sign in answer] for answer in side]} for side in (x, y)]
    assert mmd.distance({"p": x}, {"p": y}) == mmd.distance(*tokens)


@pytest.mark.parametrize("y", [{}, {"q": ["a", "b"]}, {"p": ["a"]}])
def test_no_prompt_to_compare(y: dict[str, list[str]]) -> None:
    """Without two answers from each side to one prompt there is no distance."""
    assert mmd.distance({"p": ["a", "b"]}, y) is None
    assert mmd.against_itself({"p": ["a", "b"]}, {"p": ["a", "b"]}, y) is None


def test_unequal_numbers_of_answers_count_each_prompt_once() -> None:
    """MMD^2 is the mean over prompts, whatever their numbers of answers; a prompt with one answer is left out."""
    x = {"p": ["ab", "ab", "cb", "aa"], "q": ["x", "y"], "r": ["z"]}
    y = {"p": ["cc", "cb"], "q": ["y", "y", "x"], "r": ["z", "z"]}
    found = mmd.distance(x, y, length=2)
    assert found is not None
    assert list(found.by_prompt) == ["p", "q"]
    assert found.squared == pytest.approx(fmean(_by_hand(x[each], y[each], 2) for each in "pq"))


def _distance_p(
    share: float, n: int, prompts: int = 10, other_n: int | None = None
) -> Callable[[Generator, int], float]:
    def p_of(draw: Generator, run: int) -> float:
        found = mmd.distance(
            mixed(draw, sampler(1, prompts), sampler(2, prompts), n, 0),
            mixed(draw, sampler(1, prompts), sampler(2, prompts), other_n or n, share),
            permutations=99,
            seed=run,
        )
        assert found is not None
        return found.p_value

    return p_of


def test_equal_endpoints_are_called_different_in_a_twentieth() -> None:
    """400 pairs of equal endpoints, as many answers each or twice as many of one: 5 % called, give or take 1.5."""
    assert called(_distance_p(0, 5), 400, seed=1) == pytest.approx(0.05, abs=0.015)
    assert called(_distance_p(0, 4, 6, other_n=8), 400, seed=4) == pytest.approx(0.05, abs=0.015)


def test_power_rises_with_the_difference_and_with_the_answers() -> None:
    """A larger share of another model's answers, or more answers, are found more often."""
    by_share = [called(_distance_p(share, 5), 60, seed=3) for share in (0.1, 0.3, 0.6)]
    by_answers = [called(_distance_p(0.3, n), 60, seed=4) for n in (3, 6, 12)]
    assert by_share == sorted(by_share)
    assert by_answers == sorted(by_answers)
    assert by_share[-1] > 0.95
    assert by_answers[-1] > 0.9


def _gap(draw: Generator, share: float, n: int, seed: int) -> Gap:
    one, other = sampler(1, 25), sampler(2, 25)
    sides = [mixed(draw, one, other, n, each) for each in (0, 0, share)]
    found = mmd.against_itself(*sides, permutations=199, seed=seed)
    assert found is not None
    return found


@pytest.mark.parametrize(("share", "word"), [(0.0, "equivalent"), (0.5, "different"), (1.0, "different")])
def test_the_word_is_the_same_whatever_the_seed(share: float, word: str) -> None:
    """25 prompts, 20 answers each: over seeds of the permutations the verdict stays, and it is the right one."""
    draw = np.random.default_rng(8)
    one, other = sampler(1, 25), sampler(2, 25)
    sides = [mixed(draw, one, other, 20, each) for each in (0, 0, share)]
    found = [mmd.against_itself(*sides, permutations=199, seed=seed) for seed in range(5)]
    assert {gap and gap.word(mmd.MARGIN) for gap in found} == {word}


def test_a_difference_of_the_mde_is_found_in_about_four_fifths() -> None:
    """Where the effect is the smallest detectable one, the test finds it in 80 % of runs, give or take 15."""
    draw = np.random.default_rng(5)
    gaps = [_gap(draw, 0.157, 10, run) for run in range(60)]
    assert fmean(gap.value / (gap.mde or 1) for gap in gaps) == pytest.approx(1.0, abs=0.25)
    assert fmean(gap.p_value <= 0.05 for gap in gaps) == pytest.approx(0.8, abs=0.15)


def test_words_that_hardly_vary_can_be_called_equivalent() -> None:
    """14 prompts with one word and 2 that waver, as a model's calls do: the gap is bounded, and one changed is found.

    The counts are those of 12 answers of one real server to each of 16 requests with tools.
    """
    steady = {f"p{i}": ["fits"] * 8 for i in range(14)}
    first, again = (
        {**{name: words[:4] for name, words in steady.items()}, "q": wavers, "r": ["bad"] * 3 + [last]}
        for wavers, last in ((["none"] * 3 + ["bad"], "bad"), (["none"] * 2 + ["bad"] * 2, "fits"))
    )
    same = categories.against_itself(first, again, first)
    changed = categories.against_itself(first, again, {**first, "p0": ["none"] * 4})
    assert same is not None
    assert changed is not None
    assert same.word(mmd.MARGIN) == "equivalent"
    assert changed.value == pytest.approx(same.value + 1 / 16)
    assert changed.word(mmd.MARGIN) == "different"


def test_the_luck_in_answers_says_beforehand_what_is_found() -> None:
    """Of one of two words it is a half, whatever their shares; the smallest effect follows from it, 15 % off."""
    draw = np.random.default_rng(7)
    coins = {f"p{i}": [str(word) for word in draw.random(40) < 0.3] for i in range(40)}
    assert mmd.spread(coins, length=5) == pytest.approx(0.5, abs=0.03)
    answers = mixed(draw, sampler(1, 25), sampler(1, 25), 18, 0)
    luck = mmd.spread(answers)
    first, other = ({each: some[at] for each, some in answers.items()} for at in (slice(12), slice(12, None)))
    found = mmd.distance(first, other)
    assert luck is not None
    assert found is not None
    assert mmd.foreseen(25, 12, 6, luck) == pytest.approx(found.mde, rel=0.15)
    assert mmd.spread({"p": ["a"] * 9}) is None
    assert mmd.spread({"p": ["a", "b", "c"]}) is None


@pytest.mark.parametrize(
    ("low", "high", "p", "steady", "word"),
    [
        (-0.01, 0.01, 0.5, True, "equivalent"),
        (0.001, 0.01, 0.001, True, "equivalent"),
        (0.01, 0.05, 0.001, True, "different"),
        (0.01, 0.05, 0.06, True, "inconclusive"),
        (-0.01, 0.05, 0.001, True, "different"),
        (-0.01, 0.05, 0.001, False, "inconclusive"),
        (0.01, 0.05, 0.001, False, "different"),
        (None, None, 0.001, True, "different"),
        (None, None, 0.5, True, "inconclusive"),
    ],
)
def test_the_word_for_a_gap(low: float | None, high: float | None, p: float, steady: bool, word: str) -> None:
    """Within the margin equivalent; beyond it different by p, and by the interval too where the reference changed."""
    assert verdict(low, high, p, 0.02, steady=steady) == word


def test_a_reference_that_changed_meanwhile_is_no_yardstick() -> None:
    """Where the reference's second half is another model, a candidate equal to neither half is not called different."""
    draw = np.random.default_rng(6)
    one, other = sampler(1, 25), sampler(2, 25)
    found = mmd.against_itself(*(mixed(draw, one, other, 10, share) for share in (0, 0.5, 0.5)), permutations=199)
    assert found is not None
    assert found.ceiling_p <= 0.05
    assert found.word(mmd.MARGIN) == "inconclusive"


def test_what_cannot_be_found_has_no_smallest_effect() -> None:
    """Two answers of a side to one prompt, each unlike all others: not even nothing in common would be found."""
    found = mmd.distance({"p": ["aaaa", "bbbb"]}, {"p": ["cccc", "dddd"]}, length=4)
    assert found is not None
    assert found.mde is None


def test_what_never_varies_has_no_smallest_effect() -> None:
    """Two sides that always give their own answer are moved by permuting; two that give the same are not."""
    moving = mmd.distance({"p": ["a"] * 8}, {"p": ["b"] * 8}, length=1)
    still = mmd.distance({"p": ["a"] * 8}, {"p": ["a"] * 8}, length=1)
    assert moving is not None
    assert still is not None
    assert moving.mde is not None
    assert still.mde is None
