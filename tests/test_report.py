"""The comparison of a run, on runs whose numbers can be worked out by hand."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from published import attempt, make_run, manifest, score, verdict
from rich.console import Console

from harness.cli import cli
from harness.errors import StoreError, UnknownName
from harness.record.folder import RunFolder
from harness.report import words
from harness.report.summary import terminal
from harness.report.summary.figures import summarise
from harness.stats.paired import paired_difference
from harness.store.index import publish
from harness.types import JsonObject

HOSTILE = "[bold]x[/bold] :smile: \x1b[31mred\x1b[0m \x07 \u202eabc [/]"


def endpoint(name: str, **changes: Any) -> JsonObject:
    """An endpoint as the manifest has it."""
    provider, _, model = name.partition("/")
    row = {"id": name, "provider": provider, "kind": "hosted", "model": model, "model_id": model, "base_url": None}
    return row | {"engine": None, "engine_version": None, "price": None} | changes


def asked(job: str, right: bool | None, name: str, **changes: Any) -> tuple[JsonObject, list[JsonObject]]:
    """One quality attempt and its score; right None: the server failed."""
    about = {"endpoint": name, "kind": "quality", "stage": "quality.sums", "task": "sums", "sample": job}
    job_id = f"quality.sums/{name}/{job}/0"
    marks = {"send0": 0, "tok1": 10, "tokn": 20, "eof": 21}
    if right is None:
        return attempt(job_id, ms={"send0": 0}, failure_kind="http_5xx", failure_detail="no", **about, **changes), []
    row = attempt(job_id, ms=marks, completion_tokens=5, prompt_tokens=5, **about, **changes)
    return row, [score(job_id, float(right), endpoint=name, sample=job)]


def load(name: str, i: int, ttft_ms: float, **changes: Any) -> JsonObject:
    """One streamed load attempt of one second, the i-th of its stage."""
    sent = 1000.0 * i
    ms = {"send0": sent, "tok1": sent + ttft_ms, "tokn": sent + 1000, "eof": sent + 1001}
    row = attempt(f"load/{name}/{changes.get('stage', '')}/{i}", ms=ms, endpoint=name, sample=str(i))
    return row | {"completion_tokens": 10, "prompt_tokens": 5, "chunk_events": [1, 9]} | changes


def run_of_two(results: Path) -> RunFolder:
    """``a/m`` answers everything and half of it right; ``b/m`` is twice as fast, right, and fails at times."""
    answers = [asked(f"s{i}", i <= 2, "a/m", cost_usd=0.001) for i in (1, 2, 3, 4)]
    answers += [asked(f"s{i}", True if i <= 3 else None, "b/m") for i in (1, 2, 3, 4)]
    loads = [load("a/m", i, 100 + 10 * i, cost_usd=0.001) for i in range(7)]
    loads += [load("b/m", i, 50 + 5 * i) for i in range(6)]
    loads += [load("b/m", 6, 1, failure_kind="throttled", failure_detail="slow down", status=429)]
    loads += [load("a/m", 9, 900, phase="warmup", cost_usd=0.001)]
    run = make_run(
        results,
        attempts=[row for row, _ in answers] + loads,
        scores=[row for _, rows in answers for row in rows],
        verdicts=[
            verdict("tools.call", "supported") | {"endpoint": "b/m"},
            verdict("stream.usage", "ignored") | {"endpoint": "b/m"},
            verdict("error.body", "partial") | {"endpoint": "a/m"},
            verdict("audio.in", "skipped") | {"endpoint": "a/m"},
        ],
    )
    tasks = [{"name": "sums", "version": 1, "kind": "quality", "scorer": "exact", "scorer_version": 1, "n": 4}]
    run.write_manifest(manifest(run, endpoints=[endpoint("a/m"), endpoint("b/m")], tasks=tasks))
    publish(results)
    return run


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> JsonObject:
    """The summary of ``run_of_two``."""
    results = tmp_path_factory.mktemp("two")
    return summarise(results, run_of_two(results).id)


def test_quality_is_the_share_right_of_what_was_answered(two: JsonObject) -> None:
    """2 of 4 with Wilson's interval by hand; where 3 of 4 were scored there is no result but the bounds of one."""
    a, b = (row["quality"] for row in two["endpoints"])
    assert (a["mean"], a["n_scored"], a["n_failed"]) == (0.5, 4, 0)
    assert (a["low"], a["high"]) == pytest.approx((0.15004, 0.84996), abs=1e-5)
    assert (b["mean"], b["low"], b["high"], b["enough"]) == (None, None, None, False)
    assert (b["n_scored"], b["n_failed"], b["failed"]) == (3, 1, {"http_5xx": 1})
    assert (b["coverage"], b["mean_of_scored"], b["mean_of_asked"], b["at_most"]) == (0.75, 1.0, 0.75, 1.0)
    assert words.score(a) == "50 % [15–85] n=4"
    assert words.score(b) == "coverage 75 %: between 75 and 100 %"


