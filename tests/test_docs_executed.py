"""Every command that README and docs show is carried out, on endpoints, files and runs of this machine."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from made import WAIT_S, begin, environment, harness
from pages_read import PAGES, ROOT, commands
from pages_world import DATA, build, here
from test_docs import EXECUTED
from test_tutorials import looked_at

ELSEWHERE = {
    "harness eval gsm8k -e mine/llama --workers 8 --executor ray": ("test_ray.py", '"ray'),
    "harness load chat -e mine/llama --rate 2000 -n 100000 --workers 16 --executor ray:10.0.0.1:6379": (
        "test_ray.py",
        "ray:",
    ),
    "harness report --as NAME FILE": ("test_plugin_template.py", "--as"),
    "harness sync --catalogue postgresql://me@db.example/team --password-env TEAM_DB_PASSWORD": (
        "test_team_postgres.py",
        '"--catalogue"',
    ),
    "harness export otlp RUN --endpoint URL": ("test_otel.py", '"otlp"'),
    "harness worker --told": ("test_shards_run.py", "--told"),
    "harness providers init": ("test_providers_init.py", '"init"'),
}
"""What wants a cluster, a package, a database, a collector, a conductor or a person: where that is, and its words."""
NAMES = {
    *("harness run", "harness eval", "harness load", "harness probe", "harness verify", "harness compare"),
    *(
        "harness sql",
        "harness sql --csv",
        "harness purge",
        "harness purge --text",
        "harness simulate",
        "harness export otlp",
    ),
    *("harness k8s", "harness k8s render", "harness run smoke", "harness watch nightly"),
}
"""What sentences call by its name alone, without what it has to be given: of these the help is shown."""
BEFORE = {"harness pull": "harness push"}
"""What somebody else has done before."""
JUDGED = ("harness suite run nightly", "harness run fidelity-nightly")
"""Suites with a gate against other nights, of which there are none here: inconclusive is as good."""
_OURS = [
    one
    for page in PAGES
    for one in commands(page)
    if one.page not in (*EXECUTED, "docs/cli.md", "CHANGELOG.md") and one.text not in ELSEWHERE
]
SHOWN = {one.text: one.exit_code for one in _OURS}
"""Each once, with its exit code. Pages in ``EXECUTED`` have tests of their own; docs/cli.md is the help of all."""
SERVE = ("harness simulate ",)
NAMED = "20261126t150000z-chat-1a2b3c"
"""A run of the pages that is made when its turn comes."""
RENDERED = "harness k8s render latest "
IN_ORDER = re.compile(rf"{NAMED}|^harness gather |--executor hand")
"""What makes sense only one after the other."""


class World(NamedTuple):
    """Where commands are carried out."""

    folder: Path
    older: str
    newer: str

    def words(self, text: str) -> list[str]:
        """A shown command as it is carried out here."""
        return here(text, self.older, self.newer)

    def done(self, argv: list[str], *codes: int) -> str:
        """Carry out a command, which has to end with one of these codes; what it printed."""
        env = environment(HARNESS_STORE=str(self.folder / "elsewhere"))
        ended = harness(self.folder, *argv, env=env)
        assert ended.returncode in codes, (argv, ended.returncode, ended.stdout[-2000:], ended.stderr[-2000:])
        return ended.stdout


@contextmanager
def served() -> Iterator[str]:
    """The base URL of a quick simulated vendor."""
    command = [
        sys.executable,
        "-m",
        "harness",
        "simulate",
        "steady-vendor",
        "--set",
        "ttft_ms=1",
        "--set",
        "itl_ms=0.1",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as child:
        assert child.stdout is not None
        try:
            yield json.loads(child.stdout.readline())["base_url"]
        finally:
            child.terminate()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """What every command begins with."""
    folder = tmp_path_factory.mktemp("first")
    with served() as base_url:
        yield World(folder, *build(folder, base_url, SHOWN))


@pytest.fixture
def world(first: World, tmp_path: Path) -> World:
    """Its own copy for each command, so that ``latest`` is what it was."""
    shutil.copytree(first.folder, tmp_path / "here")
    return first._replace(folder=tmp_path / "here")


@pytest.mark.parametrize(
    "text", [one for one in SHOWN if not one.startswith((*SERVE, RENDERED)) and not IN_ORDER.search(one)]
)
def test_a_shown_command_does_what_it_says(text: str, world: World) -> None:
    """It ends with the exit code that stands beside it, else with 0."""
    if "bfcl" in text and not DATA.is_dir():
        pytest.skip("the shared data sets are not beside the project")
    if text in BEFORE:
        world.done(world.words(BEFORE[text]), 0)
    if text == "harness dashboard":
        assert "http://127.0.0.1:" in looked_at(world.folder, [*world.words(text), "--port", "0"])
        return
    argv = world.words(text) + (["--help"] if text in NAMES else [])
    world.done(argv, SHOWN[text], *([4] if text.startswith(JUDGED) else []))


@pytest.mark.parametrize("text", [one for one in SHOWN if one.startswith(SERVE)])
def test_a_shown_server_serves(text: str, world: World) -> None:
    """It says where, and ends by Ctrl-C."""
    with begin(world.folder, *world.words(text), *(["--port", "0"] if "--port" not in text else [])) as server:
        assert server.stdout is not None
        try:
            assert "http://127.0.0.1:" in server.stdout.readline()
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=WAIT_S)
            assert server.returncode in (0, 130)
        finally:
            server.kill()


HANDED = {
    "scale.md": (
        "harness load chat -e mine/llama --rate 2000 -n 100000 --workers 16 --executor hand --out s3://bucket/loads/1",
        "harness worker --plan results/runs/20261126t150000z-chat-1a2b3c --shard 0/16 --out s3://bucket/loads/1",
        "harness gather 20261126t150000z-chat-1a2b3c --follow",
    ),
    "containers.md": (
        "harness load chat -e mine/llama --rate 200 -n 100000 --workers 8 --executor hand",
        "harness worker --plan results/runs/20261126t150000z-chat-1a2b3c --shard 0/16 --out s3://bucket/loads/1",
        "harness gather latest --from s3://bucket/loads/1 --follow",
    ),
}
"""How two pages hand a run out, carry it out and gather it."""


@pytest.mark.parametrize("page", HANDED)
def test_a_run_that_is_handed_out_goes_as_the_page_says(page: str, world: World) -> None:
    """Handed out, rendered for a cluster, carried out by two workers that wait for one another, and gathered."""
    hand, work, gather = HANDED[page]
    assert {hand, work, gather} <= SHOWN.keys()
    world.done(world.words(hand), 0)
    (run,) = (path.name for path in (world.folder / "results" / "runs").iterdir() if path.name > world.newer)
    world.done(world.words(next(one for one in SHOWN if one.startswith(RENDERED))), 0)
    assert (world.folder / "job.yaml").is_file()
    mine = [work.replace(NAMED, run).replace("0/16", shard) for shard in ("0/2", "1/2")]
    with ExitStack() as stack:
        workers = [stack.enter_context(begin(world.folder, *world.words(one))) for one in mine]
        for worker in workers:
            stack.callback(worker.kill)
        for worker in workers:
            out, err = worker.communicate(timeout=WAIT_S)
            assert worker.returncode == 0, out + err
    told = json.loads(world.done([*world.words(gather.replace(NAMED, run)), "--json"], 0))
    assert told["run"]["status"] == "finished"
    measured = f"select count(*) as n from attempts where phase = 'measure' and run_id = '{run}'"
    sent = world.done(["sql", measured, "--json"], 0)
    assert json.loads(sent) == [{"n": 24}]


def test_commands_that_are_carried_out_elsewhere_are() -> None:
    """Each of these tests is there, and the commands are still shown."""
    shown = {one.text for page in PAGES for one in commands(page)}
    assert {*ELSEWHERE} | NAMES <= shown
    assert all(SHOWN[one.text] == one.exit_code for one in _OURS)
    for test, words in ELSEWHERE.values():
        assert words in (ROOT / "tests" / test).read_text("utf-8"), test
