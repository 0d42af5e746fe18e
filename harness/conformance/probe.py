"""A probe is a named claim about an endpoint and the pure function that judges it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.conformance.capture import Captures
from harness.conformance.outcome import Check
from harness.conformance.scenario import Scenario
from harness.errors import TaskError, UnknownName
from harness.types import Endpoint

Severity = Literal["core", "common", "ext"]
"""core: official clients raise, hang or silently corrupt, or money is at risk; common: widely used; ext: the rest."""
Basis = Literal["spec", "observed", "eco"]
"""What says so: a specification, what the original service does, or what clients rely on."""
Ability = Literal["W", "F", "C", "E", "T", "X"]
"""What the verdict leans on: W any output will do; F forced by the server; C compared with a control arm;
E the model must co-operate; T timing; X disruptive or expensive."""

Judge = Callable[[Captures, Endpoint], Iterable[Check]]
"""Yields checks; the first ``must`` that does not hold ends the judging, so later ones may rely on earlier ones.
May raise Refused, Ignored or Untestable."""

_ID = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+){1,3}")


@dataclass(frozen=True, slots=True)
class Probe:
    """One row of the feature matrix."""

    id: str
    """Kept forever; a changed meaning raises ``rev``."""
    rev: int
    title: str
    surface: str
    severity: Severity
    basis: Basis
    ability: Ability
    needs: tuple[str, ...]
    """Ids of probes without which this one means nothing."""
    sees: tuple[Scenario, ...]
    spec: str
    """Where the claim is written down."""
    profile: tuple[str, ...]
    """Selections that it belongs to."""
    judge: Judge

    @property
    def criterion(self) -> str:
        """What must be true for ``supported``: the first line of the judge's docstring."""
        return (inspect.getdoc(self.judge) or "").partition("\n")[0]


def probe(  # noqa: PLR0913 - a declaration, by keyword
    id: str,  # noqa: A002 - the field's name
    *,
    title: str,
    sees: Sequence[Scenario],
    spec: str,
    severity: Severity = "common",
    basis: Basis = "spec",
    ability: Ability = "W",
    needs: Sequence[str] = (),
    profile: Sequence[str] = ("full",),
    rev: int = 1,
) -> Callable[[Judge], Probe]:
    """Make a probe of a judging function; its surface is the id's first word.

    Raises:
        TaskError: the id is not of the form ``surface.name``, the judge has no docstring, or nothing is seen.
    """
    if not _ID.fullmatch(id):
        raise TaskError(f"probe id {id!r} is not of the form surface.name", hint="Use a-z, 0-9, _ and 1 to 3 dots")

    def make(judge: Judge) -> Probe:
        made = Probe(
            id=id,
            rev=rev,
            title=title,
            surface=id.partition(".")[0],
            severity=severity,
            basis=basis,
            ability=ability,
            needs=tuple(needs),
            sees=tuple(sees),
            spec=spec,
            profile=tuple(profile),
            judge=judge,
        )
        if not made.criterion:
            raise TaskError(f"probe {id}: its function has no docstring", hint="The first line is the pass criterion")
        if not made.sees:
            raise TaskError(f"probe {id}: it sees no scenario")
        return made

    return make


def select(probes: Iterable[Probe], profile: str) -> tuple[Probe, ...]:
    """The probes of a profile, in the order given; ``all`` is every probe.

    Raises:
        UnknownName: no probe belongs to the profile.
    """
    known = tuple(probes)
    chosen = tuple(each for each in known if profile in ("all", *each.profile))
    if not chosen:
        raise UnknownName("probe profile", profile, {"all", *(name for each in known for name in each.profile)})
    return chosen
