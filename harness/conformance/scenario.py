"""A scenario is one request whose recorded answer feeds any number of probes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from harness import request
from harness.conformance.capture import Capture
from harness.errors import TaskError
from harness.provider import Endpoint
from harness.types import JsonObject, KeySent, Method, Request, Sample

Messages = str | Iterable[JsonObject] | Callable[[int], str | Iterable[JsonObject]]
"""One line of a user, a conversation, or what gives either for the number of a repeat."""
Build = Callable[[Endpoint, int], Request]
NO_MODEL = "no-such-model-zq7"
BuildOn = Callable[[Endpoint, Capture], Request | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One request, sent ``repeats`` times to every endpoint."""

    name: str
    """Unique among all scenarios; the journal knows the request by it."""
    surface: str
    """The part of the API that it touches, for example ``chat``."""
    title: str
    build: Build
    """Pure: the same endpoint and the same number of a repeat give the same bytes. Where the scenario follows another
    one, as much of the request as is known beforehand."""
    repeats: int = 1
    together: bool = False
    """Whether the repeats are sent all at once; otherwise one after the other."""
    hang_up_s: float | None = None
    """When we close the connection, seconds after the sending; None: we read to the end."""
    answers: frozenset[int] = frozenset()
    """Statuses that are an answer here, though elsewhere they say only that the question was not reached
    (401 where the key is wrong on purpose)."""
    follows: Scenario | None = None
    """What is sent before it, and whose answer its request is made of."""
    build_on: BuildOn | None = None
    """The request made of that answer; None is given where the answer does not hold what it takes."""


class Sees(Protocol):
    """What looks at scenarios: a probe."""

    @property
    def sees(self) -> tuple[Scenario, ...]:
        """The scenarios it is judged by."""
        ...


