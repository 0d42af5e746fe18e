"""The same plan on a Ray cluster of two nodes: on any number of workers, and with a node that is killed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from made import WAIT_S, begin, environment, harness
from simulated import KEY, simulator

from harness.record.folder import RunFolder, list_runs
from harness.record.journal import read_attempts
from harness.store.query import rows

if importlib.util.find_spec("ray") is None:
    pytest.skip("Ray is not installed: pip install 'endpoint-harness[ray]'", allow_module_level=True)

from ray_nodes import Nodes, two_nodes

LOAD = ("load", "chat", "-e", "sim/m", "--rate", "40", "--warmup", "0", "--no-calibrate", "--output-tokens", "8")
ENV = environment(SIM_KEY=KEY)


def _asked(run: RunFolder) -> Counter[tuple[str, str]]:
    return Counter((one.job.id, one.request.workload_sha256) for one in read_attempts(run))


def _run(folder: Path, *argv: str) -> tuple[subprocess.CompletedProcess[str], RunFolder]:
    done = harness(folder, *argv, env=ENV)
    return done, list_runs(folder / "results")[-1]


def test_a_plan_is_the_same_on_any_cluster(tmp_path: Path) -> None:
    """1, 2 and 4 workers ask the same requests and count the same; a node that is killed loses nothing journalled."""
    with simulator("--set", "ttft_ms=30", "--set", "itl_ms=1") as served, two_nodes(ENV) as nodes:
        about = {"kind": "simulated", "base_url": served.provider.base_url, "auth": {"env": "SIM_KEY"}}
        listed = {"providers": {"sim": {**about, "models": {"m": "sim-small"}}}}
        (tmp_path / "providers.yaml").write_text(json.dumps(listed))
        asked, counts, hashes = [], [], set()
        for workers in ("1", "2", "4"):
            where = ("--executor", f"ray:{nodes.address}", "--workers", workers)
            done, run = _run(tmp_path, *LOAD, "-n", "80", "--nonce", "none", *where)
            assert done.returncode == 0, done.stderr
            asked.append(_asked(run))
            manifest = run.read_manifest()
            hashes.add(manifest["plan_sha256"])
            assert len(run.journals()) == len(manifest["shards"]) == int(workers)
            for shard in manifest["shards"]:
                # All nodes are this machine: the truth is 0, and the bound must hold.
                assert abs(shard["offset_ns"]) <= shard["bound_ns"]
            query = "select n, n_ok, n_failed from load_summary where run_id = ?"
            counts.append(rows(tmp_path / "results", query, [run.id]))
        assert asked[0] == asked[1] == asked[2]
        assert counts[0] == counts[1] == counts[2] == [{"n": 80, "n_ok": 80, "n_failed": 0}]
        assert len(hashes) == 1
        _lose(tmp_path, nodes)


def _lose(folder: Path, nodes: Nodes) -> None:
    where = ("--executor", f"ray:{nodes.address}", "--workers", "2")
    with begin(folder, *LOAD, "-n", "800", "--nonce", "none", *where, env=ENV) as process:
        end = time.monotonic() + WAIT_S
        while True:
            run = list_runs(folder / "results")[-1]
            lines = [path.read_bytes().count(b'"type":"attempt"') for path in run.journals()]
            if len(lines) == 2 and min(lines) >= 20 and run.read_manifest()["planned"] == 800:
                break
            assert time.monotonic() < end
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
        nodes.lose_one()
        _, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 3, err
    assert "1 of 2 workers lost" in err
    manifest = run.read_manifest()
    assert manifest["status"] == "partial"
    journalled = Counter(one.job.id for one in read_attempts(run))
    sealed = rows(folder / "results", "select job_id from attempts where run_id = ?", [run.id])
    assert Counter(row["job_id"] for row in sealed) == journalled
    assert 400 < len(journalled) < 800
