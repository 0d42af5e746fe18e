"""`harness providers`: listing, showing and checking, against a small server on loopback."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness import config
from harness.cli.providers import command
from harness.config import file as config_file
from harness.errors import CannotMeasure, ConfigError, UnknownName
from harness.preflight.found import STEPS
from harness.preflight.readiness import missing, of_address

KEY = "correct-horse-battery"
CHAT = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
LLAMA = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
ASKED: list[dict[str, Any]] = []
"""Every chat that was asked for."""
RATES = {
    "x-ratelimit-limit-requests": "14400",
    "x-ratelimit-remaining-requests": "14399",
    "x-ratelimit-limit-tokens": "6000",
    "x-ratelimit-remaining-tokens": "5980",
}
LIST = {"object": "list", "data": [{"id": "m-1", "object": "model"}, {"id": "m-2", "object": "model"}]}


def _streamed(whole: dict[str, Any]) -> str:
    about = {key: whole[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    choice = {"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": "length"}
    return f"data: {json.dumps(about | {'choices': [choice]})}\n\ndata: [DONE]\n\n"


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
        elif kind == "large":
            self.reply(200, {"data": [{"id": f"vendor{n}/model-{n}"} for n in range(400)] + [{"id": LLAMA}]})
        elif kind == "unlisted":
            self.reply(404, {"error": {"message": "no such route"}})
        elif kind.isdigit():
            self.reply(int(kind), {"error": {"message": "no \x1b[31m"}})
        else:
            self.reply(200, LIST)

    def do_POST(self) -> None:
        """One token of chat, at once or streamed."""
        kind = self.path.split("/")[1]
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        ASKED.append(asked)
        if kind == "nochat":
            self.reply(400, {"error": {"message": f"no \x1b[31mchat {KEY}", "type": "invalid_request_error"}})
        elif kind == "public" and self.headers.get("Authorization") != f"Bearer {KEY}":
            self.reply(401, {"error": {"message": "who are you"}})
        elif kind == "nostream" and asked.get("stream"):
            self.reply(500, {"error": {"message": "no streams"}})
        elif kind == "roomy" and asked["max_tokens"] < 16:
            self.reply(400, {"error": {"message": "max_tokens must be at least 16"}})
        elif kind == "large" and asked["model"] != LLAMA:
            self.reply(404, {"error": {"message": f"model {asked['model']} does not exist"}})
        else:
            assert asked["max_tokens"] == (64 if kind == "roomy" else 1)
            whole = CHAT | {"model": asked["model"]}
            self.reply(200, _streamed(whole) if asked.get("stream") else whole)

    def reply(self, status: int, body: object) -> None:
        """Send one answer."""
        streamed = isinstance(body, str)
        data = (
            body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        )
        self.send_response_only(status)
        kind = self.path.split("/")[1]
        now = datetime.now(UTC) + timedelta(hours=1 if kind == "ahead" else 0)
        if kind != "dateless":
            self.send_header("Date", format_datetime(now, usegmt=True))
        for name, value in RATES.items() if kind == "rated" else ():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/event-stream" if streamed else "application/json")
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
    without_keys(monkeypatch)
    ASKED.clear()


def without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable that any preset reads is set."""
    for one in config.shipped_providers().values():
        for name in (one.auth.env, *one.auth.env_alt, *of_address(one), *one.env_headers.values()):
            if name:
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
    """The table has name, title, address, key variable with its state; never the key."""
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    result = harness("list")
    assert result.exit_code == 0
    groq = next(line for line in result.stdout.splitlines() if "groq.com" in line)
    assert "GROQ_API_KEY (set)" in groq
    assert "OPENAI_API_KEY (missing)" in result.stdout
    assert "started on demand (llama_cpp)" in result.stdout
    assert KEY not in result.stdout
    rows = {row["id"]: row for row in json.loads(harness("list", "--json").stdout)}
    assert set(rows) == set(config.load_providers())
    assert rows["groq"]["key_set"] is True
    assert rows["openai"]["key_set"] is False
    assert rows["vllm"]["key_set"] is None
    assert rows["vllm"]["preset"] == "vllm"
    local = {"engine": "llama_cpp", "base_url": None, "key_env": None, "models": {"smollm2": "smollm2-135m-instruct"}}
    assert local.items() <= rows["local"].items()


