"""The proof of the gate, against real servers that do what they are told: equal ones pass, every regression fails.

``HARNESS_GATES=all`` compares equal servers twenty times; without it there are as many as a busy machine carries.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gated import judged, only
from made import Watcher, endpoint, harness, load, plan

from harness import catalog
from harness.engines import start
from harness.provider import Endpoint, Serve
from harness.record.folder import open_run
from harness.run import sitting
from harness.run.arrivals import Closed
from harness.run.conduct import Company
from harness.run.planning.plan import Plan, make
from harness.run.selecting.selection import Selection
from harness.types import Load

ALL = os.environ.get("HARNESS_GATES") == "all"
SEEDS = range(20 if ALL else 2)
TTFT_MS = 60
MARGINS = """
mode: paired
base: base/m
gates:
- {metric: ttft_p50_ms, worse_by: 20%}
- {metric: error_rate, worse_by: 1 point}
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server that each request can tell what to do."""
    running = start(Serve("simulator", {"profile": "null", "ttft_ms": TTFT_MS, "itl_ms": 1}))
    yield running.base_url
    running.stop()


def told_to(url: str, name: str, sim: str = "") -> Endpoint:
    """An endpoint whose requests change the server for themselves."""
    return endpoint(f"{name}/m", url, headers={"x-sim": sim} if sim else {})


def chat(n: int, at_once: int = 8) -> Load:
    """So many requests a block."""
    return load("chat", Closed(at_once), n=n, warmup=at_once)


def carried(made: Plan, results: Path) -> str:
    """The id of the run that a plan became."""
    company = Company(Watcher(), scrape=False, calibrate=False)
    return sitting.start(made, results=results, company=company).folder.id


@pytest.mark.parametrize("seed", SEEDS)
def test_equal_servers_pass(seed: int, url: str, tmp_path: Path) -> None:
    """Nothing is worse where nothing is different, and the measurement was large enough to say so."""
    both = [told_to(url, "base"), told_to(url, "new")]
    carried(plan([chat(110)], both, blocks=5, seed=seed), tmp_path)
    found = judged(tmp_path, MARGINS)
    assert found.verdict == "pass", found.as_json()
    assert found.exit_code == 0


def test_slower_first_tokens_fail(url: str, tmp_path: Path) -> None:
    """Half as slow again is told from chance; an equal server beside it is not."""
    ends = [told_to(url, "base"), told_to(url, "equal"), told_to(url, "slow", f"ttft_ms={1.5 * TTFT_MS}")]
    carried(plan([chat(60)], ends, blocks=5, seed=1), tmp_path)
    found = judged(tmp_path, MARGINS)
    words = {case.endpoint: case.verdict for case in found.cases if case.metric == "ttft_p50_ms"}
    assert words["slow/m"] == "fail"
    assert words["equal/m"] != "fail"
    assert found.exit_code == 1


def test_three_points_of_errors_fail(url: str, tmp_path: Path) -> None:
    """From the share of failed requests alone: the times of those that were answered are the same."""
    ends = [told_to(url, "base", "ttft_ms=1"), told_to(url, "failing", "ttft_ms=1,http_500=0.03")]
    carried(plan([chat(300, 16)], ends, blocks=5, seed=1), tmp_path)
    found = judged(tmp_path, "mode: paired\nbase: base/m\ngates:\n- {metric: error_rate, worse_by: 1 point}\n")
    case = only(found)
    assert case.verdict == "fail", case
    assert case.change == pytest.approx(0.03, abs=0.015)


def test_a_handful_of_requests_tells_nothing(url: str, tmp_path: Path) -> None:
    """Neither pass nor failure: a change as large as the margin could have gone unseen."""
    carried(plan([chat(2, 1)], [told_to(url, "base"), told_to(url, "new")], blocks=3), tmp_path)
    case = only(found := judged(tmp_path, MARGINS), metric="error_rate")
    assert case.verdict == "inconclusive"
    assert found.exit_code == 4


def test_wrong_answers_fail(tmp_path: Path) -> None:
    """The same 48 questions, half of them answered otherwise."""
    known = catalog.discover(only=("TASK", "TASKS"))
    knowing = start(Serve("simulator", {"profile": "null", "knows_tasks": True}))
    try:
        ends = [told_to(knowing.base_url, name) for name in ("base", "equal")]
        ends.append(told_to(knowing.base_url, "wrong", "accuracy=0.5"))
        names = tuple(one.id for one in ends)
        chosen = Selection(suite="quality", endpoints=names, tasks=("arithmetic",), concurrency=16)
        carried(make(chosen, known, ends), tmp_path)
    finally:
        knowing.stop()
    found = judged(tmp_path, "mode: paired\nbase: base/m\ngates:\n- {metric: quality, worse_by: 12 points}\n")
    assert {case.endpoint: case.verdict for case in found.cases} == {"equal/m": "pass", "wrong/m": "fail"}


def providers(folder: Path, base_url: str, sim: str = "") -> None:
    """A providers file with one endpoint ``sim/m``."""
    said: dict[str, Any] = {"kind": "simulated", "base_url": base_url, "models": {"m": "sim-small"}}
    (folder / "providers.yaml").write_text(
        json.dumps({"providers": {"sim": said | ({"headers": {"x-sim": sim}} if sim else {})}})
    )


def test_a_dropped_feature_fails(url: str, tmp_path: Path) -> None:
    """What is in the lockfile and no longer done is named."""
    providers(tmp_path, url, "ttft_ms=1")
    probes = ("probe", "-e", "sim/m", "--profile", "smoke")
    assert harness(tmp_path, *probes, "--lock", "lock.yaml").returncode == 0
    (tmp_path / "gate.yaml").write_text("conformance: lock.yaml\n")
    assert harness(tmp_path, "gate").returncode == 0
    providers(tmp_path, url, "ttft_ms=1,mutants=ignore_tools")
    assert harness(tmp_path, *probes).returncode == 0
    done = harness(tmp_path, "gate", "--json")
    assert done.returncode == 1, done.stdout
    failed = [case for case in json.loads(done.stdout)["cases"] if case["verdict"] == "fail"]
    assert failed
    assert all(case["metric"].startswith("tools.") for case in failed)


def test_a_dead_server_is_not_worse_but_not_measured(tmp_path: Path) -> None:
    """Exit code 3: from the load, and from the gate on what it left."""
    providers(tmp_path, "http://127.0.0.1:9/v1")
    asked = ("load", "short_chat", "-e", "sim/m", "-n", "8", "--concurrency", "2", "--no-calibrate")
    assert harness(tmp_path, *asked).returncode == 3
    gate = "gates:\n- {metric: ttft_p50_ms, max: 1s}\n- {metric: error_rate, max: 50%}\nconformance: lock.yaml\n"
    (tmp_path / "gate.yaml").write_text(gate)
    (tmp_path / "lock.yaml").write_text("format: 1\nendpoints:\n  sim/m: {chat.basic: supported}\n")
    done = harness(tmp_path, "gate", "--json")
    assert done.returncode == 3, done.stderr
    found = json.loads(done.stdout)
    assert {case["verdict"] for case in found["cases"]} == {"error"}
    assert "every one of its" in found["cases"][0]["reason"]
    assert open_run(tmp_path / "results", "latest").id == found["run"]
