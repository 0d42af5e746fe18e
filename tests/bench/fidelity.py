"""Verifications made of answers that real servers gave: how often equal ones are called different, and what is found.

``python tests/bench/fidelity.py`` prints the tables of docs/fidelity.md; with ``--write docs/fidelity.md`` it puts them
there. It sends nothing: it takes the runs of ``make fidelity``. All answers to a question that one model gave, whoever
served it, are thrown together and dealt anew to the reference and to a candidate, which are then equal by making; a
share of the candidate's may be answers that another vendor gave. Every deal is judged as ``harness verify`` judges a
run. Every figure comes from a seed.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np

from harness.fidelity import mmd
from harness.record.folder import open_run
from harness.report.fidelity.answers import Answer, Answers, Asked, read, texts
from harness.report.fidelity.distribution import TASK
from harness.report.fidelity.judged import judge
from harness.stats.intervals import wilson
from harness.store.query import held
from harness.types import JsonObject

NULLS = 400
RUNS = ("identical", "vendors", "weights", "engines")
"""Experiments whose answers are taken; the first one's are of equal servers."""
CURVE = 100
"""Deals for each point of a curve."""
SHARES = (0.1, 0.25, 0.5, 1.0)
SIZES = ((12, 3), (12, 6))
"""Prompts, and answers from the candidate to each, where another vendor's answers are mixed in."""
EQUAL_SIZES = ((12, 3), (12, 6), (25, 6), (25, 10))
"""The same where none are."""
SEEDS = 20
CANDIDATE = "dealt"
_BEGIN, _END = "<!-- figures: tests/bench/fidelity.py -->", "<!-- end of figures -->"
Question = tuple[str, str]


@dataclass(frozen=True)
class Recorded:
    """What the servers of one run answered."""

    answers: Answers
    tasks: tuple[JsonObject, ...]

    def of(self, *endpoints: str) -> dict[Question, list[Answer]]:
        """All answers of some endpoints by question."""
        found: dict[Question, list[Answer]] = {}
        for (endpoint, _), some in self.answers.of.items():
            for one in some if endpoint in endpoints else ():
                found.setdefault((one.task, one.sample), []).append(one)
        return found


def recorded(results: Path, name: str) -> Recorded:
    """The run of an experiment."""
    folder = open_run(results, json.loads((results / f"{name}.json").read_text())["run"])
    with held(results):
        return Recorded(read(results, folder), tuple(folder.read_manifest()["tasks"]))


def dealt(
    draw: np.random.Generator,
    pool: Mapping[Question, Sequence[Answer]],
    *,
    other: Mapping[Question, Sequence[Answer]] | None = None,
    share: float = 0.0,
) -> Answers:
    """Every third answer to the candidate, the others to the reference, each question for itself; luck decides.

    Of the candidate's answers so large a share, each by a coin, is taken from ``other`` instead.
    """
    base, given = [], []
    for question, some in pool.items():
        order = [some[at] for at in draw.permutation(len(some))]
        own = len(order) // 3
        base += [replace(one, repeat=at) for at, one in enumerate(order[own:])]
        theirs = [] if other is None else [other[question][at] for at in draw.permutation(len(other[question]))]
        for at, one in enumerate(order[:own]):
            swapped = at < len(theirs) and draw.random() < share
            given.append(replace(theirs[at] if swapped else one, repeat=at))
    reference = "reference/m"
    of = {
        (endpoint, task): tuple(one for one in some if one.task == task)
        for endpoint, some in ((reference, base), (CANDIDATE, given))
        for task in {one.task for one in some}
    }
    asked: dict[str, dict[Question, Asked]] = {}
    for endpoint, some in ((reference, base), (CANDIDATE, given)):
        counts = Counter((one.task, one.sample) for one in some)
        asked[endpoint] = {question: Asked(n, 0, None, None) for question, n in counts.items()}
    return Answers(reference, (CANDIDATE,), of, asked)


def part(pool: Mapping[Question, Sequence[Answer]], prompts: int, answers: int) -> dict[Question, list[Answer]]:
    """The first open prompts, and so many answers to each; nothing else."""
    open_ones = [question for question in pool if question[0] == TASK][:prompts]
    return {question: list(pool[question][:answers]) for question in open_ones}


