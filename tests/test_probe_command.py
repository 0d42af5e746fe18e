"""``harness probe`` from the shell: runs on the simulator, the matrix, evidence that replays, drift, newer probes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from made import harness, told
from simulated import KEY, simulator

PROVIDERS = """providers:
  good:
    kind: simulated
    base_url: {url}
    api_key_env: SIM_KEY
    models: {{sim-small: sim-small}}
  bad:
    kind: simulated
    base_url: {url}
    api_key_env: SIM_KEY
    headers: {{x-sim: "mutants=flat_error,ignore_stop"}}
    declared: {{unsupported: [error.unknown_model, chat.*], source: its own pages}}
    models: {{sim-small: sim-small}}
"""
BOTH = ("-e", "good/sim-small", "-e", "bad/sim-small", "--profile", "smoke")
NEWER = '''"""A probe that came later, of a request that was sent long ago."""

from collections.abc import Iterator

from harness.conformance import Check, Seen, chat, check, probe
from harness.conformance.plain import PLAIN


@probe("chat.newer", title="Newer", sees=(PLAIN,), spec="none", profile=("smoke",))
def newer(seen: Seen) -> Iterator[Check]:
    """It has an id."""
    yield check("id", bool(seen[PLAIN].at("id")))


@probe("chat.unsent", title="U", sees=(chat("unsent", "new", "Hi", cap=1),), spec="none", profile=("smoke",))
def unsent(seen: Seen) -> Iterator[Check]:
    """It is never judged."""
    yield check("unreachable", False)


PROBES = (newer, unsent)
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with a run of both endpoints in every form, while their server still runs."""
    folder = tmp_path_factory.mktemp("probe")
    with pytest.MonkeyPatch.context() as patch, simulator() as endpoint:
        patch.setenv("SIM_KEY", KEY)
        assert endpoint.provider.base_url is not None
        (folder / "providers.yaml").write_text(PROVIDERS.format(url=endpoint.provider.base_url))
        forms = ("--md", "m.md", "--html", "m.html", "--junit", "m.xml", "--lock", "lock.yaml")
        done = harness(folder, "probe", *BOTH, *forms)
        assert done.returncode == 0, done.stderr
        (folder / "printed").write_text(done.stdout + done.stderr)
        yield folder


@pytest.fixture
def run(folder: Path) -> str:
    """The id of that run."""
    return min(path.name for path in (folder / "results" / "runs").iterdir())


def test_the_run_tells_cost_matrix_and_where_things_are(folder: Path) -> None:
    """Before: how many requests and what they cost; after: heads, what is not supported, and the files."""
    printed = (folder / "printed").read_text()
    assert "12 probes, 24 requests, the cost is not known" in printed
    assert re.search(r"error\.unknown_model +core +S ● +B ✕ error body", printed)
    assert "! bad/sim-small says of chat.basic: unsupported; measured: supported (its own pages)" in printed
    for name in ("m.md", "m.html", "m.xml", "lock.yaml"):
        assert "error.unknown_model" in (folder / name).read_text()


def test_what_accuses_is_looked_at_three_times(folder: Path, run: str) -> None:
    """A forced probe that accuses is sent twice more; what any output shows (W) is not."""
    row = json.loads(harness(folder, "probe", "matrix", run, "--json").stdout)
    cells = {one["probe"]: one["cells"] for one in row["probes"]}
    assert cells["sampling.stop_string"]["bad/sim-small"]["samples"] == 3
    assert cells["sampling.stop_string"]["good/sim-small"]["samples"] == 1
    assert cells["error.unknown_model"]["bad/sim-small"]["samples"] == 1


