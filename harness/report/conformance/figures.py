"""What the probes of a run found, as one dictionary that terminal, Markdown, HTML, JUnit and JSON draw from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from harness.conformance.probe import by_surface
from harness.errors import UsageError
from harness.record.folder import open_run
from harness.store.query import rows
from harness.types import JsonObject

_ABOUT = ("created_at", "harness_version", "os", "python")
_SAID: Mapping[str, tuple[str, ...]] = {"unsupported": ("rejected", "untestable", "skipped"), "ignored": ("ignored",)}
"""Declaration -> verdicts that agree with it, or say nothing against it."""
_UNTOLD = ("untestable", "skipped")


def conformance(results: Path, run: str) -> JsonObject:
    """What each endpoint of a run supports.

    Returns:
        ``run`` (what it was), ``endpoints`` (a row each: grade, support in percent, honesty as a share, counts,
        evidence as a share; None means withheld or not known; under ``surfaces`` a row of each surface of the API),
        ``probes`` (a row each in the order of the plan, with a cell for each endpoint under ``cells``) and
        ``declared`` (where a provider says otherwise than was measured).

    Raises:
        UsageError: the run has no probes.
        StoreError: there is no such run, or the database cannot be read.
    """
    folder = open_run(results, run)
    manifest = folder.read_manifest()
    asked = manifest.get("probes")
    if not asked:
        raise UsageError(f"run {folder.id} has no probes", hint="harness probe -e PROVIDER/MODEL makes one that has")
    stored = {row["id"]: row for row in manifest["endpoints"]}
    scores = rows(results, "select * exclude (run_id) from conformance_score where run_id = ?", [folder.id])
    by_endpoint = {row["endpoint"]: row for row in scores}
    supports: dict[str, JsonObject] = {}
    for row in rows(results, "select * exclude (run_id) from conformance_surface where run_id = ?", [folder.id]):
        supports.setdefault(row["endpoint"], {})[row["surface"]] = row
    found = rows(results, "select * exclude (run_id) from feature_matrix where run_id = ?", [folder.id])
    return {
        "run": {"id": folder.id, "profile": asked["profile"], **{name: manifest.get(name) for name in _ABOUT}},
        "endpoints": [
            {
                "endpoint": name,
                **{key: row.get(key) for key in ("model_id", "base_url", "engine", "engine_version")},
                **{key: value for key, value in by_endpoint.get(name, {}).items() if key != "endpoint"},
                "surfaces": supports.get(name, {}),
            }
            for name, row in stored.items()
        ],
        "probes": _probes(found, asked["ids"]),
        "declared": [
            line for name, row in stored.items() for line in _declared(name, row.get("declared") or {}, found)
        ],
    }


def _probes(found: Sequence[JsonObject], order: Sequence[str]) -> list[JsonObject]:
    place = {probe: number for number, probe in enumerate(order)}
    made: dict[str, JsonObject] = {}
    for row in sorted(found, key=lambda row: place.get(row["probe"], len(place))):
        about = {name: row[name] for name in ("probe", "rev", "surface", "severity", "title")}
        cell = {key: value for key, value in row.items() if key not in about and key != "endpoint"}
        made.setdefault(row["probe"], {**about, "cells": {}})["cells"][row["endpoint"]] = cell
    return list(made.values())


def _declared(endpoint: str, told: JsonObject, found: Sequence[JsonObject]) -> Iterator[JsonObject]:
    """Where what a provider says of itself is not what was measured."""
    for row in found:
        if row["endpoint"] != endpoint or row["verdict"] in _UNTOLD:
            continue
        for word, agreeing in _SAID.items():
            if (
                any(_names(pattern, row["probe"]) for pattern in told.get(word) or ())
                and row["verdict"] not in agreeing
            ):
                yield {
                    "endpoint": endpoint,
                    "probe": row["probe"],
                    "declared": word,
                    "measured": row["verdict"],
                    "source": told.get("source") or "",
                }


def _names(pattern: str, probe: str) -> bool:
    return probe == pattern or (pattern.endswith(".*") and probe.startswith(pattern[:-1]))


def beside(found: Sequence[JsonObject]) -> JsonObject:
    """Several runs as one matrix, the endpoints of all beside one another; one that comes twice is told by its run.

    Each row of ``endpoints`` says besides which ``run`` it is of and what the endpoint is ``called`` there.
    """
    names = Counter(row["endpoint"] for each in found for row in each["endpoints"])
    probes: dict[str, JsonObject] = {}
    endpoints, declared = [], []
    for each in found:
        called = {
            row["endpoint"]: row["endpoint"]
            if names[row["endpoint"]] == 1
            else f"{row['endpoint']} ({each['run']['id']})"
            for row in each["endpoints"]
        }
        endpoints += [
            row | {"endpoint": called[row["endpoint"]], "run": each["run"]["id"], "called": row["endpoint"]}
            for row in each["endpoints"]
        ]
        declared += [row | {"endpoint": called[row["endpoint"]]} for row in each["declared"]]
        for row in each["probes"]:
            cells = {called[name]: cell for name, cell in row["cells"].items()}
            probes.setdefault(row["probe"], {**row, "cells": {}})["cells"].update(cells)
    first = found[0]["run"]
    about = {name: " + ".join(dict.fromkeys(str(each["run"][name]) for each in found)) for name in first}
    return {"run": about, "endpoints": endpoints, "probes": list(probes.values()), "declared": declared}


def surfaces(found: JsonObject) -> Iterator[tuple[str, list[JsonObject]]]:
    """The probes by surface, both in their order."""
    for surface in by_surface(row["surface"] for row in found["probes"]):
        yield surface, [row for row in found["probes"] if row["surface"] == surface]


def narrowed(
    probes: Sequence[JsonObject], *, surfaces: Collection[str] = (), severities: Collection[str] = (), text: str = ""
) -> list[JsonObject]:
    """The probes of these surfaces and severities (none: of all) that have a text in their id, title or reasons."""
    wanted = text.casefold().strip()
    return [
        row
        for row in probes
        if (not surfaces or row["surface"] in surfaces)
        and (not severities or row["severity"] in severities)
        and (not wanted or wanted in _words(row).casefold())
    ]


def _words(row: JsonObject) -> str:
    told = (str(cell[name]) for cell in row["cells"].values() for name in ("verdict", "reason", "expected", "actual"))
    return "\n".join((row["probe"], row["title"], *told))


def differs(row: JsonObject) -> bool:
    """Whether a probe's endpoints do not all have the same verdict."""
    return len({cell["verdict"] for cell in row["cells"].values()}) > 1


def changes(before: JsonObject, after: JsonObject, pairs: Mapping[str, str]) -> list[JsonObject]:
    """What another run says otherwise; ``pairs``: endpoint of the one -> endpoint of the other.

    A probe that only one of the two has is told with None on the other side.
    """
    found = []
    old, new = ({row["probe"]: row for row in each["probes"]} for each in (before, after))
    for first, second in pairs.items():
        for probe in dict.fromkeys([*old, *new]):
            was = (old.get(probe) or {"cells": {}})["cells"].get(first)
            now = (new.get(probe) or {"cells": {}})["cells"].get(second)
            said = [each and each["verdict"] for each in (was, now)]
            if said[0] != said[1]:
                reason = (now or was or {}).get("reason", "")
                found.append(
                    {"probe": probe, "endpoint": second, "before": said[0], "after": said[1], "reason": reason}
                )
    return found
