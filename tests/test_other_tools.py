"""Other tools' figures from one log: golden numbers worked out by hand, and the reason for each difference."""

import io
import json
from pathlib import Path

import pytest
from load_made import RUN, answer, fill, row_of
from rich.console import Console

from harness.errors import UnknownName
from harness.report.load.other_tools import DIALECTS, recompute, show
from harness.store import dictionary
from harness.types import JsonObject

ATTEMPTS = [
    # Connected in 40 ms; its first read held two of eight tokens: 100 ms, then 3 and 3 tokens after 60 ms each.
    answer(
        "a",
        admit=0,
        conn=40,
        send0=40,
        tok1=140,
        vis1=140,
        tokn=260,
        eof=300,
        gaps=[100, 60, 60],
        events=[2, 3, 3],
        tokens=8,
    ),
    # One token, on a kept connection.
    answer("b", at=1000, gaps=[200], tokens=1, reused=True),
    # An error inside the stream after three tokens.
    answer("c", at=2000, gaps=[100, 50, 50], tokens=3, failure_kind="inband_error", reused=True),
    # No finish reason, then the end: four tokens.
    answer("d", at=3000, gaps=[100, 30, 30, 30], tokens=4, failure_kind="truncated", reused=True),
    row_of("e", at=4000, failure_kind="http_5xx", reused=True),
]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder with the five attempts, objectives of 150 ms and 35 ms per token."""
    (tmp_path / "runs" / RUN).mkdir(parents=True)
    fill(
        tmp_path,
        attempts=[row | ({"status": 500} if row["job_id"] == "e" else {}) for row in ATTEMPTS],
        slo={"slo_ttft_ms": 150, "slo_tpot_ms": 35},
    )
    return tmp_path


def theirs(found: JsonObject) -> JsonObject:
    """Their value by their name."""
    return {row["metric"]: row["theirs"] for row in found["rows"]}


def why(found: JsonObject, metric: str) -> str:
    """The reason given for one metric."""
    (row,) = [row for row in found["rows"] if row["metric"] == metric]
    return str(row["why"])


def test_vllm(results: Path) -> None:
    """Connecting counts; a cut answer is a success; TPOT is by n - 1; ITL is every gap between events."""
    found = recompute(results, RUN, "vllm")
    got = theirs(found)
    assert (got["completed"], got["failed"]) == (4, 1)
    # TTFT: 140, 200, 100, 100 ms. E2EL: 260, 200, 200, 190 ms.
    assert got["mean_ttft_ms"] == pytest.approx(135)
    assert got["median_ttft_ms"] == pytest.approx(120)
    assert got["p99_ttft_ms"] == pytest.approx(140 + 0.97 * 60)
    assert got["median_e2el_ms"] == pytest.approx(200)
    # TPOT: 120 / 7, none, 100 / 2, 90 / 3.
    assert got["mean_tpot_ms"] == pytest.approx((120 / 7 + 50 + 30) / 3)
    assert got["median_tpot_ms"] == pytest.approx(30)
    # Gaps: 60 60 and five of 0 (eight events in three reads); 50 50; 30 30 30.
    assert got["mean_itl_ms"] == pytest.approx((120 + 100 + 90) / 12)
    assert got["median_itl_ms"] == pytest.approx(30)
    # 4 s and what came to nothing then: its span ends when it did.
    assert got["request_throughput"] == pytest.approx(4 / 4)
    assert got["output_throughput"] == pytest.approx(16 / 4)
    # Good: a (140 ms, 17 ms) and d (100 ms, 30 ms); b is late, c slow.
    assert got["request_goodput"] == pytest.approx(2 / 4)
    assert "a connection is opened, once" in why(found, "mean_ttft_ms")
    assert "failure here, 2 times" in why(found, "completed")
    assert "first read" in why(found, "median_tpot_ms")
    assert "gaps of 0, 5 times" in why(found, "median_itl_ms")


def test_aiperf(results: Path) -> None:
    """ITL is one average for each request; a request without one is not good; the span ends with the last content."""
    found = recompute(results, RUN, "aiperf")
    got = theirs(found)
    assert (got["request_count"], got["error_request_count"]) == (4, 1)
    assert got["ttft_p50_ms"] == pytest.approx(120)
    assert got["itl_avg_ms"] == pytest.approx((120 / 7 + 50 + 30) / 3)
    assert got["itl_p95_ms"] == pytest.approx(30 + 0.9 * 20)
    assert got["request_latency_avg_ms"] == pytest.approx((260 + 200 + 200 + 190) / 4)
    assert got["output_token_throughput"] == pytest.approx(16 / 3.19)
    assert got["good_request_fraction"] == pytest.approx(2 / 5)
    assert got["icl_p50_ms"] == pytest.approx(30)
    assert "one average for each request" in why(found, "itl_avg_ms")


def test_guidellm(results: Path) -> None:
    """The error in the stream is found; TPOT has the first token in it; ITL weighs by n - 1."""
    found = recompute(results, RUN, "guidellm")
    got = theirs(found)
    assert (got["successful"], got["errored"]) == (3, 2)
    # TTFT since the headers: 100, 200, 100 ms; a percentile is a value that was measured.
    assert got["ttft_median_ms"] == 100
    assert got["ttft_p95_ms"] == 200
    # TPOT: 220 / 8, 200 / 1, 190 / 4, weighed 8, 1, 4.
    assert got["tpot_mean_ms"] == pytest.approx((220 + 200 + 190) / 13)
    assert got["tpot_median_ms"] == pytest.approx(27.5)
    # ITL: 120 / 7 weighed 7, 90 / 3 weighed 3.
    assert got["itl_mean_ms"] == pytest.approx((120 + 90) / 10)
    assert got["itl_p95_ms"] == pytest.approx(30)
    # Latency: 260 to the end of the stream, 200, 190.
    assert got["request_latency_mean_ms"] == pytest.approx(650 / 3)
    # Good a and d; b cannot be judged.
    assert got["slo_attainment"] == pytest.approx(1)
    assert "not judged by it, once" in why(found, "slo_attainment")
    assert "after the last output" in why(found, "request_latency_mean_ms")


def test_where_nothing_differs_nothing_is_said(tmp_path: Path) -> None:
    """Kept connections, one token for each read, no failure: vLLM's times and ours are the same."""
    (tmp_path / "runs" / RUN).mkdir(parents=True)
    rows = [answer(f"j{i}", at=1000 * i, gaps=[100 + i, *[20 + i] * 9], tokens=10, reused=True) for i in range(8)]
    fill(tmp_path, attempts=rows)
    for row in recompute(tmp_path, RUN, "vllm")["rows"]:
        itl = row["metric"] in ("median_itl_ms", "p95_itl_ms", "p99_itl_ms")  # theirs lies between two tokens
        assert itl or row["why"] is None, row


def test_every_name_is_a_column() -> None:
    """Theirs of its view, ours of load_summary."""
    columns = {(column.table, column.name) for column in dictionary.describe()}
    for dialect in DIALECTS.values():
        for metric in dialect.metrics:
            assert (dialect.view, metric.column) in columns
            assert ("load_summary", metric.ours) in columns


def test_an_unknown_dialect_is_one_line(results: Path) -> None:
    """With the nearest name."""
    with pytest.raises(UnknownName, match="Did you mean vllm"):
        recompute(results, RUN, "vlm")


def test_it_is_json_and_fits_a_terminal(results: Path) -> None:
    """No endless number in JSON; no line of the table is wider than 120 columns."""
    for name in DIALECTS:
        found = recompute(results, RUN, name)
        json.dumps(found, allow_nan=False)
        out = io.StringIO()
        show(found, Console(file=out, width=120))
        table = [line for line in out.getvalue().splitlines() if not line.startswith(("(", "By"))]
        assert max(map(len, table)) <= 120
        assert "(1)" in out.getvalue()
