"""Agreement of vectors against what other programs compute, and against what must hold of any vectors."""

from __future__ import annotations

import math
import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from harness.stats.vectors import FEWEST, alike, cosine, structure


def made(seed: int, n: int = 20, size: int = 6) -> list[list[float]]:
    """So many vectors drawn at random."""
    rng = random.Random(seed)
    return [[rng.gauss(0, 1) for _ in range(size)] for _ in range(n)]


def test_the_cosine_of_known_vectors() -> None:
    """Of right angles, opposites and multiples; 0 of what cannot be compared."""
    assert cosine([1, 0], [0, 2]) == 0
    assert cosine([1, 2], [-2, -4]) == pytest.approx(-1)
    assert cosine([1, 2, 3], [2, 4, 6]) == pytest.approx(1)
    assert cosine([3, 4], [4, 3]) == pytest.approx(24 / 25)
    assert cosine([0, 0], [1, 1]) == cosine([1], [1, 1]) == 0


def test_the_same_text_by_two() -> None:
    """Mean, interval and least of the cosines, worked out by hand: 1, 0.96 and 0.8 have a mean of 0.92."""
    found = alike([[1, 0], [3, 4], [1, 0]], [[2, 0], [4, 3], [4, 3]])
    assert found is not None
    assert (found.n, found.least, found.least_at) == (3, pytest.approx(0.8), 2)
    assert found.mean.value == pytest.approx(0.92)
    # sd 0.105830, error 0.061101, t of 2 degrees 4.302653; above 1 there is nothing.
    assert found.mean.low == pytest.approx(0.92 - 4.302653 * 0.0611010, abs=1e-5)
    assert found.mean.high == 1
    assert alike([], []) is None


def test_the_correlation_is_spearmans() -> None:
    """Of the cosines of all pairs it is what scipy computes, with ties too."""
    one, other = made(1), made(2, size=9)
    one[3], other[5] = one[4], other[6]
    pairs = list(combinations(range(20), 2))
    wanted = spearmanr(*([cosine(of[i], of[j]) for i, j in pairs] for of in (one, other))).statistic
    found = structure(one, other)
    assert found is not None
    assert found.correlation.value == pytest.approx(wanted)


def test_the_interval_is_the_jackknifes() -> None:
    """Each text is left out once, and the spread of what is left gives the error."""
    one, other = made(3), made(4)
    mixed = [[x + y for x, y in zip(a, b, strict=True)] for a, b in zip(one, other, strict=True)]
    found = structure(one, mixed)
    assert found is not None
    left = [structure(one[:i] + one[i + 1 :], mixed[:i] + mixed[i + 1 :]) for i in range(20)]
    values = [each.correlation.value for each in left if each is not None]
    mean = sum(values) / 20
    error = math.sqrt(19 / 20 * sum((value - mean) ** 2 for value in values))
    assert found.correlation.low == pytest.approx(found.correlation.value - 2.093024 * error, abs=1e-5)


@given(seed=st.integers(0, 100), scale=st.floats(0.01, 100))
def test_another_basis_changes_nothing(seed: int, scale: float) -> None:
    """Turned, stretched and written with more numbers, the same texts are alike: correlation and neighbours are 1."""
    one = made(seed, n=8, size=3)
    turned = [[scale * z, -scale * x, 0.0, scale * y] for x, y, z in one]
    found = structure(one, turned)
    assert found is not None
    assert found.correlation.value == pytest.approx(1)
    assert found.neighbours.value == 1


def test_neighbours_at_random() -> None:
    """Unrelated vectors share neighbours about as often as chance has it, and their correlation is about 0."""
    found = structure(made(5, n=60, size=20), made(6, n=60, size=20))
    assert found is not None
    assert (found.k, found.chance) == (5, 5 / 59)
    assert found.neighbours.low is not None
    assert found.neighbours.high is not None
    assert found.neighbours.low < found.chance < found.neighbours.high
    assert abs(found.correlation.value) < 0.1


def test_too_little_to_say() -> None:
    """Of three texts nothing is said; where all texts are equally alike there is no order to correlate."""
    assert structure(made(1, n=FEWEST - 1), made(2, n=FEWEST - 1)) is None
    found = structure([[1.0, 2.0]] * 5, made(1, n=5))
    assert found is not None
    assert math.isnan(found.correlation.value)
    assert found.correlation.low is None
