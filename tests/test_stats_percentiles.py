"""Percentiles in time order: values, rules, and how often their intervals hold the truth."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.percentiles import SHOWN, percentile, percentile_with_failures, percentiles
from harness.stats.serial import batch_interval, correlated, interval_in_time, lag1, nearest_rank, split


def _autocorrelated(draw: random.Random, n: int, phi: float) -> list[float]:
    """Lognormal times whose logarithms are a stationary AR(1) of unit variance."""
    at, found = draw.gauss(0.0, 1.0), []
    for _ in range(n):
        at = phi * at + draw.gauss(0.0, math.sqrt(1 - phi * phi))
        found.append(math.exp(at))
    return found


@pytest.mark.parametrize(("q", "value"), [(0.05, 15), (0.3, 20), (0.4, 20), (0.5, 35), (1.0, 50)])
def test_nearest_rank_of_the_textbook(q: float, value: float) -> None:
    """Of 15, 20, 35, 40, 50 the nearest ranks of 5, 30, 40, 50 and 100 % are known."""
    assert nearest_rank([15, 20, 35, 40, 50], q) == value


def test_rounding_moves_no_rank() -> None:
    """The 7th percentile of a hundred is the 7th, although 0.07 * 100 is a little over 7."""
    assert nearest_rank(range(1, 101), 0.07) == 7


def test_independent_values_have_the_known_bounds() -> None:
    """The median of a hundred shuffled values lies between the 40th and the 61st."""
    values = [float(i) for i in range(1, 101)]
    random.Random(1).shuffle(values)
    found = percentile(values, 0.5)
    assert found == (0.5, 50.5, 40.0, 61.0, 100, "order statistics", True)


def test_values_in_a_row_are_seen_to_depend() -> None:
    """Rising values are alike: the bounds are those of batch means, and wider."""
    found = percentile([float(i) for i in range(1, 101)], 0.5)
    assert found.method == "batch means"
    assert found.low is not None
    assert found.high is not None
    assert found.low < 40
    assert found.high > 61


@pytest.mark.parametrize(
    ("n", "shown"), [(19, 0), (20, 1), (40, 2), (100, 3), (200, 4), (999, 4), (1000, 5), (10_000, 6)]
)
def test_a_percentile_is_shown_with_ten_values_beyond_it(n: int, shown: int) -> None:
    """p50 from 20 values on, p90 from 100, p99 from 1000, p99.9 from 10000."""
    draw = random.Random(2)
    found = percentiles([draw.random() for _ in range(n)])
    assert [each.q for each in found] == list(SHOWN)
    assert [each.enough for each in found] == [True] * shown + [False] * (6 - shown)


def test_no_values_have_no_percentile() -> None:
    """Nothing measured is None, never 0."""
    assert percentile([], 0.95) == (0.95, None, None, None, 0, "order statistics", False)
    assert percentile_with_failures([], 0.95).value is None


def test_a_failure_is_an_endless_wait() -> None:
    """With a tenth failed the 95th percentile is infinite and the median is not; there is never a NaN."""
    values = [float(i % 90) for i in range(90)] + [math.inf] * 10
    random.Random(3).shuffle(values)
    assert percentile_with_failures(values, 0.95).value == math.inf
    assert percentile_with_failures(values, 0.5).value == 49.0
    with pytest.raises(ValueError, match="finite"):
        percentile(values, 0.5)


@given(st.lists(st.floats(0, 1e6) | st.just(math.inf), max_size=150), st.sampled_from(SHOWN))
def test_bounds_hold_the_value_and_are_values(values: list[float], q: float) -> None:
    """The interval holds the estimate, is made of measured values, and nothing is NaN."""
    found = percentile_with_failures(values, q)
    if found.value is not None:
        assert found.value in values
        assert found.low is None or (found.low in values and found.low <= found.value)
        assert found.high is None or (found.high in values and found.high >= found.value)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=100), st.integers(1, 12))
def test_parts_are_the_whole(values: list[float], parts: int) -> None:
    """Splitting loses nothing and keeps the order; lengths differ by one at most."""
    found = split(values, parts)
    assert [value for part in found for value in part] == values
    assert len(found) == parts
    assert max(map(len, found)) - min(map(len, found)) <= 1


def test_lag_one_by_hand() -> None:
    """Of 1 2 3 4 5 it is 4 / 10, of 1 5 2 4 3 it is -7 / 10; of equal values and of pairs there is none."""
    assert lag1([1, 2, 3, 4, 5]) == pytest.approx(0.4)
    assert lag1([1, 5, 2, 4, 3]) == pytest.approx(-0.7)
    assert lag1([7, 7, 7, 7]) is None
    assert lag1([1, 2]) is None


def test_one_stall_hides_no_pattern() -> None:
    """Ranks see that neighbours are alike, however large one value is."""
    values = [float(i // 10) for i in range(100)]
    values[50] = 1e9
    assert correlated(values)


def test_independent_values_are_seldom_called_alike() -> None:
    """Of 400 independent series at most a twentieth is."""
    draw = random.Random(5)
    assert sum(correlated([draw.random() for _ in range(60)]) for _ in range(400)) <= 20


def test_too_few_alike_values_have_no_bounds() -> None:
    """Thirty dependent values cannot be cut into batches that say anything."""
    assert batch_interval([float(i) for i in range(30)], 0.5) == (None, None)
    assert percentile([float(i) for i in range(30)], 0.5).low is None


def test_equal_batches_leave_the_quantile_alone() -> None:
    """Where every batch has the same share below, the batches see no doubt at all."""
    values = [1.0, 2.0, 3.0, 4.0] * 25
    assert batch_interval(values, 0.5) == (2.0, 3.0)


@pytest.mark.parametrize(("q", "truth"), [(0.5, 1.0), (0.95, math.exp(1.6449))])
def test_intervals_hold_the_truth_under_autocorrelation(q: float, truth: float) -> None:
    """Of 200 series with lag-1 autocorrelation 0.7 at least nine tenths of the intervals hold the true percentile."""
    draw = random.Random(6)
    held = 0
    for _ in range(200):
        (low, high), method = interval_in_time(_autocorrelated(draw, 400, 0.7), q)
        assert method == "batch means"
        held += (low is None or low <= truth) and (high is None or truth <= high)
    assert held >= 180
