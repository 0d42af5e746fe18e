"""Everything of a run against a baseline: an endpoint of it, or another run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import UnknownName
from harness.record.folder import open_run
from harness.report.comparison.sides import Side, matched, sides_of


def pairs_with(results: Path, run: str, other: str | None, baseline: str | None) -> list[tuple[Side, Side]]:
    """What is compared with what: the baseline's side first.

    Args:
        results: the results folder.
        run: id of the run that is looked at.
        other: the run that holds the baseline; None: the same one.
        baseline: an endpoint of that run, with which every endpoint of ``run`` is compared; None: of the same run its
            first one, of another run whatever has the same name.

    Errors: UsageError where two runs have no endpoint in common; UnknownName for an endpoint that is not there;
    StoreError as ``sides_of``.
    """
    own = sides_of(open_run(results, run))
    if other is None or other == run:
        first = own[0] if baseline is None else _named(own, baseline)
        return [(first, side) for side in own if side.endpoint != first.endpoint]
    theirs = sides_of(open_run(results, other))
    if baseline is None:
        return matched(theirs, own)
    first = _named(theirs, baseline)
    return [(first, side) for side in own]


def _named(sides: Sequence[Side], endpoint: str) -> Side:
    found = next((side for side in sides if side.endpoint == endpoint), None)
    if found is None:
        raise UnknownName("endpoint", endpoint, [side.endpoint for side in sides], where=f"in {sides[0].run.id}")
    return found
