"""Charts of a load: what is drawn, what is refused, and that every failure is counted; and one axis of time."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from load_made import EPOCH, MS, RUN, answer, client, fill, row_of, server

from harness.report.charts import kept_up, load_curves
from harness.report.charts import over_time as over_time_chart
from harness.report.load.figures import load_report
from harness.report.load.over_time import over_time
from harness.store.query import rows

MARKS = {"p/m": 0, "q/m": 1}
CLOSED = load_curves.Look(MARKS, "requests at once")


def times(n: int, value: float = 100.0) -> dict[str, Any]:
    """Percentiles of n values, as a load report has them."""
    found = {}
    for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        bounded = n >= 6 and (q == 0.5 or n >= 200)
        bounds = (value - 5, value + 5) if bounded else (None, None)
        found[name] = {"value": value, "low": bounds[0], "high": bounds[1], "n": n, "enough": n * (1 - q) >= 10 - 1e-9}
    return found


def level(load: float | None, n: int = 60, failed: int = 0, **changes: Any) -> dict[str, Any]:
    """A level of a load report."""
    names = ("ttft_ms", "ttft_sched_ms", "tpot_ms", "e2e_ms", "e2e_sched_ms")
    row = {
        "endpoint": "p/m",
        "stage": f"load.chat@c{load}",
        "law": f"c{load}",
        "load": load,
        "closed": True,
        "saturated": False,
    }
    row |= {"n": n + failed, "n_failed": failed, "api": "chat", "times": {name: times(n) for name in names}}
    row |= dict.fromkeys(("output_tokens_per_s", "window_tokens_per_s", "ok_per_s", "goodput_per_s"), 10.0)
    row |= {"slo_attainment": 0.9, "slo_attainment_low": 0.8, "slo_attainment_high": 0.95, "slo_judged_n": n}
    row |= {"concurrency_mean": load, "achieved_per_s": load, "admit_slip_p99_ms": 1.0, "late_n": 0}
    return row | changes


def drawn(figure: Any, kind: str) -> list[Any]:
    """Traces of a kind that hold values."""
    return [trace for trace in figure.data if trace.type == kind and any(value is not None for value in trace.y)]


def test_a_percentile_of_few_is_not_drawn() -> None:
    """p99 of 60 answers is refused, the median has its interval; of 1,000 both are there."""
    figure = load_curves.latency([level(1), level(2)], ["p50", "p99"], CLOSED)
    assert figure is not None
    lines = drawn(figure, "scatter")
    assert len(lines) == 3  # the median of TTFT, ITL and E2E
    assert lines[0].y == (100.0, 100.0)
    assert lines[0].error_y.array == (5.0, 5.0)
    assert load_curves.latency([level(1), level(2)], ["p99"], CLOSED) is None
    many = load_curves.latency([level(1, 1000)], ["p50", "p99"], CLOSED)
    assert many is not None
    assert len(drawn(many, "scatter")) == 6


def test_a_percentile_is_named_once_in_a_panel() -> None:
    """At the curve that ends highest: at each, names of close curves would lie over one another."""
    names = ("ttft_ms", "ttft_sched_ms", "tpot_ms", "e2e_ms", "e2e_sched_ms")
    slow = {"endpoint": "q/m", "times": {name: times(60, 300.0) for name in names}}
    for levels in ([level(1), level(2), level(1, **slow), level(2, **slow)], [level(2, **slow), level(2)]):
        figure = load_curves.latency(levels, ["p50"], CLOSED)
        assert figure is not None
        named = [(trace.name, text) for trace in drawn(figure, "scatter") for text in trace.text if text]
        assert named == [("q/m", "p50")] * 3


@pytest.mark.parametrize("log", [False, True])
def test_every_failure_is_a_counted_bar(log: bool) -> None:
    """Bars below hold the number that failed at each level, of each endpoint, side by side on either axis."""
    levels = [level(1, failed=0), level(16, failed=7), level(1, endpoint="q/m", failed=3)]
    for figure in (
        load_curves.latency(levels, ["p50"], CLOSED._replace(log=log)),
        load_curves.throughput(levels, CLOSED._replace(log=log)),
    ):
        assert figure is not None
        bars = [trace for trace in figure.data if trace.type == "bar"]
        assert [(bar.x, bar.y, bar.text) for bar in bars] == [((1, 16), (0, 7), ("0", "7")), ((1,), (3,), ("3",))]
        ends = [x + offset + width for x, offset, width in zip(bars[0].x, bars[0].offset, bars[0].width, strict=True)]
        assert ends[0] == pytest.approx(1)
        assert bars[1].offset[0] == pytest.approx(0)
        assert all(width > 0 for bar in bars for width in bar.width)


def test_blocks_of_a_level_are_counted_together() -> None:
    """A level that was gone through twice has one bar with the failures of both, and both points above it."""
    levels = [level(4, failed=2, stage="load.chat@c4#1"), level(4, failed=3, stage="load.chat@c4#2")]
    figure = load_curves.latency(levels, ["p50"], CLOSED)
    assert figure is not None
    (bar,) = [trace for trace in figure.data if trace.type == "bar"]
    assert (bar.x, bar.y) == ((4,), (5,))
    assert drawn(figure, "scatter")[0].x == (4, 4)


def test_a_full_server_is_marked() -> None:
    """From the level on at which more load brought nothing points are hollow, and a line says who is full."""
    levels = [level(1), level(8, saturated=True)]
    full = [{"endpoint": "p/m", "axis": "concurrency", "at": 8.0, "before": 1.0, "reason": "no more"}]
    figure = load_curves.latency(levels, ["p50"], CLOSED._replace(saturation=full, log=True), {"ttft": 800})
    assert figure is not None
    assert drawn(figure, "scatter")[0].marker.symbol == ("circle", "circle-open")
    texts = [note.text for note in figure.layout.annotations]
    assert texts == ["800 ms", "full: p/m"]
    assert [shape.x0 for shape in figure.layout.shapes] == [0, 8.0]


def test_levels_without_a_rate_have_no_place() -> None:
    """Where all requests arrived at once no rate was offered: such a level is in the table alone."""
    assert load_curves.placed([level(None), level(2)]) == [level(2)]
    assert load_curves.latency([level(None)], ["p50"], CLOSED) is None
    assert load_curves.throughput([level(None)], CLOSED) is None
    assert kept_up.achieved([level(None)], CLOSED) is None


def test_achieved_stands_against_planned() -> None:
    """Of a concurrency the mean under way, of a rate what was sent; the dashed line is the plan."""
    figure = kept_up.achieved([level(1, concurrency_mean=0.9), level(4, concurrency_mean=None)], CLOSED)
    assert figure is not None
    assert [(trace.name, trace.x, trace.y) for trace in figure.data] == [
        ("p/m", (1,), (0.9,)),
        ("as planned", (0, 1), (0, 1)),
    ]
    open_level = level(4, closed=False, achieved_per_s=3.0)
    opened = kept_up.achieved([open_level], CLOSED)
    assert opened is not None
    assert opened.data[0].y == (3.0,)
    assert kept_up.achieved([level(1, concurrency_mean=None)], CLOSED) is None


def test_the_worst_process_of_the_client_is_drawn() -> None:
    """Of two processes the later one; without any reading, and without a slip, there is no chart."""
    read = [
        {"stage": "load.chat@c1", "shard": shard, "loop_lag_p99_ms": lag, "cpu_share": 0.5}
        for shard, lag in enumerate((3.0, 30.0))
    ]
    figure = kept_up.lateness([level(1)], read, CLOSED)
    assert figure is not None
    assert [trace.y for trace in figure.data] == [(1.0,), (30.0,), (50.0,)]
    assert kept_up.lateness([level(1, admit_slip_p99_ms=None)], [], CLOSED) is None


# --- of a store ------------------------------------------------------------------------------------------


def test_a_level_knows_its_load(tmp_path: Path) -> None:
    """Requests at once of a closed law, planned arrivals per second of an open one."""
    fill(tmp_path, laws=["c4"], attempts=[answer("a", stage="load.chat@c4")])
    (closed,) = load_report(tmp_path, RUN, summary=_summary(tmp_path))["levels"]
    assert (closed["load"], closed["closed"]) == (4.0, True)


def _summary(results: Path) -> dict[str, Any]:
    loads = rows(results, "select * exclude (run_id) from load_summary")
    names = ("health", "identities", "server_times", "adapted", "comparisons")
    return {"run": {"id": RUN}, "loads": loads, **{name: [] for name in names}}


def test_client_and_server_share_an_axis(tmp_path: Path) -> None:
    """What was sent, failed and under way, the server's readings and the client's lateness stand at their seconds."""
    asked = [answer(f"a{i}", at=1000 * i, sched=1000 * i) for i in range(4)]
    failed = row_of("f", at=2500, sched=2500, failure_kind="http_5xx", eof_ns=round(2600 * MS))
    failed["started_at"] = EPOCH + timedelta(milliseconds=2500)
    readings = [
        server(0.5, waiting=0.0, running=1.0, kv_usage=0.1, generation_tokens_total=0.0),
        server(2.5, waiting=3.0, running=4.0, kv_usage=0.5, generation_tokens_total=100.0),
    ]
    fill(
        tmp_path,
        attempts=[*asked, failed],
        server_samples=readings,
        client_samples=[client(1.0, lag_ms=2.0), client(2.0, lag_ms=40.0)],
    )
    found = over_time(tmp_path, RUN, "p/m")
    assert found is not None
    assert sum(row["sent_n"] for row in found["requests"]) == 5
    assert sum(row["failed_n"] for row in found["requests"]) == 1
    assert max(row["under_way"] for row in found["requests"]) == 1
    assert len(found["requests"]) <= 301
    assert [round(row["at_s"], 1) for row in found["server"]] == [0.5, 2.5]
    assert found["server"][1]["tokens_per_s"] == pytest.approx(50)
    assert [row["loop_lag_max_ms"] for row in found["client"]] == [2.0, 40.0]
    figure = over_time_chart.over_time(found)
    assert figure is not None
    assert "failed (1)" in [trace.name for trace in figure.data]
    assert [note.text for note in figure.layout.annotations] == ["c1"]


def test_what_was_not_measured_has_no_row(tmp_path: Path) -> None:
    """Without a metrics page there is no row for the server; an endpoint without load has no chart at all."""
    fill(tmp_path, attempts=[answer("a")])
    found = over_time(tmp_path, RUN, "p/m")
    assert found is not None
    figure = over_time_chart.over_time(found)
    assert figure is not None
    assert not [trace.name for trace in figure.data if "server" in trace.name]
    assert over_time(tmp_path, RUN, "x/y") is None
    assert over_time_chart.over_time(found | {"requests": []}) is None
