"""What people write beside runs, annotations and acceptances, on its way through a store.

Each is one small file that is never changed, named by a hash of its content: what many write at once is merged by being
there, and nobody needs to ask anybody.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Literal, NamedTuple, Protocol

from harness.errors import StoreError
from harness.gates import acceptances
from harness.gates.acceptances import Acceptance
from harness.place import Place
from harness.report.nights.annotations import LONGEST, Annotation, as_mapping
from harness.types import JsonObject

Kind = Literal["annotations", "acceptances"]
VERSION = 1
MOST = 1000
"""Of each kind are taken in; a file of them holds no more."""
_LARGEST = 16_384
_DIGEST = re.compile(r"[0-9a-f]{32}")
_AT_ONCE = 8


class Remark(NamedTuple):
    """An annotation or an acceptance as the bytes that everybody would write of it."""

    kind: Kind
    content: bytes

    @property
    def digest(self) -> str:
        """Names it; half a SHA-256."""
        return hashlib.sha256(self.content).hexdigest()[:32]


class Shelf(Protocol):
    """Where remarks lie for others. Errors of both: StoreError."""

    def names(self, kind: Kind) -> set[str]:
        """The digests of those that are there."""

    def add(self, remarks: Sequence[Remark]) -> None:
        """Lay them there; those that are there already stay."""

    def take(self, kind: Kind, names: Iterable[str]) -> list[Remark]:
        """Those of these digests, in their order; StoreError: one is not what its name says."""


class Files:
    """The shelf of a store of files: ``annotations/<digest>.json`` and ``acceptances/<digest>.json``."""

    def __init__(self, place: Place) -> None:
        """``place`` is the store."""
        self._place = place

    def names(self, kind: Kind) -> set[str]:
        """The digests of those that are there; other files are nobody's."""
        found = self._place.sizes(kind)
        names = {path.removeprefix(f"{kind}/").removesuffix(".json"): size for path, size in found.items()}
        return {name for name, size in names.items() if _DIGEST.fullmatch(name) and size <= _LARGEST}

    def add(self, remarks: Sequence[Remark]) -> None:
        """Lay them there."""
        for one in remarks:
            self._place.create(f"{one.kind}/{one.digest}.json", one.content, lambda _: None)

    def take(self, kind: Kind, names: Iterable[str]) -> list[Remark]:
        """Those of these digests; one that was taken away meanwhile is left out."""

        def one(name: str) -> Remark | None:
            content = self._place.read(f"{kind}/{name}.json")
            if content is None:
                return None
            found = Remark(kind, content)
            if found.digest != name:
                what = f"{self._place.shown}/{kind}/{name}.json"
                raise StoreError(f"{what} is not as it was written", hint="Take it away")
            return found

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return [found for found in pool.map(one, names) if found is not None]


def of_annotation(one: Annotation) -> Remark:
    """The remark that an annotation is."""
    return _remark("annotations", as_mapping(one))


def of_acceptance(one: Acceptance) -> Remark:
    """The remark that an acceptance is."""
    return _remark("acceptances", acceptances.as_mapping(one))


def _remark(kind: Kind, about: JsonObject) -> Remark:
    text = json.dumps({"v": VERSION} | about, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return Remark(kind, text.encode() + b"\n")


def annotation(remark: Remark) -> Annotation:
    """What a remark says; ValueError when it says nothing that an annotation may."""
    about = _about(remark)
    text, endpoint = about.get("text"), about.get("endpoint")
    if not isinstance(text, str) or not 0 < len(text.strip()) <= LONGEST or not isinstance(endpoint, str | None):
        raise ValueError("it has no text")
    at = datetime.fromisoformat(str(about.get("date")))
    return Annotation(at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at, text.strip(), endpoint)


def acceptance(remark: Remark) -> Acceptance:
    """What a remark says; ValueError when it says nothing that an acceptance may."""
    return acceptances.of_mapping(_about(remark))


def _about(remark: Remark) -> JsonObject:
    about = json.loads(remark.content)
    if not isinstance(about, dict) or about.pop("v", None) != VERSION:
        raise ValueError("it is of another version")
    return about


def merged(mine: Sequence[Acceptance], theirs: Iterable[Acceptance], today: date) -> list[Acceptance]:
    """The entries of a file after those of others came to it.

    Mine stay in their order. What is over is not taken in, since it would fail every gate. Of several about the same
    result the one that ends last counts; where they end on one day, mine.
    """
    kept = {(one.metric, one.endpoint, one.workload): one for one in mine}
    for one in sorted(theirs, key=lambda one: (one.until, of_acceptance(one).digest)):
        about = (one.metric, one.endpoint, one.workload)
        if not one.expired(today) and (about not in kept or kept[about].until < one.until):
            kept[about] = one
    return list(kept.values())
