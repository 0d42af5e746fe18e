"""The simulator over real sockets, as a child process, and as an engine."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import openai
import pytest
from click.testing import CliRunner

from harness.cli.simulate import command
from harness.engines import child, simulator
from harness.errors import CannotMeasure, ConfigError, EngineError, UnknownName, UsageError

USER = {"role": "user", "content": "hi"}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "Weather", "parameters": CITY}}


class Server(NamedTuple):
    """A simulator in a child process."""

    base_url: str
    log: Path

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.base_url.rsplit(":", 1)[1].split("/")[0])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One clean simulator for all tests over sockets."""
    folder = tmp_path_factory.mktemp("simulator")
    argv = [sys.executable, "-m", "harness", "simulate", "null", "--watch-stdin", "--log", str(folder / "log.jsonl")]
    process, ready = child.spawn(argv, log=folder / "out.txt", ready_timeout_s=30)
    yield Server(ready["base_url"], folder / "log.jsonl")
    child.stop(process)
    assert process.returncode == 0
    assert (folder / "out.txt").read_text() == ""


def test_the_official_client_is_served(server: Server) -> None:
    """The official SDK lists, chats, streams and calls tools; a mistake raises its typed error."""
    with openai.OpenAI(base_url=server.base_url, api_key="any", max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["sim-small"]
        user: Any = [{"role": "user", "content": "Weather in Paris?"}]
        with client.chat.completions.stream(model="sim-small", messages=user, tools=[WEATHER]) as stream:  # type: ignore[list-item]
            final = stream.get_final_completion()
        assert final.choices[0].message.tool_calls is not None
        assert final.choices[0].message.tool_calls[0].function.arguments == '{"city": "Paris"}'
        with pytest.raises(openai.NotFoundError) as raised:
            client.chat.completions.create(model="none", messages=user)
        assert raised.value.code == "model_not_found"
        assert raised.value.request_id


def raw(server: Server, data: bytes, until: bytes, count: int = 1) -> bytes:
    """Bytes sent over one socket, and what came back until a text was seen so often, or the end."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
        sock.sendall(data)
        got = b""
        while got.count(until) < count and (piece := sock.recv(65536)):
            got += piece
        return got


def posted(body: bytes, *headers: str) -> bytes:
    """One chat request as bytes."""
    lines = ["POST /v1/chat/completions HTTP/1.1", "host: x", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def test_a_connection_is_kept_and_requests_on_it_answered_in_turn(server: Server) -> None:
    """Pipelined requests, streams among them, are answered in their order on one connection."""
    bodies = [
        json.dumps(
            {
                "model": "sim-small",
                "stream": bool(n % 2),
                "messages": [{"role": "user", "content": f"Repeat exactly: n{n}-"}],
            }
        )
        for n in range(200)
    ]
    got = raw(server, b"".join(posted(body.encode()) for body in bodies), b"HTTP/1.1 200 OK", 200)
    order = [int(number) for number in re.findall(rb'content":"n(\d+)', got)]
    assert order == list(range(len(order)))
    assert len(order) >= 199


def test_http_mistakes_end_in_answers_not_in_silence(server: Server) -> None:
    """No HTTP gets 400, a huge body 413 with the connection kept in order, Expect gets 100, close is obeyed."""
    assert raw(server, b"NONSENSE\r\n\r\n", b"\x00").startswith(b"HTTP/1.1 400")
    huge = posted(b"x" * (17 * 2**20)) + posted(b"{}")
    assert re.findall(rb"HTTP/1.1 (\d+)", raw(server, huge, b"missing_required_parameter")) == [b"413", b"400"]
    assert raw(server, posted(b"{}", "expect: 100-continue"), b"}}").startswith(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400"
    )
    closed = raw(server, posted(b"{}", "connection: close"), b"\x00")
    assert b"connection: close" in closed


def test_the_log_joins_with_the_responses(tmp_path: Path) -> None:
    """Each response has its line, found by id and by x-request-id, with its times in order and its faults named."""
    log = tmp_path / "log.jsonl"
    argv = [sys.executable, "-m", "harness", "simulate", "null", "--log", str(log), "--log-chunks", "--set", "cut=0.5"]
    process, ready = child.spawn(
        argv, log=tmp_path / "out.txt", ready_timeout_s=30, env={**os.environ, "HARNESS_SIM_KEY": "right"}
    )
    server = Server(ready["base_url"], log)
    try:
        got = []
        for number in range(12):
            body = {"model": "sim-small", "stream": True, "max_tokens": 4}
            body["messages"] = [{"role": "user", "content": f"{number}: a story"}]
            headers = ("authorization: Bearer right", "connection: close")
            got.append(raw(server, posted(json.dumps(body).encode(), *headers), b"\x00").decode())
        assert raw(server, posted(b"{}", "connection: close"), b"\x00").startswith(b"HTTP/1.1 401")
    finally:
        child.stop(process)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [lines[0]["type"], lines[-1]["type"]] == ["start", "end"]
    by_request = {line["request_id"]: line for line in lines[1:-1]}
    assert len(by_request) == 13
    assert "right" not in log.read_text()
    for response in got:
        line = by_request[re.findall(r"x-request-id: (\S+)", response)[0]]
        assert set(re.findall(r'"id":"([^"]+)"', response)) <= {line["id"]}
        assert (line["fault"] == "cut") == ("[DONE]" not in response)
        assert line["sent"] == sum(line["chunks_tokens"]) == len(re.findall(r'"delta":\{"content"', response))
        assert len(line["chunks_ns"]) == len(line["chunks_tokens"])
        marks = ("read_ns", "headers_ns", "role_ns", "first_ns", "last_ns", "end_ns")
        times = [line[name] for name in marks if line[name]]
        assert times == sorted(times)
        assert line["accept_ns"] <= line["headers_ns"]
    assert {line["fault"] for line in by_request.values()} == {"cut", None}


@pytest.mark.parametrize("end", ["sigterm", "parent"])
def test_a_child_ends_with_a_signal_or_with_its_parent(tmp_path: Path, end: str) -> None:
    """SIGTERM and the end of standard input both end it in good order, its streams under way included."""
    argv = [sys.executable, "-m", "harness", "simulate", "truth", "--watch-stdin", "--log", str(tmp_path / "log")]
    process, ready = child.spawn(argv, log=tmp_path / "out.txt", ready_timeout_s=30)
    port = Server(ready["base_url"], tmp_path).port
    body = json.dumps({"model": "sim-small", "stream": True, "messages": [USER]}).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(posted(body))
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
        assert process.stdin is not None
        if end == "parent":
            process.stdin.close()
        else:
            os.kill(process.pid, signal.SIGTERM)
        assert process.wait(10) == 0
        child.stop(process)
    assert '"aborted":true' in (tmp_path / "log").read_text()
    assert (tmp_path / "out.txt").read_text() == ""


def test_the_engine_starts_a_profile_and_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine gives an address that answers any key, and nothing is left after stop, even when called twice."""
    monkeypatch.setenv("HARNESS_SIM_KEY", "of another simulator")
    running = simulator.start({"profile": "null", "models": ["m1", "m2"], "requests_per_minute": 5}, tmp_path, print)
    with openai.OpenAI(base_url=running.base_url, api_key="any") as client:
        assert [model.id for model in client.models.list()] == ["m1", "m2"]
    running.stop()
    running.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(running.pid, 0)
    assert (tmp_path / "simulator-null.sends.jsonl").exists()


def test_the_engine_speaks_a_dialect(tmp_path: Path) -> None:
    """serve: {engine: simulator, profile: NAME, dialect: NAME} gives the address and the models of that dialect."""
    running = simulator.start({"profile": "truth", "dialect": "groq"}, tmp_path, print)
    try:
        assert running.base_url.endswith("/openai/v1")
        with openai.OpenAI(base_url=running.base_url, api_key="any") as client:
            assert "openai/gpt-oss-20b" in [model.id for model in client.models.list()]
    finally:
        running.stop()


def test_an_engine_that_cannot_start_says_why() -> None:
    """A wrong option is a mistake of the user's file; a port in use is told in one line."""
    with pytest.raises(ConfigError, match="needs a profile"):
        simulator.start({}, None, print)
    with pytest.raises(UnknownName, match="ttft_ms"):
        simulator.start({"profile": "null", "ttft": 5}, None, print)
    with pytest.raises(UnknownName, match="groq"):
        simulator.start({"profile": "null", "dialect": "grok"}, None, print)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(EngineError, match="is in use") as raised:
        simulator.start({"profile": "null", "port": taken.getsockname()[1]}, None, print)
    assert "\n" not in str(raised.value)


def test_a_child_that_says_nothing_is_ended(tmp_path: Path) -> None:
    """A process without a ready line is stopped at the time limit, and one that cannot be run is named."""
    with pytest.raises(EngineError, match=r"was not ready within 0\.3 s"):
        child.spawn([sys.executable, "-c", "import time; time.sleep(60)"], log=tmp_path / "a", ready_timeout_s=0.3)
    code = "import sys; print('the last word', file=sys.stderr); sys.exit(3)"
    with pytest.raises(EngineError, match="exit code 3: the last word"):
        child.spawn([sys.executable, "-c", code], log=tmp_path / "b", ready_timeout_s=10)
    with pytest.raises(EngineError, match="cannot start"):
        child.spawn(["no-such-program"], log=tmp_path / "c", ready_timeout_s=1)


def test_a_mistake_on_the_command_line_has_its_exit_code() -> None:
    """An unknown profile is 2, a port in use 3, each in one line without a traceback."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "harness", "simulate", *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        for code, arguments in ((2, ("nul",)), (3, ("null", "--port", str(taken.getsockname()[1])))):
            done = run(*arguments)
            assert done.returncode == code
            assert len(done.stderr.strip().splitlines()) == 1
            assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (["--set", "key_env=NO_SUCH_VARIABLE"], CannotMeasure, "NO_SUCH_VARIABLE"),
        (["--log", "no-such-folder/x"], CannotMeasure, "no-such-folder"),
        (["--host", "no.such.host.invalid"], UsageError, "no address"),
        (["--tls-cert", "x.pem"], UsageError, "go together"),
        (["--tls-cert", "x.pem", "--tls-key", "y.pem"], UsageError, "no certificate"),
    ],
)
def test_what_cannot_be_served_is_said_before_it_is_tried(
    arguments: list[str], error: type[Exception], says: str
) -> None:
    """A missing key variable, log folder, host or certificate raises its error with the name in it."""
    result = CliRunner().invoke(command, ["null", *arguments])
    assert isinstance(result.exception, error)
    assert says in str(result.exception)
