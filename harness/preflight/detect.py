"""Which local server is this? Told by what it answers on a few paths; matching only, nothing is asked here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from harness import config
from harness.provider import Provider

Answers = Mapping[str, tuple[int, str]]
"""Path on the server, without ``/v1`` of its own -> status and body of the answer to GET."""

_SEEN_CHARS = 1_000_000
"""As much of a body is looked at."""
_WITH_STATUS = re.compile(r"([1-5]\d\d) (.+)", re.DOTALL)


def paths(providers: Iterable[Provider] | None = None) -> tuple[str, ...]:
    """Paths whose answers ``who`` can tell something from, each once; None: those of every known provider."""
    return tuple(dict.fromkeys(path for one in _all(providers) for path in one.about.identify))


def who(answers: Answers, providers: Iterable[Provider] | None = None) -> list[str]:
    """Ids of the presets whose every mark is in these answers; empty: none is known, several: it cannot be told.

    A mark is a path and a text that a good answer (200) holds; a text that begins with a status, such as
    ``404 Not Found``, is the whole of an answer of that status. White space does not count, since JSON is written both
    with and without. ``providers``: whom to choose from; None: every known one. Where one preset's marks are among
    another's, the one with more of them is it.
    """
    seen = {path: (status, _packed(body[:_SEEN_CHARS])) for path, (status, body) in answers.items()}
    found: dict[str, frozenset[tuple[str, str]]] = {}
    for one in _all(providers):
        marks = one.about.identify
        name = one.preset or one.id
        if marks and all(path in seen and _holds(*seen[path], mark) for path, mark in marks.items()):
            found.setdefault(name, frozenset(marks.items()))
    return sorted(name for name, marks in found.items() if not any(marks < others for others in found.values()))


def _all(providers: Iterable[Provider] | None) -> Iterable[Provider]:
    return config.load_providers().values() if providers is None else providers


def _holds(status: int, body: str, mark: str) -> bool:
    if whole := _WITH_STATUS.fullmatch(mark):
        return status == int(whole[1]) and body == _packed(whole[2])
    return status == 200 and _packed(mark) in body


def _packed(text: str) -> str:
    return "".join(text.split())
