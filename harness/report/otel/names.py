"""What OpenTelemetry's GenAI conventions call what we record, by revision: they are not stable and have changed names.

The map is data, ``names.json``; each revision says where it is written down.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from harness.errors import UnknownName


class Names(NamedTuple):
    """One revision of the conventions."""

    revision: str
    source: str
    """Repository and commit or tag."""
    schema_url: str
    """Empty: it has none."""
    metrics: dict[str, str]
    """duration, time_to_first_chunk, time_per_output_chunk, input_tokens and output_tokens -> name."""
    token_type: str | None
    """The attribute that tells input from output where both have one name; None: they have two."""


@cache
def _data() -> dict[str, Any]:
    text = files("harness.report.otel").joinpath("names.json").read_text("utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def default() -> str:
    """The revision that is used when nobody says otherwise: the last one that was released."""
    return str(_data()["default"])


def names(revision: str) -> Names:
    """A revision by its name.

    Errors: UnknownName.
    """
    known = _data()["revisions"]
    if revision not in known:
        raise UnknownName("revision of the GenAI conventions", revision, known)
    return Names(revision=revision, **known[revision])


def bounds(metric: str) -> list[float]:
    """The upper bounds of the buckets of a metric, by our name for it, as the conventions want them."""
    found: list[float] = _data()["bounds"][metric]
    return found


def metric_name(known: Names, metric: str, operation: str) -> str:
    """The name of a metric of an operation; that of embeddings never changed."""
    if metric == "duration" and operation == "embeddings":
        return str(_data()["embeddings_duration"])
    return known.metrics[metric]


def provider_name(provider: str) -> str:
    """The well-known name of a provider; one that has none keeps its own."""
    return str(_data()["providers"].get(provider, provider))
