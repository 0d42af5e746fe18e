"""The simulator's own tokenizer, and text made of a given number of its tokens."""

from __future__ import annotations

import random
import re

VOCABULARY = 32_768
"""Ids that a prompt or an input may hold in the place of text."""
_TOKEN = re.compile(r"\s?\w{1,8}|\s?[^\w\s]|\s+")
# fmt: off
WORDS = (
    "time", "year", "work", "life", "hand", "part", "case", "week", "point", "place", "right", "small", "large",
    "next", "early", "young", "public", "able", "water", "river", "stone", "light", "house", "garden", "window",
    "table", "paper", "music", "letter", "winter", "summer", "morning", "evening", "harbour", "lantern", "market",
    "bridge", "forest", "meadow", "valley", "north", "south", "quiet", "golden", "silver", "gentle", "narrow",
    "distant", "familiar", "simple", "careful", "steady", "bright", "people", "moment", "story", "answer",
    "question", "village", "captain", "sailor", "teacher", "doctor", "farmer", "brother", "sister", "mother",
    "walks", "stands", "turns", "finds", "keeps", "brings", "holds", "opens", "follows", "carries", "watches",
    "listens", "begins", "returns", "between", "across", "under", "above", "beside", "during", "before", "after",
    "always", "often", "never", "slowly", "early", "again", "almost", "together", "the", "a", "of", "and", "in",
    "to",
)
# fmt: on


def split(text: str) -> list[str]:
    """The tokens of a text: words of up to 8 letters with the space before them, and single signs; joined, the text."""
    return _TOKEN.findall(text)


def count(text: str) -> int:
    """How many tokens a text has."""
    return len(_TOKEN.findall(text))


def filler(rng: random.Random, length: int) -> str:
    """A text of exactly ``length`` tokens: plain words, now and then a full stop."""
    words = rng.choices(WORDS, k=length)
    for place in range(11, length - 1, 12):
        words[place] = "."
    pieces: list[str] = []
    start = True
    for word in words:
        full_stop = word == "."
        pieces.append(word if full_stop or not pieces else " " + (word.capitalize() if start else word))
        start = full_stop
    return pieces[0].capitalize() + "".join(pieces[1:]) if pieces else ""
