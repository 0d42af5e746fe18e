"""The interval of a ratio of two means: against hand and bootstrap, and how often it holds the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.ratio import ratio_of_means


def test_by_hand() -> None:
    """Constant costs of 2 and 50 right of 100: 4 each, bounded by 2 over the bounds of the share."""
    found = ratio_of_means([2.0] * 100, [1.0] * 50 + [0.0] * 50)
    half = 1.959964 * np.sqrt(0.25 / 99)
    assert found.value == 4.0
    assert found.low == pytest.approx(2 / (0.5 + half), rel=1e-6)
    assert found.high == pytest.approx(2 / (0.5 - half), rel=1e-6)


def test_too_few_right_answers_bound_it_from_below_alone() -> None:
    """With one right of twenty the cost of a right answer may be anything above some bound."""
    found = ratio_of_means([1.0] * 20, [1.0] + [0.0] * 19)
    assert found.value == 20.0
    assert found.low is not None
    assert 0 < found.low < 20
    assert found.high is None


@pytest.mark.parametrize(("top", "bottom"), [([], []), ([1.0, 2.0], [0.0, 0.0])])
def test_nothing_right_has_no_cost_of_a_right_answer(top: list[float], bottom: list[float]) -> None:
    """It is not infinite and not 0: it is not known."""
    assert ratio_of_means(top, bottom) == (None, None, None)


def test_measures_of_other_items_are_refused() -> None:
    """Both must be of the same items."""
    with pytest.raises(ValueError, match="1 and 2"):
        ratio_of_means([1.0], [1.0, 2.0])


def test_it_holds_the_truth_in_about_95_of_100() -> None:
    """2,000 draws of 60 items whose cost hangs on whether they are right."""
    draw = np.random.default_rng(5)
    held = 0
    for _ in range(2000):
        right = draw.random(60) < 0.6
        cost = draw.exponential(1.0, 60) * np.where(right, 1.0, 2.0)
        found = ratio_of_means(cost.tolist(), right.astype(float).tolist())
        truth = (0.6 * 1.0 + 0.4 * 2.0) / 0.6
        held += found.low is not None and found.low <= truth and (found.high is None or truth <= found.high)
    assert 0.93 <= held / 2000 <= 0.97


@given(st.lists(st.tuples(st.floats(0, 1e3), st.sampled_from([0.0, 0.5, 1.0])), min_size=2, max_size=40))
def test_the_value_is_inside_its_interval(items: list[tuple[float, float]]) -> None:
    """Whatever the items are."""
    found = ratio_of_means([cost for cost, _ in items], [value for _, value in items])
    if found.value is not None:
        assert found.low is not None
        assert 0 <= found.low <= found.value * (1 + 1e-9) + 1e-12
        assert found.high is None or found.high >= found.value * (1 - 1e-9) - 1e-12
