"""What a user names to be compared: an endpoint of a run, or a whole run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from harness.errors import UnknownName, UsageError
from harness.record.folder import RunFolder, list_runs, open_run
from harness.report.summary.figures import endpoints_of
from harness.types import JsonObject


class Side(NamedTuple):
    """One endpoint in one run."""

    run: RunFolder
    manifest: JsonObject
    about: JsonObject
    """What the manifest says of the endpoint."""

    @property
    def endpoint(self) -> str:
        """``provider/model``."""
        name: str = self.about["id"]
        return name

    @property
    def name(self) -> str:
        """Run and endpoint, as they can be given on the command line."""
        return f"{self.run.id}:{self.endpoint}"


def pairs_of(results: Path, first: str, second: str, run: str) -> list[tuple[Side, Side]]:
    """What is to be compared with what.

    Each of the two is ``provider/model`` of the run ``run``, the name of a provider with one endpoint there,
    ``RUN:ENDPOINT``, or a run. A run beside an endpoint stands for the endpoint of that name, or for the only one that
    it has; two runs stand for the endpoints that they have in common, or for the only one of each.

    Raises:
        UnknownName: nothing is called so; the nearest names are told.
        UsageError: a name fits several things, or the two have nothing to be compared.
        StoreError: a manifest is missing or damaged.
    """
    one, other = _found(results, first, run), _found(results, second, run)
    found = matched(one, other)
    for a, b in found:
        if (a.run.id, a.endpoint) == (b.run.id, b.endpoint):
            raise UsageError(f"{first} and {second} are the same: {a.name}", hint="Name two endpoints, or two runs")
    return found


def matched(one: Sequence[Side], other: Sequence[Side]) -> list[tuple[Side, Side]]:
    """The endpoints that two runs have in common, or the only one of each.

    Errors: UsageError where there is neither.
    """
    if len(one) == len(other) == 1:
        return [(one[0], other[0])]
    by_name = {side.endpoint: side for side in other}
    shared = [(side, by_name[side.endpoint]) for side in one if side.endpoint in by_name]
    if shared:
        return shared
    held = " and ".join(f"{sides[0].run.id} has {', '.join(side.endpoint for side in sides)}" for sides in (one, other))
    raise UsageError(f"no endpoint in common: {held}", hint="Say which one as RUN:ENDPOINT")


def _found(results: Path, text: str, run: str) -> list[Side]:
    """The one endpoint that a name means, or all of a run."""
    runs = list_runs(results)
    begun, colon, rest = text.partition(":")
    if colon and "/" not in begun and _is_run(runs, begun):
        return [_of_name(sides_of(open_run(results, begun)), rest)]
    known = sides_of(open_run(results, run))
    if _is_run(runs, text) and not _fitting(known, text):
        return sides_of(open_run(results, text))
    return [_of_name(known, text, runs)]


def _is_run(runs: Sequence[RunFolder], text: str) -> bool:
    return text == "latest" or any(text and one.id.startswith(text) for one in runs)


def sides_of(run: RunFolder) -> list[Side]:
    """Every endpoint of a run, the first one of it first.

    Errors: UsageError where it asked none; StoreError when its manifest is missing or damaged.
    """
    manifest = run.read_manifest()
    found = [Side(run, manifest, about) for about in endpoints_of(run, manifest)]
    if not found:
        raise UsageError(f"run {run.id} asked no endpoint")
    return found


def _fitting(known: Sequence[Side], text: str) -> list[Side]:
    """The endpoint of that id, or those of that provider."""
    exact = [side for side in known if side.endpoint == text]
    return exact or [side for side in known if side.endpoint.partition("/")[0] == text]


def _of_name(known: Sequence[Side], text: str, runs: Sequence[RunFolder] = ()) -> Side:
    fitting = _fitting(known, text)
    if len(fitting) == 1:
        return fitting[0]
    run = known[0].run.id
    if fitting:
        names = ", ".join(side.endpoint for side in fitting)
        raise UsageError(f"{text!r} fits {len(fitting)} endpoints of run {run}: {names}", hint="Name one of them")
    names_known = [name for side in known for name in (side.endpoint, side.endpoint.partition("/")[0])]
    noun = "endpoint or run" if runs else "endpoint"
    raise UnknownName(
        f"{noun} of run {run}" if not runs else noun,
        text,
        [*dict.fromkeys(names_known), *(one.id for one in runs)],
        where=f"Endpoints are looked for in run {run}; --run names another" if runs else "",
    )
