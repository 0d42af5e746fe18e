"""Every preset before its provider's documented dialect: the two are written apart, and here they meet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from spoken import KEY, Spoken, all_spoken, presets
from transcripts import Reply

from harness import request
from harness.exchange import Completion, Outcome, StreamMarks, Usage
from harness.prices import price_of, reported_usd
from harness.simulator.dialects import names, template
from harness.simulator.dialects.dialect import Recorded
from harness.simulator.dialects.file import dialect_of
from harness.simulator.model import tokens
from harness.simulator.model.thinking import LENGTHS
from harness.store.identity import backend, server_times
from harness.types import Sample

PRESETS = presets()
LONG = Sample(
    id="spoken",
    messages=({"role": "user", "content": "The road is long and the river is wide. " * 6},),
    params={"max_tokens": 64, "temperature": 0},
)
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "Weather", "parameters": CITY}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": CITY}}
USUAL: dict[str, dict[str, Any]] = {
    "sampling": {"temperature": 0, "top_p": 0.9, "max_tokens": 32, "seed": 7, "stop": ["\n\n"], "n": 1},
    "hot": {"temperature": 1.3, "max_tokens": 32, "presence_penalty": 0.5, "frequency_penalty": 0.5},
    "logprobs": {"logprobs": True, "top_logprobs": 2, "max_tokens": 8},
    "format": {"response_format": SCHEMA, "max_tokens": 64},
    "json": {"response_format": {"type": "json_object"}, "max_tokens": 64},
    "tools": {"tool_choice": "required", "max_tokens": 64},
}
"""The parameters that tasks use."""
PROBED = {
    "temperature": "sampling.t",
    "top_p": "sampling.top_p",
    "seed": "sampling.seed",
    "stop": "sampling.stop",
    "n": "sampling.n_",
    "logprobs": "sampling.logprobs",
    "top_logprobs": "sampling.top_logprobs",
    "presence_penalty": "sampling.pres",
    "frequency_penalty": "sampling.freq",
    "tools": "tools.",
    "tool_choice": "tools.",
    "response_format": "json.",
}
"""What the names of the probes of a parameter begin with."""


@pytest.fixture(scope="module")
def all_of_them(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Spoken]]:
    """Each preset with the server that plays its provider."""
    with all_spoken(tmp_path_factory.mktemp("spoken")) as found:
        yield found


@pytest.fixture(params=PRESETS)
def spoken(request: pytest.FixtureRequest, all_of_them: dict[str, Spoken]) -> Spoken:
    """One preset with the server that plays its provider."""
    return all_of_them[request.param]


def test_every_preset_has_a_dialect() -> None:
    """A preset without one could say anything of its provider; a file of another name would never be played."""
    assert set(presets()) == set(names())


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_understood(spoken: Spoken, stream: bool) -> None:
    """Text, finish reason, usage and thoughts of an answer are what the provider meant, the second time cached."""
    for _ in range(2):
        exchange, outcome = spoken.ask(LONG, stream=stream, sim="effort=minimal,tokens=6")
        assert outcome.failure is None, outcome.failure
        said = outcome.completion
        assert said is not None
        assert said.text
        assert said.finish_reason == spoken.dialect.answer.finish.get("stop", "stop")
        assert said.usage == expected_usage(spoken, stream=stream), exchange.body
        thinks = spoken.dialect.reasoning is not None
        assert bool(said.reasoning) == thinks
        assert tokens.count(said.text) + tokens.count(said.reasoning) == spoken.service.last.record["tokens"]


def expected_usage(spoken: Spoken, *, stream: bool) -> Usage | None:
    """What the client is to read of the last answer: the counts of the simulator, as far as the dialect tells them."""
    dialect, record = spoken.dialect, spoken.service.last.record
    asked = stream and spoken.provider.quirks.stream_usage
    if stream and not any(place.when == "always" or asked for place in dialect.usage.stream):
        return None
    told = set(template.names(dialect.usage.block))
    thought = LENGTHS["minimal"] if dialect.reasoning is not None else 0
    visible = "visible" in told and "completion" not in told
    in_block = dialect.usage.cost_usd if not spoken.provider.quirks.cost_header else None
    return Usage(
        prompt_tokens=record["prompt_tokens"],
        completion_tokens=record["tokens"] - (thought if visible else 0),
        cached_tokens=record["cached_tokens"] if told & {"cached", "uncached"} else None,
        reasoning_tokens=thought if "reasoning" in told else None,
        cost_usd=in_block,
    )


def test_what_it_costs_is_read(spoken: Spoken) -> None:
    """A cost that the provider tells, in its usage or in a header, is the cost of the answer."""
    exchange, outcome = spoken.ask(LONG)
    assert outcome.completion is not None
    cost = reported_usd(outcome.completion.usage, price_of(spoken.endpoint), exchange.headers)
    assert cost == spoken.dialect.usage.cost_usd


def test_reasoning_is_counted_where_the_preset_says(spoken: Spoken) -> None:
    """Completion tokens hold those of thoughts, unless both say that they do not."""
    told = set(template.names(spoken.dialect.usage.block))
    assert spoken.provider.quirks.reasoning_in_completion == ("completion" in told)


def test_its_models_are_listed(spoken: Spoken) -> None:
    """The list of models is understood; where there is none, the preset says so."""
    assert spoken.provider.discovery == (spoken.dialect.models.path is not None)
    if spoken.provider.discovery:
        found = spoken.checked()
        assert found.usable, found
        assert found.models == len(spoken.dialect.models.ids)
        assert found.listed


@pytest.mark.parametrize("kind", USUAL)
def test_usual_parameters_are_taken(spoken: Spoken, kind: str) -> None:
    """What tasks send is taken as the preset's quirks leave it, or the preset declares that it is refused."""
    tools = (TOOL,) if kind == "tools" else ()
    for stream in (False, True):
        sample = Sample(id=kind, messages=LONG.messages, params=USUAL[kind], tools=tools)
        _, outcome = spoken.ask(sample, stream=stream, sim="tokens=6")
        if outcome.failure is not None:
            assert declared(spoken, spoken.service.refused), outcome.failure
            assert outcome.failure.kind == "http_4xx", outcome.failure