def test_list_puts_first_what_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block of the user's file and a provider whose key is set come before all others, whatever their kind."""
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    (tmp_path / "providers.yaml").write_text("providers: {gpu: {use: vllm, base_url: 'http://10.0.0.7:8000/v1'}}")
    lines = harness("list").stdout.splitlines()
    heading = lines.index(next(line for line in lines if line.startswith("yours")))
    assert {line.split()[0] for line in lines[heading + 1 : heading + 3]} == {"groq", "gpu"}
    assert lines[heading + 3].strip() == "hosted"


def test_mine_are_those_that_can_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--mine leaves out who has no key, the user's own too, and local engines that do not run."""
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    (tmp_path / "providers.yaml").write_text("providers: {mine: {use: openai}, gpu: {use: vllm}}")
    found = {row["id"] for row in json.loads(harness("list", "--mine", "--json").stdout)}
    assert {"groq", "gpu", "local", "steady-vendor"} <= found
    assert not {"openai", "mine", "openrouter"} & found


@pytest.mark.skipif(shutil.which("script") is None, reason="no `script` command to make a terminal with")
@pytest.mark.parametrize("width", [80, 200])
def test_list_fits_a_terminal(width: int) -> None:
    """On a terminal no line is longer than the terminal is wide, and every provider is named."""
    line = f"stty cols {width}; unset COLUMNS; exec {sys.executable} -m harness providers list"
    shown = subprocess.run(["script", "-qec", line, "/dev/null"], capture_output=True, text=True, check=True)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.stdout).splitlines()
    assert max(map(len, lines)) <= width
    assert {line.split()[0] for line in lines if line.startswith("  ")} >= set(config.load_providers())


def test_show_prints_the_block_and_its_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The effective block is shown, which can be pasted, and in words what is known; never the key."""
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    shown = harness("show", "groq").stdout
    assert shown.startswith("providers:\n  groq:\n    kind: hosted\n")
    assert "# key: GROQ_API_KEY (set)" in shown
    assert "# sent: logprobs is not sent" in shown
    assert "# sent: the output limit is sent as max_completion_tokens" in shown
    assert "# price of gpt-oss-120b: input 0.15, cached input 0.075, output 0.6 USD per million tokens" in shown
    assert KEY not in shown
    assert config_file.read_file(_saved(shown)).providers["groq"].kind == "hosted"
    assert "# price of smollm2: unknown" in harness("show", "local").stdout
    shown = json.loads(harness("show", "steady-vendor", "--json").stdout)
    assert shown["prices"]["sim-small"]["source"] == "simulated (an invented figure)"
    assert shown["block"]["serve"] == {"engine": "simulator", "profile": "steady-vendor"}


def _saved(text: str) -> Path:
    path = Path("shown.yaml")
    path.write_text(text)
    return path


def test_show_tells_how_a_preset_is_used() -> None:
    """Of a preset that the user's file does not name the lines to put there are shown, and they load; of others not."""
    shown = harness("show", "vllm").stdout
    lines = shown.splitlines()
    begun = lines.index("#   providers:")
    path = Path("providers.yaml")
    path.write_text("\n".join(line.removeprefix("#   ") for line in lines[begun : begun + 2]))
    assert config.load_providers()["vllm"].yours
    assert "# start: vllm serve" in shown
    assert "#   providers:" not in harness("show", "vllm").stdout


