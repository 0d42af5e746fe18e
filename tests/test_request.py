"""The exact bytes: what a sample becomes for an endpoint, and what its hash depends on."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import TaskError
from harness.provider import Endpoint, Provider, Quirks
from harness.request import allowance, build, canonical_sha256, raw
from harness.types import Request, Sample

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
SAMPLE = Sample(
    id="s1",
    messages=({"role": "user", "content": "2 + 2 = ?"},),
    tools=(TOOL,),
    params={"temperature": 0, "max_tokens": 16, "logprobs": True},
)


def endpoint(model_id: str = "m-1", **quirks: Any) -> Endpoint:
    """An endpoint with these quirks."""
    return Endpoint(Provider("p", "hosted", "http://127.0.0.1/v1", quirks=Quirks(**quirks)), "m", model_id)


def sent(sample: Sample, where: Endpoint, *, stream: bool = False) -> dict[str, Any]:
    """The body as the server reads it."""
    body = build(sample, where, stream=stream).body
    assert body is not None
    parsed: dict[str, Any] = json.loads(body)
    return parsed


# --- build -----------------------------------------------------------------------------------------------


def test_body_is_compact_and_in_a_stable_order() -> None:
    """Model, messages, tools, then the parameters by name, then what streaming needs, byte for byte."""
    request = build(SAMPLE, endpoint(max_tokens_field="max_tokens"), stream=True)
    tool = '{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}'
    assert (
        request.body
        == (
            '{"model":"m-1","messages":[{"role":"user","content":"2 + 2 = ?"}],"tools":[' + tool + "],"
            '"logprobs":true,"max_tokens":16,"temperature":0,"stream":true,"stream_options":{"include_usage":true}}'
        ).encode()
    )
    assert (request.path, request.method, request.auth, request.stream) == (
        "/chat/completions",
        "POST",
        "provider",
        True,
    )


def test_the_order_of_parameters_in_the_sample_does_not_matter() -> None:
    """Two samples that say the same are the same bytes."""
    turned = Sample(SAMPLE.id, SAMPLE.messages, tools=SAMPLE.tools, params=dict(reversed(list(SAMPLE.params.items()))))
    assert build(turned, endpoint(), stream=False) == build(SAMPLE, endpoint(), stream=False)


def test_text_is_sent_as_utf8_not_as_escapes() -> None:
    """Other scripts are sent as themselves, as applications do."""
    sample = Sample("s", ({"role": "user", "content": "naïve 問い 🙂"},))
    assert "naïve 問い 🙂".encode() in (build(sample, endpoint(), stream=False).body or b"")


def test_nothing_is_sent_that_nobody_asked_for() -> None:
    """Without tools, streaming and quirks the body is model, messages and parameters."""
    sample = Sample("s", ({"role": "user", "content": "x"},), params={"seed": 1})
    assert list(sent(sample, endpoint())) == ["model", "messages", "seed"]


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("given_name", ["max_tokens", "max_completion_tokens"])
def test_output_limit_takes_the_providers_name(
    field: Literal["max_tokens", "max_completion_tokens"], given_name: str
) -> None:
    """The output limit is sent once, under the name this provider reads, and the hash is the same for both names."""
    sample = Sample("s", SAMPLE.messages, params={given_name: 7})
    body = sent(sample, endpoint(max_tokens_field=field))
    assert {key: value for key, value in body.items() if key.startswith("max_")} == {field: 7}
    reference = build(Sample("s", SAMPLE.messages, params={"max_tokens": 7}), endpoint(), stream=False)
    assert build(sample, endpoint(), stream=False).workload_sha256 == reference.workload_sha256


def test_usage_is_asked_for_only_in_streams_of_providers_that_allow_it() -> None:
    """stream_options goes with streaming, and only where it may be sent."""
    assert sent(SAMPLE, endpoint(), stream=True)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in sent(SAMPLE, endpoint(stream_usage=False), stream=True)
    assert "stream_options" not in sent(SAMPLE, endpoint(), stream=False)


def test_extra_body_adds_but_never_overrides_the_question() -> None:
    """A routing pin is added; a parameter that the sample sets stays as the sample has it."""
    body = sent(SAMPLE, endpoint(extra_body={"provider": {"order": ["a"]}, "temperature": 1}))
    assert body["provider"] == {"order": ["a"]}
    assert body["temperature"] == 0


def test_streaming_is_part_of_the_question() -> None:
    """The same sample streamed and not streamed are different work."""
    hashes = {build(SAMPLE, endpoint(), stream=stream).workload_sha256 for stream in (True, False)}
    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"max_tokens": 1, "max_completion_tokens": 1}, "params hold both max_tokens and max_completion_tokens"),
        ({"model": "x"}, "params must not hold 'model'"),
        ({"stream": True}, "params must not hold 'stream'"),
        ({"temperature": float("nan")}, "cannot be written as JSON"),
        ({"stop": {1, 2}}, "cannot be written as JSON"),
    ],
)
def test_a_sample_that_cannot_be_sent_is_named(params: dict[str, Any], told: str) -> None:
    """A wrong sample is one line with its id, not a traceback."""
    with pytest.raises(TaskError, match=told) as caught:
        build(Sample("bad-one", SAMPLE.messages, params=params), endpoint(), stream=False)
    assert "'bad-one'" in str(caught.value)


def test_a_sample_that_holds_itself_or_is_too_deep_is_named() -> None:
    """Endless and very deep messages are refused as well."""
    endless: dict[str, Any] = {"role": "user"}
    endless["content"] = [endless]
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    for message in (endless, {"role": "user", "content": deep}):
        with pytest.raises(TaskError, match="cannot be written as JSON"):
            build(Sample("s", (message,)), endpoint(), stream=False)


# --- properties ------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(), max_size=12)  # lone surrogates included
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["temperature", "top_p", "seed", "stop", "n", "logprobs", "response_format", "user"])
SAMPLES = st.builds(
    Sample,
    id=st.just("s"),
    messages=st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": TEXT}), max_size=3).map(tuple),
    tools=st.lists(st.just(TOOL), max_size=1).map(tuple),
    params=st.dictionaries(NAMES, JSON, max_size=4).flatmap(
        lambda params: st.sampled_from([{}, {"max_tokens": 5}, {"max_completion_tokens": 5}]).map(
            lambda limit: {**params, **limit}
        )
    ),
)
ENDPOINTS = st.builds(
    endpoint,
    st.text("abc/-", min_size=1, max_size=5),
    max_tokens_field=st.sampled_from(["max_tokens", "max_completion_tokens"]),
    stream_usage=st.booleans(),
    drop=st.lists(NAMES | st.sampled_from(["max_tokens", "max_completion_tokens", "tools", "stream_options"])).map(
        tuple
    ),
    extra_body=st.dictionaries(NAMES | TEXT, JSON, max_size=2),
)


@given(SAMPLES, ENDPOINTS, ENDPOINTS, st.booleans())
def test_the_workload_hash_depends_on_the_sample_alone(
    sample: Sample, one: Endpoint, other: Endpoint, stream: bool
) -> None:
    """Whatever the endpoints and their quirks, the same sample has the same workload hash."""
    assert build(sample, one, stream=stream).workload_sha256 == build(sample, other, stream=stream).workload_sha256


@given(SAMPLES, ENDPOINTS, st.booleans())
def test_build_never_changes_sample_or_endpoint(sample: Sample, where: Endpoint, stream: bool) -> None:
    """Sample and endpoint are the same before and after, and building twice gives the same bytes."""
    before = copy.deepcopy((sample, where))
    first = build(sample, where, stream=stream)
    assert (sample, where) == before
    assert build(sample, where, stream=stream) == first


@given(SAMPLES, ENDPOINTS, st.booleans())
def test_what_is_dropped_is_never_sent_and_the_rest_is(sample: Sample, where: Endpoint, stream: bool) -> None:
    """No dropped field is in the body; every other parameter of the sample is, with its own value."""
    body = sent(sample, where, stream=stream)
    quirks = where.provider.quirks
    assert not set(quirks.drop) & body.keys()
    for name, value in sample.params.items():
        actual = quirks.max_tokens_field if name.startswith("max_") else name
        if actual not in quirks.drop:
            assert body[actual] == json.loads(json.dumps(value))


@given(SAMPLES, SAMPLES)
def test_different_messages_have_different_hashes(one: Sample, other: Sample) -> None:
    """Equal hashes mean equal questions."""
    hashes = {build(sample, endpoint(), stream=False).workload_sha256 for sample in (one, other)}
    if one.messages != other.messages:
        assert len(hashes) == 2


def test_lone_surrogates_are_escaped() -> None:
    """Half a character, which UTF-8 cannot carry, goes out as a JSON escape and comes back the same."""
    sample = Sample("s", ({"role": "user", "content": "half \ud83d of é"},))
    body = build(sample, endpoint(), stream=False).body
    assert body is not None
    assert b"half \\ud83d of \xc3\xa9" in body
    assert json.loads(body)["messages"][0]["content"] == "half \ud83d of é"


# --- raw -------------------------------------------------------------------------------------------------


def test_raw_fills_in_the_model_and_nothing_else() -> None:
    """A probe's body is sent as written: no quirk, only `model` where it is there and None; the dict is not changed."""
    body = {"max_tokens": 1, "seed": 2, "model": None}
    request = raw(endpoint(drop=("seed",), extra_body={"x": 1}), body, stream=True)
    assert request.body == b'{"max_tokens":1,"seed":2,"model":"m-1"}'
    assert request.stream
    assert body["model"] is None
    assert raw(endpoint(), {"model": "other"}).body == b'{"model":"other"}'
    assert raw(endpoint(), {"messages": []}).body == b'{"messages":[]}'


