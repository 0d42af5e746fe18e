"""What quirks changed of what was asked, as the report and the beginning of a run say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from harness.types import JsonObject


def adapted(stored: Iterable[JsonObject]) -> dict[str, list[str]]:
    """Endpoint -> what was changed; ``stored`` is what the manifest says of each. Empty: nothing, or an older run."""
    return {row["id"]: list(row["adapted"]) for row in stored if row.get("adapted")}


def lines(found: Mapping[str, Sequence[str]]) -> list[str]:
    """One line for each endpoint."""
    return [f"{endpoint}: {'; '.join(changes)}" for endpoint, changes in found.items()]
