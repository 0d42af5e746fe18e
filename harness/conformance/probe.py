"""A probe is a named claim about an endpoint and the pure function that judges it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from harness.conformance.capture import Seen
from harness.conformance.gauge import GAUGE
from harness.conformance.outcome import Check
from harness.conformance.scenario import Scenario
from harness.errors import TaskError, UnknownName
from harness.exchange import FailureKind
from harness.types import VerdictWord

Severity = Literal["core", "common", "ext"]
"""core: official clients raise, hang or silently corrupt, or money is at risk; common: widely used; ext: the rest."""
Basis = Literal["spec", "observed", "eco"]
"""What says so: a specification, what the original service does, or what clients rely on."""
Ability = Literal["W", "F", "C", "E", "T", "X"]
"""What the verdict leans on: W any output will do; F forced by the server; C compared with a control arm;
E the model must co-operate; T timing; X disruptive or expensive."""
Over = Literal["each", "all", "run"]
"""What one judging looks at: one repeat of each scenario, all repeats at once, or everything that the run sent."""

Judge = Callable[[Seen], Iterable[Check]]
"""Yields checks; the first ``must`` that does not hold ends the judging, so later ones may rely on earlier ones.
May raise Refused, Ignored or Untestable."""

PROFILES: Mapping[str, str] = MappingProxyType(
    {
        "smoke": "is it there at all? about 12 requests",
        "core": "what official clients need: about 70 requests",
        "full": "everything that does no harm: about 330 requests",
        "disruptive": "what is expensive or may hurt a server: only on your own",
        "all": "every probe",
    }
)
SURFACES = (
    *("models", "auth", "meta", "chat", "sampling", "finish", "usage", "stream", "tools", "json", "reason"),
    *("vision", "audio", "file", "error", "http", "isolation", "load", "cancel", "stall", "emb", "cpl", "resp", "opt"),
)
"""Parts of the API in the order in which they are shown; others come behind them."""
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
    over: Over
    needs: tuple[str, ...]
    """Ids of probes without which this one means nothing."""
    sees: tuple[Scenario, ...]
    """Empty for one that judges whatever the run sent."""
    spec: str
    """Where the claim is written down."""
    threads: tuple[str, ...]
    """Public threads in which endpoints were reported to differ here, as ``owner/name#number``."""
    faults: Mapping[str, VerdictWord]
    """Faults of the simulator that it catches, with what it then says: the proof that it can fail."""
    profile: tuple[str, ...]
    """Selections that it belongs to."""
    judge: Judge
    answers: frozenset[FailureKind] = frozenset()
    """Failures of the transport that are an answer to this probe, though to others they say only that the question was
    not reached (a stream that stands still, where that is the question)."""

    @property
    def criterion(self) -> str:
        """What must be true for ``supported``: the first line of the judge's docstring."""
        return (inspect.getdoc(self.judge) or "").partition("\n")[0]


def probe(  # noqa: PLR0913 - a declaration, by keyword
    id: str,  # noqa: A002 - the field's name
    *,
    title: str,
    spec: str,
    sees: Sequence[Scenario] = (),
    severity: Severity = "common",
    basis: Basis = "spec",
    ability: Ability = "W",
    over: Over | None = None,
    needs: Sequence[str] = (),
    threads: Sequence[str] = (),
    faults: Mapping[str, VerdictWord] | None = None,
    profile: Sequence[str] | None = None,
    answers: Sequence[FailureKind] = (),
    rev: int = 1,
) -> Callable[[Judge], Probe]:
    """Make a probe of a judging function; its surface is the id's first word.

    ``over``: None means each repeat by itself, and all at once for abilities C and T. ``profile``: None means
    ``disruptive`` for ability X, and otherwise ``full``, with ``core`` where the severity is core.

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
            over=over or ("all" if ability in ("C", "T") else "each"),
            needs=tuple(needs),
            sees=(*sees, *(GAUGE if ability == "E" else ())),
            spec=spec,
            threads=tuple(threads),
            faults=MappingProxyType(dict(faults or {})),
            profile=_profiles(ability, severity) if profile is None else tuple(profile),
            judge=judge,
            answers=frozenset(answers),
        )
        if not made.criterion:
            raise TaskError(f"probe {id}: its function has no docstring", hint="The first line is the pass criterion")
        if not made.sees and made.over != "run":
            raise TaskError(f"probe {id}: it sees no scenario")
        return made

    return make


def _profiles(ability: Ability, severity: Severity) -> tuple[str, ...]:
    if ability == "X":
        return ("disruptive",)
    return ("core", "full") if severity == "core" else ("full",)


def by_surface(surfaces: Iterable[str]) -> list[str]:
    """Surfaces, each once, in the order in which they are shown."""
    place = {surface: number for number, surface in enumerate(SURFACES)}
    return sorted(dict.fromkeys(surfaces), key=lambda surface: place.get(surface, len(place)))


def select(probes: Iterable[Probe], profile: str) -> tuple[Probe, ...]:
    """The probes of a profile, in the order given; ``all`` is every probe, and an id is that probe alone.

    Several profiles or ids may stand with commas between them. A probe comes with those that it needs.

    Raises:
        UnknownName: no probe belongs to the profile, or has the id.
    """
    known = {each.id: each for each in probes}
    chosen: set[str] = set()
    for name in profile.split(","):
        found = {each.id for each in known.values() if name in ("all", each.id, *each.profile)}
        if not found:
            profiles = {"all", *(one for each in known.values() for one in each.profile)}
            raise UnknownName("probe profile", name, known if "." in name else profiles)
        chosen |= found
    waiting = list(chosen)
    while waiting:
        needed = [need for need in known[waiting.pop()].needs if need in known and need not in chosen]
        chosen.update(needed)
        waiting += needed
    return tuple(each for each in known.values() if each.id in chosen)
