"""Who answered: what changed of it inside a run, and models that answered without being asked for.

A change is a flag, never a failure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Literal

from harness.report import words
from harness.store.query import rows
from harness.types import JsonObject

Kinship = Literal["same", "prefix", "snapshot", "other"]
"""Of the model that answers to the one that was asked for: its name in any case of letters; but for a prefix such as
``vendor/``; a dated snapshot of it; another model."""

_DATED = re.compile(r"[-@:_]?(\d{4}-\d{2}-\d{2}|\d{2}-\d{2}-\d{4}|\d{2}-\d{4}|\d{2}-\d{2}|\d{8}|\d{6}|\d{4})")
_NEWEST = re.compile(r"[-:]latest$")
_IN_BODY = ("model", "system_fingerprint", "backend")
"""Parts that are no headers."""
_SHOWN = 4
"""Values of one part that a line names."""
_LONGEST = 60

_QUERY = """
select endpoint, part, value, n, first_place, first_at, last_at, n_switches, example_job_id from identities
where run_id = ? order by list_position(?, endpoint) nulls last, endpoint, part, first_place
"""


def identities(results: Path, run: str, asked: Sequence[JsonObject]) -> list[JsonObject]:
    """What the answers of each endpoint say of who gave them.

    Args:
        results: the results folder; the run must be published.
        run: its id.
        asked: what the manifest says of the endpoints, judges too: ``id`` and ``model_id``.

    Returns:
        a row for each endpoint and part that any answer tells: ``endpoint``, ``part``, ``n`` answers, ``values`` (in
        the order of their first coming: ``value``, None where others tell it and these do not, ``n``, ``first_place``,
        ``first_at``, ``last_at``, ``example_job_id``, and of a model its ``kinship`` to the one that was asked for,
        None where that is not known), ``n_switches``, ``flag`` (``changed``: each value came once and went for good;
        ``interleaved``; None: there is one value) and of a model ``asked``.

    Errors: as ``rows``.
    """
    sent: dict[str, str | None] = {row["id"]: row.get("model_id") for row in asked}
    found = rows(results, _QUERY, [run, list(sent)])
    together = groupby(found, key=lambda row: (row["endpoint"], row["part"]))
    return [_part(endpoint, part, list(own), sent.get(endpoint)) for (endpoint, part), own in together]


def _part(endpoint: str, part: str, found: Sequence[JsonObject], asked: str | None) -> JsonObject:
    switches = sum(row["n_switches"] for row in found)
    values = [
        {
            **{name: row[name] for name in ("value", "n", "first_place")},
            **{name: row[name].isoformat() for name in ("first_at", "last_at")},
            "example_job_id": row["example_job_id"],
            **({"kinship": _kinship(asked, row["value"])} if part == "model" else {}),
        }
        for row in found
    ]
    return {
        "endpoint": endpoint,
        "part": part,
        "n": sum(row["n"] for row in found),
        "n_switches": switches,
        "flag": None if len(found) == 1 else "changed" if switches == len(found) - 1 else "interleaved",
        **({"asked": asked} if part == "model" else {}),
        "values": values,
    }


def _kinship(asked: str | None, answered: str | None) -> Kinship | None:
    return None if asked is None or answered is None else kinship(asked, answered)


def kinship(asked: str, answered: str) -> Kinship:
    """How the model that a server says it was is related to the one that was asked for, by their names alone."""
    asked, answered = asked.casefold(), answered.casefold()
    if asked == answered:
        return "same"
    short, own = (name.rpartition("/")[2] for name in (asked, answered))
    if short == own:
        return "prefix"
    stem = _NEWEST.sub("", short)
    return "snapshot" if own.startswith(stem) and _DATED.fullmatch(own[len(stem) :]) else "other"


def lines(found: Sequence[JsonObject]) -> list[str]:
    """What a person should know of these rows, a line each; nothing of an endpoint that was one and what was asked."""
    said = []
    for row in found:
        if row["flag"]:
            said.append(f"{row['endpoint']}: {_change(row)}")
        said += [f"{row['endpoint']}: {text}" for text in _others(row)]
    return said


def _change(row: JsonObject) -> str:
    values, name = row["values"], row["part"]
    each = [f"{_value(one['value'])} ({one['n']})" for one in values[:_SHOWN]]
    rest = len(values) - len(each)
    second = values[1]
    when = f"at answer {second['first_place']} of {row['n']}, sent {second['first_at'][11:19]} UTC"
    named = name if name in _IN_BODY else f"header {name}"
    if row["flag"] == "changed":
        more = f", then {rest} more" if rest else ""
        return f"{named} changed inside the run {when}: {', then '.join(each)}{more}"
    more = f" and {rest} more" if rest else ""
    return f"{named} went to and fro {row['n_switches']} times, first {when}: {', '.join(each)}{more}"


def _others(row: JsonObject) -> list[str]:
    """Models that answered and are not, to the letter, the one that was asked for."""
    told = {
        "prefix": "the same name but for its prefix",
        "snapshot": "a dated snapshot of it",
        "other": "another model by its name",
    }
    return [
        f"asked for {_value(row['asked'])}, answered by {_value(one['value'])} in {one['n']} of {row['n']}: "
        f"{told[one['kinship']]}"
        for one in row["values"]
        if one.get("kinship") in told
    ]


def _value(value: str | None) -> str:
    if value is None:
        return "not stated"
    return words.plain(value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…")
