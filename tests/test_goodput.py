"""Goodput under other objectives: the figures are those of the store, and the highest load that keeps them."""

from pathlib import Path
from typing import Any

import pytest
from load_made import RUN, answer, fill, row_of

from harness.report.decision.attainment import attained
from harness.report.load.goodput import highest_met, under
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
FIGURES = ("slo_attainment", "slo_attainment_low", "slo_attainment_high", "slo_good_n", "slo_judged_n", "goodput_per_s")


@pytest.mark.parametrize(
    "slo",
    [
        {"slo_ttft_ms": 150.0},
        {"slo_ttft_ms": 150.0, "slo_tpot_ms": 150.0},
        {"slo_tpot_ms": 150.0},
        {"slo_ttft_ms": 100.0, "slo_tpot_ms": 100.0, "slo_e2e_ms": 200.0},
    ],
)
def test_the_figures_are_those_of_the_store(slo: dict[str, float], tmp_path: Path) -> None:
    """Under a load's own objectives the page has what ``load_summary`` has, so that its sliders begin there."""
    fill(tmp_path, slo=slo, attempts=ROWS)
    limits = Slo(**{name.removeprefix("slo_"): value for name, value in slo.items()})
    (summary,) = rows(tmp_path, "from load_summary")
    (found,) = under([summary], attained(tmp_path, RUN, "chat", limits))
    assert [found[name] for name in FIGURES] == pytest.approx([summary[name] for name in FIGURES])


def test_without_an_objective_there_is_no_goodput(tmp_path: Path) -> None:
    """Nothing is good or bad then, also where the load had objectives of its own; nor where nothing was judged."""
    fill(tmp_path, slo={"slo_ttft_ms": 150.0}, attempts=ROWS)
    (summary,) = rows(tmp_path, "from load_summary")
    for none in (None, {}):
        (found,) = under([summary], none)
        assert [found[name] for name in FIGURES] == [None, None, None, 0, 0, None]


def level(load: float, share: float | None) -> dict[str, Any]:
    """A level with what is asked of it here."""
    return {"endpoint": "p/m", "stage": f"s@{load}", "load": load, "slo_attainment": share}


def test_the_highest_load_is_the_last_before_one_that_fails() -> None:
    """A level above a missed one does not count, whatever its share; no judged level is none."""
    best = highest_met([level(8, 0.97), level(1, 1.0), level(4, 0.90), level(2, 0.96)])
    assert best is not None
    assert best["load"] == 2
    assert highest_met([level(1, 0.5), level(2, 1.0)]) is None
    assert highest_met([level(1, None)]) is None