def test_raw_sends_bytes_as_they_are() -> None:
    """Broken JSON is what some probes are about."""
    request = raw(endpoint(), b'{"model": nul', headers={"X-A": "b"}, auth="wrong")
    assert request.body == b'{"model": nul'
    assert request.workload_sha256 == hashlib.sha256(b'{"model": nul').hexdigest()
    assert (request.headers, request.auth) == ({"X-A": "b"}, "wrong")


def test_raw_get_has_no_body() -> None:
    """A GET has no body, and its hash tells paths apart."""
    models = raw(endpoint(), None, path="/models", method="GET")
    assert (models.body, models.method, models.path) == (None, "GET", "/models")
    assert models.workload_sha256 != raw(endpoint(), None, path="/models/x", method="GET").workload_sha256


def test_raw_hash_leaves_the_model_out() -> None:
    """The same probe has the same hash on every endpoint."""
    body: dict[str, Any] = {"model": None, "messages": []}
    assert raw(endpoint("a"), body).workload_sha256 == raw(endpoint("b"), body).workload_sha256
    with pytest.raises(TaskError, match="a request for /chat/completions cannot be written as JSON"):
        raw(endpoint(), {"x": float("inf")})


def test_canonical_hash_is_of_sorted_compact_json() -> None:
    """The hash can be recomputed with any JSON library."""
    assert canonical_sha256({"b": 1, "a": "é"}) == hashlib.sha256('{"a":"é","b":1}'.encode()).hexdigest()
    assert canonical_sha256({"a": "é", "b": 1}) == canonical_sha256({"b": 1, "a": "é"})


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        (b'{"max_tokens": 32}', 32),
        (b'{"max_completion_tokens": 8, "n": 3}', 24),
        (b'{"messages": []}', None),
        (b'{"model":', 0),
        (b'{"stop":' + b"[" * 100_000, 0),
        (None, 0),
    ],
)
def test_allowance_is_the_cap_of_the_body_as_sent(body: bytes | None, tokens: int | None) -> None:
    """Whatever the cap is called, it is read from the bytes; what cannot be answered with tokens allows none."""
    assert allowance(Request("/chat/completions", body, stream=False, workload_sha256="")) == tokens
