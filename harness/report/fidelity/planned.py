"""How much a verification asks, and what that much can find, before anything is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.fidelity.context import fewest_lost
from harness.fidelity.mmd import foreseen
from harness.report.fidelity.border import TASK as BORDER
from harness.report.fidelity.context import is_needle
from harness.report.fidelity.distribution import TASK as TEXT
from harness.report.fidelity.earlier import Luck
from harness.report.fidelity.judged import TASKS
from harness.report.fidelity.prompts import TASK as PROMPTS
from harness.report.fidelity.sampling import PENALTIES, SAMPLING
from harness.report.fidelity.sampling import TASK as GREEDY
from harness.report.fidelity.served import LOGPROBS
from harness.report.fidelity.streams import TASK as CALLS
from harness.report.fidelity.streams import WHOLE
from harness.run.planning.plan import Plan
from harness.run.selecting.selection import Selection
from harness.stats.power import smallest_detectable_difference

_LUCK = Luck(0.054, None)
"""Median over nine servers of a model of 135M parameters, 0.044 to 0.071: docs/fidelity.md."""
_COIN = 0.25
"""Largest spread that answers of one of two words have as a share of the most that they can differ by, which is 2: of
shares q and 1 - q the standard deviation is 2 q (1 - q)."""
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
    signals: tuple[tuple[str, int, int], ...] = ()
    """Tasks of ``harness.report.fidelity.signals``, each with its samples and the answers to each."""

    def changed(
        self,
        prompts: int | None,
        samples: int | None,
        calls: int | None,
        tasks: Sequence[str],
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


def _signals(prompts: int, answers: int, sampled: int, *more: tuple[str, int, int]) -> tuple[tuple[str, int, int], ...]:
    """Log probabilities of so many prompts and answers to each, so many prompts with other sampling parameters."""
    return (LOGPROBS, prompts, answers), (SAMPLING, 2 * sampled, 3), (PENALTIES, 12, 1), *more


SIZES: Mapping[str, Size] = {
    "small": Size(12, 6, ("arithmetic:20", "assistant"), calls=12, signals=_signals(6, 2, 6)),
    "usual": Size(25, 10, RIGHT, (1, 4), signals=_signals(8, 4, 8, (BORDER, 40, 4))),
    "large": Size(30, 24, RIGHT, (1, 4, 16), signals=_signals(12, 6, 12, (BORDER, 120, 4))),
}


def verify_selection(
    reference: str, candidates: Sequence[str], size: Size, *, data: Mapping[str, Path] | None = None, **wanted: Any
) -> Selection:
    """The run of a verification; its first endpoint is the reference.

    Args:
        reference: whom the others are measured against.
        candidates: the others.
        size: how much is asked.
        data: files or folders by the task that reads them.
        wanted: further fields of the selection.

    Raises:
        UsageError: the reference is a candidate, or data are of a task that is not asked.
    """
    if reference in candidates:
        raise UsageError(f"{reference} is the reference and cannot be a candidate", hint="Name another endpoint")
    named = {task.partition(":")[0] for task in size.tasks}
    if strange := next((task for task in data or () if task not in named), None):
        raise UsageError(f"--data is for task {strange!r}, which is not asked", hint=f"Add --task {strange}")
    return Selection(
        suite="verify",
        endpoints=(reference, *dict.fromkeys(candidates)),
        tasks=(
            *(f"{TEXT}:{size.prompts}", f"{GREEDY}:{min(size.prompts, _COLD)}", PROMPTS),
            *(f"{task}:{size.calls}" for task in (CALLS, WHOLE)),
            *(f"{task}:{_samples(task, count, size.prompts)}" for task, count, _ in size.signals),
            *(f"needle_{thousands}k:{_NEEDLES}" for thousands in size.context),
            *size.tasks,
        ),
        data_of={task: str(path.resolve()) for task, path in (data or {}).items()},
        often={TEXT: size.samples, GREEDY: _GREEDY, CALLS: _CALLS, WHOLE: _WHOLE_CALLS}
        | {task: answers for task, _, answers in size.signals}
        | {task: _CALLS for task in _CALLED if task in named},
        twice=True,
        **wanted,
    )


def _samples(task: str, count: int, prompts: int) -> int:
    """Samples of a task; those with other sampling parameters are two for each open prompt, and compared with it."""
    return min(count, 2 * prompts) if task == SAMPLING else count


def thousands(context: Sequence[str]) -> tuple[int, ...]:
    """Lengths of long prompts such as ``4k``, rising, in thousands of tokens; UsageError for one alone."""
    if len(set(context)) == 1:
        raise UsageError("--context takes two lengths or more: the shortest is what the others are held against")
    return tuple(sorted({int(length.removesuffix("k")) for length in context}))


@dataclass(frozen=True, slots=True)
class Expected:
    """What one test of a plan would probably find."""

    test: str
    n: int
    """Independent units: prompts, questions, shapes."""
    mde: float | None
    """Smallest true difference found with probability 0.8, in ``unit``; None: it rests on what is answered."""
    unit: str
    says: str


def expected(plan: Plan, luck: Luck | None = None) -> Iterator[Expected]:
    """What the tests of a plan would probably find, before anything is sent.

    ``luck``: of the reference, from an earlier verification; None: what other models had.
    """
    counts, often = Counter(task for task, _ in plan.samples), plan.selection.often
    if TEXT in counts:
        yield _distribution(counts[TEXT], often[TEXT], luck or _LUCK)
    if GREEDY in counts:
        yield _temperature(counts[GREEDY], often[GREEDY])
    if PROMPTS in counts:
        yield _prompt_tokens(counts[PROMPTS])
    called = [task for task in counts if plan.tasks[task].kind == "tools" and task != WHOLE and task in often]
    if called:
        yield _calls(sum(counts[task] for task in called), min(often[task] for task in called))
    yield from _needles(counts)
    yield from _score(sum(n for task, n in counts.items() if task not in TASKS and not is_needle(task)))


def _distribution(prompts: int, samples: int, luck: Luck) -> Expected:
    effect = foreseen(prompts, 2 * samples, samples, luck.spread)
    whose = f"as the answers of run {luck.run} scatter" if luck.run else "as answers of small models scatter"
    says = f"{prompts} prompts, {samples} answers each, the reference twice: finds a gap of {effect:.3f} or more"
    return Expected("distribution", prompts, effect, "energy coefficient", f"{says} four times in five, {whose}")


def _temperature(prompts: int, samples: int) -> Expected:
    says = f"{prompts} prompts, {samples} answers each at temperature 0: tells a setting that does nothing, if the"
    return Expected("temperature", prompts, None, "", f"{says} reference's does something")


def _prompt_tokens(shapes: int) -> Expected:
    return Expected("prompt tokens", shapes, 1, "tokens", f"{shapes} shapes: finds one token on any of them")


def _calls(prompts: int, samples: int) -> Expected:
    effect = foreseen(prompts, 2 * samples, samples, _COIN)
    says = f"{prompts} requests with tools, {samples} answers each: finds a gap of {effect:.3f} or more four times in"
    return Expected("tool calls", prompts, effect, "half the squared difference of shares", f"{says} five, at most")


def _needles(counts: Mapping[str, int]) -> Iterator[Expected]:
    lengths = [count for task, count in counts.items() if is_needle(task)]
    if len(lengths) > 1:
        lost = fewest_lost(min(lengths), len(lengths) - 1)
        told = f"finds a length at which {lost} are lost" if lost else "too few to tell a loss from luck"
        share = lost / min(lengths) if lost else None
        says = f"{min(lengths)} facts in texts of each of {len(lengths)} lengths: {told}"
        yield Expected("context", min(lengths), share, "share of facts", f"{says}, where the shortest loses none")


def _score(questions: int) -> Iterator[Expected]:
    if questions:
        loss = smallest_detectable_difference(questions, round(_FLIPS * questions)) or 1
        says = f"{questions} questions: finds a loss of {100 * loss:.0f} points or more four times in five, where one"
        says += f" question in {round(1 / _FLIPS)} is right at one of the two alone"
        yield Expected("score", questions, loss, "share of right answers", says)
