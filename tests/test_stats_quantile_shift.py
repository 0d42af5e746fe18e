"""Differences of quantiles: values worked out by hand, and how often the interval holds the truth."""

import random
from statistics import NormalDist

import pytest

from harness.stats.quantile_shift import quantile_shifts


def test_a_constant_delay_shifts_every_quantile_by_itself() -> None:
    """Where B is A and 5 more, each quantile moves by 5 and nothing is uncertain, whatever A's spread is."""
    a = [float(value % 97) for value in range(0, 970, 3)]
    found = quantile_shifts(a, [value + 5 for value in a])
    assert [row.q for row in found] == [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
    assert all((row.difference, row.low, row.high) == pytest.approx((5.0, 5.0, 5.0)) for row in found)


def test_only_the_tail_differs() -> None:
    """Of 1,000 pairs the slowest tenth are 100 later: the median stays as it is, and p95 moves by 100."""
    a = [float(i % 50) for i in range(1000)]
    by_q = {row.q: row for row in quantile_shifts(a, [value + (100 if value >= 45 else 0) for value in a])}
    assert by_q[0.5].difference == by_q[0.5].low == by_q[0.5].high == 0
    assert by_q[0.95].difference == pytest.approx(100)
    assert by_q[0.95].low > 50


@pytest.mark.parametrize(("n", "shown"), [(19, []), (20, [0.5]), (100, [0.1, 0.5, 0.9]), (1000, [0.1, 0.5, 0.9, 0.99])])
def test_a_quantile_that_rests_on_few_values_is_left_out(n: int, shown: list[float]) -> None:
    """At least ten values lie beyond each quantile that is given: p99 takes a thousand."""
    values = [float(i) for i in range(n)]
    assert [row.q for row in quantile_shifts(values, values, (0.1, 0.5, 0.9, 0.99), draws=20)] == shown


def test_the_same_seed_gives_the_same_interval() -> None:
    """What is drawn comes from the seed alone."""
    source = random.Random(3)
    a = [source.gauss(0, 1) for _ in range(60)]
    b = [source.gauss(0, 1) for _ in range(60)]
    assert quantile_shifts(a, b, seed=1) == quantile_shifts(a, b, seed=1)
    assert quantile_shifts(a, b, seed=1) != quantile_shifts(a, b, seed=2)


@pytest.mark.parametrize("alike", [0.0, 0.6])
def test_the_interval_holds_the_truth(alike: float) -> None:
    """Of 120 simulated pairs of endpoints the interval of the shift at 50 % and 90 % holds it in nine of ten or more.

    B has twice A's spread, so the shift at q is z(q); with ``alike`` each value remembers the one before.
    """
    source, held, times = random.Random(1), 0, 120
    for _ in range(times):
        a, b = _series(source, alike, 240), [2 * value for value in _series(source, alike, 240)]
        found = quantile_shifts(a, b, (0.5, 0.9), draws=299)
        held += sum(row.low <= NormalDist().inv_cdf(row.q) <= row.high for row in found)
    assert held >= 0.87 * 2 * times


def _series(source: random.Random, alike: float, n: int) -> list[float]:
    """Standard normal values, each of which is correlated with its neighbour."""
    value, found = source.gauss(0, 1), []
    for _ in range(n):
        value = alike * value + (1 - alike**2) ** 0.5 * source.gauss(0, 1)
        found.append(value)
    return found


def test_two_lengths_are_a_mistake() -> None:
    """Pairs have two sides."""
    with pytest.raises(ValueError, match="shorter"):
        quantile_shifts([1.0, 2.0], [1.0])