@pytest.mark.parametrize("name", sorted(path.stem for path in config.presets()))
def test_every_preset_can_be_shown(name: str) -> None:
    """Whatever a preset says, it is shown in full and as JSON."""
    assert harness("show", name).exit_code == 0
    assert json.loads(harness("show", name, "--json").stdout)["id"] == name


@pytest.mark.parametrize("args", [("show", "gorq"), ("check", "gorq/x"), ("check", "gorq"), ("models", "gorq")])
def test_a_typo_is_answered_with_the_nearest_name(args: tuple[str, str]) -> None:
    """A mistyped provider offers the one that was meant."""
    error = harness(*args).exception
    assert isinstance(error, UnknownName)
    assert "Did you mean groq" in str(error)


@pytest.mark.parametrize("args", [(), ("list",), ("show",), ("check",), ("models",), ("init",)])
def test_help_has_an_example(args: tuple[str, ...]) -> None:
    """Every command explains itself with an example."""
    result = harness(*args, "--help")
    assert result.exit_code == 0
    assert "harness providers" in result.stdout


# --- check -----------------------------------------------------------------------------------------------


def test_every_step_is_told_with_its_time(tmp_path: Path, origin: str) -> None:
    """A good endpoint has all steps ok but TLS, which plain HTTP has not; asked steps have times."""
    write(tmp_path, {"ok": {"base_url": f"{origin}/v1"}, "bare": {"base_url": f"{origin}/bare"}})
    row = one("ok/m-1")
    assert (row["state"], row["status"], row["models"], row["listed"]) == ("usable", 200, 2, True)
    assert (row["chat"], row["stream"], row["asked"]) == (True, True, "m-1")
    assert row["latency_ms"] > 0
    assert list(row["steps"]) == list(STEPS)
    states = {name: step["state"] for name, step in row["steps"].items()}
    assert states.pop("tls") == "not asked"
    assert set(states.values()) == {"ok"}
    timed = {name for name, step in row["steps"].items() if step["ms"] is not None}
    assert timed == {"dns", "connect", "model", "chat", "stream"}
    assert one("ok")["listed"] is None
    assert one("bare/m-2")["listed"] is True


def test_one_token_each_and_no_more(tmp_path: Path, origin: str) -> None:
    """Chat and stream ask for one token each; --free asks for none."""
    write(tmp_path, {"ok": {"base_url": f"{origin}/v1"}})
    assert one("ok/m-1", "--free")["chat"] is None
    assert ASKED == []
    one("ok/m-1")
    assert [asked.get("stream", False) for asked in ASKED] == [False, True]
    assert {asked["max_tokens"] for asked in ASKED} == {1}


def test_a_host_that_wants_more_room_is_given_some(tmp_path: Path, origin: str) -> None:
    """A limit of one token that is refused as too low is no fault of the endpoint."""
    write(tmp_path, {"roomy": {"base_url": f"{origin}/roomy"}})
    assert one("roomy/m-1")["state"] == "usable"
    assert [asked["max_tokens"] for asked in ASKED] == [1, 64, 64]


def test_a_provider_alone_is_asked_of_a_model_of_its_own(tmp_path: Path, origin: str) -> None:
    """Without a model the first mapped one that is listed is asked, else a listed one; with neither it is told."""
    mapped = {"models": {"ours": "m-2"}}
    write(
        tmp_path,
        {
            "mapped": {"base_url": f"{origin}/v1"} | mapped,
            "listed": {"base_url": f"{origin}/v1"},
            "nolist": {"base_url": f"{origin}/404"},
            "quiet": {"base_url": f"{origin}/404", "discovery": False},
        },
    )
    assert one("mapped")["asked"] == "m-2"
    assert one("listed")["asked"] == "m-1"
    assert one("nolist/m")["detail"] == "chat and stream answered"
    assert one("nolist")["state"] == "no model list"
    assert one("quiet")["state"] == "no model to ask"


