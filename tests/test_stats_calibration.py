"""Every test of the report, on endpoints that are equal and on endpoints that differ by exactly the MDE.

2,000 runs each, from fixed seeds. Of equal endpoints a test must call 5 % different, give or take 1; a test of few
discrete outcomes cannot reach that and must stay below it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from numpy.random import Generator
from scipy import stats

from harness.stats import student
from harness.stats.family import benjamini_hochberg
from harness.stats.intervals import quantile_interval
from harness.stats.means import mean_of
from harness.stats.paired import PairedDifference, paired_difference, paired_ratio
from harness.stats.power import planned_error, smallest_detectable_difference, smallest_detectable_mean
from harness.stats.verdict import verdict, verdict_of_ratio

RUNS = 2000
DRAWS = 399
Pair = tuple[list[float], list[float], list[int] | None]
Draw = Callable[[Generator], Pair]


def _binary(n: int, loss: float = 0.0, low: float = 0.2, high: float = 0.9) -> Draw:
    """Right or wrong once: every question as hard for B as for A, but for a loss."""

    def pair(draw: Generator) -> Pair:
        chance = draw.uniform(low, high, n)
        a, b = (draw.random(n) < p for p in (chance, chance - loss))
        return a.astype(float).tolist(), b.astype(float).tolist(), None

    return pair


def _repeats(n: int, tries: int) -> Draw:
    def pair(draw: Generator) -> Pair:
        chance = draw.beta(1, 1, n)
        a, b = (draw.binomial(tries, chance) / tries for _ in range(2))
        return a.tolist(), b.tolist(), None

    return pair


def _scores(n: int) -> Draw:
    def pair(draw: Generator) -> Pair:
        middle = draw.uniform(0.2, 0.8, n)
        a, b = (middle + draw.uniform(-0.2, 0.2, n) for _ in range(2))
        return a.tolist(), b.tolist(), None

    return pair


def _clusters(count: int) -> Draw:
    """Clusters of one to six questions on which B does a little better or worse together, by luck."""

    def pair(draw: Generator) -> Pair:
        names = np.repeat(np.arange(count), draw.integers(1, 7, count))
        a = draw.uniform(0.3, 0.7, len(names))
        b = a + draw.uniform(-0.2, 0.2, count)[names] + draw.uniform(-0.1, 0.1, len(names))
        return a.tolist(), b.tolist(), names.tolist()

    return pair


class Called(NamedTuple):
    """Share of runs that called two endpoints different."""

    by_p: float
    by_interval: float
    by_word: float


def _called(pair: Draw, seed: int) -> Called:
    draw = np.random.default_rng(seed)
    found = [paired_difference(*pair(draw), seed=run, draws=DRAWS) for run in range(RUNS)]
    return Called(
        sum((each.p_value or 0.0) <= 0.05 for each in found) / RUNS,
        sum(_leaves_out_0(each) for each in found) / RUNS,
        sum(verdict(each.low, each.high, each.p_value) != "unclear" for each in found) / RUNS,
    )


def _leaves_out_0(found: PairedDifference) -> bool:
    return found.low is not None and found.high is not None and not found.low <= 0.0 <= found.high


@pytest.mark.parametrize(
    "pair",
    [_binary(200), _repeats(60, 4), _scores(40), _clusters(30)],
    ids=["McNemar mid-p, Newcombe", "sign flips, Student: repeats", "sign flips, Student: scores", "clustered"],
)
def test_equal_endpoints_are_called_different_in_a_twentieth(pair: Draw) -> None:
    """By p, by the interval and by the word of both: 5 % of 2,000 runs, give or take 1."""
    assert _called(pair, 7) == pytest.approx((0.05, 0.05, 0.05), abs=0.0101)


def test_few_clusters_keep_to_a_twentieth() -> None:
    """Twelve clusters, resampled: interval and sign flips alone are right; both together are called less often."""
    found = _called(_clusters(12), 7)
    assert (found.by_p, found.by_interval) == pytest.approx((0.05, 0.05), abs=0.0101)
    assert found.by_word <= 0.05


def test_the_exact_test_of_few_questions_is_stricter_than_it_says() -> None:
    """Fifty questions have about 18 discordant ones: the exact p calls what its discrete outcomes allow, under 5 %."""
    draw = np.random.default_rng(11)
    sizes: dict[int, float] = {}
    called, allowed = 0, 0.0
    for _ in range(RUNS):
        found = paired_difference(*_binary(50, low=0.6)(draw)[:2])
        if found.test != "McNemar exact":
            continue
        n = found.a_ahead + found.b_ahead
        if n not in sizes:
            tails = stats.binom.cdf(np.arange(n + 1), n, 0.5)
            sizes[n] = 2 * max((float(tail) for tail in tails if 2 * tail <= 0.05), default=0.0)
        allowed += sizes[n] / RUNS
        called += (found.p_value or 0.0) <= 0.05
    assert called / RUNS == pytest.approx(allowed, abs=0.01)
    assert allowed < 0.05


def test_a_mean_lies_outside_its_interval_in_a_twentieth() -> None:
    """Wilson's, Student's and the clustered interval of a task leave the truth out in 5 % of runs, give or take 1."""
    draw = np.random.default_rng(3)
    names = np.repeat(np.arange(30), 3).tolist()
    missed = np.zeros(3)
    for _ in range(RUNS):
        binary = (draw.random(200) < 0.7).astype(float).tolist()
        between = draw.beta(2, 1, 40).tolist()
        shared = (np.repeat(draw.uniform(0.2, 0.8, 30), 3) + draw.uniform(-0.2, 0.2, 90)).tolist()
        for place, (found, truth) in enumerate(
            ((mean_of(binary), 0.7), (mean_of(between), 2 / 3), (mean_of(shared, names), 0.5))
        ):
            missed[place] += not (found.low or 0.0) <= truth <= (found.high or 0.0)
    assert missed / RUNS == pytest.approx([0.05] * 3, abs=0.0101)


def test_a_ratio_of_equal_times_is_called_in_a_twentieth() -> None:
    """Order statistics of the median of 263 ratios, an n at which their discrete level is near 5 %: 5 % of runs."""
    n = 263
    draw = np.random.default_rng(5)
    ratios = np.sort(np.exp(draw.normal(0, 0.3, (RUNS, n))), axis=1)
    low, high = quantile_interval(range(n), 0.5)
    assert low is not None
    assert high is not None
    size = float(stats.binom.cdf(low, n, 0.5) + stats.binom.sf(high, n, 0.5))
    called = np.mean((ratios[:, int(low)] > 1) | (ratios[:, int(high)] < 1))
    assert size == pytest.approx(0.05, abs=0.01)
    assert called == pytest.approx(0.05, abs=0.0101)
    first = paired_ratio([1.0] * n, ratios[0].tolist())
    assert (first.low, first.high) == (ratios[0, int(low)], ratios[0, int(high)])


@pytest.mark.parametrize(("n", "alike"), [(263, 0.0), (300, 0.5)])
def test_a_ratio_of_times_in_a_row_is_called_in_at_most_a_twentieth(n: int, alike: float) -> None:
    """By p and by the word, of independent requests and of neighbours that are alike: 5 % or a little less."""
    draw = np.random.default_rng(31)
    steps = draw.normal(0, 0.3, (RUNS, n))
    for at in range(1, n):
        steps[:, at] = alike * steps[:, at - 1] + math.sqrt(1 - alike * alike) * steps[:, at]
    found = [paired_ratio([1.0] * n, row, blocks=True) for row in np.exp(steps).tolist()]
    by_p = np.mean([each.p_value is not None and each.p_value <= 0.05 for each in found])
    by_word = np.mean([verdict_of_ratio(each.low, each.high, each.p_value) != "unclear" for each in found])
    assert 0.01 < by_word <= by_p <= 0.0601


def test_a_family_of_equal_endpoints_is_called_in_a_twentieth() -> None:
    """Of ten adjusted comparisons of nothing, any is called in 5 % of families, not in 40 %."""
    draw = np.random.default_rng(13)
    families = draw.random((RUNS, 10)).tolist()
    assert np.mean([min(family) <= 0.05 for family in families]) > 0.35
    assert np.mean([min(benjamini_hochberg(family)) <= 0.05 for family in families]) == pytest.approx(0.05, abs=0.01)


def test_a_family_keeps_its_share_of_false_calls() -> None:
    """Of ten comparisons six of which are real, at most 5 % of the calls are wrong on average."""
    draw = np.random.default_rng(17)
    z = draw.normal(0, 1, (RUNS, 10))
    z[:, :6] += 3
    wrong = []
    for family in (2 * stats.norm.sf(np.abs(z))).tolist():
        called = [at for at, p in enumerate(benjamini_hochberg(family)) if p <= 0.05]
        wrong.append(sum(at >= 6 for at in called) / max(len(called), 1))
    assert np.mean(wrong) <= 0.05


def test_a_loss_of_the_margin_is_seldom_called_not_worse() -> None:
    """Where the true loss is the margin, the words "not worse" are wrong in 2.5 % of runs, give or take 1."""
    draw = np.random.default_rng(19)
    pair = _binary(300, loss=0.05, low=0.3)
    called = sum(
        verdict(found.low, found.high, found.p_value, 0.05) == "not worse"
        for found in (paired_difference(*pair(draw)) for _ in range(RUNS))
    )
    assert called / RUNS == pytest.approx(0.025, abs=0.0101)


@pytest.mark.parametrize(("n", "discordance"), [(400, 0.2), (1000, 0.1)])
def test_a_share_that_differs_by_the_mde_is_found_four_times_in_five(n: int, discordance: float) -> None:
    """McNemar's p and Newcombe's interval call it in 80 % of runs, give or take 3."""
    mde = smallest_detectable_difference(n, round(discordance * n))
    assert mde is not None
    draw = np.random.default_rng(23)
    found = 0
    for won, lost in draw.multinomial(n, [(discordance + mde) / 2, (discordance - mde) / 2, 1 - discordance], RUNS)[
        :, :2
    ].tolist():
        same = [1.0] * (n - won - lost)
        each = paired_difference([0.0] * won + [1.0] * lost + same, [1.0] * won + [0.0] * lost + same)
        found += verdict(each.low, each.high, each.p_value) == "better"
    assert found / RUNS == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(("n", "tries"), [(20, 1), (60, 4)])
def test_a_mean_that_differs_by_the_mde_is_found_four_times_in_five(n: int, tries: int) -> None:
    """With the variance of questions and repeats as planned, Student's interval calls it in 80 %, give or take 3."""
    between, within = 0.02, 0.06
    mde = smallest_detectable_mean(planned_error(between, (within, within), n, tries), n - 1)
    draw = np.random.default_rng(29)
    true = mde + draw.normal(0, math.sqrt(between), (RUNS, n))
    seen = true + draw.normal(0, math.sqrt(2 * within / tries), (RUNS, n))
    low = seen.mean(axis=1) - student.quantile(0.975, n - 1) * seen.std(axis=1, ddof=1) / math.sqrt(n)
    assert np.mean(low > 0) == pytest.approx(0.8, abs=0.03)
