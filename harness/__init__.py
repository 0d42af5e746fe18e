"""Evaluation and benchmarking harness across OpenAI-compatible endpoints: the public nouns."""

from harness.exchange import Completion, Exchange, Failure, Outcome
from harness.provider import Endpoint, Provider
from harness.types import Attempt, Job, Load, Request, Sample, Score, Scorer, Suite, Task, Verdict

__version__ = "0.1.0"

__all__ = [
    "Attempt",
    "Completion",
    "Endpoint",
    "Exchange",
    "Failure",
    "Job",
    "Load",
    "Outcome",
    "Provider",
    "Request",
    "Sample",
    "Score",
    "Scorer",
    "Suite",
    "Task",
    "Verdict",
    "__version__",
]
