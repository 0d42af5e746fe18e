"""What an answer tells of the server behind the address: a gateway's backend, software and versions, its own times.

Which fields and headers tell it is declared by the provider; here they are read off what was recorded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from harness.exchange import Exchange
from harness.provider import Naming
from harness.types import JsonObject

UNDECLARED = Naming()
"""Of a provider that declares nothing."""
_ANY_SERVER = ("server", "via", "x-powered-by", "openai-version")
"""Headers that tell software or version whoever sends them."""
_LONGEST = 200
"""Characters of one value that are kept."""
_EVENTS = 64
"""Chunks that are looked through for a backend: those that name one do so early, or in the last."""


def naming_of(stored: Any) -> Naming:
    """What a manifest says that the provider declared; nothing where it is of an older harness."""
    if not isinstance(stored, Mapping):
        return UNDECLARED
    backends, versions = (tuple(stored.get(name) or ()) for name in ("backend_headers", "version_headers"))
    return Naming(stored.get("backend_field"), backends, versions, stored.get("server_timing") or {})


def who_answered(exchange: Exchange, naming: Naming) -> JsonObject:
    """The columns ``backend``, ``server_headers`` and ``server_times`` of an attempt."""
    return {
        "backend": backend(exchange, naming),
        "server_headers": server_headers(exchange, naming),
        "server_times": server_times(exchange, naming),
    }


def backend(exchange: Exchange, naming: Naming) -> str | None:
    """What the declared field and headers name, joined by `` / ``; None: nothing is declared, or nothing was told."""
    in_body = None if naming.backend_field is None else _in_body(exchange.body, naming.backend_field.split("."))
    found = [in_body, *(_header(exchange, name) for name in naming.backend_headers)]
    return " / ".join(value for value in found if value) or None


def server_headers(exchange: Exchange, naming: Naming) -> tuple[str, ...] | None:
    """Headers that tell software or version, each as ``name: value``; None: no response came."""
    if exchange.status is None:
        return None
    names = dict.fromkeys((*_ANY_SERVER, *naming.version_headers))
    return tuple(f"{name}: {value}" for name in names if (value := _header(exchange, name)))


def server_times(exchange: Exchange, naming: Naming) -> dict[str, float] | None:
    """What the server says that it measured, in milliseconds by name; None: nothing is declared, or nothing was told.

    Of several chunks that tell it the last counts: such figures grow while an answer goes on.
    """
    found = {}
    for name, where in naming.server_timing.items():
        place, _, factor = where.partition(" * ")
        of_header = place.removeprefix("header:")
        told = _header(exchange, of_header.lower()) if of_header != place else _last(exchange.body, place.split("."))
        try:
            value = float(told or "nan") * float(factor or 1)
        except ValueError:
            continue
        if math.isfinite(value) and value >= 0:
            found[name] = value
    return found or None


def _header(exchange: Exchange, name: str) -> str | None:
    """The values of a header, several joined by a comma; None: it did not come, or was empty."""
    return ", ".join(value for own, value in exchange.headers if own == name and value)[:_LONGEST] or None


def _in_body(body: bytes, path: list[str]) -> str | None:
    """What stands at a path of the body, or of the first chunk that has it; None: it stands nowhere."""
    return next(_found(_objects(body, path), path), None)


def _last(body: bytes, path: list[str]) -> str | None:
    """The same, of the last chunk that has it."""
    return next(_found(reversed(_objects(body, path)), path), None)


def _found(objects: Iterable[bytes], path: list[str]) -> Iterator[str]:
    for text in objects:
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            continue
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
            yield str(value)[:_LONGEST]


def _objects(body: bytes, path: list[str]) -> list[bytes]:
    """What may be JSON that holds the last name of a path: the body whole, or the data of its events."""
    named = b'"%s"' % path[-1].encode()
    if named not in body:
        return []
    if not body.lstrip().startswith((b"data:", b"event:", b":", b"id:", b"retry:")):
        return [body]
    holding = [line[5:] for line in body.splitlines() if line.startswith(b"data:") and named in line]
    return holding if len(holding) <= _EVENTS else [*holding[: _EVENTS - 1], holding[-1]]
