"""Objectives: their text, and whether requests meet them."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UnknownName, UsageError
from harness.stats.slo import (
    FAILED,
    TIMES,
    Met,
    Objective,
    attainment,
    fewest,
    parse,
    slo_of,
    text_of,
    together,
)
from harness.types import Slo

P95 = Objective("ttft", 0.95, 800.0)
ERRORS = Objective("errors", None, 0.01)


def test_a_slo_is_read_as_it_is_written() -> None:
    """Metric, percentile, limit and unit of each objective are found, in order."""
    assert parse("ttft_p95<800ms and tpot_p95<50ms and errors<1%") == (P95, Objective("tpot", 0.95, 50.0), ERRORS)


@pytest.mark.parametrize(
    "text",
    [
        "TTFT_P95 < 0.8S AND ERRORS < 1 %",
        "ttft_p95<800 ms,errors<1%",
        "  ttft_p95<800000us & errors<1.0% ",
        "ttft_p95.0<800.0ms && errors<01%",
    ],
)
def test_spelling_does_not_matter(text: str) -> None:
    """Case, spaces, separators and units may be chosen freely."""
    assert parse(text) == (P95, ERRORS)


def test_the_limit_itself_is_good_only_where_it_is_written_so() -> None:
    """A value of just the limit keeps <= and misses <."""
    (at_most,), (below,) = parse("ttft_p50<=10ms"), parse("ttft_p50<10ms")
    assert (attainment(at_most, [10.0]).good, attainment(below, [10.0]).good) == (1, 0)


def test_text_is_short_and_in_the_natural_unit() -> None:
    """Ten seconds are not written as ten thousand milliseconds."""
    text = "e2e_p99.9<10s and tpot_p50<=50ms and itl_max_p95<500us and errors<0.1%"
    assert text_of(parse(text.replace("10s", "10000ms").replace("500us", "0.5ms"))) == text


objectives = st.builds(
    Objective,
    st.sampled_from(TIMES),
    st.floats(1e-6, 1 - 1e-9),
    st.floats(1e-6, 1e12),
    st.booleans(),
) | st.builds(Objective, st.just("errors"), st.none(), st.floats(1e-9, 1 - 1e-9), st.booleans())


@given(st.lists(objectives, min_size=1, max_size=4, unique_by=lambda each: (each.metric, each.quantile)))
def test_text_comes_back_as_it_was(given_objectives: list[Objective]) -> None:
    """Reading the canonical text gives the same objectives, to the last bit."""
    assert parse(text_of(given_objectives)) == tuple(given_objectives)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no objective, at character 1 of ''"),
        ("ttft_p95<800ms and", "no objective, at character 19"),
        ("ttft_p95<800", "800 has no unit, at character 10 of 'ttft_p95<800'. Write 800ms, 800s or 800us."),
        ("ttft_p95<800 and errors<1%", "800 has no unit, at character 10"),
        ("errors<1", "1 has no unit, at character 8 of 'errors<1'. Write 1%."),
        ("errors<1ms", "errors is a share, not 1ms, at character 8"),
        ("errors<100%", "100% is not between 0% and 100%, at character 8"),
        ("errors<0%", "0% is not between 0% and 100%, at character 8"),
        ("errors_p95<1%", "errors has no percentile, at character 1"),
        ("ttft_p95<1%", "ttft is a time, not 1%, at character 10"),
        ("ttft_p95<1min", "ttft is a time, not 1min, at character 10"),
        ("ttft_p95<0ms", "no request takes 0ms, at character 10"),
        (f"ttft_p95<{'9' * 400}s", "A limit is above 0 and finite."),
        ("ttft<800ms", "ttft has no percentile, at character 1 of 'ttft<800ms'. Write ttft_p95."),
        ("errors<1%, tpot_p100<1s", "percentile p100 is not between 0 and 100, at character 17"),
        ("ttft_p0<1s", "percentile p0 is not between 0 and 100, at character 6"),
        ("ttft_p99.99999999999999999<1s", "is not between 0 and 100"),
        ("ttft_pmax<1s", "no percentile: 'pmax', at character 6"),
        ("ttft_p95>1s", "no limit for ttft_p95, at character 9 of 'ttft_p95>1s'. An objective is an upper limit"),
        ("ttft_p95<fast", "no number after <, at character 10"),
        ("ttft_p95<1s or errors<1%", "'or' where an objective ends, at character 13"),
        ("ttft_p95<1s, ttft_p95<2s", "a second limit for ttft_p95, at character 14"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_its_place(text: str, message: str) -> None:
    """What cannot be read is named with its character and how to mend it."""
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_metric_is_answered_with_the_nearest() -> None:
    """A slip of the pen is recognised, and its place is said."""
    with pytest.raises(UnknownName, match=r"unknown metric 'tftt'. Did you mean ttft.*At character 15 of"):
        parse("errors<1% and tftt_p95<800ms")


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text ends in anything but objectives or a UsageError."""
    with contextlib.suppress(UsageError):
        parse(text)


