"""Families of comparisons, ranks and words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from harness.stats.family import benjamini_hochberg, holm, rank_ranges
from harness.stats.verdict import verdict


def test_the_example_of_benjamini_and_hochberg() -> None:
    """Of the 15 p-values of their paper's example four are at or below 0.05 adjusted."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528]
    p += [0.7590, 1.0]
    assert sum(each <= 0.05 for each in benjamini_hochberg(p)) == 4


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=40))
def test_adjusted_p_is_that_of_statsmodels(p_values: list[float]) -> None:
    """In the order given, whatever that is; a family of none has none."""
    found = benjamini_hochberg(p_values)
    assert found == pytest.approx(multipletests(p_values, method="fdr_bh")[1].tolist() if p_values else [])


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=40))
def test_holms_p_is_that_of_statsmodels(p_values: list[float]) -> None:
    """In the order given, and no smaller than Benjamini's and Hochberg's."""
    found = holm(p_values)
    assert found == pytest.approx(multipletests(p_values, method="holm")[1].tolist() if p_values else [])
    assert all(one >= other - 1e-12 for one, other in zip(found, benjamini_hochberg(p_values), strict=True))


def test_endpoints_that_are_told_apart_have_one_rank() -> None:
    """A total order gives places; nothing told apart gives all of them; one pair moves two."""
    names = ["a", "b", "c"]
    assert rank_ranges(names, [("a", "b"), ("a", "c"), ("b", "c")]) == {"a": (1, 1), "b": (2, 2), "c": (3, 3)}
    assert rank_ranges(names, []) == dict.fromkeys(names, (1, 3))
    assert rank_ranges(names, [("a", "c")]) == {"a": (1, 2), "b": (1, 3), "c": (2, 3)}


@given(st.permutations(range(6)), st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5))))
def test_a_true_order_lies_in_its_ranges(order: list[int], pairs: set[tuple[int, int]]) -> None:
    """Where every call is right, every true rank is within its range."""
    better = [pair for pair in pairs if order[pair[0]] < order[pair[1]]]
    found = rank_ranges([str(i) for i in range(6)], [(str(a), str(b)) for a, b in better])
    for name, (best, worst) in found.items():
        assert best <= 1 + order[int(name)] <= worst


@pytest.mark.parametrize(
    ("low", "high", "p", "word"),
    [
        (0.01, 0.2, 0.01, "better"),
        (-0.2, -0.01, 0.01, "worse"),
        (-0.1, 0.2, 0.3, "unclear"),
        (0.0, 0.2, 0.05, "unclear"),
        (0.01, 0.2, 0.06, "unclear"),
        (-0.2, -0.01, 0.06, "unclear"),
        (0.01, 0.2, None, "better"),
        (None, None, 0.001, "unclear"),
        (None, -0.1, 0.001, "worse"),
    ],
)
def test_words_without_a_margin(low: float | None, high: float | None, p: float | None, word: str) -> None:
    """Both the interval and the adjusted p must tell the two apart."""
    assert verdict(low, high, p) == word


@pytest.mark.parametrize(
    ("low", "high", "p", "word"),
    [
        (-0.01, 0.05, 0.5, "not worse"),
        (-0.01, -0.005, 0.01, "not worse"),
        (0.3, 0.5, 0.001, "not worse"),
        (-0.02, 0.05, 0.5, "inconclusive"),
        (-0.1, -0.01, 0.01, "worse"),
        (-0.1, -0.01, 0.2, "inconclusive"),
        (-0.1, 0.1, 0.9, "inconclusive"),
        (None, None, 1.0, "inconclusive"),
    ],
)
def test_words_with_a_margin_of_two_points(low: float | None, high: float | None, p: float, word: str) -> None:
    """Not worse needs every loss of the margin to be left out; a shown loss within the margin is not worse."""
    assert verdict(low, high, p, 0.02) == word
