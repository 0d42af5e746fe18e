"""Suites in YAML: what is read, what is refused and where, and that one runs as it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made import harness, told

from harness import catalog
from harness.catalog.suite import read
from harness.errors import ConfigError
from harness.record.folder import open_run
from harness.run.selecting.selection import Selection

WHOLE = """
description: What a night asks.
tasks: ["arithmetic:2", mine.jsonl]
repeats: 2
probes: smoke
loads:
  chat: {concurrency: [1, 2], requests: 4, warmup: 0, slo: "ttft_p95<800ms", duration: 10m}
  short_chat:
endpoints: [quick/sim-small]
judges: [quick/sim-small]
gate: {slos: {ttft_p95_ms: 800}}
"""
PROVIDERS = """
providers:
  quick:
    kind: simulated
    models: {sim-small: sim-small}
    serve: {engine: simulator, profile: steady-vendor, ttft_ms: 0, itl_ms: 0}
"""


def written(folder: Path, text: str, name: str = "tasks/suites/night.yaml") -> Path:
    """A file of this text."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_all_that_a_suite_can_say_is_read(tmp_path: Path) -> None:
    """Its name is its file's; numbers of a list go into the notation of the command line."""
    suite = read(written(tmp_path, WHOLE))
    assert (suite.name, suite.tasks, suite.repeats, suite.probes) == (
        "night",
        ("arithmetic:2", "mine.jsonl"),
        2,
        "smoke",
    )
    assert suite.loads == {
        "chat": {"concurrency": "1,2", "requests": 4, "warmup": 0, "slo": "ttft_p95<800ms", "duration": "10m"},
        "short_chat": {},
    }
    assert (suite.endpoints, suite.judges) == (("quick/sim-small",), ("quick/sim-small",))
    assert suite.gate == {"slos": {"ttft_p95_ms": 800}}
    assert suite.place("tasks", 1).endswith("night.yaml:3: tasks[1]")
    assert read(written(tmp_path, "loads: [chat]\ngate: g.yaml\n")).gate == "g.yaml"


WRONG = {
    "empty": ("", "night.yaml:1: the suite is empty; it says tasks:"),
    "nothing asked": ("description: a\n", "night.yaml:1: the suite is empty"),
    "a mistyped field": ("taks: [a]\n", "night.yaml:1: taks: unknown field. Did you mean tasks?"),
    "a mistyped option": (
        "loads:\n  chat:\n    concurency: 4\n",
        "night.yaml:3: loads.chat.concurency: unknown field. Did you mean concurrency?",
    ),
    "a task twice": ("tasks: [a, a]\n", "night.yaml:1: tasks: 'a' is named twice"),
    "tasks as text": ("tasks: a\n", "night.yaml:1: tasks: must be a list"),
    "a task that is a number": ("tasks:\n  - 7\n", "night.yaml:2: tasks[0]: must be text"),
    "loads as text": ("loads: chat\n", "loads: must be a list of names, or a mapping"),
    "a load that is a number": ("loads: [7]\n", "loads: must be a list of names, or a mapping"),
    "options that are none": ("loads: {chat: 7}\n", "loads.chat: must be a mapping"),
    "requests of none": ("loads: {chat: {requests: 0}}\n", "loads.chat.requests: must be greater than 0"),
    "too many blocks": ("loads: {chat: {repeats: 1000}}\n", "loads.chat.repeats: must be less than or equal to 100"),
    "a gate that is a list": ("tasks: [a]\ngate: [1]\n", "night.yaml:2: gate: must be a gate (a mapping), or the path"),
    "a key": ("tasks: [sk-0123456789abcdef]\n", "looks like a key"),
    "a list": ("- a\n", "night.yaml:1: "),
    "a tag": ("tasks: !!python/object:os.system []\n", "take the !tag away"),
}


