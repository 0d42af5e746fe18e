"""What one provider's documents say of how it speaks: the fields of ``dialects/<id>.yaml``, each with its source.

It is written from the documents alone, never from the preset of that provider, so that the two check each other.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from harness.simulator.deviations.mutants import MUTANTS
from harness.simulator.dialects import template
from harness.types import JsonObject

COUNTS = ("prompt", "completion", "visible", "reasoning", "cached", "uncached", "total")
"""Placeholders for counts of tokens; ``visible`` is ``completion`` without ``reasoning``."""
VALUES = (*COUNTS, "id", "request_id", "created", "model", "message", "param", "value", "thought", "text", "finish")
_Names = Annotated[tuple[str, ...], BeforeValidator(lambda given: (given,) if isinstance(given, str) else given)]
_SEGMENT = re.compile(r"\{([a-z]+)\}")


def _filled(given: Any) -> Any:
    for name in template.names(given):
        if name not in VALUES:
            near = difflib.get_close_matches(name, VALUES, n=1)
            raise ValueError(f"there is no placeholder {{{name}}}. Known: {', '.join(near or VALUES)}")
    return given


Template = Annotated[Any, AfterValidator(_filled)]
Fields = Annotated[JsonObject, AfterValidator(_filled)]
Texts = Annotated[Mapping[str, str], AfterValidator(_filled)]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True)


class Source(_Block):
    """Where something is written."""

    at: str
    """A URL, or a package with its version."""
    kind: Literal["documented", "observed", "unverified"] = Field(alias="is")
    """Said by the provider; seen in answers that somebody recorded; or believed without either."""
    read: str = ""
    """The day."""


class _Sourced(_Block):
    source: _Names = Field(alias="from", min_length=1)
    """Names of ``sources``."""


class Error(_Sourced):
    """How one kind of failure is told."""

    status: int = Field(ge=400, le=599)
    body: Template
    """JSON, or a text that is sent as it stands."""
    headers: Texts = {}
    wait_s: float | None = None
    """The wait that ``headers`` ask for; None: none is told."""


class Path(_Sourced):
    """Where the paths of the API begin: what stands before ``/chat/completions``."""

    prefix: _Names
    """One or several; ``{model}`` stands for the model's id, any other ``{name}`` for one part of a path."""

    @property
    def base(self) -> str:
        """A path to ask below: the first prefix, with a word for each name but ``{model}``."""
        return _SEGMENT.sub(lambda found: found[0] if found[1] == "model" else "made-up", self.prefix[0]) or "/"

    def pattern(self) -> re.Pattern[str]:
        """What a path of the API matches; the groups are the names in braces, and ``rest``."""
        parts = [_SEGMENT.split(prefix.rstrip("/")) for prefix in self.prefix]
        texts = ["".join("(?:[^/]+)" if at % 2 else re.escape(one) for at, one in enumerate(part)) for part in parts]
        return re.compile(f"(?:{'|'.join(texts)})(?P<rest>/.*)")

    def model_of(self, path: str) -> str | None:
        """The model that a path names; None: it names none."""
        for prefix in self.prefix:
            before, found, behind = prefix.partition("{model}")
            if found:
                pattern = _SEGMENT.sub("[^/]+", re.escape(before).replace(r"\{", "{").replace(r"\}", "}"))
                match = re.match(f"{pattern}([^/]+){re.escape(behind)}", path)
                if match:
                    return match[1]
        return None


class Auth(_Sourced):
    """How the key comes."""

    kind: Literal["bearer", "header", "none"]
    header: str | None = None
    """Name of the header, where ``kind`` is ``header``."""
    also: tuple[str, ...] = ()
    """Other headers that are taken; ``authorization`` is the bearer token."""
    optional: bool = False
    """Whether a server of one's own may be started without a key."""


class Wanted(_Sourced):
    """A header or a query parameter without which nothing is answered."""

    one_of: tuple[str, ...] = ()
    """The values that there are; none: any."""
    status: int = Field(ge=400, le=599)
    body: Template


