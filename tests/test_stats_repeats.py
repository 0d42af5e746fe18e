"""pass@k, pass^k, the variance split and coverage, against published values and by counting."""

from __future__ import annotations

import gzip
import itertools
import json
from collections import defaultdict
from pathlib import Path
from statistics import fmean, variance

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.coverage import coverage
from harness.stats.repeats import Repeats, Tries, pass_at_k, pass_hat_k, spread

TAU = Path(__file__).parents[2] / "shared" / "data" / "tau_bench" / "gpt-4o-airline.json.gz"


@given(st.integers(1, 7).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_they_are_the_shares_of_all_choices(given_: tuple[int, int, int]) -> None:
    """Of all ways to choose k of the tries: those with a right one, and those with no wrong one."""
    n, right, k = given_
    chosen = list(itertools.combinations([True] * right + [False] * (n - right), k))
    assert pass_at_k(Tries(n, right), k) == pytest.approx(fmean(map(any, chosen)))
    assert pass_hat_k(Tries(n, right), k) == pytest.approx(fmean(map(all, chosen)))


@pytest.mark.parametrize(("n", "right", "k"), [(200, 0, 100), (200, 199, 100), (200, 13, 10), (10_000, 12, 100)])
def test_large_samples_keep_their_digits(n: int, right: int, k: int) -> None:
    """The same as the product form of Chen et al.: 1 - prod(1 - k / i) over i from n - c + 1 to n."""
    product = float(np.prod(1 - k / np.arange(n - right + 1, n + 1))) if n - right >= k else 0.0
    assert pass_at_k(Tries(n, right), k) == pytest.approx(1 - product)


def test_humanevals_example() -> None:
    """Six samples of its one example problem, three of which return 1: pass@1 = 0.5."""
    assert pass_at_k(Tries(6, 3), 1) == 0.5


@pytest.mark.skipif(not TAU.exists(), reason="the published runs of tau-bench are not on this machine")
def test_tau_benchs_published_figures() -> None:
    """Of gpt-4o's 4 trials of 50 airline tasks: pass^1..4 are .4200 .2733 .2200 .2000."""
    rewards: dict[int, list[float]] = defaultdict(list)
    for row in json.loads(gzip.decompress(TAU.read_bytes())):
        rewards[row["task_id"]].append(row["reward"])
    questions = [Tries(len(each), sum(reward == 1 for reward in each)) for each in rewards.values()]
    assert len(questions) == 50
    found = [round(fmean(pass_hat_k(each, k) for each in questions), 4) for k in (1, 2, 3, 4)]
    assert found == [0.42, 0.2733, 0.22, 0.2]


@pytest.mark.parametrize("k", [0, 4, -1])
def test_more_tries_than_there_were_are_refused(k: int) -> None:
    """K beyond n, or none at all, is no estimate."""
    for estimate in (pass_at_k, pass_hat_k):
        with pytest.raises(ValueError, match="between 1 and the 3 tries"):
            estimate(Tries(3, 1), k)


def test_luck_and_difference_are_told_apart() -> None:
    """Of 4000 questions with true means of variance 0.04 and 5 tries each, both parts are found."""
    draw = np.random.default_rng(1)
    means = draw.choice([0.3, 0.7], 4000)
    tries = draw.random((4000, 5)) < means[:, None]
    found = spread([Repeats(fmean(row), variance(row), 5) for row in tries.astype(float).tolist()])
    assert found is not None
    assert found.between == pytest.approx(0.04, abs=0.004)
    assert found.within[0] == pytest.approx(0.21, abs=0.005)


def test_a_difference_splits_into_both_sides_luck() -> None:
    """Equal questions on both sides leave nothing between them, whatever each side's luck."""
    draw = np.random.default_rng(2)
    means = draw.uniform(0.1, 0.9, 3000)
    sides = [(draw.random((3000, 3)) < means[:, None]).astype(float).tolist() for _ in range(2)]
    found = spread(*([Repeats(fmean(row), variance(row), 3) for row in side] for side in sides))
    assert found is not None
    assert found.between == pytest.approx(0.0, abs=0.01)
    assert found.within == pytest.approx([float(np.mean(means * (1 - means)))] * 2, abs=0.01)


def test_one_try_has_no_luck_to_split() -> None:
    """None: there is no variance within a question that was scored once."""
    assert spread([Repeats(1.0, None, 1), Repeats(0.0, None, 1)]) is None
    assert spread([Repeats(1.0, 0.0, 2), Repeats(None, None, 0)]) is None


@given(st.integers(0, 30), st.integers(0, 30), st.floats(0, 1))
def test_bounds_hold_whatever_is_missing(scored: int, missing: int, mean: float) -> None:
    """Whatever the missing answers had scored, the mean of all lies between the two."""
    found = coverage(scored + missing, scored, scored * mean)
    if scored + missing == 0:
        assert found == (0, 0, None, None, None)
        return
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low == pytest.approx(missing / (scored + missing))
    assert found.low == pytest.approx(scored * mean / (scored + missing))


def test_the_floor_of_coverage() -> None:
    """95 % is enough, less is not, and nothing asked is never enough."""
    assert coverage(20, 19, 10.0).enough
    assert not coverage(21, 19, 10.0).enough
    assert not coverage(0, 0, 0.0).enough
    with pytest.raises(ValueError, match="3 were scored of 2"):
        coverage(2, 3, 1.0)
