"""Runs by workers that are lost, come back, or are told to stop: what is counted, what is said, what a gate says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from made import WAIT_S, begin, environment, harness, told
from simulated import KEY, simulator

from harness.record.folder import RunFolder, open_run
from harness.record.journal import read_attempts
from harness.store.query import rows

ARGV = ("load", "chat", "-e", "sim/m", "--rate", "20", "--warmup", "0", "--no-calibrate", "--output-tokens", "4")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose providers file names a simulator that is up."""
    with simulator("--set", "ttft_ms=5", "--set", "itl_ms=1") as served:
        about = {
            "kind": "simulated",
            "base_url": served.provider.base_url,
            "auth": {"env": "SIM_KEY"},
            "models": {"m": "sim-small"},
        }
        (tmp_path / "providers.yaml").write_text(json.dumps({"providers": {"sim": about}}))
        (tmp_path / "gate.yaml").write_text("gates:\n  - metric: ttft_p50_ms\n    max: 10s\n")
        yield tmp_path


ENV = environment(SIM_KEY=KEY)


def _wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not until():
        assert time.monotonic() < end
        time.sleep(0.02)


def _measuring(run: RunFolder, shard: int) -> int | None:
    """The process that journals a shard."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            argv = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if (
            b"--told" in argv
            and any(run.id.encode() in one for one in argv)
            and any(b"--shard=%d/" % shard in one for one in argv)
        ):
            return int(path.parent.name)
    return None


def _count(run: RunFolder, shard: int) -> int:
    path = run.journal_path(shard)
    return path.read_bytes().count(b'"type":"attempt"') if path.exists() else 0


def _each_once(run: RunFolder, n: int) -> None:
    final = Counter(one.job.id for one in read_attempts(run) if not one.exchange.failure)
    assert len(final) == n
    assert set(final.values()) == {1}


def test_a_lost_worker_makes_a_run_partial(folder: Path) -> None:
    """The others go on to the end, what it journalled is kept, the report restates the load, a gate says error."""
    with begin(folder, *ARGV, "-n", "60", "--workers", "2", env=ENV) as process:
        try:
            _wait(lambda: bool(list(folder.glob("results/runs/*/run.json"))) or process.poll() is not None)
            run = open_run(folder / "results", "latest")
            _wait(lambda: _count(run, 1) >= 5 or process.poll() is not None)
            victim = _measuring(run, 1)
            assert victim is not None
            os.kill(victim, signal.SIGKILL)
            out, err = process.communicate(timeout=WAIT_S)
        finally:
            process.kill()
    assert process.returncode == 3, err
    assert "the run is partial: 1 of 2 workers lost: shard 1" in err
    assert "planned requests have a record" in " ".join(out.split())
    assert run.read_manifest()["status"] == "partial"
    kept = Counter(int(path.stem.rpartition("-")[2]) for path in run.journals())
    assert set(kept) == {0, 1}
    mine = sum(json.loads(line)["task"] == "chat" for line in run.plan_path.read_text().splitlines())
    assert 5 <= _count(run, 1) < mine - _count(run, 0)
    (row,) = rows(folder / "results", "select n, n_failed from load_summary")
    assert row == {"n": _count(run, 0) + _count(run, 1), "n_failed": 0}
    judged = harness(folder, "gate", "gate.yaml")
    assert judged.returncode == 3, judged.stderr
    assert "error (1 error)" in judged.stdout
    # Who resumes asks what is left, and the run is whole.
    done = harness(folder, "resume", "--workers", "2", env=ENV)
    assert done.returncode == 0, done.stderr
    _each_once(run, 60)
    assert run.read_manifest()["status"] == "finished"


def test_a_worker_that_comes_back_goes_on_with_its_shard(folder: Path) -> None:
    """Workers that any scheduler starts meet, one is killed and started again: it asks what is still to come."""
    done = harness(folder, *ARGV, "-n", "120", "--executor", "hand", "--workers", "2", "--json", env=ENV)
    assert done.returncode == 0, done.stderr
    handed = json.loads(done.stdout)
    run = open_run(folder / "results", handed["run"])
    with ExitStack() as stack:

        def worker(number: int) -> subprocess.Popen[str]:
            env = {**ENV, "JOB_COMPLETION_INDEX": str(number)}
            argv = [word for word in handed["workers"][0][1:] if word != "0/2"]
            argv.insert(argv.index("--shard") + 1, "2")
            process = begin(folder, *argv, env=env)
            stack.callback(process.kill)
            return process

        first, second = worker(0), worker(1)
        _wait(lambda: _count(run, 1) >= 5 or second.poll() is not None)
        victim = _measuring(run, 1)
        second.kill()
        second.communicate()
        assert victim is not None
        _wait(lambda: _measuring(run, 1) is None)
        partial = harness(folder, "gather", handed["run"])
        told(partial, 3, "partial", "shard 1")
        third = worker(1)
        for process in (first, third):
            _, err = process.communicate(timeout=WAIT_S)
            assert process.returncode == 0, err
    done = harness(folder, "gather", handed["run"], "--follow", env=ENV)
    missed = 120 - len({one.job.id for one in read_attempts(run)})
    final = Counter(one.job.id for one in read_attempts(run) if not one.exchange.failure)
    assert set(final.values()) == {1}
    assert done.returncode == (3 if missed else 0), done.stderr
    # What was due while it was gone is asked by who resumes, and by nobody twice.
    assert harness(folder, "resume", handed["run"], env=ENV).returncode == 0
    _each_once(run, 120)


def test_all_workers_are_drained(folder: Path) -> None:
    """An interrupt of who looks on ends every worker's share, and what was asked is one interrupted run."""
    done = harness(folder, *ARGV, "-n", "2000", "--executor", "hand", "--workers", "2", "--json", env=ENV)
    handed = json.loads(done.stdout)
    run = open_run(folder / "results", handed["run"])
    with ExitStack() as stack:
        hands = [stack.enter_context(begin(folder, *argv[1:], env=ENV)) for argv in handed["workers"]]
        gather = stack.enter_context(begin(folder, "gather", handed["run"], "--follow", env=ENV))
        for process in (*hands, gather):
            stack.callback(process.kill)
        _wait(lambda: _count(run, 0) >= 3 and _count(run, 1) >= 3)
        gather.send_signal(signal.SIGINT)
        _, err = gather.communicate(timeout=WAIT_S)
        assert gather.returncode == 130, err
        assert [process.wait(WAIT_S) for process in hands] == [130, 130]
    assert run.read_manifest()["status"] == "interrupted"
    assert not any(one.exchange.failure for one in read_attempts(run))


def test_what_cannot_be_handed_out_is_refused(folder: Path) -> None:
    """One line for a budget that nobody counts, a share that is none, a place without a plan."""
    hand = ("--executor", "hand", "--workers", "2")
    told(harness(folder, *ARGV, "-n", "4", *hand, "--max-total-tokens", "9999", env=ENV), 2, "--max-total-tokens")
    told(harness(folder, "worker", "--plan", ".", "--shard", "2", env=ENV), 2, "JOB_COMPLETION_INDEX")
    told(harness(folder, "worker", "--plan", ".", "--shard", "0/2", env=ENV), 2, "run.json")


def test_nobody_works_on_a_run_that_was_not_handed_out(folder: Path) -> None:
    """Neither a worker nor whoever gathers touches a finished run."""
    assert harness(folder, *ARGV, "-n", "4", env=ENV).returncode == 0
    (root,) = (folder / "results" / "runs").iterdir()
    before = sorted(path.name for path in root.iterdir())
    told(harness(folder, "worker", "--plan", str(root), "--shard", "0/1", env=ENV), 2, "was not handed out")
    told(harness(folder, "gather", root.name, "--follow", env=ENV), 2, "was not handed out")
    assert sorted(path.name for path in root.iterdir()) == before
