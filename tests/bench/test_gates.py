"""400 simulated nights of each mode: no more false alarms than stated, and large changes are found."""

from __future__ import annotations

import math

import gates
import pytest

_LEVEL = {"paired": 0.05, "history": 0.01, "release": 0.05}


def _bound(level: float) -> float:
    """The stated level and what 400 nights of exactly that level exceed once in a hundred."""
    return level + 2.33 * math.sqrt(level * (1 - level) / gates.NIGHTS)


def test_the_levels_are_those_that_are_stated() -> None:
    """One in twenty paired and released, one in a hundred nights against history."""
    assert gates.ALPHA == _LEVEL


@pytest.mark.parametrize("noise", gates.NOISES)
def test_equal_servers_do_not_fail(noise: float) -> None:
    """Paired and against history a night without a change fails no more often than stated; with a rerun hardly ever."""
    assert gates.by_blocks("paired", noise, 1.0, seed=1)["fail"] <= _bound(_LEVEL["paired"])
    history = gates.by_history(noise, 1.0, seed=2)
    assert history["once"] <= _bound(_LEVEL["history"])
    assert history["fail"] <= _bound(_LEVEL["history"] ** 2)


@pytest.mark.parametrize("noise", gates.NOISES)
def test_a_change_of_the_margin_is_at_the_level(noise: float) -> None:
    """What is worse by exactly the margin fails paired, and passes a release, one time in twenty at most."""
    at_margin = 1 + gates.MARGIN["paired"]
    assert gates.by_blocks("paired", noise, at_margin, seed=3)["fail"] <= _bound(_LEVEL["paired"])
    assert gates.by_blocks("release", noise, at_margin, seed=4)["pass"] <= _bound(_LEVEL["release"])
    assert gates.five_at_their_margins(noise, seed=5) <= _bound(_LEVEL["paired"])


@pytest.mark.parametrize("mode", ["paired", "history"])
def test_equal_shares_of_failures_do_not_fail(mode: str) -> None:
    """One request in a hundred fails on both sides, and a night of that is no alarm."""
    assert gates.failures(mode, 0.0, seed=6)["fail"] <= _bound(_LEVEL[mode])
    assert gates.failures(mode, 0.05, seed=7)["fail"] >= 0.95


def test_large_changes_are_found() -> None:
    """At 3 % noise three in ten slower fails paired, five in ten slower fails against history, and twice."""
    assert gates.by_blocks("paired", 0.03, 1.3, seed=8)["fail"] >= 0.95
    assert gates.by_history(0.03, 1.5, seed=9)["fail"] >= 0.95


def test_an_equal_candidate_is_released() -> None:
    """Where the measurement is large enough, and better servers the more."""
    assert gates.by_blocks("release", 0.0, 1.0, seed=10)["pass"] >= 0.9
    assert gates.by_blocks("release", 0.1, 0.8, seed=11)["pass"] >= 0.95


def test_worse_answers_are_not_released() -> None:
    """Three points worse passes one time in twenty at most; as good a model passes with enough questions."""
    assert gates.questions(700, 0.03, seed=12)["pass"] <= _bound(_LEVEL["release"])
    assert gates.questions(1600, 0.0, seed=13)["pass"] >= 0.95


def test_the_naive_rule_cries_wolf() -> None:
    """The same nights: "10 % worse than last night" alarms in more than one of ten where runs vary by 6 %."""
    assert gates.by_history(0.06, 1.0, seed=14)["naive"] > 0.1


def test_pooled_requests_are_no_independent_measurements() -> None:
    """A test over all requests of two equal runs holds its level only where runs do not vary."""
    assert gates.pooled(0.0, seed=17) <= _bound(0.05)
    assert gates.pooled(0.06, seed=17) > 0.2


def test_change_points_of_nothing_are_rare() -> None:
    """At most one of twenty series of 60 equal nights has one."""
    assert gates.false_changes(0.06, seed=15) <= _bound(0.05)


def test_a_step_is_found_within_days() -> None:
    """A fifth slower at 6 % noise is found three nights later in four of five series."""
    assert gates.delay(1.2, 0.06, 3, seed=16, nights=100) >= 0.8
