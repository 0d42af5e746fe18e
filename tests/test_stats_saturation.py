"""Signs of saturation, against queues of which the load is known."""

from __future__ import annotations

import heapq
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.saturation import LevelPoint, growing, saturated, trend
from harness.stats.steady import under_way


def _closed(users: int, servers: int) -> LevelPoint:
    """Of users without think time at so many servers of one second each, by Little's law."""
    rate = float(min(users, servers))
    return LevelPoint(users, rate, users / rate)


def test_the_knee_lies_where_throughput_stops() -> None:
    """With eight servers the levels 1, 2, 4, 8 grow and 16 brings nothing."""
    found = saturated([_closed(users, 8) for users in (16, 1, 8, 2, 4)])
    assert found is not None
    assert (found.before, found.at, found.throughput_growth, found.latency_growth) == (8, 16, 1.0, 2.0)
    assert found.reason == "from 8 to 16 (load x2) throughput grew x1 and median latency x2"


def test_levels_that_still_bring_more_are_not_saturated() -> None:
    """Growth of throughput with the load is no sign, nor are two levels that are nearly the same."""
    assert saturated([_closed(users, 64) for users in (1, 2, 4, 8, 16)]) is None
    assert saturated([LevelPoint(10, 10, 1), LevelPoint(10.5, 10.2, 3)]) is None
    assert saturated([]) is None


def test_small_steps_show_it_by_latency_or_by_their_sum() -> None:
    """Steps under a half are judged by doubled latency, or against an earlier level."""
    early = saturated([LevelPoint(10, 10.0, 1.0), LevelPoint(12, 10.1, 2.5)])
    assert early is not None
    summed = saturated([LevelPoint(10, 10.0, 1.0), LevelPoint(13, 10.1, 1.3), LevelPoint(16, 10.2, 1.6)])
    assert summed is not None
    assert (summed.before, summed.at) == (10, 16)


def test_the_median_slope_is_that_of_all_pairs() -> None:
    """Of 0, 2, 1, 4, 3 at 0 to 4 the ten slopes have the median 0.875 and no sign that is certain."""
    found = trend([0, 1, 2, 3, 4], [0, 2, 1, 4, 3])
    assert found is not None
    assert found.slope == pytest.approx(0.875)
    assert (found.low, found.high) == (-1.0, 3.0)


def test_a_trend_is_certain_from_five_rising_points_on() -> None:
    """Mann-Kendall: S = 10 of five points is z = 9 / 4.08 = 2.2, S = 6 of four is z = 5 / 2.94 = 1.7."""
    five, four = trend(range(5), range(5)), trend(range(4), range(4))
    assert five is not None
    assert four is not None
    assert (five.low, four.low) == (1.0, 1.0)
    broken = trend(range(5), [0, 1, 2, 4, 3])
    assert broken is not None
    assert broken.low < 0
    assert trend([1, 1], [2, 3]) is None


@given(st.lists(st.integers(-50, 50), min_size=3, max_size=12), st.floats(-5, 5), st.floats(0.1, 9))
def test_slopes_follow_shift_and_scale(values: list[int], shift: float, scale: float) -> None:
    """Adding a constant changes no slope, scaling scales it, and the interval holds it."""
    found = trend(range(len(values)), values)
    moved = trend(range(len(values)), [shift + scale * value for value in values])
    assert found is not None
    assert moved is not None
    assert moved.slope == pytest.approx(scale * found.slope, abs=1e-9)
    assert found.low <= found.slope <= found.high


def _queue(draw: random.Random, load: float, servers: int, n: int) -> tuple[list[float], list[int]]:
    """Arrivals of a Poisson stream at exponential servers, with the number under way at each, its own included."""
    free = [0.0] * servers
    at, pairs = 0.0, []
    for _ in range(n):
        at += draw.expovariate(load * servers)
        done = max(at, heapq.heappop(free)) + draw.expovariate(1.0)
        heapq.heappush(free, done)
        # Whole nanoseconds, as marks are.
        pairs.append((round(at * 1e9), round(done * 1e9)))
    return [start / 1e9 for start, _ in pairs], under_way(pairs)


@pytest.mark.parametrize("servers", [1, 8, 32])
def test_overload_is_seen_and_a_server_that_keeps_up_is_left_alone(servers: int) -> None:
    """Of 60 stages of 400 requests at 60 % of capacity at most two grow, at 80 % at most five, at 150 % most do."""
    grew = {}
    for load in (0.6, 0.8, 1.5, 2.0):
        draw = random.Random(17)
        grew[load] = sum(growing(*_queue(draw, load, servers, 400)) for _ in range(60))
    assert grew[0.6] <= 2
    assert grew[0.8] <= 5
    assert grew[1.5] >= 48
    assert grew[2.0] >= 57


def test_filling_up_at_the_start_is_no_overload() -> None:
    """A server without queue whose answers take a fifth of the stage is called growing in few of 60 stages."""
    draw = random.Random(3)
    grew = 0
    for _ in range(60):
        at, pairs = 0, []
        for _ in range(300):
            at += round(draw.expovariate(1.0) * 1e9)
            pairs.append((at, at + 60_000_000_000))
        grew += growing([start / 1e9 for start, _ in pairs], under_way(pairs))
    assert grew <= 8


def test_too_little_to_say_is_not_growing() -> None:
    """No arrival, one, all at once, or a stage of few bursts is no evidence."""
    assert not growing([], [])
    assert not growing([1.0], [1])
    assert not growing([1.0, 1.0, 1.0], [1, 2, 3])
    assert not growing([0.0] * 50 + [9.0] * 50, list(range(100)))
