"""Outside programs as engines: wrong options are told, they answer under a warden, and nothing of them is left."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import engines
from harness.engines import Running, child, process
from harness.errors import ConfigError, EngineError, HarnessError, UnknownName
from harness.provider import Serve
from harness.types import JsonObject

LITTLE = str(Path(__file__).with_name("little_server.py"))
WAIT_S = 20.0


def command(*given: str, **options: Any) -> Serve:
    """The little server as an engine."""
    return Serve("command", {"argv": [sys.executable, LITTLE, "{port}", *given], **options})


def gone(pid: int) -> bool:
    """Whether a process that is not our child is gone, or soon will be."""
    return soon(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    try:
        # What nobody has waited for yet is dead all the same.
        return not stat.exists() or stat.read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def soon(happens: Callable[[], bool]) -> bool:
    """Whether it comes true in time."""
    until = time.monotonic() + WAIT_S
    while not happens():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def ask(running: Running, path: str) -> Any:
    """What it answers to GET outside of /v1."""
    with urllib.request.urlopen(running.base_url.removesuffix("/v1") + path, timeout=WAIT_S) as answer:
        return json.loads(answer.read())


# --- what is asked for -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "options", "error", "words"),
    [
        ("vllm", {}, ConfigError, "the engine vllm needs serve.model"),
        ("vllm", {"model": "m", "tool_parsr": "hermes"}, UnknownName, "Did you mean tool_parser"),
        ("vllm", {"model": "m", "tools": "yes"}, ConfigError, "must be true or false"),
        ("vllm", {"model": "m", "context": 7}, ConfigError, "must be from 64 to"),
        ("transformers_serve", {"model": "m", "devise": "cpu"}, UnknownName, "Did you mean device"),
        ("transformers_serve", {"model": ""}, ConfigError, "must be a text"),
        ("llama_cpp_python", {"model": "m.gguf", "threads": True}, ConfigError, "must be from 1 to"),
        ("ollama", {"port": 70_000}, ConfigError, "must be from 0 to 65535"),
        ("ollama", {"python": "python3"}, UnknownName, "option of the engine ollama 'python'"),
        ("litellm_proxy", {"upstream": "local"}, ConfigError, "needs serve.upstream_model"),
        ("litellm_proxy", {"upsteam": "local"}, UnknownName, "Did you mean upstream"),
        ("command", {}, ConfigError, "needs serve.argv"),
        ("command", {"argv": []}, ConfigError, "serve.argv of the engine command is empty"),
        ("command", {"argv": "python3 -m server"}, ConfigError, "must be a list of texts"),
        ("command", {"argv": ["python3"]}, ConfigError, "nothing tells the program its port"),
        ("command", {"argv": ["python3", "{port}"], "env": {"A": None}}, ConfigError, "must be a mapping of names"),
        ("command", {"argv": ["python3", "{port}"], "env": {"A=B": "c"}}, ConfigError, "must be a mapping of names"),
        ("command", {"argv": ["python3", "{port}"], "ready": "health"}, ConfigError, "a path that begins with /"),
        ("command", {"argv": ["python3", "{port}"], "ready_s": 0}, ConfigError, "must be seconds"),
        ("command", {"argv": ["no-such-program-here", "{port}"]}, EngineError, "no program on the PATH that is called"),
        ("command", {"argv": ["./no-such-program", "{port}"]}, EngineError, "there is no program ./no-such-program"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(
    engine: str, options: JsonObject, error: type[HarnessError], words: str
) -> None:
    """Nothing is started when an option is wrong, and the line names the option and the engine."""
    with pytest.raises(error) as caught:
        engines.start(Serve(engine, options))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("engine", "options", "hint"),
    [
        ("vllm", {"model": "m"}, "pip install vllm"),
        ("transformers_serve", {"model": "m"}, "pip install 'transformers[serving]' torch"),
        ("llama_cpp_python", {"model": "m"}, "pip install 'llama-cpp-python[server]'"),
        ("litellm_proxy", {"upstream": "u", "upstream_model": "m"}, "pip install 'litellm[proxy]==1.100.5'"),
        ("ollama", {}, "Install it from its own page"),
    ],
)
def test_an_engine_that_is_not_installed_is_told_with_how_to_install_it(
    engine: str, options: JsonObject, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked for on the PATH, in the environment of the interpreter that is named, and nowhere else."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match=r"not installed|no program") as caught:
        engines.start(Serve(engine, options))
    assert hint in str(caught.value)
    if engine != "ollama":
        with pytest.raises(EngineError, match="there is no Python"):
            engines.start(Serve(engine, {**options, "python": str(tmp_path / "python")}))
        bare = environment(tmp_path, "other", "1.0")
        with pytest.raises(EngineError, match="is not installed in the environment") as caught:
            engines.start(Serve(engine, {**options, "python": bare}))
        assert hint in str(caught.value)


def environment(root: Path, distribution: str, version: str, **programs: str) -> str:
    """An environment that claims to have a distribution; gives its interpreter, which tells when it is run."""
    (root / "bin").mkdir(exist_ok=True)
    programs = {"python": f"#!/bin/sh\ntouch {root}/was-run\nexit 9\n", **programs}
    for name, text in programs.items():
        (root / "bin" / name).write_text(text)
        (root / "bin" / name).chmod(0o755)
    info = root / f"lib/python3.11/site-packages/{distribution}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    return str(root / "bin" / "python")


@pytest.mark.parametrize("version", ["1.82.7", "1.82.8", "1.107.0", "1.107.3"])
def test_a_compromised_gateway_is_not_started(version: str, tmp_path: Path) -> None:
    """One line says so, and nothing of that environment has been run, not even to see its version."""
    python = environment(tmp_path, "litellm", version, litellm=f"#!/bin/sh\ntouch {tmp_path}/was-run\n")
    options = {"upstream": "http://127.0.0.1:1/v1", "upstream_model": "m", "python": python}
    with pytest.raises(EngineError, match=f"litellm {version} .* is known to be compromised; it was not started"):
        engines.start(Serve("litellm_proxy", options))
    assert not (tmp_path / "was-run").exists()


def test_other_versions_of_it_are_tried(tmp_path: Path) -> None:
    """Only the releases that are known as such are refused; what ends at once is told with its code and last words."""
    python = environment(tmp_path, "litellm", "1.100.5", litellm="#!/bin/sh\necho cannot bind >&2\nexit 7\n")
    options = {"upstream": "http://127.0.0.1:1/v1", "upstream_model": "m", "python": python}
    with pytest.raises(EngineError, match="litellm_proxy ended with exit code 7 before it answered: cannot bind"):
        engines.start(Serve("litellm_proxy", options))


# --- what is started -------------------------------------------------------------------------------------


def test_a_command_answers_and_stops(tmp_path: Path) -> None:
    """It is reached on loopback, its log and version are kept, and it is gone with its port after a stop, or two."""
    running = engines.start(command(version="little 1"), log_dir=tmp_path)
    assert running.version == "little 1"
    assert running.log.parent == tmp_path
    assert running.ended() is None
    assert ask(running, "/health")["data"]
    port = int(running.base_url[17:-3])
    running.stop()
    running.stop()
    assert gone(running.pid)
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        pass


def test_a_key_that_is_wanted_means_that_it_is_up(tmp_path: Path) -> None:
    """401 on the list of models is an answer of a server that works."""
    engines.start(command("shut"), log_dir=tmp_path).stop()


def test_placeholders_are_filled_in_everywhere(tmp_path: Path) -> None:
    """Port, upstream and its model, in the arguments and in the environment; other braces stay as they are."""
    given = {"A": "{upstream}|{upstream_model}|{port}|{x}", "N": 7}
    running = engines.start(command(env=given, upstream="http://there/v1", upstream_model="m{port}"), log_dir=tmp_path)
    env = ask(running, "/env")
    running.stop()
    port = running.base_url[17:-3]
    assert env["A"] == f"http://there/v1|m{{port}}|{port}|{{x}}"
    assert env["N"] == "7"


def test_no_key_of_ours_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor what steers our own Python; the rest of the environment is there."""
    monkeypatch.setenv("MADE_UP_API_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", "."))
    monkeypatch.setenv("MADE_UP", "1")
    running = engines.start(command(), log_dir=tmp_path)
    env = ask(running, "/env")
    running.stop()
    assert not {"MADE_UP_API_KEY", "PYTHONPATH", "VIRTUAL_ENV"} & env.keys()
    assert env["MADE_UP"] == "1"


