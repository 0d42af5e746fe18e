"""Servers that the harness starts itself: wrong options are told, the real one answers and leaves nothing behind."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from harness import engines
from harness.engines import Running, llama_cpp, weights
from harness.errors import ConfigError, EngineError, HarnessError, UnknownName
from harness.provider import Serve
from harness.stats.vectors import cosine
from harness.types import JsonObject

OWN = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n"
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""The template that SmolLM2 brings with it, which knows no tools."""
TEMPLATE = Path(llama_cpp.__file__).parent / "templates" / "smollm2.jinja"
CHATS: dict[str, list[JsonObject]] = {
    "question": [{"role": "user", "content": "What is 12 + 30?"}],
    "system": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi\n\n  there "}],
    "turns": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "{% if x %} <|im_end|> {{ y }}"},
    ],
    "late system": [{"role": "user", "content": ""}, {"role": "system", "content": "Be brief."}],
    "developer": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
    "nothing": [],
}
WEATHER: JsonObject = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "Name of the city"}},
            "required": ["city"],
        },
    },
}


def _rendered(template: str, messages: list[JsonObject], **values: Any) -> str:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(messages=messages, add_generation_prompt=True, **values)


@pytest.mark.parametrize("name", CHATS)
def test_a_chat_without_tools_is_rendered_as_the_model_does(name: str) -> None:
    """Our template changes nothing where no tool is given."""
    assert _rendered(TEMPLATE.read_text(), CHATS[name]) == _rendered(OWN, CHATS[name])
    assert _rendered(TEMPLATE.read_text(), CHATS[name], tools=[]) == _rendered(OWN, CHATS[name])


def test_a_chat_with_tools_shows_them_and_one_worked_call() -> None:
    """The prompt names each tool and its arguments, holds one example of a call, and keeps calls and their results."""
    call = {"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}
    chat: list[JsonObject] = [
        {"role": "user", "content": "Is it raining in Oslo?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "no"},
    ]
    first = _rendered(TEMPLATE.read_text(), chat[:1], tools=[WEATHER])
    assert "get_weather" in first
    assert "Get the current weather in a city." in first
    assert first.count("<|im_start|>assistant\n<tool_call>\n") == 1
    assert first.endswith("<|im_start|>user\nIs it raining in Oslo?<|im_end|>\n<|im_start|>assistant\n")
    second = _rendered(TEMPLATE.read_text(), chat, tools=[WEATHER])
    assert '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call><|im_end|>' in second
    assert "<tool_response>\nno\n</tool_response>" in second
    bare: JsonObject = {"type": "function", "function": {"name": "ping"}}
    assert "ping" in _rendered(TEMPLATE.read_text(), chat[:1], tools=[bare])


def test_an_unknown_engine_is_answered_with_the_nearest() -> None:
    """Only modules that can start something count as engines."""
    with pytest.raises(UnknownName, match="Did you mean llama_cpp"):
        engines.start(Serve("lama_cpp"))
    with pytest.raises(UnknownName):
        engines.start(Serve("weights"))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"prt": 1}, UnknownName, "Did you mean port"),
        ({"parallel": 0}, ConfigError, "from 1 to 256"),
        ({"threads": True}, ConfigError, "from 1 to 1024"),
        ({"context": "2048"}, ConfigError, "from 64 to"),
        ({"model": 7}, ConfigError, "must be a text"),
        ({"embeddings": "yes"}, ConfigError, "must be true or false"),
        ({"model": "smollm"}, UnknownName, "Did you mean smollm2"),
        ({"model": "missing.gguf"}, EngineError, "No such file"),
        ({"model": "text.gguf"}, EngineError, "is not a GGUF file"),
        ({"model": "small.gguf", "chat_template": "missing.jinja"}, EngineError, "there is no chat template"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: JsonObject, error: type[HarnessError], words: str
) -> None:
    """Nothing is started when an option is wrong, and the line names it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.gguf").write_text("text")
    (tmp_path / "small.gguf").write_bytes(b"GGUF")
    with pytest.raises(error, match=words) as caught:
        engines.start(Serve("llama_cpp", options))
    assert "\n" not in str(caught.value)


def test_missing_weights_name_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the weights the error says how to fetch them; they are not fetched behind the user's back."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    with pytest.raises(EngineError, match="harness models pull smollm2"):
        engines.start(Serve("llama_cpp"))
    assert list(tmp_path.iterdir()) == []


# --- the real model --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model() -> Path:
    """The real weights; what needs them is skipped where they cannot be had."""
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("xllamacpp is not installed: pip install 'endpoint-harness[local]'")
    try:
        return weights.pull("smollm2")
    except EngineError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def running(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A real server with the real model."""
    server = engines.start(Serve("llama_cpp", {"model": "smollm2"}), log_dir=tmp_path_factory.mktemp("log"))
    yield server
    server.stop()


def _ask(url: str, body: JsonObject | None = None) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as response:
        answer: bytes = response.read()
    return answer


