"""``harness report`` with files: where they go, what is refused, and what a CI server reads of them."""

import json
import os
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result
from drawn import HOSTILE, two_endpoints
from published import attempt, make_run, manifest
from test_report import asked, endpoint, run_of_two

from harness.cli import cli
from harness.errors import HarnessError
from harness.record.folder import list_runs
from harness.store.index import publish

PAGE = Path(__file__).parents[1] / "docs" / "report.md"


def run(results: Path, *arguments: str) -> Result:
    """The command, whatever it does."""
    return CliRunner().invoke(cli, ["report", *arguments, "--results", str(results)])


def refused(results: Path, *arguments: str) -> str:
    """The one line that the command says instead of working."""
    error = run(results, *arguments).exception
    assert isinstance(error, HarnessError), error
    assert "\n" not in str(error)
    return str(error)


def test_files_are_written_whole_and_named(tmp_path: Path) -> None:
    """Each file that was asked for is there with nothing beside it, the table is not printed, stdout stays empty."""
    two_endpoints(tmp_path)
    home = tmp_path / "out"
    home.mkdir()
    done = run(tmp_path, "--html", str(home / "a.html"), "--md", str(home / "a.md"), "--junit", str(home / "a.xml"))
    assert done.exit_code == 0, done.exception
    assert done.stdout == ""
    assert sorted(path.name for path in home.iterdir()) == ["a.html", "a.md", "a.xml"]
    assert re.search(r"a\.html: 1 run, 0\.\d\d MB", done.stderr)
    assert (home / "a.html").read_text().startswith("<!DOCTYPE html>")
    assert (home / "a.md").read_text().startswith("## ")


def test_the_same_report_twice_is_the_same_file(tmp_path: Path) -> None:
    """Nothing in it depends on when it was made."""
    two_endpoints(tmp_path)
    first, second = (run(tmp_path, "--html", "-").stdout for _ in range(2))
    assert first == second


def test_json_goes_beside_a_file(tmp_path: Path) -> None:
    """With --json the figures are printed too, of several runs as a list; a run named twice is one."""
    one, other = two_endpoints(tmp_path), two_endpoints(tmp_path)
    done = run(tmp_path, one.id, other.id, one.id, "--json", "--html", str(tmp_path / "a.html"))
    assert [found["run"]["id"] for found in json.loads(done.stdout)] == [one.id, other.id]
    assert json.loads(run(tmp_path, one.id, "--json").stdout)["run"]["id"] == one.id


def test_several_runs_are_printed_one_after_the_other(tmp_path: Path) -> None:
    """Without a file each run has its tables in the terminal."""
    one, other = two_endpoints(tmp_path), two_endpoints(tmp_path)
    shown = run(tmp_path, one.id, other.id).stdout
    assert shown.index(one.id) < shown.index(other.id)


