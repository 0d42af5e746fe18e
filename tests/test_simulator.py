"""The simulator is a correct reference where it is healthy, and wrong only where a profile says so."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import catalog
from harness.errors import UnknownName, UsageError
from harness.exchange import Completion, StreamMarks, ToolCall
from harness.simulator.deviations.faults import FAULTS
from harness.simulator.deviations.mutants import LEGAL
from harness.simulator.model import tokens
from harness.simulator.model.answers import wrong
from harness.simulator.model.book import Book, write
from harness.simulator.model.chance import draw
from harness.simulator.model.instance import instance
from harness.simulator.profile import PROFILES, named
from harness.simulator.serving.ratelimit import Bucket
from harness.simulator.serving.service import Service
from harness.simulator.serving.turn import Incoming
from harness.simulator.settings import with_settings

ROOT = Path(__file__).parents[1]
NULL = PROFILES["null"]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "Weather", "parameters": CITY}}
COLOUR = {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}, "required": ["colour"]}
PAINT = {"type": "function", "function": {"name": "paint_wall", "description": "Paint", "parameters": COLOUR}}


class Got(NamedTuple):
    """A response as bytes on the wire, taken apart."""

    status: int
    headers: dict[str, str]
    body: bytes
    ends: str
    """The kind of the last write: ``close`` and ``abort`` are broken connections."""

    @property
    def json(self) -> Any:
        """The body read as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        """The error object of the body."""
        return self.json["error"]

    @property
    def message(self) -> Any:
        """The message of the first choice."""
        return self.json["choices"][0]["message"]

    @property
    def events(self) -> list[str]:
        """The data of every event."""
        return [block.removeprefix("data: ") for block in self.body.decode().split("\n\n") if block]

    @property
    def chunks(self) -> list[Any]:
        """Every event but [DONE], read as JSON."""
        return [json.loads(event) for event in self.events if event != "[DONE]"]

    @property
    def text(self) -> str:
        """The streamed text of the first choice."""
        deltas = [choice["delta"] for chunk in self.chunks for choice in chunk["choices"] if choice["index"] == 0]
        return "".join(delta.get("content") or "" for delta in deltas)


def sent(service: Service, method: str, path: str, body: bytes = b"", **headers: str) -> Got:
    """What a service answers, without a socket."""
    named_headers = {name.replace("_", "-"): value for name, value in headers.items()}
    # Some answers never end.
    sends = list(itertools.islice(service.reply(Incoming(method, path, named_headers, body, 1)).sends, 2000))
    head, _, rest = b"".join(send.data for send in sends).partition(b"\r\n\r\n")
    if not head:
        return Got(0, {}, b"", sends[-1].kind)
    lines = head.decode().split("\r\n")
    told = dict(line.split(": ", 1) for line in lines[1:])
    if told.get("transfer-encoding") == "chunked":
        rest = unchunked(rest)
    return Got(int(lines[0].split()[1]), told, rest, sends[-1].kind)


def unchunked(data: bytes) -> bytes:
    """The content of HTTP chunks; the last one may be missing."""
    content = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        content, data = content + data[: int(size, 16)], data[int(size, 16) + 2 :]
    return content


def chat(service: Service, text: str | list[dict[str, Any]] = "Say hello.", **fields: Any) -> Got:
    """One chat completion; a field that is None is sent as null."""
    messages = [{"role": "user", "content": text}] if isinstance(text, str) else text
    body = {"model": "sim-small", "messages": messages, **fields}
    return sent(service, "POST", "/v1/chat/completions", json.dumps(body).encode())


def serving(seed: int = 0, book: Book | None = None, **changes: Any) -> Service:
    """A service with some settings."""
    given_settings = [
        f"{key}={','.join(value) if isinstance(value, tuple) else value}" for key, value in changes.items()
    ]
    return Service(with_settings(NULL, given_settings), book or Book({}), seed=seed)


CLEAN = serving()


# --- the reference ---------------------------------------------------------------------------------------


def test_a_plain_answer_has_every_documented_field() -> None:
    """A chat gets id, object, created, model, one choice and a usage that adds up."""
    got = chat(CLEAN)
    body = got.json
    assert (got.status, got.headers["content-type"]) == (200, "application/json")
    assert (body["object"], body["model"], body["choices"][0]["finish_reason"]) == (
        "chat.completion",
        "sim-small",
        "stop",
    )
    assert got.message == {"role": "assistant", "content": "hello", "refusal": None, "annotations": []}
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert int(got.headers["content-length"]) == len(got.body)


def test_ids_are_unique_and_every_response_names_its_request() -> None:
    """Two responses differ in id and x-request-id, and rate-limit headers stand on each, errors too."""
    first, second, failed = chat(CLEAN), chat(CLEAN), chat(CLEAN, model="none")
    assert first.json["id"] != second.json["id"]
    assert len({got.headers["x-request-id"] for got in (first, second, failed)}) == 3
    for got in (first, failed):
        assert int(got.headers["x-ratelimit-remaining-requests"]) <= int(got.headers["x-ratelimit-limit-requests"])


