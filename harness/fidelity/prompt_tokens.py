"""Prompt tokens that an endpoint counts beyond the reference, and what adds them: a template, a prompt, a tokenizer.

Counts of a prompt are no matter of chance: a single offset that cannot be explained is a finding.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

Term = Literal["prompt", "prompt without system message", "message", "tool", "tool result", "image"]
Cause = Literal[
    "same", "injected prompt", "template difference", "image difference", "tokenizer difference", "not stated"
]

SLACK = 3
"""Tokens of a constant offset that a template may add by a mark at its beginning or end; more are a prompt."""
_MOST_TERMS = 3
_ALONE: Mapping[str, Cause] = {
    "images": "image difference",
    "tools": "template difference",
    "tool results": "template difference",
}
"""What it is where offsets of one surface alone follow no rule; of any other it is the tokenizer."""


@dataclass(frozen=True, slots=True)
class Case:
    """One prompt that reference and candidate were sent, byte for byte."""

    id: str
    surface: str
    """What it exercises, such as ``system``, ``multi-turn``, ``tools``, ``tool results``, ``unicode``, ``images``."""
    reference: int | None
    """Prompt tokens that the reference states; None: it does not."""
    candidate: int | None
    messages: int = 1
    """All of them, system message and tool results as well."""
    system: bool = False
    tools: int = 0
    tool_results: int = 0
    images: int = 0

    @property
    def offset(self) -> int | None:
        """Candidate minus reference; None: one of them states nothing."""
        return None if self.reference is None or self.candidate is None else self.candidate - self.reference


@dataclass(frozen=True, slots=True)
class Finding:
    """What the offsets of all cases come from."""

    cause: Cause
    terms: Mapping[Term, int] = field(default_factory=dict)
    """Tokens that each prompt, message, tool... adds; empty where the offsets follow no such rule, or are all 0."""
    surfaces: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Smallest and largest offset of each surface."""
    odd: tuple[str, ...] = ()
    """Surfaces whose offsets the terms do not explain."""
    cases: int = 0
    missing: tuple[str, ...] = ()
    """Ids of cases of which one side states nothing."""
    evidence: tuple[str, ...] = ()
    """Ids of the cases with an offset, the largest first."""


def explained(cases: Sequence[Case]) -> Finding:
    """The fewest terms with whole coefficients that give every case's offset exactly, and the cause that follows.

    offset = a [+ a' where there is no system message] + b messages + c tools + d tool results + e images. Terms that
    the cases cannot tell apart are tried in that order, and so many terms only as are one fewer than the cases. Where
    nothing fits, one surface is left out, that without which the fewest terms fit.

    Cause: a constant above ``SLACK``, or one where there is no system message, is an injected prompt; any other rule is
    a template difference. Without a rule, tools or tool results alone are still one, since their letters are read as
    the reference reads them elsewhere; images alone are an image difference: scaled, cut up or dropped in another way;
    text, even of one surface, is a tokenizer difference.

    Source: the rule of expected to expected + 3 tokens is that of the Kimi vendor verifier; that constant, per-message
    and per-tool offsets tell their causes apart is ours.
    """
    told = [case for case in cases if case.offset is not None]
    missing = tuple(case.id for case in cases if case.offset is None)
    if not told:
        return Finding("not stated", missing=missing)
    offsets = {case.id: case.offset or 0 for case in told}
    surfaces: dict[str, tuple[int, int]] = {}
    for case in told:
        low, high = surfaces.get(case.surface, (offsets[case.id],) * 2)
        surfaces[case.surface] = min(low, offsets[case.id]), max(high, offsets[case.id])
    terms, odd = _rule(told, list(surfaces))
    return Finding(
        _cause(terms, odd),
        terms=terms or {},
        surfaces=surfaces,
        odd=odd,
        cases=len(told),
        missing=missing,
        evidence=tuple(sorted((each for each in offsets if offsets[each]), key=lambda each: -abs(offsets[each]))),
    )


def _cause(terms: Mapping[Term, int] | None, odd: Sequence[str]) -> Cause:
    if terms is None or odd:
        return _ALONE.get(odd[0], "tokenizer difference") if len(odd) == 1 else "tokenizer difference"
    if not terms:
        return "same"
    prompt = terms.get("prompt", 0) > SLACK or terms.get("prompt without system message", 0) > SLACK
    return "injected prompt" if prompt else "template difference"


def _rule(cases: Sequence[Case], surfaces: Sequence[str]) -> tuple[dict[Term, int] | None, tuple[str, ...]]:
    """Terms that fit all cases, or all but those of one surface; None: none do."""
    terms = _fitted(cases)
    if terms is not None:
        return terms, ()
    without = {
        surface: found
        for surface in (surfaces if len(surfaces) > 2 else ())
        if (found := _fitted([case for case in cases if case.surface != surface])) is not None
    }
    if without:
        # The fewest terms for the others: more of them can be made to fit what only one surface has.
        odd = min(without, key=lambda surface: len(without[surface]))
        return without[odd], (odd,)
    return None, tuple(surfaces)


def _fitted(cases: Sequence[Case]) -> dict[Term, int] | None:
    columns: dict[Term, list[int]] = {
        "prompt": [1] * len(cases),
        "prompt without system message": [int(not case.system) for case in cases],
        "message": [case.messages for case in cases],
        "tool": [case.tools for case in cases],
        "tool result": [case.tool_results for case in cases],
        "image": [case.images for case in cases],
    }
    offsets = [case.offset or 0 for case in cases]
    if not any(offsets):
        return {}
    for count in range(1, min(_MOST_TERMS, len(cases) - 1) + 1):
        for names in itertools.combinations(columns, count):
            found = _solved([columns[name] for name in names], offsets)
            if found is not None and all(each.denominator == 1 for each in found):
                return {name: int(each) for name, each in zip(names, found, strict=True)}
    return None


def _solved(columns: Sequence[Sequence[int]], wanted: Sequence[int]) -> list[Fraction] | None:
    """The one solution that fits every row exactly; None: there is none, or there are several."""
    rows = [[Fraction(column[at]) for column in columns] + [Fraction(each)] for at, each in enumerate(wanted)]
    for at in range(len(columns)):
        pivot = next((row for row in range(at, len(rows)) if rows[row][at]), None)
        if pivot is None:
            return None
        rows[at], rows[pivot] = rows[pivot], rows[at]
        rows[at] = [each / rows[at][at] for each in rows[at]]
        for other in range(len(rows)):
            if other != at and rows[other][at]:
                by = rows[other][at]
                rows[other] = [each - by * mine for each, mine in zip(rows[other], rows[at], strict=True)]
    fits = not any(row[-1] for row in rows[len(columns) :])
    return [rows[at][-1] for at in range(len(columns))] if fits else None
