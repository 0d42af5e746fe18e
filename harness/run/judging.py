"""The scores of answers, each by the scorer of its task; those that wait for a process are made several at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import NamedTuple

from harness.exchange import Completion
from harness.run.samples import told
from harness.run.session import score_of
from harness.types import Sample, Score, Task

Watch = Callable[[int, int], None]
"""Told after each answer how many are judged, and of how many; on the thread that judges."""


class Answered(NamedTuple):
    """All answers of one session, in their order."""

    task: Task
    sample: Sample
    said: Sequence[Completion]


def unwatched(done: int, of: int) -> None:
    """Tell nobody."""


def scores(answers: Sequence[Answered], watch: Watch = unwatched) -> Iterator[Score]:
    """The score of each session's answers, in their order.

    Where a scorer ``waits``, threads wait on as many processes as this process has cores. TaskError when a scorer
    fails. Broken off, it begins no further answer and waits for those under way.
    """
    with ExitStack() as stack:
        pool: ThreadPoolExecutor | None = None
        begun: dict[int, Future[Score]] = {}
        for place, answer in enumerate(answers):
            if answer.task.scorer.waits:
                pool = pool or _pool(stack)
                begun[place] = pool.submit(_score, answer)
        for place, answer in enumerate(answers):
            yield begun.pop(place).result() if place in begun else _score(answer)
            watch(place + 1, len(answers))


def _pool(stack: ExitStack) -> ThreadPoolExecutor:
    pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    stack.callback(pool.shutdown, cancel_futures=True)
    return pool


def _score(answer: Answered) -> Score:
    scorer = answer.task.scorer
    with told(f"scorer {scorer.name} of task {answer.task.name} on sample {answer.sample.id}"):
        return score_of(scorer, answer.sample, answer.said)
