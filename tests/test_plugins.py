"""Packages that add scorers and tasks: found on Python's path, imported when they are used, and never in the way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from made import environment, harness, told

from harness import catalog
from harness.plugins import plugins
from harness.scorers import by_name

SCORER = '''
"""A scorer and tasks of somebody else."""
from harness.types import Sample, Score, Scorer, Task

def polite(word: str = "please", *, twice: bool = False) -> Scorer:
    """Whether the answer is polite."""
    def score(sample, completion):
        return Score(float(completion.text.count(word) > twice), completion.text, word, f"polite({word})", 3)
    return Scorer(f"polite({word})", 3, score)

FIXED = polite("thanks")

def load(data):
    asked = {"role": "user", "content": "Repeat exactly: please"}
    yield Sample("1", (asked,), target="please", params={"max_tokens": 8})

MANNERS = Task("manners", 1, "quality", "Says please.", load, polite())
BOTH = (MANNERS, Task("thanks", 1, "quality", "Says thanks.", load, FIXED))
WRONG = 7
'''
FOLDER_TASK = SCORER.replace("MANNERS = ", "TASK = ").split("BOTH")[0].replace('"manners"', '"in-a-folder"')
SCORERS = {
    "polite": "manners_kit:polite",
    "thankful": "manners_kit:FIXED",
    "torn": "manners_kit:gone",
    "seven": "manners_kit:WRONG",
}
TASKS = {"all": "manners_kit:BOTH", "folder": "manners_tasks", "torn": "manners_broken", "seven": "manners_kit:WRONG"}


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder of Python's path with a package and what an installer notes of it."""
    site = tmp_path / "site"
    info = site / "manners_kit-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: manners-kit\nVersion: 1.2\n")
    groups = (("scorers", SCORERS), ("tasks", TASKS))
    lines = [
        f"[endpoint_harness.{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in groups
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    (site / "manners_kit.py").write_text(SCORER)
    (site / "manners_broken.py").write_text('raise RuntimeError("half\\ninstalled")\n')
    (site / "manners_tasks").mkdir()
    (site / "manners_tasks" / "__init__.py").write_text("")
    (site / "manners_tasks" / "one.py").write_text(FOLDER_TASK)
    return site


def run(folder: Path, site: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """The command line with the folder on Python's path."""
    root = str(Path(__file__).parents[1])
    return harness(folder, *argv, env=environment(PYTHONPATH=f"{site}:{root}"))


def test_a_package_adds_scorers_and_tasks(tmp_path: Path, installed: Path) -> None:
    """Both work from the command line, with options and in all their forms; the scores carry their names."""
    (tmp_path / "mine.jsonl").write_text(
        '{"question": "Repeat exactly: please please", "scorer": "polite:twice"}\n'
        '{"question": "Repeat exactly: thanks", "scorer": "thankful"}\n'
        '{"question": "Repeat exactly: cheers", "scorer": "polite:cheers"}\n'
    )
    tasks = ("mine.jsonl", "manners", "thanks", "in-a-folder")
    done = run(tmp_path, installed, "eval", *tasks, "-e", "steady-vendor/sim-small", "--json")
    assert done.returncode == 0, done.stderr
    query = "select task, scorer, value, version from scores order by all"
    rows = json.loads(run(tmp_path, installed, "sql", query, "--json").stdout)
    assert [tuple(row.values()) for row in rows] == [
        ("in-a-folder", "polite(please)", 1.0, 3),
        ("manners", "polite(please)", 1.0, 3),
        ("mine", "polite(cheers)", 1.0, 3),
        ("mine", "polite(please)", 1.0, 3),
        ("mine", "polite(thanks)", 1.0, 3),
        ("thanks", "polite(thanks)", 0.0, 3),
    ]


def test_lists_show_them_and_tell_of_broken_ones(tmp_path: Path, installed: Path) -> None:
    """A package that cannot be imported is one line with its name; the list is whole and the command ends well."""
    done = run(tmp_path, installed, "tasks", "list", "--json")
    assert done.returncode == 0
    names = {row["name"]: row["file"] for row in json.loads(done.stdout)}
    assert {"manners", "thanks", "in-a-folder", "arithmetic"} <= set(names)
    assert "manners-kit 1.2" in names["manners"]
    why = "RuntimeError: half installed"
    assert done.stderr.splitlines() == [
        f"harness: plug-in 'torn' of manners-kit 1.2 cannot be used: {why}. Mend or uninstall the package",
        "harness: plug-in 'seven' of manners-kit 1.2 gives 7, not a Task, a tuple of Tasks or a folder of them",
    ]
    shown = run(tmp_path, installed, "tasks", "scorers")
    assert "manners-kit 1.2" in shown.stdout
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Says please." in run(tmp_path, installed, "tasks", "show", "manners").stdout


def test_a_broken_one_is_told_where_it_could_be_meant(tmp_path: Path, installed: Path) -> None:
    """Whoever names it, or a task that nobody has, hears of it; all others do not."""
    (tmp_path / "mine.jsonl").write_text('{"question": "a", "answer": "b"}\n')
    one = ("eval", "mine.jsonl", "-e", "steady-vendor/sim-small", "--dry-run", "--scorer")
    told(run(tmp_path, installed, *one, "torn"), 2, "plug-in 'torn' of manners-kit 1.2 cannot be used", "gone")
    told(run(tmp_path, installed, *one, "seven"), 2, "gives 7, not a Scorer")
    told(run(tmp_path, installed, *one, "polit"), 2, "unknown scorer 'polit'", "Did you mean polite")
    told(run(tmp_path, installed, *one, "polite:a,often"), 2, "unknown option of the scorer polite 'often'")
    told(run(tmp_path, installed, *one, "thankful:a"), 2, "the scorer thankful has no options")
    unknown = run(tmp_path, installed, "eval", "maners", "-e", "steady-vendor/sim-small")
    told(unknown, 2, "unknown task 'maners'. Did you mean manners", "plug-in 'torn' of manners-kit 1.2")
    for argv in (("eval", "arithmetic:1", "-e", "steady-vendor/sim-small", "--dry-run"), (*one, "exact")):
        done = run(tmp_path, installed, *argv)
        assert (done.returncode, done.stderr) == (0, "")


def test_no_package_is_imported_before_it_is_used(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Finding them reads what the installer noted, and a task with a file needs not even that."""
    monkeypatch.syspath_prepend(str(installed))
    assert plugins("scorers")["polite"].package == "manners-kit 1.2"
    assert {"polite", "torn"} <= {one.name for one in by_name.known()}
    found = catalog.discover()
    assert found.task("arithmetic").name == "arithmetic"
    assert found.plugged == set()
    assert "manners_kit" not in sys.modules


def test_a_file_of_the_users_own_comes_before_a_plug_in(
    tmp_path: Path, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is the file's, and the list says what is hidden."""
    monkeypatch.syspath_prepend(str(installed))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "own.py").write_text(FOLDER_TASK.replace('"in-a-folder"', '"manners"'))
    try:
        found = catalog.discover()
        found.add_plugins()
        found.add_plugins()
    finally:
        for name in [name for name in sys.modules if name.startswith("manners_")]:
            del sys.modules[name]
    assert found.files["task", "manners"] == tmp_path / "tasks" / "own.py"
    assert [one.name for one in found.shadowed] == ["manners"]
    assert len(found.broken) == 2
