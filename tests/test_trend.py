"""``harness trend``: readings, what stands in one series, change points and gaps."""

from __future__ import annotations

import io
import json
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from made import harness
from published import EPOCH, attempt, make_run, manifest, score
from rich.console import Console

from harness.errors import UnknownName
from harness.record.folder import RunFolder
from harness.report.nights.fingerprint import fingerprint, host_class, planned
from harness.report.nights.metrics import METRICS, metric_named, readings
from harness.report.nights.terminal import show_trend
from harness.report.nights.trend import HEADLINE, Series, as_json, trend
from harness.report.nights.within_run import intervals
from harness.stats.percentiles import percentile
from harness.store.index import publish
from harness.store.query import rows
from harness.types import JsonObject

NIGHTS = 20
SLOW_FROM = 12
MISSING = (5, 6)
BROKEN_OFF, OTHER_SEED, UNANSWERED = 3, 9, 15


def requests(ttft_ms: float, n: int = 9, **changes: Any) -> list[JsonObject]:
    """Answers whose median TTFT is this, one of them failed."""
    stage = changes.get("stage", "load.chat@c1")
    every = []
    for i in range(n):
        sent, ttft = 1000.0 * i, ttft_ms + (i - n // 2)
        ms = {"sched": sent, "admit": sent, "send0": sent, "tok1": sent + ttft, "tokn": sent + 300, "eof": sent + 300}
        started_at = EPOCH + timedelta(milliseconds=sent)
        told = {"sample": str(i), "started_at": started_at, "completion_tokens": 11, "chunk_events": [1, 10]}
        every.append(attempt(f"{stage}/{i}", ms=ms, **told, **changes))
    failed = attempt(f"{stage}/f", ms={"send0": 0.0}, failure_kind="http_5xx", failure_detail="no", **changes)
    return [*every, failed]


def night(results: Path, number: int, attempts: list[JsonObject], **about: Any) -> RunFolder:
    """A run of that night."""
    at = (EPOCH + timedelta(days=number)).replace(tzinfo=UTC).isoformat(timespec="milliseconds")
    quality = [attempt(f"q{i}", kind="quality", stage="quality.sums", task="sums", sample=f"q{i}") for i in range(6)]
    scores = [score(f"q{i}", float(i > 0), sample=f"q{i}") for i in range(6)]
    told = {"created_at": at, "suite": "nightly"} | about
    return make_run(results, f"night-{number}", told, attempts=[*attempts, *quality], scores=scores)


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty nights, half as slow again from the 12th on; two are missing, one broken off, one empty, one of a seed."""
    results = tmp_path_factory.mktemp("nights")
    for number in range(NIGHTS):
        if number in MISSING:
            continue
        level = (150.0 if number >= SLOW_FROM else 100.0) + number % 3
        about = {"status": "interrupted"} if number == BROKEN_OFF else {"seed": 7} if number == OTHER_SEED else {}
        night(results, number, [] if number == UNANSWERED else requests(level), **about)
    publish(results)
    return results


def ttft(results: Path, **asked: Any) -> list[Series]:
    """The series of the median TTFT."""
    return trend(results, metrics=["ttft_p50_ms"], **asked)


def day(number: int) -> str:
    """The date of a night."""
    return (EPOCH + timedelta(days=number)).isoformat()


def test_a_change_is_told_with_date_size_and_confidence(nights: Path) -> None:
    """Between the last night of the old level and the first of the new one, half as slow again, and worse."""
    series = ttft(nights)[0]
    (change,) = series.changes
    assert (change.at, change.last_at_before) == (day(SLOW_FROM), day(SLOW_FROM - 1))
    assert change.size == pytest.approx(1.5, rel=0.01)
    assert change.low < change.size < change.high
    assert change.worse
    assert change.confidence >= 0.95
    assert [segment.nights for segment in series.segments] == [change.nights_before, change.nights_after] == [8, 7]
    assert series.segments[1].level == pytest.approx(151, rel=0.01)
    assert series.expected_low is not None
    assert series.expected_high is not None
    assert series.expected_low < 151 < series.expected_high


def test_values_are_those_of_the_view(nights: Path) -> None:
    """One point a run, oldest first, with the figure that the report of that run shows."""
    series = ttft(nights)[0]
    view = dict.fromkeys(point.run_id for point in series.points)
    view |= {row["run_id"]: row["ttft_p50_ms"] for row in rows(nights, "select run_id, ttft_p50_ms from load_summary")}
    assert all(point.value == view[point.run_id] for point in series.points)
    assert [point.at for point in series.points] == sorted(point.at for point in series.points)


def test_what_does_not_count_is_shown_with_its_reason(nights: Path) -> None:
    """A run that was broken off, and one whose load was planned and has no record: neither is in a level."""
    left_out = {point.at: point for point in ttft(nights)[0].points if point.problem is not None}
    assert {at: point.problem for at, point in left_out.items()} == {
        day(BROKEN_OFF): "the run is interrupted",
        day(UNANSWERED): "nothing was measured",
    }
    assert left_out[day(UNANSWERED)].value is None
    assert left_out[day(BROKEN_OFF)].value == 100


def test_nights_without_a_run_are_gaps(nights: Path) -> None:
    """Two nights are missing; nothing is put in their place."""
    gaps = {(gap.after, gap.before): gap.nights for gap in ttft(nights)[0].gaps}
    assert gaps[day(MISSING[0] - 1), day(MISSING[-1] + 1)] == 2


def test_another_fingerprint_is_another_series_and_says_why(nights: Path) -> None:
    """A run with another seed asked other prompts."""
    first, other = ttft(nights)
    assert first.differs == ()
    assert other.differs == ("seed: 0, now 7",)
    assert [point.at for point in other.points] == [day(OTHER_SEED)]
    assert first.fingerprint != other.fingerprint
    assert other.changes == ()
    assert other.expected_low is None


def test_the_latest_nights_alone(nights: Path) -> None:
    """So many points of each series, of which none lies before the change."""
    series = ttft(nights, last=6)[0]
    assert len(series.points) == 6
    assert series.changes == ()


def test_a_share_is_expected_by_its_counts(nights: Path) -> None:
    """One of ten fails every night: Wilson's interval of each, and the next night is not promised to be the same."""
    series = next(one for one in trend(nights, metrics=["error_rate"]) if one.kind == "load")
    assert (series.points[0].value, series.points[0].of, series.points[0].n) == (0.1, 1, 10)
    assert series.points[0].low == pytest.approx(0.0179, abs=1e-3)
    assert series.expected_low == 0.0
    assert series.expected_high is not None
    assert 0.2 < series.expected_high <= 1


def test_tasks_are_followed_too(nights: Path) -> None:
    """The mean score of five right answers of six, with the interval of the report."""
    (series,) = trend(nights, metrics=["quality"])
    assert (series.place, series.unit, series.kind) == ("sums", "score", "quality")
    assert series.points[0].value == pytest.approx(5 / 6)
    assert series.points[0].low is not None


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ({"metrics": ["ttft_p50"]}, "ttft_p50_ms"),
        ({"endpoint": "p/n"}, "p/m"),
        ({"suite": "nigthly"}, "nightly"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(nights: Path, asked: dict[str, Any], near: str) -> None:
    """Metric, endpoint, suite."""
    with pytest.raises(UnknownName, match=near):
        trend(nights, **asked)


def test_a_provider_stands_for_its_endpoints(nights: Path) -> None:
    """``p`` is ``p/m``; the suite is that of all nights."""
    assert as_json(ttft(nights, endpoint="p", suite="nightly")) == as_json(ttft(nights))


def test_the_command_prints_and_never_blocks(nights: Path) -> None:
    """The change stands there in words, and the exit code is 0; --json is what the dashboard draws."""
    done = harness(nights, "trend", "--results", str(nights), "--metric", "ttft_p50_ms")
    assert done.returncode == 0
    assert "worse   since 2026-01-13: ×1." in done.stdout
    assert "new series, not comparable with the one before: seed: 0, now 7" in done.stdout
    assert "2 nights without a run of this series" in done.stdout
    told = json.loads(harness(nights, "trend", "--results", str(nights), "-m", "ttft_p50_ms", "--json").stdout)
    assert told == json.loads(json.dumps(as_json(ttft(nights))))
    mistyped = harness(nights, "trend", "--results", str(nights), "--metric", "tfft_p50_ms")
    assert mistyped.returncode == 2
    assert "Did you mean ttft_p50_ms" in mistyped.stderr


def test_nothing_to_follow_is_said(tmp_path: Path) -> None:
    """A store without such figures is no error."""
    make_run(tmp_path)
    publish(tmp_path)
    done = harness(tmp_path, "trend", "--results", str(tmp_path))
    assert (done.returncode, "nothing to follow" in done.stdout) == (0, True)


def test_every_series_can_be_shown(nights: Path) -> None:
    """All headline metrics, in a narrow terminal."""
    found = trend(nights)
    assert {series.metric for series in found} <= set(HEADLINE) <= set(METRICS)
    out = io.StringIO()
    show_trend(found, Console(file=out, width=60))
    assert "change point" in out.getvalue()


# --- readings --------------------------------------------------------------------------------------------


def _blocks(results: Path, levels: list[float]) -> RunFolder:
    """A load in blocks, each with its own median."""
    stages = [f"load.chat@c1#{i}" for i in range(1, len(levels) + 1)]
    named = [{"stage": stage, "law": "closed(1)", "n": 9, "block": i} for i, stage in enumerate(stages, 1)]
    loads = [{"name": "chat", "version": 1, "slo": {}, "levels": named}]
    attempts = [row for stage, level in zip(stages, levels, strict=True) for row in requests(level, stage=stage)]
    return make_run(results, "blocks", {"loads": loads, "tasks": []}, attempts=attempts)


def test_a_load_in_blocks_is_one_reading_of_its_blocks(tmp_path: Path) -> None:
    """The geometric mean of the blocks' medians, the sum of their counts, and each block for itself."""
    _blocks(tmp_path, [100.0, 110.0, 121.0])
    publish(tmp_path)
    (one,) = readings(tmp_path, METRICS["ttft_p50_ms"])
    assert (one.stage, one.place, one.n) == ("load.chat@c1", "chat@c1", 27)
    assert one.value == pytest.approx(110)
    assert one.block_values == [100, 110, 121]
    (share,) = readings(tmp_path, METRICS["error_rate"])
    assert (share.value, share.of, share.n) == (pytest.approx(0.1), 3, 30)
    assert share.block_counts == [(1, 10)] * 3
    (bounds,) = intervals(tmp_path, METRICS["ttft_p50_ms"], [one]).values()
    assert bounds.low is not None
    assert bounds.high is not None
    assert bounds.low < 110 < bounds.high
    assert bounds.low * bounds.high == pytest.approx(110**2)


def test_the_interval_of_a_percentile_is_that_of_its_requests_in_time(nights: Path) -> None:
    """As ``percentile`` has it, which is wider where neighbours are alike."""
    (one, *_) = readings(nights, METRICS["ttft_p50_ms"])
    found = intervals(nights, METRICS["ttft_p50_ms"], [one])[one.run_id, one.endpoint, one.stage]
    expected = percentile([100 + i - 4.0 for i in range(9)], 0.5)
    assert found == (expected.low, expected.high)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_can_be_read(nights: Path, name: str) -> None:
    """Its SQL fits the views, it says its unit and direction, and its name is found again."""
    metric = metric_named(name)
    found = readings(nights, metric, runs=[readings(nights, metric)[0].run_id] if readings(nights, metric) else [])
    assert metric.unit in ("ms", "share", "score", "tokens/s", "requests/s", "characters", "USD")
    assert (metric.scale == "difference") == (metric.unit in ("share", "score"))
    assert len({one.run_id for one in found}) <= 1


# --- fingerprints ----------------------------------------------------------------------------------------


def _print(results: Path, metric: str = "ttft_p50_ms", **changes: Any) -> Any:
    one = readings(results, METRICS[metric])[0]
    return fingerprint(manifest(RunFolder(results / "x"), **changes), METRICS[metric], one)


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"harness_version": "9", "python": "4", "host": "another", "plan_sha256": "1"}, []),
        ({"cpus": 8}, ["host: Linux, 2 processors, now Linux, 8 processors"]),
        ({"seed": 1}, ["seed: 0, now 1"]),
        ({"selection": {"api": "responses"}}, ["interface: chat, now responses"]),
        (
            {"selection": {"changes": {"input_tokens": "512", "levels": [1], "slo": "x"}}},
            ["input_tokens: none, now 512"],
        ),
        ({"endpoints": []}, ["model: vendor-m, now none"]),
    ],
)
def test_what_makes_another_series(nights: Path, changes: dict[str, Any], differs: list[str]) -> None:
    """Machine class, prompts, interface and model; not versions, host names, objectives or other levels."""
    assert _print(nights).differences(_print(nights, **changes)) == differs
    assert (_print(nights).id == _print(nights, **changes).id) is not differs


