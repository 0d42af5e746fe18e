"""A dialect as a file, and the simulator speaking it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from served import unchunked

from harness.errors import ConfigError, UnknownName
from harness.simulator.dialects import names, template
from harness.simulator.dialects.dialect import sources_of
from harness.simulator.dialects.file import dialect_of, read
from harness.simulator.model.book import Book
from harness.simulator.profile import PROFILES, checked
from harness.simulator.serving.service import Service
from harness.simulator.serving.turn import Incoming
from harness.simulator.settings import with_settings

MADE_UP = """
title: Made up
sources:
  api: {at: "https://docs.example/api", is: documented, read: 2026-11-26}
path: {prefix: ["/accounts/{account}/ai/v1", "/deployments/{model}"], from: api}
auth: {kind: header, header: X-Made-Up-Key, also: [authorization], from: api}
wants:
  headers: {X-Mode: {one_of: [slow, fast], status: 422, body: {error: no mode}, from: api}}
  query: {version: {status: 404, body: no version, from: api}}
parameters:
  refused:
    - {name: n, unless: [1], says: "{param} is {value}", from: api}
    - {name: tool_choice, only: [required], beside: tools, from: api}
    - {name: temperature, above: 1.5, status: 418, body: {teapot: "{value}"}, from: api}
    - {name: messages.name, from: api}
  ignored:
    - {names: [seed], from: api}
  renamed:
    - {own: random_seed, usual: seed, from: api}
  bounded:
    - {name: top_p, least: 0.1, most: 0.9, from: api}
  known:
    names: [max_tokens, n, tool_choice, tools, temperature, random_seed, seed, top_p, stream_options]
    says: "no such field: {param}"
    from: api
usage:
  from: api
  block: {in: "{prompt}", out: "{visible}", thought: "{reasoning}", note: "{total} in all"}
  stream:
    - {when: always, place: every_chunk, field: x.usage, from: api}
    - {when: asked, place: last_choice, nulls: true, from: api}
reasoning:
  from: api
  delta: {thinking: [{text: "{thought}"}]}
  message: {content: [{think: "{thought}"}, {say: "{text}"}]}
answer:
  from: api
  id: "made-{id}"
  every: {region: here}
  whole: {spent: "{total}"}
  choice: {native: "{finish}"}
  message: {citations: []}
  finish: {stop: eos}
stream:
  from: api
  comments: [PROCESSING]
  opening: [{choices: [], filtered: []}]
  first: {begun: true}
  last: {ended: "{completion}"}
headers:
  - {of: {x-id: "{request_id}", x-model: "{model}"}, from: api}
  - {when: success, of: {x-out: "{completion}"}, from: api}
  - {when: error, of: {x-sorry: "yes"}, from: api}
models:
  from: api
  path: //catalogue
  ids: [maker/small]
  item: {name: "{model}", born: "{created}"}
  shape: "{models}"
errors:
  key: {status: 403, body: {detail: "not this key"}, from: api}
  no_key: {status: 401, body: {detail: "a key is needed"}, from: api}
  model: {status: 400, body: {detail: "{model}?"}, from: api}
  request: {status: 422, body: {detail: "{message}", field: "{param}"}, from: api}
  limit: {status: 429, headers: {retry-after-ms: "1500"}, wait_s: 1.5, body: slow down, from: api}
pages:
  /version: {body: {version: 1}, from: api}
