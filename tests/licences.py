"""Under which licences the packages stand that a user of this tool installs: `make licences`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata

from packaging.requirements import Requirement

_COPYLEFT = re.compile(r"\b(A?GPL|GNU (Affero )?General Public|SSPL|BUSL|Commons Clause)", re.IGNORECASE)
_NO_USER = ("dev", "docs")
"""Extras that only a checkout wants: their licences bind nobody who uses the tool."""


def closure(distribution: str, extras: Sequence[str]) -> dict[str, metadata.Distribution]:
    """A distribution and all that it needs, with these extras, as far as it is installed; by name."""
    found: dict[str, metadata.Distribution] = {}
    open_ = [(distribution, tuple(extras))]
    done = set()
    while open_:
        name, wanted = open_.pop()
        key = (re.sub(r"[-_.]+", "-", name).lower(), wanted)
        if key in done:
            continue
        done.add(key)
        try:
            one = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found[key[0]] = one
        for text in one.requires or ():
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                open_.append((needed.name, tuple(sorted(needed.extras))))
    return found


def licence_of(one: metadata.Distribution) -> str:
    """What its metadata say: the SPDX expression, else the classifiers, else the first line of the free text."""
    told = one.metadata
    if expression := told.get("License-Expression"):
        return str(expression)
    classified = [text.rpartition(" :: ")[2] for text in told.get_all("Classifier") or () if "License ::" in text]
    return " or ".join(classified) or (told.get("License") or "not told").strip().splitlines()[0][:60]


def copyleft(licence: str) -> bool:
    """Whether it binds whoever passes the whole on; one of several to choose from is enough to be free of it."""
    return all(_COPYLEFT.search(part) is not None for part in re.split(r" or ", licence, flags=re.IGNORECASE))


def listed() -> Iterator[tuple[str, str, str]]:
    """Name, version and licence of each package of a user."""
    extras = metadata.metadata("endpoint-harness").get_all("Provides-Extra") or ()
    for name, one in sorted(closure("endpoint-harness", [name for name in extras if name not in _NO_USER]).items()):
        yield name, one.version, licence_of(one)


def main() -> int:
    """Print the table; 1 where a copyleft licence is among them."""
    bad = 0
    for name, version, licence in listed():
        bound = copyleft(licence)
        bad += bound
        print(f"{'!' if bound else ' '} {name:42} {version:16} {licence}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