def test_objectives_matter_where_they_decide(nights: Path) -> None:
    """Another objective begins another series of attainment, and none of TTFT."""
    loads = [{**manifest(RunFolder(nights / "x"))["loads"][0], "slo": {"ttft_ms": 90.0}}]
    assert _print(nights).differences(_print(nights, loads=loads)) == []
    assert len(_print(nights, "slo_attainment").differences(_print(nights, "slo_attainment", loads=loads))) == 1


def test_a_class_of_machine_is_no_machine() -> None:
    """System, processor and their number; kernels and names change every night."""
    told = [f"Linux-6.{i}.0-1018-azure-x86_64-with-glibc2.39" for i in (5, 8)]
    assert {host_class({"os": text, "cpus": 4}) for text in told} == {"Linux x86_64, 4 processors"}
    assert host_class({"os": "macOS-15.1-arm64-arm-64bit", "cpus": 8}) == "macOS arm64, 8 processors"


def test_what_was_planned_is_in_the_manifest(tmp_path: Path) -> None:
    """Loads without the number of a block, tasks, probes, of each endpoint; a damaged manifest plans nothing."""
    told = manifest(RunFolder(tmp_path / "x"), probes={"profile": "core", "ids": ["a"]})
    assert planned(told) == {
        ("p/m", "load", "chat", "load.chat@c1"),
        ("p/m", "quality", "sums", "quality.sums"),
        ("p/m", "probe", "probes", "probes"),
    }
    assert planned({"endpoints": 3, "loads": "no", "tasks": None}) == set()
