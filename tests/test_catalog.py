"""Discovery: what is found, who wins, and how a broken file is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness import catalog, config
from harness.errors import TaskError, UnknownName

TASK = """
from harness.scorers.exact import exact
from harness.types import Task

TASK = Task(
    name="{name}", version={version}, kind="quality", description="", load=lambda data: iter(()), scorer=exact()
)
"""


def write(root: Path, name: str, text: str) -> Path:
    """The path of a file below a root of tasks, after it was written."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_files_of_other_kinds_are_not_imported(tmp_path: Path) -> None:
    """A command that wants loads does not wait for tasks, and is not stopped by a broken one."""
    write(tmp_path, "one.py", TASK.format(name="one", version=1))
    write(tmp_path, "broken.py", "from harness.types import Task\nTASK = Task(1 / 0)\n")
    write(
        tmp_path,
        "calm.py",
        "from harness.run.arrivals import Closed\nfrom harness.types import Load, Sample\n"
        "LOAD = Load('calm', 1, '', (Closed(1),), 1, lambda seed, index: Sample(str(index), ()))\n",
    )
    found = catalog.discover([tmp_path], only=("LOAD",))
    assert (list(found.loads), list(found.tasks)) == (["calm"], [])
    with pytest.raises(TaskError, match=r"broken\.py line 2"):
        catalog.discover([tmp_path])


def test_every_kind_is_found_wherever_its_file_lies(tmp_path: Path) -> None:
    """TASK, TASKS, LOAD and PROBES are collected from any depth, suites from their folder; getters return them."""
    write(tmp_path, "deep/er/one.py", TASK.format(name="one", version=1))
    write(tmp_path, "two.py", TASK.format(name="two", version=1) + "TASKS = (TASK,)\ndel TASK\n")
    write(
        tmp_path,
        "rest.py",
        "from types import SimpleNamespace\n"
        "from harness.types import Load\n"
        "LOAD = Load('l', 1, '', (), 1, lambda seed, index: None)\n"
        "PROBES = (SimpleNamespace(id='p.1'), SimpleNamespace(id='p.2'))\n",
    )
    write(tmp_path, "suites/s.yaml", "tasks: [one]\n")
    found = catalog.discover([tmp_path])
    assert sorted(found.tasks) == ["one", "two"]
    assert (found.task("one").name, found.load("l").name, found.suite("s").name) == ("one", "l", "s")
    assert list(found.probes) == ["p.1", "p.2"]
    assert found.probe("p.2").id == "p.2"
    assert found.files["task", "one"] == tmp_path / "deep/er/one.py"


def test_an_unknown_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    """A typing mistake costs one line, not a search."""
    write(tmp_path, "one.py", TASK.format(name="arithmetic", version=1))
    with pytest.raises(UnknownName, match=r"unknown task 'aritmetic'\. Did you mean arithmetic"):
        catalog.discover([tmp_path]).task("aritmetic")


def test_the_earlier_root_wins_and_says_so(tmp_path: Path) -> None:
    """A user's file takes the name of a shipped one, which is recorded; the same folder twice is one folder."""
    mine = write(tmp_path / "mine", "a.py", TASK.format(name="same", version=7))
    theirs = write(tmp_path / "shipped", "a.py", TASK.format(name="same", version=1))
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    found = catalog.discover([tmp_path / "mine", tmp_path / "link", tmp_path / "shipped"])
    assert found.task("same").version == 7
    assert found.shadowed == [catalog.Shadowed("same", mine, theirs)]


def test_the_working_folder_comes_before_what_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without roots, ./tasks is first, and everything shipped is there too."""
    mine = write(tmp_path / "tasks", "a.py", TASK.format(name="arithmetic", version=99))
    monkeypatch.chdir(tmp_path)
    found = catalog.discover()
    assert found.task("arithmetic").version == 99
    assert found.files["task", "arithmetic"] == mine
    assert found.files["suite", "demo"].is_relative_to(config.shipped("tasks"))


def test_two_of_one_name_in_one_root_are_refused(tmp_path: Path) -> None:
    """Both files are named."""
    write(tmp_path, "a.py", TASK.format(name="same", version=1))
    write(tmp_path, "b.py", TASK.format(name="same", version=1))
    with pytest.raises(TaskError, match=r"two tasks are called 'same': .*a\.py and .*b\.py"):
        catalog.discover([tmp_path])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import harness\n\n1 / 0\n", r"broken\.py line 3: ZeroDivisionError: division by zero"),
        ("import harness\ndef f(:\n", r"broken\.py line 2: SyntaxError: invalid syntax"),
        ("TASK = Task()\n", r"broken\.py line 1: NameError: name 'Task' is not defined"),
        ("import harness.nothing\n", r"broken\.py line 1: ModuleNotFoundError: No module named 'harness\.nothing'"),
        ("import harness, sys\nsys.exit(3)\n", r"broken\.py line 2: SystemExit: 3"),
        ("TASK = {}\n", r"broken\.py: TASK holds a dict, not a Task of harness\.types"),
        ("TASKS = {}\n", r"broken\.py: TASKS is a tuple, this is a dict"),
        ("LOAD: object = 1\n", r"broken\.py: LOAD holds a int, not a Load"),
        ("PROBES = (1,)\n", r"broken\.py: PROBES holds a int, not a probe with an id"),
    ],
    ids=range(9),
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    """A user's mistake in a task file is one line with file, line and error."""
    write(tmp_path, "broken.py", text)
    with pytest.raises(TaskError, match=message) as told:
        catalog.discover([tmp_path])
    assert "\n" not in str(told.value)


