"""Goodput under other objectives: the rule is that of the store, the shares have intervals."""

from pathlib import Path
from typing import Any

import pytest
from load_made import RUN, answer, fill, row_of

from harness.report.goodput import Request, goodness, highest_met, is_good, requests, under
from harness.store.query import rows
from harness.types import Slo

ROWS = [
    answer("fast", gaps=[100, 100]),
    answer("late", gaps=[300, 100]),
    answer("slow", gaps=[100, 900]),
    answer("short", gaps=[100], tokens=1),
    answer("waited", at=200, sched=0, gaps=[50, 50]),
    row_of("failed", failure_kind="http_5xx", eof_ns=5),
    row_of("cancelled", failure_kind="cancelled"),
]


@pytest.mark.parametrize(
    "slo",
    [
        {"slo_ttft_ms": 150.0},
        {"slo_ttft_ms": 150.0, "slo_tpot_ms": 150.0},
        {"slo_tpot_ms": 150.0},
        {"slo_e2e_ms": 250.0},
        {"slo_ttft_ms": 100.0, "slo_tpot_ms": 100.0, "slo_e2e_ms": 200.0},
        {},
    ],
)
def test_the_rule_is_that_of_the_store(slo: dict[str, float], tmp_path: Path) -> None:
    """Under a load's own objectives the same requests are good, and the same are judged, as the views say."""
    fill(tmp_path, slo=slo, attempts=ROWS)
    measured = requests(tmp_path, RUN)["p/m", "load.chat@c1"]
    limits = Slo(**{name.removeprefix("slo_"): value for name, value in slo.items()})
    (summary,) = rows(tmp_path, "from load_summary")
    found = goodness(measured, limits)
    assert (found.good, found.n) == (summary["slo_good_n"], summary["slo_judged_n"])
    assert found.share == pytest.approx(summary["slo_attainment"])
    if found.n:
        bounds = (summary["slo_attainment_low"], summary["slo_attainment_high"])
        assert (found.low, found.high) == pytest.approx(bounds)


def test_what_was_set_apart_is_in_no_share(tmp_path: Path) -> None:
    """A cancelled request is neither good nor bad; a failed one is bad."""
    fill(tmp_path, attempts=ROWS)
    measured = requests(tmp_path, RUN)["p/m", "load.chat@c1"]
    assert len(measured) == 6
    assert [request.ok for request in measured].count(False) == 1


@pytest.mark.parametrize(
    ("request_", "slo", "good"),
    [
        (Request(True, 100.0, 10.0, 200.0), Slo(ttft_ms=100.0), True),
        (Request(True, 100.1, 10.0, 200.0), Slo(ttft_ms=100.0), False),
        (Request(True, 50.0, None, 50.0), Slo(tpot_ms=1.0), None),
        (Request(True, 50.0, None, 50.0), Slo(ttft_ms=60.0, tpot_ms=1.0), True),
        (Request(False, None, None, None), Slo(tpot_ms=1.0), False),
        (Request(True, 50.0, 1.0, 50.0), Slo(), None),
    ],
)
def test_one_request(request_: Request, slo: Slo, good: bool | None) -> None:
    """A limit itself is kept; what has no such time is judged by the other objectives, or not at all."""
    assert is_good(request_, slo) is good


def level(load: float, share: float | None, **changes: Any) -> dict[str, Any]:
    """A level with what is asked of it here."""
    return {"endpoint": "p/m", "stage": f"s@{load}", "load": load, "slo_attainment": share, "window_s": 2.0} | changes


def test_the_highest_load_is_the_last_before_one_that_fails() -> None:
    """A level above a missed one does not count, whatever its share; no judged level is none."""
    levels = [level(8, 0.97), level(1, 1.0), level(4, 0.90), level(2, 0.96)]
    best = highest_met(levels)
    assert best is not None
    assert best["load"] == 2
    assert highest_met([level(1, 0.5), level(2, 1.0)]) is None
    assert highest_met([level(1, None)]) is None


def test_goodput_is_good_requests_over_the_window() -> None:
    """Of four requests in two seconds three are good: 1.5 a second; without an objective there is none."""
    measured = {("p/m", "s@1"): [Request(True, ms, None, ms) for ms in (10.0, 20.0, 30.0, 500.0)]}
    (found,) = under([level(1, None)], measured, Slo(ttft_ms=100.0))
    assert (found["goodput_per_s"], found["slo_attainment"], found["slo_judged_n"]) == (1.5, 0.75, 4)
    (without,) = under([level(1, 0.3)], measured, Slo())
    assert (without["goodput_per_s"], without["slo_attainment"], without["slo_judged_n"]) == (None, None, 0)
