"""What two endpoints together would have given."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from published import attempt, make_run, manifest

from harness.report.decision.attainment import Attained, share
from harness.report.decision.monthly import Monthly
from harness.report.decision.routing import Outcomes, measured, paired, route, ways
from harness.stats.mover import Estimate, exact
from harness.store.index import publish
from harness.types import Slo

NAN = float("nan")


def outcomes(ok: list[bool], first: list[float], over: list[float] | None = None, cost: float = 0.001) -> Outcomes:
    """Outcomes whose answers take 100 ms after their first token."""
    at = np.array(first)
    return Outcomes(
        np.array(ok), at, np.full(len(ok), 10.0), at + 100, np.array(over or at + 101), np.full(len(ok), cost)
    )


def test_a_prompt_moves_when_the_first_fails_or_is_late() -> None:
    """Kept, late (after the limit), failed at once (after that), failed late (after the limit), failed at both."""
    first = outcomes([True, True, False, False, False], [100, 900, NAN, NAN, NAN], [1, 1, 20, 5000, 20])
    second = outcomes([True, True, True, True, False], [50, 60, 70, 80, NAN], [1, 1, 1, 1, 30], cost=0.01)
    found = route(first, second, Slo(ttft_ms=800))
    assert found.moved is not None
    assert found.moved.tolist() == [False, True, True, True, True]
    assert found.ok.tolist() == [True, True, True, True, False]
    assert found.first_ms.tolist()[:4] == [100, 860, 90, 880]
    assert found.whole_ms.tolist()[:4] == [200, 960, 190, 980]
    assert found.over_ms.tolist()[4] == 50
    assert found.cost_usd.tolist() == pytest.approx([0.001, 0.011, 0.011, 0.011, 0.011])


def test_without_a_limit_only_failures_move() -> None:
    """However late the first is."""
    first, second = outcomes([True, False], [9e5, NAN], [1, 3000]), outcomes([True, True], [50, 50])
    found = route(first, second, Slo(e2e_ms=10))
    assert found.moved is not None
    assert found.moved.tolist() == [False, True]
    assert found.first_ms.tolist() == [9e5, 3050]


def test_a_way_is_measured_by_prompt() -> None:
    """Shares and cost with intervals; a share of none is bounded by the rule of three."""
    n = 200
    one = outcomes([i % 10 != 0 for i in range(n)], [100.0 if i % 2 else 300.0 for i in range(n)])
    found = measured("a", one, Slo(ttft_ms=200), seed=1)
    assert found.n == n
    assert found.moved is None
    assert found.failed.value == pytest.approx(0.1)
    assert found.failed.low == pytest.approx(0.06, abs=0.02)
    assert found.failed.high == pytest.approx(0.145, abs=0.02)
    assert found.inside.value == pytest.approx(0.5)
    assert found.usd_per_1000 == pytest.approx(exact(1.0))
    assert found == measured("a", one, Slo(ttft_ms=200), seed=1)
    sound = measured("a", outcomes([True] * 30, [1.0] * 30), Slo(), seed=0)
    assert sound.failed == Estimate(0.0, 0.0, 0.1)
    assert sound.inside == Estimate(1.0, 0.9, 1.0)
    few = measured("a", outcomes([True] * 3, [1.0] * 3), Slo(), seed=0)
    assert few.failed == Estimate(0.0, None, None)
    unknown = measured("a", outcomes([True] * 9, [1.0] * 9, cost=NAN), Slo(), seed=0)
    assert unknown.usd_per_1000 is None
    with pytest.raises(ValueError, match="no prompt"):
        measured("a", outcomes([], []), Slo(), seed=0)


def test_many_prompts_are_drawn_in_groups() -> None:
    """The interval of a share over 20,000 prompts is as wide as that of one by one."""
    draw = np.random.default_rng(3)
    found = measured("a", outcomes((draw.random(20_000) < 0.8).tolist(), [1.0] * 20_000), Slo(), seed=0)
    half = 1.96 * (0.8 * 0.2 / 20_000) ** 0.5
    assert found.inside.low is not None
    assert found.inside.high is not None
    assert (found.inside.high - found.inside.low) / 2 == pytest.approx(half, rel=0.15)


def attained(good: int, n: int = 100) -> Attained:
    """So many inside."""
    return Attained(n, good, 0, 0, 0, 0, 0, None, share(good, n), 1.0)


@pytest.mark.parametrize(
    ("good", "usd", "chosen"),
    [
        ({"a": 99, "b": 97, "c": 50}, {"a": 9.0, "b": 3.0, "c": 1.0}, ("b", "a")),
        ({"a": 99, "b": 97, "c": 50}, {"a": None, "b": 3.0, "c": 1.0}, ("b", "a")),
        ({"a": 60, "b": 80, "c": 50}, {"a": 9.0, "b": 3.0, "c": 1.0}, ("b", "a")),
        ({"a": 99}, {"a": 1.0}, None),
    ],
)
def test_the_cheapest_that_is_fast_enough_is_asked_first(
    good: dict[str, int], usd: dict[str, float | None], chosen: tuple[str, str] | None
) -> None:
    """By its bill among those that reach the target; where none does, by the share inside."""
    bills = {name: Monthly(None if cost is None else exact(cost), None, None) for name, cost in usd.items()}
    assert ways({name: attained(count) for name, count in good.items()}, bills, 0.95) == chosen


def test_outcomes_are_those_of_the_same_prompts(tmp_path: Path) -> None:
    """Pairs by level, sample and turn; what we broke off is no outcome; unknown cost is not 0, a failure's is."""
    times = {"send0": 0, "tok1": 100, "tokn": 300, "eof": 302}

    def asked(endpoint: str, sample: str, **changes: Any) -> dict[str, Any]:
        return attempt(f"{endpoint}{sample}", endpoint=endpoint, sample=sample, **({"ms": times} | changes))

    failed = {"ms": {"send0": 0, "eof": 40}, "failure_kind": "reset", "failure_detail": "x"}
    made = [
        asked("p/m", "0", cost_usd=0.5),
        asked("p/m", "1", **failed),
        asked("p/m", "2"),
        asked("p/m", "3"),
        *(asked("b/m", str(i), cost_usd=0.1) for i in range(3)),
        asked("b/m", "3", **{**failed, "failure_kind": "cancelled"}),
    ]
    run = make_run(tmp_path, attempts=made)
    run.write_manifest(manifest(run))
    publish(tmp_path)
    first, second = paired(tmp_path, run.id, "chat", "p/m", "b/m")
    order = np.argsort(first.ok.astype(int) * 10 + np.isnan(first.cost_usd))
    assert first.ok[order].tolist() == [False, True, True]
    assert first.over_ms[order].tolist() == [40, 302, 302]
    assert first.cost_usd[order].tolist() == pytest.approx([0, 0.5, NAN], nan_ok=True)
    assert second.first_ms.tolist() == [100] * 3
