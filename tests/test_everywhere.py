"""One model everywhere, the names of gateways' models, and what quirks change, told before a run and kept with it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from talking import Talking
from test_cli_providers import without_keys

from harness import config
from harness.cli import cli
from harness.errors import UsageError
from harness.preflight.everywhere import chosen, everywhere

KEY = "correct-horse-battery"
MODELS = (
    "@openai/gpt-4o",
    "meta-llama/llama-3.3-70b-instruct",
    "org/name:provider",
    "openai/gpt-4o",
    "big-id",
    "other-id",
)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_RESULTS", str(tmp_path / "results"))
    without_keys(monkeypatch)


@pytest.fixture
def server() -> Iterator[Talking]:
    """Serves every model of this file."""
    with Talking({name: lambda _: "42" for name in MODELS}) as talking:
        yield talking


def url(server: Talking) -> str:
    """Its base URL."""
    return str(server.endpoint("p/openai/gpt-4o").provider.base_url)


def write(blocks: dict[str, Any], models: dict[str, Any] | None = None) -> None:
    """Make the folder's providers.yaml; JSON is YAML."""
    usual = {"kind": "hosted", "any_model": True}
    named = {name: block if "use" in block else usual | block for name, block in blocks.items()}
    Path("providers.yaml").write_text(json.dumps({"providers": named, "models": models or {}}))


def harness(*args: str) -> Result:
    """Call `harness`."""
    return CliRunner().invoke(cli, args)


# --- who is asked ----------------------------------------------------------------------------------------


def test_a_model_is_asked_of_everybody_who_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose key is set, and the user's own servers, first of all; the others are named with the reason."""
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    write({"mine": {"kind": "local", "base_url": "http://127.0.0.1:1/v1", "models": {"gpt-oss-120b": "x"}}})
    found = everywhere(config.load_providers(), "gpt-oss-120b")
    assert found.endpoints[:2] == ("mine/gpt-oss-120b", "groq/gpt-oss-120b")
    assert "openrouter (OPENROUTER_API_KEY is not set)" in found.left_out


def test_a_local_preset_is_asked_only_while_it_runs() -> None:
    """A logical model that the user maps for a preset on this machine is asked where somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        write({}, {"big": {"vllm": "x"}})
        providers = config.load_providers()
        here = {"vllm": replace(providers["vllm"], base_url=f"http://127.0.0.1:{port}/v1")}
        assert everywhere(here, "big").endpoints == ("vllm/big",)
    with pytest.raises(UsageError, match=r"vllm \(not running at http://127.0.0.1:"):
        everywhere(here, "big")


def test_servers_that_a_run_starts_can_be_asked() -> None:
    """What is started on demand needs neither a key nor to be running."""
    assert everywhere(config.load_providers(), "sim-small").endpoints == (
        "steady-vendor/sim-small",
        "flaky-vendor/sim-small",
    )


def test_none_left_is_an_error() -> None:
    """Where nobody can be asked it is said who was left out and why."""
    result = harness("eval", "arithmetic:1", "--model", "gpt-oss-20b", "--dry-run")
    assert isinstance(result.exception, UsageError)
    assert "groq (GROQ_API_KEY is not set)" in str(result.exception)


@pytest.mark.parametrize("name", ["gpt-oss-20", "openai/GPT-OSS-20B", "gptoss 20b"])
def test_an_unknown_model_offers_the_nearest(name: str) -> None:
    """A slip of the hand, or a host's spelling, finds the logical name."""
    result = harness("eval", "arithmetic:1", "--model", name, "--dry-run")
    assert isinstance(result.exception, UsageError)
    assert "gpt-oss-20b" in str(result.exception)