def _chunks(running: Running, body: JsonObject) -> list[JsonObject]:
    """Ask for a stream and give the first choice of each of its events."""
    body = {"model": "smollm2-135m-instruct", "temperature": 0, "stream": True, **body}
    events = _ask(f"{running.base_url}/chat/completions", body).decode().split("\n\n")
    data = [event.removeprefix("data: ") for event in events if event]
    assert data[-1] == "[DONE]"
    return [json.loads(one)["choices"][0] for one in data[:-1]]


def _gone(pid: int, within_s: float) -> bool:
    """Whether a process that is not our child ends in time."""
    until = time.perf_counter() + within_s
    while time.perf_counter() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.model
def test_the_real_model_chats(running: Running) -> None:
    """A streamed chat has text and a finish reason, under the id that providers.yaml maps."""
    listed = json.loads(_ask(f"{running.base_url}/models"))["data"]
    assert [one["id"] for one in listed] == ["smollm2-135m-instruct"]
    chunks = _chunks(running, {"messages": CHATS["question"], "max_tokens": 24})
    assert "".join(chunk["delta"].get("content") or "" for chunk in chunks).strip()
    assert chunks[-1]["finish_reason"] in {"stop", "length"}


@pytest.mark.model
@pytest.mark.parametrize("choice", ["auto", "required"])
def test_the_real_model_calls_a_tool(running: Running, choice: str) -> None:
    """A simple request with a tool gets that tool's call, streamed in pieces that join to a JSON object."""
    asked = {"messages": [{"role": "user", "content": "What is the weather like in Lisbon?"}], "tools": [WEATHER]}
    chunks = _chunks(running, {**asked, "tool_choice": choice, "max_tokens": 64})
    calls = [call for chunk in chunks for call in chunk["delta"].get("tool_calls") or []]
    assert "".join(call["function"].get("name") or "" for call in calls) == "get_weather"
    assert json.loads("".join(call["function"].get("arguments") or "" for call in calls)) == {"city": "Lisbon"}
    assert chunks[-1]["finish_reason"] == "tool_calls"


@pytest.mark.model
def test_a_text_has_one_vector_whatever_is_beside_it(model: Path) -> None:
    """With embeddings on, a text alone and the same text in a batch of longer and shorter ones get the same vector."""
    text, others = (
        "A whale was seen near the harbour on Sunday.",
        ("Hi.", "The old clock in the hall has stopped again today."),
    )
    server = engines.start(Serve("llama_cpp", {"model": str(model), "embeddings": True, "context": 256}))
    try:
        alone, beside = (
            json.loads(_ask(f"{server.base_url}/embeddings", {"model": "m", "input": asked}))["data"]
            for asked in ([text], [others[0], text, others[1]])
        )
    finally:
        server.stop()
    one, other = alone[0]["embedding"], beside[1]["embedding"]
    assert len(one) == 576
    assert cosine(one, other) > 0.999


@pytest.mark.model
def test_the_server_renders_a_plain_chat_as_the_model_does(running: Running) -> None:
    """llama.cpp, with our template, makes the prompt that the model's own template makes."""
    for name in ("question", "system", "turns"):
        root = running.base_url.removesuffix("/v1")
        prompt = json.loads(_ask(f"{root}/apply-template", {"messages": CHATS[name]}))["prompt"]
        assert prompt == _rendered(OWN, CHATS[name])


@pytest.mark.model
def test_a_stopped_server_is_gone(model: Path) -> None:
    """Stop ends the process and frees its port; a second stop does nothing; no log is left where none was asked for."""
    server = engines.start(Serve("llama_cpp", {"model": str(model), "parallel": 1, "context": 256}))
    assert server.version.startswith("xllamacpp ")
    os.kill(server.pid, 0)
    server.stop()
    server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", int(server.base_url[17:-3]))):
        pass


@pytest.mark.model
def test_a_server_outlives_nobody(model: Path) -> None:
    """A harness that is killed outright takes its server with it."""
    code = (
        "import sys, time; from harness import engines; from harness.provider import Serve\n"
        "options = {'model': sys.argv[1], 'parallel': 1, 'context': 256}\n"
        "print(engines.start(Serve('llama_cpp', options)).pid, flush=True); time.sleep(600)"
    )
    argv = [sys.executable, "-c", code, str(model)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    assert _gone(pid, 10)


@pytest.mark.model
def test_a_taken_port_is_told(model: Path) -> None:
    """A port that another server has is told in one line, before the model is loaded."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(EngineError, match=f"cannot listen on 127.0.0.1:{taken}"):
            engines.start(Serve("llama_cpp", {"model": str(model), "port": taken}))


@pytest.mark.model
def test_a_file_that_is_no_model_is_told(model: Path, tmp_path: Path) -> None:
    """A damaged model file ends in one line that names it."""
    (tmp_path / "cut.gguf").write_bytes(model.read_bytes()[:4096])
    with pytest.raises(EngineError, match=r"cut\.gguf") as caught:
        engines.start(Serve("llama_cpp", {"model": str(tmp_path / "cut.gguf")}))
    assert "\n" not in str(caught.value)
