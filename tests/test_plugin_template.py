"""The package in examples/plugin: installed as any other, its own tests, and each of its things by the command."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from made import environment, harness

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "examples" / "plugin"
SUITE = {"tasks": ["capitals", "mine.jsonl"], "probes": "acme", "loads": ["one_word"], "endpoints": ["acme/small"]}
BLOCK = {"kind": "simulated", "models": {"small": "sim-small"}, "serve": {"engine": "acme_sim", "knows_tasks": True}}


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """An environment with the package installed, without a network, into a folder of its own."""
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--no-index"]
    command = [*pip, "--no-build-isolation", "--target", str(site), str(TEMPLATE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=site)
    assert done.returncode == 0, done.stderr
    return environment(PYTHONPATH=f"{site}:{ROOT}")


def test_its_own_tests_pass(env: Mapping[str, str], tmp_path: Path) -> None:
    """As whoever copies it would run them."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TEMPLATE / "tests")]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_each_thing_works_by_the_command(env: Mapping[str, str], tmp_path: Path) -> None:
    """One suite asks its task, its load, its probe and a file scored by its scorer of its engine; its form tells it."""
    (tmp_path / "providers.yaml").write_text(json.dumps({"providers": {"acme": BLOCK}}))
    (tmp_path / "mine.jsonl").write_text('{"question": "Repeat exactly: a b c", "scorer": "no_longer_than:2"}\n')
    (tmp_path / "mine.yaml").write_text(json.dumps(SUITE))
    listed = harness(tmp_path, "plugins", env=env)
    page = (ROOT / "docs" / "plugins.md").read_text()
    assert listed.stdout.split() == re.findall(r"\$ harness plugins\n(.*?)```", page, re.DOTALL)[0].split()
    done = harness(tmp_path, "run", "mine.yaml", "--executor", "acme", "--workers", "2", "--json", env=env)
    assert done.returncode == 0, done.stderr
    told = harness(tmp_path, "report", "--as", "one_line", "-", env=env)
    assert told.stdout.splitlines()[1:] == ["acme/small capitals: 3/3", "acme/small mine: 0/1"], told.stderr
    found = json.loads(done.stdout)
    assert found["run"]["status"] == "finished"
    asked = (
        "select (select count(*) from attempts where kind = 'load' and phase = 'measure') as n, verdict from verdicts"
    )
    rows = json.loads(harness(tmp_path, "sql", asked, "--json", env=env).stdout)
    assert rows == [{"n": 6, "verdict": "supported"}]
