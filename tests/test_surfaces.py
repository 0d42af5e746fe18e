"""The Responses API and embeddings as things under test, from the command line to the report, on simulated servers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made import harness, told

from harness.record.folder import open_run
from harness.report.summary.vectors import agreement
from harness.store.query import rows

QUICK = ("--no-calibrate", "--no-scrape")


def providers(folder: Path, **profile: Any) -> None:
    """Endpoints ``sim/m``, ``same/m`` and, with another model, ``two/m``: simulators that the run starts."""
    serve = {"engine": "simulator", "profile": "null", "ttft_ms": 40, "itl_ms": 5, **profile}
    sims = {
        name: {"kind": "simulated", "serve": {**serve, "models": model}, "models": {"m": model}}
        for name, model in (("sim", "sim-small"), ("two", "sim-large"), ("same", "sim-small"))
    }
    (folder / "providers.yaml").write_text(json.dumps({"providers": sims}))


def ask(folder: Path, sql: str) -> list[dict[str, Any]]:
    """Ask the published results."""
    return rows(folder / "results", sql)


def report(folder: Path, *argv: str) -> dict[str, Any]:
    """What a command prints as JSON."""
    done = harness(folder, *argv, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


# --- responses ---------------------------------------------------------------------------------------------


def test_a_load_is_asked_over_the_responses_api(tmp_path: Path) -> None:
    """The same columns hold its times: TTFT is the simulator's, TPOT too, tokens are stated, and the report says so."""
    providers(tmp_path)
    done = harness(tmp_path, "load", "short_chat", "-e", "sim/m", "--api", "responses", "--concurrency", "2", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "asked over the Responses API" in done.stdout
    (row,) = ask(tmp_path, "select * from load_summary")
    assert (row["api"], row["n"], row["n_failed"], row["output_tokens"]) == ("responses", 12, 0, 12 * 32)
    assert row["ttft_n"] == row["tpot_n"] == 12
    # A send cannot be early: the schedule is the least, and a machine with neighbours adds to it.
    assert row["ttft_p50_ms"] >= 40
    assert row["tpot_p50_ms"] >= 4.9
    assert ask(tmp_path, "select distinct api, finish_reason, deviations from attempts") == [
        {"api": "responses", "finish_reason": "length", "deviations": []}
    ]
    stored = open_run(tmp_path / "results", "latest").read_manifest()
    assert stored["selection"]["api"] == "responses"
    assert report(tmp_path, "load", "report")["run"]["api"] == "responses"


def test_sessions_with_tools_go_on(tmp_path: Path) -> None:
    """Calls and their results become items of the next request, and the session gets to its end."""
    providers(tmp_path)
    argv = ("load", "agent", "-e", "sim/m", "--api", "responses", "--concurrency", "1", "-n", "2", "--warmup", "0")
    done = harness(tmp_path, *argv, *QUICK)
    assert done.returncode == 0, done.stderr
    found = ask(tmp_path, "select turn, ok, tool_calls > 0 as called from attempt_metrics order by sample, turn")
    assert [(row["turn"], row["ok"]) for row in found] == [(0, True), (1, True), (2, True)] * 2
    assert any(row["called"] for row in found)


def test_tasks_score_the_same_over_either_api(tmp_path: Path) -> None:
    """The simulator answers a task right over both; hashes differ, so that the two are never taken for one question."""
    providers(tmp_path)
    for api in ("chat", "responses"):
        done = harness(tmp_path, "eval", "arithmetic:5", "assistant:4", "-e", "sim/m", "--api", api)
        assert done.returncode == 0, done.stderr
    found = ask(
        tmp_path,
        "select api, list(text order by task, sample) as texts, list(value order by task, sample) as scores "
        "from attempts a join scores s using (run_id, job_id, task, sample) "
        "join texts t using (run_id, job_id, number) "
        "group by all order by all",
    )
    assert [row["api"] for row in found] == ["chat", "responses"]
    assert len(found[0]["scores"]) == 9
    assert found[0]["scores"] == found[1]["scores"]
    assert found[0]["texts"] == found[1]["texts"]
    shared = "select workload_sha256 from attempts group by all having count(distinct api) > 1"
    assert ask(tmp_path, shared) == []
    runs = [row["run_id"] for row in ask(tmp_path, "select run_id from runs order by run_id")]
    told(harness(tmp_path, "compare", *runs), 2, "other interfaces: chat and responses")


def test_a_run_goes_on_in_its_own_api(tmp_path: Path) -> None:
    """What is left of a run is asked as it began; a manifest that names another API is no longer its plan."""
    providers(tmp_path)
    argv = ("eval", "arithmetic:8", "-e", "sim/m", "--api", "responses", "--concurrency", "1")
    broken_off = harness(tmp_path, *argv, "--max-requests", "8", "--max-duration", "0.3")
    assert broken_off.returncode == 130, broken_off.stderr
    run = open_run(tmp_path / "results", "latest")
    stored = run.read_manifest()
    run.write_manifest({**stored, "selection": {**stored["selection"], "api": "chat"}})
    told(harness(tmp_path, "resume", "latest"), 2, "no longer what it was")
    run.write_manifest(stored)
    done = harness(tmp_path, "resume", "latest")
    assert done.returncode == 0, done.stderr
    assert ask(tmp_path, "select distinct api from attempts where failure_kind is null") == [{"api": "responses"}]


def test_an_endpoint_without_the_api_fails_by_its_own_answer(tmp_path: Path) -> None:
    """Nothing falls back to a chat: what cannot be asked is said to have failed."""
    providers(tmp_path, mutants="resp_404")
    done = harness(tmp_path, "eval", "arithmetic:2", "-e", "sim/m", "--api", "responses")
    told(done, 3, "every request failed", "http_4xx")


# --- embeddings --------------------------------------------------------------------------------------------


def test_a_load_of_embeddings(tmp_path: Path) -> None:
    """Requests, inputs and prompt tokens a second; there is no TTFT, and none of 0 either."""
    providers(tmp_path)
    argv = ("load", "embeddings", "-e", "sim/m", "--concurrency", "2", "-n", "20", "--batch", "3", *QUICK)
    done = harness(tmp_path, *argv)
    assert done.returncode == 0, done.stderr
    assert "inputs/s" in done.stdout
    assert "TTFT p50" not in done.stdout
    (row,) = ask(tmp_path, "select * from load_summary")
    assert (row["api"], row["n_ok"], row["inputs_n"], row["ttft_n"], row["ttft_p50_ms"]) == (
        "embeddings",
        20,
        60,
        0,
        None,
    )
    assert row["e2e_p50_ms"] > 0
    assert row["inputs_per_s"] == pytest.approx(3 * row["ok_per_s"])
    assert row["prompt_tokens_per_s"] == pytest.approx(row["prompt_tokens"] / row["window_s"])
    assert row["output_tokens"] is None
    assert ask(tmp_path, "select distinct vectors, dimensions from attempts") == [{"vectors": 3, "dimensions": 256}]
    told(harness(tmp_path, "load", "report", "--dialect", "vllm"), 3, "no measured answer was streamed")
    texts = ask(tmp_path, "select count(*) as n from texts where response_body is not null")
    assert texts == [{"n": 0}], "the vectors of a load stay in its journal"


@pytest.mark.parametrize("mutant", ["emb_first_alone", "emb_index_zero"])
def test_wrong_vectors_are_no_success(mutant: str, tmp_path: Path) -> None:
    """A 200 with too few vectors, or with none that is known to be of its input, is a failure by name."""
    providers(tmp_path, mutants=mutant)
    argv = ("load", "embeddings", "-e", "sim/m", "--concurrency", "1", "-n", "3", "--batch", "2", *QUICK)
    told(harness(tmp_path, *argv), 3, "every request failed", "bad_vectors")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("embeddings", "--output-tokens", "9"), ("--output-tokens", "embeddings")),
        (("embeddings", "--turns", "2"), ("--turns", "embeddings")),
        (("embeddings", "--api", "responses"), ("an API of their own",)),
        (("embeddings", "--slo", "ttft_p95<1s"), ("ttft_p95", "not streamed")),
        (("chat", "--batch", "4"), ("--batch", "harness load embeddings")),
    ],
)
def test_what_does_not_go_together_is_refused(argv: tuple[str, ...], words: tuple[str, ...], tmp_path: Path) -> None:
    """One line says which option, and why."""
    providers(tmp_path)
    told(harness(tmp_path, "load", argv[0], "-e", "sim/m", *argv[1:]), 2, *words)