def test_only_differences(folder: Path, run: str) -> None:
    """The filter keeps the probes on which the endpoints differ."""
    printed = harness(folder, "probe", "matrix", run, "--only-differences", "--json").stdout
    assert {row["probe"] for row in json.loads(printed)["probes"]} == {
        *("error.unknown_model", "error.malformed_json", "sampling.stop_string"),
    }


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_evidence_can_be_replayed(folder: Path, run: str) -> None:
    """The curl line of a verdict gives the same answer again, with the key taken from its variable."""
    done = harness(folder, "probe", "show", run, "error.malformed_json", "-e", "bad/sim-small")
    assert "requires  A body that is not JSON gets 400" in done.stdout
    assert '> {"model":' in done.stdout
    assert KEY not in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("curl ")]
    assert '-H "authorization: Bearer $SIM_KEY"' in line
    again = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, timeout=20)
    assert '{"object":"error"' in again.stdout
    assert "400 Bad Request" in again.stdout


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (("show", "tools.requird"), 2, ("tools.required",)),
        (("show", "latest", "tools.requird"), 2, ("tools.required",)),
        (("show", "latest", "tools.required", "-e", "god/sim-small"), 2, ("good/sim-small",)),
        (("show", "a", "b", "c"), 2, ("a RUN and a PROBE",)),
        (("show", "nope", "tools.required"), 2, ("nope",)),
        (("-e", "good/sim-small", "--profile", "smok"), 2, ("smoke",)),
        (("-e", "good/sim-smal"), 2, ("sim-small",)),
        ((), 2, ("--endpoint",)),
        (("-e", "good/sim-small", "--check"), 2, ("--lock",)),
        (("-e", "good/sim-small", "--check", "--lock", "absent.yaml"), 2, ("no such file",)),
        (("-e", "steady-vendor/sim-small", "--check", "--lock", "lock.yaml"), 2, ("steady-vendor/sim-small",)),
        (("-e", "good/sim-small", "--max-requests", "5", "--profile", "smoke"), 2, ("--max-requests 5",)),
        (("matrix", "absent"), 2, ("absent",)),
    ],
)
def test_a_mistake_is_one_clear_line(folder: Path, argv: tuple[str, ...], code: int, words: tuple[str, ...]) -> None:
    """It says what is wrong and offers what was meant."""
    told(harness(folder, "probe", *argv), code, *words)


def test_drift_fails_the_check(folder: Path) -> None:
    """The same server passes; one that began to ignore something fails with exit code 1 and is told by probe."""
    check = ("probe", "-e", "good/sim-small", "--profile", "smoke", "--lock", "lock.yaml", "--check")
    assert harness(folder, *check).returncode == 0
    text = (folder / "providers.yaml").read_text()
    worse = text.replace("    models", '    headers: {x-sim: "mutants=no_done"}\n    models', 1)
    (folder / "drifted.yaml").write_text(worse)
    drifted = harness(folder, *check, "--providers", "drifted.yaml")
    assert drifted.returncode == 1
    assert "drift  good/sim-small  stream.done: supported -> partial" in drifted.stderr
    dead = text.replace("    models", '    headers: {x-sim: "fault=overload_503,retry_after_s=0"}\n    models', 1)
    (folder / "dead.yaml").write_text(dead)
    unsure = harness(folder, *check, "--providers", "dead.yaml")
    assert unsure.returncode == 4, unsure.stderr
    assert "unsure good/sim-small  chat.basic: supported -> untestable" in unsure.stderr


def test_two_runs_are_compared(folder: Path) -> None:
    """Where they have one endpoint each, those are compared, whatever their names."""
    for name in ("good", "bad"):
        done = harness(folder, "probe", "-e", f"{name}/sim-small", "--profile", "smoke", "--results", f"r-{name}")
        assert done.returncode == 0
    runs = [next((folder / f"r-{name}" / "runs").iterdir()) for name in ("good", "bad")]
    (folder / "both" / "runs").mkdir(parents=True)
    ids = [shutil.copytree(run, folder / "both" / "runs" / run.name).name for run in runs]
    assert harness(folder, "db", "rebuild", "--results", "both").returncode == 0
    printed = harness(folder, "probe", "diff", *ids, "--results", "both").stdout
    assert "bad/sim-small  sampling.stop_string: supported -> ignored" in printed
    assert "chat.basic" not in printed


def test_a_newer_probe_judges_an_old_run(folder: Path, run: str) -> None:
    """The recorded exchanges are enough; what was never sent is said to be skipped, and the record stays."""
    tasks = folder / "tasks" / "probes"
    tasks.mkdir(parents=True)
    (tasks / "newer.py").write_text(NEWER)
    try:
        path = folder / "results" / "runs" / run / "journal-0.jsonl"
        journal = path.read_bytes()
        done = harness(folder, "probe", "rejudge", run)
        assert done.returncode == 0, done.stderr
        assert "good/sim-small  chat.newer: not judged -> supported" in done.stderr
        assert path.read_bytes() == journal
        assert "chat.unsent: not judged -> skipped  (unsent was not sent)" in done.stderr
    finally:
        shutil.rmtree(folder / "tasks")
        assert harness(folder, "probe", "rejudge", run).returncode == 0
