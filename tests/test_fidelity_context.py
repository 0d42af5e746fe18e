"""The real window of endpoints that cut in known ways, and of models that only forget."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from harness.fidelity import context
from harness.fidelity.context import Needle, window
from harness.report.fidelity.answers import Answer, Answers, Asked
from harness.report.fidelity.context import context as judged_context

DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
LENGTHS = (1000, 2000, 4000, 8000)
Reads = Callable[[int, float], bool]


def _front(size: int) -> Reads:
    return lambda length, depth: depth * length >= length - size


def _end(size: int) -> Reads:
    return lambda length, depth: depth * length <= size


def _middle(size: int) -> Reads:
    return lambda length, depth: min(depth, 1 - depth) * length <= size / 2 or length <= size


def _asked(reads: Reads, counts: Callable[[int], int | None] = lambda length: length + 9, repeats: int = 2):
    return [
        Needle(length, depth, reads(length, depth), counts(length))
        for length in LENGTHS
        for depth in DEPTHS
        for _ in range(repeats)
    ]


@pytest.mark.parametrize(
    ("reads", "size", "fate"),
    [
        (_front, 2500, "cut at the front"),
        (_end, 2500, "cut at the end"),
        (_middle, 2500, "middle-out"),
        (_front, 512, "cut at the front"),
    ],
)
@pytest.mark.parametrize("stated", [True, False])
def test_a_silent_cut_is_found_and_named(reads: Callable[[int], Reads], size: int, fate: str, stated: bool) -> None:
    """By the depths that are lost, and where the count is stated by the count that stays."""
    found = window(_asked(reads(size), lambda length: min(length, size) if stated else None, repeats=6))
    assert found is not None
    if size >= LENGTHS[0]:
        assert (found.fate, found.silent, found.whole, found.cut) == (fate, True, 2000, 4000)
        assert found.stated == (size if stated else None)
    else:
        assert found.whole is None


def test_the_whole_prompt_is_read() -> None:
    """Every needle at every length: whole, up to the longest that was tried."""
    found = window(_asked(lambda length, depth: True))
    assert found is not None
    assert (found.fate, found.silent, found.whole, found.cut, found.stated) == ("whole", False, 8000, None, None)


def test_a_refusal_is_honest() -> None:
    """A prompt that is refused as too long ends the window, and nothing is silent."""
    kept = [each for each in _asked(lambda length, depth: True) if each.length < 8000]
    found = window([*kept, *(Needle(8000, depth, None, refused=True) for depth in DEPTHS)])
    assert found is not None
    assert (found.fate, found.silent, found.whole, found.cut) == ("refused", False, 4000, 8000)


def test_a_count_that_is_stuck_while_everything_is_found() -> None:
    """Such an endpoint counts oddly and reads the whole prompt; the count is told."""
    found = window(_asked(lambda length, depth: True, lambda length: min(length, 2050)))
    assert found is not None
    assert (found.fate, found.stated) == ("whole", 2050)


def test_one_needle_a_depth_with_a_stuck_count_is_enough() -> None:
    """The count bears out what single needles show."""
    cut = window(_asked(_front(2500), lambda length: min(length, 2500), repeats=1))
    bare = window(_asked(_front(3000), lambda length: None, repeats=1))
    assert cut is not None
    assert bare is not None
    assert (cut.fate, bare.steps[2].fate) == ("cut at the front", "inconclusive")


def test_nothing_to_judge() -> None:
    """No needles, none answered, or a model that finds nothing even in short prompts: no window is claimed."""
    assert window([]) is None
    failed = window([Needle(1000, depth, None) for depth in DEPTHS])
    blind = window(_asked(lambda length, depth: False))
    assert failed is not None
    assert blind is not None
    assert (failed.fate, failed.silent) == ("inconclusive", False)
    assert (blind.fate, blind.whole) == ("lost", None)


@pytest.mark.parametrize(("here", "base"), [((3, 10), (9, 10)), ((0, 5), (5, 5)), ((7, 7), (2, 9)), ((2, 4), (2, 4))])
def test_the_exact_test_is_fishers(here: tuple[int, int], base: tuple[int, int]) -> None:
    """The tail is that of scipy's one-sided test."""
    table = [[here[0], here[1] - here[0]], [base[0], base[1] - base[0]]]
    assert context._fewer(here, base) == pytest.approx(stats.fisher_exact(table, alternative="less").pvalue)


def test_a_forgetful_model_is_called_cut_in_less_than_a_twentieth() -> None:
    """400 endpoints that read everything, of a model that finds 70 % of needles: a discrete test stays under 5 %."""
    draw = np.random.default_rng(1)
    words = [window(_asked(lambda length, depth: bool(draw.random() < 0.7), repeats=4)) for _ in range(400)]
    assert sum(found is not None and found.silent for found in words) / 400 <= 0.05


def test_power_rises_with_the_needles() -> None:
    """A cut to 3,000 of 4,000 tokens and more is found more often with more needles a depth."""

    def share(repeats: int) -> float:
        draw = np.random.default_rng(2)
        reads = _front(3000)
        found = [
            window(_asked(lambda length, depth: reads(length, depth) and bool(draw.random() < 0.9), repeats=repeats))
            for _ in range(60)
        ]
        return sum(each is not None and each.silent for each in found) / 60

    power = [share(repeats) for repeats in (1, 3, 8)]
    assert power == sorted(power)
    assert power[-1] > 0.9


@pytest.mark.parametrize(
    ("refuses", "counts", "word"),
    [
        (False, {1000: 1030, 2000: 2040}, "inconclusive"),
        (True, {}, "different"),
        (False, {1000: 485, 2000: 485}, "different"),
    ],
)
def test_a_weak_model_is_no_cover(refuses: bool, counts: dict[int, int], word: str) -> None:
    """Where the reference itself finds only some needles, a refusal or a count that stays is a difference anyway."""
    tasks = ("needle_1k", "needle_2k")

    def said(endpoint: str, sizes: dict[int, int]) -> dict[tuple[str, str], tuple[Answer, ...]]:
        return {
            (endpoint, f"needle_{length // 1000}k"): tuple(
                Answer("", f"{depth:03d}-1", 0, "j", "x", "", (), "stop", count, 9, at % 2, None, {}, (), ok=True)
                for at, depth in enumerate((0, 25, 50, 75, 100))
            )
            for length, count in sizes.items()
        }

    asked = {(task, "000-1"): Asked(5, 5, "context_overflow", "j") for task in tasks} if refuses else {}
    given = Answers("r/m", ("c/m",), said("r/m", {1000: 1030, 2000: 2040}) | said("c/m", counts), {"c/m": asked})
    assert judged_context(given, "c/m", tasks).word(None) == word
