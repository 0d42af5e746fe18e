"""How much of a long prompt an endpoint reads: its real window, and what it does with the rest without saying so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.stats.family import holm
from harness.stats.power import ALPHA

Fate = Literal["whole", "refused", "cut at the front", "cut at the end", "middle-out", "lost", "inconclusive"]

KEPT = 0.5
"""Share of needles found at which a depth counts as read."""
STUCK = 0.5
"""Prompt tokens stated for what was added to a prompt, as a share of what the shorter prompts were charged for as much:
below it the addition was not read."""


@dataclass(frozen=True, slots=True)
class Needle:
    """One request with a fact hidden in a long prompt."""

    length: int
    """Tokens of the prompt, as the reference counts or the plan estimates them."""
    depth: float
    """Where the fact stands, from 0 (first) to 1 (last)."""
    found: bool | None
    """Whether the answer had it; None: there was no answer, see ``refused``, or it failed for another reason."""
    prompt_tokens: int | None = None
    """As the endpoint states; None: it does not."""
    refused: bool = False
    """Whether the endpoint said that the prompt is too long, which is honest."""


@dataclass(frozen=True, slots=True)
class Step:
    """All needles of one length."""

    length: int
    found: dict[float, tuple[int, int]]
    """Needles found and asked for, by depth, rising."""
    refused: int
    failed: int
    """Requests without an answer for another reason."""
    prompt_tokens: tuple[int, int] | None
    """Smallest and largest count stated; None: none was."""
    stuck: bool
    """Whether the count did not grow with the prompt."""
    p_value: float | None
    """One-sided, that as many needles are found as at the shortest length, adjusted for the number of lengths; None:
    there is nothing to compare."""
    fate: Fate


@dataclass(frozen=True, slots=True)
class Window:
    """What an endpoint's context really is."""

    fate: Fate
    """Of the shortest length that is neither ``whole`` nor ``inconclusive``; ``inconclusive`` where only such are."""
    silent: bool
    """Whether the rest was dropped without an error."""
    whole: int | None
    """Longest length that was read whole, all shorter ones as well; None: not even the shortest."""
    cut: int | None
    """Shortest length that was not; the window lies between the two. None: all were read."""
    stated: int | None
    """Prompt tokens at which the endpoint's count stays; None: it grows, or is not stated."""
    steps: tuple[Step, ...]
    """The evidence, by rising length."""


def window(needles: Sequence[Needle]) -> Window | None:
    """From needles at several depths and growing lengths, the shortest of which every endpoint should read.

    A length is refused where any of its requests was for its length; else it is cut where needles are lost that are
    found at the shortest length, by Fisher's exact test (one-sided, adjusted by Holm over lengths), with at most half
    of the needles found at some depth; then by which depths are lost: the first but not the last (cut at the front,
    as servers do that keep the latest), the last but not the first (cut at the end), neither but between them
    (middle-out), all or others (lost: a weak model is not told from a cut). A length whose count of prompt tokens is
    stuck is cut as well, unless needles of every depth are found: then the endpoint only counts oddly. Inconclusive:
    too few needles for the test, though some depth lost most of them, or no answer.

    None: there are no needles.

    Source: Fisher, "The design of experiments" (1935), section 21.02, for the exact test; the count of prompt tokens
    that stays at a fixed number beyond a silent cut is reported of local engines.
    """
    lengths = sorted({each.length for each in needles})
    if not lengths:
        return None
    groups = [[each for each in needles if each.length == length] for length in lengths]
    base = _hits(groups[0])
    raw = [_fewer(_hits(group), base) for group in groups[1:]]
    corrected = iter(holm([p for p in raw if p is not None]))
    adjusted = [None, *(None if p is None else next(corrected) for p in raw)]
    stuck = _stuck(groups)
    steps = tuple(_step(group, p, still) for group, p, still in zip(groups, adjusted, stuck, strict=True))
    first = next((at for at, step in enumerate(steps) if step.fate != "whole"), None)
    counts = [step.prompt_tokens[1] for step in steps if step.stuck and step.prompt_tokens]
    told = [step.fate for step in steps if step.fate not in {"whole", "inconclusive"}]
    fate: Fate = told[0] if told else "whole" if first is None else "inconclusive"
    return Window(
        fate=fate,
        silent=fate not in {"whole", "refused", "inconclusive"},
        whole=lengths[-1] if first is None else lengths[first - 1] if first else None,
        cut=None if first is None else lengths[first],
        stated=max(counts) if counts else None,
        steps=steps,
    )


