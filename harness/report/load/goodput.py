"""The levels of a load under other objectives than those it was run with, and up to which load they are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.report.decision.attainment import Attained
from harness.types import JsonObject

_NOTHING = dict.fromkeys(("slo_attainment", "slo_attainment_low", "slo_attainment_high", "goodput_per_s"))


def under(levels: Sequence[JsonObject], found: Mapping[str, Mapping[str, Attained]] | None) -> list[JsonObject]:
    """The levels of a load report with the figures of other objectives.

    ``found`` is what ``attained`` gives of those (endpoint -> stage); None: there is no objective. ``slo_attainment``
    with its bounds, ``slo_good_n``, ``slo_judged_n`` and ``goodput_per_s`` (good / ``window_s``) are replaced; None
    where there is no such figure.
    """
    if found is None:
        return [row | _NOTHING | {"slo_good_n": 0, "slo_judged_n": 0} for row in levels]
    return [row | _judged(row, found.get(row["endpoint"], {}).get(row["stage"])) for row in levels]


def _judged(row: JsonObject, found: Attained | None) -> JsonObject:
    if found is None or found.share is None:
        return {**_NOTHING, "slo_good_n": 0, "slo_judged_n": 0}
    window = row["window_s"]
    return {
        "slo_attainment": found.share.value,
        "slo_attainment_low": found.share.low,
        "slo_attainment_high": found.share.high,
        "slo_good_n": found.good,
        "slo_judged_n": found.n,
        "goodput_per_s": found.good / window if window else None,
    }


def highest_met(levels: Sequence[JsonObject], target: float = 0.95) -> JsonObject | None:
    """The highest load of one endpoint up to which every level kept the objectives; None: its lowest did not.

    Kept: the share of good requests is at least ``target``. Whether that is sure, its interval says.
    """
    best = None
    for row in sorted((row for row in levels if row["load"] is not None), key=lambda row: row["load"]):
        if (row["slo_attainment"] or 0.0) < target:
            break
        best = row
    return best