def test_times_are_of_good_measured_load_attempts_alone(two: JsonObject) -> None:
    """TTFT 100, 110 ... 160 ms: median 130, p95 157, order-statistic bounds; warm-up and failure are left out."""
    a, b = two["endpoints"]
    assert (a["ttft_n"], a["ttft_p50_ms"], a["ttft_p95_ms"]) == (7, 130, pytest.approx(157))
    assert a["ttft_p50_interval_ms"] == [100, 160]
    assert a["ttft_p95_interval_ms"] == [140, None]
    assert (b["ttft_n"], b["ttft_p50_ms"]) == (6, 62.5)
    assert words.spread(a["ttft_p95_ms"], a["ttft_p95_interval_ms"], a["ttft_n"]) == "157 [140–?] n=7"


def test_throughput_is_tokens_over_the_stage(two: JsonObject) -> None:
    """Seven answers of ten tokens, one a second for seven seconds, are ten tokens a second."""
    assert two["endpoints"][0]["output_tokens_per_s"] == pytest.approx(10)
    assert two["loads"][0]["law"] == "closed(1)"


def test_a_cost_is_known_whole_or_not_at_all(two: JsonObject) -> None:
    """Twelve attempts of a tenth of a cent are 0.012 USD; where one price is missing the sum is None, not less."""
    a, b = two["endpoints"]
    assert a["cost_usd"] == pytest.approx(0.012)
    assert b["cost_usd"] is None
    assert [words.cost(row["cost_usd"]) for row in (a, b)] == ["0.0120", "unknown"]


def test_errors_and_features_are_counted(two: JsonObject) -> None:
    """Failures by class; skipped probes are not judged; partial support is listed but no failure."""
    a, b = two["endpoints"]
    assert (words.errors(a), words.errors(b)) == ("0 of 12", "2 of 11")
    assert b["errors"] == {"http_5xx": 1, "throttled": 1}
    assert (words.features(a), words.features(b)) == ("0 of 1", "1 of 2")
    assert [(row["probe"], row["verdict"]) for row in two["features"]] == [
        ("error.body", "partial"),
        ("stream.usage", "ignored"),
    ]


def test_a_comparison_is_of_what_both_answered(two: JsonObject) -> None:
    """On the three shared questions b is right once more: +1/3 with the interval of harness.stats, n=3, unclear."""
    quality, ratio = two["comparisons"]
    expected = paired_difference([True, True, False], [True, True, True])
    assert (quality["metric"], quality["baseline"], quality["endpoint"]) == ("quality", "a/m", "b/m")
    assert (quality["n"], quality["value"]) == (3, pytest.approx(1 / 3))
    assert (quality["low"], quality["high"], quality["p_value"]) == (expected.low, expected.high, 1.0)
    assert (words.value(quality), words.judgement(quality)) == ("+33 points", "unclear (coverage)")
    assert (quality["baseline_unmatched"], quality["endpoint_unmatched"]) == (1, 0)
    assert (words.flips(quality), quality["endpoint_ahead_on"]) == ("+1 −0", ["sums/s3"])
    assert (ratio["metric"], ratio["n"], ratio["value"], ratio["low"], ratio["high"]) == (
        "ttft_ratio",
        6,
        0.5,
        0.5,
        0.5,
    )
    assert (words.value(ratio), words.bounds(ratio)) == ("×0.50", "0.50 to 0.50")
    # Six of six on one side: 2 / 2^6 alone, twice that in a family of two.
    assert (ratio["p_value"], ratio["p_adjusted"], ratio["verdict"]) == (0.03125, 0.0625, "unclear")