def _hits(group: Sequence[Needle]) -> tuple[int, int]:
    told = [each.found for each in group if each.found is not None]
    return sum(told), len(told)


def _fewer(here: tuple[int, int], base: tuple[int, int]) -> float | None:
    """Fisher's one-sided p that so few are found here by luck: the hypergeometric tail."""
    found, asked = here
    found_base, asked_base = base
    if not asked or not asked_base:
        return None
    hits, every = found + found_base, asked + asked_base
    ways = sum(math.comb(hits, k) * math.comb(every - hits, asked - k) for k in range(found + 1) if k <= hits)
    return ways / math.comb(every, asked)


def fewest_lost(asked: int, lengths: int) -> int | None:
    """Needles lost of so many, none being lost at the shortest length, that are called a loss at one of the others.

    ``lengths`` is how many others there are; None: there are too few needles, even if all are lost.
    """
    tail = ((lost, _fewer((asked - lost, asked), (asked, asked))) for lost in range(1, asked + 1))
    return next((lost for lost, p in tail if p is not None and p * lengths <= ALPHA), None)


def _stuck(groups: Sequence[Sequence[Needle]]) -> list[bool]:
    """Of each length, whether its count grew by less than ``STUCK`` of what the lengths up to the last one did."""
    found, last = [], None
    rate = None
    for group in groups:
        counts = [each.prompt_tokens for each in group if each.prompt_tokens is not None]
        if not counts:
            found.append(False)
            continue
        here = group[0].length, max(counts)
        rate = here[1] / here[0] if rate is None and here[0] else rate
        still = last is not None and rate is not None and here[1] - last[1] < STUCK * rate * (here[0] - last[0])
        found.append(still)
        # The yardstick stays at the longest length that was charged for: the count may be stuck for good.
        last = last if still else here
    return found


def _step(group: Sequence[Needle], p_value: float | None, stuck: bool) -> Step:  # noqa: FBT001 - private
    depths = sorted({each.depth for each in group})
    found = {depth: _hits([each for each in group if each.depth == depth]) for depth in depths}
    counts = [each.prompt_tokens for each in group if each.prompt_tokens is not None]
    refused = sum(each.refused for each in group)
    return Step(
        length=group[0].length,
        found=found,
        refused=refused,
        failed=sum(each.found is None and not each.refused for each in group),
        prompt_tokens=(min(counts), max(counts)) if counts else None,
        stuck=stuck,
        p_value=p_value,
        fate="refused" if refused else _fate(found, p_value, stuck=stuck),
    )


def _fate(found: dict[float, tuple[int, int]], p_value: float | None, *, stuck: bool) -> Fate:
    kept = [hits >= KEPT * asked for hits, asked in found.values() if asked]
    if not kept:
        return "inconclusive"
    if all(kept):
        return "whole"
    told = stuck or (p_value is not None and p_value <= ALPHA)
    if p_value is None and not stuck:  # the shortest length: nothing tells a cut from a model that cannot find things
        return "lost" if not any(kept) else "inconclusive"
    return _where(kept) if told else "inconclusive"


def _where(kept: Sequence[bool]) -> Fate:
    """By which depths are read, in their order: those that are lost must stand side by side."""
    lost = [at for at, each in enumerate(kept) if not each]
    if lost != list(range(lost[0], lost[-1] + 1)) or len(lost) == len(kept):
        return "lost"
    if not kept[0]:
        return "cut at the front"
    return "middle-out" if kept[-1] else "cut at the end"
