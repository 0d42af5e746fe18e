"""Which made call answers which expected one, where calls may come in any order.

``fits[want][got]`` says whether made call ``got`` would do for expected call ``want``.
"""

from __future__ import annotations

from collections.abc import Sequence


def best(fits: Sequence[Sequence[bool]]) -> dict[int, int]:
    """A largest matching, made call -> expected call, by augmenting paths.

    Source: H. W. Kuhn, The Hungarian method for the assignment problem, 1955, in its unweighted form.
    """
    taken: dict[int, int] = {}

    def place(want: int, seen: set[int]) -> bool:
        for got, fit in enumerate(fits[want]):
            if fit and got not in seen:
                seen.add(got)
                if got not in taken or place(taken[got], seen):
                    taken[got] = want
                    return True
        return False

    for want in range(len(fits)):
        place(want, set())
    return taken


def first_come(fits: Sequence[Sequence[bool]]) -> dict[int, int]:
    """The matching in which each expected call in turn takes the first free made call that would do.

    It may leave calls over although all could be matched.
    """
    taken: dict[int, int] = {}
    for want, row in enumerate(fits):
        free = next((got for got, fit in enumerate(row) if fit and got not in taken), None)
        if free is not None:
            taken[free] = want
    return taken
