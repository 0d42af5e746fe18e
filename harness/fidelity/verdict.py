"""The word for a gap between a candidate and its reference, measured against what the reference differs from itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.stats.power import ALPHA

SameWord = Literal["equivalent", "different", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Gap:
    """How far a candidate is from the reference, beside how far that is from itself, in one unit throughout."""

    value: float
    """The candidate's distance, without bias: 0 on average where both are the same. Where the reference has changed
    meanwhile, that less the ceiling."""
    low: float | None
    """Of the 95 % interval of ``value``; None: too few prompts to bound it."""
    high: float | None
    ceiling: float
    """What the reference differs from itself with the same budget."""
    p_value: float
    """That candidate and reference are the same, before it is adjusted for how many comparisons there are."""
    ceiling_p: float
    """The same of reference and reference: where it is small the reference itself has changed meanwhile."""
    mde: float | None
    """Smallest true distance found with probability 0.8; None: nothing varied, or none would be found."""
    prompts: int

    def word(self, margin: float, p_adjusted: float | None = None) -> SameWord:
        """The verdict; without an adjusted p this is the only comparison."""
        p = self.p_value if p_adjusted is None else p_adjusted
        return verdict(self.low, self.high, p, margin, steady=self.ceiling_p > ALPHA)


def verdict(
    low: float | None, high: float | None, p_adjusted: float, margin: float, *, steady: bool = True
) -> SameWord:
    """Of a gap, from its 95 % interval, the adjusted p of no difference, and a margin above 0 in the gap's unit.

    Equivalent where the interval lies within the margin to both sides, even where a difference that small was found;
    else different where the adjusted p is at most 0.05 and, where the reference is not steady, the interval lies above
    0 as well; else inconclusive. A bound that is None leaves out nothing.

    Source: Schuirmann, "A comparison of the two one-sided tests procedure and the power approach for assessing the
    equivalence of average bioavailability", J. of Pharmacokinetics and Biopharmaceutics 15 (1987), here at 2.5 % to
    each side.
    """
    if low is not None and high is not None and -margin < low and high < margin:
        return "equivalent"
    above = low is not None and low > 0
    return "different" if p_adjusted <= ALPHA and (steady or above) else "inconclusive"
