"""Intervals and comparisons against published values."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.intervals import quantile, quantile_interval, wilson
from harness.stats.paired import paired_difference, paired_ratio
from harness.stats.power import smallest_detectable_difference
from harness.stats.verdict import verdict, verdict_of_ratio


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998) 857, Table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_bounds(successes: int, n: int, low: float, high: float) -> None:
    """The score interval equals the published one to four digits."""
    interval = wilson(successes, n)
    assert (round(interval.low or 0.0, 4), round(interval.high or 0.0, 4)) == (low, high)


def test_nothing_measured_has_no_interval() -> None:
    """No observation gives None, never 0 to 1 dressed up as a measurement."""
    assert wilson(0, 0) == (None, None)
    assert quantile([], 0.5) is None
    assert quantile_interval([], 0.5) == (None, None)
    assert paired_difference([], []).difference is None


def test_the_median_of_a_hundred_lies_between_the_40th_and_the_61st() -> None:
    """The order-statistic bounds are those of the standard table for n = 100."""
    assert quantile_interval([float(i) for i in range(1, 101)], 0.5) == (40.0, 61.0)


def test_a_tail_that_few_values_reach_has_no_upper_bound() -> None:
    """Ten values cannot bound the 95th percentile from above, and it is said so."""
    assert quantile_interval([float(i) for i in range(10)], 0.95).high is None


def test_quantiles_interpolate_as_sql_does() -> None:
    """quantile_cont of 1, 2, 3, 10 at 0.95 is 8.95."""
    assert quantile([10.0, 1.0, 3.0, 2.0], 0.95) == pytest.approx(8.95)


def _pairs(both: int, only_a: int, only_b: int, neither: int) -> tuple[list[bool], list[bool]]:
    a = [True] * (both + only_a) + [False] * (only_b + neither)
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return a, b


def test_paired_difference_gives_the_published_bounds() -> None:
    """Newcombe, Statistics in Medicine 17 (1998) 2635, Table II: 36, 12, 2, 0 by method 10 is 0.0569 to 0.3404."""
    found = paired_difference(*_pairs(36, 2, 12, 0))
    assert found.difference == pytest.approx(0.2)
    assert (round(found.low or 0, 4), round(found.high or 0, 4)) == (0.0569, 0.3404)
    assert verdict(found.low, found.high) == "better"


def test_mcnemar_is_exact() -> None:
    """With 2 against 12 discordant pairs the two-sided binomial p is 2 * 106 / 2**14."""
    assert paired_difference(*_pairs(36, 2, 12, 0)).p_value == pytest.approx(2 * 106 / 2**14)


def test_equal_answers_are_unclear_and_say_what_could_hide() -> None:
    """Fifty agreeing pairs prove no equality: the smallest visible difference is stated."""
    found = paired_difference(*_pairs(30, 0, 0, 20))
    assert verdict(found.low, found.high) == "unclear"
    assert found.p_value == 1.0
    assert found.mde is not None
    assert 0.05 < found.mde < 0.2


@pytest.mark.parametrize(
    ("discordance", "n", "points"), [(0.05, 100, 6.3), (0.10, 250, 5.6), (0.20, 1000, 4.0), (0.10, 4000, 1.4)]
)
def test_smallest_detectable_difference_in_points(discordance: float, n: int, points: float) -> None:
    """Known values at alpha 0.05 and power 0.8."""
    found = smallest_detectable_difference(n, round(discordance * n))
    assert found is not None
    assert round(100 * found, 1) == points


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_paired_difference_is_antisymmetric_and_holds_its_estimate(both: int, a: int, b: int, neither: int) -> None:
    """Swapping the two swaps the bounds' signs, and the estimate lies within them."""
    if both + a + b + neither == 0:
        return
    forth, back = paired_difference(*_pairs(both, a, b, neither)), paired_difference(*_pairs(both, b, a, neither))
    assert forth.low is not None
    assert forth.high is not None
    assert back.low is not None
    assert math.isclose(forth.high, -back.low, abs_tol=1e-12)
    assert forth.low - 1e-12 <= (forth.difference or 0.0) <= forth.high + 1e-12


def test_wilson_covers_about_as_often_as_it_says() -> None:
    """Over all outcomes of binomial(40, 0.3) the 95 % interval holds the truth 93 to 97 % of the time."""
    n, p = 40, 0.3
    held = sum(
        math.comb(n, k) * p**k * (1 - p) ** (n - k)
        for k in range(n + 1)
        if (bounds := wilson(k, n)).low is not None and bounds.high is not None and bounds.low <= p <= bounds.high
    )
    assert 0.93 < held < 0.97


def test_a_uniform_slowdown_is_seen_in_matched_prompts() -> None:
    """Every prompt 20 % slower gives the ratio 1.2 and the word worse, however much the prompts differ."""
    a = [100.0 + 50.0 * (i % 7) for i in range(20)]
    found = paired_ratio(a, [1.2 * value for value in a])
    assert found.ratio == pytest.approx(1.2)
    assert verdict_of_ratio(found.low, found.high) == "worse"


def test_too_few_pairs_are_unclear() -> None:
    """Three pairs cannot bound a median at 95 %."""
    found = paired_ratio([1.0, 1.0, 1.0], [2.0, 2.0, 2.0])
    assert found.high is None
    assert verdict_of_ratio(found.low, found.high) == "unclear"


def test_pairs_must_match() -> None:
    """Unmatched lists are a mistake of ours and raise."""
    for function, (a, b) in itertools.product((paired_difference, paired_ratio), [([True], []), ([], [True])]):
        with pytest.raises(ValueError, match=r"shorter|longer"):
            function(a, b)
