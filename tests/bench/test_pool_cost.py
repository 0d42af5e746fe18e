"""What the pool's own bookkeeping costs."""

from __future__ import annotations

import time

import pytest

from harness.wire.pool import Pool, _Home

pytestmark = pytest.mark.bench


def test_the_cost_of_a_kept_connection_does_not_grow() -> None:
    """Taking one of thousands of idle connections out, from either end, takes as long as out of a few."""

    class Idle:
        """As much of a connection as the pool looks at."""

        idle_since_ns = 0
        exchanges = 1

        def check_idle(self) -> bool:
            """Always good."""
            return True

    def steps(count: int) -> float:
        pool, home = Pool(proxies={}), _Home(None)
        home.proven = True
        for _ in range(count):
            home.idle[Idle()] = None  # type: ignore[index]
        begin = time.perf_counter_ns()
        for _ in range(count):
            assert pool._kept(home) is not None
        return (time.perf_counter_ns() - begin) / count

    few = min(steps(500) for _ in range(5))
    assert min(steps(20_000) for _ in range(3)) < 20 * few