def declared(spoken: Spoken, field: str | None) -> bool:
    """Whether the preset says that what is asked with this field is refused."""
    begins = PROBED.get(field or "", "?")
    return any(
        one.startswith(begins) or one == f"{begins.partition('.')[0]}.*" for one in spoken.provider.declared.unsupported
    )


def test_what_has_no_effect_is_declared(spoken: Spoken) -> None:
    """A field that is taken without effect is named by the preset, so that nobody compares what rests on it."""
    quirks = spoken.provider.quirks
    known = {*quirks.ignored, *quirks.drop, *quirks.rename}
    said = {name for group in spoken.dialect.parameters.ignored for name in group.names}
    used = {name for params in USUAL.values() for name in params} - {"max_tokens"}
    assert (said & used) - known == set()


def test_what_is_called_otherwise_is_sent_under_its_name(spoken: Spoken) -> None:
    """A field with a name of its own is sent under that name: under the usual one it would have no effect."""
    quirks = spoken.provider.quirks
    for renamed in spoken.dialect.parameters.renamed:
        usual = quirks.max_tokens_field if renamed.usual.startswith("max_") else renamed.usual
        assert quirks.rename.get(usual, usual) == renamed.own or renamed.usual in quirks.drop, renamed


def test_what_is_held_within_bounds_is_declared(spoken: Spoken) -> None:
    """A number that the provider changes without a word is changed here first, where it is shown."""
    quirks = spoken.provider.quirks
    for bounded in spoken.dialect.parameters.bounded:
        least, most = quirks.clamp.get(bounded.name, (bounded.least - 1, bounded.most + 1))
        within = bounded.least <= least <= most <= bounded.most
        assert within or bounded.name in {*quirks.drop, *quirks.ignored}, bounded


def test_a_wrong_key_is_told(spoken: Spoken) -> None:
    """Another key is refused as a matter of keys; a preset without one is of a server that may go without."""
    auth, error = spoken.dialect.auth, spoken.dialect.errors.key
    if spoken.provider.auth.scheme == "none":
        assert auth.optional or auth.kind == "none"
        return
    assert error is not None
    _, outcome = spoken.send(spoken.endpoint, spoken.asked(LONG), key="another-key")
    assert outcome.failure is not None
    assert outcome.failure.kind == "auth", outcome.failure
    assert KEY not in outcome.failure.detail