@pytest.mark.parametrize(("text", "words"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    """One line: file, line, field, what is wrong, and the nearest name."""
    with pytest.raises(ConfigError) as found:
        read(written(tmp_path, text))
    assert words in str(found.value)
    assert len(str(found.value).splitlines()) == 1


NOT_THERE = {
    "a task": ("tasks: [aritmetic]\n", "night.yaml:1: tasks[0]: unknown task 'aritmetic'. Did you mean arithmetic?"),
    "a load": ("loads: {caht: {requests: 2}}\n", "night.yaml:1: loads.caht: unknown load 'caht'. Did you mean chat?"),
    "a plain load": ("loads: [caht]\n", "night.yaml:1: loads.caht: unknown load 'caht'"),
    "levels twice": ("loads: {chat: {rate: 1, concurrency: 2}}\n", "--concurrency and --rate cannot go together"),
    "no time": ("loads: {chat: {duration: soon}}\n", "loads.chat: 'soon' is no time above 0"),
    "an objective": ("loads: {chat: {slo: fast}}\n", "night.yaml:1: loads.chat: "),
    "prompts": ("loads: {chat: {prompts: gone.jsonl}}\n", "loads.chat: there is no file "),
    "a profile": ("probes: smok\n", "smok"),
}


@pytest.mark.parametrize(("text", "words"), NOT_THERE.values(), ids=NOT_THERE)
def test_what_a_suite_names_must_be_there(tmp_path: Path, text: str, words: str) -> None:
    """Before anything is sent, in one line, with exit code 2."""
    written(tmp_path, text)
    assert words in told(harness(tmp_path, "run", "night", "-e", "steady-vendor/sim-small", "--dry-run"), 2)


def test_somebody_must_be_asked(tmp_path: Path) -> None:
    """By the command line or by the suite."""
    written(tmp_path, "tasks: [arithmetic:1]\n")
    told(harness(tmp_path, "run", "night"), 2, "nobody is named to be asked", "--endpoint PROVIDER/MODEL")


def test_a_users_suite_hides_the_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And both are told of; a path is a suite as well."""
    mine = written(tmp_path, "tasks: [arithmetic:1]\n", "tasks/suites/demo.yaml")
    monkeypatch.chdir(tmp_path)
    found = catalog.discover_suites()
    assert found.suite("demo").tasks == ("arithmetic:1",)
    assert [one.used for one in found.shadowed] == [mine]
    elsewhere = written(tmp_path, "tasks: [logic]\n", "ci/pr.yaml")
    assert found.suite(str(elsewhere)).name == "pr"
    with pytest.raises(ConfigError, match="there is no such file"):
        found.suite("gone.yaml")


def test_a_suite_runs_as_it_says(tmp_path: Path) -> None:
    """Its own endpoints, a data file beside it, its options for each load; resuming plans the very same."""
    written(tmp_path, PROVIDERS, "providers.yaml")
    written(tmp_path, '{"question": "Say 4", "target": "4", "scorer": "exact"}\n', "tasks/suites/mine.jsonl")
    text = WHOLE.replace("judges: [quick/sim-small]\n", "").replace("probes: smoke\n", "")
    written(tmp_path, text[: text.index("gate:")].replace(", duration: 10m", ""))
    done = harness(tmp_path, "suite", "run", "night")
    assert done.returncode == 0, done.stderr
    manifest = open_run(tmp_path / "results", "latest").read_manifest()
    assert manifest["suite"] == "night"
    levels = {row["name"]: [(one["law"], one["n"]) for one in row["levels"]] for row in manifest["loads"]}
    assert levels == {"chat": [("c1", 4), ("c2", 4)], "short_chat": [("c1", 12), ("c4", 12), ("c8", 12)]}
    assert [(row["name"], row["n"]) for row in manifest["tasks"]] == [("arithmetic", 2), ("mine", 1)]
    selection = Selection.from_json(json.loads(json.dumps(manifest["selection"])))
    assert selection.of_load("chat").changes.requests == 4
    assert selection.of_load("short_chat").changes.requests is None
    again = harness(tmp_path, "resume", "latest")
    assert again.returncode == 0, again.stderr


def test_suites_are_listed_and_shown(tmp_path: Path) -> None:
    """As a table or as JSON; a broken one is told, and the others go on."""
    written(tmp_path, WHOLE)
    written(tmp_path, "taks: []\n", "tasks/suites/broken.yaml")
    listed = harness(tmp_path, "suite", "list", "--json")
    assert next(row["name"] for row in json.loads(listed.stdout)) == "night"
    assert "broken.yaml:1: taks" in listed.stderr
    shown = harness(tmp_path, "suite", "show", "night")
    assert "chat (concurrency 1,2, requests 4" in shown.stdout
    assert json.loads(harness(tmp_path, "suite", "show", "night", "--json").stdout)["gate"] == {
        "slos": {"ttft_p95_ms": 800}
    }
    assert "Did you mean night" in told(harness(tmp_path, "suite", "show", "nigt"), 2)


def test_every_shipped_suite_says_what_it_is() -> None:
    """In a sentence."""
    found = catalog.discover_suites()
    assert all(found.suite(name).description for name in found.suites)