def test_a_stream_is_the_same_answer_in_pieces() -> None:
    """Role first, text that adds up to the whole answer, one finish reason, then [DONE]; usage only when asked."""
    whole = chat(CLEAN, "Tell me about clocks", max_tokens=40)
    got = chat(CLEAN, "Tell me about clocks", max_tokens=40, stream=True)
    assert got.headers["content-type"].startswith("text/event-stream")
    assert got.text == whole.message["content"]
    assert got.events[-1] == "[DONE]"
    assert [chunk["choices"][0]["delta"].get("role") for chunk in got.chunks].count("assistant") == 1
    assert got.chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [chunk["choices"][0]["finish_reason"] for chunk in got.chunks] == [None] * 41 + ["length"]
    assert len({chunk["id"] for chunk in got.chunks}) == 1
    assert not any("usage" in chunk for chunk in got.chunks)
    asked = chat(
        CLEAN, "Tell me about clocks", max_tokens=40, stream=True, stream_options={"include_usage": True}
    ).chunks
    assert asked[-1]["choices"] == []
    assert asked[-1]["usage"] == whole.json["usage"]
    assert [chunk["usage"] for chunk in asked[:-1]] == [None] * 42


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_limits_of_output_tokens_are_kept(name: str) -> None:
    """Five tokens and no more, finish length, whichever name the limit has; without one the profile's length."""
    body = chat(CLEAN, "Tell me a story", **{name: 5}).json
    assert (body["usage"]["completion_tokens"], body["choices"][0]["finish_reason"]) == (5, "length")
    assert chat(CLEAN, "Tell me a story").json["usage"]["completion_tokens"] == NULL.tokens
    assert chat(CLEAN, "Tell me a story", ignore_eos=True, max_tokens=200).json["usage"]["completion_tokens"] == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_stop_sequence_ends_the_text_before_itself(stream: bool) -> None:
    """The earliest of several stops ends the text and is left out; a stop that never comes changes nothing."""
    got = chat(CLEAN, "Count from 1 to 9.", stop=["7", ", 5"], stream=stream)
    text = got.text if stream else got.message["content"]
    assert text == "1, 2, 3, 4"
    assert '"finish_reason":"stop"' in got.body.decode()
    assert chat(CLEAN, "Count from 1 to 9.", stop="zz").message["content"] == "1, 2, 3, 4, 5, 6, 7, 8, 9"


def test_several_choices_are_numbered_and_counted() -> None:
    """n=3 gives choices 0, 1, 2, streamed or not, and counts the prompt once."""
    body = chat(CLEAN, "Tell me a story", n=3, max_tokens=4).json
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2]
    assert body["usage"]["completion_tokens"] == 12
    assert body["usage"]["prompt_tokens"] == chat(CLEAN, "Tell me a story").json["usage"]["prompt_tokens"]
    chunks = chat(CLEAN, "Tell me a story", n=3, max_tokens=4, stream=True).chunks
    finished = [choice["index"] for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]]
    assert finished == [0, 1, 2]


def test_the_prompt_is_counted_with_all_that_belongs_to_it() -> None:
    """prompt_tokens rises with a system message, history, tools and words, and is the same for parts and text."""

    def count(messages: str | list[dict[str, Any]], **fields: Any) -> int:
        total: int = chat(CLEAN, messages, **fields).json["usage"]["prompt_tokens"]
        return total

    user = {"role": "user", "content": "hi there"}
    plain = count([user])
    assert plain == count([{"role": "user", "content": [{"type": "text", "text": "hi there"}]}])
    assert count([{"role": "system", "content": "Be kind."}, user]) > plain
    assert count([{"role": "developer", "content": "Be kind."}, user]) > plain
    assert count([user, {"role": "assistant", "content": "hello"}, user]) > plain
    assert count([user], tools=[WEATHER]) > plain
    assert count("hi" + " hello" * 100) - count("hi" + " hello" * 50) == 50


def test_simple_instructions_are_followed() -> None:
    """What probes ask for to tell a server's fault from a weak model's is done to the letter."""
    odd = "👩‍👩‍👧‍👦 e\u0301 漢字 עברית"
    assert chat(CLEAN, "say OK").message["content"] == "OK"
    assert chat(CLEAN, f"Repeat exactly: {odd}").message["content"] == odd
    assert chat(CLEAN, f"Repeat exactly: {odd}", stream=True).text == odd
    system = {"role": "system", "content": "Whatever you are asked, reply only ZEBRA-12ab"}
    assert chat(CLEAN, [system, {"role": "user", "content": "hi"}]).message["content"] == "ZEBRA-12ab"
    history = [
        {"role": "user", "content": "My name is Ana."},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "What is my name?"},
    ]
    assert "Ana" in chat(CLEAN, history).message["content"]
    assert tokens.count(chat(CLEAN, "Write 50 words").message["content"]) == 50


def test_sampling_follows_its_parameters() -> None:
    """Repeats are equal at temperature 0 and with a seed, and differ when hot, unless top_p leaves one choice."""
    prompt = "Tell me a story"

    def said(**fields: Any) -> int:
        return len({chat(CLEAN, prompt, **fields).message["content"] for _ in range(4)})

    assert said(temperature=0) == said() == said(temperature=1, seed=7) == said(temperature=1.8, top_p=0.01) == 1
    assert said(temperature=1.5) == 4
    assert said(temperature=1.5, seed=1) == 1


