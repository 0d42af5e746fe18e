"""Features against a lockfile: what an endpoint no longer does is worse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import UsageError
from harness.gates.judgement import Case, Verdict
from harness.report.conformance import lockfile
from harness.report.conformance.figures import conformance

_WORDS: dict[lockfile.Kind, Verdict] = {"drift": "fail", "unsure": "inconclusive"}


def cases(results: Path, run: str, path: Path, endpoints: Sequence[str]) -> list[Case]:
    """A case for each verdict that is not as locked, or one that passes where all are, of each endpoint.

    Errors: ConfigError when the lockfile cannot be read; StoreError as ``conformance``.
    """
    shown = _shown(path)
    if not path.exists():
        return [_lacking(name, f"there is no lockfile {shown} yet", shown) for name in endpoints]
    locked = lockfile.read(path)
    try:
        found = conformance(results, run)
    except UsageError as error:
        return [_case(name, "conformance", "error", str(error)) for name in endpoints]
    changes = lockfile.compare(locked, found)
    made: list[Case] = []
    for name in endpoints:
        if name not in locked:
            made.append(_lacking(name, f"{shown} does not hold {name}", shown))
            continue
        cells = [row["cells"][name] for row in found["probes"] if name in row["cells"]]
        asked = len(cells)
        if all(cell["verdict"] in ("untestable", "skipped") for cell in cells):
            why = cells[0]["reason"] if cells else f"run {run} has no verdict of it"
            made.append(_case(name, "conformance", "error", f"no feature could be looked at: {why}", asked))
            continue
        own = list(_changed(name, changes))
        made += own or [_case(name, "conformance", "pass", f"all {asked} verdicts are as locked in {shown}", n=asked)]
    return made


def notes(results: Path, run: str, path: Path) -> list[str]:
    """Where the suite has changed and not the endpoint, one line each endpoint."""
    if not path.exists():
        return []
    try:
        found = conformance(results, run)
    except UsageError:
        return []
    changes = [one for one in lockfile.compare(lockfile.read(path), found) if one.kind == "note"]
    counted = Counter(one.endpoint for one in changes)
    return [
        f"{n} probes of {name} are not both locked and asked; harness probe --lock writes {_shown(path)} anew"
        for name, n in counted.items()
    ]


def _changed(endpoint: str, changes: Sequence[lockfile.Change]) -> Iterator[Case]:
    for one in changes:
        if one.endpoint == endpoint and one.kind in _WORDS:
            told = f"{one.locked} -> {one.now}: {one.reason}"
            yield _case(endpoint, one.probe, _WORDS[one.kind], told)


def _lacking(endpoint: str, why: str, shown: str) -> Case:
    made = _case(endpoint, "conformance", "inconclusive", why)
    return replace(made, next=f"harness probe -e {endpoint} --lock {shown}")


def _case(endpoint: str, metric: str, verdict: Verdict, reason: str, n: int | None = None) -> Case:
    return Case("conformance", metric, endpoint, "probes", verdict, reason, n=n, counted="" if n is None else "probes")


def _shown(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
