"""Token ids of the simulated model, for ``logit_bias``: signs, words, and made-up words up to a plausible size."""

from __future__ import annotations

import string
from itertools import product

from harness.simulator.model.tokens import WORDS

SIZE = 50_000
"""Ids from 0 to below it are tokens."""
_SYLLABLES = tuple("".join(pair) for pair in product("bcdfghjklmnprstvwxyz", "aeiou"))


def _known() -> tuple[str, ...]:
    signs = string.digits + string.punctuation + string.ascii_letters + " \n"
    bare = (*signs, *(f" {sign}" for sign in string.digits + string.ascii_letters), *WORDS)
    words = (*bare, *(word.capitalize() for word in WORDS), *(f" {word}" for word in WORDS))
    return tuple(dict.fromkeys((*words, *(f" {word.capitalize()}" for word in WORDS))))


_KNOWN = _known()
_IDS = {text: number for number, text in enumerate(_KNOWN)}


def id_of(token: str) -> int | None:
    """The id of a token; None: it has none of its own."""
    return _IDS.get(token)


def text_of(number: int) -> str:
    """The text of the token with this id, which is below ``SIZE``."""
    if number < len(_KNOWN):
        return _KNOWN[number]
    high, low = divmod(number, len(_SYLLABLES))
    return f" {_SYLLABLES[high % len(_SYLLABLES)]}{_SYLLABLES[low]}{_SYLLABLES[high // len(_SYLLABLES)]}"
