"""Python and the installed packages, held against the bounds that this package itself declares."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Sequence
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet

from harness import __version__
from harness.doctor.finding import Finding

DISTRIBUTION = "endpoint-harness"
_NO_USER = ("dev", "docs")
"""Extras that only a checkout wants."""
_ASKED_FOR = ("local", "scorers")
"""Extras that a newcomer meets; of the others only their names are told."""


def version_of(name: str) -> str | None:
    """The installed version of a distribution; None: it is not there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def python() -> Finding:
    """The interpreter, against ``requires-python``."""
    told = f"{platform.python_version()} ({sys.executable}), harness {__version__}"
    try:
        wanted = (metadata.metadata(DISTRIBUTION).get_all("Requires-Python") or [""])[0]
    except metadata.PackageNotFoundError:
        wanted = ""
    if wanted and not SpecifierSet(wanted).contains(platform.python_version(), prereleases=True):
        return Finding("python", "wrong", f"{told}; {wanted} is wanted", "make PYTHON=python3.12, or another new one")
    return Finding("python", "ok", told)


def packages() -> list[Finding]:
    """What is installed against the bounds, and which extras are there."""
    try:
        requires = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return [
            Finding("packages", "note", f"{DISTRIBUTION} is not installed: bounds are not known", "pip install -e .")
        ]
    return judged(requires, version_of)


def judged(requires: Sequence[str], version: Callable[[str], str | None]) -> list[Finding]:
    """Hold requirements (PEP 508) against installed versions.

    ``version`` gives the installed version of a distribution; None: it is not there. Gives a finding of what is always
    needed and one of the extras; an extra is there when all that it names is.
    """
    always, extras = _sorted(requires)
    bad = [told for one in always if (told := _off(one, version))]
    missing = {
        name: [one.name for one in needed if version(one.name) is None]
        for name, needed in extras.items()
        if name not in _NO_USER
    }
    here = sorted(name for name, lacking in missing.items() if not lacking)
    absent = sorted(name for name, lacking in missing.items() if lacking)
    # An extra that is there must be of a version that works; of one that is not there nothing is said but its name.
    bad += [told for name in here for one in extras[name] if (told := _off(one, version))]
    if bad:
        first = Finding("packages", "wrong", "; ".join(dict.fromkeys(bad)), f"pip install --upgrade {DISTRIBUTION}")
    else:
        first = Finding("packages", "ok", f"{len(always)} needed, all inside their bounds")
    wanted = [name for name in _ASKED_FOR if name in absent]
    told = f"{', '.join(here) or 'none'} installed; {', '.join(absent) or 'none'} not"
    mend = f"pip install '{DISTRIBUTION}[{','.join(wanted)}]'" if wanted else ""
    return [first, Finding("extras", "note" if wanted else "ok", told, mend)]


def _sorted(requires: Sequence[str]) -> tuple[list[Requirement], dict[str, list[Requirement]]]:
    """What is always needed on this machine, and by extra."""
    always: list[Requirement] = []
    extras: dict[str, list[Requirement]] = {}
    for text in requires:
        try:
            one = Requirement(text)
        except InvalidRequirement:
            continue
        marker = str(one.marker) if one.marker else ""
        if "extra ==" not in marker:
            if one.marker is None or one.marker.evaluate({"extra": ""}):
                always.append(one)
            continue
        name = marker.partition("extra ==")[2].strip().split()[0].strip("\"'()")
        if one.marker is not None and one.marker.evaluate({"extra": name}):
            extras.setdefault(name, []).append(one)
    return always, extras


def _off(one: Requirement, version: Callable[[str], str | None]) -> str:
    """What is wrong with an installed package; empty: nothing."""
    found = version(one.name)
    if found is None:
        return f"{one.name} is not installed"
    return "" if one.specifier.contains(found, prereleases=True) else f"{one.name} {found} is not {one.specifier}"
