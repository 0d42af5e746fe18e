"""What ``logit_bias`` and the penalties make of a text: here only their extremes turn one token into another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.simulator.model import tokens, vocabulary
from harness.simulator.requests.asked import Asked

_CERTAIN = 100
"""A bias that settles the matter, in either direction."""
_TOO_OFTEN = 4
"""Logits lost to penalties at which another token takes a repeated one's place."""


def steered(text: str, asked: Asked) -> list[str]:
    """The tokens of a text under the biases and penalties of the request; joined, what is said."""
    said = tokens.split(text)
    forced = max(asked.bias, key=lambda number: asked.bias[number], default=0)
    if asked.bias.get(forced, 0) >= _CERTAIN:
        return [vocabulary.text_of(forced)] * (asked.cap or len(said))
    if any(bias <= -_CERTAIN for bias in asked.bias.values()):
        said = [_other(number, said) if _banned(token, asked) else token for number, token in enumerate(said)]
    return _thinned(said, asked) if asked.frequency_penalty > 0 or asked.presence_penalty > 0 else said


def _banned(token: str, asked: Asked) -> bool:
    number = vocabulary.id_of(token)
    return number is not None and asked.bias.get(number, 0) <= -_CERTAIN


def _thinned(said: Sequence[str], asked: Asked) -> list[str]:
    """The tokens, with another one for each that would come too often."""
    times = Counter[str]()
    kept: list[str] = []
    for number, token in enumerate(said):
        lost = times[token] * asked.frequency_penalty + (times[token] > 0) * asked.presence_penalty
        kept.append(_other(number, said) if lost > _TOO_OFTEN else token)
        times[kept[-1]] += 1
    return kept


def _other(number: int, said: Sequence[str]) -> str:
    """A word that is said in the place of a token, longer than any that has an id."""
    space = " " if said[number].startswith(" ") or not number else ""
    return f"{space}{tokens.WORDS[number % len(tokens.WORDS)][:4]}wise"
