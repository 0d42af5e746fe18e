"""Means, their errors and resampling, against scipy and statsmodels."""

from __future__ import annotations

import random
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.api import OLS
from statsmodels.stats.contingency_tables import mcnemar

from harness.stats import student
from harness.stats.intervals import wilson
from harness.stats.means import FEWEST_CLUSTERS, Cluster, clustered, clustered_error, mean_of, standard_error
from harness.stats.paired import MANY, paired_difference
from harness.stats.power import planned_error, smallest_detectable_difference, smallest_detectable_mean
from harness.stats.resampling import bootstrap_t, draws_for, sign_flip_p
from harness.stats.serial import p_in_time
from harness.stats.signs import sign_test

DEGREES = (0.5, 1, 2, 3, 9, 19, 29, 59, 60, 61, 100, 999, 12_345, 1e6)
SCORES = st.lists(st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 0.7, 1.0]), min_size=2, max_size=30)


@pytest.mark.parametrize("df", DEGREES)
def test_students_tail_is_that_of_scipy(df: float) -> None:
    """From the middle to far out, to ten digits."""
    for t in (0.0, 1e-3, 0.1, 0.5, 1.0, 1.96, 2.5, 5.0, 10.0, 40.0):
        assert student.upper_tail(t, df) == pytest.approx(stats.t.sf(t, df), rel=1e-10)
        assert student.upper_tail(-t, df) == pytest.approx(stats.t.cdf(t, df), rel=1e-10)
        assert student.two_sided(-t, df) == pytest.approx(2 * stats.t.sf(t, df), rel=1e-10)


@pytest.mark.parametrize("df", DEGREES)
def test_students_quantile_is_that_of_scipy(df: float) -> None:
    """From a millionth to the median and on, to nine digits."""
    for p in (1e-6, 0.025, 0.2, 0.50001, 0.8, 0.9, 0.975, 0.995, 0.9999):
        assert student.quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-9)
    assert student.quantile(0.5, df) == 0.0


def test_students_table_of_the_textbooks() -> None:
    """0.975 at 1, 9, 30 and endless degrees of freedom."""
    assert [round(student.quantile(0.975, df), 3) for df in (1, 9, 30, 1e9)] == [12.706, 2.262, 2.042, 1.96]
    assert student.upper_tail(float("inf"), 3) == 0.0


@pytest.mark.parametrize(("p", "df"), [(0.0, 3), (1.0, 3), (float("nan"), 3), (0.5, 0), (0.9, -1), (0.9, float("nan"))])
def test_what_is_no_distribution_is_refused(p: float, df: float) -> None:
    """A probability of 0 or 1, or no degrees of freedom, is a mistake of ours."""
    with pytest.raises(ValueError, match=r"must be above 0|between 0 and 1"):
        student.upper_tail(student.quantile(p, df), df)


@settings(deadline=None)
@given(SCORES)
def test_a_mean_has_students_interval(values: list[float]) -> None:
    """Error and bounds of scores between right and wrong are those of scipy, kept inside 0..1."""
    found = mean_of(values)
    assert found.mean == pytest.approx(fmean(values))
    if found.method == "Student":
        error = stats.sem(values)
        low, high = stats.t.interval(0.95, len(values) - 1, loc=fmean(values), scale=error)
        assert found.standard_error == pytest.approx(error)
        assert (found.low, found.high) == pytest.approx((max(0.0, low), min(1.0, high)))


@pytest.mark.parametrize("values", [[1.0] * 9, [0.0], [1.0, 0.0, 1.0], [0.5] * 6, [0.25]])
def test_right_and_wrong_and_equal_scores_have_wilsons(values: list[float]) -> None:
    """An error of 0 is no proof: nine right answers leave room for wrong ones, and six halves for others."""
    found = mean_of(values)
    assert (found.method, found.low, found.high) == ("Wilson", *wilson(sum(values), len(values)))


def test_nothing_scored_has_no_mean() -> None:
    """No score is None, never 0."""
    found = mean_of([])
    assert (found.n, found.mean, found.low, found.method) == (0, None, None, "none")
    assert standard_error([1.0]) is None


