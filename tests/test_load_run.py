"""`harness load` from end to end, against simulated servers whose truth is known: what is asked, counted and said."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made import WAIT_S, begin, harness, told

from harness.record.folder import RunFolder, open_run
from harness.record.journal import read_attempts
from harness.store.query import rows
from harness.types import Attempt
from harness.wire.assemble import assemble

QUICK = ("--no-calibrate", "--output-tokens", "8", "--input-tokens", "20")


def providers(folder: Path, **profile: Any) -> None:
    """A providers file whose endpoint ``sim/m`` is a simulator that the run starts."""
    limits = profile.pop("limits", None)
    serve = {"engine": "simulator", "profile": "null", "ttft_ms": 20, "itl_ms": 1, **profile}
    sim = {"kind": "simulated", "serve": serve, "models": {"m": "sim-small"}} | ({"limits": limits} if limits else {})
    (folder / "providers.yaml").write_text(json.dumps({"providers": {"sim": sim, "two": sim}}))


def load(folder: Path, *argv: str, code: int = 0) -> RunFolder:
    """Run ``harness load`` and give its run folder."""
    done = harness(folder, "load", *argv)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, done.stderr
    return open_run(folder / "results", "latest")


def ask(folder: Path, sql: str) -> list[dict[str, Any]]:
    """Ask the published results."""
    return rows(folder / "results", sql)


def test_a_sweep_over_levels(tmp_path: Path) -> None:
    """Each level has its planned requests, warm-ups apart; the first line of the report is the verdict."""
    providers(tmp_path)
    done = harness(tmp_path, "load", "chat", "-e", "sim/m", "--concurrency", "1,4", "-n", "8", "--warmup", "2", *QUICK)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split()[0].rstrip(":,") in ("valid", "contaminated", "client-limited")
    found = ask(tmp_path, "select stage, n, n_failed, concurrency_max from load_summary order by level")
    assert [(row["stage"], row["n"], row["n_failed"]) for row in found] == [
        ("load.chat@c1", 8, 0),
        ("load.chat@c4", 8, 0),
    ]
    phases = ask(tmp_path, "select phase, count(*) as n from attempts group by all order by all")
    assert {row["phase"]: row["n"] for row in phases} == {"measure": 16, "warmup": 4}


@pytest.mark.parametrize("workers", ["1", "3"])
def test_every_request_of_an_open_law_goes_at_its_planned_time(workers: str, tmp_path: Path) -> None:
    """However many processes send them, the planned arrivals are those of the plan, to the nanosecond."""
    providers(tmp_path)
    argv = ("chat", "-e", "sim/m", "--rate", "60", "-n", "60", "--warmup", "0", "--workers", workers, *QUICK)
    run = load(tmp_path, *argv)
    planned = [json.loads(line)["due_ns"] for line in run.plan_path.read_text().splitlines()]
    attempts = sorted(read_attempts(run), key=lambda one: one.sched_ns)
    assert [one.sched_ns - attempts[0].sched_ns for one in attempts] == planned
    assert all((one.exchange.marks.send0_ns or 0) >= one.sched_ns for one in attempts)
    assert len(run.journals()) == int(workers)
    assert {row["n"] for row in ask(tmp_path, "select count(*) as n from attempts")} == {60}


def test_sessions_carry_their_answers(tmp_path: Path) -> None:
    """Each turn's prompt is longer than the one before, by what was answered and asked; all turns are there."""
    providers(tmp_path)
    load(tmp_path, "chat", "-e", "sim/m", "--concurrency", "2", "-n", "5", "--warmup", "0", "--turns", "3", *QUICK)
    found = ask(tmp_path, "select sample, turn, prompt_tokens from attempts order by sample, turn")
    assert [row["turn"] for row in found] == [0, 1, 2] * 5
    for first, second, third in zip(found[0::3], found[1::3], found[2::3], strict=True):
        assert first["prompt_tokens"] < second["prompt_tokens"] < third["prompt_tokens"]


