"""Arrival laws."""

from __future__ import annotations

import itertools
import json
import math
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.run import arrivals
from harness.run.arrivals import (
    Burst,
    Closed,
    Constant,
    Gamma,
    Law,
    Open,
    Piecewise,
    Poisson,
    Ramp,
    Replay,
    law_from_json,
    law_json,
    offsets_ns,
    parse_law,
)
from harness.workload import trace

TRACES = Path(__file__).parents[1] / "tasks" / "data"
RATES = st.floats(0.01, 1e5)
SHAPES = st.floats(0.05, 50.0) | st.just(math.inf)
SECONDS = st.floats(0.01, 20.0)
OPEN: st.SearchStrategy[Open] = st.one_of(
    st.builds(Constant, RATES),
    st.builds(Poisson, RATES),
    st.builds(Gamma, RATES, SHAPES),
    st.builds(Ramp, RATES, RATES, SECONDS, SHAPES),
    st.builds(Piecewise, st.lists(st.tuples(SECONDS, RATES), min_size=1, max_size=5).map(tuple), SHAPES),
    st.builds(Burst, st.integers(1, 500)),
    st.builds(
        Replay, st.just("x"), st.lists(st.integers(0, 10**12), min_size=1).map(lambda times: tuple(sorted(times)))
    ),
)
LAWS: st.SearchStrategy[Law] = OPEN | st.builds(Closed, st.integers(1, 999), st.floats(0, 60))


def first(law: Open, n: int, seed: int = 1) -> list[int]:
    """The first n due times, or all there are."""
    return list(itertools.islice(offsets_ns(law, seed), n))


def ks_distance(values: list[float], cumulative: Callable[[float], float]) -> float:
    """Largest distance of the empirical distribution from a continuous one (Kolmogorov & Smirnov)."""
    n = len(values)
    expected = [cumulative(value) for value in sorted(values)]
    return max(max((i + 1) / n - at, at - i / n) for i, at in enumerate(expected))


def critical(n: int) -> float:
    """What the distance exceeds in one of a hundred samples of the right distribution (asymptotic)."""
    return 1.628 / math.sqrt(n)


def exponential(x: float) -> float:
    """Cumulative distribution of mean 1."""
    return 1 - math.exp(-x)


def test_a_constant_rate_is_a_grid() -> None:
    """Four requests a second are due at 0, 250, 500 and 750 ms."""
    assert first(Constant(4.0), 4) == [0, 250_000_000, 500_000_000, 750_000_000]


def test_a_constant_rate_does_not_drift() -> None:
    """The ten-thousandth request at 3 a second is due on the grid to the nanosecond's rounding."""
    assert first(Constant(3.0), 10_000)[-1] == round(9_999 * 1e9 / 3)


@pytest.mark.parametrize("seed", [1, 7, 42])
@pytest.mark.parametrize("law", [Poisson(50.0), Gamma(50.0, 1.0)], ids=["poisson", "gamma"])
def test_poisson_gaps_are_exponential(law: Open, seed: int) -> None:
    """The gaps, in units of their mean, are as near to the exponential distribution as chance lets them be."""
    due = first(law, 5_001, seed)
    gaps = [(b - a) / 1e9 * 50 for a, b in itertools.pairwise(due)]
    assert ks_distance(gaps, exponential) < critical(len(gaps))
    assert ks_distance(gaps, lambda x: exponential(1.1 * x)) > critical(len(gaps))
    assert statistics.fmean(gaps) == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("shape", [0.1, 0.5, 4.0, 100.0])
def test_burstiness_is_the_gamma_shape(shape: float) -> None:
    """Gaps have mean 1 / rate whatever the shape b, and coefficient of variation 1 / sqrt(b)."""
    due = first(Gamma(20.0, shape), 40_001, seed=3)
    gaps = [(b - a) / 1e9 for a, b in itertools.pairwise(due)]
    assert statistics.fmean(gaps) == pytest.approx(0.05, rel=0.05)
    assert statistics.stdev(gaps) / statistics.fmean(gaps) == pytest.approx(1 / math.sqrt(shape), rel=0.05)


def test_infinite_burstiness_is_even() -> None:
    """It is the grid of a constant rate."""
    assert first(Gamma(7.0, math.inf), 100) == first(Constant(7.0), 100)


def expected_in_steps(t: float) -> float:
    """Requests until t of 100 s at 2, 50 s at 60 and 100 s at 10 a second."""
    return 2 * min(t, 100) + 60 * min(max(t - 100, 0), 50) + 10 * max(t - 150, 0)


