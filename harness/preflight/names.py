"""The same model under another name: what hosts call one set of weights differs in vendor, case and punctuation."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable

_LONGEST = 200
_MOST = 20_000
"""Names that are compared: a list may be anybody's."""
_WORD = re.compile(r"[a-z]+|\d+(?:[bkm](?![a-z]))?")
_SPELLED_POINT = re.compile(r"(?<=\d)p(?=\d)")


def words_of(name: str) -> tuple[str, ...]:
    """What a name says, without vendor, case and punctuation: ``llama-v3p3-70b`` and ``Llama-3.3-70B`` are one.

    What stands before the last slash is the vendor, or a folder. A size such as ``70b`` is one word.
    """
    last = name[:_LONGEST].lower().rstrip("/").rpartition("/")[2]
    last = _SPELLED_POINT.sub(".", re.sub(r"\bv(?=\d)", "", last))
    return tuple(_WORD.findall(last))


def likeness(wanted: str, name: str) -> float:
    """From 0 to 2; above 1: the name says all that is wanted, and the less besides the nearer it is to 2."""
    ours, theirs = words_of(wanted), words_of(name)
    shared = sum((Counter(ours) & Counter(theirs)).values())
    dice = 2 * shared / (len(ours) + len(theirs)) if ours or theirs else 0.0
    if ours and shared == len(ours):
        return 1 + dice
    return max(dice, difflib.SequenceMatcher(None, " ".join(ours), " ".join(theirs)).ratio())


def nearest(wanted: str, names: Iterable[str], *, n: int = 3, cutoff: float = 0.6) -> list[str]:
    """The most alike names, the best first; empty: none is near."""
    scored = [(likeness(wanted, name), name) for name, _ in zip(names, range(_MOST), strict=False)]
    kept = sorted((one for one in scored if one[0] >= cutoff), key=lambda one: (-one[0], len(one[1]), one[1]))
    if kept and kept[0][0] > 1:
        kept = [one for one in kept if one[0] > 1]
    return [name for _, name in kept[:n]]
