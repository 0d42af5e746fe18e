"""The shape of ``providers.yaml``: Pydantic models that refuse unknown fields, and words for what they refuse.

No YAML and no files here: ``harness.config.file`` reads those, and asks this module for providers or for a list of
problems.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.config.address import in_the_open
from harness.config.auth import AuthBlock
from harness.config.fields import (
    BodyField,
    Bounds,
    Count,
    Dropped,
    ExtraBody,
    HeaderName,
    Headers,
    ModelName,
    ProbeId,
    ProviderId,
    Query,
    Seconds,
    TimingName,
    TimingPlace,
    Url,
    Usd,
    Variable,
    WebPage,
)
from harness.provider import (
    About,
    Auth,
    Deadlines,
    Declared,
    Limits,
    Price,
    Provider,
    ProviderKind,
    Quirks,
    RateLimit,
    Serve,
)

FieldPath = tuple[str | int, ...]
Beside = Callable[[FieldPath], list[str]]
"""The names that a field could have had at a place."""


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LimitsBlock(_Block):
    """``limits:``."""

    requests_per_second: Count | None = None
    requests_per_minute: Count | None = None
    requests_per_day: Count | None = None
    tokens_per_minute: Count | None = None
    concurrency: Count | None = None


class DeadlinesBlock(_Block):
    """``deadlines:``, in seconds."""

    connect_s: Seconds = Deadlines().connect_s
    first_byte_s: Seconds = Deadlines().first_byte_s
    idle_s: Seconds = Deadlines().idle_s
    total_s: Seconds = Deadlines().total_s


class QuirksBlock(_Block):
    """``quirks:``."""

    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = Quirks().max_tokens_field
    stream_usage: bool = Quirks().stream_usage
    drop: Dropped = []
    rename: dict[BodyField, BodyField] = {}
    clamp: dict[BodyField, Bounds] = {}
    ignored: list[BodyField | Literal["tools", "stream"]] = []
    extra_body: ExtraBody = {}
    reasoning_tokens: Annotated[int, Field(ge=0)] = 0
    embedding_model: Annotated[str, Field(min_length=1)] | None = None
    cost_header: HeaderName | None = None
    reasoning_in_completion: bool = True
    backend_field: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*$")] | None = None
    backend_headers: list[HeaderName] = []
    version_headers: list[HeaderName] = []
    server_timing: dict[TimingName, TimingPlace] = {}

    @model_validator(mode="after")
    def _agrees(self) -> QuirksBlock:
        if wrong := next((name for name, (least, most) in self.clamp.items() if least > most), None):
            raise ValueError(f"clamp.{wrong}: the first number must not be larger than the second")
        if both := sorted(set(self.drop) & self.extra_body.keys()):
            raise ValueError(f"{both[0]} is both dropped and added")
        return self


class DeclaredBlock(_Block):
    """``declared:``, by the ids of probes."""

    unsupported: list[ProbeId] = []
    ignored: list[ProbeId] = []
    source: str = ""


class PriceBlock(_Block):
    """One price of ``prices:``, USD per million tokens; null: unknown."""

    input_usd_per_mtok: Usd | None
    output_usd_per_mtok: Usd | None
    cached_input_usd_per_mtok: Usd | None = None
    cache_write_usd_per_mtok: Usd | None = None
    source: str = "providers.yaml"


class CostBlock(_Block):
    """``cost:`` of a server of one's own."""

    usd_per_hour: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class RateLimitBlock(_Block):
    """``about.rate_limit:``."""

    headers: list[str] = []
    requests_per: Literal["second", "minute", "day"] | None = None
    tokens_per: Literal["second", "minute", "day"] | None = None
    reset: str = ""


class AboutBlock(_Block):
    """``about:``, for people."""

    title: str = ""
    status: str = ""
    key_url: WebPage | Literal[""] = ""
    install: str = ""
    start: str = ""
    port: Annotated[int, Field(gt=0, lt=65536)] | None = None
    identify: dict[str, str] = {}
    pin: str = ""
    model_ids: str = ""
    reasoning: str = ""
    usage: str = ""
    metrics: str = ""
    rate_limit: RateLimitBlock = RateLimitBlock()
    notes: list[str] = []
    source: list[str] = []
    checked: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")] | Literal[""] = ""
    verified: bool = False
    unverified: list[str] = []
    seen: str = ""


