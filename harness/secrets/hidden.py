"""Every secret that this process has read, in each spelling that others may give it, and texts without them.

Whoever reads a secret notes it here first. What is printed or stored goes through here on its way.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import lru_cache
from types import TracebackType
from typing import Any, NamedTuple, TextIO, cast
from urllib.parse import quote, quote_plus

MARK = "[redacted]"
_MARK = MARK.encode()
SHORTEST = 8
"""Placeholders of local servers (``EMPTY``, ``none``) are no secrets, and taking them out would maul answers."""

_NOTED: list[str] = []


class Secrets(NamedTuple):
    """Secrets in every spelling, the longest first."""

    forms: tuple[bytes, ...]
    pattern: re.Pattern[bytes]

    def remove(self, data: bytes) -> bytes:
        """``data`` with the mark for each of them; the same object where there is none."""
        return self.pattern.sub(_MARK, data) if self.within(data) else data

    def within(self, data: bytes) -> bool:
        """Whether there is one: plain searches, which are many times faster than the pattern."""
        return any(form in data for form in self.forms)

    def remove_text(self, text: str) -> str:
        """``text`` with the mark for each of them."""
        return self.remove(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def note(*secrets: str) -> None:
    """Take in what must never be shown or stored."""
    _NOTED.extend(one for one in secrets if len(one) >= SHORTEST and one not in _NOTED)


def shown(text: str) -> str:
    """``text`` without any secret that was noted."""
    found = known(tuple(_NOTED))
    return text if found is None else found.remove_text(text)


def noted() -> Secrets | None:
    """All that were noted; None: there are none."""
    return known(tuple(_NOTED))


@lru_cache(maxsize=8)
def known(secrets: tuple[str, ...]) -> Secrets | None:
    """These secrets, but for those under eight characters; None: no other is left."""
    plain = {secret for secret in secrets if len(secret) >= SHORTEST}
    forms = sorted({form for secret in plain for form in _spellings(secret)}, key=lambda form: (-len(form), form))
    return Secrets(tuple(forms), re.compile(b"|".join(map(re.escape, forms)))) if forms else None


def _spellings(secret: str) -> Iterator[bytes]:
    """As it is, as a JSON string, in a URL, and in base64 wherever it may begin in what was encoded."""
    data = secret.encode("utf-8", "surrogatepass")
    yield data
    yield json.dumps(secret)[1:-1].encode()
    for escaped in (quote(data, safe=""), quote(data), quote_plus(data)):
        yield escaped.encode()
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), escaped).encode()
    for before in range(3):
        # Characters that hold bits of nothing but the secret: a neighbour changes none of them.
        first, last = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        encoded = base64.b64encode(bytes(before) + data)[first:last]
        yield encoded
        yield encoded.translate(bytes.maketrans(b"+/", b"-_"))


class _Veil:
    """A stream of text that lets no secret through; all else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write it without secrets; one that is split over two calls is not seen."""
        self._stream.write(shown(text) if _NOTED else text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each."""
        for line in lines:
            self.write(line)


@contextmanager
def veiled() -> Iterator[None]:
    """Have nothing that is printed in the block hold a secret."""
    with (
        redirect_stdout(cast("TextIO", _Veil(sys.stdout))),
        redirect_stderr(cast("TextIO", _Veil(sys.stderr))),
    ):
        yield


def hide_in_tracebacks() -> None:
    """Have what ends this program or one of its threads unforeseen be told without secrets."""
    sys.excepthook = _tell
    threading.excepthook = lambda told: _tell(told.exc_type, told.exc_value or told.exc_type(), told.exc_traceback)


def _tell(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
    sys.stderr.write(shown("".join(traceback.format_exception(kind, error, at))))