def test_what_cannot_be_is_refused_in_one_line(tmp_path: Path) -> None:
    """Unknown runs, folders that are missing or not ours, two things for one stdout: each says how to mend it."""
    none = f"no runs in {tmp_path}; make one with: harness demo --results {tmp_path}"
    assert refused(tmp_path, "--html", "-") == none
    made = two_endpoints(tmp_path)
    assert f"Did you mean {made.id}" in refused(tmp_path, f"{made.id[:-1]}x", "--html", "-")
    missing = tmp_path / "none" / "a.html"
    assert refused(tmp_path, "--html", str(missing)).startswith(f"--html: there is no folder {missing.parent}")
    assert "only one of" in refused(tmp_path, "--html", "-", "--md", "-")
    assert "only one of" in refused(tmp_path, "--html", "-", "--json")
    assert "--include-text is for" in refused(tmp_path, "--include-text")
    same = str(tmp_path / "a")
    assert "name the same file" in refused(tmp_path, "--html", same, "--md", same)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert refused(tmp_path, "--html", str(pipe)) == f"--html: {pipe} is no file. Use - for stdout"


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up costs the new file alone."""
    two_endpoints(tmp_path)
    path = tmp_path / "a.html"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.record.folder.put_in_place", full)
    assert refused(tmp_path, "--html", str(path)).startswith(f"no space left to write {path}")
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.glob(".a.html*")] == []


def _cases(results: Path, *arguments: str) -> dict[tuple[str, str], ET.Element]:
    done = run(results, *arguments, "--junit", "-")
    assert done.exit_code == 0, done.exception
    top = ET.fromstring(done.stdout)
    for suite in top:
        found = suite.findall("testcase")
        assert suite.get("tests") == str(len(found))
        for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert suite.get(count) == str(sum(case.find(tag) is not None for case in found))
    return {(suite.get("name") or "", case.get("name") or ""): case for suite in top for case in suite.iter("testcase")}


def test_junit_has_tasks_levels_and_probes(tmp_path: Path) -> None:
    """A score passes with its interval; too little scored is an error and no failure; probes fail as they do alone."""
    made = run_of_two(tmp_path)
    made.write_manifest(made.read_manifest() | {"probes": {"profile": "smoke", "ids": ["tools.call", "stream.usage"]}})
    publish(tmp_path)
    found = _cases(tmp_path)
    passed = found["a/m", "sums"].find("system-out")
    assert passed is not None
    assert passed.text == "50 % [15–85] n=4"
    error = found["b/m", "sums"].find("error")
    assert error is not None
    assert "coverage 75 %" in (error.get("message") or "")
    level = found["b/m", "chat@c1"].find("system-out")
    assert level is not None
    assert "1 of 7 failed" in (level.text or "")
    assert found["b/m", "stream.usage"].find("failure") is not None
    assert found["b/m", "tools.call"].find("failure") is None
    assert found["a/m", "audio.in"].find("skipped") is not None


def test_junit_fails_a_task_that_got_worse(tmp_path: Path) -> None:
    """Twelve questions of which the first endpoint knows all and the second none: shown to be worse, so it fails."""
    told = [asked(f"s{i}", name == "a/m", name) for i in range(12) for name in ("a/m", "b/m")]
    made = make_run(tmp_path, attempts=[row for row, _ in told], scores=[one for _, rows in told for one in rows])
    tasks = [{"name": "sums", "version": 1, "kind": "quality", "scorer": "exact", "scorer_version": 1, "n": 12}]
    made.write_manifest(manifest(made, endpoints=[endpoint("a/m"), endpoint("b/m")], tasks=tasks, loads=[]))
    publish(tmp_path)
    found = _cases(tmp_path)
    assert found["a/m", "sums"].find("failure") is None
    failure = found["b/m", "sums"].find("failure")
    assert failure is not None
    assert "worse than a/m by 100 points" in (failure.get("message") or "")


def test_junit_of_hostile_names_is_xml(tmp_path: Path) -> None:
    """Markup, controls and what is no character in names and reasons leave the XML readable."""
    two_endpoints(tmp_path, f"{HOSTILE}\x00\x1b]0;x\x07")
    assert _cases(tmp_path)


def test_a_load_that_nobody_answered_is_an_error(tmp_path: Path) -> None:
    """Where every request of a level failed nothing was measured."""
    rows = [attempt(f"l{i}", ms={"send0": 0, "eof": 9}, failure_kind="http_5xx", failure_detail="no") for i in range(4)]
    make_run(tmp_path, attempts=rows)
    publish(tmp_path)
    error = _cases(tmp_path)["p/m", "chat@c1"].find("error")
    assert error is not None
    assert error.get("message") == "none of 4 requests was answered"


def _commands() -> list[str]:
    text = PAGE.read_text()
    blocks = re.findall(r"```bash\n(.*?)```", text, re.S)
    return [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_the_commands_of_the_page_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line of docs/report.md that is a command does what it says, on runs of these names."""
    first, second = two_endpoints(tmp_path), two_endpoints(tmp_path)
    monkeypatch.setenv("HARNESS_RESULTS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    commands = _commands()
    assert len(commands) >= 6
    for command in commands:
        words = shlex.split(command.replace("RUN1", first.id).replace("RUN2", second.id))
        assert words[:2] == ["harness", "report"]
        done = CliRunner().invoke(cli, words[1:])
        assert done.exit_code == 0, (command, done.exception)
    assert {"report.html", "comment.md", "tests.xml", "week.html"} <= {path.name for path in tmp_path.iterdir()}
    assert len(list_runs(tmp_path)) == 2