def test_endpoints_and_models_combine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Named endpoints come first, the same model of a provider is asked once, whatever it is called."""
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    providers = config.load_providers()
    named = ("groq/openai/gpt-oss-120b", "local/smollm2", "local/smollm2")
    found = chosen(providers, named, ["gpt-oss-120b", "gpt-oss-120b"])
    assert found.endpoints[:2] == ("groq/openai/gpt-oss-120b", "local/smollm2")
    assert "openrouter/gpt-oss-120b" in found.endpoints
    assert "groq/gpt-oss-120b" not in found.endpoints
    assert len(set(found.endpoints)) == len(found.endpoints)


@pytest.mark.parametrize(
    "command",
    [("eval", "arithmetic:1"), ("run", "demo"), ("load", "short_chat", "-n", "1"), ("probe", "--profile", "smoke")],
    ids=lambda command: command[0],
)
def test_every_command_that_asks_takes_a_model(server: Talking, command: tuple[str, ...]) -> None:
    """`--model` names endpoints for eval, run, load and probe; who is left out is told on stderr, in one line."""
    write({name: {"base_url": url(server)} for name in ("a", "b")}, {"big": {"a": "big-id", "b": "b-id", "groq": "g"}})
    result = harness(*command, "--model", "big", "--dry-run", "--json")
    assert result.exit_code == 0, result.stderr
    assert [one["endpoint"] for one in json.loads(result.stdout)["endpoints"]] == ["a/big", "b/big"]
    assert "left out: big at groq (GROQ_API_KEY is not set)\n" in result.stderr


@pytest.mark.parametrize("command", [("eval", "arithmetic:1"), ("run", "demo"), ("load", "short_chat"), ("probe",)])
def test_neither_endpoint_nor_model_is_a_mistake(command: tuple[str, ...]) -> None:
    """Without any endpoint it is said how to name one."""
    result = harness(*command)
    assert result.exit_code == 2 or isinstance(result.exception, UsageError)
    assert "--endpoint" in f"{result.output}{result.exception}"
    assert "--model" in f"{result.output}{result.exception}"


def test_the_same_weights_under_each_providers_id(server: Talking) -> None:
    """Each provider is sent its own id for the logical model, and rows stand under the logical name."""
    write({name: {"base_url": url(server)} for name in ("a", "b")}, {"big": {"a": "big-id", "b": "other-id"}})
    result = harness("eval", "arithmetic:2", "--model", "big", "--json")
    assert result.exit_code == 0, result.stderr
    assert [row["endpoint"] for row in json.loads(result.stdout)["endpoints"]] == ["a/big", "b/big"]
    assert len(server.asked["big-id"]) == len(server.asked["other-id"]) == 2


# --- names of gateways' models ---------------------------------------------------------------------------

GATEWAYS = {
    "portkey": "@openai/gpt-4o",
    "openrouter": "meta-llama/llama-3.3-70b-instruct",
    "hf-router": "org/name:provider",
    "litellm": "openai/gpt-4o",
}


def test_names_of_gateways_models_pass_unchanged(server: Talking) -> None:
    """Slashes, colons and an @ in an id arrive in the body as they are; folder, report and SQL cope with them."""
    write({name: {"kind": "gateway", "base_url": url(server)} for name in GATEWAYS})
    named = [f"{name}/{model}" for name, model in GATEWAYS.items()]
    asked = [word for name in named for word in ("-e", name)]
    result = harness("eval", "arithmetic:2", *asked)
    assert result.exit_code == 0, result.stderr
    assert all(len(server.asked[model]) == 2 for model in GATEWAYS.values())
    assert all(name in result.stdout for name in named)
    reported = json.loads(harness("report", "latest", "--json").stdout)
    assert [row["endpoint"] for row in reported["endpoints"]] == named
    rows = json.loads(harness("sql", "select distinct endpoint from attempts order by 1", "--json").stdout)
    assert [row["endpoint"] for row in rows] == sorted(named)
    assert harness("runs", "show", "latest").exit_code == 0


# --- what quirks change ----------------------------------------------------------------------------------

QUIRKS = {
    "drop": ["temperature", "logprobs"],
    "clamp": {"max_tokens": [1, 16]},
    "max_tokens_field": "max_tokens",
    "ignored": ["seed"],
}


def test_what_quirks_change_is_told_kept_and_reported(server: Talking) -> None:
    """Before a run, in its manifest and in its report: what is changed of what the planned samples really ask."""
    blocks = {"odd": {"base_url": url(server), "quirks": QUIRKS}, "plain": {"base_url": url(server)}}
    write(blocks)
    asked = ("eval", "arithmetic:2", "-e", "odd/big-id", "-e", "plain/big-id")
    line = "odd/big-id: temperature is not sent; max_tokens is held within 1 and 16"
    assert line in harness(*asked, "--dry-run").stdout
    assert json.loads(harness(*asked, "--dry-run", "--json").stdout)["adapted"] == {
        "odd/big-id": line.partition(": ")[2].split("; ")
    }
    result = harness(*asked, "--json")
    assert line in result.stderr
    assert json.loads(result.stdout)["adapted"] == {"odd/big-id": line.partition(": ")[2].split("; ")}
    (manifest,) = Path("results/runs").glob("*/run.json")
    stored = {one["id"]: one["adapted"] for one in json.loads(manifest.read_text())["endpoints"]}
    assert stored["plain/big-id"] == []
    assert stored["odd/big-id"][0] == "temperature is not sent"
    assert line in harness("report", "latest").stdout
    sent = [body for body in server.asked["big-id"] if "temperature" not in body]  # both are asked at once
    assert [body["max_tokens"] for body in sent] == [16, 16]


def test_what_is_not_asked_is_not_said(server: Talking) -> None:
    """A bound that every number keeps, or a field that nobody asks for, changes nothing."""
    quirks = {"drop": ["logprobs"], "clamp": {"temperature": [0, 2]}, "ignored": ["seed"], "rename": {"top_k": "k"}}
    write({"odd": {"base_url": url(server), "quirks": quirks}})
    shown = json.loads(harness("eval", "arithmetic:2", "-e", "odd/big-id", "--dry-run", "--json").stdout)
    assert shown["adapted"] == {}


def test_a_dropped_field_is_told_whatever_its_bounds(server: Talking) -> None:
    """A bound that is kept hides nothing else that is done to its field."""
    quirks = {"drop": ["temperature"], "clamp": {"temperature": [0, 2]}}
    write({"odd": {"base_url": url(server), "quirks": quirks}})
    shown = json.loads(harness("eval", "arithmetic:2", "-e", "odd/big-id", "--dry-run", "--json").stdout)
    assert "temperature is not sent" in shown["adapted"]["odd/big-id"]


def test_a_load_says_it_too(server: Talking) -> None:
    """What is changed of a load's prompts is told at its start and in its report."""
    write({"odd": {"base_url": url(server), "quirks": {"drop": ["temperature"]}}})
    result = harness("load", "short_chat", "-e", "odd/big-id", "--concurrency", "1", "-n", "2", "--no-calibrate")
    assert result.exit_code == 0, result.stderr
    assert "odd/big-id: temperature is not sent" in result.stderr
    assert "odd/big-id: temperature is not sent" in result.stdout