class ServeBlock(_Block):
    """``serve:``; every field but ``engine`` is an option of that engine, which checks it."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    engine: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class ProviderBlock(_Block):
    """One provider."""

    kind: ProviderKind
    base_url: Url | None = None
    auth: AuthBlock | None = None
    api_key_env: Variable | None = None
    headers: Headers = {}
    env_headers: dict[str, Variable] = {}
    query: Query = {}
    models: dict[ModelName, ModelName] = {}
    any_model: bool = False
    discovery: bool = True
    limits: LimitsBlock = LimitsBlock()
    deadlines: DeadlinesBlock = DeadlinesBlock()
    quirks: QuirksBlock = QuirksBlock()
    declared: DeclaredBlock = DeclaredBlock()
    prices: dict[ModelName, PriceBlock] = {}
    price_provider: str | None = None
    cost: CostBlock | None = None
    serve: ServeBlock | None = None
    accept_encoding: Literal["identity", "gzip"] = "identity"
    metrics_url: Url | None = None
    allow_http: bool = False
    about: AboutBlock = AboutBlock()

    @model_validator(mode="after")
    def _agrees(self) -> ProviderBlock:
        if self.base_url is None and self.serve is None:
            raise ValueError("needs base_url, or serve to have the server started")
        if self.base_url is not None and self.serve is not None:
            raise ValueError("has both base_url and serve; a server that is started brings its own address")
        if self.base_url is not None and self.keyed and not self.allow_http and in_the_open(self.base_url):
            raise ValueError("would send a key over plain HTTP; write https://, or allow_http: true if that is meant")
        if self.auth is not None and self.api_key_env is not None:
            raise ValueError("has both auth and api_key_env; api_key_env is short for auth.env")
        if not self.models and not self.any_model:
            raise ValueError("names no model: add models, or any_model: true")
        if unpriced := sorted(self.prices.keys() - self.models.keys()) if not self.any_model else []:
            near = difflib.get_close_matches(unpriced[0], self.models, n=1)
            raise ValueError(
                f"prices {unpriced[0]!r}, which is not in models" + (f". Did you mean {near[0]}?" if near else "")
            )
        return self

    @property
    def keyed(self) -> bool:
        """Whether a key is sent."""
        return self.api_key_env is not None or bool(self.env_headers) or (self.auth is not None and self.auth.sends)


class FileBlock(_Block):
    """The whole file."""

    providers: dict[ProviderId, ProviderBlock] = {}
    models: dict[ModelName, dict[ProviderId, ModelName]] = {}


_BLOCKS: Mapping[str, type[BaseModel]] = {
    "auth": AuthBlock,
    "limits": LimitsBlock,
    "deadlines": DeadlinesBlock,
    "quirks": QuirksBlock,
    "declared": DeclaredBlock,
    "prices": PriceBlock,
    "cost": CostBlock,
    "about": AboutBlock,
    "serve": ServeBlock,
}

_WORDS = {
    "missing": "is missing",
    "string_type": "must be text; put it in quotes",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping (name: value)",
    "model_type": "must be a mapping (name: value)",
    "list_type": "must be a list",
    "string_pattern_mismatch": "must be a file's name in harness/engines, for example llama_cpp",
}


class Content(NamedTuple):
    """What a file says."""

    providers: dict[str, Provider]
    models: dict[str, dict[str, str]]
    """Logical model -> provider -> the id that this provider wants."""


def parse(
    document: object, used: Mapping[str, str] = MappingProxyType({}), known: Collection[str] = ()
) -> Content | list[tuple[FieldPath, str]]:
    """Turn a loaded document into providers, or into what is wrong with it: (path, words) pairs, never a value.

    ``used``: which preset each block of the document builds on; ``known``: the providers that there are besides.
    """
    try:
        content = FileBlock.model_validate(document)
    except ValidationError as error:
        return problems(error, _fields_beside)
    everyone = {*known, *content.providers}
    named = [(model, name) for model, ids in content.models.items() for name in ids if name not in everyone]
    if named:
        return [(("models", model, name), _no_provider(name, everyone)) for model, name in named]
    providers = {name: _provider(name, block, used.get(name)) for name, block in content.providers.items()}
    return Content(providers, content.models)


def _no_provider(name: str, everyone: Collection[str]) -> str:
    near = difflib.get_close_matches(name, everyone, n=1, cutoff=0.5)
    return f"there is no provider {name!r}. " + (f"Did you mean {near[0]}?" if near else "See harness providers list")


def problems(error: ValidationError, beside: Beside) -> list[tuple[FieldPath, str]]:
    """What Pydantic refused, as (path, words) pairs without any value; ``beside`` knows the names there could be."""
    return [_problem(dict(one), beside) for one in error.errors(include_url=False, include_input=False)]


def _problem(error: Mapping[str, Any], beside: Beside) -> tuple[FieldPath, str]:
    path: FieldPath = tuple(part for part in error["loc"] if part != "[key]")
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(path[-1]), beside(path), n=1, cutoff=0.5)
        known = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(beside(path))}"
        return path, f"unknown field. {known}"
    if kind == "value_error":
        return path, str(context["error"])
    if kind == "literal_error":
        return path, f"must be {context['expected']}"
    if kind in ("greater_than", "greater_than_equal", "less_than_equal"):
        return path, error["msg"].replace("Input should", "must")
    return path, _WORDS.get(kind, error["msg"])


def _fields_beside(path: FieldPath) -> list[str]:
    """The names a field could have had at this place."""
    if len(path) <= 1:
        return list(FileBlock.model_fields)
    if len(path) == 3:
        return [*ProviderBlock.model_fields, "use"]
    block = RateLimitBlock if path[2:4] == ("about", "rate_limit") else _BLOCKS.get(str(path[2]), ProviderBlock)
    return list(block.model_fields)


def _auth(block: ProviderBlock) -> Auth:
    if block.api_key_env:
        return Auth(scheme="bearer", env=block.api_key_env)
    if block.auth:
        return Auth(**{**block.auth.model_dump(), "env_alt": tuple(block.auth.env_alt)})
    return Auth(scheme="none")


def _about(block: AboutBlock) -> About:
    said: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in block.model_dump().items()
    }
    limit = block.rate_limit
    said["rate_limit"] = RateLimit(tuple(limit.headers), limit.requests_per, limit.tokens_per, limit.reset)
    return About(**said)


def _quirks(block: QuirksBlock) -> Quirks:
    said: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in block.model_dump().items()
    }
    said["clamp"] = {name: (least, most) for name, (least, most) in block.clamp.items()}
    return Quirks(**said)


def _provider(name: str, block: ProviderBlock, preset: str | None) -> Provider:
    told = block.declared
    return Provider(
        id=name,
        kind=block.kind,
        base_url=block.base_url,
        auth=_auth(block),
        headers=block.headers,
        env_headers=block.env_headers,
        query=block.query,
        discovery=block.discovery,
        models=block.models,
        any_model=block.any_model,
        limits=Limits(**block.limits.model_dump()),
        deadlines=Deadlines(**block.deadlines.model_dump()),
        quirks=_quirks(block.quirks),
        declared=Declared(tuple(told.unsupported), tuple(told.ignored), told.source),
        prices={model: Price(**price.model_dump()) for model, price in block.prices.items()},
        price_provider=block.price_provider,
        usd_per_hour=block.cost.usd_per_hour if block.cost else None,
        serve=Serve(block.serve.engine, dict(block.serve.model_extra or {})) if block.serve else None,
        accept_encoding=block.accept_encoding,
        metrics_url=block.metrics_url,
        allow_http=block.allow_http,
        about=_about(block.about),
        preset=preset,
    )
