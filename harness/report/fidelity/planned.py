"""How much a verification asks, and what that much can find, before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist

from harness.report.fidelity.context import is_needle
from harness.report.fidelity.distribution import TASK as TEXT
from harness.report.fidelity.judged import TASKS
from harness.report.fidelity.prompts import TASK as PROMPTS
from harness.report.fidelity.sampling import TASK as GREEDY
from harness.report.fidelity.streams import TASK as CALLS
from harness.report.fidelity.streams import WHOLE
from harness.run.plan import Plan
from harness.run.selection import Selection
from harness.stats.power import ALPHA, POWER, smallest_detectable_difference

_SPREAD = 0.06
"""Standard deviation of the likeness of two answers to one prompt, less what each answer adds by itself, as a share of
twice their mean distance: what a model of 135M parameters was seen to have."""
RIGHT = ("arithmetic", "assistant", "commonsense", "logic", "reading", "extraction", "code_reading", "languages")
"""Those with right answers that are made by nobody but the model, and cost little: 184 questions."""
_NEEDLES = 10
"""Long prompts of each length, two for each depth."""
_COLD, _GREEDY = 12, 3
"""Prompts that are asked at temperature 0 too, and answers to each."""
_CALLED = ("assistant", "fidelity_walle", "fidelity_bfcl", "fidelity_tau")
_CALLS, _WHOLE_CALLS = 4, 2
"""Answers to each request with tools from each candidate, as streams and in one piece."""
_FLIPS = 0.1
"""Share of questions that only one of two endpoints has right, where nothing is known of them."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is asked."""

    prompts: int
    """Open prompts."""
    samples: int
    """Answers to each from each candidate; the reference gives twice as many."""
    tasks: tuple[str, ...]
    """Tasks with right answers, ``name`` or ``name:limit``."""
    context: tuple[int, ...] = ()
    """Thousands of tokens of the long prompts, rising; empty: none."""
    calls: int = 24
    """Requests with tools, streamed and in one piece."""

    def changed(
        self,
        prompts: int | None,
        samples: int | None,
        calls: int | None,
        tasks: tuple[str, ...],
        context: tuple[int, ...],
    ) -> Size:
        """The same with what the user wants otherwise; None, or none: as it is. Tests' own tasks come on top."""
        more = tuple(task for task in tasks if task.partition(":")[0] in TASKS)
        scored = tuple(task for task in tasks if task not in more)
        return replace(
            self,
            prompts=prompts or self.prompts,
            samples=samples or self.samples,
            calls=calls or self.calls,
            tasks=(scored or self.tasks) + more,
            context=context or self.context,
        )


SIZES: Mapping[str, Size] = {
    "small": Size(12, 6, ("arithmetic:20", "assistant"), calls=12),
    "usual": Size(25, 10, RIGHT, (1, 4)),
    "large": Size(30, 24, RIGHT, (1, 4, 16)),
}


def selection_of(
    size: Size,
    endpoints: tuple[str, ...],
    concurrency: int,
    seed: int,
    *,
    max_requests: int | None,
    data_of: Mapping[str, str] | None = None,
) -> Selection:
    """The run of a verification; the first endpoint is the reference, and ``data_of`` the files that tasks read."""
    named = {task.partition(":")[0] for task in size.tasks}
    return Selection(
        suite="verify",
        endpoints=endpoints,
        tasks=(
            *(f"{TEXT}:{size.prompts}", f"{GREEDY}:{min(size.prompts, _COLD)}", PROMPTS),
            *(f"{task}:{size.calls}" for task in (CALLS, WHOLE)),
            *(f"needle_{thousands}k:{_NEEDLES}" for thousands in size.context),
            *size.tasks,
        ),
        data_of=dict(data_of or {}),
        often={TEXT: size.samples, GREEDY: _GREEDY, CALLS: _CALLS, WHOLE: _WHOLE_CALLS}
        | {task: _CALLS for task in _CALLED if task in named},
        twice=True,
        concurrency=concurrency,
        seed=seed,
        max_requests=max_requests,
    )


def expected(plan: Plan) -> Iterator[str]:
    """What the tests of a plan would probably find, a line each."""
    counts: dict[str, int] = {}
    for task, _ in plan.samples:
        counts[task] = counts.get(task, 0) + 1
    if TEXT in counts:
        samples = plan.selection.often[TEXT]
        yield (
            f"answers: {counts[TEXT]} prompts, {samples} answers each, the reference twice: finds a gap of "
            f"{expected_effect(counts[TEXT], samples):.3f} or more four times in five, about (the report says it for "
            "the answers that came)"
        )
    if n := sum(count for task, count in counts.items() if task not in TASKS and not is_needle(task)):
        points = 100 * (smallest_detectable_difference(n, round(_FLIPS * n)) or 1)
        yield (
            f"score: {n} questions: finds a loss of {points:.0f} points or more four times in five, where one question "
            f"in {round(1 / _FLIPS)} is right at one of the two alone"
        )


def expected_effect(prompts: int, samples: int) -> float:
    """Energy coefficient that so many prompts and answers find with probability 0.8 at 5 %, as it usually is.

    Without a difference, MMD^2 of one prompt has the variance s^2 (4 / (K (K - 1)) + 4 / K^2), where s is the standard
    deviation of the likeness of two answers less what each adds by itself; the mean over prompts has a share 1/P of it.

    Source: Gretton et al., "A kernel two-sample test", JMLR 13 (2012), for the variance.
    """
    deviation = _SPREAD * math.sqrt((4 / (samples * (samples - 1)) + 4 / samples**2) / prompts)
    normal = NormalDist()
    return (normal.inv_cdf(1 - ALPHA) + normal.inv_cdf(POWER)) * deviation