def test_an_unknown_model_is_told(spoken: Spoken) -> None:
    """A model that is not there is refused in the provider's own words."""
    error = spoken.dialect.errors.model
    if error is None:
        return
    endpoint = spoken.named("no-such-model")
    _, outcome = spoken.send(endpoint, request.build(LONG, endpoint, stream=False))
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.status) == ("http_4xx", error.status), outcome.failure
    message = max(texts_in(template.fill(error.body, {"model": "no-such-model"})), key=len)
    assert message in outcome.failure.detail, outcome.failure


def texts_in(value: Any) -> Iterator[str]:
    """All texts of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from texts_in(one)


def test_a_limit_is_told(spoken: Spoken) -> None:
    """Too many requests are told as such, with the wait that the documented headers ask for."""
    limit = spoken.dialect.errors.limit
    if limit is None:
        return
    _, outcome = spoken.ask(LONG, sim="fault=http_429")
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.status) == ("throttled", limit.status), outcome.failure
    assert outcome.failure.retry_after_s == limit.wait_s


def test_what_the_preset_names_is_there(spoken: Spoken) -> None:
    """Timings, rate limits, backends and versions are in the provider's answers where the preset says they are."""
    quirks = spoken.provider.quirks
    exchanges = [spoken.ask(LONG, stream=stream)[0] for stream in (False, True)]
    limited, _ = spoken.ask(LONG, sim="fault=http_429")
    headers = {name for exchange in (*exchanges, limited) for name, _ in exchange.headers}
    versions = [name.lower() for name in quirks.version_headers]
    assert {*spoken.provider.about.rate_limit.headers, *versions} - headers == set()
    told = {name for exchange in exchanges for name in server_times(exchange, quirks.naming) or ()}
    assert set(quirks.server_timing) - told == set()
    if quirks.backend_field or quirks.backend_headers:
        assert [
            backend(exchange, quirks.naming) for exchange in exchanges if not backend(exchange, quirks.naming)
        ] == []


# --- recorded answers ------------------------------------------------------------------------------------


def recorded() -> list[Any]:
    """Every answer that a dialect records, by dialect and name."""
    rows = [(name, row) for name in names() for row in dialect_of(name).recorded]
    return [pytest.param(row, id=f"{name}: {row.name}") for name, row in rows]


@pytest.mark.parametrize("row", recorded())
def test_a_recorded_answer_is_read(row: Recorded) -> None:
    """An answer as a document or a recording shows it is understood as it was meant."""
    assert_read(row)


def assert_read(row: Recorded) -> None:
    """Compare what is understood with what the row says is to be read."""
    outcome = outcome_of(row)
    wanted = row.reads.model_dump(exclude_none=True)
    read = told(outcome)
    assert {name: read.get(name) for name in wanted} == wanted


def outcome_of(row: Recorded) -> Outcome:
    """What the client makes of the row."""
    kind = "text/event-stream" if row.events else "application/json"
    headers = {"content-type": kind, **{name.lower(): value for name, value in row.headers.items()}}
    body = row.body.encode() if isinstance(row.body, str) else row.body
    if row.events:
        body = "".join(f"{event_of(one)}\n\n" for one in row.events).encode()
    return Reply(body, row.status, headers, stream=bool(row.events)).capture("recorded").outcome


def event_of(one: Any) -> str:
    """One event of a recorded stream, or a comment."""
    if isinstance(one, str):
        return one if one.startswith(":") else f"data: {one}"
    return f"data: {json.dumps(one)}"


def told(outcome: Outcome) -> dict[str, Any]:
    """An outcome in the words of ``reads``."""
    said = outcome.completion or Completion("", "", "", (), None, None, StreamMarks())
    usage = said.usage or Usage()
    failure = outcome.failure
    return {
        "text": said.text,
        "reasoning": said.reasoning,
        "finish": said.finish_reason,
        "prompt": usage.prompt_tokens,
        "completion": usage.completion_tokens,
        "cached": usage.cached_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "cost_usd": usage.cost_usd,
        "calls": tuple(call.name for call in said.tool_calls),
        "failure": failure.kind if failure else None,
        "wait_s": failure.retry_after_s if failure else None,
    }
