"""Calls in any order: as many are matched as can be."""

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.scorers.matching import best, first_come

SQUARES = st.integers(0, 5).flatmap(
    lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=n, max_size=n)
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # the machine may be busy
@given(SQUARES)
def test_no_other_assignment_matches_more(fits: list[list[bool]]) -> None:
    """The best matching is as large as that of the best of all orders; first come is a matching, and never larger."""
    n = len(fits)
    most = max(sum(fits[want][got] for want, got in enumerate(order)) for order in itertools.permutations(range(n)))
    for found in (best(fits), first_come(fits)):
        assert all(fits[want][got] for got, want in found.items())
        assert len(set(found.values())) == len(found)
    assert len(best(fits)) == most >= len(first_come(fits))


def test_first_come_can_leave_one_over() -> None:
    """The first expected call takes the only made one that the second would take."""
    fits = [[True, True], [True, False]]
    assert (best(fits), first_come(fits)) == ({0: 1, 1: 0}, {0: 0})