"""
HEADERS = {"x-made-up-key": "right", "x-mode": "fast"}
CHAT = "/accounts/me/ai/v1/chat/completions?version=2"
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
ASKED: dict[str, Any] = {"model": "maker/small", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 40}


def written(folder: Path, *changes: tuple[str, str]) -> Path:
    """The dialect as a file, with texts replaced."""
    text = MADE_UP
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after, 1)
    path = folder / "made-up.yaml"
    path.write_text(text)
    return path


@pytest.fixture(name="service")
def _service(tmp_path: Path) -> Service:
    profile = replace(PROFILES["null"], tokens=3)
    return Service(profile, Book({}), key="right", dialect=read(written(tmp_path)))


def ask(
    service: Service, body: Any = None, path: str = CHAT, *, headers: dict[str, str] = HEADERS
) -> tuple[int, dict[str, str], Any]:
    """Status, headers and body of one answer; the body of a stream is its events."""
    method, sent = ("GET", b"") if body is None else ("POST", json.dumps(body).encode())
    reply = service.reply(Incoming(method, path, dict(headers), sent, 1))
    head, _, content = b"".join(send.data for send in reply.sends).partition(b"\r\n\r\n")
    found = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    if "transfer-encoding" in found:
        return reply.status, found, unchunked(content).decode().split("\n\n")[:-1]
    return reply.status, found, json.loads(content) if found["content-type"] == "application/json" else content.decode()


def test_a_whole_answer_has_the_documented_shape(service: Service) -> None:
    """Envelope, choice, message, usage, thoughts and headers are those of the dialect, and nothing of ours is left."""
    status, headers, body = ask(service, ASKED, headers={**HEADERS, "x-sim": "effort=minimal"})
    assert status == 200
    (choice,) = body["choices"]
    think, say = choice["message"]["content"]
    assert len(think["think"].split()) == 8
    assert len(say["say"].split()) == 3
    assert choice == {
        "index": 0,
        "message": {"role": "assistant", "content": [think, say], "citations": []},
        "finish_reason": "eos",
        "native": "stop",
    }
    prompt = body["usage"]["in"]
    assert body["usage"] == {"in": prompt, "out": 3, "thought": 8, "note": f"{prompt + 11} in all"}
    assert (body["region"], body["spent"]) == ("here", prompt + 11)
    assert re.fullmatch("made-[0-9a-f]{24}", body["id"])
    assert set(body) == {"id", "object", "created", "model", "choices", "usage", "region", "spent"}
    assert (headers["x-model"], headers["x-out"]) == ("maker/small", "11")
    assert "x-sorry" not in headers
    assert "openai-processing-ms" not in headers


def test_a_stream_is_ordered_as_documented(service: Service) -> None:
    """Comments, chunks before the first delta, what the first and the last hold, usage in all its places."""
    asked = {**ASKED, "stream": True, "stream_options": {"include_usage": True}}
    _, _, events = ask(service, asked, headers={**HEADERS, "x-sim": "effort=minimal"})
    assert events[0] == ": PROCESSING"
    assert events[-1] == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[1:-1]]
    assert (chunks[0]["choices"], chunks[0]["filtered"]) == ([], [])
    assert chunks[1]["begun"] is True
    assert [chunk["choices"][0]["delta"] for chunk in chunks[2:4]] == [
        {"thinking": [{"text": piece}]} for piece in ("A", " time")
    ]
    assert all(chunk["x"]["usage"]["out"] == 3 for chunk in chunks[1:])
    assert [chunk["usage"] for chunk in chunks[1:-1]] == [None] * (len(chunks) - 2)
    assert (chunks[-1]["usage"]["out"], chunks[-1]["ended"]) == (3, 11)
    assert chunks[-1]["choices"][0]["finish_reason"] == "eos"


@pytest.mark.parametrize(
    ("change", "status", "body"),
    [
        ({"n": 2}, 422, {"detail": "n is 2", "field": "n"}),
        ({"n": 1}, 200, None),
        ({"tool_choice": "required", "tools": [TOOL]}, 422, None),
        ({"tool_choice": "auto", "tools": [TOOL]}, 200, None),
        ({"temperature": 1.6}, 418, {"teapot": 1.6}),
        ({"temperature": 1.5}, 200, None),
        ({"messages": [{"role": "user", "name": "Ann", "content": "hi"}]}, 422, None),
        ({"user": "me"}, 422, {"detail": "no such field: user", "field": "user"}),
        ({"seed": "no number"}, 200, None),
        ({"random_seed": "no number"}, 422, None),
        ({"random_seed": 7, "top_p": 3}, 200, None),
        ({"model": "other"}, 400, {"detail": "other?"}),
    ],
    ids=str,
)
def test_what_a_body_may_hold(service: Service, change: dict[str, Any], status: int, body: Any) -> None:
    """Fields are refused, ignored, renamed and bounded as documented, with the documented answer."""
    got, headers, said = ask(service, ASKED | change)
    assert got == status, said
    assert body is None or said == body
    assert ("x-sorry" in headers) == (status != 200)


@pytest.mark.parametrize(
    ("headers", "path", "status", "body"),
    [
        ({"x-made-up-key": ""}, CHAT, 401, {"detail": "a key is needed"}),
        ({"x-made-up-key": "wrong"}, CHAT, 403, {"detail": "not this key"}),
        ({"x-made-up-key": "", "authorization": "Bearer right"}, CHAT, 200, None),
        ({"x-made-up-key": "", "api-key": "right"}, CHAT, 401, None),
        ({"x-mode": "eager"}, CHAT, 422, {"error": "no mode"}),
        ({}, CHAT.partition("?")[0], 404, "no version"),
        ({}, "/v1/chat/completions?version=2", 404, None),
        ({}, "/accounts/me/too/ai/v1/chat/completions?version=2", 404, None),
        ({}, "/deployments/maker%2Fsmall/chat/completions?version=2", 200, None),
        ({}, "/deployments/other/chat/completions?version=2", 400, {"detail": "other?"}),
        ({"x-sim": "fault=http_429"}, CHAT, 429, "slow down"),
    ],
    ids=str,
)
def test_what_a_request_must_carry(
    service: Service, headers: dict[str, str], path: str, status: int, body: Any
) -> None:
    """Key, headers, query and path are wanted where the documents want them."""
    got, told, said = ask(service, ASKED, path, headers=HEADERS | headers)
    assert got == status, said
    assert body is None or said == body
    assert told.get("retry-after-ms") == ("1500" if status == 429 else None)


def test_models_and_pages_are_where_they_are_documented(service: Service) -> None:
    """The list of models has its own path and shape; other pages are answered from the root."""
    assert ask(service, None, "/catalogue?version=2")[2] == [{"name": "maker/small", "born": 1_767_225_600}]
    assert ask(service, None, "/accounts/me/ai/v1/models?version=2")[0] == 404
    assert ask(service, None, "/version")[2] == {"version": 1}
    assert ask(service, None, "/metrics")[0] == 404


@pytest.mark.parametrize(
    ("prefix", "base"),
    [("/openai/v1", "/openai/v1"), ("/a/{account}/v1", "/a/made-up/v1"), ("/d/{model}", "/d/{model}"), ("", "/")],
)
def test_a_base_url_can_be_asked(tmp_path: Path, prefix: str, base: str) -> None:
    """What is told as the address when it is ready has words in the place of names; the model's is the client's."""
    path = written(tmp_path, ('["/accounts/{account}/ai/v1", "/deployments/{model}"]', f'"{prefix}"'))
    assert read(path).path.base == base


def test_models_of_the_profile_go_before_those_of_the_dialect(tmp_path: Path) -> None:
    """Who names models gets these."""
    service = Service(replace(PROFILES["null"], models=("mine",)), Book({}), dialect=read(written(tmp_path)))
    assert ask(service, ASKED | {"model": "mine"}, headers={"x-mode": "fast"})[0] == 200


# --- the file --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("title: Made up", "titel: Made up", "2: titel: unknown field. Did you mean title?"),
        ("sources:\n  api:", "sources:\n  apy:", "there is no source 'api' under sources. Known: apy"),
        ("is: documented", "is: known", "4: sources.api.is: must be 'documented', 'observed' or 'unverified'"),
        ("{prompt}", "{promt}", "usage.block: there is no placeholder {promt}. Known: prompt"),
        ("kind: header,", "kind: haeder,", "6: auth.kind: must be 'bearer', 'header' or 'none'"),
        ("header: X-Made-Up-Key, ", "", "auth.kind is header, and auth.header names none"),
        ("status: 429", "status: 200", "errors.limit.status: must be greater than or equal to 400"),
        ("ids: [maker/small]", "ids: []", "models.ids: "),
        (
            ", unless: [1], says",
            ", unles: [1], says",
            "parameters.refused[0].unles: unknown field. Did you mean unless?",
        ),
        ("auth: {kind: header, header: X-Made-Up-Key, also: [authorization], from: api}", "", "auth: is missing"),
        ("pages:", "mutants: [{name: no_dun, from: api}]\npages:", "no mutant 'no_dun'. Did you mean"),
        (MADE_UP, "[]", "must be"),
        (MADE_UP, "", "the file is empty; it should hold a dialect"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, before: str, after: str, told: str) -> None:
    """One line with file, line and field says what is wrong."""
    path = written(tmp_path, (before, after))
    with pytest.raises(ConfigError, match=re.escape(told)) as raised:
        read(path)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_an_unknown_dialect_is_told_with_its_neighbours() -> None:
    """The nearest names are offered, before a server is started."""
    with pytest.raises(UnknownName, match=r"unknown dialect 'grok'\. Did you mean groq"):
        dialect_of("grok")
    with pytest.raises(UnknownName, match="unknown dialect 'grok'"):
        with_settings(PROFILES["null"], ["dialect=grok"])
    with pytest.raises(UnknownName, match="unknown effort"):
        checked(replace(PROFILES["null"], effort="huge"))


@pytest.mark.parametrize("name", names())
def test_every_shipped_dialect_is_sound(name: str) -> None:
    """It can be read; every source has a day unless it is believed without one; none is named that nothing rests on."""
    dialect = dialect_of(name)
    assert all(source.read or source.kind == "unverified" for source in dialect.sources.values())
    assert set(dialect.sources) == set(sources_of(dialect))


def test_templates_keep_the_type_of_a_value_that_stands_alone() -> None:
    """A placeholder alone gives the value itself, inside a text its words; unknown names and keys stay."""
    filled = template.fill({"a{n}": ["{n}", "{n} of {m}", None, 1.5]}, {"n": 3})
    assert filled == {"a{n}": [3, "3 of {m}", None, 1.5]}
