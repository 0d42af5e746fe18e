"""A server that ends by itself in the middle of a run ends the run; what was measured is kept, and taken up again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from made import Watcher, begin, catalog, endpoint, environment, harness, load, plan, sample, task, told
from test_engine_programs import LITTLE, gone, soon
from test_engines import model
from test_runner import carry_out as run_plan

from harness.cli.carry import finish
from harness.errors import EngineError
from harness.provider import Auth, Endpoint, Provider, Serve
from harness.record.folder import RunFolder, open_run
from harness.record.journal import read_attempts
from harness.run import sitting
from harness.run.arrivals import Closed, Constant
from harness.run.conduct import Company
from harness.run.sitting import Sitting
from harness.store.query import rows
from harness.wire.assemble import assemble

__all__ = ["model"]  # a fixture
ASKS = task("asks", [sample(f"s{n}") for n in range(12)])
CUT = ("reset", "truncated", "bad_http")
"""How what is under way fails."""
WORDS = "ended with exit code 7; its last words: all is well | but not for long | out of memory: giving up"


def own(*given: str, name: str = "own/m") -> Endpoint:
    """An endpoint whose server is started for the run."""
    return endpoint(name, serve=Serve("command", {"argv": [sys.executable, LITTLE, "{port}", *given]}))


def carry_out(things: list[Any], ends: list[Endpoint], results: Path, **selection: Any) -> Sitting:
    """A sitting from the beginning."""
    return sitting.start(plan(things, ends, **selection), results=results, company=Company(Watcher()))


def kinds(run: RunFolder, of: str = "own/m") -> Counter[str | None]:
    """How the attempts of an endpoint ended."""
    outcomes = [
        assemble(one.exchange, stream=one.request.stream) for one in read_attempts(run) if one.job.endpoint == of
    ]
    return Counter(one.failure.kind if one.failure else None for one in outcomes)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_crash_ends_the_run(concurrency: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told in one line and exit code 3, with engine, provider, code and last words; what was there is sealed."""
    sat = carry_out([ASKS], [own("die=6", "code=7")], tmp_path, concurrency=concurrency)
    assert sat.crashed == f"command of provider own {WORDS}"
    assert sat.status == sat.folder.read_manifest()["status"] == "failed"
    with pytest.raises(EngineError) as caught:
        finish(sat, tmp_path, as_json=True)
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)
    assert f"harness resume {sat.folder.id}" in str(caught.value)
    assert rows(tmp_path, "select status, sealed from runs") == [{"status": "failed", "sealed": True}]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_only_what_was_under_way_is_laid_to_its_charge(concurrency: int, tmp_path: Path) -> None:
    """Requests after the end are neither failures of the endpoint nor many: its places are tried once at the most."""
    sat = carry_out([ASKS], [own("die=6", "code=7")], tmp_path, concurrency=concurrency)
    found = kinds(sat.folder)
    assert found.keys() <= {None, *CUT, "cancelled"}
    assert 1 <= sum(found[kind] for kind in CUT) <= concurrency
    assert found[None] <= 5
    assert found["cancelled"] <= concurrency


def test_a_resumed_run_asks_what_is_left(tmp_path: Path) -> None:
    """The server is started anew, and each question that has no answer yet is asked, those after the end included."""
    sat = carry_out([ASKS], [own("die=6", "code=7")], tmp_path)
    again = _resume(sat.folder, [own("die=6", "code=7")])
    assert again.crashed is not None
    third = _resume(sat.folder, [own("die=6", "code=7")])
    assert (third.status, third.crashed) == ("finished", None)
    assert kinds(sat.folder)[None] == 12
    scores = rows(tmp_path, "select count(*) as n, min(value) as worst from scores")
    assert scores == [{"n": 12, "worst": 1.0}]


def _resume(run: RunFolder, ends: list[Endpoint]) -> Sitting:
    providers = {one.provider.id: one.provider for one in ends}
    return sitting.resume(run, catalog=catalog(ASKS), providers=providers, company=Company(Watcher()))


def test_under_load_too(tmp_path: Path) -> None:
    """Arrivals on time go on for no longer than it takes to notice; none of them counts as refused."""
    open_law = load("open", Constant(100.0), n=300)
    sat = carry_out([open_law], [own("die=20", "code=7")], tmp_path)
    assert sat.crashed is not None
    found = kinds(sat.folder)
    assert found["connect"] == 0
    assert sum(found.values()) < 300
    assert found[None] <= 19