def test_too_few_prompts_bound_nothing(tmp_path: Path) -> None:
    """With five matched prompts the ratio has no 95 % interval, and so the verdict is unclear however large it is."""
    run = make_run(tmp_path, attempts=[load(name, i, ms) for name, ms in (("a/m", 500), ("b/m", 5)) for i in range(5)])
    run.write_manifest(manifest(run, endpoints=[endpoint("a/m"), endpoint("b/m")], tasks=[]))
    publish(tmp_path)
    (ratio,) = summarise(tmp_path, "latest")["comparisons"]
    assert (ratio["n"], ratio["low"], ratio["high"], ratio["verdict"]) == (5, None, None, "unclear")
    assert words.bounds(ratio) == "n too small"


def test_the_sign_says_who_is_better(tmp_path: Path) -> None:
    """An endpoint that is wrong where the baseline is right has a negative difference and is worse."""
    answers = [asked(f"s{i}", name == "a/m", name) for name in ("a/m", "b/m") for i in range(12)]
    run = make_run(tmp_path, attempts=[row for row, _ in answers], scores=[row for _, rows in answers for row in rows])
    run.write_manifest(manifest(run, endpoints=[endpoint("a/m"), endpoint("b/m")], loads=[]))
    publish(tmp_path)
    (found,) = summarise(tmp_path, run.id)["comparisons"]
    assert (found["value"], found["n"], found["verdict"]) == (-1.0, 12, "worse")
    assert (found["p_value"], found["p_adjusted"]) == (2 / 2**12, 2 / 2**12)
    assert words.value(found) == "-100 points"
    assert found["high"] < 0


def test_load_levels_stand_in_the_order_of_stress(tmp_path: Path) -> None:
    """c1, c4, c8, c16: the order of the plan, not of the alphabet; within a level the baseline stands first."""
    names = ("z/m", "a/m")
    levels = [{"stage": f"load.chat@c{c}", "law": f"closed({c})", "n": 1} for c in (1, 4, 8, 16)]
    stages = [level["stage"] for level in levels]
    run = make_run(tmp_path, attempts=[load(name, 0, 50, stage=stage) for stage in reversed(stages) for name in names])
    loads = [{"name": "chat", "version": 1, "slo": {}, "levels": levels}]
    run.write_manifest(manifest(run, endpoints=[endpoint(name) for name in names], tasks=[], loads=loads))
    publish(tmp_path)
    found = [(row["stage"], row["endpoint"]) for row in summarise(tmp_path, run.id)["loads"]]
    assert found == [(stage, name) for stage in stages for name in names]


def test_nothing_measured_is_a_dash(tmp_path: Path) -> None:
    """A run without one attempt has dashes and no zero, in words and in the table."""
    run = make_run(tmp_path)
    run.write_manifest(manifest(run, tasks=[], loads=[]))
    publish(tmp_path)
    summary = summarise(tmp_path, run.id)
    (row,) = summary["endpoints"]
    assert (row["quality"], row["tools"], row["ttft_p50_ms"], row["cost_usd"]) == (None, None, None, None)
    assert summary["health"] is None
    cells = (
        words.score(row["quality"]),
        words.spread(row["ttft_p50_ms"], row["ttft_p50_interval_ms"]),
        words.number(row["output_tokens_per_s"], 1),
        words.features(row),
        words.errors(row),
    )
    assert set(cells) == {words.NOTHING}
    assert "0 %" not in shown(summary)


def test_json_is_json(two: JsonObject, tmp_path: Path) -> None:
    """The summary has only what JSON has words for; ``harness report --json`` prints the same."""
    assert json.loads(json.dumps(two, allow_nan=False)) == two
    run = run_of_two(tmp_path)
    done = CliRunner().invoke(cli, ["report", run.id[:18], "--json", "--results", str(tmp_path)])
    assert json.loads(done.output) == summarise(tmp_path, run.id)


def shown(summary: JsonObject) -> str:
    """What a terminal would get."""
    out = io.StringIO()
    terminal.show(summary, Console(file=out, width=300, force_terminal=True))
    return out.getvalue()


