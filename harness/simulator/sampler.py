"""A model whose distributions are known: each token of an answer is drawn from weights of its prompt and place alone.

Every simulator with the same prompt has the same weights, whatever its seed; the seed says what is drawn of them. So
two of them are the same model, and one whose weights have noise on them is another, as after a coarser quantisation.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from harness.simulator.chance import draw
from harness.simulator.tokens import WORDS

CHOICES = 8
"""Words that can stand in one place."""
SPREAD = 1.5
"""Standard deviation of their logits."""


def sampled(
    parts: Sequence[str], length: int, rng: random.Random, *, heat: float, top_p: float = 1.0, noise: float = 0.0
) -> str:
    """A text of ``length`` words.

    Args:
        parts: the prompt, which the weights are made of.
        length: words.
        rng: draws them; not used at heat 0.
        heat: temperature; 0: the likeliest word of each place.
        top_p: the likeliest words that have this share together are left, 0 to 1.
        noise: standard deviation of what is added to the logits, the same for all simulators.
    """
    said = []
    own, coarse = draw(0, "weights", *parts), draw(0, "noise", *parts)
    for _ in range(length):
        words = own.sample(WORDS, CHOICES)
        logits = [own.gauss(0, SPREAD) + noise * coarse.gauss(0, 1) for _ in words]
        said.append(words[_pick(logits, heat, top_p, rng)])
    return " ".join(said).capitalize()


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
