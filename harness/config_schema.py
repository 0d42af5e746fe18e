"""The shape of ``providers.yaml``: Pydantic models that refuse unknown fields, and words for what they refuse.

No YAML and no files here: ``harness.config_file`` reads those, and asks this module for providers or for a list of
problems.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.address import url_problem
from harness.provider import Auth, AuthScheme, Deadlines, Declared, Limits, Price, Provider, ProviderKind, Quirks, Serve
from harness.types import JsonObject

FieldPath = tuple[str | int, ...]

_OWN_BODY_FIELDS = frozenset({"model", "messages", "tools", "stream"})
"""What is asked and of whom: no quirk may change it."""
_OWN_HEADERS = frozenset({"host", "content-length", "content-type", "transfer-encoding", "connection"})


def _url(value: str) -> str:
    if problem := url_problem(value):
        raise ValueError(problem)
    return value.rstrip("/")


def _variable(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError("must be the name of an environment variable, for example GROQ_API_KEY")
    return value


def _provider_id(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
        raise ValueError("a provider's name is letters, digits, dots, dashes and underscores")
    return value


def _model_name(value: str) -> str:
    if not value or any(char.isspace() or not char.isprintable() for char in value):
        raise ValueError("a model's name must not be empty or hold spaces")
    return value


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
            raise ValueError(f"{name!r} is not a header name")
        if name.lower() in _OWN_HEADERS:
            raise ValueError(f"{name} is set by the client itself")
        if not text.isascii() or not text.isprintable():
            raise ValueError(f"the value of {name} must be printable ASCII on one line")
    return value


def _extra_body(value: JsonObject) -> JsonObject:
    if taken := sorted(_OWN_BODY_FIELDS & value.keys()):
        raise ValueError(f"must not set {taken[0]}: every endpoint is asked the same")
    return value


def _drop(value: list[str]) -> list[str]:
    if kept := sorted((_OWN_BODY_FIELDS - {"tools"}) & set(value)):
        raise ValueError(f"must not drop {kept[0]}: nothing would be asked")
    if nested := [name for name in value if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)]:
        raise ValueError(f"{nested[0]!r} is not a field of the body; only whole fields can be dropped")
    return value


def _probe_id(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+){0,3}(\.\*)?", value):
        raise ValueError(f"{value!r} is not the id of a probe, for example tools.required or tools.*")
    return value


Variable = Annotated[str, AfterValidator(_variable)]
ModelName = Annotated[str, AfterValidator(_model_name)]
ProbeId = Annotated[str, AfterValidator(_probe_id)]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
Count = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class AuthBlock(_Block):
    """``auth:``."""

    scheme: AuthScheme = "bearer"
    env: Variable | None = None
    header: str | None = None

    @model_validator(mode="after")
    def _agrees(self) -> AuthBlock:
        if self.scheme == "header" and not self.header:
            raise ValueError("scheme header needs the header's name, for example header: api-key")
        if self.scheme != "header" and self.header:
            raise ValueError("header is for scheme: header only")
        if self.scheme == "none" and self.env:
            raise ValueError("scheme none sends no key; leave env out")
        return self


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
    drop: Annotated[list[str], AfterValidator(_drop)] = []
    extra_body: Annotated[dict[str, Any], AfterValidator(_extra_body)] = {}
    reasoning_tokens: Annotated[int, Field(ge=0)] = 0
    embedding_model: Annotated[str, Field(min_length=1)] | None = None
    cost_header: HeaderName | None = None
    reasoning_in_completion: bool = True
    backend_field: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*$")] | None = None
    backend_headers: list[HeaderName] = []
    version_headers: list[HeaderName] = []

    @model_validator(mode="after")
    def _agrees(self) -> QuirksBlock:
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


class ServeBlock(_Block):
    """``serve:``; every field but ``engine`` is an option of that engine, which checks it."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    engine: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class ProviderBlock(_Block):
    """One provider."""

    kind: ProviderKind
    base_url: Annotated[str, AfterValidator(_url)] | None = None
    auth: AuthBlock | None = None
    api_key_env: Variable | None = None
    headers: Annotated[dict[str, str], AfterValidator(_headers)] = {}
    models: dict[ModelName, ModelName] = {}
    any_model: bool = False
    limits: LimitsBlock = LimitsBlock()
    deadlines: DeadlinesBlock = DeadlinesBlock()
    quirks: QuirksBlock = QuirksBlock()
    declared: DeclaredBlock = DeclaredBlock()
    prices: dict[ModelName, PriceBlock] = {}
    price_provider: str | None = None
    cost: CostBlock | None = None
    serve: ServeBlock | None = None
    accept_encoding: Literal["identity", "gzip"] = "identity"
    metrics_url: Annotated[str, AfterValidator(_url)] | None = None

    @model_validator(mode="after")
    def _agrees(self) -> ProviderBlock:
        if self.base_url is None and self.serve is None:
            raise ValueError("needs base_url, or serve to have the server started")
        if self.base_url is not None and self.serve is not None:
            raise ValueError("has both base_url and serve; a server that is started brings its own address")
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


