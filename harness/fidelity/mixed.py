"""Whether one address is several servers: counts, names and times that should be the same in one run and are not."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from harness.fidelity.modes import Modes, modes
from harness.stats.changepoint import ChangePoint, change_points
from harness.stats.power import ALPHA

Pattern = Literal["one", "switched", "mixed", "new each time", "not stated"]
"""One value throughout; one after the other; several in turns; hardly any twice, so that it names no server; never
given."""

FEWEST_NAMED = 10
"""Answers from which on values that hardly ever come twice are taken for none of a server."""
RECURRING = 6
"""Times of a prompt from which on they are compared with those of others: the mean of fewer is as uncertain as they."""


@dataclass(frozen=True, slots=True)
class Request:
    """What one answer tells of who gave it."""

    prompt: str
    """Equal prompts have equal ids."""
    prompt_tokens: int | None = None
    fingerprint: str | None = None
    """``system_fingerprint``."""
    model: str | None = None
    """The model that the answer names."""
    backend: str | None = None
    """Whom a gateway says that it asked."""
    ttft_ms: float | None = None
    """None: no token came, or it was not streamed."""


@dataclass(frozen=True, slots=True)
class Named:
    """A value that one server gives always."""

    pattern: Pattern
    values: Mapping[str, int]
    """Answers with each, the most frequent first."""
    changes: int
    """How often an answer has another value than the one before it that has any."""
    at: int | None
    """Place in the run of the first answer with the new value, where it switched once."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Prompts whose tokens are counted differently from one time to the next."""

    differing: Mapping[str, Mapping[int, int]]
    """Answers with each count, by prompt."""
    prompts: int
    """Prompts with two counts or more to compare."""
    offsets: Mapping[int, int]
    """Answers by how many tokens more they count than the least of their prompt: two servers give two offsets."""
    named: Named
    """Those offsets in the order of the run."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """Everything that speaks for or against several servers."""

    found: bool
    """Whether any of counts, names, or times tells servers apart."""
    prompt_tokens: Counts
    fingerprint: Named
    model: Named
    backend: Named
    times: Modes | None
    """Of the logarithms of the times to the first token, each less the mean of its prompt; None: fewer than 40 times of
    prompts that came ``RECURRING`` times."""
    change: tuple[ChangePoint, ...]
    """Where those times change for good inside the run, as a ratio; a busy server is slower as well, so that this alone
    is no proof."""
    requests: int


def mixture(requests: Sequence[Request], *, seed: int = 0) -> Mixture:
    """Of the answers of one endpoint in the order of the run, under one load.

    Prompt tokens and names are no matter of chance: a second value is a finding, of which the pattern says whether
    another server took over once or answers go to several in turns. Times have two humps at a p of at most 0.05 of
    ``harness.fidelity.modes``; change points are those of ``harness.stats.changepoint``.
    """
    counts = _counts(requests)
    names = [_named([getattr(each, name) for each in requests]) for name in ("fingerprint", "model", "backend")]
    logs = _times(requests)
    times = modes([each for each in logs if each is not None], seed=seed)
    several = any(each.pattern in {"switched", "mixed"} for each in (counts.named, *names))
    return Mixture(
        found=several or (times is not None and times.p_value <= ALPHA),
        prompt_tokens=counts,
        fingerprint=names[0],
        model=names[1],
        backend=names[2],
        times=times,
        change=tuple(change_points([None if each is None else math.exp(each) for each in logs], "ratio", seed=seed)),
        requests=len(requests),
    )


def _named(values: Sequence[str | None]) -> Named:
    told = [(at, value) for at, value in enumerate(values) if value is not None]
    counted = dict(Counter(value for _, value in told).most_common())
    turns = [at for (_, before), (at, value) in itertools.pairwise(told) if value != before]
    pattern: Pattern = "mixed"
    if len(counted) < 2:
        pattern = "one" if counted else "not stated"
    elif len(told) >= FEWEST_NAMED and len(counted) > len(told) / 2:
        pattern = "new each time"
    elif len(turns) == len(counted) - 1:
        pattern = "switched"
    return Named(pattern, counted, len(turns), turns[0] if len(turns) == 1 else None)


def _counts(requests: Sequence[Request]) -> Counts:
    by_prompt: dict[str, list[int]] = {}
    for each in requests:
        if each.prompt_tokens is not None:
            by_prompt.setdefault(each.prompt, []).append(each.prompt_tokens)
    again = {prompt: counts for prompt, counts in by_prompt.items() if len(counts) > 1}
    offsets = [
        None if each.prompt_tokens is None or each.prompt not in again else each.prompt_tokens - min(again[each.prompt])
        for each in requests
    ]
    return Counts(
        differing={prompt: dict(Counter(counts)) for prompt, counts in again.items() if len(set(counts)) > 1},
        prompts=len(again),
        offsets=dict(sorted(Counter(each for each in offsets if each is not None).items())),
        named=_named([None if each is None else str(each) for each in offsets]),
    )


def _times(requests: Sequence[Request]) -> list[float | None]:
    """Logarithms of the times less the mean of their prompt, plus the mean of all: prompts differ in length.

    None where a prompt has fewer than ``RECURRING`` times.
    """
    logs = [math.log(each.ttft_ms) if each.ttft_ms is not None and each.ttft_ms > 0 else None for each in requests]
    by_prompt: dict[str, list[float]] = {}
    for each, value in zip(requests, logs, strict=True):
        if value is not None:
            by_prompt.setdefault(each.prompt, []).append(value)
    means = {prompt: fmean(values) for prompt, values in by_prompt.items() if len(values) >= RECURRING}
    if not means:
        return [None] * len(logs)
    whole = fmean(means.values())
    return [
        None if value is None or each.prompt not in means else value - means[each.prompt] + whole
        for each, value in zip(requests, logs, strict=True)
    ]
