"""Changes against a margin: blocks, runs and nights of times and of shares, and what a gate makes of them."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.stats.blocks import FEWEST_BLOCKS, count_error, paired_blocks, paired_shares
from harness.stats.change import Asked, Change, Count
from harness.stats.gating import Gated, confirmed, gated
from harness.stats.nights import (
    FEWEST_NIGHTS,
    against_nights,
    against_share_nights,
    at_least,
    expected,
    expected_share,
    likeness,
)

SLOWER = Asked("ratio", "lower", 0.10, 0.05)
LESS = Asked("ratio", "higher", 0.10, 0.05)
FAILS = Asked("difference", "lower", 0.01, 0.05)
NIGHT = Asked("ratio", "lower", 0.20, 0.01)
BASE = [100.0, 104.0, 98.0, 101.0, 99.0, 103.0]
CANDIDATE = [123.0, 119.0, 125.0, 118.0, 121.0, 126.0]


def _known(found: float | None) -> float:
    assert found is not None
    return found


def test_paired_blocks_are_students_t_of_log_ratios() -> None:
    """P against no change and against the margin, and the interval, are those of scipy on the log-ratios."""
    logs = [math.log(b / a) for a, b in zip(BASE, CANDIDATE, strict=True)]
    found = paired_blocks(BASE, CANDIDATE, SLOWER)
    assert _known(found.value) == pytest.approx(math.exp(sum(logs) / 6))
    for p_value, centre in ((found.p_changed, 0.0), (found.p_worse, math.log(1.1))):
        assert p_value == pytest.approx(stats.ttest_1samp(logs, centre, alternative="greater").pvalue)
    assert found.p_not_worse == pytest.approx(stats.ttest_1samp(logs, math.log(1.1), alternative="less").pvalue)
    low, high = stats.ttest_1samp(logs, 0.0).confidence_interval(0.9)
    assert (found.low, found.high) == (pytest.approx(math.exp(low)), pytest.approx(math.exp(high)))
    assert (found.n, found.dropped) == (6, 0)


def test_the_mde_would_be_found_four_times_in_five() -> None:
    """Blocks that differ by the MDE are told from none in 80 % of 2,000 simulated jobs."""
    draw, hits = random.Random(11), 0
    sd, n = 0.08, 8
    error = sd / math.sqrt(n)
    mde = (stats.t.ppf(0.95, n - 1) + stats.t.ppf(0.8, n - 1)) * error
    for _ in range(2000):
        pairs = [math.exp(mde + draw.gauss(0, sd)) for _ in range(n)]
        hits += _known(paired_blocks([1.0] * n, pairs, SLOWER).p_changed) <= 0.05
    assert hits / 2000 == pytest.approx(0.8, abs=0.03)


def test_more_is_worse_of_times_and_less_is_worse_of_rates() -> None:
    """Halving a rate is as bad as the interval of its inverse says; the margin of a rate is a share of it."""
    slower = paired_blocks(BASE, CANDIDATE, SLOWER)
    less = paired_blocks([1 / value for value in BASE], [1 / value for value in CANDIDATE], LESS)
    assert less.p_changed == pytest.approx(slower.p_changed)
    assert _known(less.value) == pytest.approx(1 / _known(slower.value))
    assert LESS.limit == pytest.approx(-math.log(0.9))
    assert less.low is not None and less.value is not None and less.low < less.value < 1  # noqa: PT018
    assert less.beyond and slower.beyond  # noqa: PT018


@pytest.mark.parametrize(("base", "candidate", "dropped"), [([None, 0.0, 100.0], [100.0, 90.0, math.inf], 3)])
def test_a_pair_without_two_values_is_dropped_and_counted(base: list[Any], candidate: list[Any], dropped: int) -> None:
    """Not there, nothing, endless: no ratio can be taken, and the number of those is told."""
    whole = paired_blocks([*base, *BASE], [*candidate, *CANDIDATE], SLOWER)
    assert whole.dropped == dropped
    assert replace(whole, dropped=0) == paired_blocks(BASE, CANDIDATE, SLOWER)


def test_too_few_blocks_are_not_tested() -> None:
    """The reason is told, and no figure is made up."""
    found = paired_blocks(BASE[: FEWEST_BLOCKS - 1], CANDIDATE[: FEWEST_BLOCKS - 1], SLOWER)
    assert "2 pairs" in found.why
    assert (found.p_worse, found.mde, found.value) == (None, None, None)
    assert gated([found], "paired") == [Gated("inconclusive", None, None, found.why)]


def test_blocks_that_agree_to_the_last_digit_prove_little_of_the_next() -> None:
    """Half a per cent of noise is assumed where none was seen, so that the MDE is not nothing."""
    found = paired_blocks([100.0] * 5, [100.0] * 5, SLOWER)
    assert found.value == 1.0
    assert 0 < _known(found.mde) < 0.01
    assert gated([found], "paired")[0].word == "pass"


def test_no_failures_at_all_still_leave_room_for_some() -> None:
    """Shares that never differ have the error of so many requests, by Agresti and Caffo."""
    none = [Count(0, 200)] * 5
    found = paired_shares(none, none, FAILS)
    assert found.value == 0.0
    assert count_error(Count(0, 1000), Count(0, 1000)) == pytest.approx(
        math.sqrt(2 * (1 / 1002) * (1001 / 1002) / 1002)
    )
    assert _known(found.mde) == pytest.approx((2.1318 + 0.9410) * count_error(Count(0, 1000), Count(0, 1000)), rel=1e-3)


def test_three_points_more_failures_fail() -> None:
    """Five blocks of 400 a side: none against 3 % is proven to be more than one point worse."""
    found = paired_shares([Count(0, 400)] * 5, [Count(11, 400), *[Count(12, 400)] * 3, Count(13, 400)], FAILS)
    assert gated([found], "paired")[0].word == "fail"


def test_shares_have_no_ratio() -> None:
    """A ratio of no failures is a mistake of the caller."""
    with pytest.raises(ValueError, match="ratio"):
        paired_shares([Count(0, 1)], [Count(0, 1)], SLOWER)
    with pytest.raises(ValueError, match="ratio"):
        against_share_nights([], Count(0, 1), SLOWER)


@pytest.mark.parametrize("margin", [-0.1, 1.0])
def test_a_margin_that_is_none_is_refused(margin: float) -> None:
    """Below nothing, or all of a rate."""
    with pytest.raises(ValueError, match="no margin"):
        _ = Asked("ratio", "higher", margin, 0.05).limit


# --- nights ----------------------------------------------------------------------------------------------


def _nights(seed: int, n: int = 20, sd: float = 0.08) -> list[float]:
    draw = random.Random(seed)
    return [100 * math.exp(draw.gauss(0, sd)) for _ in range(n)]


def test_the_prediction_interval_is_hahn_and_meekers() -> None:
    """Mean, and t s sqrt(1 + 1/n) about it, on the logarithms; the bound of the test is the bound of the interval."""
    nights = _nights(1)
    logs = [math.log(value) for value in nights]
    mean, sd = sum(logs) / 20, stats.tstd(logs)
    assert likeness(logs).r == 0
    high = math.exp(mean + stats.t.ppf(0.99, 19) * sd * math.sqrt(1 + 1 / 20))
    assert _known(expected(nights, NIGHT).high) == pytest.approx(high)
    assert against_nights(nights, high * 1.0001, NIGHT).p_changed == pytest.approx(0.01, abs=1e-4)
    assert _known(against_nights(nights, high * 0.999, NIGHT).p_changed) > 0.01
    assert _known(against_nights(nights, high * 1.001, NIGHT).low) > 1


def test_alike_nights_are_no_proof_that_all_are() -> None:
    """Equal nights have a spread of five per cent, so that a tenth more is no alarm."""
    found = against_nights([100.0] * 20, 110.0, NIGHT)
    assert 0.01 < _known(found.p_changed) < 0.05
    assert _known(found.mde) == pytest.approx(math.exp((2.5395 + 0.8610) * 0.05 * math.sqrt(1.05)) - 1, rel=1e-3)


def test_nights_like_the_one_before_count_for_fewer() -> None:
    """A slow wave is worth few nights: the interval widens, and its method says so."""
    wave = [100 * math.exp(0.1 * math.sin(i / 3)) for i in range(20)]
    mixed = random.Random(0).sample(wave, 20)
    assert likeness(wave).n < 5 < likeness(mixed).n == 20
    wide, narrow = against_nights(wave, 130.0, NIGHT), against_nights(mixed, 130.0, NIGHT)
    assert _known(wide.p_changed) > _known(narrow.p_changed)
    assert "alike" in wide.method


@pytest.mark.parametrize("nights", [[], [100.0] * (FEWEST_NIGHTS - 1), [None, math.nan, 0.0, *[100.0] * 4]])
def test_too_few_nights_say_nothing_of_the_next(nights: list[float | None]) -> None:
    """What is no value is no night."""
    found = against_nights(nights, 500.0, NIGHT)
    assert "good nights" in found.why
    assert gated([found], "history")[0].word == "inconclusive"
    assert expected(nights, NIGHT) == (None, None)


def test_a_night_that_was_not_measured_is_inconclusive() -> None:
    """None is no value, and not a good one."""
    assert gated([against_nights(_nights(2), None, NIGHT)], "history")[0].reason == "tonight has no value"


def test_a_rare_failure_is_no_alarm() -> None:
    """After 20 nights without one of 500, one failure is to be expected now and then: p is that of the counts."""
    nights = [Count(0, 500)] * 20
    one = against_share_nights(nights, Count(1, 500), replace(FAILS, alpha=0.01))
    many = against_share_nights(nights, Count(15, 500), replace(FAILS, alpha=0.01))
    assert one.p_changed == pytest.approx(stats.betabinom.sf(0, 500, 0.5, 10_000.5), rel=1e-6)
    assert [gated([each], "history")[0].word for each in (one, many)] == ["pass", "fail"]
    assert _known(expected_share(nights, 500, FAILS).low) == 0.0


@given(st.integers(0, 200), st.integers(1, 200), st.integers(1, 400))
def test_predicted_counts_are_the_beta_binomial(of: int, n: int, known: int) -> None:
    """P of at least so many is that of scipy, for any counts."""
    seen = min(of, n)
    found = at_least(Count(min(of, known), known), Count(seen, n))
    prior = min(of, known) + 0.5, known - min(of, known) + 0.5
    assert found == pytest.approx(stats.betabinom.sf(seen - 1, n, *prior), abs=1e-9)


# --- gates -----------------------------------------------------------------------------------------------


def _change(**told: Any) -> Change:
    values: dict[str, Any] = {"n": 8, "base": 1.0, "candidate": 1.0, "value": 1.0, "low": 0.9, "high": 1.1}
    values |= {"p_changed": 0.5, "p_worse": 0.9, "p_not_worse": 0.1, "mde": 0.05, "method": "made"}
    return Change(SLOWER, **values | told)


@pytest.mark.parametrize(
    ("told", "mode", "word"),
    [
        ({}, "paired", "pass"),
        ({"mde": 0.11}, "paired", "inconclusive"),
        ({"mde": None}, "paired", "inconclusive"),
        ({"p_worse": 0.04}, "paired", "fail"),
        ({"p_worse": 0.04, "mde": 0.5}, "paired", "fail"),
        ({"p_changed": 0.001}, "paired", "pass"),
        ({"p_changed": 0.001, "value": 1.3}, "history", "fail"),
        ({"p_changed": 0.001, "value": 1.05}, "history", "pass"),
        ({"p_changed": 0.2, "value": 1.3}, "history", "pass"),
        ({"p_changed": 0.2, "mde": 0.2}, "history", "inconclusive"),
        ({"p_not_worse": 0.04}, "release", "pass"),
        ({"p_not_worse": 0.06}, "release", "fail"),
        ({"p_not_worse": 0.06, "mde": 0.2}, "release", "fail"),
        ({"p_not_worse": None, "p_worse": None, "why": "nothing there"}, "release", "inconclusive"),
    ],
)
def test_each_mode_has_its_rule(told: dict[str, Any], mode: Any, word: str) -> None:
    """Proven worse, unlike the nights and beyond the margin, not proven: these fail; too small is inconclusive."""
    assert gated([_change(**told)], mode)[0].word == word


def test_the_more_metrics_the_more_proof() -> None:
    """Holm over the metrics of a gate: of five alike p-values of 0.02 none fails; a release needs no adjustment."""
    five = [_change(p_worse=0.02, p_not_worse=0.02)] * 5
    assert {one.word for one in gated(five, "paired")} == {"pass"}
    assert gated(five[:1], "paired")[0].word == "fail"
    assert {one.word for one in gated(five, "release")} == {"pass"}
    untested = _change(p_worse=None, why="too few")
    assert [one.p_adjusted for one in gated([five[0], untested], "paired")] == [0.02, None]


def test_what_a_rerun_does_not_confirm_does_not_fail() -> None:
    """Twice outside fails; once outside and once inside is what the second look says, with that reason."""
    fail, passed = Gated("fail", 0.001, 0.001, "outside"), Gated("pass", 0.4, 0.4, "seen")
    assert confirmed(fail, fail).word == "fail"
    assert confirmed(fail, passed) == Gated("pass", 0.4, 0.4, "not confirmed by the rerun: seen")
    assert confirmed(passed, fail) == passed