@pytest.mark.parametrize(
    ("good", "bad", "verdict"),
    [
        # Wilson at 95 %: 100 of 100 is 0.9630 to 1; 95 of 100 is 0.8882 to 0.9785; 80 of 100 is 0.7112 to 0.8666.
        (100, 0, "met"),
        (95, 5, "undecided"),
        (80, 20, "missed"),
        (20, 0, "undecided"),
    ],
)
def test_the_interval_decides(good: int, bad: int, verdict: Met) -> None:
    """An objective is met or missed only when the whole interval of the share says so."""
    found = attainment(P95, [100.0] * good + [900.0] * bad)
    assert (found.good, found.n, found.verdict) == (good, good + bad, verdict)


def test_the_bounds_are_wilsons() -> None:
    """80 of 100 is 0.7112 to 0.8666."""
    found = attainment(P95, [100.0] * 80 + [900.0] * 20)
    assert (round(found.low or 0, 4), round(found.high or 0, 4)) == (0.7112, 0.8666)


def test_a_failed_request_keeps_no_limit() -> None:
    """Failures stay in the denominator of a latency objective, and are what errors counts."""
    values = [100.0] * 90 + [FAILED] * 10
    assert attainment(P95, values)[:4] == (90, 100, 0, 0.9)
    assert attainment(ERRORS, values)[:4] == (90, 100, 0, 0.9)
    assert attainment(ERRORS, values).verdict == "missed"


def test_what_an_objective_does_not_apply_to_is_counted_apart() -> None:
    """The TPOT of a one-token answer is neither good nor bad, while for errors that answer is a success."""
    values = [None, None, 10.0]
    assert attainment(Objective("tpot", 0.5, 50.0), values)[:3] == (1, 1, 2)
    assert attainment(ERRORS, values)[:3] == (3, 3, 0)


def test_nothing_measured_decides_nothing() -> None:
    """Without a request there is no share and no verdict."""
    assert attainment(P95, [None]) == (0, 0, 1, None, None, None, "undecided")
    assert together([]) == "undecided"


def test_one_missed_objective_misses_the_whole() -> None:
    """All must be met; one that is open leaves the whole open."""
    assert together(["met", "met"]) == "met"
    assert together(["met", "undecided"]) == "undecided"
    assert together(["undecided", "missed", "met"]) == "missed"


@pytest.mark.parametrize(("text", "n"), [("ttft_p95<1s", 73), ("e2e_p99<1s", 381), ("errors<1% and ttft_p50<1s", 381)])
def test_the_fewest_requests_that_can_meet_it(text: str, n: int) -> None:
    """So many faultless requests meet the SLO, and one fewer does not: z^2 t / (1 - t) rounded up."""
    found = parse(text)
    assert fewest(found) == n
    assert together(attainment(each, [1.0] * n).verdict for each in found) == "met"
    assert together(attainment(each, [1.0] * (n - 1)).verdict for each in found) == "undecided"


def test_one_request_is_judged_by_the_limit_nearly_all_must_keep() -> None:
    """Of several limits on one metric that of the highest percentile counts, from the planned arrival or not."""
    found = parse("ttft_p50<200ms, ttft_sched_p99<2s, e2e_p90<9s, itl_max_p95<1s, errors<1%")
    assert slo_of(found) == Slo(ttft_ms=2000.0, e2e_ms=9000.0)
    assert slo_of(parse("ttft_p95<2s, ttft_sched_p95<1s")) == Slo(ttft_ms=1000.0)


@given(
    st.lists(st.none() | st.floats(0, 1e6) | st.just(FAILED), max_size=60),
    st.floats(0.01, 0.99),
    st.floats(1.0, 1e5),
)
def test_a_looser_limit_is_kept_by_no_fewer(values: list[float | None], quantile: float, limit: float) -> None:
    """Counts add up, the interval holds the share, and raising the limit loses no request."""
    found = attainment(Objective("e2e", quantile, limit), values)
    assert found.n + found.na == len(values)
    assert attainment(Objective("e2e", quantile, limit * 2), values).good >= found.good
    if found.share is not None and found.low is not None and found.high is not None:
        assert found.low - 1e-12 <= found.share <= found.high + 1e-12
    assert math.isclose((found.share or 0.0) * found.n, found.good, abs_tol=1e-9)