def test_logprobs_belong_to_the_tokens_of_the_text() -> None:
    """The tokens' bytes join to the text, none is above 0, and alternatives are as many as asked, likeliest first."""
    got = chat(CLEAN, "Tell me a story", max_tokens=6, logprobs=True, top_logprobs=3).json["choices"][0]
    told = got["logprobs"]["content"]
    assert b"".join(bytes(one["bytes"]) for one in told).decode() == got["message"]["content"]
    assert all(one["logprob"] <= 0 and len(one["top_logprobs"]) == 3 for one in told)
    assert all(one["top_logprobs"][0]["token"] == one["token"] for one in told)
    values = [[other["logprob"] for other in one["top_logprobs"]] for one in told]
    assert values == [sorted(row, reverse=True) for row in values]
    chunks = chat(CLEAN, "Tell me a story", max_tokens=6, logprobs=True, top_logprobs=3, stream=True).chunks
    streamed = [chunk["choices"][0]["logprobs"] for chunk in chunks]
    assert [one["content"][0] for one in streamed if one] == told


def test_models_are_listed_and_found() -> None:
    """The list holds every model of the profile, each can be fetched, and another cannot."""
    service = serving(models="a/b:c,other")
    listed = sent(service, "GET", "/v1/models").json
    assert [model["id"] for model in listed["data"]] == ["a/b:c", "other"]
    assert sent(service, "GET", "/v1/models/a%2Fb%3Ac").json == listed["data"][0]
    missing = sent(service, "GET", "/v1/models/none")
    assert (missing.status, missing.error["code"]) == (404, "model_not_found")
    assert sent(service, "GET", "/health").status == 200


def test_legacy_completions_are_served() -> None:
    """A prompt, or a list of them, gets text_completion with a default of 16 tokens, streamed too."""

    def complete(**fields: Any) -> Got:
        body = json.dumps({"model": "sim-small", **fields}).encode()
        return sent(CLEAN, "POST", "/v1/completions", body)

    got = complete(prompt=["Tell me a story", "Count to 4"]).json
    assert got["object"] == "text_completion"
    assert [tokens.count(choice["text"]) for choice in got["choices"]] == [16, 7]
    assert complete(prompt="Count to 4", echo=True).json["choices"][0]["text"] == "Count to 41, 2, 3, 4"
    streamed = complete(prompt="Count to 4", stream=True)
    assert "".join(chunk["choices"][0]["text"] for chunk in streamed.chunks) == "1, 2, 3, 4"
    assert complete().error["param"] == "prompt"


# --- tools and structure ---------------------------------------------------------------------------------


def test_tool_choice_is_obeyed() -> None:
    """Choice none never calls, required always, a name calls that one, auto calls what fits and nothing else."""
    tools = [WEATHER, PAINT]

    def called(text: str, **fields: Any) -> list[str]:
        return [
            call["function"]["name"] for call in chat(CLEAN, text, tools=tools, **fields).message.get("tool_calls", ())
        ]

    assert called("How is the weather in Paris?") == ["get_weather"]
    assert called("What is 2 + 2?") == []
    assert called("How is the weather in Paris?", tool_choice="none") == []
    assert len(called("What is 2 + 2?", tool_choice="required")) == 1
    named_choice = {"type": "function", "function": {"name": "paint_wall"}}
    assert called("How is the weather in Paris?", tool_choice=named_choice) == ["paint_wall"]
    assert called("What is the weather in Paris and in Rome?") == ["get_weather"] * 2
    assert called("What is the weather in Paris and in Rome?", parallel_tool_calls=False) == ["get_weather"]
    allowed = {"mode": "required", "tools": [named_choice]}
    assert called("hi", tool_choice={"type": "allowed_tools", "allowed_tools": allowed}) == ["paint_wall"]


def test_a_call_is_well_formed() -> None:
    """Content null, finish tool_calls, an id of its own, and arguments that are text and fit the schema."""
    got = chat(CLEAN, "Weather in Paris and in Rome?", tools=[WEATHER], tool_choice="required")
    assert got.message["content"] is None
    assert got.json["choices"][0]["finish_reason"] == "tool_calls"
    calls = got.message["tool_calls"]
    assert len({call["id"] for call in calls}) == 2
    assert [json.loads(call["function"]["arguments"]) for call in calls] == [{"city": "Paris"}, {"city": "Rome"}]
    bare = {"type": "function", "function": {"name": "ping"}}
    forced = chat(CLEAN, "hi", tools=[bare], tool_choice="required").message["tool_calls"][0]
    assert forced["function"]["arguments"] == "{}"


def test_a_custom_tool_takes_free_text() -> None:
    """A custom tool is called with its input as text, whole and streamed, and its call can be answered."""
    tool = {"type": "custom", "custom": {"name": "write_down", "description": "Write a text down."}}
    asked: dict[str, Any] = {"tools": [tool], "tool_choice": {"type": "custom", "custom": {"name": "write_down"}}}
    message = chat(CLEAN, "Write down “gyre”.", **asked).message
    (call,) = message["tool_calls"]
    assert (call["type"], call["custom"]) == ("custom", {"name": "write_down", "input": "gyre"})
    deltas = [chunk["choices"][0]["delta"] for chunk in chat(CLEAN, "Write down “gyre”.", stream=True, **asked).chunks]
    pieces = [call["custom"]["input"] for delta in deltas for call in delta.get("tool_calls", ())]
    assert "".join(pieces) == "gyre"
    result = {"role": "tool", "tool_call_id": call["id"], "content": "done-31"}
    assert "done-31" in chat(CLEAN, [USER, message, result], tools=[tool]).message["content"]


