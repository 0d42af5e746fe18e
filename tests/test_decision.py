"""Fronts, who is tied with the best, and scores by weights."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.decision.apart import independent, order, told_apart
from harness.report.decision.front import dominated
from harness.report.decision.measures import CRITERIA, Measure, measures, utility
from harness.report.decision.monthly import Monthly
from harness.report.decision.weighing import weigh
from harness.stats.mover import Estimate, exact
from harness.types import JsonObject

small = st.integers(0, 4)
points = st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(small, small))


@given(points, st.tuples(st.booleans(), st.booleans()))
def test_a_front_has_whoever_nobody_is_ahead_of(places: Mapping[str, tuple[int, int]], more: tuple[bool, bool]) -> None:
    """Off the front is exactly who is behind another in one measure and ahead of it in none."""

    def ahead(one: str, other: str) -> bool:
        turned = [[v if up else -v for v, up in zip(places[name], more, strict=True)] for name in (one, other)]
        no_worse = all(mine >= its for mine, its in zip(*turned, strict=True))
        return no_worse and turned[0] != turned[1]

    found = dominated(places, more=more)
    assert set(found) == {name for name in places if any(ahead(other, name) for other in places)}
    assert all(ahead(by, name) and by not in found for name, by in found.items())


def test_tied_is_who_is_not_told_apart() -> None:
    """Overlapping intervals may be told apart by their difference; a wide one is tied; a known figure is not."""
    values = {"a": Estimate(0.50, 0.44, 0.56), "b": Estimate(0.40, 0.35, 0.45), "c": Estimate(0.45, 0.2, 0.7)}
    apart = independent(values, more=True)
    found = order({name: one.value for name, one in values.items()}, apart, more=True)
    assert found is not None
    assert (found.best, found.tied, found.worse) == ("a", ("c",), ("b",))
    assert found.ranks["c"] == (1, 3)
    known = independent({"a": exact(0.9), "b": exact(0.8)}, more=False)
    assert known == {("b", "a")}


def test_many_comparisons_are_adjusted_for() -> None:
    """A difference that stands alone at p = 0.04 does not stand among ten that nobody could tell."""
    clear, unclear = Estimate(1.0, 0.04, 1.96), Estimate(0.1, -1.0, 1.2)
    assert told_apart({("a", "b"): clear}) == {("a", "b")}
    assert told_apart({("a", "b"): clear} | {("c", str(i)): unclear for i in range(10)}) == set()
    assert told_apart({("a", "b"): Estimate(1.0, None, None)}) == set()


def test_nobody_is_the_best_of_none() -> None:
    """Without any value there is no order; one alone is the best and has nobody beside it."""
    assert order({}, frozenset(), more=True) is None
    alone = order({"a": 1.0}, frozenset(), more=False)
    assert alone is not None
    assert (alone.best, alone.tied, alone.worse) == ("a", (), ())


def test_the_best_is_nobody_who_is_told_to_be_worse() -> None:
    """Where matched questions contradict the means, the matched ones count."""
    found = order({"a": 0.9, "b": 0.8}, frozenset({("b", "a")}), more=True)
    assert found is not None
    assert found.best == "b"


def row(name: str, **changes: object) -> JsonObject:
    """An endpoint of a summary."""
    quality = {"mean": 0.8, "low": 0.7, "high": 0.9, "n": 50}
    about: JsonObject = {"endpoint": name, "quality": quality, "tools": None, "ttft_p50_ms": 100.0, "ttft_n": 50}
    about |= {"ttft_p50_interval_ms": [90.0, 110.0], "n": 100, "n_failed": 0}
    return about | {"features_judged": 10, "features_failed": 0} | changes


def bill(usd: Estimate | None) -> Monthly:
    """A bill of so much."""
    return Monthly(usd, None, None)


def by_name(found: list[Measure]) -> dict[str, Measure]:
    """The measures by criterion."""
    return {one.criterion.name: one for one in found}


def test_measures_are_those_of_the_summary_and_its_comparisons() -> None:
    """Quality is told apart by the comparison of the report alone, cost and errors by their intervals."""
    compared = {
        "metric": "quality", "task": None, "baseline": "a", "endpoint": "b", "value": -0.1, "low": -0.19, "high": -0.01,
        "p_adjusted": 0.2, "withheld": None,
    }  # fmt: skip
    rows = [row("a"), row("b", n_failed=30)]
    usd = {"a": bill(Estimate(10.0, 9.0, 11.0)), "b": bill(None)}
    found = by_name(measures(rows, [compared], {}, usd))
    assert found["quality"].apart == set()
    assert found["quality"].advantages["a", "b"] == Estimate(0.1, 0.01, 0.19)
    assert found["errors"].apart == {("a", "b")}
    assert list(found["cost"].values) == ["a"]
    assert found["tools"].values == {}
    told = by_name(measures(rows, [compared | {"p_adjusted": 0.02}], {}, usd))
    assert told["quality"].apart == {("a", "b")}
    assert (
        by_name(measures(rows, [compared | {"p_adjusted": 0.02, "withheld": "x"}], {}, usd))["quality"].apart == set()
    )


def test_a_time_is_compared_by_the_ratio_of_the_report() -> None:
    """Half the time is told apart by the ratio's interval; without one the two medians speak for themselves."""
    ratio = {"metric": "ttft_ratio", "task": None, "baseline": "a", "endpoint": "b", "value": 0.5, "p_adjusted": 0.01}
    rows = [row("a"), row("b", ttft_p50_ms=50.0, ttft_p50_interval_ms=[45.0, 55.0])]
    found = by_name(measures(rows, [ratio | {"low": 0.4, "high": 0.6}], {}, {}))["ttft"]
    assert found.apart == {("b", "a")}
    # a is worth 0.5: b is as much more worth as 1 / ratio - 1 of it.
    assert found.advantages["a", "b"] == pytest.approx(Estimate(-0.5, -0.75, -1 / 3))
    unbounded = by_name(measures(rows, [ratio | {"low": None, "high": None}], {}, {}))["ttft"]
    assert unbounded.apart == {("b", "a")}


