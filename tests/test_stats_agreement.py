"""Agreement of judges: the published examples, and what must hold of any verdicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa

from harness.stats.agreement import cohen_kappa, equal_share, interval_alpha

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C: four observers, twelve units.
OBSERVERS = ("1 2 3 3 2 1 4 1 2 . . .", "1 2 3 3 2 2 4 1 2 5 . 3", ". 3 3 3 2 3 4 2 2 5 1 .", "1 2 3 3 2 4 4 1 2 5 1 .")
UNITS = [[float(value) for value in said if value != "."] for said in zip(*map(str.split, OBSERVERS), strict=True)]


def test_alpha_of_the_published_example() -> None:
    """Interval alpha 0.849; the unit that one observer alone saw changes nothing."""
    assert interval_alpha(UNITS) == pytest.approx(0.849, abs=0.0005)
    assert interval_alpha([unit for unit in UNITS if len(unit) > 1]) == interval_alpha(UNITS)


def table(counts: list[list[int]]) -> list[tuple[int, int]]:
    """The pairs that a table of counts stands for."""
    return [(one, other) for one, row in enumerate(counts) for other, n in enumerate(row) for _ in range(n)]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # Fleiss, "Statistical Methods for Rates and Proportions", 2nd ed. (1981), table 13.1.
        ([[75, 1, 4], [5, 4, 1], [0, 0, 10]], 0.676),
        ([[20, 5], [10, 15]], 0.4),
        ([[10, 0], [0, 10]], 1.0),
        ([[5, 5], [5, 5]], 0.0),
        ([[0, 4], [4, 0]], -1.0),
        ([[10, 0], [0, 0]], None),
        ([], None),
    ],
)
def test_kappa(counts: list[list[int]], expected: float | None) -> None:
    """Published tables, perfect and chance agreement; None where nobody ever said anything else."""
    found = cohen_kappa(table(counts))
    assert found is None if expected is None else found == pytest.approx(expected, abs=0.0005)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40))
def test_kappa_is_that_of_statsmodels(pairs: list[tuple[int, int]]) -> None:
    """The same as an independent implementation, for any two judges."""
    counts = np.zeros((3, 3))
    for one, other in pairs:
        counts[one, other] += 1
    found = cohen_kappa(pairs)
    if found is not None:
        assert found == pytest.approx(cohens_kappa(counts, return_results=False), abs=1e-9)


@given(st.lists(st.lists(st.integers(1, 10), max_size=4), max_size=20), st.integers(1, 5), st.integers(-3, 3))
def test_alpha_knows_no_unit(units: list[list[int]], scale: int, shift: int) -> None:
    """At most 1, and the same on any linear scale; None where no two values differ."""
    found = interval_alpha(units)
    moved = interval_alpha([[scale * value + shift for value in unit] for unit in units])
    several = [value for unit in units if len(unit) > 1 for value in unit]
    assert (found is None) == (len(set(several)) < 2)
    if found is not None:
        assert found <= 1 + 1e-12
        assert moved == pytest.approx(found, abs=1e-9)


@pytest.mark.parametrize(
    ("units", "expected"),
    [([], None), ([[1]], None), ([[1, 1], [1, 2], [3]], 0.5), ([["win", "win", "tie"]], 0.0), (UNITS, 8 / 11)],
)
def test_share_of_equal_verdicts(units: list[list[Any]], expected: float | None) -> None:
    """Of what two or more judged; a single verdict is no agreement."""
    assert equal_share(units) == expected