@pytest.mark.parametrize(
    ("law", "cumulated"),
    [
        (Ramp(1.0, 50.0, 200.0), lambda t: t + 49 / 400 * t * t),
        (Ramp(50.0, 1.0, 200.0), lambda t: 50 * t - 49 / 400 * t * t),
        (Piecewise(((100.0, 2.0), (50.0, 60.0), (100.0, 10.0))), expected_in_steps),
    ],
    ids=["up", "down", "steps"],
)
def test_a_changing_rate_is_poisson_on_its_own_clock(law: Open, cumulated: Callable[[float], float]) -> None:
    """Gaps measured in expected requests are exponential with mean 1 (time-rescaling theorem)."""
    mass = [cumulated(at / 1e9) for at in offsets_ns(law, seed=5)]
    gaps = [b - a for a, b in itertools.pairwise(mass)]
    assert len(gaps) > 3_000
    assert ks_distance(gaps, exponential) < critical(len(gaps))


def test_a_ramp_has_the_mean_rate_everywhere() -> None:
    """From 10 to 90 a second in 100 s: each tenth holds the requests of its middle's rate, and nothing comes after."""
    for shape, slack in ((math.inf, 1), (1.0, 90)):
        due = list(offsets_ns(Ramp(10, 90, 100, shape), seed=2))
        assert max(due) < 100e9
        for tenth in range(10):
            counted = sum(tenth * 10e9 <= at < (tenth + 1) * 10e9 for at in due)
            assert abs(counted - 10 * (10 + 80 * (tenth + 0.5) / 10)) <= slack
    assert len(list(offsets_ns(Ramp(5, 5, 60, math.inf), seed=2))) == 300


def test_steps_hold_their_rate_and_time() -> None:
    """Ten seconds at 1 a second are ten requests on the second, then twenty at 5 a second are a hundred."""
    due = list(offsets_ns(Piecewise(((10, 1), (20, 5)), math.inf), seed=1))
    assert due[:10] == [second * 1_000_000_000 for second in range(10)]
    assert due[10:] == [10_000_000_000 + place * 200_000_000 for place in range(100)]


def test_a_burst_is_all_at_once() -> None:
    """So many at 0, and no more."""
    assert list(offsets_ns(Burst(64), seed=1)) == [0] * 64


def test_a_schedule_is_not_stretched_to_its_mean() -> None:
    """Where a thousand Poisson arrivals end varies with the seed, by about 1 / sqrt(1000)."""
    ends = [first(Poisson(100.0), 1_001, seed)[-1] / 1e9 for seed in range(200)]
    assert statistics.fmean(ends) == pytest.approx(10, rel=0.01)
    assert statistics.stdev(ends) == pytest.approx(10 / math.sqrt(1000), rel=0.2)


def test_the_same_seed_gives_the_same_times_and_another_does_not() -> None:
    """A schedule can be reproduced."""
    first_time, again, other = (first(Poisson(5.0), 20, seed) for seed in (1, 1, 2))
    assert first_time == again
    assert first_time != other


@given(OPEN, st.integers())
@settings(max_examples=150, deadline=None)
def test_time_begins_at_or_after_zero_and_never_runs_back(law: Open, seed: int) -> None:
    """Whatever the law, a schedule is a rising list of whole nanoseconds, and reproducible."""
    due = first(law, 300, seed)
    assert due
    assert due[0] >= 0
    assert all(isinstance(at, int) for at in due)
    assert all(a <= b for a, b in itertools.pairwise(due))
    assert due == first(law, 300, seed)


@given(LAWS)
@settings(deadline=None)
def test_a_law_survives_json(law: Law) -> None:
    """What is kept in a manifest gives an equal law back, through text and all."""
    assert law_from_json(json.loads(json.dumps(law_json(law), allow_nan=False))) == law


@given(OPEN.filter(lambda law: not isinstance(law, Replay)), OPEN.filter(lambda law: not isinstance(law, Replay)))
@settings(deadline=None)
def test_two_laws_have_two_labels(one: Law, other: Law) -> None:
    """A label names its law, and can stand in a stage's name."""
    assert (one.label == other.label) == (one == other)
    assert not set(one.label) & set("/@ ~,:")


