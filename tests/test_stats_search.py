"""The search for the highest load, against servers of which the answer is known."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.search import Probe, Tried, next_level, result
from harness.stats.slo import Met


def _search(
    verdict: Callable[[Probe], Met],
    low: float,
    high: float,
    *,
    whole: bool = True,
    resolution: float = 1.1,
    repeats: int = 2,
) -> list[Tried]:
    tried: list[Tried] = []
    while True:
        assert len(tried) < 500
        probe = next_level(tried, low=low, high=high, whole=whole, resolution=resolution, repeats=repeats)
        if probe is None:
            return tried
        tried.append(Tried(probe.level, verdict(probe), 100 * 2**probe.repeat))


def _upto(capacity: float) -> Callable[[Probe], Met]:
    return lambda probe: "met" if probe.level <= capacity else "missed"


def test_levels_are_doubled_and_then_halved() -> None:
    """A server good for 13 is found by 1, 2, 4, 8, 16, 11, 13, 14."""
    tried = _search(_upto(13), 1, 64)
    assert [each.level for each in tried] == [1, 2, 4, 8, 16, 11, 13, 14]
    assert result(tried)[:3] == (13, 14, "met at 13, missed at 14")


def test_a_load_that_is_never_met_or_never_missed_is_said() -> None:
    """The lowest level missed ends the search, and so does the highest met."""
    assert result(_search(_upto(1), 2, 64)) == (None, 2, "never met at 2, the lowest level tried: missed", ())
    assert result(_search(_upto(99), 3, 50)) == (50, None, "never missed up to 50", ())
    assert [each.level for each in _search(_upto(99), 3, 50)] == [3, 6, 12, 24, 48, 50]
    assert result([]) == (None, None, "nothing was tried", ())


def test_an_undecided_level_is_asked_again_and_then_counts_as_missed() -> None:
    """Level 4 is asked three times; then it is missed, and that is said."""
    tried = _search(lambda probe: "undecided" if probe.level == 4 else _upto(3)(probe), 1, 8)
    assert [each.level for each in tried] == [1, 2, 4, 4, 4, 3]
    found = result(tried)
    assert found[:3] == (3, 4, "met at 3, not shown to be met at 4")
    assert found.notes == ("4 stayed undecided after 400 requests in 3 tries: it counts as missed",)


def test_an_undecided_level_may_be_met_the_second_time() -> None:
    """The last verdict on a level is the one that counts."""
    tried = [Tried(1, "met", 100), Tried(2, "undecided", 100)]
    assert next_level(tried, low=1, high=2, whole=True) == Probe(2, 1)
    tried.append(Tried(2, "met", 200))
    assert next_level(tried, low=1, high=2, whole=True) is None
    assert result(tried).best == 2


def test_answers_that_do_not_fall_with_the_load_are_noted() -> None:
    """What was met above a missed level is not taken, and the reader is told."""
    found = result([Tried(1, "met", 9), Tried(4, "missed", 9), Tried(8, "met", 9)])
    assert (found.best, found.missed) == (1, 4)
    assert "8 met although 4 was not" in found.notes[0]


@given(
    capacity=st.floats(0.01, 1e4),
    low=st.floats(0.02, 50),
    times=st.floats(1, 1000),
    resolution=st.floats(1.01, 2),
)
def test_a_rate_is_found_to_the_resolution(capacity: float, low: float, times: float, resolution: float) -> None:
    """The capacity lies between the highest met and the lowest missed rate, which are as close as was asked."""
    high = low * times
    found = result(_search(_upto(capacity), low, high, whole=False, resolution=resolution))
    if capacity < low:
        assert found.best is None
    elif capacity >= high:
        assert (found.best, found.missed) == (high, None)
    else:
        assert found.best is not None
        assert found.missed is not None
        assert found.best <= capacity < found.missed <= found.best * resolution


@given(capacity=st.integers(0, 3000), low=st.integers(1, 40), more=st.integers(0, 3000))
def test_a_concurrency_is_found_to_the_resolution(capacity: int, low: int, more: int) -> None:
    """Whole levels end as neighbours or within the resolution, and every level is whole and in bounds."""
    tried = _search(_upto(capacity), low, low + more)
    assert all(each.level == int(each.level) and low <= each.level <= low + more for each in tried)
    assert len({each.level for each in tried}) == len(tried)
    found = result(tried)
    if found.best is not None and found.missed is not None:
        assert found.best <= capacity < found.missed
        assert found.missed - found.best == 1 or found.missed / found.best <= 1.1


@given(st.integers(0, 2**32), st.booleans())
def test_any_answers_end_the_search(seed: int, whole: bool) -> None:
    """Whatever a server answers, the search ends, and a part of it is followed by the same level when replayed."""
    draw = random.Random(seed)
    answers: tuple[Met, ...] = ("met", "missed", "undecided")
    tried = _search(lambda _: draw.choice(answers), 1, 512, whole=whole)
    assert len(tried) <= 100
    for i, each in enumerate(tried):
        probe = next_level(tried[:i], low=1, high=512, whole=whole)
        assert probe is not None
        assert probe.level == each.level
    result(tried)


@pytest.mark.parametrize(
    ("low", "high", "whole", "resolution"),
    [(0, 5, True, 1.1), (5, 4, True, 1.1), (1, 2, True, 1.0), (0.5, 2, True, 1.1), (1, float("inf"), False, 1.1)],
)
def test_bounds_that_hold_no_search_are_refused(low: float, high: float, whole: bool, resolution: float) -> None:
    """A search needs 0 < low <= high and a resolution above 1."""
    with pytest.raises(ValueError, match="no search"):
        next_level([], low=low, high=high, whole=whole, resolution=resolution)