@pytest.mark.parametrize(
    ("name", "values", "worth"),
    [
        ("quality", {"a": 0.8, "b": 0.4}, {"a": 0.8, "b": 0.4}),
        ("errors", {"a": 0.0, "b": 0.25}, {"a": 1.0, "b": 0.75}),
        ("ttft", {"a": 100.0, "b": 400.0}, {"a": 1.0, "b": 0.25}),
        ("cost", {"a": 0.0, "b": 3.0}, {"a": 1.0, "b": 0.0}),
        ("throughput", {"a": 50.0, "b": 200.0}, {"a": 0.25, "b": 1.0}),
    ],
)
def test_what_a_value_is_worth(name: str, values: dict[str, float], worth: dict[str, float]) -> None:
    """Shares as they are, times and costs as the best over them, throughput as its share of the best."""
    criterion = next(one for one in CRITERIA if one.name == name)
    found = utility(criterion, {endpoint: exact(value) for endpoint, value in values.items()})
    assert {endpoint: one.value for endpoint, one in found.items()} == worth


def made(**values: Mapping[str, Estimate]) -> list[Measure]:
    """Measures whose pairs are compared by their own intervals."""
    found = []
    for criterion in CRITERIA:
        own = values.get(criterion.name, {})
        worth = utility(criterion, own)
        pairs = {
            (one, other): Estimate(worth[one].value - worth[other].value, None, None)
            for one in own
            for other in own
            if one < other
        }
        known = {pair: exact(gain.value) for pair, gain in pairs.items()}
        found.append(Measure(criterion, own, {}, frozenset(), known))
    return found


def test_a_score_is_the_weighted_mean() -> None:
    """Three parts quality and one part cost; the weights' scale does not matter."""
    each = made(quality={"a": exact(0.8), "b": exact(0.4)}, cost={"a": exact(4.0), "b": exact(1.0)})
    found = weigh(["a", "b"], each, {"quality": 3, "cost": 1, "tools": 5})
    assert {name: one.value for name, one in found.scores.items()} == pytest.approx({"a": 0.6625, "b": 0.55})
    assert found.dropped == ("tools",)
    assert found.weights == {"quality": 0.75, "cost": 0.25}
    assert weigh(["a", "b"], each, {"quality": 30, "cost": 10}).scores == found.scores
    turned = weigh(["a", "b"], each, {"quality": 1, "cost": 3})
    assert turned.order is not None
    assert turned.order.best == "b"


@pytest.mark.parametrize(
    ("quality", "weight", "worse"), [(0.1, 3, ("b",)), (0.1, 1, ()), (0.9, 3, ())], ids=["far", "light", "near"]
)
def test_what_is_not_known_counts_from_worst_to_best(quality: float, weight: float, worse: tuple[str, ...]) -> None:
    """An endpoint without a price is told apart only where no price could change it, even the lowest by far."""
    each = made(quality={"a": exact(1.0), "b": exact(quality)}, cost={"a": exact(2.0)})
    found = weigh(["a", "b"], each, {"quality": weight, "cost": 1})
    assert found.order is not None
    assert (found.order.best, found.order.worse) == ("a", worse)
    assert found.unknown == {"b": ("cost",)}
    known, rest = quality * weight / (weight + 1), 1 / (weight + 1)
    assert found.scores["b"] == pytest.approx(Estimate(known + rest / 2, known, known + rest))


def test_a_share_that_is_not_known_is_at_most_all() -> None:
    """Who is right in all cannot be overtaken by whoever was not asked."""
    each = made(quality={"a": exact(1.0)}, errors={"a": exact(0.0), "b": exact(0.1)})
    found = weigh(["a", "b"], each, {"quality": 1, "errors": 1})
    assert found.order is not None
    assert found.order.worse == ("b",)


def test_without_weights_nobody_is_first() -> None:
    """All weights at 0, or of nothing that was measured, give no score."""
    each = made(quality={"a": exact(1.0)})
    assert weigh(["a"], each, {}).order is None
    assert weigh(["a"], each, {"tools": 1}).order is None


shares_of = st.fixed_dictionaries({name: st.floats(0, 1) for name in "abc"})


@given(shares_of, shares_of, st.floats(0.1, 10), st.floats(0.1, 10))
def test_nobody_comes_first_who_is_behind_in_everything(
    quality: dict[str, float], errors: dict[str, float], one: float, other: float
) -> None:
    """Whatever the weights, the first is on the front."""
    each = made(
        quality={name: exact(value) for name, value in quality.items()},
        errors={name: exact(value) for name, value in errors.items()},
    )
    found = weigh(list("abc"), each, {"quality": one, "errors": other})
    assert found.order is not None
    best = found.order.best
    strictly = [n for n in "abc" if quality[n] > quality[best] + 1e-9 and errors[n] < errors[best] - 1e-9]
    assert not strictly
