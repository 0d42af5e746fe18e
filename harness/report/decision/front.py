"""Who is worth looking at when two measures matter: the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping

Point = tuple[float, float]


def dominated(points: Mapping[str, Point], *, more: tuple[bool, bool]) -> dict[str, str]:
    """Every endpoint off the front, with one on it that is at least as good in both measures and better in one.

    Of the estimates alone: whether the two are told apart is another question. Endpoints that are equal in both
    dominate nobody of each other.

    Args:
        points: two measures of each endpoint.
        more: of each measure whether more is better.

    Source: the definition of Pareto dominance; Kung, Luccio & Preparata, "On finding the maxima of a set of vectors",
    Journal of the ACM 22 (1975).
    """
    turned = {name: tuple(v if up else -v for v, up in zip(at, more, strict=True)) for name, at in points.items()}
    found: dict[str, str] = {}
    best: tuple[str, tuple[float, ...]] | None = None
    # By the first measure from the best on, then by the second: one scan sees for each all that could dominate it.
    for name, at in sorted(turned.items(), key=lambda item: item[1], reverse=True):
        if best is not None and best[1][1] >= at[1] and best[1] != at:
            found[name] = best[0]
        elif best is None or at[1] > best[1][1]:
            best = (name, at)
    return found
