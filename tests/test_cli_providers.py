"""`harness providers`: listing, showing and checking, against a small server on loopback."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.cli.providers import command
from harness.errors import UnknownName

KEY = "correct-horse-battery"
CHAT = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
LIST = {"object": "list", "data": [{"id": "m-1", "object": "model"}, {"id": "m-2", "object": "model"}]}


class Handler(BaseHTTPRequestHandler):
    """Answers by the first part of the path, so that one server plays every kind of host."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Stay silent."""

    def do_GET(self) -> None:
        """The list of models."""
        kind = self.path.split("/")[1]
        if kind == "keyed" and self.headers.get("Authorization") != f"Bearer {KEY}":
            self.reply(401, {"error": {"message": f"wrong key {self.headers.get('Authorization')}"}})
        elif kind == "hang":
            time.sleep(0.5)
            self.close_connection = True
        elif kind == "web":
            self.reply(200, b"<html>hello</html>")
        elif kind == "bare":
            self.reply(200, LIST["data"])
        elif kind.isdigit():
            self.reply(int(kind), {"error": {"message": "no \x1b[31m"}})
        else:
            self.reply(200, LIST)

    def do_POST(self) -> None:
        """One token of chat."""
        kind = self.path.split("/")[1]
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if kind == "nochat":
            self.reply(400, {"error": {"message": f"no \x1b[31mchat {KEY}", "type": "invalid_request_error"}})
        else:
            assert asked["max_tokens"] == 1
            self.reply(200, CHAT | {"model": asked["model"]})

    def reply(self, status: int, body: object) -> None:
        """Send one answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Address of the server that plays every kind of host."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("OPENAI_API_KEY", "GROQ_API_KEY", "OPENROUTER_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def write(folder: Path, blocks: dict[str, dict[str, Any]]) -> None:
    """Make the folder's providers.yaml; JSON is YAML."""
    common = {"kind": "hosted", "any_model": True, "quirks": {"max_tokens_field": "max_tokens"}}
    named = {name: common | block for name, block in blocks.items()}
    (folder / "providers.yaml").write_text(json.dumps({"providers": named}, indent=1))


def harness(*args: str) -> Result:
    """Call `harness providers`."""
    return CliRunner().invoke(command, args)