class Wants(_Block):
    """What a request must carry beside its key."""

    headers: Mapping[str, Wanted] = {}
    query: Mapping[str, Wanted] = {}


class Refused(_Sourced):
    """A body field that is answered with an error."""

    name: str
    """``messages.name`` is the field ``name`` of any message."""
    unless: tuple[Any, ...] = ()
    """Values that are taken nevertheless."""
    only: tuple[Any, ...] = ()
    """The only values that are refused; none: all."""
    above: float | None = None
    """Only larger numbers are refused."""
    below: float | None = None
    beside: str | None = None
    """Only beside this other field."""
    says: str = ""
    """The message of the documented error; it goes into ``errors.request`` in the place of ``{message}``."""
    status: int | None = None
    """None: that of ``errors.request``."""
    body: Template = None
    """None: that of ``errors.request``."""


class FieldGroup(_Sourced):
    """Body fields with one source."""

    names: tuple[str, ...]


class Known(FieldGroup):
    """All body fields that there are."""

    says: str = ""
    """The message for any other; ``{param}`` is its name."""


class Renamed(_Sourced):
    """A body field that has a name of its own here."""

    own: str
    usual: str


class Bounded(_Sourced):
    """A number that is held within bounds without a word."""

    name: str
    least: float
    most: float


class Parameters(_Block):
    """What becomes of the fields of a body."""

    refused: tuple[Refused, ...] = ()
    ignored: tuple[FieldGroup, ...] = ()
    """They are taken and have no effect."""
    renamed: tuple[Renamed, ...] = ()
    bounded: tuple[Bounded, ...] = ()
    known: Known | None = None
    """None: unknown fields are not looked at."""


class UsagePlace(_Sourced):
    """One place of a stream where usage stands."""

    when: Literal["asked", "always"]
    """``asked``: with ``stream_options.include_usage``."""
    place: Literal["own_chunk", "last_choice", "every_chunk"]
    """A chunk without choices, the chunk with the finish reason, or each chunk."""
    field: str = "usage"
    """Where in the chunk, such as ``x_groq.usage``."""
    nulls: bool = False
    """Whether the other chunks hold the field as null."""


class Usage(_Sourced):
    """Token counts."""

    block: Fields
    """The object ``usage``."""
    stream: tuple[UsagePlace, ...]
    """None: a stream tells no usage."""
    cost_usd: float | None = None
    """What the cost in ``block`` or in a header comes to; None: none is told."""


class Reasoning(_Sourced):
    """Where thoughts stand."""

    field: str = "reasoning_content"
    delta: Fields | None = None
    """The delta of a piece, ``{thought}``; None: ``field`` holds it."""
    message: Fields | None = None
    """What a message has of it, ``{thought}`` and ``{text}``; None: ``field`` holds it."""


class Answer(_Sourced):
    """What answers hold beside id, object, created, model, choices and usage."""

    id: str = "chatcmpl-{id}"
    """What ``{id}`` and the ``id`` of answers look like."""
    every: Fields = {}
    """Of whole answers and of each chunk."""
    whole: Fields = {}
    choice: Fields = {}
    """Of each choice of a whole answer."""
    message: Fields = {}
    finish: Mapping[str, str] = {}
    """The documented finish reason -> what is said here."""


class Stream(_Sourced):
    """What is special about streams."""

    comments: tuple[str, ...] = ()
    """Lines of comment before the first chunk."""
    opening: tuple[JsonObject, ...] = ()
    """Chunks before the first delta, laid over the fields that every chunk has."""
    first: Fields = {}
    """Added to the first chunk with a choice."""
    last: Fields = {}
    """Added to the chunk with the finish reason."""
    usage_chunk: Fields = {}
    """Added to the chunk that holds usage and no choice."""
    chunk: Fields = {}
    """Added to every chunk."""
    choice: Fields = {}
    """Added to each choice of every chunk."""


