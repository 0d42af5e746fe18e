"""Log probabilities in the shape of legacy completions: four arrays side by side."""

from __future__ import annotations

from harness.simulator.model import tokens
from harness.simulator.model.chance import draw
from harness.types import JsonObject


def told(text: str, start: int, alternatives: int, mutants: frozenset[str]) -> JsonObject:
    """The logprobs of a text that stands at ``start`` in the text of its choice: made up, the same for the same token.

    The token sent is always the likeliest; ``alternatives``: how many tokens each place tells of.
    """
    said = tokens.split(text)
    chosen, ranked, offsets = list[float](), list[dict[str, float]](), list[int]()
    at = start
    for token in said:
        rng = draw(0, token)
        value = round(-0.3 * rng.random(), 4)
        others = {f" alt{number}": round(value - number - rng.random(), 4) for number in range(1, alternatives)}
        chosen.append(value)
        ranked.append(({token: value} if alternatives else {}) | others)
        offsets.append(0 if "cpl_offset_zero" in mutants else at)
        at += len(token)
    if "cpl_short_logprobs" in mutants:
        ranked = ranked[1:]
    return {"tokens": said, "token_logprobs": chosen, "top_logprobs": ranked, "text_offset": offsets}
