"""Lengths in tokens: what is drawn, and what the notation means."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.workload.lengths import Empirical, Fixed, Length, LogNormal, Normal, Uniform, parse_length


def draws(length: Length, n: int = 4_000) -> list[int]:
    """So many draws at a fixed seed."""
    rng = random.Random(5)
    return [length.draw(rng) for _ in range(n)]


@given(st.integers(1, 2000), st.integers(0, 2000), st.floats(0, 1), st.floats(0, 3000), st.floats(0, 9), st.integers())
@settings(deadline=None)
def test_a_draw_stays_within_its_bounds(low: int, width: int, at: float, sd: float, sigma: float, seed: int) -> None:
    """Whatever the spread, every draw is a whole number from low to high."""
    high = low + width
    middle = min(max(low + at * width, low), high)
    for length in (Uniform(low, high), Normal(middle, sd, low, high), LogNormal(middle, sigma, low, high)):
        rng = random.Random(seed)
        drawn = [length.draw(rng) for _ in range(5)]
        assert all(isinstance(one, int) and low <= one <= high for one in drawn)


def test_draws_have_the_shape_they_are_called_by() -> None:
    """Means, medians and spreads are those of the distribution."""
    assert set(draws(Fixed(7), 3)) == {7}
    assert set(draws(Uniform(3, 6))) == {3, 4, 5, 6}
    normal = draws(Normal(512, 64))
    assert statistics.fmean(normal) == pytest.approx(512, rel=0.01)
    assert statistics.stdev(normal) == pytest.approx(64, rel=0.05)
    log = draws(LogNormal(300, 0.5))
    assert statistics.median(log) == pytest.approx(300, rel=0.03)
    assert statistics.fmean(log) == pytest.approx(300 * math.exp(0.125), rel=0.03)
    assert set(draws(Empirical((5, 9)), 50)) == {5, 9}


def test_the_notation_of_the_command_line(tmp_path: Path) -> None:
    """Each form gives its length; bounds may follow."""
    path = tmp_path / "seen.jsonl"
    path.write_text('{"n": 4}\n\n{"n": 7, "other": 1}\n')
    assert parse_length("512") == Fixed(512)
    assert parse_length("uniform:100,900") == Uniform(100, 900)
    assert parse_length("normal:512,64") == Normal(512, 64)
    assert parse_length("normal:512,64,100,800") == Normal(512, 64, 100, 800)
    assert parse_length("lognormal:512,0.5") == LogNormal(512, 0.5)
    assert parse_length("lognormal:512,0.5,10") == LogNormal(512, 0.5, 10)
    assert parse_length(f"empirical:{path}:n") == Empirical((4, 7))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no length in tokens"),
        ("many", "no length in tokens.*Give 512, uniform:100,900"),
        ("0", "tokens must be a whole number from 1 on, not 0"),
        ("-5", "tokens must be a whole number from 1 on, not -5"),
        ("1.5", "no length in tokens"),
        ("uniform:5", "no length in tokens"),
        ("uniform:9,5", "5 is below 9"),
        ("uniform:0,5", "low must be"),
        ("uniform:1,x", "'x' is no whole number"),
        ("normal:512,-1", "sd must be a number from 0 on"),
        ("normal:nan,1", "mean must be"),
        ("normal:50,1,100", "mean must lie from low to high, 50 does not: 100 to no bound"),
        ("lognormal:512,99", "sigma must be at most 10"),
        ("lognormal:512,0.5,1,400", "median must lie from low to high, 512 does not: 1 to 400"),
        ("gauss:5,1", "no length in tokens"),
        ("empirical:seen.jsonl", "does not name a file and a field"),
        ("empirical:seen.jsonl:n", r"seen\.jsonl line 2: field 'n' must be a whole number above 0. it is '-7'"),
        ("empirical:seen.jsonl:m", r"seen\.jsonl line 1: field 'm' .* the row has: n"),
        ("empirical:bad.jsonl:n", r"bad\.jsonl line 1: not JSON"),
        ("empirical:list.jsonl:n", r"list\.jsonl line 1: a row is a JSON object, this is a list"),
        ("empirical:none.jsonl:n", r"none\.jsonl: no rows"),
        ("empirical:gone.jsonl:n", r"gone\.jsonl: No such file"),
        ("empirical:latin.jsonl:n", r"latin\.jsonl: not UTF-8"),
    ],
)
def test_a_wrong_length_is_told_in_one_line(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line names what is wrong, and where in a file."""
    monkeypatch.chdir(tmp_path)
    Path("seen.jsonl").write_text('{"n": 4}\n{"n": -7}\n')
    Path("bad.jsonl").write_text("n: 4\n")
    Path("list.jsonl").write_text("[4]\n")
    Path("none.jsonl").write_text("\n")
    Path("latin.jsonl").write_bytes(b'{"n": "\xe9"}\n')
    with pytest.raises(UsageError, match=words) as caught:
        parse_length(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", ["empty", "nought", "switch"])
def test_a_wrong_length_in_a_task_is_told_too(wrong: str) -> None:
    """What a file of tasks builds is checked as well."""
    made: dict[str, Callable[[], Length]] = {
        "empty": lambda: Empirical(()),
        "nought": lambda: Empirical((0,)),
        "switch": lambda: Fixed(True),
    }
    with pytest.raises(UsageError):
        made[wrong]()