def test_hostile_names_are_spelt_out_in_the_terminal(tmp_path: Path) -> None:
    """Markup, emoji codes, escape sequences and turns of writing that others wrote are letters, never obeyed."""
    run = make_run(
        tmp_path,
        attempts=[load(HOSTILE, 0, 50, task=HOSTILE, stage=f"load.{HOSTILE}@c1")],
        verdicts=[verdict(HOSTILE, "broken") | {"endpoint": HOSTILE, "reason": HOSTILE}],
    )
    run.write_manifest(manifest(run, endpoints=[endpoint("a/m"), endpoint(HOSTILE)], suite=HOSTILE, tasks=[]))
    publish(tmp_path)
    text = shown(summarise(tmp_path, run.id))
    harmless = r"[bold]x[/bold] :smile: \x1b[31mred\x1b[0m \x07 \u202eabc [/]"
    assert text.count(harmless) >= 4
    assert "\x1b[31m" not in text
    assert "\x07" not in text


def test_broken_contracts_have_a_table_of_their_own(two: JsonObject, tmp_path: Path) -> None:
    """Each fault with how many replies of which endpoint have it; where none has, there is no table."""
    assert two["contract_faults"] == []
    assert "Replies that break" not in shown(two)
    rows = [load("a/m", i, 100, contract_faults=["leaked_markup"] if i == 3 else []) for i in range(4)]
    run = make_run(tmp_path, attempts=rows)
    run.write_manifest(manifest(run, endpoints=[endpoint("a/m")], tasks=[]))
    publish(tmp_path)
    summary = summarise(tmp_path, run.id)
    fault = {"endpoint": "a/m", "fault": "leaked_markup", "n": 1, "share": 0.25, "example_job_id": "load/a/m//3"}
    assert summary["contract_faults"] == [fault]
    assert "Replies that break the contract" in shown(summary)
    assert "25 %" in shown(summary)


def test_health_is_said_with_its_doubts() -> None:
    """Own-clock times and a busy client are named; an unknown delay is not taken for none."""
    well = {"n": 10, "clock_kernel_share": 1.0, "coalesced_share": 0.0, "lag_p99_ms": 0.5, "wait_p99_ms": 0.0}
    assert words.concerns(well) == []
    assert words.health(well).startswith("kernel time stamps on 100 % of 10 attempts")
    assert len(words.concerns(well | {"clock_kernel_share": 0.999, "lag_p99_ms": 10.1})) == 2
    unknown = words.health(well | {"clock_kernel_share": 0.0, "lag_p99_ms": None})
    assert "not known" in unknown
    assert words.concerns(None) == []


def test_a_run_is_flagged_in_a_few_words() -> None:
    """What makes its numbers less sure; nothing for a good run, and nothing is said of what is not known."""
    good = {"problem": None, "status": "finished", "failed_share": 0.01, "lag_p99_ms": 10.0, "clock_kernel_share": 1.0}
    assert words.flags(good) == ""
    assert words.flags(dict.fromkeys(good)) == ""
    bad = {"problem": "p", "status": "interrupted", "failed_share": 0.2, "lag_p99_ms": 11.0, "clock_kernel_share": 0.9}
    said = "data missing, broken off, 20 % failed, client was busy, not all times from the kernel"
    assert words.flags(bad) == said


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, "–"), (0.0, "0 %"), (0.001, "under 1 %"), (0.5, "50 %"), (0.999, "over 99 %"), (1.0, "100 %")],
)
def test_a_percentage_never_rounds_to_none_or_all(given: float | None, expected: str) -> None:
    """0 % and 100 % are said only where it is exactly that."""
    assert words.percent(given) == expected


@pytest.mark.parametrize(
    ("usd", "expected"),
    [(0.0, "0"), (12.3456, "12.35"), (0.000587, "0.000587"), (0.0000000123, "0.0000000123"), (1.0, "1.00")],
)
def test_a_small_cost_is_never_shown_as_nothing(usd: float, expected: str) -> None:
    """Costs have three figures however small they are."""
    assert words.cost(usd) == expected


def test_a_damaged_manifest_is_told_in_one_line(tmp_path: Path) -> None:
    """A manifest that names no endpoints is an error of the store, not a traceback."""
    run = make_run(tmp_path)
    run.write_manifest({"schema_version": 1, "id": run.id, "endpoints": [{}]})
    publish(tmp_path)
    with pytest.raises(StoreError, match="does not say which endpoints"):
        summarise(tmp_path, run.id)
    with pytest.raises(UnknownName):
        summarise(tmp_path, "nothing")
