"""Where a run was steady, by hand and by made-up runs."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.steady import Span, mser5, steady_window, under_way

S = 1_000_000_000


def _of_batches(means: list[float]) -> list[float]:
    return [mean + step for mean in means for step in (-2.0, -1.0, 0.0, 1.0, 2.0)]


def test_mser_cuts_as_by_hand() -> None:
    """Batch means 10 2 1 3 2 1 3 2 have the scores 60/64, 4/49, 4/36, 2.8/25, 2/16: the first batch goes."""
    assert mser5(_of_batches([10, 2, 1, 3, 2, 1, 3, 2])) == 5


def test_a_series_that_never_settles_has_no_cut() -> None:
    """The score of a straight line falls up to the edge, which says that it still moves."""
    assert mser5([float(i) for i in range(200)]) is None


def test_a_level_series_is_kept_whole() -> None:
    """Equal values have equal scores: nothing is cut."""
    assert mser5([4.0] * 100) == 0
    assert mser5([4.0] * 9) is None


@given(st.lists(st.floats(0, 1e6), max_size=200), st.floats(-1e3, 1e3))
def test_a_cut_is_a_whole_batch_in_the_first_half(values: list[float], shift: float) -> None:
    """At most half is cut, in fives."""
    cut = mser5([value + shift for value in values])
    assert cut is None or (cut % 5 == 0 and 0 <= cut < len(values) / 2)


def test_a_slow_start_is_cut_and_the_drain_left_out() -> None:
    """Twenty requests of 3 s before 380 of about 1 s: the window starts near the 21st and ends with the last start."""
    draw = random.Random(4)
    starts = [i * S // 10 for i in range(400)]
    ends = [start + (3 * S if i < 20 else round(draw.uniform(0.9, 1.1) * S)) for i, start in enumerate(starts)]
    found = steady_window(starts, ends)
    assert found is not None
    assert found.whole == Span(0, max(ends))
    assert found.steady is not None
    assert 2 * S <= found.steady.start_ns <= 6 * S
    assert found.steady.end_ns == starts[-1]
    assert (found.n, found.kept) == (400, sum(start >= found.steady.start_ns for start in starts))
    assert "are start-up (MSER-5 of" in found.reason
    assert "are the drain" in found.reason


def test_filling_up_is_start_up_too() -> None:
    """Ten users who come in one by one with equal latencies are found by the number under way."""
    starts = [round(0.3 * i * S) for i in range(10)]
    starts += [start + turn * 3 * S for turn in range(1, 30) for start in starts[:10]]
    found = steady_window(starts, [start + 3 * S for start in starts])
    assert found is not None
    assert found.steady is not None
    assert "requests under way" in found.reason
    assert found.steady.start_ns > 0


def test_a_run_that_grows_to_its_end_has_no_steady_part() -> None:
    """Latency that rises all the way is told as such, and the whole run is still there."""
    starts = [i * S for i in range(200)]
    found = steady_window(starts, [start + (i + 1) * S // 400 for i, start in enumerate(starts)])
    assert found is not None
    assert found.steady is None
    assert found.kept == 0
    assert found.reason.startswith("latency had not settled")
    assert found.whole == Span(0, 199 * S + S // 2)


def test_few_requests_decide_nothing() -> None:
    """Under 50 requests there is no window but a reason, and without any there is nothing."""
    found = steady_window([0, 1], [5, 9])
    assert found is not None
    assert found[:4] == (Span(0, 9), None, 2, 0)
    assert steady_window([], []) is None
    with pytest.raises(ValueError, match=r"shorter|longer"):
        steady_window([1], [])


def test_order_does_not_matter() -> None:
    """Requests are put in order of starting first."""
    draw = random.Random(8)
    pairs = [(i * S // 5, i * S // 5 + round(draw.uniform(0.5, 1.5) * S)) for i in range(100)]
    mixed = draw.sample(pairs, len(pairs))
    assert steady_window(*zip(*pairs, strict=True)) == steady_window(*zip(*mixed, strict=True))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 30)), max_size=40))
def test_under_way_counts_what_has_begun_and_not_ended(found: list[tuple[int, int]]) -> None:
    """At each start the count is that of the plain definition, itself included."""
    pairs = sorted((start, start + length) for start, length in found)
    plain = [sum(end > start for _, end in pairs[: i + 1]) for i, (start, _) in enumerate(pairs)]
    assert under_way(pairs) == plain