def test_laws_have_short_names() -> None:
    """Names stand in stage names."""
    laws: list[Law] = [Closed(8), Closed(4, 10.0), Constant(2.5), Poisson(10.0), Gamma(2.5, 0.5), Burst(64)]
    assert [law.label for law in laws] == ["c8", "c4-ramp10s", "r2.5", "p10", "g2.5-b0.5", "burst64"]
    laws = [Ramp(1, 50, 60), Ramp(1, 50, 60, math.inf), Piecewise(((10, 1), (20, 5)))]
    assert [law.label for law in laws] == ["ramp1-50-60s", "ramp1-50-60s-binf", "steps-1x10-5x20"]
    laws = [Replay("day", (0,)), Replay("day", (0,), speed=2.0, limit=500)]
    assert [law.label for law in laws] == ["trace-day", "trace-day-x2-n500"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Closed(0), "concurrency must be a whole number from 1 on, not 0"),
        (lambda: Closed(True), "concurrency must be"),
        (lambda: Closed(1, ramp_s=-1), "ramp_s must be a number from 0 on, not -1"),
        (lambda: Constant(0), "rate_per_s must be a number above 0, not 0"),
        (lambda: Poisson(-1), "rate_per_s must be a number above 0, not -1"),
        (lambda: Poisson(math.nan), "rate_per_s must be a number above 0, not nan"),
        (lambda: Gamma(math.inf, 1), "rate_per_s must be a number above 0, not inf"),
        (lambda: Gamma(1, 0), "burstiness must be a number above 0, not 0"),
        (lambda: Ramp(0, 5, 10), "from_per_s must be"),
        (lambda: Ramp(5, -5, 10), "to_per_s must be"),
        (lambda: Ramp(5, 5, 0), "seconds must be"),
        (lambda: Piecewise(()), "steps is empty"),
        (lambda: Piecewise(((10, 1), (0, 5))), "seconds of step 2 must be a number above 0, not 0"),
        (lambda: Piecewise(((10, 1), (5, math.inf))), "rate_per_s of step 2 must be"),
        (lambda: Burst(0), "size must be a whole number from 1 on, not 0"),
        (lambda: Replay("a b", (0,)), "name must be of letters"),
        (lambda: Replay("a", ()), "times_ns must hold"),
        (lambda: Replay("a", (5, 4)), "times_ns must not run back, number 2 does"),
        (lambda: parse_law("poison:5"), "'poison:5' is no arrival law.*Give closed:4"),
        (lambda: parse_law("poisson:x"), "'x' is no number"),
        (lambda: parse_law("closed:1.5"), "'1.5' is no whole number"),
        (lambda: arrivals.parse_arrival("gama:1"), "Give poisson, constant or gamma:0.5"),
        (lambda: arrivals.parse_arrival("gamma:-1"), "burstiness must be"),
        (lambda: arrivals.parse_concurrency("1,,2"), "'' is no whole number"),
        (lambda: arrivals.parse_ramp("1:50"), "FROM:TO:SECONDS"),
        (lambda: arrivals.parse_steps("10s@1,20"), "SECONDSs@RATE"),
        (lambda: arrivals.parse_give_up("0.1"), "SHARE:SECONDS"),
        (lambda: arrivals.parse_give_up("2:5"), "from 0 to 1, not 2"),
        (lambda: arrivals.parse_give_up("nan:5"), "from 0 to 1"),
        (lambda: law_from_json({"law": "normal"}), "'normal' is no arrival law"),
        (lambda: law_from_json({"law": "poisson", "rate": 1}), "no arrival law of kind poisson"),
    ],
)
def test_a_wrong_law_is_told_in_one_line(make: Callable[[], object], words: str) -> None:
    """The line names the field and the value."""
    with pytest.raises(UsageError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_flags_give_their_laws() -> None:
    """Each notation of the command line is one law or a row of them."""
    assert arrivals.parse_concurrency("1,2,4", ramp_s=2.0) == tuple(Closed(n, ramp_s=2.0) for n in (1, 2, 4))
    assert arrivals.parse_rates("5,10") == (Poisson(5), Poisson(10))
    assert arrivals.parse_rates("5", "constant") == (Constant(5),)
    assert arrivals.parse_rates("5", "gamma:0.5") == (Gamma(5, 0.5),)
    assert arrivals.parse_ramp("1:50:60") == Ramp(1, 50, 60)
    assert arrivals.parse_ramp("1:50:60s", "constant") == Ramp(1, 50, 60, math.inf)
    assert arrivals.parse_steps("10s@1, 20s@5", "gamma:2") == Piecewise(((10, 1), (20, 5)), 2.0)
    assert arrivals.parse_give_up("0.1:5") == (0.1, 5.0)
    laws = ["closed:4", "constant:5", "poisson:5", "gamma:5:0.5", "ramp:1:50:60", "steps:10s@1,20s@5", "burst:64"]
    assert [parse_law(text) for text in laws] == [
        Closed(4),
        Constant(5),
        Poisson(5),
        Gamma(5, 0.5),
        Ramp(1, 50, 60),
        Piecewise(((10, 1), (20, 5))),
        Burst(64),
    ]


def test_a_replayed_trace_is_kept_by_its_file(tmp_path: Path) -> None:
    """JSON holds path, hash, speed and limit, no times; a file that was changed since is refused."""
    path = tmp_path / "my day.jsonl"
    path.write_bytes((TRACES / "mooncake_example.jsonl").read_bytes())
    law = arrivals.replay(trace.read(path, speed=2.0, limit=20))
    assert (law.label, len(law.times_ns)) == ("trace-my_day-x2-n20", 20)
    kept = json.loads(json.dumps(law_json(law)))
    assert kept["times_ns"] is None
    assert law_from_json(kept) == law
    assert parse_law(f"trace:{path}").label == "trace-my_day"
    path.write_text(path.read_text() + "\n")
    with pytest.raises(UsageError, match="was changed since this was planned"):
        law_from_json(kept)
    path.unlink()
    with pytest.raises(UsageError, match="No such file"):
        law_from_json(kept)
