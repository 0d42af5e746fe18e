"""A question of a chat in the words of the Responses API, and what its hash says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from harness.errors import TaskError
from harness.provider import Endpoint, Provider, Quirks
from harness.request import allowance, build
from harness.simulator.requests import asked as asking
from harness.simulator.surfaces.responses import Shelf, read
from harness.types import Sample

ENDPOINT = Endpoint(Provider("p", "hosted", "http://127.0.0.1:1/v1"), "m", "m-1")
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "Tells it.", "parameters": {"type": "object", "properties": {}}},
}
USER = {"role": "user", "content": "Hi"}
HISTORY = (
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Weather"}, {"type": "text", "text": "in Oslo?"}]},
    {
        "role": "assistant",
        "content": "I look.",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    {"role": "assistant", "content": "Rain."},
    {"role": "user", "content": "And now?"},
)
SCHEMA = {"name": "r", "strict": True, "schema": {"type": "object", "properties": {}, "additionalProperties": False}}
SAMPLES = (
    Sample("plain", (USER,), params={"temperature": 0, "max_tokens": 32}),
    Sample(
        "history",
        (*HISTORY[:2], {**HISTORY[2], "content": None}, *HISTORY[3:]),
        tools=(WEATHER,),
        params={"max_completion_tokens": 64, "tool_choice": "auto"},
    ),
    Sample(
        "named",
        (USER,),
        tools=(WEATHER,),
        params={"tool_choice": {"type": "function", "function": {"name": "weather"}}, "parallel_tool_calls": False},
    ),
    Sample("schema", (USER,), params={"response_format": {"type": "json_schema", "json_schema": SCHEMA}, "top_p": 0.5}),
    Sample("object", ({"role": "user", "content": "JSON"},), params={"response_format": {"type": "json_object"}}),
)


def body(sample: Sample, endpoint: Endpoint = ENDPOINT, **options: Any) -> dict[str, Any]:
    """The body of a Responses request for a sample."""
    made = build(sample, endpoint, **{"stream": True, "api": "responses", **options})
    assert made.path == "/responses"
    decoded: dict[str, Any] = json.loads(made.body or b"")
    return decoded


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
def test_the_same_is_asked(sample: Sample) -> None:
    """What a server reads of the response is what it reads of the chat: messages, tools, choice, format and cap."""
    chat = asking.read(json.loads(build(sample, ENDPOINT, stream=True).body or b""), "chat", frozenset())
    here = read(body(sample), Shelf(), frozenset())
    differs = {name for name in chat.__slots__ if getattr(chat, name) != getattr(here, name)}
    assert differs - {"messages"} == {"include_usage"}  # which a response has anyway
    assert flat(here.messages) == flat(chat.messages)


def flat(messages: Any) -> list[Any]:
    """Messages whose text is one string, however many parts it has."""
    return [
        {**one, "content": "".join(part["text"] for part in one["content"])}
        if isinstance(one["content"], list)
        else one
        for one in messages
    ]


def test_the_body_in_full() -> None:
    """Items stand in the order of the messages; limit, choice, format and effort have their names here."""
    sample = Sample(
        "all",
        HISTORY,
        tools=(WEATHER,),
        params={
            "max_tokens": 16,
            "reasoning_effort": "low",
            "response_format": {"type": "json_schema", "json_schema": SCHEMA},
        },
    )
    assert body(sample) == {
        "model": "m-1",
        "input": [
            {"type": "message", "role": "system", "content": "Be brief."},
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "Weather"}, {"type": "input_text", "text": "in Oslo?"}],
            },
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "I look.", "annotations": []}],
            },
            {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "rain"},
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Rain.", "annotations": []}],
            },
            {"type": "message", "role": "user", "content": "And now?"},
        ],
        "store": False,
        "tools": [
            {
                "type": "function",
                "name": "weather",
                "description": "Tells it.",
                "parameters": {"type": "object", "properties": {}},
                "strict": False,
            }
        ],
        "max_output_tokens": 16,
        "reasoning": {"effort": "low"},
        "text": {"format": {"type": "json_schema", **SCHEMA}},
        "stream": True,
    }


def test_images_go_along() -> None:
    """A picture of a chat is one here."""
    parts = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}}]
    found = body(Sample("p", ({"role": "user", "content": parts},)))["input"][0]["content"]
    assert found == [{"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"}]


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"params": {"stop": ["."]}}, "'stop'"),
        ({"params": {"seed": 1}}, "'seed'"),
        ({"params": {"n": 2}}, "'n'"),
        ({"params": {"logprobs": True}}, "'logprobs'"),
        ({"messages": ({"role": "user", "content": [{"type": "input_audio"}]},)}, "'input_audio'"),
    ],
)
def test_what_cannot_be_said_is_refused(changes: dict[str, Any], lost: str) -> None:
    """A field without a counterpart is no silent change of the question: one line names it, and the sample."""
    with pytest.raises(TaskError, match=f"sample 's'.*{lost}"):
        body(replace(Sample("s", (USER,)), **changes))


def test_quirks_are_of_the_body_that_is_sent() -> None:
    """Dropped fields are dropped by their names here, and what a provider wants in every body is added."""
    quirks = Quirks(max_tokens_field="max_tokens", drop=("store", "temperature"), extra_body={"pin": 1})
    made = body(SAMPLES[0], replace(ENDPOINT, provider=replace(ENDPOINT.provider, quirks=quirks)))
    assert (made["pin"], made["max_output_tokens"]) == (1, 32)
    assert not {"store", "temperature", "max_tokens", "stream_options"} & made.keys()


def test_equal_questions_have_equal_hashes_in_one_api_alone() -> None:
    """Endpoints of one API share the hash, whatever their quirks; the same sample as a chat has another one."""
    quirks = Quirks(drop=("store",), extra_body={"pin": 1})
    other = Endpoint(replace(ENDPOINT.provider, id="q", quirks=quirks), "m", "m-2")
    one, two, chat = (
        build(SAMPLES[0], ENDPOINT, stream=True, api="responses"),
        build(SAMPLES[0], other, stream=True, api="responses"),
        build(SAMPLES[0], ENDPOINT, stream=True),
    )
    assert one.workload_sha256 == two.workload_sha256 != chat.workload_sha256
    assert (one.api, chat.api, allowance(one), allowance(chat)) == ("responses", "chat", 32, 32)


def test_inputs_ask_for_embeddings() -> None:
    """Inputs are asked of the embeddings path, as numbers, of the model that the quirks name, and never as a stream."""
    quirks = Quirks(embedding_model="e-1", drop=("encoding_format",))
    other = replace(ENDPOINT, provider=replace(ENDPOINT.provider, quirks=quirks))
    sample = Sample("e", (), inputs=("one", "two"), params={"dimensions": 64})
    plain, quirky = (build(sample, endpoint, stream=True) for endpoint in (ENDPOINT, other))
    assert (plain.path, plain.stream, plain.api, allowance(plain)) == ("/embeddings", False, "embeddings", 0)
    wanted = {"model": "m-1", "input": ["one", "two"], "encoding_format": "float", "dimensions": 64}
    assert json.loads(plain.body or b"") == wanted
    assert json.loads(quirky.body or b"") == {"model": "e-1", "input": ["one", "two"], "dimensions": 64}
    assert plain.workload_sha256 == quirky.workload_sha256
    with pytest.raises(TaskError, match="an API of their own"):
        build(sample, ENDPOINT, stream=True, api="responses")