def test_who_gives_up_is_counted_apart(tmp_path: Path) -> None:
    """A user who gives up leaves an attempt with what had arrived; it is no failure of the endpoint."""
    providers(tmp_path, ttft_ms=5, itl_ms=60)
    argv = ("chat", "-e", "sim/m", "--concurrency", "4", "-n", "20", "--warmup", "0", "--give-up", "0.5:0.2", *QUICK)
    run = load(tmp_path, *argv)
    gone = [one for one in read_attempts(run) if one.exchange.failure]
    assert {one.exchange.failure.kind for one in gone if one.exchange.failure} == {"abandoned"}
    assert 4 <= len(gone) <= 16
    assert all(one.exchange.reads for one in gone)
    (row,) = ask(tmp_path, "select n, n_failed, n_abandoned from load_summary")
    assert row == {"n": 20 - len(gone), "n_failed": 0, "n_abandoned": len(gone)}


def test_a_search_finds_what_the_server_can_take(tmp_path: Path) -> None:
    """A batch of four and no room to wait: more than four at once miss the objective, four or fewer meet it."""
    providers(tmp_path, ttft_ms=20, itl_ms=10, batch=4)
    argv = ("--search", "concurrency", "--slo", "ttft_p90<80ms", "--to", "32", "-n", "60", "--warmup", "4")
    run = load(tmp_path, "chat", "-e", "sim/m", *argv, *QUICK)
    (found,) = run.read_manifest()["search"]
    assert 4 <= found["best"] <= 5 < found["missed"] + 1
    decided = run.read_manifest()["selection"]["decided"]
    # A level that is too close to call is asked once more.
    assert list(dict.fromkeys(level["at"] for level in decided))[:4] == [1, 2, 4, 8]
    planned = run.read_manifest()["planned"]
    assert planned == len(run.plan_path.read_text().splitlines()) == len(list(read_attempts(run)))


def test_a_sweep_ends_where_the_server_is_full(tmp_path: Path) -> None:
    """Where more load brings no more throughput, the higher levels are left out, and the run says so."""
    providers(tmp_path, ttft_ms=20, itl_ms=10, batch=2)
    run = load(tmp_path, "chat", "-e", "sim/m", "--concurrency", "1,2,4,8,16", "-n", "24", "--warmup", "2", *QUICK)
    (found,) = run.read_manifest()["search"]
    assert found["saturation"] is not None
    assert 16 in found["left_out"]
    whole = load(tmp_path, "chat", "-e", "sim/m", "--concurrency", "1,2,4", "-n", "4", "--all-levels", *QUICK)
    assert len(whole.read_manifest()["loads"][0]["levels"]) == 3


def test_paired_endpoints_are_asked_at_the_same_time(tmp_path: Path) -> None:
    """With --paired every arrival asks both endpoints the same, at the same planned time."""
    providers(tmp_path)
    argv = ("chat", "-e", "sim/m", "-e", "two/m", "--paired", "--rate", "30", "-n", "12", "--warmup", "0", *QUICK)
    run = load(tmp_path, *argv)
    by_sample: dict[str, set[tuple[int, str]]] = {}
    for one in read_attempts(run):
        by_sample.setdefault(one.job.sample, set()).add((one.sched_ns, one.request.workload_sha256))
    assert len(by_sample) == 12
    assert all(len(found) == 1 for found in by_sample.values())


def test_a_trace_is_played_as_it_was_recorded(tmp_path: Path) -> None:
    """A file of recorded arrivals may stand in the place of a profile: its times, twice as fast, and its lengths."""
    providers(tmp_path)
    lines = [{"timestamp": 100 * n, "input_length": 30 + n, "output_length": 4, "hash_ids": [n]} for n in range(8)]
    (tmp_path / "day.jsonl").write_text("\n".join(map(json.dumps, lines)))
    run = load(tmp_path, "day.jsonl", "-e", "sim/m", "--speed", "2", "--no-calibrate")
    planned = [json.loads(line) for line in run.plan_path.read_text().splitlines()]
    assert [job.get("due_ns", 0) for job in planned] == [50_000_000 * n for n in range(8)]
    assert [job["output_tokens"] for job in planned] == [4] * 8
    assert run.read_manifest()["suite"] == "day"


