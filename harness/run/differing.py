"""What is different between a run that was begun and what would be begun today, in words, with no secret in them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from harness.request import canonical_sha256
from harness.run.planning.plan import Plan
from harness.types import JsonObject

_PRIVATE = ("headers", "query")
"""Blocks of which only names and hashes are kept: people write keys into the strangest places."""
_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
_MOST = 4
_LONGEST = 60


def config_parts(config: Mapping[str, Any]) -> dict[str, str]:
    """What decides which bytes go where: ``field.field`` to its value in short, or to its hash where it is private."""
    found: dict[str, str] = {}
    for name, value in config.items():
        for path, leaf in _leaves(name, value):
            if name in _PRIVATE:
                found[path] = f"#{canonical_sha256(leaf)[:8]}"
            else:
                found[path] = _address(leaf) if "://" in str(leaf) else json.dumps(leaf, default=str)[:_LONGEST]
    return found


def _address(text: Any) -> str:
    """An address without user, query and fragment, where people put keys."""
    try:
        parts = urlsplit(str(text))
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"[:_LONGEST]
    except ValueError:
        return f"#{canonical_sha256(str(text))[:8]}"


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The parts of nested mappings; what is empty or None says nothing."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _leaves(f"{path}.{name}", part)
    elif value not in (None, "", (), []):
        yield path, value


def endpoint(name: str, stored: JsonObject, now: JsonObject) -> list[str]:
    """What one endpoint has otherwise, by two rows of manifests; empty: nothing that is sent differs."""
    if stored["config_sha256"] == now["config_sha256"]:
        return []
    before, after = stored.get("config"), now["config"]
    if before is None:  # written by version 1, which kept the hash alone
        return [f"{name} now has another address, model id, key or quirk"]
    changed = [
        f"{name}: {part} {_told(before.get(part))} -> {_told(after.get(part))}"
        for part in sorted(before.keys() | after.keys())
        if before.get(part) != after.get(part)
    ]
    return changed or [f"{name} is configured otherwise"]


def tasks(stored: JsonObject, plan: Plan) -> list[str]:
    """What tasks have otherwise: version, scorer, or the data that answers are compared with."""
    found = []
    for row in stored.get("tasks") or ():
        if (task := plan.tasks.get(row["name"])) is None:
            found.append(f"task {row['name']} is not there any more")
            continue
        now = {
            "version": task.version,
            "scorer": task.scorer.name,
            "scorer_version": task.scorer.version,
            "data_sha256": data_sha256(plan, row["name"]),
        }
        found += [
            f"task {row['name']}: {field} {_told(row[field])[:16]} -> {_told(value)[:16]}"
            for field, value in now.items()
            if row.get(field) not in (None, value)
        ]
    return found


def data_sha256(plan: Plan, task: str) -> str:
    """Of all that a task's samples are but where they came from; what answers are compared with is part of it."""
    digest = hashlib.sha256()
    for (of, name), one in plan.samples.items():
        if of == task:
            parts = (name, one.messages, one.target, one.tools, one.params, one.metadata, one.turns, one.inputs)
            try:
                digest.update(
                    orjson.dumps(parts, default=_plain, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
                )
            except orjson.JSONEncodeError:  # lone surrogates, integers beyond 64 bits
                digest.update(json.dumps(parts, default=_plain).encode())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """What JSON has no word for; of an object of a task's own only its type is sure to be the same tomorrow."""
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    return dict(value) if isinstance(value, Mapping) else type(value).__name__


def in_words(differences: list[str]) -> str:
    """The first few of them on one line."""
    more = len(differences) - _MOST
    return "; ".join(differences[:_MOST]) + (f"; and {more} more" if more > 0 else "")


def _told(value: object) -> str:
    return "none" if value is None else str(value)