_WHOLE = """
from harness.run.arrivals import Closed
from harness.scorers.numeric import numeric
from harness.types import Load, Scorer, Slo, Task

def none(*given):
    return iter(())

task = dict(name="mine", version=1, kind="quality", description="", load=none, scorer=numeric())
load = dict(name="mine", version=1, description="", levels=(Closed(1),), requests_per_level=1, sample=none)
"""


@pytest.mark.parametrize(
    ("constant", "message"),
    [
        (
            "TASK = Task(**task | {'scorer': numeric})",
            "TASK.scorer must be a Scorer; write numeric() with its brackets",
        ),
        ("TASK = Task(**task | {'scorer': none})", "TASK.scorer must be a Scorer, not a function"),
        ("TASK = Task(**task | {'scorer': 'numeric'})", "TASK.scorer must be a Scorer, not 'numeric'"),
        (
            "TASK = Task(**task | {'scorer': Scorer('s', '1', none)})",
            "TASK.scorer.version must be a whole number, not '1'",
        ),
        ("TASK = Task(**task | {'version': 'a'})", "TASK.version must be a whole number, not 'a'"),
        ("TASK = Task(**task | {'version': True})", "TASK.version must be a whole number, not True"),
        (
            "TASK = Task(**task | {'kind': 'qualty'})",
            "TASK.kind must be 'quality' or 'tools', not 'qualty'. Did you mean quality?",
        ),
        ("TASK = Task(**task | {'kind': ['tools']})", "TASK.kind must be 'quality' or 'tools', not a list"),
        ("TASK = Task(**task | {'name': ''})", "TASK.name must be a name of letters, digits and _ . -, not ''"),
        ("TASK = Task(**task | {'name': 'a:b'})", "TASK.name must be a name of letters, digits and _ . -, not 'a:b'"),
        ("TASK = Task(**task | {'name': 'a\\n'})", "TASK.name must be a name of letters, digits and _ . -, not 'a\\n'"),
        ("TASK = Task(**task | {'name': ['a']})", "TASK.name must be a name of letters, digits and _ . -, not a list"),
        ("TASK = Task(**task | {'load': none()})", "TASK.load must be a function, not a tuple_iterator"),
        ("TASK = Task(**task | {'stream': 'no'})", "TASK.stream must be True or False, not 'no'"),
        ("TASKS = [Task(**task), Task(**task | {'version': 1.5})]", "TASKS[1].version must be a whole number, not 1.5"),
        (
            "LOAD = Load(**load | {'levels': Closed(1)})",
            "LOAD.levels must be a tuple of arrival laws, as in (Closed(1),), not a Closed",
        ),
        (
            "LOAD = Load(**load | {'levels': (Closed,)})",
            "LOAD.levels must be a tuple of arrival laws, as in (Closed(1),), not a tuple",
        ),
        (
            "LOAD = Load(**load | {'requests_per_level': 0})",
            "LOAD.requests_per_level must be a whole number above 0, or None, not 0",
        ),
        ("LOAD = Load(**load | {'sample': None})", "LOAD.sample must be a function, not None"),
        ("LOAD = Load(**load | {'warmup': -1})", "LOAD.warmup must be a whole number, 0 or more, not -1"),
        ("LOAD = Load(**load | {'slo': 500})", "LOAD.slo must be an Slo, not 500"),
        (
            "LOAD = Load(**load | {'slo': Slo(ttft_ms='5')})",
            "LOAD.slo.ttft_ms must be a number of milliseconds above 0, or None, not '5'",
        ),
    ],
)
def test_a_field_of_a_wrong_type_is_named_with_its_file(tmp_path: Path, constant: str, message: str) -> None:
    """A mistake in a constant is told when its file is read, and names that file alone."""
    path = write(tmp_path, "mine.py", _WHOLE + constant + "\n")
    write(tmp_path, "sound.py", TASK.format(name="sound", version=1))
    with pytest.raises(TaskError) as told:
        catalog.discover([tmp_path])
    assert str(told.value) == f"{path}: {message}"


def test_a_sound_constant_of_each_kind_is_taken(tmp_path: Path) -> None:
    """The fields that the mistakes above are made in are right as they stand."""
    write(tmp_path, "mine.py", _WHOLE + "TASK, LOAD = Task(**task), Load(**load)\n")
    found = catalog.discover([tmp_path])
    assert (list(found.tasks), list(found.loads)) == (["mine"], ["mine"])


def test_the_files_of_other_programs_are_not_imported(tmp_path: Path) -> None:
    """A folder tasks that belongs to something else is left alone."""
    write(tmp_path, "worker.py", "raise SystemError('celery is no task of ours')\n")
    assert catalog.discover([tmp_path]).tasks == {}


def test_a_root_that_is_no_folder_is_told(tmp_path: Path) -> None:
    """A path given on purpose must be there."""
    with pytest.raises(TaskError, match="no such folder of tasks"):
        catalog.discover([tmp_path / "nowhere"])


def test_discovery_loads_no_heavy_library() -> None:
    """Listing what there is imports neither data sets nor the database nor a client."""
    script = (
        "import sys; from harness import catalog; catalog.discover();"
        "print([m for m in ('datasets', 'pandas', 'pyarrow', 'duckdb', 'openai', 'streamlit') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
