"""Sums and differences of estimates from their own intervals."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.intervals import wilson
from harness.stats.mover import Estimate, difference, exact, p_of_zero, total
from harness.stats.ratio import Moments, ratio_of_means, ratio_of_moments


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((10, 10), (0, 20), 0.6791, 1.0)],
)
def test_two_shares_have_newcombes_interval(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    """The difference of two Wilson intervals is method 10 of Newcombe (1998), table II."""
    found = difference(*(Estimate(good / n, *wilson(good, n)) for good, n in (one, other)))
    assert found.low == pytest.approx(low, abs=5e-5)
    assert found.high == pytest.approx(high, abs=5e-5)


figures = st.floats(-1e6, 1e6)
far = st.floats(0, 1e6)
estimates = st.builds(lambda value, down, up: Estimate(value, value - down, value + up), figures, far, far)


@given(estimates, estimates)
def test_a_difference_is_the_other_turned_round(one: Estimate, other: Estimate) -> None:
    """A minus B is minus (B minus A), bounds changing places."""
    assert difference(one, other) == pytest.approx(difference(other, one).times(-1))


@given(estimates)
def test_p_and_interval_say_the_same(found: Estimate) -> None:
    """P is at most 0.05 exactly where the interval leaves out 0."""
    p = p_of_zero(found)
    assert p is not None
    assert found.low is not None
    assert found.high is not None
    if min(abs(found.low), abs(found.high), abs(found.value)) > 1e-6 * (found.high - found.low):
        assert (p <= 0.05) == (found.low > 0 or found.high < 0)


def test_what_is_not_bounded_stays_so() -> None:
    """A part without a bound leaves the sum without it, on the side that its sign says."""
    open_above = Estimate(1.0, 0.5, None)
    assert total([(2.0, open_above), (1.0, exact(3.0))]) == Estimate(5.0, 4.0, None)
    assert total([(-1.0, open_above)]) == Estimate(-1.0, None, -0.5)
    assert p_of_zero(Estimate(-1.0, -2.0, None)) is None
    assert open_above.within(0, 2) == Estimate(1.0, 0.5, 2)


def test_known_figures_are_no_matter_of_chance() -> None:
    """A figure that is known differs from 0 for certain, or is 0."""
    assert p_of_zero(exact(0.1)) == 0.0
    assert p_of_zero(exact(0.0)) == 1.0


def test_a_ratio_of_sums_is_that_of_its_items() -> None:
    """What a query adds up gives the same interval as the items one by one."""
    top, bottom = [3.0, 5.0, 9.0, 4.0], [2.0, 2.5, 6.0, 3.0]
    n, a, b = 4, sum(top) / 4, sum(bottom) / 4
    variances = [
        math.fsum((x - mx) * (y - my) for x, y in zip(one, other, strict=True)) / 3
        for one, mx, other, my in ((top, a, top, a), (bottom, b, bottom, b), (top, a, bottom, b))
    ]
    assert ratio_of_moments(Moments(n, a, b, *variances)) == pytest.approx(ratio_of_means(top, bottom))
