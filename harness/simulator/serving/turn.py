"""One request while it is answered."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.simulator.profile import Profile


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request off the wire."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    read_ns: int
    """When its last byte arrived: the kernel's stamp, or where there is none, when it was read."""
    keep_alive: bool = True
    too_large: bool = False


@dataclass(slots=True)
class Turn:
    """One request while it is answered, with the profile and the deviations that hold for it."""

    incoming: Incoming
    name: str
    """Its x-request-id."""
    profile: Profile
    mutants: frozenset[str]
    fate: str | None = None
    """A name of ``FAULTS``; a mutant that befell it is among its mutants."""
    befallen: str | None = None
    """The fault of either kind that was drawn for this request; None: there is none."""
    rng: random.Random | None = None
    backend: str | None = None
    """Who is said to have answered; None: nobody is named."""
    repeat: int = 0
    """How often its body was seen before."""
    values: dict[str, Any] = field(default_factory=dict)
    """What a dialect's placeholders stand for, as far as it is known yet."""

    @property
    def closes(self) -> bool:
        """Whether the connection ends with the answer."""
        return not self.incoming.keep_alive or "no_keep_alive" in self.mutants or self.fate == "lying_length"


def takeover(backends: Sequence[str], requests: int | None) -> Iterator[str]:
    """Who answers each request: every backend so many in its turn, again and again; None: the first answers all."""
    each = itertools.cycle(backends) if requests is not None else iter(backends)
    for name in each:
        yield from itertools.repeat(name) if requests is None else itertools.repeat(name, requests)
