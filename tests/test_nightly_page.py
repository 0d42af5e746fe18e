"""docs/nightly.md, carried out to the letter."""

from __future__ import annotations

import json
import re
import shlex
import signal
from pathlib import Path

import pytest
from ci_made import ROOT, read
from made import WAIT_S, begin

from harness import catalog
from harness.catalog.suite import LoadBlock
from harness.catalog.suite import read as read_suite
from harness.gates.of_suite import gate_of
from harness.watch import nights

TEXT = (ROOT / "docs" / "nightly.md").read_text(encoding="utf-8")
COMMANDS = [
    line.partition("   #")[0].strip()
    for block in re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
ENDLESS = ("--every", "--cron")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where mine/llama is a quick simulator."""
    made = tmp_path_factory.mktemp("nightly")
    serve = {"engine": "simulator", "profile": "steady-vendor", "ttft_ms": 1, "itl_ms": 2, "accuracy": 1}
    block = {"kind": "simulated", "models": {"llama": "sim-small"}, "serve": serve}
    (made / "providers.yaml").write_text(json.dumps({"providers": {"mine": block}}))
    return made


@pytest.mark.parametrize("command", [one for one in COMMANDS if not any(word in one for word in ENDLESS)])
def test_every_command_of_the_page_works(folder: Path, command: str) -> None:
    """It ends as the page says: well, or without a verdict against history on the first night."""
    program, *argv = shlex.split(command)
    assert program == "harness"
    with begin(folder, *argv) as process:
        out, err = process.communicate(timeout=4 * WAIT_S)  # a whole night: several hundred requests
    assert process.returncode in ((0, 4) if "run" in argv or "watch" in argv else (0,)), out + err


@pytest.mark.parametrize("command", [one for one in COMMANDS if any(word in one for word in ENDLESS)])
def test_a_watch_of_the_page_waits_for_its_time(folder: Path, command: str) -> None:
    """It says when that is, and ends by Ctrl-C; the one before has made the first run of an interval."""
    results = folder / "results"
    if not nights.of_suite(results, "nightly"):
        nights.folder_of(results).mkdir(parents=True, exist_ok=True)
        nights.add(results, nights.Night("nightly", "2999-01-01T00:00:00+00:00", "pass"))
    with begin(folder, *shlex.split(command)[1:]) as watch:
        assert watch.stdout is not None
        said = [watch.stdout.readline(), watch.stdout.readline()]
        watch.send_signal(signal.SIGINT)
        watch.communicate(timeout=WAIT_S)
    assert "watching nightly" in said[0]
    assert "next run" in said[1]
    assert watch.returncode == 130


def test_the_suite_of_the_page_is_sound(tmp_path: Path) -> None:
    """With everything it names; and every option of a load that there is stands in the text."""
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    path = tmp_path / "mine.yaml"
    path.write_text(block)
    suite, found = read_suite(path), catalog.discover()
    assert gate_of(suite) is not None
    assert all(found.task(name.partition(":")[0]) for name in suite.tasks)
    assert all(found.load(name) for name in suite.loads)
    (listed,) = re.findall(r"The options of a load.*?Paths begin", TEXT, re.DOTALL)
    assert set(re.findall(r"`([a-z_]{3,})`", listed)) == set(LoadBlock.model_fields)


def test_the_inputs_of_the_action_are_told() -> None:
    """Each of them, with its default where that is a word."""
    inputs = read(ROOT / "action.yml")["inputs"]
    table = TEXT[TEXT.index("| input |") : TEXT.index("Outputs:")]
    rows = [row for row in table.splitlines() if row.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([a-z-]+)`", row.split("|")[1])}
    assert named == set(inputs)
    for name in ("simulate", "results", "output", "artifact", "python-version", "suite"):
        assert f"`{inputs[name]['default']}`" in table


def test_shipped_suites_have_sound_gates() -> None:
    """Nightly and pr-smoke are judged, and what they gate is asked of them."""
    found = catalog.discover_suites()
    for name in ("nightly", "pr-smoke"):
        suite = found.suite(name)
        gate = gate_of(suite)
        assert gate is not None
        assert {task for one in gate.gates for task in one.tasks} <= set(suite.loads)
    assert gate_of(found.suite("vendor-choice")) is None
