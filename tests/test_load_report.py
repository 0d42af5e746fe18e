"""The report of a load, on runs whose numbers can be worked out by hand."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from load_made import RUN, answer, client, fill, row_of, server
from published import manifest
from rich.console import Console

from harness.record.folder import open_run
from harness.report.load.figures import is_closed, load_report
from harness.report.load.terminal import show_load
from harness.report.load.validity import validity
from harness.types import JsonObject

HOSTILE = "[bold]x[/bold] \x1b[31mred\x1b[0m \u202eabc [/]"
LONG = "some-provider/a-model-with-a-long-name-instruct-fp8"


def endpoint(name: str) -> JsonObject:
    """An endpoint as the manifest has it."""
    provider, _, model = name.partition("/")
    row = {"id": name, "provider": provider, "kind": "hosted", "model": model, "model_id": model, "base_url": None}
    return row | {"engine": None, "engine_version": None, "price": None}


def level(law: str, n: int, every_ms: float, ttft_ms: float, name: str = "p/m", **changes: Any) -> list[JsonObject]:
    """So many answers of ten tokens, the first after ``ttft_ms`` and the others each 10 ms later."""
    about = {"endpoint": name, "stage": f"load.chat@{law}", "reused": True} | changes
    gaps = [round(ttft_ms), *[10] * 9]
    return [
        answer(f"{law}/{name}/{i}", at=i * every_ms, gaps=gaps, tokens=10, sample=str(i), **about) for i in range(n)
    ]


def made(results: Path, laws: list[str], names: list[str] | None = None, **tables: Any) -> JsonObject:
    """The report of a run with these levels; ``judged`` and ``search`` are passed on."""
    (results / "runs" / RUN).mkdir(parents=True)
    run = open_run(results, RUN)
    levels = [{"stage": f"load.chat@{law}", "law": law, "n": 1} for law in laws]
    loads = [{"name": "chat", "levels": levels}]
    run.write_manifest(manifest(run, endpoints=[endpoint(name) for name in names or ["p/m"]], tasks=[], loads=loads))
    given = {name: tables.pop(name) for name in ("validity", "search") if name in tables}
    fill(results, laws=laws, **tables)
    return load_report(results, RUN, **given)


def shown(report: JsonObject) -> list[str]:
    """The lines of the terminal, 120 columns wide."""
    out = io.StringIO()
    show_load(report, Console(file=out, width=120))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 120
    return lines


def test_the_first_line_is_the_verdict(tmp_path: Path) -> None:
    """Word and reasons before any figure, with how many workers would do, and what is left without the disturbed."""
    without = {"stage": "load.chat@c1", "endpoint": "p/m", "n": 3, "ttft_p50_ms": 99.0, "ttft_p95_ms": None}
    judged = {"word": "client-limited", "reasons": ["the client used 97% of one core"], "warnings": ["3 sent late"]}
    judged |= {"workers_needed": 2, "without": [without | {"e2e_p50_ms": 1.0}]}
    report = made(tmp_path, ["c1"], attempts=level("c1", 4, 1000, 100), validity=judged)
    lines = shown(report)
    assert lines[0].rstrip() == "client-limited: the client used 97% of one core; 2 workers would be enough (--workers)"
    assert "without the disturbed ones: chat@c1 of p/m n=3 TTFT p50 99.0 ms p95 – ms" in lines[1]
    assert "! 3 sent late" in [line.rstrip() for line in lines]


def test_a_clock_that_was_moved_is_among_the_warnings(tmp_path: Path) -> None:
    """What the manifest keeps of it is in the verdict's warnings and in the lines below the figures."""
    levels = made(tmp_path, ["c1"], attempts=level("c1", 4, 1000, 100))["levels"]
    run = open_run(tmp_path, RUN)
    judged = validity(tmp_path, run, levels)
    assert judged is not None
    assert not any("clock" in warning for warning in judged["warnings"])
    run.write_manifest(run.read_manifest() | {"clock_jump_s": -3600.0})
    judged = validity(tmp_path, run, levels)
    assert judged is not None
    (warning,) = [one for one in judged["warnings"] if "clock" in one]
    assert "moved by -3600 s" in warning
    report = load_report(tmp_path, RUN, validity=judged)
    assert warning in report["warnings"]
    assert warning in " ".join(" ".join(shown(report)).split())


