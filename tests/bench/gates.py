"""Simulated nights through the statistics of the gate: how often each mode cries wolf, and what it finds.

``python tests/bench/gates.py`` prints the tables of docs/gates.md; with ``--write docs/gates.md`` it puts them there.
Every figure comes from a seed: the same program prints the same tables. ``tests/bench/test_gates.py`` holds 400 nights
of each mode against its stated level.

A night is a run whose times are lognormal with a standard deviation of 0.5 on the logarithm, which is that of real
first tokens, times a factor of the run or block, lognormal too: the run-to-run noise. What is compared is the median.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import mannwhitneyu

from harness.stats.blocks import paired_blocks, paired_shares
from harness.stats.change import Asked, Change, Count
from harness.stats.changepoint import change_points
from harness.stats.gating import ALPHA, Mode, confirmed, gated
from harness.stats.items import paired_items
from harness.stats.nights import against_nights, against_share_nights

NIGHTS = 400
NOISES = (0.0, 0.03, 0.06, 0.10)
FACTORS = (1.0, 1.1, 1.2, 1.3, 1.5)
WITHIN = 0.5
"""Standard deviation of the logarithm of one request's time."""
BLOCKS, IN_BLOCK = 10, 100
IN_NIGHT = BLOCKS * IN_BLOCK
HISTORY = 20
MARGIN: dict[Mode, float] = {"paired": 0.10, "history": 0.20, "release": 0.10}
NAIVE = 1.10
"""Worse than last night by this: the rule that most tools have."""
_ALIKE = 0.9
"""Autocorrelation of the drift from one block to the next."""
_BEGIN, _END = "<!-- figures: tests/bench/gates.py -->", "<!-- end of figures -->"

Values = NDArray[np.float64]


def medians(draw: np.random.Generator, shape: tuple[int, ...], requests: int) -> Values:
    """Medians of so many requests each, 100 ms in truth.

    The middle one of n uniform numbers, n odd, is Beta((n + 1) / 2, (n + 1) / 2): one draw in place of n. Source:
    David & Nagaraja, "Order statistics", 3rd ed. (2003), section 2.1.
    """
    half = (requests + 1) / 2
    found: Values = 100 * np.exp(WITHIN * ndtri(draw.beta(half, half, shape)))
    return found


def jobs(
    draw: np.random.Generator, nights: int, noise: float, factor: float, blocks: int = BLOCKS
) -> tuple[Values, Values]:
    """Blocks of base and candidate in the order ABBA, nights x blocks, the candidate so many times as slow.

    Each block has its own factor, and a drift of the same size that it shares with its neighbours in time.
    """
    drift = np.empty((nights, 2 * blocks))
    steps = draw.standard_normal((nights, 2 * blocks))
    drift[:, 0] = steps[:, 0]
    for at in range(1, 2 * blocks):
        drift[:, at] = _ALIKE * drift[:, at - 1] + math.sqrt(1 - _ALIKE**2) * steps[:, at]
    own = draw.standard_normal((nights, 2 * blocks))
    every = medians(draw, (nights, 2 * blocks), IN_BLOCK) * np.exp(noise * (drift + own))
    first = np.arange(blocks) * 2 + np.arange(blocks) % 2  # A B, B A, A B...
    second = np.arange(blocks) * 2 + (np.arange(blocks) + 1) % 2
    return every[:, first], factor * every[:, second]


def runs(draw: np.random.Generator, shape: tuple[int, ...], noise: float) -> Values:
    """One median a run, each run with its own factor."""
    return medians(draw, shape, IN_NIGHT) * np.exp(noise * draw.standard_normal(shape))


def asked(mode: Mode, margin: float | None = None) -> Asked:
    """TTFT p50 as a gate of this mode asks for it."""
    return Asked("ratio", "lower", MARGIN[mode] if margin is None else margin, ALPHA[mode])


