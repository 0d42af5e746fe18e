"""Whether a candidate's answers break off, go on for longer, or show what a broken sampler leaves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import fields
from statistics import fmean

from harness.fidelity import lengths as of_lengths
from harness.fidelity.sampling import Signs, signs
from harness.report.fidelity.answers import Answer, Answers
from harness.report.fidelity.finding import Finding, Shown, Word, always, of_gap
from harness.stats.change import Asked
from harness.stats.items import paired_items
from harness.stats.power import ALPHA

LENGTHS = "lengths"
BROKEN = "broken answers"
MARGIN = 0.1
"""Share of broken answers more than the reference's that has to be ruled out before two endpoints are equivalent."""
_MOST_SHOWN = 3
_SIGNS = tuple(field.name for field in fields(Signs) if field.name != "empty")
"""Empty answers are failures, and have a row of their own."""


def broken(answers: Answers, endpoint: str, tasks: Sequence[str]) -> Iterator[Finding]:
    """The lengths of all answers without tools, and the share of them with a sign of a broken sampler."""
    first = [one for task in tasks for one in answers.first(task) if not one.body.get("tools")]
    again = [one for task in tasks for one in answers.again(task) if not one.body.get("tools")]
    own = [one for one in answers.all_of(endpoint, tasks) if not one.body.get("tools")]
    yield _lengths(endpoint, first, again, own)
    yield _broken(endpoint, first, again, own)


# --- how long they are -----------------------------------------------------------------------------------


def _lengths(endpoint: str, first: Sequence[Answer], again: Sequence[Answer], own: Sequence[Answer]) -> Finding:
    asked, asked_again, given = (_measured(side) for side in (first, again, own))
    gap, found = of_lengths.against_itself(asked, asked_again, given), of_lengths.lengths(asked, given)
    if gap is None or found is None:
        return Finding(LENGTHS, endpoint, "no prompt has an answer from each", 0, always("inconclusive"))
    says = f"median {found.medians[1]:.0f} words, the reference's {found.medians[0]:.0f}"
    if found.apart:
        more = "more" if found.earlier else "fewer"
        says += f"; {100 * found.apart:.0f} % {more} of them end by {found.at:.0f}"
    return of_gap(
        gap,
        of_lengths.MARGIN,
        test=LENGTHS,
        endpoint=endpoint,
        says=says,
        unit="share of answers",
        shown=_furthest(first, own, asked, given),
        details={"ceiling_p": gap.ceiling_p, "at": found.at, "earlier": found.earlier},
    )


def _measured(answers: Sequence[Answer]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for one in answers:
        found.setdefault(_name(one), []).append(of_lengths.words(one.text))
    return found


def _furthest(
    first: Sequence[Answer], own: Sequence[Answer], asked: of_lengths.Values, given: of_lengths.Values
) -> tuple[Shown, ...]:
    """The prompts whose answers differ most in length."""
    jobs, references = ({_name(one): one.job for one in reversed(side)} for side in (own, first))
    apart = {name: fmean(some) - fmean(asked[name]) for name, some in given.items() if name in asked}
    worst = sorted(apart, key=lambda name: -abs(apart[name]))[:_MOST_SHOWN]
    return tuple(
        Shown(jobs[name], references[name], f"{name}: {apart[name]:+.0f} words on average")
        for name in worst
        if apart[name]
    )


def _name(one: Answer) -> str:
    return f"{one.task} {one.sample}"


# --- what a broken sampler leaves ------------------------------------------------------------------------


def _broken(endpoint: str, first: Sequence[Answer], again: Sequence[Answer], own: Sequence[Answer]) -> Finding:
    """P is of all the reference's answers and the candidate's, permuted within prompts, which is exact for rare signs.

    However seldom it happens, what chance does not make is a difference; the interval only says of none that was found
    how many there might be.
    """
    sides = [[(one, _signs_of(one)) for one in side] for side in (first, again, own)]
    asked, asked_again, given = (_shares(side) for side in sides)
    base = {name: [*asked.get(name, ()), *asked_again.get(name, ())] for name in asked | asked_again}
    shared = [name for name in base if name in given]
    found = of_lengths.lengths({name: base[name] for name in shared}, given)
    if found is None:
        return Finding(BROKEN, endpoint, "no prompt has an answer from both", 0, always("inconclusive"))
    reference, candidate = ([fmean(side[name]) for name in shared] for side in (base, given))
    sized = paired_items(reference, candidate, Asked("difference", "lower", MARGIN, ALPHA))

    def word(adjusted: float | None) -> Word:
        if adjusted is not None and adjusted <= ALPHA and (sized.value or 0) > 0:
            return "different"
        return "equivalent" if sized.p_not_worse is not None and sized.p_not_worse <= ALPHA else "inconclusive"

    ceiling = [fmean(asked[name]) - fmean(asked_again[name]) for name in asked if name in asked_again]
    return Finding(
        test=BROKEN,
        endpoint=endpoint,
        says=f"{_counted(sides[2])}; the reference's {_counted([*sides[0], *sides[1]])}",
        n=len(shared),
        word=word,
        unit="share of answers",
        value=sized.value,
        low=sized.low,
        high=sized.high,
        ceiling=abs(fmean(ceiling)) if ceiling else None,
        mde=sized.mde,
        margin=MARGIN,
        p=found.p_value,
        shown=_examples(sides[2], first),
    )


def _signs_of(one: Answer) -> frozenset[str]:
    said = [message.get("content") for message in one.body.get("messages") or () if isinstance(message, dict)]
    found = signs(one.completion, " ".join(map(str, said)))
    return frozenset(name for name in _SIGNS if getattr(found, name))


def _shares(side: Sequence[tuple[Answer, frozenset[str]]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for one, seen in side:
        found.setdefault(_name(one), []).append(float(bool(seen)))
    return found


def _counted(side: Sequence[tuple[Answer, frozenset[str]]]) -> str:
    counts = Counter(name for _, seen in side for name in seen)
    named = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.most_common())
    return f"{sum(bool(seen) for _, seen in side)} of {len(side)}{f' ({named})' if named else ''}"


def _examples(side: Sequence[tuple[Answer, frozenset[str]]], first: Sequence[Answer]) -> tuple[Shown, ...]:
    """The shortest that have a sign, each of another prompt."""
    references = {_name(one): one.job for one in reversed(first)}
    seen = {_name(one): (one, names) for one, names in sorted(side, key=lambda each: -len(each[0].text)) if names}
    shortest = sorted(seen.values(), key=lambda each: len(each[0].text))[:_MOST_SHOWN]
    return tuple(
        Shown(one.job, references.get(_name(one)), f"{_name(one)}: {', '.join(sorted(names)).replace('_', ' ')}")
        for one, names in shortest
    )
