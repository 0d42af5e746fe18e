"""Shares of requests inside limits that are chosen after the measurement."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from published import EPOCH, attempt, make_run, manifest

from harness.report.decision.attainment import Attained, Batch, attained, capacity, design_effect, share
from harness.report.decision.throughput import Level, interval
from harness.stats.intervals import wilson
from harness.stats.mover import Estimate
from harness.store.index import publish
from harness.store.query import rows
from harness.types import Slo


def answered(job: str, ttft: float, *, tokens: int | None = 11, **changes: Any) -> dict[str, Any]:
    """An answer of ten more tokens in 100 ms after its first."""
    marks = {"send0": 0, "send1": 1, "tok1": ttft, "vis1": ttft, "tokn": ttft + 100, "eof": ttft + 101}
    return attempt(job, ms=marks, completion_tokens=tokens, chunk_events=[1, 10], **changes)


def mixed() -> list[dict[str, Any]]:
    """Six requests: two quick, a slow one, one of one token, one failed, one that its user gave up; and a warm-up."""
    failed = {"failure_kind": "http_5xx", "failure_detail": "x", "status": 500}
    return [
        answered("a", 100),
        answered("b", 150),
        answered("c", 400),
        answered("d", 120, tokens=1),
        attempt("e", ms={"send0": 0, "eof": 5}, **failed),
        attempt("f", ms={"send0": 0, "tok1": 50}, failure_kind="abandoned", failure_detail="x"),
        answered("w", 900, phase="warmup"),
    ]


def published_run(results: Path, made: list[dict[str, Any]]) -> str:
    """Id of a run of these attempts."""
    run = make_run(results, attempts=made)
    run.write_manifest(manifest(run))
    publish(results)
    return run.id


@pytest.mark.parametrize(
    ("limits", "good", "n", "na"),
    [
        (Slo(ttft_ms=200), 3, 5, 0),
        (Slo(ttft_ms=100), 1, 5, 0),
        (Slo(tpot_ms=10), 3, 4, 1),
        (Slo(tpot_ms=9), 0, 4, 1),
        (Slo(ttft_ms=200, tpot_ms=10), 3, 5, 0),
        (Slo(e2e_ms=250), 3, 5, 0),
        (Slo(), 4, 5, 0),
    ],
)
def test_a_request_is_inside_when_it_kept_every_limit(limits: Slo, good: int, n: int, na: int, tmp_path: Path) -> None:
    """Failed is outside, a user who gave up is nowhere, one token has no time per token, a warm-up does not count."""
    found = attained(tmp_path, published_run(tmp_path, mixed()), "chat", limits)["p/m"][""]
    assert (found.good, found.n, found.na) == (good, n, na)
    assert found.failed == 1
    assert found.share == Estimate(good / n, *wilson(good, n))


def test_it_is_the_rule_of_the_store(tmp_path: Path) -> None:
    """By the limits of the load itself the counts are those of ``load_summary``."""
    run = published_run(tmp_path, mixed())
    [stored] = rows(tmp_path, "select slo_good_n, slo_judged_n from load_summary")
    found = attained(tmp_path, run, "chat", Slo(ttft_ms=155.0, tpot_ms=15.0))["p/m"]["load.chat@c1"]
    assert (found.good, found.n) == (stored["slo_good_n"], stored["slo_judged_n"])
    assert attained(tmp_path, run, "another", Slo()) == {}


def test_reasons_are_counted(tmp_path: Path) -> None:
    """Who is outside is counted by why, once for each limit it missed."""
    found = attained(tmp_path, published_run(tmp_path, mixed()), "chat", Slo(ttft_ms=110, tpot_ms=9, e2e_ms=300))
    one = found["p/m"][""]
    assert (one.failed, one.slow_ttft, one.slow_tpot, one.slow_e2e) == (1, 3, 3, 1)


def test_bursts_make_the_interval_wider(tmp_path: Path) -> None:
    """Twenty slow ones in a row say less of the share than twenty that are spread out."""
    widths = []
    for bursty in (False, True):
        slow = [(i // 20 == 3) if bursty else i % 5 == 0 for i in range(100)]
        made = [
            answered(f"{i}", 500 if late else 100) | {"started_at": EPOCH + timedelta(seconds=i)}
            for i, late in enumerate(slow)
        ]
        results = tmp_path / str(bursty)
        one = attained(results, published_run(results, made), "chat", Slo(ttft_ms=200))["p/m"][""]
        assert one.share is not None
        assert one.good == 80
        widths.append(one)
    assert widths[0].design_effect == 1
    assert widths[1].design_effect > 5
    assert widths[1].share is not None
    assert widths[1].share.low is not None
    assert widths[1].share.low < 0.6


def test_the_design_effect_by_hand() -> None:
    """Two batches of 20 with 20 and 10 inside: p = 0.75, 2 / 1 x (5^2 + 5^2) over 40 x 0.75 x 0.25."""
    assert design_effect([[Batch(20, 20), Batch(20, 10)]]) == pytest.approx(100 / 7.5)
    assert design_effect([[Batch(20, 15), Batch(20, 15)]]) == 1
    assert design_effect([[Batch(10, 10), Batch(10, 0)]]) == 1  # too few to say
    assert design_effect([]) == 1
    assert share(0, 0) is None
    assert share(30, 40, 4.0) == Estimate(0.75, *wilson(7.5, 10))


def level(good: int, n: int, tokens: int | None) -> Attained:
    """A level with so many inside."""
    return Attained(n, good, 0, 0, 0, 0, 0, tokens, share(good, n), 1.0)


def test_a_server_holds_what_it_gave_inside_the_limits() -> None:
    """The level with most tokens a second of those that reach the target; none does: not known."""
    levels = {"": level(1, 2, 3), "c1": level(10, 10, 100), "c4": level(39, 40, 400), "c8": level(50, 80, 500)}
    windows = {"": None, "c1": 10.0, "c4": 20.0, "c8": 20.0}
    found = capacity(levels, windows, 0.95)
    assert found == ("c4", 39 / 20, 20.0)
    assert capacity(levels, windows, 0.99) == ("c1", 1.0, 10.0)
    assert capacity({"c8": levels["c8"]}, windows, 0.95) is None
    assert capacity(levels, dict.fromkeys(windows), 0.5) is None


def test_throughput_is_as_sure_as_its_requests_are_alike() -> None:
    """Equal requests leave nothing open; twice the requests halve the variance; one request bounds nothing."""
    equal = Level(10, 100.0, 1000.0, 0.0, 0.0, 0.0, 2.0)
    assert interval(50.0, [equal]) == Estimate(50.0, 50.0, 50.0)
    # Times alone vary: the standard error of ln T is that of ln of their sum, sqrt(10 x 400) / 1000.
    [value, low, high] = interval(50.0, [equal._replace(busy_variance=400.0)])
    assert (low, high) == pytest.approx((50 / 1.13196, 50 * 1.13196), rel=1e-4)
    assert value == 50.0
    # Answers twice as long that take twice as long change nothing.
    alike = equal._replace(tokens_variance=4.0, busy_variance=400.0, covariance=40.0)
    assert interval(50.0, [alike]) == pytest.approx(Estimate(50.0, 50.0, 50.0))
    assert interval(50.0, [equal._replace(n=1)]) == Estimate(50.0, None, None)
