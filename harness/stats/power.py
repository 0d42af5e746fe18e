"""What a comparison could have seen."""

from __future__ import annotations

import math
from statistics import NormalDist

from harness.stats.intervals import score_bounds

ALPHA = 0.05
POWER = 0.8


def smallest_detectable_difference(n: int, discordant: int) -> float | None:
    """Smallest true difference of two paired proportions found with probability ``POWER`` at two-sided ``ALPHA``.

    MDE = (z_(alpha/2) + z_beta) sqrt(psi / n), where psi is the share of discordant pairs. When none was seen, psi is
    not 0: its Wilson upper bound is used, since a difference can hide there. None when n is 0; never above 1.

    Source: Connor, "Sample size for testing differences in proportions for the paired-sample design", Biometrics 43
    (1987), with the term in the difference itself left out (it only makes the MDE smaller).
    """
    if n == 0:
        return None
    psi = discordant / n if discordant else score_bounds(0, n)[1]
    normal = NormalDist()
    return min(1.0, (normal.inv_cdf(1 - ALPHA / 2) + normal.inv_cdf(POWER)) * math.sqrt(psi / n))