def test_a_provider_that_lists_nothing_is_not_asked_for_a_list(tmp_path: Path, origin: str) -> None:
    """With discovery: false only what it has is asked of it."""
    write(tmp_path, {"quiet": {"base_url": f"{origin}/500", "discovery": False}})
    row = one("quiet/m")
    assert (row["state"], row["status"], row["models"]) == ("usable", None, None)
    assert one("quiet/m", "--free")["steps"]["connect"]["state"] == "ok"


def test_a_failing_chat_is_told_without_the_key(tmp_path: Path, origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's words are shown without control characters and without the key it echoes."""
    monkeypatch.setenv("NOCHAT_KEY", KEY)
    write(tmp_path, {"nochat": {"base_url": f"{origin}/nochat", "api_key_env": "NOCHAT_KEY"}})
    row = one("nochat/m-1")
    assert (row["state"], row["chat"], row["stream"]) == ("chat failed", False, None)
    assert row["detail"].isprintable()
    assert KEY not in json.dumps(row)
    assert KEY not in harness("check", "nochat/m-1").output


def test_a_failing_stream_is_told(tmp_path: Path, origin: str) -> None:
    """An endpoint that chats and does not stream is not usable, and its step says so."""
    write(tmp_path, {"nostream": {"base_url": f"{origin}/nostream"}})
    row = one("nostream/m-1")
    assert (row["chat"], row["stream"], row["state"]) == (True, False, "server error")
    assert row["steps"]["stream"]["state"] == "wrong"


def test_keys_missing_wrong_and_unasked(tmp_path: Path, origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way a key can be wrong is told apart, names the variable, and never shows a key."""
    keyed = {"base_url": f"{origin}/keyed"}
    where = {"about": {"key_url": "https://example.com/keys"}}
    write(tmp_path, {"keyed": keyed | where | {"api_key_env": "KEYED_KEY"}, "unkeyed": keyed})
    monkeypatch.delenv("KEYED_KEY", raising=False)
    row = one("keyed/m-1")
    assert (row["state"], row["steps"]["auth"]["state"]) == ("no key", "wrong")
    assert "KEYED_KEY" in row["next_step"]
    assert "https://example.com/keys" in row["next_step"]
    monkeypatch.setenv("KEYED_KEY", "wrong-horse-battery")
    row = one("keyed/m-1")
    assert (row["state"], row["status"]) == ("key refused", 401)
    assert row["next_step"] == "Check the value of KEYED_KEY (https://example.com/keys)"
    assert "wrong-horse" not in json.dumps(row)
    monkeypatch.setenv("KEYED_KEY", KEY)
    assert one("keyed/m-1")["state"] == "usable"
    assert one("unkeyed/m-1")["next_step"] == "Add api_key_env to this provider's block"


def test_a_public_list_proves_no_key(tmp_path: Path, origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where anybody is given the list of models, a wrong key shows in the chat."""
    monkeypatch.setenv("PUBLIC_KEY", "wrong-horse-battery")
    write(tmp_path, {"public": {"base_url": f"{origin}/public", "api_key_env": "PUBLIC_KEY"}})
    row = one("public/m-1")
    assert (row["state"], row["steps"]["auth"]["state"], row["listed"]) == ("key refused", "wrong", True)


@pytest.mark.parametrize(
    ("path", "state", "step"),
    [
        ("404", "no model list", "base_url"),
        ("301", "no model list", "base_url"),
        ("web", "no model list", "base_url"),
        ("403", "wants a key", "api_key_env"),
        ("429", "throttled", "Wait"),
        ("500", "server error", "log"),
        ("503", "server error", "log"),
    ],
)
def test_each_kind_of_list_has_its_next_step(tmp_path: Path, origin: str, path: str, state: str, step: str) -> None:
    """What comes in place of a list is turned into a state and something to do; a chat that answers outweighs it."""
    write(tmp_path, {"p": {"base_url": f"{origin}/{path}"}})
    row = one("p/m-1", "--free")
    assert row["state"] == state
    assert step in row["next_step"]
    assert one("p/m-1")["state"] == "usable"


def test_a_model_that_is_not_listed_offers_the_nearest(tmp_path: Path, origin: str) -> None:
    """A logical name, or another spelling of the same weights, finds the id among hundreds."""
    write(tmp_path, {"ok": {"base_url": f"{origin}/v1"}, "large": {"base_url": f"{origin}/large"}})
    row = one("ok/m1", "--free")
    assert (row["state"], row["listed"]) == ("model not listed", False)
    assert row["next_step"] == "Did you mean m-1?"
    for wrong in ("llama-3.3-70b", "meta/llama3.3:70b-instruct", "llama-v3p3-70b-instruct"):
        row = one(f"large/{wrong}")
        assert (row["state"], row["chat"]) == ("model not listed", False)
        assert row["next_step"] == f"Did you mean {LLAMA}?"
        assert "does not exist" in row["detail"]
        assert row["steps"]["model"]["state"] == "wrong"


def test_a_model_that_answers_need_not_be_listed(tmp_path: Path, origin: str) -> None:
    """A list may be incomplete: what counts is that the model answers."""
    write(tmp_path, {"ok": {"base_url": f"{origin}/v1"}})
    row = one("ok/alias")
    assert (row["state"], row["listed"], row["steps"]["model"]["detail"]) == ("usable", False, "alias answers")


def test_limits_are_shown_where_they_are_told(tmp_path: Path, origin: str) -> None:
    """What a server tells in the headers that its preset names is shown, with the windows that the preset knows."""
    rate = {"headers": list(RATES), "requests_per": "day", "tokens_per": "minute"}
    write(tmp_path, {"rated": {"base_url": f"{origin}/rated", "about": {"rate_limit": rate}}})
    shown = harness("check", "rated/m-1").stdout
    assert "limits: 14,400 requests/day left 14,399; 6,000 tokens/minute left 5,980\n" in shown


def test_clocks_are_compared(tmp_path: Path, origin: str) -> None:
    """A server's clock that is an hour ahead is told and is no error; one without a date is not asked."""
    write(tmp_path, {name: {"base_url": f"{origin}/{name}"} for name in ("ahead", "dateless", "v1")})
    row = one("ahead/m-1")
    assert (row["usable"], row["steps"]["clock"]["state"]) == (True, "wrong")
    least, most = row["clock"]["ahead_s"]
    assert 3590 < least < most < 3610
    assert "server's clock ahead by 3" in harness("check", "ahead/m-1").stdout
    assert one("dateless/m-1")["steps"]["clock"]["state"] == "not asked"
    row = one("v1/m-1")
    assert row["steps"]["clock"]["state"] == "ok"
    if sys.platform == "linux":
        assert row["clock"]["receive_times"] == "kernel"


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
                "mine": {"base_url": dead, "kind": "local", "about": {"start": "serve MODEL"}},
                "nameless": {"base_url": "http://nowhere.invalid/v1"},
                "silent": {"base_url": f"{origin}/hang"},
                "unset": {"base_url": "http://${NO_SUCH_HOST}:1/v1"},
            },
        )
        started = time.perf_counter_ns()
        result = harness("check", "--json", "--timeout", "0.3", "gone", "mine/x", "nameless/x", "silent/x", "unset/x")
        assert (time.perf_counter_ns() - started) / 1e9 < 20
    assert result.exit_code == 3
    rows = {row["endpoint"]: row for row in json.loads(result.stdout)}
    assert {name: (row["state"], _wrong(row)) for name, row in rows.items()} == {
        "gone": ("no connection", ["connect"]),
        "mine/x": ("not running", ["connect"]),
        "nameless/x": ("name not found", ["dns"]),
        "silent/x": ("no answer", []),
        "unset/x": ("not set up", []),
    }
    assert "NO_SUCH_HOST" in rows["unset/x"]["detail"]
    assert rows["mine/x"]["next_step"] == f"Start the server at {dead}: serve MODEL"
    assert all(row["next_step"] for row in rows.values())