def by_blocks(mode: Mode, noise: float, factor: float, *, seed: int, nights: int = NIGHTS) -> dict[str, float]:
    """Shares of the verdicts of a paired or a release gate, and of ``naive`` on the same data."""
    base, candidate = jobs(np.random.default_rng(seed), nights, noise, factor)
    found = [paired_blocks(a, b, asked(mode)) for a, b in zip(base.tolist(), candidate.tolist(), strict=True)]
    words = Counter(gated([change], mode)[0].word for change in found)
    # The rule looks at tonight's candidate and at what the base showed the night before.
    before, now = np.median(base, axis=1)[:-1], np.median(candidate, axis=1)[1:]
    return _shares(words, nights) | {"naive": float(np.mean(now > NAIVE * before)), "mde": _middle(found)}


def by_history(noise: float, factor: float, *, seed: int, nights: int = NIGHTS) -> dict[str, float]:
    """Shares of the verdicts against history, ``once`` without a rerun, and of ``naive`` on the same data."""
    draw = np.random.default_rng(seed)
    good, tonight, again = runs(draw, (nights, HISTORY), noise), *(factor * runs(draw, (nights,), noise) for _ in "12")
    first, words = [], Counter[str]()
    for nights_before, one, other in zip(good.tolist(), tonight.tolist(), again.tolist(), strict=True):
        looks = [against_nights(nights_before, look, asked("history")) for look in (one, other)]
        verdicts = [gated([look], "history")[0] for look in looks]
        first.append((looks[0], verdicts[0].word))
        words[confirmed(*verdicts).word] += 1
    once = sum(word == "fail" for _, word in first) / nights
    naive = float(np.mean(tonight > NAIVE * good[:, -1]))
    return _shares(words, nights) | {"once": once, "naive": naive, "mde": _middle([look for look, _ in first])}


def pooled(noise: float, *, seed: int, nights: int = NIGHTS, requests: int = 200) -> float:
    """How often a rank test over all requests of two equal runs calls them different at 5 %."""
    draw = np.random.default_rng(seed)
    own = np.exp(noise * draw.standard_normal((2, nights, 1)))
    one, other = np.exp(WITHIN * draw.standard_normal((2, nights, requests))) * own
    return float(np.mean(mannwhitneyu(one, other, axis=1).pvalue <= 0.05))


def _shares(words: Counter[str], nights: int) -> dict[str, float]:
    return {word: words[word] / nights for word in ("pass", "fail", "inconclusive")}


def _middle(found: Sequence[Change]) -> float:
    return float(np.median([change.mde for change in found if change.mde is not None]))


def failures(mode: Mode, more: float, *, seed: int, share: float = 0.01, nights: int = NIGHTS) -> dict[str, float]:
    """Verdicts on error rates with a margin of one point; ``more`` is how much larger the candidate's share is."""
    draw, wanted = np.random.default_rng(seed), Asked("difference", "lower", 0.01, ALPHA[mode])
    words = Counter[str]()
    for _ in range(nights):
        if mode == "history":
            good = [Count(int(k), BLOCKS * IN_BLOCK) for k in draw.binomial(BLOCKS * IN_BLOCK, share, HISTORY)]
            looks = [Count(int(k), BLOCKS * IN_BLOCK) for k in draw.binomial(BLOCKS * IN_BLOCK, share + more, 2)]
            verdicts = [gated([against_share_nights(good, look, wanted)], mode)[0] for look in looks]
            words[confirmed(*verdicts).word] += 1
        else:
            sides = [
                [Count(int(k), IN_BLOCK) for k in draw.binomial(IN_BLOCK, p, BLOCKS)] for p in (share, share + more)
            ]
            words[gated([paired_shares(*sides, wanted)], mode)[0].word] += 1
    return _shares(words, nights)


def five_at_their_margins(noise: float, *, seed: int, nights: int = NIGHTS) -> float:
    """Share of paired gates of which any of five metrics fails, all of them worse by exactly the margin."""
    draw = np.random.default_rng(seed)
    five = [jobs(draw, nights, noise, 1 + MARGIN["paired"]) for _ in range(5)]
    return (
        sum(
            any(
                one.word == "fail"
                for one in gated(
                    [paired_blocks(a[i].tolist(), b[i].tolist(), asked("paired")) for a, b in five], "paired"
                )
            )
            for i in range(nights)
        )
        / nights
    )


