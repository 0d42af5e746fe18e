"""Whether a candidate holds the same tokens for likely as the reference does, where the probabilities are served."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.fidelity.logprobs import MARGIN, Rows, TopLogprobs, against_itself, distance
from harness.report.fidelity.answers import Answers
from harness.report.fidelity.finding import Finding, Shown, always, of_gap
from harness.report.fidelity.served import Ranked

TEST = "log probabilities"
_MOST_SHOWN = 2


def logprobs(answers: Answers, endpoint: str) -> Finding:
    """How far the served log probabilities of each prompt's first token are from the reference's."""
    twice, own = (answers.served.ranked.get(one, []) for one in (answers.reference, endpoint))
    first = [one for one in twice if one.repeat % 2 == 0]
    silent = [name for name, some in ((answers.reference, twice), (endpoint, own)) if not some]
    if silent:
        return Finding(TEST, endpoint, f"{' and '.join(silent)} served none", 0, always("not applicable"))
    asked, again, given = _rows(first), _rows([one for one in twice if one.repeat % 2]), _rows(own)
    gap, found = against_itself(asked, again, given), distance(asked, given, permutations=1)
    if gap is None or found is None:
        return Finding(TEST, endpoint, "no prompt has two answers from each", 0, always("inconclusive"))
    low, high = (100 * share for share in found.total_variation)
    return of_gap(
        gap,
        MARGIN,
        test=TEST,
        endpoint=endpoint,
        says=f"first token of {gap.prompts} prompts, {found.tokens} tokens seen: {low:.1f} to {high:.1f} % of the "
        f"probability lies elsewhere; {100 * found.censored:.0f} % of the values are bounds",
        unit="nats",
        shown=_shown(first, own, sorted(found.by_prompt, key=lambda prompt: -found.by_prompt[prompt])),
        details={"ceiling_p": gap.ceiling_p, "total_variation": list(found.total_variation), "same": found.same},
    )


def _rows(ranked: Sequence[Ranked]) -> Rows:
    found: dict[str, list[TopLogprobs]] = {}
    for one in ranked:
        found.setdefault(one.sample, []).append(one.top)
    return found


def _shown(first: Sequence[Ranked], own: Sequence[Ranked], worst: Sequence[str]) -> tuple[Shown, ...]:
    """The prompts that are furthest apart, each with the token whose probability differs most."""
    asked, given = ({one.sample: one for one in reversed(side)} for side in (first, own))
    return tuple(
        Shown(given[prompt].job, asked[prompt].job, f"{prompt}: {_apart(asked[prompt].top, given[prompt].top)}")
        for prompt in worst[:_MOST_SHOWN]
    )


def _apart(asked: TopLogprobs, given: TopLogprobs) -> str:
    shares = {token: tuple(math.exp(min(0.0, top.get(token, -math.inf))) for top in (asked, given)) for token in asked}
    token = max(shares, key=lambda one: abs(shares[one][0] - shares[one][1]))
    before, now = shares[token]
    return f"{token!r} has {100 * now:.0f} %, at the reference {100 * before:.0f} %"