def test_vectors_of_endpoints_are_compared(tmp_path: Path) -> None:
    """Two endpoints of one model agree wholly, one of another model not at all; each agrees with itself."""
    providers(tmp_path)
    argv = ("eval", "embedding_agreement:12", "-e", "sim/m", "-e", "same/m", "-e", "two/m")
    found = report(tmp_path, *argv)["vectors"]
    # Twelve items hold their own two sentences each, and those of twelve others.
    assert [(row["endpoint"], row["n"], row["dimensions"]) for row in found["endpoints"]] == [
        ("sim/m", 36, 256),
        ("same/m", 36, 256),
        ("two/m", 36, 256),
    ]
    same, other, _ = found["pairs"]
    assert same["cosines"]["mean"]["value"] == pytest.approx(1)
    assert same["structure"]["correlation"]["value"] == pytest.approx(1)
    assert same["structure"]["neighbours"]["value"] == 1
    assert other["same_dimensions"]
    assert abs(other["cosines"]["mean"]["value"]) < 0.1
    assert abs(other["structure"]["correlation"]["value"]) < 0.2
    shown = harness(tmp_path, "report", "latest").stdout
    assert "Agreement of vectors" in shown


def test_noise_shows_in_an_endpoint_itself(tmp_path: Path) -> None:
    """Where the same text gets another vector each time, an endpoint's cosine to itself says so."""
    providers(tmp_path, mutants="emb_noise")
    done = harness(tmp_path, "eval", "embedding_agreement", "-e", "sim/m", "--limit", "30")
    assert done.returncode == 0, done.stderr
    (row,) = agreement(tmp_path / "results", open_run(tmp_path / "results", "latest").id, ["sim/m"])["endpoints"]
    # Of thirty items 13 apart in a round of forty, twenty are the other subject of one of them.
    assert row["itself"]["n"] == 20
    assert row["itself"]["mean"]["value"] < 0.3


def test_purged_texts_leave_no_vectors(tmp_path: Path) -> None:
    """Without the texts of a run there is nothing to compare, and nothing breaks."""
    providers(tmp_path)
    harness(tmp_path, "eval", "embedding_agreement:4", "-e", "sim/m", "-e", "two/m")
    run = open_run(tmp_path / "results", "latest")
    run.parquet_path("texts").unlink()
    assert harness(tmp_path, "db", "rebuild").returncode == 0
    found = agreement(tmp_path / "results", run.id, ["sim/m", "two/m"])
    assert [(row["n"], row["dimensions"], row["itself"]) for row in found["endpoints"]] == [(0, None, None)] * 2
    assert found["pairs"] == []
    assert harness(tmp_path, "report", "latest").returncode == 0