def questions(n: int, worse: float, *, seed: int, discordant: float = 0.10, nights: int = NIGHTS) -> dict[str, float]:
    """Verdicts of a release on ``n`` paired questions, margin 3 points; a tenth of them come out differently."""
    draw, wanted = np.random.default_rng(seed), Asked("difference", "higher", 0.03, ALPHA["release"])
    lost, won = (discordant + worse) / 2, (discordant - worse) / 2
    words = Counter[str]()
    for _ in range(nights):
        kinds = draw.multinomial(n, [lost, won, 0.75, 0.25 - discordant])
        base = np.repeat([1.0, 0.0, 1.0, 0.0], kinds).tolist()
        candidate = np.repeat([0.0, 1.0, 1.0, 0.0], kinds).tolist()
        words[gated([paired_items(base, candidate, wanted)], "release")[0].word] += 1
    return _shares(words, nights)


def series(draw: np.random.Generator, n: int, noise: float, alike: float = 0.0) -> Values:
    """Nights of one level, each like the one before to a degree."""
    steps = draw.standard_normal(n)
    for at in range(1, n):
        steps[at] = alike * steps[at - 1] + math.sqrt(1 - alike * alike) * steps[at]
    level: Values = 100 * np.exp(noise * steps)
    return level


def false_changes(noise: float, *, seed: int, alike: float = 0.0, nights: int = NIGHTS) -> float:
    """Share of series of 60 nights without a change in which one is found."""
    draw = np.random.default_rng(seed)
    return sum(bool(change_points(series(draw, 60, noise, alike).tolist(), "ratio")) for _ in range(nights)) / nights


def delay(factor: float, noise: float, after: int, *, seed: int, nights: int = NIGHTS) -> float:
    """Share of series in which a step after 50 nights is found so many nights later, one night off or less."""
    draw, found = np.random.default_rng(seed), 0
    for _ in range(nights):
        values = series(draw, 50 + after, noise)
        values[50:] *= factor
        found += any(abs(one.at - 50) <= 1 for one in change_points(values.tolist(), "ratio"))
    return found / nights


# --- the tables ------------------------------------------------------------------------------------------


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _head(*cells: object) -> list[str]:
    return [_row(*cells), _row(*("---" for _ in cells))]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def _paired() -> Iterator[str]:
    yield f"**Paired**, {BLOCKS} blocks of {IN_BLOCK} requests a side, margin 10 %: fails (inconclusive)."
    yield ""
    yield from _head("noise", *(f"×{f:g}" for f in FACTORS), "MDE", "naive ×1", *(f"naive ×{f:g}" for f in FACTORS[1:]))
    for row, noise in enumerate(NOISES):
        found = [by_blocks("paired", noise, factor, seed=100 + 10 * row + i) for i, factor in enumerate(FACTORS)]
        cells = [f"{_percent(one['fail'])} ({_percent(one['inconclusive'])})" for one in found]
        yield _row(_percent(noise), *cells, _percent(found[0]["mde"]), *(_percent(one["naive"]) for one in found))
    five = ", ".join(f"{_percent(noise)}: {_percent(five_at_their_margins(noise, seed=7))}" for noise in NOISES)
    yield ""
    yield f"Any of five metrics that are all worse by exactly the margin fails (Holm), by noise: {five}."
    yield ""
    ranks = ", ".join(f"{_percent(noise)}: {_percent(pooled(noise, seed=150))}" for noise in NOISES)
    yield (
        "For comparison, two equal runs of 200 requests are called different by a rank test over the pooled requests "
        f"(Mann-Whitney at 5 %), by noise: {ranks}."
    )


