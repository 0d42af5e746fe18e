"""By how much one of two matched measures is larger: worked out by hand, and tried on two equal endpoints."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.power import smallest_detectable_mean, smallest_detectable_shift
from harness.stats.shift import Shift, mean_shift, median_shift
from harness.stats.verdict import verdict

RUNS = 400
BOUND = 0.05 + 2.33 * math.sqrt(0.05 * 0.95 / RUNS)
"""A twentieth and the error of so many runs, at 99 %."""
MIXED = [5, 1, 9, 3, 7, 2, 10, 4, 8, 6]


def test_a_median_of_differences_by_hand() -> None:
    """Ten differences of 1 to 10 in no order: order statistics 2 and 9, a sign test of ten to none."""
    a = [20.0] * 10
    found = median_shift(a, [20.0 + more for more in MIXED])
    assert (found.n, found.a, found.b, found.difference) == (10, 20.0, 25.5, 5.5)
    assert (found.low, found.high) == (2.0, 9.0)
    assert found.p_value == pytest.approx(2 / 2**10)
    assert found.mde == pytest.approx((1.959964 + 0.841621) * 7 / (2 * 1.959964), abs=1e-6)
    assert (found.ratio, found.ratio_low, found.ratio_high) == pytest.approx((1.275, 1.1, 1.45))
    assert (found.test, found.method) == ("sign test", "order statistics")


def test_a_mean_of_differences_by_hand() -> None:
    """Differences of 1, 2, 3, 4: Student's t of three degrees of freedom, 2 of 16 flips are as far off."""
    found = mean_shift([10.0, 10.0, 10.0, 10.0], [11.0, 12.0, 13.0, 14.0])
    half = 3.182446 * math.sqrt(5 / 3) / 2
    assert (found.difference, found.low, found.high) == pytest.approx((2.5, 2.5 - half, 2.5 + half), abs=1e-5)
    assert found.p_value == pytest.approx(2 / 16)
    assert found.mde == pytest.approx((3.182446 + 0.978472) * math.sqrt(5 / 3) / 2, abs=1e-5)
    assert found.ratio == pytest.approx(1.25)


@pytest.mark.parametrize("shift", [median_shift, mean_shift])
def test_what_cannot_be_said_is_none(shift: Callable[[Sequence[float], Sequence[float]], Shift]) -> None:
    """Nothing of no pairs; of one its difference alone; equal differences have no smallest detectable one."""
    assert (shift([], []).n, shift([], []).difference, shift([], []).p_value) == (0, None, None)
    one = shift([1.0], [3.0])
    assert (one.n, one.difference, one.low, one.high, one.mde) == (1, 2.0, None, None, None)
    equal = shift([1.0] * 30, [3.0] * 30)
    assert (equal.difference, equal.low, equal.high, equal.mde) == (2.0, 2.0, 2.0, None)
    assert equal.p_value is not None
    assert equal.p_value < 0.001
    same = shift([0.0] * 30, [0.0] * 30)
    assert (same.difference, same.p_value, same.ratio) == (0.0, 1.0, None)
    with pytest.raises(ValueError, match="zip"):
        shift([1.0], [])


times = st.lists(st.tuples(st.floats(1, 1e4), st.floats(1, 1e4)), min_size=1, max_size=60)


@given(times)
def test_the_other_way_round_is_the_same_with_the_other_sign(pairs: list[tuple[float, float]]) -> None:
    """Difference, bounds and p of B against A follow from those of A against B."""
    a, b = [one for one, _ in pairs], [other for _, other in pairs]
    there, back = median_shift(a, b), median_shift(b, a)
    assert back.difference == pytest.approx(-(there.difference or 0.0))
    assert (back.low is None, back.high is None) == (there.high is None, there.low is None)
    assert (back.low, back.high) == (
        None if there.high is None else -there.high,
        None if there.low is None else -there.low,
    )
    assert back.p_value == there.p_value


@given(times)
def test_the_estimate_lies_between_its_bounds(pairs: list[tuple[float, float]]) -> None:
    """Of both kinds, for any pairs."""
    a, b = [one for one, _ in pairs], [other for _, other in pairs]
    for found in (median_shift(a, b), mean_shift(a, b)):
        assert found.difference is not None
        assert found.low is None or found.low <= found.difference + 1e-9
        assert found.high is None or found.high >= found.difference - 1e-9


def test_bounds_of_a_difference_of_scores_do_not_bound_times() -> None:
    """The mean of scores cannot differ by more than 1; milliseconds and tokens can."""
    assert smallest_detectable_mean(5.0, 10) == 1.0
    assert smallest_detectable_mean(5.0, 1e6, most=math.inf) == pytest.approx(5 * 2.801585, abs=1e-4)
    assert smallest_detectable_shift(-1.0, 1.0) == pytest.approx(2.801585 / 1.959964, abs=1e-6)


# --- A against A -----------------------------------------------------------------------------------------


def _times(draw: random.Random, prompts: Sequence[float], phi: float, more: float) -> list[float]:
    """Milliseconds of one endpoint: the prompt's own, its noise of about 20 %, ``more`` for a gateway.

    ``phi`` is the autocorrelation of the noise.
    """
    at, found = draw.gauss(0, 0.2), []
    for prompt in prompts:
        at = phi * at + draw.gauss(0, 0.2 * math.sqrt(1 - phi * phi))
        found.append(20 * math.exp(prompt + at) + more)
    return found


def _runs(n: int, more: float, phi: float = 0.0, seed: int = 11) -> list[Shift]:
    draw = random.Random(seed)
    found = []
    for _ in range(RUNS):
        prompts = [draw.gauss(0, 0.4) for _ in range(n)]
        found.append(median_shift(_times(draw, prompts, phi, 0.0), _times(draw, prompts, phi, more)))
    return found


def _told(found: Sequence[Shift]) -> float:
    """Share of runs that were called different, as a report would."""
    return fmean(verdict(one.low, one.high, one.p_value) != "unclear" for one in found)


@pytest.mark.parametrize(("n", "phi"), [(20, 0.0), (60, 0.0), (200, 0.6)])
def test_equal_endpoints_come_out_as_no_difference(n: int, phi: float) -> None:
    """Of 400 runs of A against A at most a twentieth is called different, also where neighbours are alike."""
    assert _told(_runs(n, 0.0, phi)) <= BOUND


def test_an_added_delay_lies_in_its_interval() -> None:
    """Of 400 runs with 5 ms added, 95 % or more have 5 ms between their bounds."""
    inside = [one.low <= 5.0 <= one.high for one in _runs(60, 5.0) if one.low is not None and one.high is not None]
    assert len(inside) == RUNS
    assert fmean(inside) >= 0.95 - (BOUND - 0.05)


def test_the_smallest_detectable_delay_is_found_four_times_in_five() -> None:
    """A delay of the mean MDE of such runs is found in 80 % of them, give or take 7."""
    mde = fmean(one.mde for one in _runs(200, 0.0) if one.mde is not None)
    assert _told(_runs(200, mde, seed=12)) == pytest.approx(0.8, abs=0.07)
