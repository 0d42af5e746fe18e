"""A model whose distributions are known: each token of an answer is drawn from weights of its prompt and place alone.

Every simulator with the same prompt has the same weights, whatever its seed; the seed says what is drawn of them. So
two of them are the same model, and one whose weights have noise on them is another, as after a coarser quantisation.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from harness.simulator.model.chance import draw
from harness.simulator.model.tokens import WORDS

Ranked = tuple[tuple[str, float], ...]
"""Tokens that can stand in one place with their log probabilities, the likeliest first."""
CHOICES = 8
"""Words that can stand in one place."""
SPREAD = 1.5
"""Standard deviation of their logits."""


class Drawn(NamedTuple):
    """A text of the model, and the words with their logits in each place of it."""

    text: str
    places: list[tuple[list[str], list[float]]]

    @property
    def ranked(self) -> tuple[Ranked, ...]:
        """The tokens of each place with their log probabilities at temperature 1."""
        return tuple(_ranked(place, *each) for place, each in enumerate(self.places))


def sampled(
    parts: Sequence[str],
    length: int,
    rng: random.Random,
    *,
    heat: float,
    top_p: float = 1.0,
    noise: float = 0.0,
    shaken: Callable[[], float] | None = None,
) -> Drawn:
    """A text of ``length`` words.

    Args:
        parts: the prompt, which the weights are made of.
        length: words.
        rng: draws them; not used at heat 0.
        heat: temperature; 0: the likeliest word of each place.
        top_p: the likeliest words that have this share together are left, 0 to 1.
        noise: standard deviation of what is added to the logits, the same for all simulators.
        shaken: what is added to each logit of this text alone, as batches do; None: nothing.
    """
    said, places = [], []
    own, coarse = draw(0, "weights", *parts), draw(0, "noise", *parts)
    for _ in range(length):
        words = own.sample(WORDS, CHOICES)
        logits = [own.gauss(0, SPREAD) + noise * coarse.gauss(0, 1) for _ in words]
        if shaken is not None:
            logits = [logit + shaken() for logit in logits]
        said.append(words[_pick(logits, heat, top_p, rng)])
        places.append((words, logits))
    return Drawn(" ".join(said).capitalize(), places)


def looped(text: str) -> str:
    """A text that after two fifths says four words again and again, to the same length."""
    words = text.split(" ")
    begun = max(1, 2 * len(words) // 5)
    again = words[begun : begun + 4]
    return " ".join([*words[:begun], *itertools.islice(itertools.cycle(again), len(words) - begun)])


def _ranked(place: int, words: Sequence[str], logits: Sequence[float]) -> Ranked:
    tokens = [f" {word}" if place else word.capitalize() for word in words]
    whole = math.log(math.fsum(map(math.exp, logits)))
    found = [(token, round(logit - whole, 6)) for token, logit in zip(tokens, logits, strict=True)]
    return tuple(sorted(found, key=lambda one: -one[1]))


def _pick(logits: Sequence[float], heat: float, top_p: float, rng: random.Random) -> int:
    likeliest = sorted(range(len(logits)), key=lambda place: -logits[place])
    if heat <= 0:
        return likeliest[0]
    weights = [math.exp((logits[place] - logits[likeliest[0]]) / heat) for place in likeliest]
    kept, total = 0.0, sum(weights)
    for number, weight in enumerate(weights, 1):
        kept += weight / total
        if kept >= top_p:
            return rng.choices(likeliest[:number], weights[:number])[0]
    return rng.choices(likeliest, weights)[0]
