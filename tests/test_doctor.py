"""`harness doctor` says on one screen what is so and how to mend it; `harness completion` gives click's script."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from made import environment, harness

from harness import engines
from harness.cli import COMMANDS, GROUPS
from harness.cli.doctor import plug_ins
from harness.doctor import machine, packages, surroundings
from harness.report.plugged import Plugged

REQUIRES = (
    "click>=8.3,<9",
    "uvloop>=0.23; sys_platform != 'win32'",
    "winthing>=1; sys_platform == 'win32'",
    'xllamacpp>=2026.10; extra == "local"',
    'tokenizers>=0.23; extra == "tokenizer"',
    'ruff>=0.17; extra == "dev"',
)


@pytest.mark.parametrize(
    ("installed", "states", "said"),
    [
        (
            {"click": "8.5.1", "uvloop": "0.23.0", "xllamacpp": "2026.11"},
            ["ok", "ok"],
            "local installed; tokenizer not",
        ),
        ({"click": "8.5.1", "uvloop": "0.23.0"}, ["ok", "note"], "none installed; local, tokenizer not"),
        (
            {"click": "8.1.0", "uvloop": "0.23.0", "xllamacpp": "2026.11"},
            ["wrong", "ok"],
            "click 8.1.0 is not <9,>=8.3",
        ),
        ({"click": "8.5.1", "xllamacpp": "2026.11"}, ["wrong", "ok"], "uvloop is not installed"),
        (
            {"click": "8.5.1", "uvloop": "1", "xllamacpp": "2025.1"},
            ["wrong", "ok"],
            "xllamacpp 2025.1 is not >=2026.10",
        ),
    ],
)
def test_packages_are_held_against_the_bounds(installed: dict[str, str], states: list[str], said: str) -> None:
    """What is missing or out of bounds is wrong, an extra that is not there is told, another system's is not."""
    found = packages.judged(REQUIRES, installed.get)
    assert [one.state for one in found] == states
    assert said in " ".join(one.told for one in found)
    assert all(one.mend for one in found if one.state != "ok")


@pytest.mark.parametrize(
    ("cpu", "memory", "state", "words"),
    [
        ("max 100000", "max", None, "cores"),
        ("150000 100000", "max", "note", "1.5 cores"),
        ("50000 100000", "max", "note", "may use 0.5 cores"),
        ("max 100000", "1000000000", "note", "1.0 GB; its container bounds the memory"),
        ("", "", None, "cores"),
        ("rubbish", "more rubbish", None, "cores"),
    ],
)
def test_a_containers_bounds_are_read(tmp_path: Path, cpu: str, memory: str, state: str | None, words: str) -> None:
    """Quota over period is a share of cores, and a bound of memory counts where it is below the machine's."""
    (tmp_path / "cpu.max").write_text(cpu)
    (tmp_path / "memory.max").write_text(memory)
    found = machine.cores(tmp_path)
    assert words in found.told
    assert state is None or found.state == state


def test_every_engine_is_looked_for() -> None:
    """Each that runs a program of another name is in the table; the others are packages, commands or our own."""
    ours = {"command", "simulator", "llama_cpp", "llama_cpp_python"}
    names = {one.name for one in pkgutil.iter_modules(engines.__path__)}
    startable = {name for name in names if hasattr(importlib.import_module(f"harness.engines.{name}"), "start")}
    assert startable - ours == set(surroundings.PROGRAMS)


def test_a_proxy_is_named_and_its_value_is_not() -> None:
    """The variable may hold a password."""
    found = surroundings.proxies({"https_proxy": "http://me:secret@proxy:1"})
    assert found is not None
    assert "HTTPS_PROXY" in found.told
    assert "secret" not in str(found)
    assert surroundings.proxies({"NO_PROXY": "*"}) is None


def test_the_whole_screen(tmp_path: Path) -> None:
    """Nothing is wrong on a machine that runs these tests, in a folder that has nothing yet; keys go by name alone."""
    env = environment(GROQ_API_KEY="gsk_not_to_be_shown_123")
    done = harness(tmp_path, "doctor", "--json", env=env)
    found = {one["what"]: one for one in json.loads(done.stdout)}
    assert done.returncode == 0, done.stdout
    assert {"python", "packages", "machine", "open files", "wall clock", "keys", "results", "sandbox"} <= set(found)
    assert "GROQ_API_KEY set" in found["keys"]["told"]
    assert "gsk_not" not in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("problems", "state", "told"),
    [
        ([], "ok", "none installed"),
        ([None, None], "ok", "2, from 1 package"),
        ([None, "parrot is no scorer"], "note", "2, from 1 package; parrot is no scorer"),
    ],
)
def test_plug_ins_are_counted_and_the_unusable_named(problems: list[str | None], state: str, told: str) -> None:
    """One that does not load is a note with its reason: the rest of the tool works."""
    found = plug_ins([Plugged("scorers", "parrot", "birds 1.0", problem) for problem in problems])
    assert (found.state, found.told) == (state, told)
    assert bool(found.mend) == (state == "note")


def test_what_has_to_be_mended_gives_exit_code_1(tmp_path: Path) -> None:
    """A damaged database and a mistake in providers.yaml, each with its way out, all on one screen."""
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "harness.duckdb").write_bytes(b"no database")
    (tmp_path / "providers.yaml").write_text("providers:\n  mine: {kind: locul}\n")
    done = harness(tmp_path, "doctor")
    assert done.returncode == 1
    assert "harness db rebuild" in done.stdout
    assert "providers.yaml" in done.stdout
    assert len(done.stdout.splitlines()) <= 40


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_gives_the_shells_script(tmp_path: Path, shell: str) -> None:
    """It calls harness back by its own variable."""
    done = harness(tmp_path, "completion", shell)
    assert done.returncode == 0
    assert "_HARNESS_COMPLETE" in done.stdout


@pytest.mark.parametrize(
    ("words", "offered", "not_offered"),
    [
        ("harness re", {"report", "resume"}, {"worker", "run"}),
        ("harness load --conc", {"--concurrency"}, set()),
        ("harness db re", {"rebuild"}, set()),
        ("harness nothing --x", set(), {"report"}),
    ],
)
def test_commands_and_options_are_completed(words: str, offered: set[str], not_offered: set[str]) -> None:
    """Of the whole without importing any command; an unknown one offers nothing and says nothing."""
    steering = {"_HARNESS_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    argv = [sys.executable, "-c", "from harness.cli import main; main()"]
    done = subprocess.run(argv, env={**os.environ, **steering}, capture_output=True, text=True, check=False)
    found = {line.partition(",")[2] for line in done.stdout.splitlines()} - {""}
    assert offered <= found
    assert not found & not_offered
    assert done.stderr == ""


def test_every_command_is_in_one_group(tmp_path: Path) -> None:
    """No group names what is not there; the whole help is one screen of 80 columns."""
    grouped = [name for names in GROUPS.values() for name in names]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) <= set(COMMANDS)
    shown = harness(tmp_path, "--help", env=environment(COLUMNS="80")).stdout.splitlines()
    assert len(shown) <= 50
    assert max(map(len, shown)) <= 80