def test_functions_are_the_older_form_of_tools() -> None:
    """A function demanded by function_call is called as function_call, and its result is a message of that role."""
    asked: dict[str, Any] = {"functions": [WEATHER["function"]], "function_call": {"name": "get_weather"}}
    got = chat(CLEAN, "Weather in Paris?", **asked)
    assert got.message["function_call"] == {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    assert "tool_calls" not in got.message
    assert got.json["choices"][0]["finish_reason"] == "function_call"
    deltas = [chunk["choices"][0]["delta"] for chunk in chat(CLEAN, "Weather in Paris?", stream=True, **asked).chunks]
    calls = [delta["function_call"] for delta in deltas if "function_call" in delta]
    assert calls[0] == {"name": "get_weather", "arguments": ""}
    assert "".join(call["arguments"] for call in calls) == '{"city": "Paris"}'
    result = {"role": "function", "name": "get_weather", "content": "rain-9"}
    assert "rain-9" in chat(CLEAN, [USER, got.message, result], functions=asked["functions"]).message["content"]
    assert chat(CLEAN, "hi", functions=asked["functions"], function_call={"name": "zz"}).status == 400


def test_streamed_calls_begin_with_their_head() -> None:
    """Id, type and name come once, first; arguments follow in pieces under the index of their call."""
    got = chat(CLEAN, "Weather in Paris and in Rome?", tools=[WEATHER], stream=True)
    deltas = [chunk["choices"][0]["delta"]["tool_calls"][0] for chunk in got.chunks[1:-1]]
    for index, city in enumerate(("Paris", "Rome")):
        mine = [delta for delta in deltas if delta["index"] == index]
        assert mine[0]["type"] == "function"
        assert mine[0]["function"]["name"] == "get_weather"
        assert all("id" not in delta and "name" not in delta["function"] for delta in mine[1:])
        assert json.loads("".join(delta["function"]["arguments"] for delta in mine)) == {"city": city}
        assert len(mine) > 2
    assert got.chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_call_is_cut_at_the_limit() -> None:
    """A limit inside the arguments ends with finish length, not tool_calls."""
    got = chat(CLEAN, "Weather in Paris?", tools=[WEATHER], tool_choice="required", max_tokens=3)
    assert got.json["choices"][0]["finish_reason"] == "length"
    assert got.json["usage"]["completion_tokens"] == 3


def test_a_result_reaches_the_answer() -> None:
    """The server's own message can be sent back with its result, which the answer then holds."""
    question = {"role": "user", "content": "Weather in Paris?"}
    message = chat(CLEAN, [question], tools=[WEATHER]).message
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "nonce-77"}
    got = chat(CLEAN, [question, message, result], tools=[WEATHER])
    assert "nonce-77" in got.message["content"]
    assert got.json["choices"][0]["finish_reason"] == "stop"


SCHEMAS: tuple[dict[str, Any], ...] = (
    CITY,
    COLOUR,
    {"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": True},
    {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3, "multipleOf": 5}}, "required": ["n"]},
    {"type": "object", "properties": {"a": {"anyOf": [{"type": "null"}, {"type": "string"}]}}, "required": ["a"]},
    {
        "$defs": {
            "node": {
                "type": "object",
                "properties": {"kids": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
                "required": ["kids"],
            }
        },
        "$ref": "#/$defs/node",
    },
    {"allOf": [COLOUR, {"type": "object", "properties": {"x": {"const": 4}}, "required": ["x"]}]},
    {"type": "string", "pattern": r"^(foo|bar)-\d{4}$"},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": "string", "format": "date", "minLength": 10},
    {"type": "object", "minProperties": 1, "properties": {"naïve": {"type": "boolean"}}, "additionalProperties": False},
)


@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
def test_structured_output_is_valid(schema: dict[str, Any]) -> None:
    """With json_schema the content is JSON valid under the schema, whatever the prompt wants, streamed or not."""
    form = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}
    got = chat(CLEAN, "Answer in prose only, without JSON.", response_format=form)
    jsonschema.Draft202012Validator(schema).validate(json.loads(got.message["content"]))
    assert (
        chat(CLEAN, "Answer in prose only, without JSON.", response_format=form, stream=True).text
        == got.message["content"]
    )


def test_public_schemas_get_valid_instances() -> None:
    """Every schema of a public set of hard ones gets a valid instance, one of a million million letters apart."""
    files = sorted((ROOT.parent / "shared" / "data" / "walle_json_schema").glob("*/valid.jsonl"))
    if not files:
        pytest.skip("the public schemas are not beside this checkout")
    lines = [line for file in files for line in file.read_text().splitlines() if line.strip()]
    schemas = [json.loads(line) for line in lines if "999999999999" not in line]
    assert len(schemas) > 200
    for schema in schemas:
        jsonschema.Draft202012Validator(schema).validate(instance(schema))


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
        {"type": "string", "minLength": 10**12},
        {"type": "number", "exclusiveMinimum": 1e308, "multipleOf": 0.1},
        {"type": "array", "items": {"$ref": "#"}, "minItems": 2},
        {"not": {}},
    ],
    ids=range(6),
)
def test_a_schema_nothing_fits_is_answered_all_the_same(schema: dict[str, Any]) -> None:
    """A schema that refers to itself, asks for too much or allows nothing costs neither an error nor the memory."""
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert chat(CLEAN, response_format=form).status == 200