def checked(*args: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and rows of `harness providers check --json`."""
    result = harness("check", "--json", "--timeout", "2", *args)
    return result.exit_code, json.loads(result.stdout)


def one(*args: str) -> dict[str, Any]:
    """The only row; the exit code must agree with it."""
    code, rows = checked(*args)
    (row,) = rows
    assert code == (0 if row["usable"] else 3)
    assert row["usable"] or row["next_step"]
    return row


# --- list and show ---------------------------------------------------------------------------------------


def test_list_names_every_provider_and_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table has id, kind, address, key variable with its state, and models; never the key."""
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    result = harness("list")
    assert result.exit_code == 0
    groq = next(line for line in result.stdout.splitlines() if "groq.com" in line)
    assert "GROQ_API_KEY (set)" in groq
    assert "OPENAI_API_KEY (missing)" in result.stdout
    assert "started on demand (llama_cpp)" in result.stdout
    assert KEY not in result.stdout
    rows = {row["id"]: row for row in json.loads(harness("list", "--json").stdout)}
    assert rows["groq"]["key_set"] is True
    assert rows["openai"]["key_set"] is False
    assert rows["vllm"]["key_set"] is None
    assert rows["local"] == {
        "id": "local",
        "kind": "local",
        "base_url": None,
        "engine": "llama_cpp",
        "key_env": None,
        "key_set": None,
        "models": {"smollm2": "smollm2-135m-instruct"},
        "any_model": False,
    }


def test_show_prints_the_block_and_its_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The effective block is shown with what its models cost; never the key."""
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    shown = harness("show", "groq").stdout
    assert shown.startswith("providers:\n  groq:\n    kind: hosted\n")
    assert "# key: GROQ_API_KEY (set)" in shown
    assert "# price of llama-3.3-70b: input 0.59, cached input unknown, output 0.79 USD per million tokens" in shown
    assert KEY not in shown
    assert "# price of smollm2: unknown" in harness("show", "local").stdout
    shown = json.loads(harness("show", "steady-vendor", "--json").stdout)
    assert shown["prices"]["sim-small"]["source"] == "simulated (an invented figure)"
    assert shown["block"]["serve"] == {"engine": "simulator", "profile": "steady-vendor"}


@pytest.mark.parametrize("args", [("show", "gorq"), ("check", "gorq/x"), ("check", "gorq")])
def test_a_typo_is_answered_with_the_nearest_name(args: tuple[str, str]) -> None:
    """A mistyped provider offers the one that was meant."""
    error = harness(*args).exception
    assert isinstance(error, UnknownName)
    assert "Did you mean groq" in str(error)


@pytest.mark.parametrize("args", [(), ("list",), ("show",), ("check",)])
def test_help_has_an_example(args: tuple[str, ...]) -> None:
    """Every command explains itself with an example."""
    result = harness(*args, "--help")
    assert result.exit_code == 0
    assert "harness providers" in result.stdout


# --- check -----------------------------------------------------------------------------------------------


def test_a_listed_model_is_usable(tmp_path: Path, origin: str) -> None:
    """A reachable server that lists the model is usable; so is a provider alone, and a bare list of models."""
    write(tmp_path, {"ok": {"base_url": f"{origin}/v1"}, "bare": {"base_url": f"{origin}/bare"}})
    row = one("ok/m-1")
    assert (row["state"], row["status"], row["models"], row["listed"], row["chat"]) == ("usable", 200, 2, True, None)
    assert row["latency_ms"] > 0
    assert one("ok")["listed"] is None
    assert one("bare/m-2")["listed"] is True


def test_chat_asks_for_one_token(tmp_path: Path, origin: str) -> None:
    """--chat proves the model, also where only a provider is named or no list is to be had."""
    write(tmp_path, {"ok": {"base_url": f"{origin}/v1"}, "nolist": {"base_url": f"{origin}/404"}})
    assert one("ok/m-1", "--chat")["chat"] is True
    assert one("ok", "--chat")["chat"] is True
    assert one("nolist/m", "--chat")["detail"] == "no list of models, chat answered"
    assert one("nolist", "--chat")["state"] == "no model to ask"


def test_a_failing_chat_is_told_without_the_key(tmp_path: Path, origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's words are shown without control characters and without the key it echoes."""
    monkeypatch.setenv("NOCHAT_KEY", KEY)
    write(tmp_path, {"nochat": {"base_url": f"{origin}/nochat", "api_key_env": "NOCHAT_KEY"}})
    row = one("nochat/m-1", "--chat")
    assert (row["state"], row["chat"]) == ("chat failed", False)
    assert row["detail"].isprintable()
    assert KEY not in json.dumps(row)


def test_keys_missing_wrong_and_unasked(tmp_path: Path, origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way a key can be wrong is told apart, names the variable, and never shows a key."""
    keyed = {"base_url": f"{origin}/keyed"}
    write(tmp_path, {"keyed": keyed | {"api_key_env": "KEYED_KEY"}, "unkeyed": keyed})
    monkeypatch.delenv("KEYED_KEY", raising=False)
    assert one("keyed/m-1")["state"] == "no key"
    assert "KEYED_KEY" in one("keyed/m-1")["next_step"]
    monkeypatch.setenv("KEYED_KEY", "wrong-horse-battery")
    row = one("keyed/m-1")
    assert (row["state"], row["status"], row["next_step"]) == ("key refused", 401, "Check the value of KEYED_KEY")
    assert "wrong-horse" not in json.dumps(row)
    monkeypatch.setenv("KEYED_KEY", KEY)
    assert one("keyed/m-1")["state"] == "usable"
    assert one("unkeyed/m-1")["next_step"] == "Add api_key_env to this provider's block"


@pytest.mark.parametrize(
    ("path", "state", "step"),
    [
        ("404", "no model list", "base_url"),
        ("301", "no model list", "base_url"),
        ("web", "no model list", "base_url"),
        ("429", "throttled", "Wait"),
        ("500", "server error", "log"),
        ("503", "server error", "log"),
    ],
)
def test_each_kind_of_answer_has_its_next_step(tmp_path: Path, origin: str, path: str, state: str, step: str) -> None:
    """What a server answers is turned into a state and something to do."""
    write(tmp_path, {"p": {"base_url": f"{origin}/{path}"}})
    row = one("p/m-1")
    assert row["state"] == state
    assert step in row["next_step"]


def test_a_model_that_is_not_listed_offers_the_nearest(tmp_path: Path, origin: str) -> None:
    """A mistyped model is told with what the server has."""
    write(tmp_path, {"ok": {"base_url": f"{origin}/v1"}})
    row = one("ok/m1")
    assert (row["state"], row["listed"]) == ("model not listed", False)
    assert row["next_step"] == "Did you mean m-1 or m-2?"


def test_what_cannot_be_reached_is_told_soon(tmp_path: Path, origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed port, name that does not exist, silent server, missing variable: all in one call, which never hangs."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        monkeypatch.delenv("NO_SUCH_HOST", raising=False)
        write(
            tmp_path,
            {
                "gone": {"base_url": dead},
                "mine": {"base_url": dead, "kind": "local"},
                "nameless": {"base_url": "http://nowhere.invalid/v1"},
                "silent": {"base_url": f"{origin}/hang"},
                "unset": {"base_url": "http://${NO_SUCH_HOST}:1/v1"},
            },
        )
        started = time.perf_counter_ns()
        result = harness("check", "--json", "--timeout", "0.3", "gone", "mine/x", "nameless/x", "silent/x", "unset/x")
        assert (time.perf_counter_ns() - started) / 1e9 < 10
    assert result.exit_code == 3
    rows = {row["endpoint"]: row for row in json.loads(result.stdout)}
    states = {name: row["state"] for name, row in rows.items()}
    assert states == {
        "gone": "unreachable",
        "mine/x": "not running",
        "nameless/x": "unreachable",
        "silent/x": "unreachable",
        "unset/x": "not set up",
    }
    assert "NO_SUCH_HOST" in rows["unset/x"]["detail"]
    assert rows["mine/x"]["next_step"] == f"Start the server at {dead}"
    assert all(row["next_step"] for row in rows.values())


def test_servers_of_our_own_are_started_on_demand() -> None:
    """A serve block needs no connection: the harness starts it when a run needs it."""
    code, rows = checked("local/smollm2", "steady-vendor/sim-small")
    assert code == 0
    assert [row["state"] for row in rows] == ["started on demand"] * 2
    assert all("not checked: it is started on demand" in row["detail"] for row in rows)


def test_tables_are_never_cut(tmp_path: Path, origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe gets whole addresses, variables and next steps, however narrow the terminal is said to be."""
    monkeypatch.setenv("COLUMNS", "40")
    address, variable = f"{origin}/{'long/' * 30}v1", "A_VARIABLE_" + "X" * 60
    write(tmp_path, {"far": {"base_url": address, "api_key_env": variable}})
    listed = harness("list").stdout
    assert address in listed
    assert f"{variable} (missing)" in listed
    assert variable in harness("check", "far").stdout


def test_by_default_what_could_work_is_checked(tmp_path: Path, origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without names: providers with their key set and those that need none; a local server that is off is no error."""
    monkeypatch.setenv("SET_KEY", KEY)
    monkeypatch.delenv("UNSET_KEY", raising=False)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        off = {name: {"base_url": dead, "kind": "local"} for name in ("vllm", "llama-cpp", "ollama")}
        keyed = {"base_url": f"{origin}/keyed"}
        write(
            tmp_path,
            {"set": keyed | {"api_key_env": "SET_KEY"}, "unset": keyed | {"api_key_env": "UNSET_KEY"}} | off,
        )
        code, rows = checked()
        states = {row["endpoint"]: row["state"] for row in rows}
        assert code == 0
        assert states["set"] == "usable"
        assert states["vllm"] == "not running"
        assert states["local"] == "started on demand"
        assert "unset" not in states
        assert checked("vllm/x")[0] == 3
        table = harness("check", "--timeout", "2", "set", "vllm/x")
    assert table.exit_code == 3
    assert "Start the server at" in table.stdout
    assert KEY not in table.stdout