def nulls(found: Recorded, endpoints: Sequence[str], count: int, seed: int) -> Iterator[JsonObject]:
    """Verdicts on a candidate that is the reference."""
    draw, pool = np.random.default_rng(seed), found.of(*endpoints)
    for _ in range(count):
        (card,) = judge(dealt(draw, pool), found.tasks)["candidates"]
        yield card


def of_nulls(cards: Sequence[JsonObject]) -> Iterator[str]:
    """A table of what equal servers are called, by test and by the whole."""
    yield f"| of {len(cards)} verifications of equal servers | different | 95 % | equivalent | p of 5 % or less |"
    yield "|---|---|---|---|---|"
    for test in [one["test"] for one in cards[0]["findings"]]:
        rows = [one for card in cards for one in card["findings"] if one["test"] == test]
        wrong = sum(one["word"] in ("different", "worse") for one in rows)
        same = sum(one["word"] in ("equivalent", "not worse") for one in rows)
        told = [one["p"] for one in rows if one["p"] is not None]
        small = _percent(sum(p <= 0.05 for p in told), len(told)) if told else "–"
        n = len(rows)
        yield f"| {test} | {_percent(wrong, n)} | {_bounds(wrong, n)} | {_percent(same, n)} | {small} |"
    words = Counter(card["word"] for card in cards)
    wrong, n = words["different"], len(cards)
    yield f"| **the whole** | {_percent(wrong, n)} | {_bounds(wrong, n)} | {_percent(words['equivalent'], n)} | – |"


@dataclass(frozen=True)
class Point:
    """Of deals of one size and share: what the test of distributions said."""

    gap: float
    """Mean."""
    mde: float
    """Mean of the smallest effects that would have been found."""
    different: float
    equivalent: float


def point(
    pool: Mapping[Question, Sequence[Answer]],
    seed: int,
    *,
    other: Mapping[Question, Sequence[Answer]] | None = None,
    share: float = 0.0,
) -> Point:
    """What became of so many deals with a share of another vendor's answers."""
    draw, gaps = np.random.default_rng(seed), []
    for _ in range(CURVE):
        given = dealt(draw, pool, other=other, share=share)
        sides = texts(given.first(TASK)), texts(given.again(TASK)), texts(given.candidate(CANDIDATE, TASK))
        gap = mmd.against_itself(*sides, permutations=199)
        assert gap is not None
        gaps.append(gap)
    words = Counter(gap.word(mmd.MARGIN) for gap in gaps)
    return Point(
        gap=fmean(gap.value for gap in gaps),
        mde=fmean(gap.mde or 0.0 for gap in gaps),
        different=words["different"] / CURVE,
        equivalent=words["equivalent"] / CURVE,
    )


def of_sizes(pool: Mapping[Question, Sequence[Answer]], seed: int) -> Iterator[str]:
    """A table of what equal servers are called by the test of distributions, by size."""
    yield "| prompts × answers | different | equivalent | smallest found, mean |"
    yield "|---|---|---|---|"
    for prompts, answers in EQUAL_SIZES:
        some = part(pool, prompts, 3 * answers)
        if _enough(some, prompts, 3 * answers):
            one = point(some, seed)
            yield f"| {prompts} × {answers} | {one.different:.0%} | {one.equivalent:.0%} | {one.mde:.3f} |"


def of_curves(
    pool: Mapping[Question, Sequence[Answer]], others: Mapping[str, Mapping[Question, Sequence[Answer]]], seed: int
) -> Iterator[str]:
    """A table of what the test of distributions finds, by share of another vendor's answers and by size."""
    yield "| the other | prompts × answers | " + " | ".join(f"{share:.0%} its" for share in SHARES) + " |"
    yield "|---|---|" + "---|" * len(SHARES)
    for name, other in others.items():
        for prompts, answers in SIZES:
            shared = {question: some for question, some in pool.items() if question in other}
            some = part(shared, prompts, 3 * answers)
            theirs = {question: list(other[question][:answers]) for question in some}
            if not _enough(some, prompts, 3 * answers) or not _enough(theirs, prompts, answers):
                continue
            found = [point(some, seed, other=theirs, share=share) for share in SHARES]
            cells = [f"{one.gap:.3f}: {one.different:.0%} / {one.equivalent:.0%}" for one in found]
            yield f"| {name} | {prompts} × {answers} | {' | '.join(cells)} |"


