"""A lockfile of verdicts: what endpoints do today, kept in the user's repository, so that a change is seen.

Source of the idea: the lockfiles of package managers. A change is accepted by a reviewed edit of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from harness.config.file import as_text, read_document
from harness.config.schema import FieldPath
from harness.errors import UsageError
from harness.record.folder import write_atomic
from harness.types import JsonObject

FORMAT = 1
_VERDICT = re.compile(r"(supported|partial|ignored|rejected|broken|untestable|skipped)(@\d+)?")
_HEAD = """# What these endpoints do, pinned by `harness probe --lock`. A later run with `--check` fails on any drift.
# Accept a change by editing its line here, with a reason in the commit. `@2` is the revision of a probe.
"""

Kind = Literal["drift", "unsure", "note"]
"""drift: another verdict; unsure: it could not be told today; note: the suite changed, not the endpoint."""


class Change(NamedTuple):
    """One line in which a run is not what the lockfile says."""

    kind: Kind
    endpoint: str
    probe: str
    locked: str | None
    """None: the lockfile does not know this probe."""
    now: str | None
    """None: the run did not ask."""
    reason: str


Locked = Mapping[str, Mapping[str, str]]
"""Endpoint -> probe -> verdict, with ``@revision`` behind it from the second revision on."""


def write(path: Path, found: JsonObject) -> None:
    """Write the verdicts of a run; StoreError when the file cannot be written."""
    body = {
        "format": FORMAT,
        "profile": found["run"]["profile"],
        "harness": found["run"]["harness_version"],
        "endpoints": {
            row["endpoint"]: {
                probe["probe"]: _signed(probe, row["endpoint"])
                for probe in found["probes"]
                if row["endpoint"] in probe["cells"]
            }
            for row in found["endpoints"]
        },
    }
    write_atomic(path, (_HEAD + as_text(body)).encode())


def read(path: Path) -> Locked:
    """The verdicts of a lockfile; ConfigError as ``file:line: field: what is wrong``."""
    return read_document(path, _understand, empty="the file is empty; harness probe --lock writes one")


def refuse_strangers(locked: Locked, endpoints: Iterable[str]) -> None:
    """UsageError when an endpoint is not in the lockfile: nothing could be said of it."""
    strangers = [name for name in endpoints if name not in locked]
    if strangers:
        known = ", ".join(locked) or "none"
        raise UsageError(
            f"the lockfile holds {known}, not {', '.join(strangers)}", hint="Write it anew with --lock, without --check"
        )


def compare(locked: Locked, found: JsonObject) -> list[Change]:
    """Every line in which a run is not what is locked, of the endpoints that are."""
    names = [row["endpoint"] for row in found["endpoints"]]
    return [change for name in names if name in locked for change in _changes(name, locked[name], found)]


def _changes(endpoint: str, locked: Mapping[str, str], found: JsonObject) -> Iterator[Change]:
    rows = {row["probe"]: row for row in found["probes"] if endpoint in row["cells"]}
    for probe in dict.fromkeys([*locked, *rows]):
        was, row = locked.get(probe), rows.get(probe)
        if row is None:
            yield Change("note", endpoint, probe, was, None, "this run did not ask")
            continue
        now, cell = _signed(row, endpoint), row["cells"][endpoint]
        if was is None:
            yield Change("note", endpoint, probe, None, now, "not in the lockfile")
        elif now == was:
            continue
        elif now.partition("@")[2] != was.partition("@")[2]:
            yield Change("note", endpoint, probe, was, now, "the probe now means something else")
        else:
            yield Change(
                "unsure" if cell["verdict"] == "untestable" else "drift", endpoint, probe, was, now, cell["reason"]
            )


def _signed(row: JsonObject, endpoint: str) -> str:
    verdict: str = row["cells"][endpoint]["verdict"]
    return verdict if row["rev"] == 1 else f"{verdict}@{row['rev']}"


def _understand(document: object) -> Locked | list[tuple[FieldPath, str]]:
    if not isinstance(document, dict):
        return [((), "must be a mapping (name: value)")]
    if document.get("format") != FORMAT:
        return [(("format",), f"must be {FORMAT}; this is not a lockfile of this harness")]
    endpoints = document.get("endpoints")
    if not isinstance(endpoints, dict):
        return [(("endpoints",), "must be a mapping of endpoint: verdicts")]
    problems: list[tuple[FieldPath, str]] = []
    for name, verdicts in endpoints.items():
        if not isinstance(verdicts, dict):
            problems.append((("endpoints", name), "must be a mapping of probe: verdict"))
            continue
        problems += [
            (("endpoints", name, probe), f"{verdict!r} is no verdict")
            for probe, verdict in verdicts.items()
            if not isinstance(verdict, str) or not _VERDICT.fullmatch(verdict)
        ]
    return problems or endpoints
