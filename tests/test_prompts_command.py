"""The user's own prompts from the command line, against the simulator: runs, new scores, mistakes, new tasks."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from made import harness, told

from harness.catalog import discover
from harness.cli import main
from harness.scorers.choice import VERSION as CHOICE
from harness.store.query import rows

ENDPOINTS = ("-e", "one/m", "-e", "two/m")
SUITE = """
prompts: ['Repeat exactly: {{word}}']
tests:
  - {vars: {word: paris}, assert: [{type: icontains, value: PARIS}]}
  - {vars: {word: rome}, assert: [{type: not-contains, value: rome}]}
"""
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A working folder with two endpoints and files of prompts."""
    serve = '{engine: simulator, profile: "null"}'
    blocks = (f"  {name}: {{kind: simulated, serve: {serve}, models: {{m: sim-small}}}}\n" for name in ("one", "two"))
    (tmp_path / "providers.yaml").write_text("providers:\n" + "".join(blocks))
    (tmp_path / "my.jsonl").write_text(
        '{"id": "a", "question": "Repeat exactly: 42", "answer": 42}\n'
        '{"id": "b", "question": "Repeat exactly: 7", "answer": 8, "level": 2}\n'
    )
    (tmp_path / "table.csv").write_text('question,choices,answer\n"Repeat exactly: B",red|blue,blue\n')
    (tmp_path / "evals.jsonl").write_text(
        '{"input": [{"role": "user", "content": "Repeat exactly: Hello"}], "ideal": ["Hi", "Hel"]}\n'
    )
    (tmp_path / "promptfooconfig.yaml").write_text(SUITE)
    return tmp_path


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line in this process."""
    for name in [name for name in os.environ if name.startswith("HARNESS_")]:
        monkeypatch.delenv(name)

    def run(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(folder)
        with pytest.raises(SystemExit) as ended:
            main(list(argv))
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return subprocess.CompletedProcess(argv, ended.value.code, out, err)

    return run


def test_a_file_and_a_scorer_are_enough(here: Path) -> None:
    """Two endpoints get the same prompts, the scores are in the table and in the database."""
    done = harness(here, "eval", "my.jsonl", "--scorer", "numeric", *ENDPOINTS)
    assert done.returncode == 0, done.stderr
    assert "one/m" in done.stdout
    assert "50 %" in done.stdout
    found = rows(here / "results", "select endpoint, sample, value, scorer from scores order by all")
    assert [tuple(one.values()) for one in found] == [
        (endpoint, sample, value, "numeric")
        for endpoint in ("one/m", "two/m")
        for sample, value in (("a", 1), ("b", 0))
    ]


def test_files_suites_and_named_tasks_run_together(here: Path) -> None:
    """Each with its own scorer and limit; a run remembers all of them, and is scored again without a request."""
    words = ("my.jsonl:1", "promptfooconfig.yaml", "evals.jsonl", "arithmetic:1")
    done = harness(here, "eval", *words, "--scorer", "includes:start", "--target", "ideal", "-e", "one/m")
    told(done, 2, "my.jsonl line 1: no column 'ideal'")
    (here / "my.jsonl").write_text('{"question": "Repeat exactly: Hello", "ideal": "Hell"}\n')
    done = harness(here, "eval", *words, "--scorer", "includes:start", "-e", "one/m", "--json")
    assert done.returncode == 0, done.stderr
    query = "select task, sample, value, scorer from scores where task <> 'arithmetic' order by all"
    expected = [
        ("evals", "0001", 1, "includes(start)"),
        ("my", "0001", 1, "includes(start)"),
        ("promptfooconfig", "t1", 1, "assertions"),
        ("promptfooconfig", "t2", 0, "assertions"),
    ]
    assert [tuple(one.values()) for one in rows(here / "results", query)] == expected
    (run,) = (here / "results" / "runs").iterdir()
    kept = json.loads((run / "run.json").read_text())["selection"]["files"]
    assert [one["name"] for one in kept] == ["my", "promptfooconfig", "evals"]
    assert all(Path(one["path"]).is_absolute() for one in kept)
    # A target mended, and the same answers judged again from another folder.
    (here / "my.jsonl").write_text('{"question": "Repeat exactly: Hello", "ideal": "hell"}\n')
    (here / "other").mkdir()
    flags = ("--results", str(here / "results"), "--providers", str(here / "providers.yaml"))
    done = harness(here / "other", "score", "latest", *flags)
    assert done.returncode == 0, done.stderr
    assert [tuple(one.values()) for one in rows(here / "results", query)][1] == ("my", "0001", 0, "includes(start)")


def test_rows_with_turns_are_asked_turn_by_turn(here: Path) -> None:
    """Each turn is a request of its own, and the last answer is judged."""
    row = {"question": "Repeat exactly: one", "turns": ["Repeat exactly: two"], "answer": "two"}
    (here / "turns.jsonl").write_text(json.dumps(row) + "\n")
    done = harness(here, "eval", "turns.jsonl", "--scorer", "exact", "-e", "one/m")
    assert done.returncode == 0, done.stderr
    assert rows(here / "results", "select answer, value from scores") == [{"answer": "two", "value": 1.0}]
    assert rows(here / "results", "select count(*) as n from attempts") == [{"n": 2}]


def test_a_run_of_a_changed_file_is_not_continued(here: Path) -> None:
    """The plan is no longer what it was, or the file is gone; back as it was, there is nothing left to ask."""
    before = (here / "my.jsonl").read_text()
    assert harness(here, "eval", "my.jsonl", "--scorer", "numeric", "-e", "one/m").returncode == 0
    (here / "my.jsonl").write_text(before.replace("42", "43"))
    told(
        harness(here, "resume"),
        2,
        "is no longer what it was: task my: data_sha256",
        "quality.my/one/m/a/0 asks something else",
    )
    (here / "my.jsonl").write_text(before + '{"question": "a", "answer": 1}\n')
    told(harness(here, "resume"), 2, "it had 2 requests and now has 3")
    (here / "my.jsonl").unlink()
    told(harness(here, "resume"), 2, "no such data file: my.jsonl")
    (here / "my.jsonl").write_text(before)
    assert "nothing of run" in harness(here, "resume").stderr


def test_dry_run_shows_what_is_read(here: Path, command: Command) -> None:
    """The columns that were taken, the scorer, and what is sent with each row."""
    options = ("--scorer", "choice:AB", "--prompt", "{question}?", "--temperature", "0.7", "--max-tokens", "5")
    done = command(here, "eval", "table.csv", *options, *ENDPOINTS, "--dry-run")
    line = done.stdout.splitlines()[0]
    assert line == (
        "table: table.csv: asks '{question}?'; target: answer; also read: choices; kept as metadata: question; "
        f"temperature 0.7, max_tokens 5; scored by choice(AB) v{CHOICE}"
    )
    (shown,) = json.loads(command(here, "eval", "table.csv", *options, "-e", "one/m", "--dry-run", "--json").stdout)[
        "files"
    ]
    assert shown == line


def test_show_prints_samples_of_a_file(here: Path, command: Command) -> None:
    """As of any task, with all that the command line says of it."""
    done = command(here, "tasks", "show", "table.csv", "--scorer", "choice:AB", "--system", "Be brief.", "--json")
    shown = json.loads(done.stdout)
    assert (shown["name"], shown["kind"], shown["scorer"]) == ("table", "quality", f"choice(AB) v{CHOICE}")
    assert shown["samples"][0]["target"] == "B"
    assert [message["role"] for message in shown["samples"][0]["messages"]] == ["system", "user"]
    assert "assertions: icontains, not-contains" in command(here, "tasks", "show", "promptfooconfig.yaml").stdout
    listed = {one["name"]: one["example"] for one in json.loads(command(here, "tasks", "scorers", "--json").stdout)}
    assert listed["exact"] == "exact:ignore_case"


ONE = ("-e", "one/m", "--scorer", "exact")
MISTAKES = {
    "no scorer": (
        ("eval", "my.jsonl", "-e", "one/m"),
        ["my.jsonl: nobody says how it is to be scored", "--scorer NAME"],
    ),
    "no such scorer": (("eval", "my.jsonl", "-e", "one/m", "--scorer", "exakt"), ["'exakt'", "Did you mean exact"]),
    "no such file": (("eval", "mi.jsonl", *ONE), ["no such data file: mi.jsonl", "Did you mean my.jsonl"]),
    "no such kind": (("eval", "./providers.toml", *ONE), ["no such data file"]),
    "an unknown task": (("eval", "my.jsnl", *ONE), ["unknown task 'my.jsnl'"]),
    "a limit in words": (("eval", "my.jsonl:ten", *ONE), ["'my:ten'", "my:20"]),
    "the same file twice": (("eval", "my.jsonl", "./my.jsonl:1", *ONE), ["task 'my' is named twice"]),
    "a scorer without a file": (("eval", "arithmetic", *ONE), ["--scorer goes with a data file of rows"]),
    "a scorer shown without a file": (("tasks", "show", "arithmetic", "--scorer", "exact"), ["--scorer goes with"]),
    "a scorer of a suite": (("eval", "promptfooconfig.yaml", *ONE), ["--scorer goes with a data file of rows"]),
    "a system message without a file": (("eval", "arithmetic", "-e", "one/m", "--system", "a"), ["--system goes with"]),
    "data and a file": (("eval", "my.jsonl", *ONE, "--data", "my.jsonl"), ["--data goes with tasks that have a name"]),
    "an unknown field": (("eval", "my.jsonl", *ONE, "--prompt", "{q}"), ["unknown field of the template 'q'"]),
    "a target of another kind": (("eval", "my.jsonl", *ONE), ["my.jsonl line 1", "the target of exact is a string"]),
    "a template of show": (("tasks", "show", "my.jsonl", "--scorer", "exact", "--prompt", "{"), ["a lone {"]),
    "a new task of a name that is taken": (("task", "new", "arithmetic"), ["there is a task 'arithmetic' already"]),
    "a new task of no name": (("task", "new", "../a"), ["'../a' is no name of a task"]),
    "a new task from nothing": (("task", "new", "a", "--from", "gone.csv"), ["no such data file: gone.csv"]),
    "a new task from a suite": (("task", "new", "a", "--from", "promptfooconfig.yaml"), ["harness eval FILE"]),
}


@pytest.mark.parametrize(("argv", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line(argv: tuple[str, ...], words: list[str], here: Path, command: Command) -> None:
    """It says what is wrong, where, and how to mend it; nothing is written."""
    before = sorted(here.rglob("*"))
    done = command(here, *argv)
    told(done, 2, *words)
    assert len(done.stderr.splitlines()) == 1
    assert sorted(here.rglob("*")) == before


# --- new tasks -------------------------------------------------------------------------------------------


def test_a_new_task_runs_as_it_was_written(here: Path) -> None:
    """A quality task, a tool task, and those fitted to files: choices, messages, tools, a table of text."""
    (here / "chat.jsonl").write_text(
        '{"messages": [{"role": "user", "content": "Repeat exactly: ja"}], "ideal": "ja"}\n'
    )
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    call = {"id": 3, "prompt": "Go", "tools": [tool], "expected": [{"name": "f", "arguments": {}}]}
    (here / "calls.jsonl").write_text(json.dumps(call) + "\n")
    (here / "pick.jsonl").write_text('{"question": "Which?", "choices": ["red", "blue"], "answer": "blue"}\n')
    (here / "sums.jsonl").write_text('{"question": "Repeat exactly: 42", "answer": 42}\n')
    made = (
        ("colours",),
        ("lamps", "--tools"),
        *((name, "--from", f"{name}.jsonl") for name in ("chat", "calls", "pick", "sums")),
    )
    for argv in (*made, ("table", "--from", "table.csv")):
        done = harness(here, "task", "new", *argv)
        assert done.returncode == 0, done.stderr
        assert f"harness eval {argv[0]}" in done.stdout
    written = sorted(str(path.relative_to(here / "tasks")) for path in (here / "tasks").rglob("*.*") if path.is_file())
    assert written == [
        *("data/calls.jsonl", "data/chat.jsonl", "data/colours.jsonl", "data/lamps.jsonl", "data/pick.jsonl"),
        *("data/sums.jsonl", "data/table.csv", "quality/chat.py", "quality/colours.py", "quality/pick.py"),
        *("quality/sums.py", "quality/table.py", "tools/calls.py", "tools/lamps.py"),
    ]
    done = harness(here, "eval", "colours", "lamps", "chat", "calls", "pick", "sums", "table", "-e", "one/m")
    assert done.returncode == 0, done.stderr
    found = rows(here / "results", "select task, n_scored as n from quality_summary order by all")
    assert {one["task"]: one["n"] for one in found} == {
        **dict.fromkeys(("calls", "chat", "pick", "sums", "table"), 1),
        **dict.fromkeys(("colours", "lamps"), 2),
    }


def test_a_cache_that_cannot_help_is_said(here: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is started for one run has another address in each, so none of its answers is found again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(here / "cache"))
    done = command(here, "eval", "my.jsonl", "--scorer", "numeric", "-e", "one/m", "--cache")
    assert done.returncode == 0, done.stderr
    assert "one/m: --cache has no answers of a server that is started for one run" in done.stderr


def test_nothing_is_overwritten(here: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the task, which the catalogue knows, nor a data file that lies there already."""
    assert command(here, "task", "new", "colours").returncode == 0
    told(command(here, "task", "new", "colours"), 2, "there is a task 'colours' already")
    (here / "tasks" / "quality" / "colours.py").write_text("mine\n")
    told(command(here, "task", "new", "colours"), 2, "colours.py is there already, and nothing is overwritten")
    (here / "tasks" / "quality" / "colours.py").unlink()
    told(command(here, "task", "new", "colours"), 2, "colours.jsonl is there already")
    assert not (here / "tasks" / "quality" / "colours.py").exists()


def test_a_column_of_any_name_makes_a_sound_file(here: Path, command: Command) -> None:
    """Quotes and backslashes in the name of a column are text in the task."""
    (here / "odd.csv").write_text('question,"answer"\nRepeat exactly: ja,ja\n')
    assert command(here, "task", "new", "odd", "--from", "odd.csv").returncode == 0
    text = (here / "tasks" / "quality" / "odd.py").read_text()
    assert 'local_rows(data or DATA, ("question", "answer"))' in text
    assert [one.target for one in discover().task("odd").load(None)] == ["ja"]


def test_a_colon_in_a_file_s_name_is_not_a_limit(here: Path, command: Command) -> None:
    """``a:b.jsonl`` is a file, and ``a:b.jsonl:1`` its first row."""
    (here / "a:b.jsonl").write_bytes((here / "my.jsonl").read_bytes())
    for word, n in (("a:b.jsonl", 2), ("a:b.jsonl:1", 1)):
        ended = command(here, "eval", word, "--scorer", "numeric", "-e", "one/m", "--dry-run", "--json")
        assert ended.returncode == 0, ended.stderr
        assert json.loads(ended.stdout)["requests"] == n
