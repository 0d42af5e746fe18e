"""The recipes of docs/adding.md, carried out to the letter."""

from __future__ import annotations

import ast
import importlib
import json
import re
import sys
import urllib.request
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner
from made import harness, reply
from streamlit.testing.v1 import AppTest

from harness import catalog, config, engines
from harness.cli import cli
from harness.errors import TaskError
from harness.provider import Serve
from harness.store.query import rows
from harness.types import Sample

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "adding.md").read_text(encoding="utf-8")
FOUND = re.findall(r"^```\w+ (\S+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
BLOCKS: dict[str, str] = dict(FOUND)
TRIED = ("practice/sim-small", "practice-faulty/sim-small")


def write(folder: Path, *beginnings: str) -> Path:
    """The folder, after the blocks whose file begins so were written into it."""
    for name, text in BLOCKS.items():
        if name.startswith(beginnings):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return folder


def load_from(folder: Path, package: str, name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module imported as if the folder were a part of the package, and forgotten after the test."""
    parent = importlib.import_module(package)
    monkeypatch.setattr(parent, "__path__", [*parent.__path__, str(folder)])
    monkeypatch.setitem(sys.modules, f"{package}.{name}", ModuleType(name))
    del sys.modules[f"{package}.{name}"]
    monkeypatch.setattr(parent, name, None, raising=False)
    return importlib.import_module(f"{package}.{name}")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A working folder with everything of the page, and what a run of its suite printed."""
    folder = write(tmp_path_factory.mktemp("adding"), "tasks/", "providers.yaml")
    command = next(line for line in TEXT.splitlines() if line.startswith("harness run mine "))
    done = harness(folder, *command.split()[1:])
    assert done.returncode == 0, done.stderr
    assert all(name in command for name in TRIED)
    return folder, done.stdout


def test_every_kind_of_thing_has_one_example() -> None:
    """Each file is named once, stands above its block and ships not already, but for two that are added to."""
    assert [name for name, _ in FOUND] == list(BLOCKS)
    assert {str(Path(name).parent) for name in BLOCKS} == {
        *(".", "tasks/quality", "tasks/tools", "tasks/probes", "tasks/loads", "tasks/suites"),
        *("harness/scorers", "harness/engines", "harness/store/schema", "dashboard/views"),
    }
    assert all(re.search(rf"^`{re.escape(name)}`\n\n```\w+ {re.escape(name)}$", TEXT, re.MULTILINE) for name in BLOCKS)
    assert {name for name in BLOCKS if (ROOT / name).exists()} == {"providers.yaml", "harness/store/schema/load.sql"}


def test_files_that_the_text_points_to_are_there() -> None:
    """A path between backticks is one of the examples or a file of this tree."""
    named = set(re.findall(r"`((?:tasks|harness|dashboard|tests|docs)/[\w./]+)`", TEXT))
    assert {name for name in named - set(BLOCKS) if not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("name", [name for name in BLOCKS if name.endswith(".py")])
def test_every_python_example_compiles(name: str) -> None:
    """Each is a whole module that says in a docstring what it is."""
    assert ast.get_docstring(ast.parse(BLOCKS[name], name))


def test_the_provider_loads(tmp_path: Path) -> None:
    """The blocks are read beside the shipped ones, with the values that were written."""
    providers = config.load_providers(write(tmp_path, "providers.yaml") / "providers.yaml")
    acme = config.endpoint(providers, "acme/acme-large")
    assert (acme.model_id, acme.provider.auth.env) == ("acme-large-2026-10", "ACME_API_KEY")
    assert acme.provider.prices["acme-large"].output_usd_per_mtok == 1.5
    assert [config.endpoint(providers, name).id for name in TRIED] == list(TRIED)


def test_task_load_suite_and_probe_are_found(tmp_path: Path) -> None:
    """The files alone are enough, and each hides nothing that ships."""
    roots = [write(tmp_path, "tasks/") / "tasks", config.shipped("tasks")]
    found = catalog.discover(roots)
    assert found.shadowed == []
    names = (("task", "colours"), ("task", "lamps"), ("load", "long_chat"), ("suite", "mine"))
    assert all(found.files[one].is_relative_to(tmp_path) for one in (*names, ("probe", "stream.names_the_role")))
    prompts = {str(found.load("long_chat").sample(0, index).messages) for index in range(20)}
    assert len(prompts) == 20


def test_the_users_own_data_take_the_place_of_the_items(tmp_path: Path) -> None:
    """The example task reads --data."""
    path = tmp_path / "mine.jsonl"
    path.write_text('{"thing": "grass", "colour": "green"}\n', encoding="utf-8")
    task = catalog.discover([write(tmp_path, "tasks/") / "tasks"]).task("colours")
    assert [sample.target for sample in task.load(path)] == ["green"]


def test_the_suite_runs(ran: tuple[Path, str]) -> None:
    """Both endpoints answer every item right, and the probe tells the faulty endpoint from the sound one."""
    folder, printed = ran
    results = folder / "results"
    assert all(name in printed for name in TRIED)
    assert "stream.names_the_role" in printed
    scored = rows(results, "select endpoint, task, n_correct as n from quality_summary order by all")
    assert [tuple(row.values()) for row in scored] == [
        (endpoint, task, n) for endpoint in sorted(TRIED) for task, n in (("colours", 3), ("heating", 2), ("lamps", 2))
    ]
    verdicts = rows(results, "select endpoint, verdict from feature_matrix where probe = 'stream.names_the_role'")
    assert {row["endpoint"]: row["verdict"] for row in verdicts} == {TRIED[0]: "supported", TRIED[1]: "broken"}
    stages = rows(results, "select distinct stage from load_summary")
    assert len(stages) == 2


def test_the_commands_that_show_it_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told to be run for a look at tasks and providers ends well and names the thing."""
    monkeypatch.chdir(write(tmp_path, "tasks/", "providers.yaml"))
    shown = re.findall(r"`harness ((?:tasks|probe|providers) show \S+)`", TEXT)
    assert len(shown) == 4
    for argv in shown:
        done = CliRunner().invoke(cli, argv.split())
        assert done.exit_code == 0, done.output
        assert argv.split()[-1] in done.output


def test_the_scorer_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A beginning is right in any case, anything else wrong, nothing at all is no answer, a bad target is told."""
    folder = write(tmp_path, "harness/scorers/") / "harness/scorers"
    scorer = load_from(folder, "harness.scorers", "starts_with", monkeypatch).starts_with()

    def value(text: str, target: object = "Yes") -> tuple[float, str | None]:
        said = reply(text)
        score = scorer.score(Sample("1", (), target=target), said)
        return score.value, score.answer

    assert value(" yes, it is ") == (1.0, "yes, it is")
    assert value("no") == (0.0, "no")
    assert value("") == (0.0, None)
    with pytest.raises(TaskError, match="sample 1"):
        value("yes", 7)


def test_the_engine_starts_answers_and_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found by its file's name and repeats what it was told."""
    folder = write(tmp_path, "harness/engines/") / "harness/engines"
    load_from(folder, "harness.engines", "parrot", monkeypatch)
    running = engines.start(Serve("parrot", {}), log_dir=tmp_path)
    try:
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Polly"}]}).encode()
        with urllib.request.urlopen(f"{running.base_url}/chat/completions", body, timeout=10) as answer:
            assert json.load(answer)["choices"][0]["message"]["content"] == "Polly"
    finally:
        running.stop()


def test_the_page_is_drawn(ran: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The page shows the run or says that nothing failed, without an exception."""
    folder = write(ran[0], "dashboard/")
    monkeypatch.setattr(sys, "argv", ["app.py", str(folder / "results")])
    app = AppTest.from_file(folder / "dashboard/views/errors.py", default_timeout=30).run()
    assert not app.exception
    assert len(app.dataframe) == 1 or [text.value for text in app.text][-1] == "Nothing failed."


def test_the_metric_is_a_question_the_database_answers(ran: tuple[Path, str]) -> None:
    """The view's columns are there, those with a unit have a comment, and it has a row for each stage."""
    sql = BLOCKS["harness/store/schema/load.sql"]
    found = rows(ran[0] / "results", sql.partition(" as\n")[2].partition(";")[0])
    assert len(found) == 4
    assert all(row["n"] == 4 and row["wait_p95_ms"] >= 0 for row in found)
    commented = set(re.findall(r"comment on column wait_summary\.(\w+) is", sql))
    assert commented == set(found[0]) - {"run_id", "endpoint", "stage"}