def _wrong(row: dict[str, Any]) -> list[str]:
    return [name for name, step in row["steps"].items() if step["state"] == "wrong"]


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


def test_by_default_what_is_set_up_is_checked(tmp_path: Path, origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without names: whose key is set, and the user's own; a local server of theirs that is off is no error."""
    monkeypatch.setenv("SET_KEY", KEY)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        keyed = {"base_url": f"{origin}/keyed"}
        write(tmp_path, {"set": keyed | {"api_key_env": "SET_KEY"}, "off": {"base_url": dead, "kind": "local"}})
        code, rows = checked()
        states = {row["endpoint"]: row["state"] for row in rows}
        assert code == 0
        assert {"set": "usable", "off": "not running"}.items() <= states.items()
        assert not {"openai", "groq", "local", "steady-vendor"} & set(states)
        shown = harness("check", "--timeout", "2").stdout
        unset = sum(bool(missing(one)) for one in config.load_providers().values())
        assert f"{unset} more have no key set: harness providers list" in shown
        assert checked("off/x")[0] == 3
        table = harness("check", "--timeout", "2", "set", "off/x")
    assert table.exit_code == 3
    assert "Start the server at" in table.stdout
    assert KEY not in table.stdout


def test_a_block_of_the_users_without_its_key_is_an_error(tmp_path: Path, origin: str) -> None:
    """Who names a provider in their own file is told that its key is missing, unasked."""
    write(tmp_path, {"mine": {"base_url": f"{origin}/v1", "api_key_env": "UNSET_KEY"}})
    code, rows = checked()
    assert code == 3
    assert [row["state"] for row in rows if row["endpoint"] == "mine"] == ["no key"]


# --- models ----------------------------------------------------------------------------------------------


def test_models_are_listed_and_filtered(tmp_path: Path, origin: str) -> None:
    """Both shapes of a list are understood; TEXT filters whatever the spelling, and our names stand beside ids."""
    mapped = {"models": {"llama-3.3-70b": LLAMA}}
    write(tmp_path, {"large": {"base_url": f"{origin}/large"} | mapped, "bare": {"base_url": f"{origin}/bare"}})
    rows = json.loads(harness("models", "large", "--json").stdout)
    assert len(rows) == 401
    assert json.loads(harness("models", "bare", "--json").stdout) == [
        {"id": "m-1", "names": []},
        {"id": "m-2", "names": []},
    ]
    for text in ("llama 3.3 70B", "Llama-3.3", "TURBO"):
        rows = json.loads(harness("models", "large", text, "--json").stdout)
        assert rows == [{"id": LLAMA, "names": ["llama-3.3-70b"]}]
    shown = harness("models", "large", "llama-3.3-70bb")
    assert f"Did you mean {LLAMA}" in shown.stderr


def test_models_that_cannot_be_listed(tmp_path: Path, origin: str) -> None:
    """No list is exit 3, no key is exit 2; who lists nothing by its block shows what is mapped."""
    write(
        tmp_path,
        {
            "unlisted": {"base_url": f"{origin}/unlisted"},
            "keyless": {"base_url": f"{origin}/v1", "api_key_env": "UNSET_KEY"},
            "quiet": {"base_url": f"{origin}/500", "discovery": False, "models": {"a": "b/c"}},
        },
    )
    error = harness("models", "unlisted").exception
    assert isinstance(error, CannotMeasure)
    assert "HTTP 404" in str(error)
    error = harness("models", "keyless").exception
    assert isinstance(error, ConfigError)
    assert "UNSET_KEY" in str(error)
    assert json.loads(harness("models", "quiet", "--json").stdout) == [{"id": "b/c", "names": ["a"]}]
    assert json.loads(harness("models", "local", "--json").stdout)[0]["names"] == ["smollm2"]