def test_json_object_is_an_object() -> None:
    """json_object gives an object, and a limit inside it says length."""
    form = {"type": "json_object"}
    assert json.loads(chat(CLEAN, "Tell me a story as JSON", response_format=form).message["content"])
    cut = chat(CLEAN, "Tell me a story as JSON", response_format=form, max_tokens=3)
    assert cut.json["choices"][0]["finish_reason"] == "length"


# --- errors ----------------------------------------------------------------------------------------------

USER = {"role": "user", "content": "hi"}
PARTS = [
    "role",
    "content",
    "type",
    "text",
    "name",
    "tool_calls",
    "function",
    "id",
    "arguments",
    "tool_call_id",
    "parameters",
    "json_schema",
    "schema",
]
FIELDS = [
    "model",
    "messages",
    "temperature",
    "top_p",
    "n",
    "stop",
    "max_tokens",
    "stream",
    "stream_options",
    "tools",
    "tool_choice",
    "response_format",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "seed",
    "reasoning_effort",
    "parallel_tool_calls",
    "min_tokens",
    "ignore_eos",
    "functions",
]
WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"messages": None}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": "hi"}, "messages"),
    ({"messages": ["hi"]}, "messages[0]"),
    ({"messages": [{"role": "zzz", "content": "hi"}]}, "messages[0].role"),
    ({"messages": [{"content": "hi"}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{"type": ["zzz"]}]}]}, "messages[0].content[0].type"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].image_url"),
    ({"messages": [USER, {"role": "tool", "content": "x"}]}, "messages[1].tool_call_id"),
    ({"messages": [USER, {"role": "tool", "content": "x", "tool_call_id": "c"}]}, "messages[1].role"),
    ({"model": None}, "model"),
    ({"model": 123}, "model"),
    ({"temperature": 99}, "temperature"),
    ({"temperature": "hot"}, "temperature"),
    ({"temperature": True}, "temperature"),
    ({"top_p": 1.5}, "top_p"),
    ({"presence_penalty": 3.0}, "presence_penalty"),
    ({"n": 0}, "n"),
    ({"n": 5}, "n"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"max_completion_tokens": 0}, "max_completion_tokens"),
    ({"stream": "yes"}, "stream"),
    ({"stream_options": {"include_usage": True}}, "stream_options"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
    ({"stop": 5}, "stop"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"logit_bias": {"zz": 1}}, "logit_bias"),
    ({"reasoning_effort": ["zzz"]}, "reasoning_effort"),
    ({"functions": []}, "functions"),
    ({"functions": [{"name": 5}]}, "functions[0].name"),
    ({"functions": [{"name": "f"}], "function_call": "zz"}, "function_call"),
    ({"messages": [USER, {"role": "assistant", "function_call": {}}, USER]}, "messages[1].function_call.name"),
    ({"messages": [USER, {"role": "function", "content": "x"}]}, "messages[1].name"),
    ({"tools": []}, "tools"),
    ({"tools": [{"type": "custom"}]}, "tools[0].custom"),
    ({"tools": [{"type": "zzz"}]}, "tools[0].type"),
    ({"tools": [{"type": "function", "function": {"name": "查"}}]}, "tools[0].function.name"),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "zzz"}}}]}, "tools[0].function"),
    ({"tools": [WEATHER, WEATHER]}, "tools"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"tools": [WEATHER], "tool_choice": "zzz"}, "tool_choice"),
    ({"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice"),
    ({"response_format": {"type": "zzz"}}, "response_format.type"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "hiccup"}}}},
        "response_format.json_schema.schema",
    ),
)


@pytest.mark.parametrize(("fields", "param"), WRONG, ids=[f"{n}-{param}" for n, (_, param) in enumerate(WRONG)])
@pytest.mark.parametrize("stream", [False, True])
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str, stream: bool) -> None:
    """A mistake gets 400 and the documented body with the field's name, as JSON also where a stream was asked for."""
    # Options of a stream are only wrong where there is none.
    got = chat(CLEAN, **(fields if "stream_options" in fields else {"stream": stream} | fields))
    assert (got.status, got.headers["content-type"]) == (400, "application/json")
    assert set(got.error) == {"message", "type", "param", "code"}
    assert (got.error["type"], got.error["param"]) == ("invalid_request_error", param)