class HeaderGroup(_Sourced):
    """Response headers with one source."""

    when: Literal["always", "success", "error"] = "always"
    of: Texts


class Models(_Sourced):
    """The list of models."""

    path: str | None = "/models"
    """Behind the prefix; one that begins with ``//`` is whole, with one slash less. None: there is no list."""
    ids: tuple[str, ...] = Field(min_length=1)
    """Models that are served, as they are called here."""
    item: Fields = {"id": "{model}", "object": "model"}
    shape: Any = {"object": "list", "data": "{models}"}
    """``{models}`` is the list of items."""


class Errors(_Block):
    """Bodies and statuses of failures."""

    key: Error | None
    """The key is wrong; None: there are no keys."""
    no_key: Error | None = None
    """There is none; None: as ``key``."""
    model: Error | None
    """There is no such model; None: any name is answered."""
    request: Error
    """A field is wrong: ``{message}``, ``{param}``."""
    limit: Error | None
    """Too many requests; None: it never says so."""
    server: Error | None = None


class Metrics(_Sourced):
    """/metrics, in Prometheus' text; its names are the simulator's."""


class Page(_Sourced):
    """Another path that is answered, from the root."""

    body: Any


class Mutant(_Sourced):
    """A deviation that the simulator knows by name."""

    name: str


class Reads(_Block):
    """What is to be understood of a recorded body; a field that is not given is not looked at."""

    text: str | None = None
    reasoning: str | None = None
    finish: str | None = None
    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    calls: tuple[str, ...] | None = None
    """Names of the tools called."""
    failure: str | None = None
    """The kind."""
    wait_s: float | None = None
    """The wait that was asked for."""


class Recorded(_Sourced):
    """An answer as a document or a recording shows it, and what is to be read in it."""

    name: str
    status: int = 200
    headers: Mapping[str, str] = {}
    body: Any = None
    """Of an answer that was not streamed."""
    events: tuple[Any, ...] = ()
    """Of a stream: objects, comments that begin with a colon, or other texts such as ``[DONE]``, which is not added."""
    reads: Reads


class Dialect(_Block):
    """How one provider speaks, by its documents."""

    title: str
    sources: Mapping[str, Source]
    path: Path
    auth: Auth
    wants: Wants = Wants()
    parameters: Parameters = Parameters()
    usage: Usage
    reasoning: Reasoning | None = None
    """None: thoughts are never shown."""
    answer: Answer
    stream: Stream | None = None
    headers: tuple[HeaderGroup, ...] = ()
    models: Models
    errors: Errors
    pages: Mapping[str, Page] = {}
    metrics: Metrics | None = None
    """None: there is no /metrics beside the API."""
    mutants: tuple[Mutant, ...] = ()
    recorded: tuple[Recorded, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> Dialect:
        for named in sources_of(self):
            if named not in self.sources:
                near = difflib.get_close_matches(named, self.sources, n=1, cutoff=0.5)
                raise ValueError(
                    f"there is no source {named!r} under sources. Known: {', '.join(near or self.sources)}"
                )
        for mutant in self.mutants:
            if mutant.name not in MUTANTS:
                near = difflib.get_close_matches(mutant.name, MUTANTS, n=3, cutoff=0.5)
                raise ValueError(f"there is no mutant {mutant.name!r}. Did you mean {' or '.join(near) or 'another'}?")
        if self.auth.kind == "header" and not self.auth.header:
            raise ValueError("auth.kind is header, and auth.header names none")
        return self


def sources_of(block: Any) -> Iterator[str]:
    """The names of sources that are given anywhere inside."""
    if isinstance(block, _Sourced):
        yield from block.source
    if isinstance(block, _Block):
        for name in type(block).model_fields:
            yield from sources_of(getattr(block, name))
    elif isinstance(block, tuple):
        for one in block:
            yield from sources_of(one)
    elif isinstance(block, Mapping):
        for one in block.values():
            yield from sources_of(one)
