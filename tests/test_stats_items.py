"""Quality on the same questions with a margin."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from harness.stats.change import Asked
from harness.stats.items import FEWEST_ITEMS, paired_items, tango, tango_bound

POINTS = Asked("difference", "higher", 0.03, 0.05)


def _scores(both: int, lost: int, won: int, neither: int) -> tuple[list[float], list[float]]:
    base = [1.0] * (both + lost) + [0.0] * (won + neither)
    candidate = [1.0] * both + [0.0] * lost + [1.0] * won + [0.0] * neither
    return base, candidate


def _by_likelihood(n: int, b: int, c: int, d: float) -> float:
    """The score test with the share of c found by maximising the likelihood numerically."""

    def loss(q: float) -> float:
        terms = ((b, q + d), (c, q), (n - b - c, 1 - 2 * q - d))
        return -sum(k * math.log(max(p, 1e-300)) for k, p in terms if k)

    low, high = max(0.0, -d), (1 - d) / 2
    q = optimize.minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-13}).x
    return float((b - c - n * d) / math.sqrt(n * (2 * q + d * (1 - d))))


@given(st.integers(1, 30), st.integers(1, 30), st.floats(-0.3, 0.3))
def test_tangos_test_is_that_of_the_likelihood(b: int, c: int, d: float) -> None:
    """The closed form is the numerical maximum, whatever the counts and the difference."""
    assert tango(100, b, c, d) == pytest.approx(_by_likelihood(100, b, c, d), abs=1e-4)


def test_without_a_difference_it_is_mcnemars() -> None:
    """At 0 the score test is (b - c) / sqrt(b + c)."""
    assert tango(200, 15, 5, 0.0) == pytest.approx(10 / math.sqrt(20))
    assert tango(200, 0, 0, 0.0) == 0.0


def test_the_bounds_are_where_the_test_turns() -> None:
    """At a bound of the interval z is the quantile that it is of."""
    z = stats.norm.ppf(0.95)
    assert tango(200, 15, 5, tango_bound(200, 15, 5, z)) == pytest.approx(z, abs=1e-6)
    base, candidate = _scores(150, 15, 5, 30)
    found = paired_items(base, candidate, POINTS)
    assert (found.low, found.high) == (
        pytest.approx(-tango_bound(200, 15, 5, -z)),
        pytest.approx(-tango_bound(200, 15, 5, z)),
    )
    assert (found.value, found.n) == (pytest.approx(-0.05), 200)


@pytest.mark.parametrize(
    ("kinds", "proven"),
    [
        ((600, 20, 20, 60), True),  # as good, on 700 questions
        ((150, 10, 10, 30), False),  # as good, on too few
        ((560, 50, 20, 70), False),  # 4 points worse
        ((200, 0, 0, 50), True),  # not one differs
    ],
)
def test_a_release_is_proven_or_it_is_not(kinds: tuple[int, int, int, int], proven: bool) -> None:
    """Not worse by three points at one-sided 5 %."""
    found = paired_items(*_scores(*kinds), POINTS)
    assert found.p_not_worse is not None
    assert (found.p_not_worse <= 0.05) is proven


def test_partial_scores_and_clusters_are_students() -> None:
    """Means of repeats: t of the differences, as scipy has it; clusters: as many degrees of freedom as clusters."""
    base, candidate = [0.5, 1.0, 0.0, 0.75] * 10, [0.25, 1.0, 0.25, 0.5] * 10
    found = paired_items(base, candidate, POINTS)
    differences = [b - a for a, b in zip(base, candidate, strict=True)]
    assert found.p_changed == pytest.approx(stats.ttest_1samp(differences, 0.0, alternative="less").pvalue)
    assert found.p_not_worse == pytest.approx(stats.ttest_1samp(differences, -0.03, alternative="greater").pvalue)
    clustered = paired_items(base, candidate, POINTS, [i // 2 for i in range(40)])
    assert clustered.method == "Student's t over clusters"


def test_too_few_questions_are_not_tested() -> None:
    """Fewer than ten say nothing, none say nothing either; a ratio of scores is a mistake."""
    few = paired_items([1.0] * (FEWEST_ITEMS - 1), [1.0] * (FEWEST_ITEMS - 1), POINTS)
    assert (few.p_worse, paired_items([], [], POINTS).n) == (None, 0)
    with pytest.raises(ValueError, match="difference"):
        paired_items([1.0], [1.0], Asked("ratio", "higher", 0.03, 0.05))