def test_a_run_that_nobody_judged_says_so(tmp_path: Path) -> None:
    """Never silently valid."""
    assert shown(made(tmp_path, ["c1"], attempts=level("c1", 4, 1000, 100)))[0].startswith("not judged")


def test_a_percentile_of_too_few_is_not_shown(tmp_path: Path) -> None:
    """40 requests have 20 beyond the median and 2 beyond p95; the reason is told once."""
    report = made(tmp_path, ["c1", "c2"], attempts=[*level("c1", 40, 200, 100), *level("c2", 40, 200, 120)])
    times = report["levels"][0]["times"]["ttft_ms"]
    assert (times["p50"]["value"], times["p50"]["enough"]) == (100, True)
    assert (times["p95"]["value"], times["p95"]["enough"], times["p95"]["n"]) == (100, False, 40)
    lines = shown(report)
    (row,) = [line for line in lines if line.startswith("c1")]
    assert row.split()[:8] == ["c1", "closed", "5.00", "40", "0", "100", "–", "–"]
    assert sum("fewer than 10 requests lie beyond" in line for line in lines) == 1


def test_open_levels_are_timed_from_the_plan(tmp_path: Path) -> None:
    """Each was sent 500 ms late: the headline has it, and the times since sending are there too."""
    rows = [row | {"sched_ns": row["sched_ns"] - 500_000_000} for row in level("p5", 40, 200, 100)]
    report = made(tmp_path, ["p5"], attempts=rows)
    (row,) = report["levels"]
    assert (row["closed"], row["since"]) == (False, "plan")
    assert row["times"]["ttft_ms"]["p50"]["value"] == 100
    lines = shown(report)
    (line,) = [line for line in lines if line.startswith("p5")]
    assert line.split()[5] == "600"
    assert any("since the planned arrival" in line for line in lines)


def test_laws_that_wait_for_answers() -> None:
    """By their label."""
    assert [is_closed(law) for law in ("c4", "c4-ramp10s", "closed(1)", "p2.5", "r8", "g2-b0.5", "steps-1x2")] == [
        *(True, True, True),
        *(False, False, False, False),
    ]


def test_a_level_that_brings_no_more_is_full(tmp_path: Path) -> None:
    """From 4 to 8 at once throughput stays and latency doubles: marked from there on, with the reason below."""
    rows = [*level("c2", 40, 200, 100), *level("c4", 40, 100, 100), *level("c8", 40, 100, 290)]
    report = made(tmp_path, ["c2", "c4", "c8"], attempts=rows)
    assert [row["saturated"] for row in report["levels"]] == [False, False, True]
    (full,) = report["saturation"]
    assert (full["endpoint"], full["axis"], full["before"], full["at"]) == ("p/m", "concurrency", 4, 8)
    lines = shown(report)
    assert [line.split()[-1] for line in lines if line.startswith("c8")] == ["full"]
    assert any(line.startswith("p/m is full: from 4 to 8") for line in lines)


def test_requests_that_pile_up_are_told(tmp_path: Path) -> None:
    """Arrivals each 10 ms, and each answer takes longer than the one before."""
    about = {"stage": "load.chat@r100", "reused": True}
    rows = [answer(f"r/{i}", at=10 * i, gaps=[50 + 20 * i, 10], tokens=2, sample=str(i), **about) for i in range(300)]
    report = made(tmp_path, ["r100"], attempts=rows)
    assert report["levels"][0]["growing"]
    lines = shown(report)
    assert [line.split()[-1] for line in lines if line.startswith("r100")] == ["grows"]
    assert any("requests piled up" in line for line in lines)