@pytest.mark.parametrize("seed", range(5))
def test_the_clustered_error_is_that_of_statsmodels(seed: int) -> None:
    """Of unequal clusters it is the cluster-robust error of a regression on a constant."""
    draw = np.random.default_rng(seed)
    names = np.repeat(np.arange(25), draw.integers(1, 9, 25))
    values = (draw.uniform(0.2, 0.6, 25)[names] + draw.uniform(0, 0.4, len(names))).tolist()
    fitted = OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": names})
    found = mean_of(values, names.tolist())
    assert found.standard_error == pytest.approx(fitted.bse[0])
    half = stats.t.ppf(0.975, 24) * fitted.bse[0]
    assert (found.low, found.high) == pytest.approx((fitted.params[0] - half, fitted.params[0] + half))
    assert (found.clusters, found.method) == (25, "clustered")


def test_clusters_of_one_are_none() -> None:
    """Where every question stands alone, named or not, nothing is clustered; unnamed ones are never put together."""
    values = [0.2, 0.4, 0.9]
    assert mean_of(values, ["a", "b", "c"]) == mean_of(values, [None] * 3) == mean_of(values)
    assert clustered(values, ["a", None, "a"]) == [Cluster(pytest.approx(1.1), 2), Cluster(0.4, 1)]
    assert clustered_error([Cluster(1.0, 4)]) is None


@pytest.mark.parametrize(
    ("clusters", "method"),
    [(4, "none"), (5, "bootstrap over clusters"), (19, "bootstrap over clusters"), (20, "clustered")],
)
def test_few_clusters_are_resampled_and_very_few_refused(clusters: int, method: str) -> None:
    """Under twenty the clustered error is too small to be believed; under five nothing is."""
    draw = random.Random(clusters)
    values = [draw.random() for _ in range(3 * clusters)]
    found = mean_of(values, [i // 3 for i in range(3 * clusters)])
    assert found.method == method
    assert (found.low is None) == (found.high is None) == (method == "none")
    assert FEWEST_CLUSTERS == 20


@settings(deadline=None)
@given(st.lists(st.integers(-12, 12), min_size=2, max_size=10))
def test_sign_flips_of_few_differences_are_counted(twelfths: list[int]) -> None:
    """All flips, each once: p is exact, and that of scipy."""
    p, drawn = sign_flip_p([each / 12 for each in twelfths])
    whole = stats.permutation_test(
        (twelfths,), lambda d: abs(np.sum(d)), permutation_type="samples", alternative="greater", vectorized=False
    )
    assert (p, drawn) == (pytest.approx(whole.pvalue), 0)


def test_sign_flips_of_many_differences_are_drawn() -> None:
    """From a told seed, again the same; near the p of Student's test where there are many; never 0."""
    draw = random.Random(3)
    differences = [draw.uniform(-0.5, 0.6) for _ in range(80)]
    p, drawn = sign_flip_p(differences, seed=4)
    assert (p, drawn) == sign_flip_p(differences, seed=4)
    assert drawn == draws_for(80) == 4999
    assert p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.02)
    assert 0 < sign_flip_p([1.0] * 200)[0] < 1e-3
    assert draws_for(100_000) == 999


def test_the_bootstrap_is_near_students_interval() -> None:
    """Of two hundred even scores both are the same to a tenth of the width; the seed fixes it."""
    draw = random.Random(5)
    values = [draw.random() for _ in range(200)]
    found, draws = bootstrap_t(values, [1] * 200, seed=1)
    low, high = stats.t.interval(0.95, 199, loc=fmean(values), scale=stats.sem(values))
    assert found == pytest.approx((low, high), abs=(high - low) / 10)
    assert (found, draws) == bootstrap_t(values, [1] * 200, seed=1)
    with pytest.raises(ValueError, match="two clusters"):
        bootstrap_t([1.0], [3])


def test_resamples_without_an_error_leave_a_bound_open() -> None:
    """One of 16 clusters is not 0: a third of the resamples are all 0, and what they say of one side is no number."""
    found, _ = bootstrap_t([1.0, *[0.0] * 15], [1] * 16, seed=1)
    assert None in found
    assert all(bound is None or abs(bound) <= 16 for bound in found)


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (1, 0), (3, 9), (12, 12), (20, 4), (0, 24)])
def test_few_discordant_questions_have_the_exact_p(only_a: int, only_b: int) -> None:
    """Below 25 McNemar's p is the binomial one of statsmodels."""
    a = [1.0] * (10 + only_a) + [0.0] * only_b
    b = [1.0] * 10 + [0.0] * only_a + [1.0] * only_b
    found = paired_difference(a, b)
    assert found.test == "McNemar exact"
    assert found.p_value == pytest.approx(mcnemar([[10, only_a], [only_b, 0]], exact=True).pvalue)
    assert (found.a_ahead, found.b_ahead) == (only_a, only_b)


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_the_sign_test_is_binomial(one: int, other: int) -> None:
    """Its exact p is that of scipy, its mid-p less by half of what was seen on either side."""
    p = stats.binomtest(one, one + other).pvalue if one + other else 1.0
    assert sign_test(one, other) == pytest.approx(p)
    if one != other:
        assert sign_test(one, other, mid=True) == pytest.approx(p - stats.binom.pmf(one, one + other, 0.5))


