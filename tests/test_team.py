"""A team's store: what is pushed is what is pulled, whatever breaks in between, and whoever writes at the same time."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from made import environment

from harness.cli import cli
from harness.errors import HarnessError, StoreError
from harness.place import Place, Told, open_place
from harness.record.folder import RunFolder, list_runs
from harness.store import query, texts
from harness.store.index import publish
from harness.team import pull, push
from harness.team.store import Moved

STORES = Path(__file__).parent / "stores"
ASKED = b"Answer with the number only"
"""Stands in the requests of one of the runs below."""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two finished runs."""
    shutil.copytree(STORES / "2" / "runs", tmp_path / "mine" / "runs")
    return tmp_path / "mine"


@pytest.fixture(params=["folder", "file", "memory"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store of each kind that needs no server."""
    kinds = {
        "folder": str(tmp_path / "st ore"),
        "file": f"file://{tmp_path}/store",
        "memory": f"memory://{uuid.uuid4()}",
    }
    return kinds[request.param]


def untold(n: int) -> None:
    """Nobody watches."""


def pushed(place: Place, results: Path, **terms: bool) -> list[str]:
    """What became of each run that was pushed."""
    return whats(push.push(place, list_runs(results), push.Terms(**terms), untold))


def pulled(place: Place, results: Path, **terms: Any) -> list[str]:
    """What became of each run that was pulled."""
    return whats(pull.pull(place, results, pull.Terms(**terms), untold))


def whats(moves: Iterator[Moved]) -> list[str]:
    """What happened, and why where something was left."""
    return [f"{move.what}: {move.why}" if move.why else move.what for move in moves]


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def called(*argv: str | Path) -> Result:
    """The command line, in this process."""
    return CliRunner().invoke(cli, [str(one) for one in argv])


class Failing:
    """A place at which only so many files can be created, as when a connection goes."""

    def __init__(self, place: Place, most: int) -> None:
        self.shown = place.shown
        self.created: list[str] = []
        self._place = place
        self._most = most

    def __getattr__(self, name: str) -> Any:
        return getattr(self._place, name)

    def create(self, name: str, source: Path | bytes, told: Told) -> bool:
        """Create it, or fail."""
        if len(self.created) >= self._most:
            raise StoreError("the connection is gone")
        made = self._place.create(name, source, told)
        self.created += [name] if made else []
        return made


# --- there and back --------------------------------------------------------------------------------------


def test_what_is_pushed_is_pulled_byte_for_byte(results: Path, address: str, tmp_path: Path) -> None:
    """Of every kind of store: a dry run does nothing, nor does a second time; the database is made of what came."""
    theirs = tmp_path / "theirs"
    dry = called("push", "--store", address, "--results", results, "--dry-run", "--json")
    assert [run["what"] for run in json.loads(dry.stdout)["runs"]] == ["would push"] * 2
    assert open_place(address).sizes("runs") == {}
    done = called("push", "--store", address, "--results", results)
    assert "runs: 2 pushed" in done.stdout
    assert "--without-texts" in done.stderr
    assert "runs: 2 the same here and there" in called("push", "--store", address, "--results", results).stdout
    assert "2 would pull" in called("pull", "--store", address, "--results", theirs, "--dry-run").stdout
    assert not theirs.exists()
    assert "2 pulled" in called("pull", "--store", address, "--results", theirs).stdout
    assert files(theirs / "runs") == files(results / "runs")
    assert query.rows(theirs, "select count(*) as n from runs where sealed and problem is null")[0]["n"] == 2
    again = called("sync", "--store", address, "--results", theirs, "--json")
    assert [run["what"] for run in json.loads(again.stdout)["runs"]] == ["there", "there"]


def test_only_what_is_sealed_goes(results: Path, tmp_path: Path) -> None:
    """Logs, locks and what else lies in a folder stay here: nothing says what they hold."""
    run = list_runs(results)[0]
    for name in ("worker-0.log", ".lock", "notes.txt", "x.sends.jsonl"):
        (run.root / name).write_text("a")
    place = open_place(str(tmp_path / "store"))
    assert pushed(place, results) == ["pushed"] * 2
    assert set(place.sizes(f"runs/{run.id}")) == {
        f"runs/{run.id}/{name}" for name in ("run.json", *run.read_manifest()["sealed"])
    }


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"status": "running"}, "skipped: is interrupted; finish it with harness resume"),
        ({"status": "failed"}, "skipped: is failed; finish it with harness resume"),
        ({"sealed": None}, "skipped: has no checksums; take them with harness score"),
        ({"texts": {"kept": "none", "purged_at": None}}, "skipped: has texts that are to be taken out"),
        ({"sealed": {"../x.jsonl": {"bytes": 0, "sha256": "0" * 64}}}, "refused: run.json names a file that no run"),
        ({"sealed": {"plan.jsonl": {"bytes": 1, "sha256": "0" * 64}}}, "refused: "),
    ],
)
def test_what_may_not_travel_is_left_with_a_word(
    results: Path, tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    """Unfinished runs are skipped, damaged ones refused, each with its reason, and the others go."""
    run = list_runs(results)[0]
    run.write_manifest(run.read_manifest() | change)
    place = open_place(str(tmp_path / "store"))
    first, second = pushed(place, results)
    assert first.startswith(why)
    assert second == "pushed"
    assert place.sizes(f"runs/{run.id}") == {}


# --- what breaks -----------------------------------------------------------------------------------------


def test_a_push_may_break_anywhere_and_is_gone_on_with(results: Path, address: str, tmp_path: Path) -> None:
    """Nobody sees a run before its manifest, which comes last; the next push sends only what is still missing."""
    run, other = list_runs(results)
    shutil.rmtree(other.root)
    place, theirs = open_place(address), tmp_path / "theirs"
    created: list[str] = []
    for _ in range(len(run.read_manifest()["sealed"]) + 1):
        failing = Failing(place, most=1)
        (told,) = pushed(failing, results)
        created += failing.created
        if told == "pushed":
            break
        assert told == "refused: the connection is gone"
        assert not any(name.endswith("run.json") for name in place.sizes("runs"))
        assert [one.partition(":")[0] for one in pulled(place, theirs)] == ["skipped"]
    assert created[-1] == f"runs/{run.id}/run.json"
    assert len(created) == len(set(created)) == len(place.sizes("runs"))
    assert pulled(place, theirs) == ["pulled"]


def test_leftovers_of_another_state_are_refused_until_restarted(results: Path, tmp_path: Path) -> None:
    """What a broken push of another state of a run left is never mixed with this one; --restart takes it away."""
    run = list_runs(results)[0]
    place = open_place(str(tmp_path / "store"))
    place.create(f"runs/{run.id}/attempts.parquet", b"of another state", untold)
    first, second = pushed(place, results)
    assert "attempts.parquet is there, and is not that of this run" in first
    assert "--restart" in first
    assert second == "pushed"
    assert pushed(place, results, restart=True) == ["pushed", "there"]


def damage(path: Path) -> None:
    """Flip a bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("name", "how", "told"),
    [
        ("texts.parquet", damage, "texts.parquet is not as it was sealed"),
        ("journal-0.jsonl", Path.unlink, "journal-0.jsonl is missing"),
        ("plan.jsonl", lambda path: path.write_bytes(b""), "plan.jsonl has 0 bytes where"),
        ("run.json", damage, "run.json"),
        ("run.json", lambda path: path.write_text('{"schema_version": 99}'), "has schema version 99"),
    ],
)
def test_a_damaged_run_of_the_store_is_named_and_never_appears(
    results: Path, tmp_path: Path, name: str, how: Any, told: str
) -> None:
    """The others are pulled; the exit code is 5; and a push beside it says what is torn, and mends nothing silently."""
    store, theirs = tmp_path / "store", tmp_path / "theirs"
    bad, good = list_runs(results)
    called("push", "--store", store, "--results", results)
    how(store / "runs" / bad.id / name)
    before = files(store)
    done = called("pull", "--store", store, "--results", theirs)
    assert isinstance(done.exception, StoreError)
    assert f"refused {bad.id}" in done.stderr
    assert told in done.stderr
    assert [run.id for run in list_runs(theirs)] == [good.id]
    if name != "texts.parquet":  # whose size is right: a push does not read what is there
        assert told in pushed(open_place(str(store)), results)[0]
    assert files(store) == before


def test_a_pull_goes_on_where_it_was_broken_off(results: Path, tmp_path: Path) -> None:
    """Files that came whole are not fetched again; what is not whole is."""
    place = open_place(str(tmp_path / "store"))
    pushed(place, results)
    bad = tmp_path / "store" / "runs" / list_runs(results)[0].id / "texts.parquet"
    good = bad.read_bytes()
    damage(bad)
    theirs = tmp_path / "theirs"
    assert pulled(place, theirs)[0].startswith("refused")
    bad.write_bytes(good)
    fetched: list[str] = []
    blocks = place.blocks
    place.blocks = lambda name: fetched.append(name) or blocks(name)  # type: ignore[method-assign,func-returns-value]
    assert pulled(place, theirs) == ["pulled", "there"]
    assert [name.rpartition("/")[2] for name in fetched] == ["texts.parquet"]
    assert files(theirs / "runs") == files(results / "runs")


def test_another_run_of_the_same_name_stays_on_both_sides(results: Path, tmp_path: Path) -> None:
    """A run that was judged again differs from the one in the store: both are named, and neither is overwritten."""
    place = open_place(str(tmp_path / "store"))
    pushed(place, results)
    run = list_runs(results)[0]
    run.write_manifest(run.read_manifest() | {"suite": "another"})
    before = files(tmp_path)
    (first, _), (back, _) = pushed(place, results), pulled(place, results)
    assert "is another run of this name, or was judged otherwise" in first
    assert "differ. Both stay as they are" in back
    (results / ".pull.lock").unlink()
    assert files(tmp_path) == before


@pytest.mark.parametrize("name", ["..", ".hidden", "a b", "x\n", "-x"])
def test_a_stores_folder_of_an_odd_name_is_no_run(tmp_path: Path, name: str) -> None:
    """Whoever can write into a store cannot have anything written outside the folder of the runs."""
    place = open_place(f"memory://{uuid.uuid4()}")
    place.create(f"runs/{name}/run.json", b"{}", untold)
    assert pulled(place, tmp_path / "theirs") == []


# --- texts -----------------------------------------------------------------------------------------------


def test_texts_stay_here_when_asked_and_the_run_is_known_again(results: Path, tmp_path: Path) -> None:
    """No question reaches the store, the run here keeps its own, and both are one run ever after, purged or not."""
    store, theirs = tmp_path / "store", tmp_path / "theirs"
    before = files(results)
    assert any(ASKED in data for data in before.values())
    place = open_place(str(store))
    assert pushed(place, results, texts=False) == ["pushed"] * 2
    assert files(results) == before
    assert not any(ASKED in data for data in files(store).values())
    assert pushed(place, results) == pulled(place, results) == ["there"] * 2
    assert pulled(place, theirs) == ["pulled"] * 2
    publish(theirs)
    assert query.rows(theirs, "select count(*) as n, count(text) as texts from texts")[0] == {"n": 15, "texts": 0}
    for run in list_runs(results):
        texts.purge(run, "hash")
        texts.purge(run, "none")
    assert pushed(place, results) == pulled(place, results) == ["there"] * 2


# --- many at once ----------------------------------------------------------------------------------------

TEN = """
import multiprocessing, sys
from pathlib import Path
from harness.record.folder import list_runs
from harness.place import open_place
from harness.team.exchange import Desk, give
from harness.team.push import Terms, push
from harness.team.remarks import Files

def work(desk, store, barrier):
    place = open_place(store)
    barrier.wait()
    moves = [move.what for move in push(place, list_runs(desk), Terms(), lambda n: None)]
    give(Desk(desk, None), [Files(place)])
    sys.exit(moves not in (["pushed", "pushed"], ["there", "pushed"]))

fork = multiprocessing.get_context("fork")
barrier = fork.Barrier(10)
ten = [fork.Process(target=work, args=(Path(f"desk{n}"), sys.argv[1], barrier)) for n in range(10)]
[one.start() for one in ten]
[one.join() for one in ten]
print([one.exitcode for one in ten])
"""


def test_ten_people_push_at_once_and_nothing_is_lost(results: Path, tmp_path: Path) -> None:
    """Ten processes push a run each, one that all of them have, and notes: everything is there, once and whole."""
    store, theirs = tmp_path / "store", tmp_path / "theirs"
    shared, own = list_runs(results)
    for n in range(10):
        desk = tmp_path / f"desk{n}"
        shutil.copytree(shared.root, desk / "runs" / shared.id)
        shutil.copytree(own.root, desk / "runs" / f"{own.id}-{n}")
        (desk / "annotations.yaml").write_text(f"annotations: [{{date: 2026-01-01, text: note {n // 2}}}]")
    env = environment(PYTHONPATH=str(Path(__file__).parents[1]))
    argv = [sys.executable, "-c", TEN, str(store)]
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str([0] * 10), done.stderr
    found = called("pull", "--store", store, "--results", theirs)
    assert "11 pulled; annotations and acceptances: 0 sent, 5 taken" in found.stdout
    assert called("db", "check", "--results", theirs).exit_code == 0
    assert not [path for path in store.rglob("*") if path.name.startswith(".")]


# --- documentation ---------------------------------------------------------------------------------------


def test_the_commands_of_the_documentation_do_what_it_says(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the first lines, and the one about acceptances, with a store and results of our own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("HARNESS_RESULTS", str(results))
    (tmp_path / "acceptances.yaml").write_text("acceptances: []")
    page = (Path(__file__).parents[1] / "docs/team.md").read_text()
    lines = [line for block in page.split("```sh")[1:3] for line in block.split("```")[0].splitlines()]
    commands = [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("harness ")]
    assert [command[0] for command in commands] == ["push", "push", "pull", "sync", "sync"]
    for command in commands:
        assert called(*command).exit_code == 0


# --- mistakes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["push"], "no store is named. Give --store ADDRESS, or set HARNESS_STORE"),
        (["sync"], "neither a store nor a catalogue is named"),
        (["push", "--store", "s4://bucket/x"], "unknown kind of address 's4'. Did you mean s3 or gs?"),
        (["push", "--store", "s3://"], "names no folder"),
        (["pull", "--store", "s3://me:secret-word@bucket/x"], "holds no password"),
        (["pull", "--store", "nowhere"], "there are no runs in"),
        (["push", "nosuchrun", "--store", "x"], "unknown run 'nosuchrun'"),
        (["sync", "--store", "x", "--password-env", "X"], "--password-env goes with --catalogue"),
        (["sync", "--catalogue", "postgresql://h/d", "--password-env", "NOT_SET_HERE"], "NOT_SET_HERE is not set"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: Sequence[str], told: str) -> None:
    """It says what is wrong and what to do, and shows no password."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_STORE", raising=False)
    error = called(*argv, "--results", tmp_path).exception
    assert isinstance(error, HarnessError)
    assert told in str(error)
    assert "secret-word" not in str(error)


def test_a_store_that_may_not_be_written_is_said(results: Path, tmp_path: Path) -> None:
    """A file where the store's folder should be: one line for each run, and the exit code of a store."""
    (tmp_path / "store").write_text("")
    done = called("push", "--store", tmp_path / "store", "--results", results)
    assert isinstance(done.exception, StoreError)
    assert "2 of 2 runs were refused" in str(done.exception)
    assert "Not a directory" in done.stderr


def test_a_run_that_names_a_folder_of_the_command_line_alone_is_pushed(results: Path, tmp_path: Path) -> None:
    """RUNS may be given by the start of an id, and of the store's by their whole one."""
    first, second = (run.id for run in list_runs(results))
    store = tmp_path / "store"
    assert "1 pushed" in called("push", first[:-3], "--store", store, "--results", results).stdout
    called("push", "--store", store, "--results", results)
    assert "1 would pull" in called("pull", second, "--store", store, "--results", tmp_path / "x", "--dry-run").stdout
    assert RunFolder(results / "runs" / first).manifest_path.exists()
