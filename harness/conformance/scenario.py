"""A scenario is one request whose recorded answer feeds any number of probes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from harness import request
from harness.errors import TaskError
from harness.types import Endpoint, JsonObject, Request, Sample


@dataclass(frozen=True, slots=True)
class Scenario:
    """One request, sent ``repeats`` times to every endpoint."""

    name: str
    """Unique among all scenarios; the journal knows the request by it."""
    surface: str
    """The part of the API that it touches, for example ``chat``."""
    title: str
    build: Callable[[Endpoint], Request]
    """Pure: the same endpoint gives the same bytes."""
    stream: bool = False
    repeats: int = 1
    answers: frozenset[int] = frozenset()
    """Statuses that are an answer here, though elsewhere they say only that the question was not reached
    (401 where the key is wrong on purpose)."""


class Sees(Protocol):
    """What looks at scenarios: a probe."""

    @property
    def sees(self) -> tuple[Scenario, ...]:
        """The scenarios it is judged by."""
        ...


def chat(
    name: str,
    title: str,
    messages: str | Iterable[JsonObject],
    *,
    cap: int,
    surface: str = "chat",
    stream: bool = False,
    **fields: Any,
) -> Scenario:
    """A chat completion that says what a plain request to the provider says, and the fields on top.

    Args:
        name: of the scenario.
        title: what is sent, in a few words.
        messages: the conversation, or the one line of a user.
        cap: most tokens of output, under the name that the provider wants.
        surface: of the scenario.
        stream: whether the answer is asked for as a stream.
        fields: added to the body as they are, even those a provider is said to refuse: that is what is being found
            out. ``model`` takes the place of the endpoint's.
    """
    asked = ({"role": "user", "content": messages},) if isinstance(messages, str) else tuple(messages)
    added = {**fields, "stream": True} if stream else fields
    workload = request.canonical_sha256({"messages": asked, "max_tokens": cap, **added})

    def build(endpoint: Endpoint) -> Request:
        plain = request.build(Sample(name, asked, params={"max_tokens": cap}), endpoint, stream=False)
        body = json.loads(plain.body or b"{}") | added
        return replace(request.raw(endpoint, body, stream=stream), workload_sha256=workload)

    return Scenario(name, surface, title, build, stream)


def get(name: str, title: str, path: str, *, surface: str) -> Scenario:
    """A GET of a path below the base URL."""
    return Scenario(name, surface, title, lambda endpoint: request.raw(endpoint, None, path=path, method="GET"))


def literal(name: str, title: str, body: bytes, *, surface: str, headers: Mapping[str, str] | None = None) -> Scenario:
    """Bytes sent to the chat path just as they are."""
    return Scenario(name, surface, title, lambda endpoint: request.raw(endpoint, body, headers=dict(headers or {})))


def scenarios_of(probes: Iterable[Sees]) -> tuple[Scenario, ...]:
    """Every scenario that the probes see, each once, in the order of first mention.

    Raises:
        TaskError: two different scenarios have one name.
    """
    found: dict[str, Scenario] = {}
    for probe in probes:
        for scenario in probe.sees:
            if found.setdefault(scenario.name, scenario) != scenario:
                raise TaskError(
                    f"two different probe scenarios are called {scenario.name!r}", hint="Rename one of them"
                )
    return tuple(found.values())