def test_another_endpoint_finishes_what_is_under_way(tmp_path: Path) -> None:
    """No answer of a server that works is lost, and it is not blamed."""
    sat = carry_out([ASKS], [own("die=4", "code=7"), own(name="other/m")], tmp_path)
    assert sat.crashed is not None
    assert sat.crashed.startswith("command of provider own ")
    assert kinds(sat.folder, "other/m").keys() <= {None}


def test_a_server_that_refuses_but_lives_is_to_blame(tmp_path: Path) -> None:
    """Where nothing has ended, a refused connection stays what it is."""
    away = endpoint("own/m", "http://127.0.0.1:1/v1", serve=Serve("command"))
    seen = run_plan(plan([load("few", Closed(1), n=2)], [away]), tmp_path)
    assert seen.kinds() == ["connect", "connect"]


def test_a_server_behind_a_gateway_ends_the_run_too(tmp_path: Path) -> None:
    """The one that ended is named, though it is not under test."""
    behind = Provider(
        "behind", "local", None, Auth("none"), models={"m": "m"}, serve=own("die=4", "code=7").provider.serve
    )
    argv = [sys.executable, LITTLE, "{port}", "to={upstream}"]
    serve = Serve("command", {"argv": argv, "upstream": "behind", "upstream_model": "m"}, upstream=behind)
    sat = carry_out([ASKS], [endpoint("front/m", serve=serve)], tmp_path)
    assert sat.crashed == f"command of provider behind {WORDS}"
    assert sat.status == "failed"


PROVIDERS = """
providers:
  own:
    kind: local
    serve: {{engine: command, argv: [{python}, {little}, "{{port}}", die=40, code=7]}}
    models: {{m: m}}
  other:
    kind: local
    serve: {{engine: llama_cpp, parallel: 1, context: 512}}
    models: {{m: smollm2-135m-instruct}}
    quirks: {{max_tokens_field: max_tokens}}
"""


def _folder(tmp_path: Path) -> Path:
    (tmp_path / "providers.yaml").write_text(PROVIDERS.format(python=sys.executable, little=LITTLE))
    return tmp_path


@pytest.mark.parametrize("workers", [1, 2])
def test_the_command_line_says_so(workers: int, tmp_path: Path) -> None:
    """One line and exit code 3, whoever carries out the load; the command that it names goes on with the run.

    Each of the four places loses what is under way, and on a busy machine one more that the port still took.
    """
    argv = ["load", "short_chat", "-e", "own/m", "--requests", "60", "--concurrency", "4", f"--workers={workers}"]
    done = harness(_folder(tmp_path), *argv)
    line = told(done, 3, f"command of provider own {WORDS}", "what was there is sealed", "resume")
    run = open_run(tmp_path / "results", "latest")
    assert run.read_manifest()["status"] == "failed"
    assert kinds(run)["connect"] == 0
    assert 1 <= sum(kinds(run)[kind] for kind in CUT) <= 8
    assert run.id in line
    again = harness(tmp_path, "resume", run.id)
    assert again.returncode == 0, again.stderr
    assert run.read_manifest()["status"] == "finished"
    assert kinds(run)[None] > 55


@pytest.mark.model
def test_a_real_server_that_is_killed_ends_the_run(model: Path, tmp_path: Path) -> None:
    """Kill -9 of llama.cpp in the middle of a load is told within seconds, and nothing of the run is left behind."""
    cache = environment(HARNESS_CACHE=str(model.parent))
    argv = ["load", "short_chat", "-e", "other/m", "--requests", "200", "--concurrency", "2", "--warmup", "0"]
    with begin(_folder(tmp_path), *argv, env=cache) as process:
        assert soon(lambda: _server(process) is not None and _asked(tmp_path) > 1)
        server = _server(process)
        assert server is not None
        killed = time.monotonic()
        os.kill(server, signal.SIGKILL)
        out, err = process.communicate(timeout=60)
    assert time.monotonic() - killed < 30
    done = subprocess.CompletedProcess(argv, process.returncode, out, err)
    told(done, 3, "llama_cpp of provider other was killed by SIGKILL; its last words: ")
    run = open_run(tmp_path / "results", "latest")
    assert run.read_manifest()["status"] == "failed"
    assert kinds(run, "other/m").keys() <= {None, *CUT, "cancelled"}
    assert gone(server)


def _server(harness: subprocess.Popen[str]) -> int | None:
    """The child of the harness that holds the server."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(") ")[2].split()
            command = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == harness.pid and b"llama_cpp_server" in command:
            return int(path.parent.name)
    return None


def _asked(folder: Path) -> int:
    """Attempts that are in the journals so far."""
    return sum(path.read_bytes().count(b"\n") for path in (folder / "results").glob("runs/*/journal-*.jsonl"))