def test_a_median_in_time_is_tested_with_what_neighbours_share() -> None:
    """Six of six above: 2 / 2^6. Long runs on one side are less proof; too few of them are none."""
    assert p_in_time([1.5, 1.2, 1.9, 1.4, 1.3, 1.7], 1.0) == 2 / 64
    assert p_in_time([1.0, 1.0], 1.0) == 1.0
    runs = [1.2] * 12 + [0.9] * 6 + [1.2] * 12 + [0.9] * 6 + [1.2] * 24
    assert p_in_time(runs, 1.0, alike=False) == sign_test(12, 48) < 0.001
    assert (p_in_time(runs, 1.0) or 0.0) > 0.01
    assert p_in_time(runs[:30], 1.0) is None


@pytest.mark.parametrize(("only_a", "only_b"), [(25, 0), (10, 15), (13, 12), (60, 90), (3000, 2000)])
def test_many_discordant_questions_have_the_mid_p(only_a: int, only_b: int) -> None:
    """From 25 on the outcome seen counts half: the exact p less one times its own chance."""
    n, fewer = only_a + only_b, min(only_a, only_b)
    found = paired_difference([1.0] * only_a + [0.0] * only_b, [0.0] * only_a + [1.0] * only_b)
    assert found.test == "McNemar mid-p"
    assert found.p_value == pytest.approx(2 * stats.binom.cdf(fewer, n, 0.5) - stats.binom.pmf(fewer, n, 0.5))
    assert MANY == 25


def test_scores_between_are_compared_by_their_differences() -> None:
    """Error, bounds and MDE are those of the paired t test of scipy."""
    draw = random.Random(8)
    a = [draw.random() for _ in range(60)]
    b = [min(1.0, max(0.0, value + draw.uniform(-0.2, 0.3))) for value in a]
    found, whole = paired_difference(a, b), stats.ttest_rel(b, a)
    low, high = whole.confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.p_value == pytest.approx(whole.pvalue, abs=0.01)
    assert found.mde == pytest.approx((stats.t.ppf(0.975, 59) + stats.t.ppf(0.8, 59)) * stats.sem(np.subtract(b, a)))
    assert (found.test, found.method, found.clusters) == ("sign flips", "Student", None)


def test_a_paired_cluster_is_one_question() -> None:
    """Forty alike pairs are as good as the twenty they are made of."""
    draw = random.Random(9)
    a, b = ([draw.random() for _ in range(20)] for _ in range(2))
    one = paired_difference(a, b)
    twice = paired_difference(a * 2, b * 2, [*range(20), *range(20)])
    assert (twice.n, twice.clusters, twice.method) == (40, 20, "clustered")
    assert (twice.standard_error, twice.mde) == pytest.approx((one.standard_error, one.mde))
    assert twice.p_value == pytest.approx(one.p_value, abs=0.02)


def test_equal_scores_prove_no_equality() -> None:
    """Where all differences are equal the bounds are as wide as what may differ unseen, and so is the MDE."""
    found = paired_difference([0.5] * 12, [0.5] * 12)
    assert (found.difference, found.p_value, found.low, found.high) == (0.0, 1.0, -wilson(0, 12)[1], wilson(0, 12)[1])
    assert found.mde == smallest_detectable_difference(12, 0)
    assert paired_difference([0.5], [0.25]).low == pytest.approx(max(-1.0, -0.25 - wilson(0, 1)[1]))


@pytest.mark.parametrize(("repeats", "expected"), [(1, 0.05), (4, 0.035), (1000, 0.0283)])
def test_repeats_lessen_only_luck(repeats: int, expected: float) -> None:
    """(0.08 + 0.17 / K) / 100: four repeats save a third, a thousand not the half."""
    assert planned_error(0.08, (0.09, 0.08), 100, repeats) == pytest.approx(expected, abs=5e-5)


def test_a_detectable_mean_is_never_beyond_what_scores_can_differ() -> None:
    """With three questions it is large, and at most 1."""
    assert smallest_detectable_mean(0.4, 2) == 1.0
    assert smallest_detectable_mean(0.01, 1e6) == pytest.approx(0.028016, abs=1e-6)