def _enough(pool: Mapping[Question, Sequence[Answer]], prompts: int, answers: int) -> bool:
    return len(pool) == prompts and all(len(some) == answers for some in pool.values())


def of_seeds(runs: Iterable[Recorded]) -> Iterator[str]:
    """A table of the words that recorded runs get with other seeds of their permutations and resamples."""
    yield f"| vendor | gap | words over {SEEDS} seeds |"
    yield "|---|---|---|"
    for found in runs:
        answers = found.answers
        for endpoint in answers.candidates:
            sides = texts(answers.first(TASK)), texts(answers.again(TASK)), texts(answers.candidate(endpoint, TASK))
            gaps = [gap for seed in range(SEEDS) if (gap := mmd.against_itself(*sides, seed=seed)) is not None]
            words = Counter(gap.word(mmd.MARGIN) for gap in gaps)
            told = ", ".join(f"{word} {count}" for word, count in words.most_common())
            if gaps:
                yield f"| {endpoint.partition('/')[0]} | {gaps[0].value:.3f} | {told} |"


def of_luck(runs: Mapping[str, Recorded]) -> Iterator[str]:
    """A table of how much luck there is in the answers of each server."""
    yield "| server | run | answers to a prompt | spread |"
    yield "|---|---|---|---|"
    for name, found in runs.items():
        for endpoint in (found.answers.reference, *found.answers.candidates):
            some = texts(found.answers.candidate(endpoint, TASK))
            seen = mmd.spread(some)
            if seen is not None:
                each = fmean(map(len, some.values()))
                yield f"| {endpoint.partition('/')[0]} | {name} | {each:.0f} | {seen:.3f} |"


def _percent(count: int, n: int) -> str:
    return f"{100 * count / n:.1f} %"


def _bounds(count: int, n: int) -> str:
    low, high = wilson(count, n)
    return "–" if low is None or high is None else f"{100 * low:.1f} to {100 * high:.1f} %"


def main() -> None:
    """Print the tables, or put them into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path(__file__).parents[2] / "results" / "fidelity")
    parser.add_argument("--nulls", type=int, default=NULLS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    names = [name for name in RUNS if (given.results / f"{name}.json").is_file()]
    runs = {name: recorded(given.results, name) for name in names}
    lines = []
    for line in tables(runs, given.nulls, given.seed):
        print(line, flush=True)
        lines.append(line)
    if given.write is None:
        return
    text = given.write.read_text("utf-8")
    before, _, rest = text.partition(_BEGIN)
    _, found, after = rest.partition(_END)
    if not found:
        raise SystemExit(f"{given.write} lacks {_BEGIN} or {_END}")
    given.write.write_text("\n".join([f"{before}{_BEGIN}", "", *lines, "", f"{_END}{after}"]), "utf-8")


def tables(runs: Mapping[str, Recorded], count: int, seed: int) -> Iterator[str]:
    """All that the page has of this program."""
    same = runs["identical"]
    equal = (same.answers.reference, *same.answers.candidates)
    yield from of_nulls(list(nulls(same, equal, count, seed)))
    yield from ("", "The test of distributions alone, by size, over 100 deals each:", "")
    yield from of_sizes(same.of(*equal), seed)
    yield from ("", "Mean gap, and the share of 100 deals called different / equivalent, where so large a share of the")
    yield from ("candidate's answers is another vendor's; give or take 4 points, and all rows share their deals:", "")
    others = {
        endpoint.partition("/")[0]: found.of(endpoint)
        for found in [one for name, one in runs.items() if name == "vendors"]
        for endpoint in found.answers.candidates
    }
    yield from of_curves(same.of(*equal), others, seed)
    yield from ("", "The word of one recorded run by the seed of its permutations and resamples, p not adjusted:", "")
    yield from of_seeds(runs.values())
    yield from ("", "The luck in the answers of each server, from which a plan foresees what it finds:", "")
    yield from of_luck(runs)


if __name__ == "__main__":
    main()