@pytest.mark.parametrize(
    "body",
    [b"", b'{"model":', b"[]", b'"x"', b"\xff", b'{"a": NaN}', b'{"metadata":' + b"[" * 5000 + b"]" * 5000 + b"}"],
)
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    """Broken JSON, no object, no UTF-8, nesting without end: 400 with the documented body."""
    got = sent(CLEAN, "POST", "/v1/chat/completions", body)
    assert (got.status, got.error["type"]) == (400, "invalid_request_error")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(PARTS)), inner, max_size=4),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(
    fields=st.dictionaries(st.sampled_from(sorted(FIELDS)), JSON_VALUES, max_size=4),
    first=JSON_VALUES | st.builds(lambda more: {**USER, **more}, st.dictionaries(st.sampled_from(PARTS), JSON_VALUES)),
)
def test_no_body_brings_it_down(fields: dict[str, Any], first: Any) -> None:
    """Whatever JSON a field holds, the answer is 200 or a documented error, never a fault of the server's own."""
    body = {"model": "sim-small", "messages": [USER, first], "max_tokens": 5, **fields}
    got = sent(CLEAN, "POST", "/v1/chat/completions", json.dumps(body).encode())
    assert got.status == 200 or set(got.error) == {"message", "type", "param", "code"}


def test_null_stands_for_not_given() -> None:
    """Every optional field may be null, and an unknown one is passed over."""
    names = "temperature top_p n stop max_tokens tools tool_choice response_format logprobs seed user stream_options"
    nulls: dict[str, Any] = dict.fromkeys(names.split())
    assert chat(CLEAN, x_zz_probe=1, stream=None, **nulls).status == 200


def test_other_mistakes_have_their_own_status() -> None:
    """404 for a model and a path, 405 with Allow, 413 and 415 for a body that is not read, 400 beyond the context."""
    unknown = chat(CLEAN, model="none")
    assert (unknown.status, unknown.error["code"]) == (404, "model_not_found")
    assert sent(CLEAN, "GET", "/v1/nonsense").status == 404
    wrong_method = sent(CLEAN, "GET", "/v1/chat/completions")
    assert (wrong_method.status, wrong_method.headers["allow"]) == (405, "POST")
    assert sent(CLEAN, "POST", "/v1/models").headers["allow"] == "GET"
    assert sent(CLEAN, "POST", "/v1/chat/completions", b"{}", content_type="text/plain").status == 415
    long = chat(serving(context_tokens=50), "word " * 60)
    assert (long.status, long.error["code"]) == (400, "context_length_exceeded")


def test_a_key_is_wanted_only_where_there_is_one() -> None:
    """Without the key 401, with it 200, before the body is read, and the key given is not told back."""
    service = Service(NULL, Book({}), key="right")
    path, body = "/v1/chat/completions", json.dumps({"model": "sim-small", "messages": [USER]}).encode()
    assert sent(service, "POST", path, b"{").status == 401
    refused = sent(service, "POST", path, body, authorization="Bearer wrong-key-zq")
    assert (refused.status, refused.error["code"]) == (401, "invalid_api_key")
    assert b"wrong-key-zq" not in refused.body
    assert sent(service, "POST", path, body, authorization="bearer right").status == 200
    assert sent(service, "POST", path, body, api_key="right").status == 200
    assert sent(service, "GET", "/v1/models").status == 401


def test_a_rate_limit_refuses_and_says_when() -> None:
    """Beyond the minute's allowance comes 429 with the true Retry-After; the bucket refills in time."""
    service = serving(requests_per_minute=3)
    assert [chat(service).status for _ in range(4)] == [200, 200, 200, 429]
    refused = chat(service)
    assert (refused.headers["retry-after"], refused.error["code"]) == ("20", "rate_limit_exceeded")
    bucket = Bucket(60)
    assert [bucket.take(60, 1), bucket.take(1, 1)] == [None, 1.0]
    assert bucket.take(2, 2_000_000_001) is None


# --- answers to the shipped tasks ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped() -> catalog.Catalog:
    """The shipped tasks."""
    return catalog.discover([ROOT / "tasks"])


def right_share(service: Service, tasks: catalog.Catalog, name: str) -> float:
    """The share of a task that the simulator gets right, judged by the task's own scorer."""
    task, values = tasks.task(name), []
    for sample in task.load(None):
        tools = {"tools": list(sample.tools)} if sample.tools else {}
        message = chat(service, list(sample.messages), **tools, **sample.params).message
        calls = tuple(
            ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"])
            for call in message.get("tool_calls", ())
        )
        said = Completion(message["content"] or "", "", "", calls, "stop", None, StreamMarks())
        values.append(task.scorer.score(sample, said).value)
    return sum(values) / len(values)


@pytest.mark.parametrize(("name", "key"), [("arithmetic", "accuracy"), ("assistant", "tool_accuracy")])
def test_accuracy_is_what_the_profile_says(shipped: catalog.Catalog, name: str, key: str) -> None:
    """The task's own scorer finds all, none, or about the share of answers right that the profile names."""
    book = write(shipped.tasks.values())
    assert right_share(serving(0, book, **{key: 1}), shipped, name) == 1
    assert right_share(serving(0, book, **{key: 0}), shipped, name) == 0
    shares = [right_share(serving(seed, book, **{key: 0.7}), shipped, name) for seed in range(10)]
    assert 0.6 < sum(shares) / len(shares) < 0.8


def test_a_data_set_of_the_hub_is_left_alone(shipped: catalog.Catalog) -> None:
    """Only tasks whose data is shipped are read: no simulator asks the network for answers."""
    hub = [task for task in shipped.tasks.values() if task.source.startswith("hub")]
    assert hub
    assert len(write(hub)) == 0


