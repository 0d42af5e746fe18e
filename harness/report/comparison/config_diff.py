"""What two sides of a comparison have otherwise by their manifests: what else a difference may come from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from harness.report.comparison.sides import Side
from harness.types import JsonObject

Part = Literal["endpoint", "quirks", "price", "limits", "what was asked", "versions", "machine"]

_LONGEST = 200
_ENDPOINT: dict[str, Part] = {
    **dict.fromkeys(("model_id", "base_url", "kind", "engine", "engine_version", "naming", "declared"), "endpoint"),
    **dict.fromkeys(("price", "usd_per_hour"), "price"),
    "limits": "limits",
    "adapted": "quirks",
    "config": "quirks",
}
_RUN: dict[str, Part] = {
    **dict.fromkeys(("suite", "seed", "planned", "selection", "tasks", "loads"), "what was asked"),
    **dict.fromkeys(("harness_version", "python", "duckdb"), "versions"),
    **dict.fromkeys(("os", "host", "cpus"), "machine"),
}
_NAMED = ("tasks", "loads", "levels")
"""Lists whose entries are known by a name, not by a place."""
_BY_THEMSELVES = ("nonce", "decided", "again")
"""Of ``selection``: drawn anew for each run, or found by it."""
_ALSO_BESIDE = ("model_id", "base_url")
"""Of ``config``: they stand in the manifest by their own names."""


class Difference(NamedTuple):
    """One value that the two have otherwise."""

    of_run: bool
    """Whether it is a matter of the two runs, not of the two endpoints."""
    part: Part
    name: str
    """``field.field``."""
    a: str | None
    """None: A has no such value."""
    b: str | None


def differences(a: Side, b: Side) -> tuple[list[Difference], int]:
    """What differs between the endpoints, and between their runs where those are two; and how many values are alike.

    Manifests hold no keys; of headers and queries they hold names and hashes.
    """
    found, alike = [], 0
    for of_run, told in ((False, _of_endpoint(a.about, b.about)), (True, _of_runs(a, b))):
        found += [Difference(of_run, part, name, x, y) for (part, name), (x, y) in told.items() if x != y]
        alike += sum(x == y for x, y in told.values())
    return found, alike


Told = dict[tuple[Part, str], tuple[str | None, str | None]]


def _of_endpoint(a: JsonObject, b: JsonObject) -> Told:
    # A server that the harness started listens wherever there was room.
    ours = a.get("engine") is not None and b.get("engine") is not None
    return _both(a, b, {name: part for name, part in _ENDPOINT.items() if not (ours and name == "base_url")})


def _of_runs(a: Side, b: Side) -> Told:
    return _both(a.manifest, b.manifest, _RUN) if a.run != b.run else {}


def _both(a: JsonObject, b: JsonObject, parts: Mapping[str, Part]) -> Told:
    told: Told = {}
    for field, part in parts.items():
        ones, others = (dict(_leaves(field, side.get(field))) for side in (a, b))
        for name in dict.fromkeys((*ones, *others)):
            told[part, name.removeprefix("config.")] = ones.get(name), others.get(name)
    return told


def _leaves(path: str, value: object, depth: int = 0) -> Iterator[tuple[str, str]]:
    """The values below a path; what is empty or None says nothing."""
    if isinstance(value, Mapping) and depth < 6:
        for name, part in value.items():
            alike = (path == "selection" and name in _BY_THEMSELVES) or (path == "config" and name in _ALSO_BESIDE)
            if not alike:
                yield from _leaves(f"{path}.{name}", part, depth + 1)
    elif path.rpartition(".")[2] in _NAMED and isinstance(value, list):
        for place, part in enumerate(value):
            named = part if isinstance(part, Mapping) else {}
            name = named.get("name") or named.get("stage") or place
            yield from _leaves(f"{path}.{name}", {key: of for key, of in named.items() if of != name}, depth + 1)
    elif value not in (None, "", [], {}):
        text = value.strip('"') if isinstance(value, str) else json.dumps(value, default=str)
        yield path, text[:_LONGEST]
