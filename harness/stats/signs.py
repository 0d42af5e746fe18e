"""The sign test: whether of two outcomes one came more often than chance."""

from __future__ import annotations


def sign_test(one: int, other: int, *, mid: bool = False) -> float:
    """Two-sided binomial p of so many times the one and so many the other, both being equally likely.

    With ``mid`` the outcome that was seen counts half: the exact test is stricter than it says, since counts are whole.

    Source: Conover, "Practical Nonparametric Statistics", 3rd ed. (1999), section 3.4; Lancaster, "Significance tests
    in discrete distributions", JASA 56 (1961), for mid-p.
    """
    n, fewer = one + other, min(one, other)
    ways, tail = 1, 1
    for i in range(fewer):
        ways = ways * (n - i) // (i + 1)
        tail += ways
    # An integer ratio: a float power would overflow for thousands of outcomes.
    return min(1.0, (2 * tail - (ways if mid else 0)) / (1 << n))