def test_users_own_prompts_are_a_load(tmp_path: Path) -> None:
    """A JSONL file of prompts may stand in the place of a profile."""
    providers(tmp_path)
    (tmp_path / "mine.jsonl").write_text('{"prompt": "One?"}\n{"turns": ["Two?", "Three?"]}\n')
    run = load(
        tmp_path, "mine.jsonl", "-e", "sim/m", "--concurrency", "1", "-n", "2", "--warmup", "0", "--no-calibrate"
    )
    assert Counter(one.job.turn for one in read_attempts(run)) == {0: 2, 1: 1}


# --- bad days --------------------------------------------------------------------------------------------


def test_every_bad_answer_is_counted_by_its_name(tmp_path: Path) -> None:
    """What the server did wrong on purpose is in the errors by class, one for one with the server's own record."""
    shares = {"http_500": 0.1, "http_429": 0.1, "cut": 0.1, "malformed": 0.1, "inband_error": 0.1, "empty": 0.1}
    providers(tmp_path, **shares)
    run = load(tmp_path, "chat", "-e", "sim/m", "--concurrency", "8", "-n", "150", "--warmup", "0", *QUICK)
    log = (run.root / "simulator-null.sends.jsonl").read_text().splitlines()
    done = Counter(row["fault"] for row in map(json.loads, log) if row["type"] == "request" and row.get("fault"))
    names = {
        "http_500": "http_5xx",
        "http_429": "throttled",
        "cut": "truncated",
        "malformed": "bad_json",
        "inband_error": "inband_error",
        "empty": "empty",
    }
    found = ask(
        tmp_path, "select failure_kind, count(*) as n from attempts where failure_kind is not null group by all"
    )
    assert {row["failure_kind"]: row["n"] for row in found} == {names[fault]: n for fault, n in done.items()}
    assert len(done) == 6


def test_an_endpoint_that_dies_in_the_middle_costs_its_requests_alone(tmp_path: Path) -> None:
    """What came before is measured, what came after is a failure with its name, and the run ends well."""
    providers(tmp_path, down_after_s=1.0, ttft_ms=5)
    run = load(
        tmp_path, "chat", "-e", "sim/m", "--rate", "40", "--arrival", "constant", "-n", "80", "--warmup", "0", *QUICK
    )
    kinds = Counter(
        outcome.failure.kind if outcome.failure else None
        for outcome in (assemble(one.exchange, stream=True) for one in read_attempts(run))
    )
    assert kinds.total() == 80
    assert kinds[None] > 5
    assert kinds.keys() <= {None, "connect", "reset", "truncated"}
    assert kinds["connect"] > 5


def test_where_all_fails_nothing_was_measured(tmp_path: Path) -> None:
    """A server that refuses everything: one line, exit code 3, and the failures are in the record."""
    providers(tmp_path, http_500=1.0)
    done = harness(tmp_path, "load", "chat", "-e", "sim/m", "--concurrency", "2", "-n", "6", *QUICK)
    told(done, 3, "nothing could be measured", "http_5xx")


def _wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not until():
        assert time.monotonic() < end
        time.sleep(0.02)


def _journalled(folder: Path) -> int:
    return sum(path.read_bytes().count(b'"type":"attempt"') for path in folder.glob("results/runs/*/journal-*.jsonl"))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_one_interrupt_waits_and_two_break_off(workers: str, tmp_path: Path) -> None:
    """After the second interrupt what was under way is cancelled, with what had arrived, and resume asks it anew."""
    providers(tmp_path, itl_ms=400, tokens=8)
    argv = ("load", "chat", "-e", "sim/m", "--concurrency", "4", "-n", "12", "--warmup", "0", "--workers", workers)
    with begin(tmp_path, *argv, *QUICK) as process:
        try:
            _wait(lambda: _journalled(tmp_path) >= 2 or process.poll() is not None)
            time.sleep(0.6)
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=WAIT_S)
        finally:
            process.kill()
    assert process.returncode == 130, err
    run = open_run(tmp_path / "results", "latest")
    broken = [one for one in read_attempts(run) if one.exchange.failure and one.exchange.failure.kind == "cancelled"]
    assert broken
    assert all(one.exchange.marks.send0_ns for one in broken)
    assert any(one.exchange.reads for one in broken)
    done = harness(tmp_path, "resume")
    assert done.returncode == 0, done.stderr
    final = {one.job.id: one for one in read_attempts(run) if one not in broken}
    assert len(final) == 12


