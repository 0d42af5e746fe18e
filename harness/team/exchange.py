"""Remarks given to others and taken from them, by every shelf there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from harness.gates import acceptances
from harness.report.nights.annotations import TEAM_FILE_NAME, notes, own, write_team
from harness.team import remarks
from harness.team.remarks import Kind, Remark, Shelf

_Meaning = TypeVar("_Meaning")


class Exchanged(NamedTuple):
    """What came of it."""

    sent: int = 0
    """That no shelf had, or not every one."""
    taken: int = 0
    """That were not here."""
    problems: tuple[str, ...] = ()


class Desk(NamedTuple):
    """Where remarks of this machine are."""

    results: Path
    acceptances: Path | None
    """A gate's file of acceptances; None: they stay where they are."""


def give(desk: Desk, shelves: Sequence[Shelf], *, dry_run: bool = False) -> Exchanged:
    """Lay what was written here onto every shelf.

    Errors: ConfigError when a file has a mistake; StoreError as the shelves'.
    """
    mine = [remarks.of_annotation(one) for one in own(desk.results)]
    if desk.acceptances is not None:
        mine += [remarks.of_acceptance(one) for one in acceptances.read(desk.acceptances)]
    sent: set[Remark] = set()
    for shelf in shelves:
        kinds = {one.kind for one in mine}
        there = {(kind, name) for kind in kinds for name in shelf.names(kind)}
        new = [one for one in dict.fromkeys(mine) if (one.kind, one.digest) not in there]
        if not dry_run:
            shelf.add(new)
        sent.update(new)
    return Exchanged(sent=len(sent))


def take(desk: Desk, shelves: Sequence[Shelf], *, dry_run: bool = False) -> Exchanged:
    """Take what lies on the shelves: annotations into a file of their own, acceptances into the gate's.

    Errors: as ``give``; StoreError when a file cannot be written.
    """
    problems: list[str] = []
    known = set(notes(desk.results))
    found = set(_all("annotations", remarks.annotation, shelves, problems))
    noted = sorted(found, key=lambda one: (one.at, one.text, one.endpoint or ""))[-remarks.MOST :]
    taken = len(set(noted) - known)
    if not dry_run and (noted or (desk.results / TEAM_FILE_NAME).is_file()):
        write_team(desk.results, noted)
    if desk.acceptances is not None:
        mine = acceptances.read(desk.acceptances)
        theirs = _all("acceptances", remarks.acceptance, shelves, problems)
        after = remarks.merged(mine, theirs, datetime.now(UTC).date())[: remarks.MOST]
        taken += len([one for one in after if one not in mine])
        if after != mine and not dry_run:
            acceptances.write(desk.acceptances, after)
    return Exchanged(taken=taken, problems=tuple(problems))


def _all(
    kind: Kind, how: Callable[[Remark], _Meaning], shelves: Sequence[Shelf], problems: list[str]
) -> list[_Meaning]:
    """What the shelves hold of a kind, each once; what says nothing is left out, and told in ``problems``."""
    found: dict[str, _Meaning] = {}
    for shelf in shelves:
        for one in shelf.take(kind, sorted(shelf.names(kind) - found.keys())):
            try:
                found[one.digest] = how(one)
            except (ValueError, RecursionError) as error:
                problems.append(f"{kind}/{one.digest} is left out: {' '.join(str(error).split())[:200]}")
    return list(found.values())
