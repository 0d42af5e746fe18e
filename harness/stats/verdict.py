"""The word for a difference."""

from __future__ import annotations

from typing import Literal

from harness.stats.power import ALPHA

VerdictWord = Literal["better", "worse", "unclear", "not worse", "inconclusive"]


def verdict_of_ratio(low: float | None, high: float | None, p_adjusted: float | None = None) -> VerdictWord:
    """Of B against A, from the 95 % interval of B over A where less is better; unclear where it cannot be given."""
    if low is None or high is None:
        return "unclear"
    return verdict(1 - high, 1 - low, p_adjusted)


def verdict(
    low: float | None, high: float | None, p_adjusted: float | None = None, margin: float | None = None
) -> VerdictWord:
    """Of B against A, from the 95 % interval of B minus A.

    Without a margin: better or worse where the interval leaves out 0 and the adjusted p, where there is one, is at most
    0.05; else unclear. With a margin (above 0, in the unit of the bounds): not worse where a loss of the margin or more
    is left out; else worse where the interval is below 0 and the adjusted p at most 0.05; else inconclusive. A bound
    that is None leaves out nothing.

    Source: for the margin, the non-inferiority test of ICH E9, "Statistical principles for clinical trials" (1998),
    section 3.3.2, at one-sided 2.5 %.
    """
    told_apart = p_adjusted is None or p_adjusted <= ALPHA
    below = high is not None and high < 0 and told_apart
    if margin is not None:
        if low is not None and low > -margin:
            return "not worse"
        return "worse" if below else "inconclusive"
    if below:
        return "worse"
    return "better" if low is not None and low > 0 and told_apart else "unclear"