@pytest.mark.parametrize("text", ["5", "#### 1,234", "B", "(C)", "yes", '{"a": {"b": 5}}', "the sun", "3.5 apples"])
def test_a_wrong_answer_is_wrong(text: str) -> None:
    """A spoilt answer is never the right one."""
    assert all(wrong(text, draw(seed)) != text for seed in range(50))


# --- faults ----------------------------------------------------------------------------------------------


def fates(service: Service, count: int, **fields: Any) -> list[str]:
    """What befell so many requests: the status, or how the body ended."""
    found = []
    for number in range(count):
        got = chat(service, f"{number}: tell me a story", max_tokens=8, **fields)
        found.append(got.ends if got.status == 200 else str(got.status))
    return found


def test_faults_come_in_their_shares_and_with_the_seed() -> None:
    """Each share appears as named, the same seed gives the same fates, and another seed others."""
    rates: dict[str, Any] = {"http_500": 0.1, "http_429": 0.1, "overload_503": 0.1, "cut": 0.1, "reset": 0.1}
    found = fates(serving(**rates), 600, stream=True)
    counts = Counter(found)
    for kind in ("500", "429", "503", "close", "abort"):
        assert 30 < counts[kind] < 95, counts
    assert found == fates(serving(**rates), 600, stream=True)
    assert found != fates(serving(seed=1, **rates), 600, stream=True)


def test_a_retry_may_fare_better() -> None:
    """The same body again draws another fate, and a second server repeats the same sequence."""
    first, second = serving(http_500=0.5), serving(http_500=0.5)
    row = [chat(first).status for _ in range(30)]
    assert set(row) == {200, 500}
    assert row == [chat(second).status for _ in range(30)]


STATUSES = [name for name in FAULTS if name.startswith("http_") or name == "overload_503"]
OTHERS = [name for name in FAULTS if name not in STATUSES]


def suffering(fault: str, stream: bool) -> Got:
    """An answer that a fault befell, which is the same whether the profile or the request asked for it."""
    got = chat(serving(0, None, **{fault: 1}, giant_bytes=5000), "Tell me a story", stream=stream)
    sim = {"fault": fault, "giant_bytes": 5000}
    asked = chat(CLEAN, "Tell me a story", stream=stream, sim=sim)
    assert (asked.status, asked.ends, asked.headers.keys()) == (got.status, got.ends, got.headers.keys())
    return got


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", STATUSES)
def test_a_status_is_what_its_fault_says(fault: str, stream: bool) -> None:
    """The status is in the name, the body is the documented error, and Retry-After comes where a wait would help."""
    got = suffering(fault, stream)
    assert got.status == int(re.findall(r"\d{3}", fault)[0])
    assert set(got.error) == {"message", "type", "param", "code"}
    assert ("retry-after" in got.headers) == (got.status in (429, 503, 529) and fault != "http_429_bare")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", OTHERS)
def test_each_fault_looks_like_itself(fault: str, stream: bool) -> None:
    """Every fault, when its share is 1 or a request asks for it, breaks the answer in its own way."""
    got = suffering(fault, stream)
    body = got.body.decode()
    ends = {"cut", "stall", "lying_length", "no_answer", "stall_before_headers", "stall_after_headers"}
    assert got.ends == "close" if fault in ends else "abort" if fault == "reset" else got.ends
    assert got.status == (
        0 if fault in ("no_answer", "stall_before_headers") or (fault == "stall" and not stream) else 200
    )
    match fault:
        case "inband_error":
            assert '"error":{' in body
            assert '"finish_reason":"' not in body
        case "empty":
            assert (got.text if stream else got.message["content"]) == ""
            assert '"finish_reason":"stop"' in body
        case "malformed":
            with pytest.raises(ValueError, match=r"."):
                _ = got.chunks if stream else got.json
        case "html_200":
            assert got.headers["content-type"].startswith("text/html")
            assert body.startswith("<!DOCTYPE html>")
        case "lying_length":
            assert int(got.headers["content-length"]) > len(got.body)
        case "giant_line":
            assert max(map(len, body.splitlines())) > 5000
        case "endless":
            assert "[DONE]" not in body
            assert body.count("and so on") > 1000


def test_retry_after_comes_in_every_form() -> None:
    """Seconds, an HTTP date in the near future, thirty years, or nothing, as the fault says."""

    def after(fault: str) -> str | None:
        return chat(CLEAN, sim={"fault": fault, "retry_after_s": 90}).headers.get("retry-after")

    assert (after("http_429"), after("http_429_bare")) == ("90", None)
    assert float(after("http_429_absurd") or 0) > 30 * 365 * 86_400
    wait = parsedate_to_datetime(after("http_429_date") or "") - datetime.now(UTC)
    assert timedelta(seconds=80) < wait <= timedelta(seconds=91)


def test_a_slow_loris_sends_a_byte_at_a_time() -> None:
    """Each byte of the body is a write of its own, one drip_ms after the other."""
    body = json.dumps({"model": "sim-small", "messages": [USER], "sim": {"fault": "slow_loris", "drip_ms": 5}})
    head, *drips = CLEAN.reply(Incoming("POST", "/v1/chat/completions", {}, body.encode(), 1)).sends
    drips = [send for send in drips if send.data]
    assert head.kind in ("slot", "head")
    assert {len(send.data) for send in drips[1:]} == {1}
    assert {later.due_ns - sooner.due_ns for sooner, later in itertools.pairwise(drips[1:])} == {5_000_000}