def test_a_gateway_sees_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare program has the PATH, a home of its own that is gone afterwards, and what the user gave it."""
    monkeypatch.setenv("MADE_UP", "1")
    argv = [sys.executable, LITTLE, "0"]
    port = process.port_of({})
    argv[-1] = str(port)
    told = {"env": {"GIVEN": "1"}}
    program = process.Program("gateway", argv, port, "1", "/health", told, env={"OWN": "1"}, bare=True)
    running = process.run(program, tmp_path, lambda _: None)
    env = ask(running, "/env")
    assert Path(env["HOME"]).is_dir()
    running.stop()
    assert not Path(env["HOME"]).exists()
    assert env["HOME"] != os.environ.get("HOME")
    assert env.keys() - {"LC_CTYPE"} <= {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "OWN", "GIVEN"}


def test_the_wait_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start that takes long says so now and then, with the last thing that the server printed."""
    monkeypatch.setattr(child, "TELL_EVERY_S", 0.2)
    heard: list[str] = []
    engines.start(command("late=1"), log_dir=tmp_path, tell=heard.append).stop()
    assert heard
    assert all(line.startswith("command is not ready after ") for line in heard)


def test_a_program_that_never_answers_is_given_up(tmp_path: Path) -> None:
    """The line names the path that was asked, and nothing is left running."""
    told = tmp_path / "child"
    with pytest.raises(EngineError, match="command did not answer on /v1/models within 1 s") as caught:
        engines.start(command("late=600", f"child={told}", ready_s=1), log_dir=tmp_path)
    assert "\n" not in str(caught.value)
    assert gone(int(told.read_text()))


