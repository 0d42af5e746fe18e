"""How far several judges agree on the same things."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence


def equal_share(units: Sequence[Sequence[Hashable]]) -> float | None:
    """Share of the units with two or more values whose values are all the same; None: there is no such unit."""
    several = [unit for unit in units if len(unit) > 1]
    return sum(len(set(unit)) == 1 for unit in several) / len(several) if several else None


def interval_alpha(units: Sequence[Sequence[float]]) -> float | None:
    """Krippendorff's alpha for interval data: 1 perfect, 0 as by chance; None: nothing to pair, or no value differs.

    ``units`` holds for each thing that was judged the values it was given, in any order and number; those with fewer
    than two say nothing. With n pairable values, D_o = 1/n sum over units of sum_(i != j) (v_i - v_j)^2 / (m - 1),
    D_e = sum_(i != j) (v_i - v_j)^2 / (n (n - 1)) over all of them, alpha = 1 - D_o / D_e.

    Source: Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C with the interval metric.
    """
    several = [unit for unit in units if len(unit) > 1]
    every = [value for unit in several for value in unit]
    n = len(every)
    expected = _spread(every) / (n * (n - 1)) if n else 0.0
    if expected == 0.0:
        return None
    observed = sum(_spread(unit) / (len(unit) - 1) for unit in several) / n
    return 1 - observed / expected


def cohen_kappa(pairs: Sequence[tuple[Hashable, Hashable]]) -> float | None:
    """Cohen's kappa of two judges: 1 perfect, 0 as by chance; None: no pair, or both only ever said one and the same.

    (p_o - p_e) / (1 - p_e): p_o the share of equal verdicts, p_e that of two judges who say each as often, by chance.

    Source: Cohen, "A coefficient of agreement for nominal scales", Educ. Psychol. Meas. 20 (1960), eq. 1.
    """
    n = len(pairs)
    if not n:
        return None
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    by_chance = sum(times * second[said] for said, times in first.items())
    if by_chance == n * n:
        return None
    equal = sum(one == other for one, other in pairs)
    return (equal / n - by_chance / n**2) / (1 - by_chance / n**2)


def _spread(values: Sequence[float]) -> float:
    """Sum of (v_i - v_j)^2 over all ordered pairs."""
    mean = sum(values) / len(values)
    return 2 * len(values) * sum((value - mean) ** 2 for value in values)