# --- bad input -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("chat", "--rate", "0"), ("rate_per_s", "0")),
        (("chat", "--rate", "-3"), ("rate_per_s", "-3")),
        (("chat", "--rate", "fast"), ("fast",)),
        (("chat", "--concurrency", "0"), ("concurrency", "0")),
        (("chat", "--concurrency", "2", "--rate", "1"), ("--concurrency", "--rate")),
        (("chat", "--slo", "speed_p95<1s"), ("speed", "Did you mean")),
        (("chat", "--slo", "ttft_p95<800"), ("unit",)),
        (("chat", "--search", "rate"), ("--slo",)),
        (("chat", "--search", "rate", "--slo", "errors<1%", "--from", "9", "--to", "2"), ("--from 9", "--to 2")),
        (("chat", "--from", "9"), ("--search",)),
        (("chat", "--arrival", "constant"), ("--rate",)),
        (("chat", "--duration", "soon"), ("soon", "90s")),
        (("chat", "--give-up", "2:1"), ("0 to 1",)),
        (("chat", "--trace", "back.jsonl"), ("back.jsonl line 3", "time runs back")),
        (("chat", "--prompts", "nowhere.jsonl"), ("nowhere.jsonl",)),
        (("caht",), ("Did you mean chat",)),
        (("chat", "--concurrency", "9"), ("concurrency: 4", "--i-own-this-endpoint")),
        (("chat", "--rate", "50", "-n", "200"), ("requests_per_minute: 60", "--i-own-this-endpoint")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_meant_is_told_in_one_line(
    argv: tuple[str, ...], words: tuple[str, ...], tmp_path: Path
) -> None:
    """Nothing is sent, nothing is written, the exit code is 2, and the line says how to mend it."""
    providers(tmp_path, limits={"concurrency": 4, "requests_per_minute": 60})
    times = [0, 200, 100]
    lines = [{"timestamp": at, "input_length": 3, "output_length": 3, "hash_ids": []} for at in times]
    (tmp_path / "back.jsonl").write_text("\n".join(map(json.dumps, lines)))
    told(harness(tmp_path, "load", *argv, "-e", "sim/m"), 2, *words)
    assert not (tmp_path / "results").exists()


def test_who_owns_the_endpoint_may_go_beyond_its_limits(tmp_path: Path) -> None:
    """With --i-own-this-endpoint the configured limits neither refuse nor hold back."""
    providers(tmp_path, limits={"concurrency": 1})
    load(tmp_path, "chat", "-e", "sim/m", "--concurrency", "4", "-n", "8", "--i-own-this-endpoint", *QUICK)
    (row,) = ask(tmp_path, "select max(in_flight) as most from attempts")
    assert row["most"] == 4


def test_a_load_that_may_cost_too_much_is_refused(tmp_path: Path) -> None:
    """The most that it may cost is known beforehand where prices are."""
    done = harness(tmp_path, "load", "chat", "-e", "steady-vendor/sim-small", "-n", "50", "--max-cost", "0.000001")
    told(done, 2, "may cost", "--max-cost")


def test_a_dry_run_sends_nothing(tmp_path: Path) -> None:
    """It prints stages, requests and the most it may cost."""
    done = harness(tmp_path, "load", "chat", "-e", "steady-vendor/sim-small", "--concurrency", "1,2", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "nothing was sent" in done.stdout
    assert not (tmp_path / "results").exists()


def test_a_rate_limit_is_told_from_a_failing_server(tmp_path: Path) -> None:
    """Refusals by 429 are counted apart and not tried again, and the limit itself is read from the server's headers."""
    providers(tmp_path, requests_per_minute=60, ttft_ms=1)
    argv = ("--rate", "60", "--arrival", "constant", "-n", "120", "--warmup", "0")
    done = harness(tmp_path, "load", "chat", "-e", "sim/m", *argv, *QUICK)
    assert done.returncode == 0, done.stderr
    (limits,) = ask(tmp_path, "select * from rate_limits")
    assert limits["requests_per_minute_stated"] == 60
    assert limits["throttled_n"] >= 50
    assert limits["accepted_after_n"] <= 10
    (level,) = ask(tmp_path, "select n, n_ok, n_failed, n_throttled from load_summary")
    assert level["n"] == 120
    assert level["n_failed"] == level["n_throttled"] == limits["throttled_n"]
    assert "60 requests a minute" in done.stdout


@pytest.mark.parametrize("workers", ["1", "2"])
def test_kill_9_in_the_middle_of_a_load_loses_nothing(workers: str, tmp_path: Path) -> None:
    """What was journalled stays, no process is left behind, and resume ends with one final attempt for each job."""
    providers(tmp_path, ttft_ms=30)
    argv = ("load", "chat", "-e", "sim/m", "--rate", "40", "-n", "120", "--warmup", "0", "--workers", workers, *QUICK)
    with begin(tmp_path, *argv) as process:
        try:
            _wait(lambda: _journalled(tmp_path) >= 20 or process.poll() is not None)
        finally:
            process.kill()
        process.communicate(timeout=WAIT_S)
    run = open_run(tmp_path / "results", "latest")
    _wait(lambda: not _left_over(run))
    kept = {one.job.id for one in read_attempts(run)}
    assert len(kept) >= 20
    done = harness(tmp_path, "resume")
    assert done.returncode == 0, done.stderr
    final = Counter(one.job.id for one in read_attempts(run) if not _cancelled(one))
    assert final.keys() >= kept - {one.job.id for one in read_attempts(run) if _cancelled(one)}
    assert set(final.values()) == {1}
    assert len(final) == 120


def _cancelled(one: Attempt) -> bool:
    return one.exchange.failure is not None and one.exchange.failure.kind == "cancelled"


def _left_over(run: RunFolder) -> list[int]:
    """Processes that still have the run folder on their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except OSError:
            continue  # it has just ended
        if str(run.root).encode() in command:
            found.append(int(path.parent.name))
    return found


def test_rows_made_meanwhile_are_those_of_the_journal(tmp_path: Path) -> None:
    """Sealing again from the journal gives the same tables, failures, sessions and users who gave up among them."""
    providers(tmp_path, http_500=0.2, cut=0.2, itl_ms=5)
    load(
        tmp_path,
        "chat",
        "-e",
        "sim/m",
        "--concurrency",
        "4",
        "-n",
        "20",
        "--turns",
        "2",
        "--give-up",
        "0.2:0.03",
        *QUICK,
    )
    tables = {table: f"select * from {table} order by all" for table in ("attempts", "texts")}
    before = {table: ask(tmp_path, sql) for table, sql in tables.items()}
    assert {row["failure_kind"] for row in before["attempts"]} >= {
        None,
        "http_5xx",
        "truncated",
        "abandoned",
        "unasked",
    }
    assert harness(tmp_path, "score").returncode == 0
    assert {table: ask(tmp_path, sql) for table, sql in tables.items()} == before


@pytest.mark.parametrize("workers", ["1", "2"])
def test_max_duration_ends_a_load_by_any_number_of_processes(workers: str, tmp_path: Path) -> None:
    """What is under way then is finished, the rest is not asked, and the run can be resumed."""
    providers(tmp_path)
    argv = ("load", "chat", "-e", "sim/m", "--rate", "20", "-n", "400", "--workers", workers, "--max-duration", "1.5")
    done = harness(tmp_path, *argv, *QUICK)
    told(done, 130, "--max-duration 1.5 s was reached", "resume")
    (row,) = ask(
        tmp_path, "select count(*) as n, count(*) filter (where failure_kind is not null) as bad from attempts"
    )
    assert 0 < row["n"] < 200
    assert row["bad"] == 0