def chat(  # noqa: PLR0913 - a declaration, by keyword
    name: str,
    title: str,
    messages: Messages,
    *,
    cap: int,
    surface: str = "chat",
    stream: bool = False,
    visible: bool = False,
    without: Iterable[str] = (),
    send: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Scenario:
    """A chat completion that says what a plain request to the provider says, and the fields on top.

    Args:
        name: of the scenario.
        title: what is sent, in a few words.
        messages: the conversation, or the one line of a user; a function gives each repeat its own.
        cap: most tokens of output, under the name that the provider wants.
        surface: of the scenario.
        stream: whether the answer is asked for as a stream.
        visible: whether the judges need text that is not reasoning: ``cap`` is then raised by what the provider's
            models may think before they speak (quirk ``reasoning_tokens``).
        without: fields taken out of the body again.
        send: how the scenario is sent: ``repeats``, ``together``, ``hang_up_s``, ``answers``, ``headers``, ``auth``.
        fields: added to the body as they are, even those a provider is said to refuse: that is what is being found
            out. ``model`` takes the place of the endpoint's.
    """
    how = dict(send or {})
    headers, auth = how.pop("headers", {}), how.pop("auth", "provider")
    added = {**fields, "stream": True} if stream else fields

    def build(endpoint: Endpoint, repeat: int) -> Request:
        asked = _messages(messages, repeat)
        room = cap + (endpoint.provider.quirks.reasoning_tokens if visible else 0)
        plain = request.build(Sample(name, asked, params={"max_tokens": room}), endpoint, stream=False)
        body = json.loads(plain.body or b"{}") | added
        for field in without:
            body.pop(field, None)
        workload = request.canonical_sha256({"messages": asked, "max_tokens": cap, **added, "without": [*without]})
        made = request.raw(endpoint, body, stream=stream, headers=headers, auth=auth)
        return replace(made, workload_sha256=workload)

    return Scenario(name=name, surface=surface, title=title, build=build, **how)


def post(
    name: str, title: str, path: str, body: JsonObject, *, surface: str, stream: bool = False, **send: Any
) -> Scenario:
    """A JSON body posted to a path below the base URL; ``model`` is filled in where it stands with None."""
    headers, auth = send.pop("headers", {}), send.pop("auth", "provider")

    def build(endpoint: Endpoint, repeat: int) -> Request:  # noqa: ARG001 - every repeat is the same
        return request.raw(endpoint, body, path=path, stream=stream, headers=headers, auth=auth)

    return Scenario(name=name, surface=surface, title=title, build=build, **send)


def respond(
    name: str,
    title: str,
    given: str | Iterable[JsonObject],
    *,
    cap: int,
    stream: bool = False,
    send: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Scenario:
    """A request of the Responses API; ``given`` is its input, a line or items.

    ``cap``: most tokens of output, raised by what the provider's models may think before they speak (quirk
    ``reasoning_tokens``). ``send`` is how the scenario is sent, ``fields`` are added to the body.
    """
    asked: JsonObject = {"model": None, "input": given if isinstance(given, str) else [*given]}
    asked |= {**fields, "stream": True} if stream else fields

    def build(endpoint: Endpoint, repeat: int) -> Request:  # noqa: ARG001 - every repeat is the same
        body = asked | {"max_output_tokens": cap + endpoint.provider.quirks.reasoning_tokens}
        made = request.raw(endpoint, body, path="/responses", stream=stream)
        return replace(made, workload_sha256=request.canonical_sha256(asked | {"model": None, "cap": cap}))

    return Scenario(name=name, surface="resp", title=title, build=build, **(send or {}))


def embed(
    name: str,
    title: str,
    given: Any,
    *,
    chatting: bool = False,
    send: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Scenario:
    """An embedding of what is ``given``, asked of the model that embeds (quirk ``embedding_model``).

    ``chatting``: asked of the model that chats instead, or of none that exists where one model does both. ``send`` is
    how the scenario is sent, ``fields`` are added to the body.
    """

    def build(endpoint: Endpoint, repeat: int) -> Request:  # noqa: ARG001 - every repeat is the same
        embedding = endpoint.provider.quirks.embedding_model or endpoint.model_id
        other = endpoint.model_id if embedding != endpoint.model_id else NO_MODEL
        body = {"model": other if chatting else embedding, "input": given, **fields}
        return request.raw(endpoint, body, path="/embeddings")

    return Scenario(name=name, surface="emb", title=title, build=build, **(send or {}))


def bare(
    name: str,
    title: str,
    path: str | Callable[[Endpoint], str],
    *,
    method: Method = "GET",
    surface: str,
    headers: Mapping[str, str] | None = None,
    auth: KeySent = "provider",
    **send: Any,
) -> Scenario:
    """A request without a body, of any method; the path is below the base URL."""

    def build(endpoint: Endpoint, repeat: int) -> Request:  # noqa: ARG001 - every repeat is the same
        where = path if isinstance(path, str) else path(endpoint)
        return request.raw(endpoint, None, path=where, method=method, headers=headers, auth=auth)

    return Scenario(name=name, surface=surface, title=title, build=build, **send)


def literal(  # noqa: PLR0913 - a declaration, by keyword
    name: str,
    title: str,
    body: bytes | Callable[[Endpoint], bytes],
    *,
    surface: str,
    path: str = "/chat/completions",
    method: Method = "POST",
    headers: Mapping[str, str] | None = None,
    auth: KeySent = "provider",
    stream: bool = False,
    **send: Any,
) -> Scenario:
    """Bytes sent just as they are."""

    def build(endpoint: Endpoint, repeat: int) -> Request:  # noqa: ARG001 - every repeat is the same
        given = body if isinstance(body, bytes) else body(endpoint)
        return request.raw(endpoint, given, path=path, method=method, headers=headers, auth=auth, stream=stream)

    return Scenario(name=name, surface=surface, title=title, build=build, **send)


def after(
    first: Scenario,
    name: str,
    title: str,
    build_on: BuildOn,
    *,
    planned: Build | None = None,
    **send: Any,
) -> Scenario:
    """A request made of the answer to another scenario.

    ``planned`` is as much of it as can be known beforehand, for the plan's cost and its hash; None: the first request.
    Where the first one was not answered, or ``build_on`` gives None, nothing is sent and the capture says so. It has
    as many repeats as the first one, each made of the answer of the same number.
    """
    return Scenario(
        name=name,
        surface=send.pop("surface", first.surface),
        title=title,
        build=planned or first.build,
        repeats=first.repeats,
        follows=first,
        build_on=build_on,
        **send,
    )


def bare_after(
    first: Scenario,
    name: str,
    title: str,
    path: Callable[[Capture], str | None],
    *,
    method: Method = "GET",
    **send: Any,
) -> Scenario:
    """A request without a body, whose path is made of the answer to another scenario; None: it holds none."""

    def build_on(endpoint: Endpoint, capture: Capture) -> Request | None:
        where = path(capture)
        return None if where is None else request.raw(endpoint, None, path=where, method=method)

    def planned(endpoint: Endpoint, repeat: int) -> Request:  # noqa: ARG001 - every repeat is the same
        return request.raw(endpoint, None, path=f"/{name}", method=method)

    return after(first, name, title, build_on, planned=planned, **send)


def post_after(
    first: Scenario, name: str, title: str, more: Callable[[Capture], JsonObject | None], **send: Any
) -> Scenario:
    """The first request with ``more`` fields in the place of its own; None: the answer does not hold what they take."""

    def build_on(endpoint: Endpoint, capture: Capture) -> Request | None:
        fields = more(capture)
        if fields is None:
            return None
        body = capture.sent | fields
        return request.raw(endpoint, body, path=capture.path, stream=bool(body.get("stream")))

    return after(first, name, title, build_on, **send)


def next_turn(
    first: Scenario,
    name: str,
    title: str,
    said: Callable[[Capture], Iterable[JsonObject] | None],
    *,
    without: Iterable[str] = (),
    send: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Scenario:
    """The first chat's request with more messages behind its own, made of the answer to it.

    ``said`` gives those messages, None: the answer does not hold what they take. ``fields`` take the place of the
    body's, ``without`` names fields to leave out.
    """

    def build_on(endpoint: Endpoint, capture: Capture) -> Request | None:
        more = said(capture)
        if more is None:
            return None
        body = capture.sent | {"messages": [*capture.sent["messages"], *more]} | fields
        for field in without:
            body.pop(field, None)
        return request.raw(endpoint, body, stream=bool(body.get("stream")))

    return after(first, name, title, build_on, **(send or {}))


def scenarios_of(probes: Iterable[Sees]) -> tuple[Scenario, ...]:
    """Every scenario that the probes see, and those that they follow, each once, in the order of first mention.

    Raises:
        TaskError: two different scenarios have one name.
    """
    found: dict[str, Scenario] = {}
    for probe in probes:
        for scenario in probe.sees:
            for one in (*_before(scenario), scenario):
                if found.setdefault(one.name, one) != one:
                    raise TaskError(f"two different probe scenarios are called {one.name!r}", hint="Rename one of them")
    return tuple(found.values())


def _before(scenario: Scenario) -> list[Scenario]:
    first = scenario.follows
    return [] if first is None else [*_before(first), first]


def _messages(given: Messages, repeat: int) -> tuple[JsonObject, ...]:
    asked = given(repeat) if callable(given) else given
    return ({"role": "user", "content": asked},) if isinstance(asked, str) else tuple(asked)
