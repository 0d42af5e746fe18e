"""Change points of nightly series."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.stats.change import Scale
from harness.stats.changepoint import FEWEST, change_points


def _series(*levels: tuple[int, float], sd: float = 0.03, seed: int = 4) -> list[float]:
    """So many nights of each level, with noise."""
    draw = random.Random(seed)
    return [level * math.exp(draw.gauss(0, sd)) for nights, level in levels for _ in range(nights)]


@pytest.mark.parametrize(
    ("levels", "places"),
    [
        (((30, 100.0),), []),
        (((20, 100.0), (15, 120.0)), [20]),
        (((20, 100.0), (15, 80.0)), [20]),
        (((20, 100.0), (12, 130.0), (20, 100.0)), [20, 32]),
        (((15, 100.0), (15, 115.0), (15, 135.0), (15, 100.0)), [15, 30, 45]),
        (((40, 100.0), (3, 130.0)), [40]),
    ],
)
def test_known_steps_are_found_where_they_are(levels: tuple[tuple[int, float], ...], places: list[int]) -> None:
    """None, one up, one down, up and back, stairs, and one of three nights ago."""
    assert [one.at for one in change_points(_series(*levels), "ratio")] == places


def test_size_and_p_are_those_of_students_test() -> None:
    """The ratio of the two levels' geometric means, its pooled interval and p as scipy has them."""
    values = _series((20, 100.0), (15, 120.0))
    (found,) = change_points(values, "ratio")
    before, after = ([math.log(value) for value in part] for part in (values[:20], values[20:]))
    test = stats.ttest_ind(after, before)
    interval = test.confidence_interval()
    assert found.p_value == pytest.approx(test.pvalue)
    assert found.size == pytest.approx(math.exp(sum(after) / 15 - sum(before) / 20))
    assert (found.low, found.high) == (pytest.approx(math.exp(interval.low)), pytest.approx(math.exp(interval.high)))
    assert (found.n_before, found.n_after, found.last_before) == (20, 15, 19)
    assert found.before == pytest.approx(math.exp(sum(before) / 20))
    assert found.confidence == 1 - found.permutation_p >= 0.95


def test_the_same_series_gives_the_same_answer() -> None:
    """Whatever was drawn came from the seed."""
    values = _series((20, 100.0), (6, 108.0), sd=0.05)
    assert change_points(values, "ratio", seed=3) == change_points(values, "ratio", seed=3)


def test_gaps_are_gaps() -> None:
    """Nights without a value are not filled: the places are those of the whole series, and the change lies between."""
    values: list[float | None] = [*_series((20, 100.0), (15, 120.0))]
    gappy = [*values[:5], None, math.nan, *values[5:20], None, None, *values[20:], None]
    (found,), (whole,) = change_points(gappy, "ratio"), change_points(values, "ratio")
    assert (found.at, found.last_before) == (24, 21)
    assert (found.size, found.p_value) == (whole.size, whole.p_value)


@pytest.mark.parametrize("scale", ["ratio", "difference"])
@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0], [None] * 30, [0.1] * 40, [1.0, 1.0, 1.0, 2.0, 2.0]])
def test_what_shows_no_change_has_none(values: list[float | None], scale: Scale) -> None:
    """Nothing, one, two, only gaps, a constant, and fewer than six nights."""
    assert change_points(values, scale) == []


def test_levels_without_noise_differ_where_they_differ() -> None:
    """A simulator has none: ten and ten equal nights."""
    (found,) = change_points([0.0] * 10 + [0.02] * 10, "difference")
    assert (found.at, found.size) == (10, pytest.approx(0.02))


def test_one_night_that_is_off_is_no_change() -> None:
    """An outlier in the middle and one at the end: the level is what it was."""
    values = _series((41, 100.0))
    values[20] *= 2
    assert change_points(values, "ratio") == []
    assert change_points([*_series((40, 100.0)), 200.0], "ratio") == []


def test_a_ratio_of_nothing_is_a_gap() -> None:
    """A throughput of 0 has no logarithm: it is left out, and not taken for a level."""
    assert change_points([0.0] * FEWEST + _series((20, 100.0)), "ratio") == []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)), max_size=40), st.integers(0, 3))
def test_any_series_has_an_answer(values: list[float | None], seed: int) -> None:
    """Whatever floats there are: places rise, lie within the series, and are nights with a value."""
    with_bounds = [value if value is None or abs(value) < 1e100 else None for value in values]
    for scale in ("ratio", "difference"):
        places = [one.at for one in change_points(with_bounds, scale, seed=seed, permutations=49)]
        assert places == sorted(set(places))
        assert all(with_bounds[place] is not None for place in places)
