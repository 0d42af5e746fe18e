"""Can a load run be believed? Real stalls of the server and of this client, made by stopping their processes."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made import WAIT_S, begin
from test_load_run import QUICK, ask, providers

from harness.record.folder import open_run
from harness.report.load.validity import validity
from harness.store.query import rows

STALL_S = 1.0


def _stalled(folder: Path, whom: Callable[[int, Path], int], *argv: str) -> None:
    """Run a load and stop a process of it for a second in the middle."""
    with begin(folder, "load", "chat", "-e", "sim/m", *argv, *QUICK) as process:
        try:
            end = time.monotonic() + WAIT_S
            while (done := _done(folder)) < 30 and process.poll() is None:
                assert time.monotonic() < end, done
                time.sleep(0.02)
            victim = whom(process.pid, folder)
            os.kill(victim, signal.SIGSTOP)
            time.sleep(STALL_S)
            os.kill(victim, signal.SIGCONT)
            _, err = process.communicate(timeout=WAIT_S)
        finally:
            process.kill()
    assert process.returncode == 0, err


def _done(folder: Path) -> int:
    return sum(path.read_bytes().count(b'"type":"attempt"') for path in folder.glob("results/runs/*/journal-0.jsonl"))


def _simulator(_: int, folder: Path) -> int:
    (log,) = folder.glob("results/runs/*/simulator-null.sends.jsonl")
    pid: int = json.loads(log.read_text().splitlines()[0])["pid"]
    return pid


def _client(pid: int, _: Path) -> int:
    return pid


def _quantiles(folder: Path) -> dict[str, Any]:
    sql = (
        "select quantile_cont(ttft_ms, 0.5) as p50, count(*) filter (where ttft_ms > 300) as slow, "
        "count(*) filter (where ttft_sched_ms > 300) as slow_sched from attempt_metrics where phase = 'measure'"
    )
    return ask(folder, sql)[0]


def test_a_stall_of_the_server_shows_for_all_that_waited(tmp_path: Path) -> None:
    """With two places, a stalled server delays two answers, but every arrival meanwhile: the planned arrival shows it.

    That is coordinated omission: the time from the send alone would show two slow requests among hundreds.
    """
    providers(tmp_path, ttft_ms=10, limits={"concurrency": 2})
    argv = ("--rate", "60", "--arrival", "constant", "-n", "240", "--warmup", "0")
    _stalled(tmp_path, _simulator, *argv, "--no-scrape")
    found = _quantiles(tmp_path)
    assert found["slow"] <= 4
    assert found["slow_sched"] >= 0.4 * 60 * STALL_S


def test_a_stall_of_this_client_contaminates_what_it_sent_late(tmp_path: Path) -> None:
    """The verdict names the requests that left late, and what is left without them is near the truth of 20 ms."""
    providers(tmp_path, ttft_ms=20)
    _stalled(tmp_path, _client, "--rate", "60", "--arrival", "constant", "-n", "240", "--warmup", "0")
    results = tmp_path / "results"
    levels = rows(results, "select * from load_summary")
    verdict = validity(results, open_run(results, "latest"), levels)
    assert verdict is not None
    assert verdict["word"] != "valid"
    assert 0.5 * 60 * STALL_S <= verdict["contaminated_n"] <= 240
    (without,) = verdict["without"]
    assert without["n"] + verdict["contaminated_n"] == 240
    assert without["ttft_p50_ms"] == pytest.approx(20, abs=15)
    assert any("late" in reason or "after" in reason for reason in verdict["reasons"]), verdict["reasons"]
    (lag,) = ask(tmp_path, "select max(lag_max_ns) / 1e6 as ms from client_samples")
    assert lag["ms"] >= 0.8 * STALL_S * 1000