def test_it_is_said_of_the_body_that_is_sent(server: Talking) -> None:
    """Over the Responses API its own fields count, not those of a chat."""
    quirks = {"drop": ["store", "max_tokens"], "max_tokens_field": "max_tokens"}
    write({"odd": {"base_url": url(server), "quirks": quirks}})
    asked = ("eval", "arithmetic:2", "-e", "odd/big-id", "--dry-run", "--json")
    assert json.loads(harness(*asked).stdout)["adapted"] == {"odd/big-id": ["max_tokens is not sent"]}
    shown = json.loads(harness(*asked, "--api", "responses").stdout)
    assert shown["adapted"] == {"odd/big-id": ["store is not sent"]}


def test_a_judge_is_told_of_as_well(server: Talking) -> None:
    """What is changed of the questions to a judge stands beside the judge."""
    write({"a": {"base_url": url(server)}, "j": {"base_url": url(server), "quirks": {"drop": ["temperature"]}}})
    Path("mine.jsonl").write_text('{"prompt": "Say hello."}\n')
    asked = ("eval", "mine.jsonl", "--scorer", "judge:It is polite.", "-e", "a/big-id", "--judge", "j/other-id")
    result = harness(*asked, "--dry-run", "--json")
    assert json.loads(result.stdout)["adapted"] == {"j/other-id": ["temperature is not sent"]}