def _history() -> Iterator[str]:
    yield f"**History**, {HISTORY} good nights of {IN_NIGHT:,} requests, margin 20 %: fails twice (at the first look)."
    yield ""
    yield from _head(
        "noise", *(f"×{f:g}" for f in FACTORS), "inconclusive ×1", "MDE", *(f"naive ×{f:g}" for f in FACTORS)
    )
    for row, noise in enumerate(NOISES):
        found = [by_history(noise, factor, seed=200 + 10 * row + i) for i, factor in enumerate(FACTORS)]
        cells = [f"{_percent(one['fail'])} ({_percent(one['once'])})" for one in found]
        rest = (
            _percent(found[0]["inconclusive"]),
            _percent(found[0]["mde"]),
            *(_percent(one["naive"]) for one in found),
        )
        yield _row(_percent(noise), *cells, *rest)


def _release() -> Iterator[str]:
    yield f"**Release**, {BLOCKS} blocks of {IN_BLOCK} requests a side, margin 10 %: passes."
    yield ""
    yield from _head("noise", *(f"×{f:g}" for f in (0.9, *FACTORS)))
    for row, noise in enumerate(NOISES):
        found = [by_blocks("release", noise, f, seed=300 + 10 * row + i) for i, f in enumerate((0.9, *FACTORS))]
        yield _row(_percent(noise), *(_percent(one["pass"]) for one in found))
    yield ""
    yield "Quality, the same questions right or wrong, a tenth of them come out differently, margin 3 points: passes."
    yield ""
    yield from _head("questions", "as good", "1 point worse", "3 points worse")
    for row, n in enumerate((250, 700, 1600)):
        found = [questions(n, worse, seed=350 + 10 * row + i) for i, worse in enumerate((0.0, 0.01, 0.03))]
        yield _row(n, *(_percent(one["pass"]) for one in found))


def _failures() -> Iterator[str]:
    n = f"{BLOCKS * IN_BLOCK:,}"
    yield f"**Failed requests**, 1 % in truth, {n} a side or night, margin 1 point: fails (inconclusive)."
    yield ""
    more = (0.0, 0.01, 0.03, 0.05)
    yield from _head("mode", *(f"+{100 * each:g} points" for each in more))
    for row, mode in enumerate(("paired", "history")):
        found = [failures(mode, each, seed=400 + 10 * row + i) for i, each in enumerate(more)]  # type: ignore[arg-type]
        yield _row(mode, *(f"{_percent(one['fail'])} ({_percent(one['inconclusive'])})" for one in found))


def _changes() -> Iterator[str]:
    yield "**Change points**, a step after 50 nights: found so many nights after it (to the night, or one beside it)."
    yield ""
    later = (1, 2, 3, 5, 10)
    yield from _head("step", "noise", *later)
    for row, (factor, noise) in enumerate(((1.2, 0.06), (1.1, 0.03), (1.1, 0.06), (1.3, 0.10))):
        found = [delay(factor, noise, after, seed=500 + 10 * row + i) for i, after in enumerate(later)]
        yield _row(f"×{factor:g}", _percent(noise), *map(_percent, found))
    yield ""
    plain = _percent(false_changes(0.06, seed=600))
    alike = ", ".join(f"{r:g}: {_percent(false_changes(0.06, seed=601, alike=r))}" for r in (0.3, 0.5))
    yield (
        f"A change is found in {plain} of series of 60 equal nights. Where nights are like the night before it is "
        f"more, by lag-1 autocorrelation {alike}."
    )


def tables() -> str:
    """All of them, in Markdown."""
    parts = ("\n".join(part()) for part in (_paired, _history, _release, _failures, _changes))
    return "\n\n".join((f"Each cell is {NIGHTS} simulated nights (series).", *parts))


def main() -> None:
    """Print the tables, or write them between the marks of a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="page that holds the marks")
    page = parser.parse_args().write
    if page is None:
        print(tables())
        return
    before, _, rest = page.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    page.write_text(f"{before}{_BEGIN}\n{tables()}\n{_END}{after}")


if __name__ == "__main__":
    main()
