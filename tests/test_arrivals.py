"""Arrival laws."""

from __future__ import annotations

import itertools
import math
import statistics

import pytest

from harness.run.arrivals import Closed, Constant, Poisson, offsets_ns


def test_a_constant_rate_is_a_grid() -> None:
    """Four requests a second are due at 0, 250, 500 and 750 ms."""
    assert list(itertools.islice(offsets_ns(Constant(4.0), seed=1), 4)) == [0, 250_000_000, 500_000_000, 750_000_000]


def test_a_constant_rate_does_not_drift() -> None:
    """The ten-thousandth request at 3 a second is due on the grid to the nanosecond's rounding."""
    last = next(itertools.islice(offsets_ns(Constant(3.0), seed=1), 9_999, None))
    assert abs(last - 9_999 * 1e9 / 3) < 10


def test_poisson_gaps_are_exponential() -> None:
    """Mean and standard deviation of the gaps are both 1 / rate, and their share beyond the mean is 1 / e."""
    due = list(itertools.islice(offsets_ns(Poisson(50.0), seed=7), 20_001))
    gaps = [(b - a) / 1e9 for a, b in itertools.pairwise(due)]
    assert statistics.fmean(gaps) == pytest.approx(0.02, rel=0.03)
    assert statistics.stdev(gaps) == pytest.approx(0.02, rel=0.03)
    assert sum(gap > 0.02 for gap in gaps) / len(gaps) == pytest.approx(1 / math.e, abs=0.01)


def test_the_same_seed_gives_the_same_times_and_another_does_not() -> None:
    """A schedule can be reproduced."""
    first, again, other = (list(itertools.islice(offsets_ns(Poisson(5.0), seed), 20)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_laws_have_short_names() -> None:
    """Names stand in stage names."""
    assert [law.label for law in (Closed(8), Constant(2.5), Poisson(10.0))] == ["c8", "r2.5", "p10"]
