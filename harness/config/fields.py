"""The fields of ``providers.yaml``: what each may hold, in words for a person where it may not."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from harness.config.address import PLACEHOLDER, url_problem
from harness.types import JsonObject

_OWN_BODY_FIELDS = frozenset({"model", "messages", "tools", "stream"})
"""What is asked and of whom: no quirk may change it."""
_OWN_HEADERS = frozenset({"host", "content-length", "content-type", "transfer-encoding", "connection"})


def _url(value: str) -> str:
    if problem := url_problem(value):
        raise ValueError(problem)
    return value.rstrip("/")


def _web_page(value: str) -> str:
    if not re.fullmatch(r"https://[!-~]+", value):
        raise ValueError("must be the address of a web page, beginning with https://")
    return value


def _variable(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError("must be the name of an environment variable, for example GROQ_API_KEY")
    return value


def _key_file(value: str) -> str:
    if not re.fullmatch(r"[/~][A-Za-z0-9._~/@+-]+", value):  # of what a shell leaves as it is
        raise ValueError("must be the path of a file that holds the key, without spaces: ~/.config/acme.key")
    return value


def _keyring_entry(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._@:+-][A-Za-z0-9._@:+/-]*/[A-Za-z0-9._@+-]+", value):
        raise ValueError("must be SERVICE/USER of an entry in the keyring, for example acme/me")
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


def _field(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError(f"{value!r} is not a field of the body")
    if value in _OWN_BODY_FIELDS:
        raise ValueError(f"must not change {value}: every endpoint is asked the same")
    return value


def _query(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not re.fullmatch(r"[A-Za-z0-9._~-]+", name):
            raise ValueError(f"{name!r} is not the name of a query parameter")
        if not re.fullmatch(r"[A-Za-z0-9._~:,-]*", PLACEHOLDER.sub("1", text)):
            raise ValueError(f"the value of {name} may hold letters, digits and . _ ~ : , - alone")
    return value


def _probe_id(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+){0,3}(\.\*)?", value):
        raise ValueError(f"{value!r} is not the id of a probe, for example tools.required or tools.*")
    return value


Url = Annotated[str, AfterValidator(_url)]
WebPage = Annotated[str, AfterValidator(_web_page)]
Headers = Annotated[dict[str, str], AfterValidator(_headers)]
Query = Annotated[dict[str, str], AfterValidator(_query)]
ExtraBody = Annotated[dict[str, Any], AfterValidator(_extra_body)]
Dropped = Annotated[list[str], AfterValidator(_drop)]
ProviderId = Annotated[str, AfterValidator(_provider_id)]
KeyFile = Annotated[str, AfterValidator(_key_file)]
KeyringEntry = Annotated[str, AfterValidator(_keyring_entry)]
Variable = Annotated[str, AfterValidator(_variable)]
BodyField = Annotated[str, AfterValidator(_field)]
ModelName = Annotated[str, AfterValidator(_model_name)]
ProbeId = Annotated[str, AfterValidator(_probe_id)]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
TimingName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*_ms$")]
TimingPlace = Annotated[
    str, Field(pattern=r"^(header:[A-Za-z0-9-]+|[A-Za-z_][A-Za-z0-9_.-]*)( \* [0-9]+(\.[0-9]+)?(e-?[0-9]+)?)?$")
]
Count = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Bounds = Annotated[list[Number], Field(min_length=2, max_length=2)]
"""Least and largest."""
Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]