def test_a_program_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    """A file that the system refuses ends in one line."""
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    with pytest.raises(EngineError, match=r"command ended with exit code 127: cannot start .*broken: No such file"):
        engines.start(Serve("command", {"argv": [str(broken), "{port}"]}))


def test_a_taken_port_is_told_before_anything_starts() -> None:
    """A port that another server has is told in one line."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(EngineError, match=f"cannot listen on 127.0.0.1:{taken}"):
            engines.start(command(port=taken))


# --- what is left ----------------------------------------------------------------------------------------


def test_a_stop_takes_the_whole_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the program started ends with it, and so does a program that does not hear SIGTERM."""
    monkeypatch.setattr(process, "GRACE_S", 0.3)
    told = tmp_path / "child"
    running = engines.start(command("deaf", f"child={told}"), log_dir=tmp_path)
    running.stop()
    assert gone(running.pid)
    assert gone(int(told.read_text()))


@pytest.mark.parametrize("victim", ["harness", "program"])
def test_nothing_outlives_who_started_it(victim: str, tmp_path: Path) -> None:
    """Where the harness is killed outright the program and its child go, and where the program is, its child goes."""
    told = tmp_path / "child"
    code = (
        "import sys, json, time; from pathlib import Path; from harness import engines\n"
        "from harness.provider import Serve\n"
        "running = engines.start(Serve('command', json.loads(sys.argv[1])), log_dir=Path(sys.argv[2]))\n"
        "print(running.pid, flush=True)\n"
        "while (code := running.ended()) is None: time.sleep(0.02)\n"
        "print(code, flush=True)"
    )
    options = json.dumps(command(f"child={told}").options)
    argv = [sys.executable, "-c", code, options, str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        if victim == "harness":
            parent.send_signal(signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
            assert parent.stdout.readline() == f"{-signal.SIGKILL}\n"
    assert gone(pid)
    assert gone(int(told.read_text()))


def test_ends_are_told_as_they_were() -> None:
    """A code, a signal by its name, and a signal that has none."""
    assert child.how_ended(3) == "ended with exit code 3"
    assert child.how_ended(-9) == "was killed by SIGKILL"
    assert child.how_ended(-123) == "was killed by signal 123"


def test_last_words_are_one_line(tmp_path: Path) -> None:
    """The last lines that say something, without what could move a cursor; no log, no words."""
    log = tmp_path / "log"
    log.write_bytes(b"a\n" * 20_000 + b"one\x1b[31m\n\n\xff two\r\nError: three\n\n")
    assert child.last_lines(log, 3) == "one [31m | \ufffd two | three"
    assert child.last_lines(tmp_path / "none") == ""