class FileBlock(_Block):
    """The whole file."""

    providers: dict[Annotated[str, AfterValidator(_provider_id)], ProviderBlock]


_BLOCKS: Mapping[str, type[BaseModel]] = {
    "auth": AuthBlock,
    "limits": LimitsBlock,
    "deadlines": DeadlinesBlock,
    "quirks": QuirksBlock,
    "declared": DeclaredBlock,
    "prices": PriceBlock,
    "cost": CostBlock,
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


def parse(document: object) -> dict[str, Provider] | list[tuple[FieldPath, str]]:
    """Turn a loaded document into providers, or into what is wrong with it: (path, words) pairs, never a value."""
    try:
        blocks = FileBlock.model_validate(document).providers
    except ValidationError as error:
        return [_problem(dict(one)) for one in error.errors(include_url=False, include_input=False)]
    return {name: _provider(name, block) for name, block in blocks.items()}


def _problem(error: Mapping[str, Any]) -> tuple[FieldPath, str]:
    path: FieldPath = tuple(part for part in error["loc"] if part != "[key]")
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(path[-1]), _fields_beside(path), n=1, cutoff=0.5)
        known = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(_fields_beside(path))}"
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
    block = ProviderBlock if len(path) == 3 else _BLOCKS.get(str(path[2]), ProviderBlock)
    return list(block.model_fields)


def _auth(block: ProviderBlock) -> Auth:
    if block.api_key_env:
        return Auth(scheme="bearer", env=block.api_key_env)
    if block.auth:
        return Auth(scheme=block.auth.scheme, env=block.auth.env, header=block.auth.header)
    return Auth(scheme="none")


def _provider(name: str, block: ProviderBlock) -> Provider:
    quirks, told = block.quirks, block.declared
    return Provider(
        id=name,
        kind=block.kind,
        base_url=block.base_url,
        auth=_auth(block),
        headers=block.headers,
        models=block.models,
        any_model=block.any_model,
        limits=Limits(**block.limits.model_dump()),
        deadlines=Deadlines(**block.deadlines.model_dump()),
        quirks=Quirks(
            quirks.max_tokens_field,
            quirks.stream_usage,
            tuple(quirks.drop),
            quirks.extra_body,
            quirks.reasoning_tokens,
            quirks.embedding_model,
            quirks.cost_header,
            quirks.reasoning_in_completion,
            quirks.backend_field,
            tuple(quirks.backend_headers),
            tuple(quirks.version_headers),
        ),
        declared=Declared(tuple(told.unsupported), tuple(told.ignored), told.source),
        prices={model: Price(**price.model_dump()) for model, price in block.prices.items()},
        price_provider=block.price_provider,
        usd_per_hour=block.cost.usd_per_hour if block.cost else None,
        serve=Serve(block.serve.engine, dict(block.serve.model_extra or {})) if block.serve else None,
        accept_encoding=block.accept_encoding,
        metrics_url=block.metrics_url,
    )
