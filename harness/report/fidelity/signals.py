"""Rows of a scorecard: probabilities, border inputs, sampling parameters, servers, and how answers end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.report.fidelity.answers import Answers
from harness.report.fidelity.backends import backends
from harness.report.fidelity.border import TASK as BORDER
from harness.report.fidelity.border import border
from harness.report.fidelity.broken import broken
from harness.report.fidelity.finding import Finding
from harness.report.fidelity.logprobs import logprobs
from harness.report.fidelity.prompts import TASK as PROMPTS
from harness.report.fidelity.sampling import PENALTIES, SAMPLING, parameters
from harness.report.fidelity.served import LOGPROBS

TASKS = (LOGPROBS, BORDER, SAMPLING, PENALTIES)
"""Tasks of these rows themselves."""
OPTIONAL = (LOGPROBS, SAMPLING, PENALTIES)
"""Tasks with parameters that an endpoint may refuse: their rows say so, and they are no failures."""


def signals(answers: Answers, endpoint: str, tasks: Sequence[str]) -> Iterator[Finding]:
    """Those of one candidate, as far as their tasks were asked; ``tasks`` are all of the run."""
    if LOGPROBS in tasks:
        yield logprobs(answers, endpoint)
    if BORDER in tasks:
        yield border(answers, endpoint)
    yield from parameters(answers, endpoint, tasks)
    yield backends(answers, endpoint)
    spoken = [task for task in tasks if task not in (*TASKS, PROMPTS)]
    if spoken:
        yield from broken(answers, endpoint, spoken)
