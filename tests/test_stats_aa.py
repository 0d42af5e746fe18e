"""A against A: equal endpoints are not called different more often than is said, and a shift of 5 % is found."""

from __future__ import annotations

import math
import random

import pytest

from harness.stats.paired import paired_ratio
from harness.stats.verdict import verdict_of_ratio

RUNS = 300
NOISE = 0.2
"""Standard deviation of the logarithm of one latency about its prompt's: about 20 %."""
BOUND = 0.05 + 2.33 * math.sqrt(0.05 * 0.95 / RUNS)
"""A twentieth and the error of so many runs, at 99 %."""


def _steps(draw: random.Random, n: int, phi: float, sigma: float) -> list[float]:
    """A stationary AR(1) of standard deviation ``sigma``; ``phi`` is its lag-1 autocorrelation."""
    at, found = draw.gauss(0.0, sigma), []
    for _ in range(n):
        at = phi * at + draw.gauss(0.0, sigma * math.sqrt(1 - phi * phi))
        found.append(at)
    return found


def _differs(draw: random.Random, n: int, phi: float, shift: float, *, blocks: bool) -> bool:
    """One run: both endpoints get the same prompts, each has its own noise; B is ``shift`` times as slow."""
    prompts = _steps(draw, n, 0.5, 0.4)
    a, b = (
        [factor * math.exp(prompt + own) for prompt, own in zip(prompts, _steps(draw, n, phi, NOISE), strict=True)]
        for factor in (0.5, 0.5 * shift)
    )
    found = paired_ratio(a, b, blocks=blocks)
    return verdict_of_ratio(found.low, found.high) != "unclear"


def _share(n: int, phi: float, shift: float = 1.0, *, blocks: bool) -> float:
    draw = random.Random(20_240)
    return sum(_differs(draw, n, phi, shift, blocks=blocks) for _ in range(RUNS)) / RUNS


@pytest.mark.parametrize("blocks", [False, True])
def test_equal_endpoints_with_independent_requests_are_equal(blocks: bool) -> None:
    """Of 300 runs of 200 prompts at most a twentieth, and the error of 300 runs, finds a difference."""
    assert _share(200, 0.0, blocks=blocks) <= BOUND


@pytest.mark.parametrize("phi", [0.3, 0.6, 0.8])
def test_equal_endpoints_with_autocorrelated_requests_are_equal(phi: float) -> None:
    """With blocks the same holds of 300 prompts where neighbours are alike."""
    assert _share(300, phi, blocks=True) <= BOUND


def test_without_blocks_autocorrelation_is_taken_for_a_difference() -> None:
    """The plain interval calls equal endpoints different in a fifth of all runs, which is why there are blocks."""
    assert _share(200, 0.6, blocks=False) > 0.15


def test_a_shift_of_a_twentieth_is_found_with_500_prompts() -> None:
    """At 20 % noise 500 independent prompts find a 5 % slower endpoint in four of five runs, blocks or not."""
    assert _share(500, 0.0, 1.05, blocks=False) >= 0.8
    assert _share(500, 0.0, 1.05, blocks=True) >= 0.8


def test_autocorrelation_costs_prompts() -> None:
    """With lag-1 autocorrelation 0.3 it takes 1000 prompts to find it as often."""
    assert _share(1000, 0.3, 1.05, blocks=True) >= 0.8


def test_a_lower_confidence_is_a_narrower_interval_in_time() -> None:
    """At 0.8 the interval of alike neighbours lies inside the one at 0.95."""
    ratios = [1.0 + i // 10 for i in range(100)]
    narrow, wide = (paired_ratio([1.0] * 100, ratios, confidence, blocks=True) for confidence in (0.8, 0.95))
    assert None not in (narrow.low, narrow.high, wide.low, wide.high)
    assert (wide.low or 0) <= (narrow.low or 0) <= (narrow.high or 0) <= (wide.high or 0)
    assert wide != narrow