def test_warnings_have_numbers(tmp_path: Path) -> None:
    """Several tokens in a read, refusals, users who gave up, an objective that does not apply."""
    rows = [row | {"completion_tokens": 30, "chunk_events": [3] * 10} for row in level("c1", 6, 1000, 100)]
    about = {"stage": "load.chat@c1"}
    rows += [row_of("t", at=6000, failure_kind="throttled", failure_detail=HOSTILE, status=429, **about)]
    rows += [row_of("g", at=6000, failure_kind="abandoned", failure_detail="gave up", **about)]
    rows += [answer("one", at=6500, gaps=[100], tokens=1, **about)]
    report = made(tmp_path, ["c1"], attempts=rows, slo={"slo_tpot_ms": 40})
    text = "\n".join(report["warnings"])
    for said in ("3.0 tokens per read", "1 of 8 were refused", "1 were given up", "to 1 of 7 answers an objective"):
        assert said in text, said
    lines = shown(report)
    assert not any("\x1b" in line or "\u202e" in line for line in lines)
    assert any(line.rstrip().endswith("gave up") for line in lines)


def test_the_server_stands_beside_the_client(tmp_path: Path) -> None:
    """Its mean TTFT of 50 ms beside ours of 100, and how late this client's loop was."""
    samples = [server(at, ttft_s_sum=0.5 * at, ttft_s_count=10 * at, waiting=at) for at in (1, 2, 3)]
    about = {"server_samples": samples, "client_samples": [client(1, lag_ms=3), client(2, lag_ms=7, cpu_ms=250)]}
    report = made(tmp_path, ["c1"], attempts=level("c1", 4, 1000, 100), **about)
    assert report["server"][0]["ttft_mean_s"] == pytest.approx(0.05)
    assert report["client"][0]["loop_lag_max_ms"] == 7
    lines = shown(report)
    place = next(i for i, line in enumerate(lines) if line.startswith("The server by its own metrics"))
    assert lines[place + 2].split()[:10] == ["chat@c1", "p/m", "max", "3", "max", "–", "–", "–", "50.0", "|"]


def test_endpoints_are_compared_prompt_by_prompt(tmp_path: Path) -> None:
    """The second is twice as slow on every prompt."""
    rows = [*level("c1", 12, 1000, 100, "a/m"), *level("c1", 12, 1000, 200, "b/m")]
    report = made(tmp_path, ["c1"], ["a/m", "b/m"], attempts=rows)
    (found,) = report["comparisons"]
    assert (found["value"], found["verdict"], found["n"]) == (2, "worse", 12)
    assert any("×2.00" in line for line in shown(report))


def test_a_search_is_shown_with_its_verdicts(tmp_path: Path) -> None:
    """Levels tried, the best, and what must be known beside it; a sweep names what it left out."""
    kept = {"text": "ttft_p95<800ms", "share": 0.97, "verdict": "met"}
    tried = [{"level": 8.0, "verdict": "met", "n": 200, "objectives": [kept]}]
    tried += [{"level": 16.0, "verdict": "missed", "n": 200, "objectives": []}]
    search = {"endpoint": "p/m", "axis": "rate", "slo": "ttft_p95<800ms", "best": 8.0, "reason": "16 was missed"}
    swept = {"endpoint": "q/m", "axis": "concurrency", "levels": [], "saturation": None, "left_out": [64.0]}
    search |= {"levels": tried, "notes": ["a note"]}
    report = made(tmp_path, ["c1"], attempts=level("c1", 4, 1000, 100), search=[search, swept])
    lines = [line.rstrip() for line in shown(report)]
    assert "8 per second  met     200 ttft_p95<800ms 97 % met" in lines
    assert "best: 8 per second: 16 was missed" in lines
    assert "q/m: not asked, it was full before: 64 at once (--all-levels)" in lines


def test_wide_figures_fit_a_terminal_and_all_is_json(tmp_path: Path) -> None:
    """Long names, slow answers, many requests and a load where everything failed."""
    rows = level("p16", 1200, 20, 98_765, LONG) + level("p32", 1200, 10, 123_456, LONG)
    rows += [row_of(f"f{i}", at=i, stage="load.chat@p16", failure_kind="http_5xx") for i in range(3)]
    report = made(tmp_path, ["p16", "p32"], ["p/m", LONG], attempts=rows, slo={"slo_ttft_ms": 1})
    json.dumps(report, allow_nan=False)
    assert any(line.startswith("p32") for line in shown(report))