def test_every_legal_spelling_changes_something() -> None:
    """Each that no probe may accuse makes an answer differ from the reference; all others are caught by a probe."""
    long = "Tell me a story"
    rich: list[dict[str, Any]] = [
        {"role": "system", "content": "You know 漢字 and clocks."},
        {"role": "user", "content": "My name is Ana."},
        {"role": "assistant", "content": "Hello."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": "Repeat exactly: 漢字 1 2 3 4"},
    ]
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": CITY}}
    two = {"type": "function", "function": {"name": "get_weather"}}
    usage = {"stream": True, "stream_options": {"include_usage": True}}
    questions: list[tuple[Any, dict[str, Any]]] = [
        (rich, {"stop": ["3"], "n": 2, "temperature": 0, "logprobs": True, "user": None}),
        (rich, usage),
        (long, {"max_completion_tokens": 5}),
        (long, {"max_tokens": 5, **usage}),
        (long, {"stream": True}),
        (long, {"temperature": 1, "seed": 1}),
        (long, {"response_format": form}),
        (long, {"temperature": 99}),
        (long, {"temperature": 99, "stream": True}),
        (long, {"model": "none"}),
        ([], {}),
        ("Weather in Paris and Rome?", {"tools": [WEATHER, PAINT], "tool_choice": two, "parallel_tool_calls": False}),
        ("Weather in Paris and Rome?", {"tools": [WEATHER, PAINT], "tool_choice": two}),
        ("hi", {"tools": [WEATHER], "tool_choice": "none"}),
        ("Weather in Paris?", {"tools": [WEATHER], "tool_choice": "none"}),
        ("Weather in Paris and Rome?", {"tools": [WEATHER, PAINT], **usage}),
    ]

    def trace(*mutants: str) -> list[object]:
        service = Service(with_settings(NULL, [f"mutants={','.join(mutants)}", "itl_ms=1"]), Book({}), key="right")
        seen: list[object] = []
        for text, fields in questions * 2:
            messages = text if isinstance(text, list) else [{"role": "user", "content": text}]
            body = json.dumps({"model": "sim-small", "messages": messages, **fields}).encode()
            incoming = Incoming("POST", "/v1/chat/completions", {"authorization": "Bearer right"}, body, 1)
            seen.append(list(service.reply(incoming).sends))
        for method, path in (("GET", "/v1/models"), ("GET", "/v1/x"), ("POST", "/v1/chat/completions")):
            seen.append(list(service.reply(Incoming(method, path, {"authorization": "Bearer right"}, b"{", 1)).sends))
        seen.append(list(service.reply(Incoming("GET", "/v1/models", {}, b"", 1)).sends))
        # Random ids, the time of day and the time taken differ anyhow.
        wire = repr(seen)
        for pattern in (r"(chatcmpl|call|req)[-_][0-9a-f]{24}", r'"created":1[0-9]{9}', r"processing-ms: \d+"):
            wire = re.sub(pattern, "", wire)
        return [wire]

    reference = trace()
    assert reference == trace()
    assert [mutant for mutant in sorted(LEGAL) if trace(mutant) == reference] == []


# --- settings --------------------------------------------------------------------------------------------


def test_settings_are_read_by_their_type() -> None:
    """Numbers, lists, booleans and none become what the field is."""
    read = with_settings(NULL, ["ttft_ms=5", "models=a, b", "early_role=no", "retry_after_s=none", "tokens=7"])
    assert (read.ttft_ms, read.models, read.early_role, read.retry_after_s, read.tokens) == (
        5.0,
        ("a", "b"),
        False,
        None,
        7,
    )


@pytest.mark.parametrize(
    ("setting", "error", "says"),
    [
        ("ttft=5", UnknownName, "ttft_ms"),
        ("ttft_ms=fast", UsageError, "'fast' is not a number"),
        ("tokens=1.5", UsageError, "not a whole number"),
        ("cut=2", UsageError, "share from 0 to 1"),
        ("ttft_ms=nan", UsageError, "ttft_ms"),
        ("itl_ms=-1", UsageError, "negative"),
        ("early_role=perhaps", UsageError, "neither true nor false"),
        ("mutants=ignore_stopp", UnknownName, "ignore_stop"),
        ("models=", UsageError, "at least one model"),
        ("key_env=sk-12 34", UsageError, "not a key"),
        ("nonsense", UsageError, "key=value"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(setting: str, error: type[UsageError], says: str) -> None:
    """A mistake in --set says what is wrong, and offers the nearest name."""
    with pytest.raises(error) as raised:
        with_settings(NULL, [setting])
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_shares_do_not_add_up_beyond_one() -> None:
    """A request has one fault at most, so the shares must fit into 1."""
    with pytest.raises(UsageError, match="more than 1"):
        with_settings(NULL, ["cut=0.6", "stall=0.6"])


def test_an_unknown_profile_is_answered_with_the_nearest() -> None:
    """A mistyped profile offers the one meant."""
    with pytest.raises(UnknownName, match="steady-vendor"):
        named("steady-vender")
