"""Evaluation and benchmarking harness across OpenAI-compatible endpoints: the public nouns and verbs.

The nouns are here at once. The verbs are those of ``harness.api``, which is imported when one of them is used: whoever
wants the nouns alone pays for neither DuckDB nor pandas.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

from harness.exchange import Completion, Exchange, Failure, Outcome
from harness.provider import Endpoint, Provider
from harness.types import Attempt, Job, Load, Request, Sample, Score, Scorer, Suite, Task, Verdict

if TYPE_CHECKING:
    from harness.api import (
        Planned,
        Run,
        check_endpoints,
        compare,
        known,
        open_run,
        plan,
        providers,
        results,
        resume,
        run,
        runs,
        trend,
    )

__version__ = "0.1.0"

_VERBS = (
    *("Planned", "Run", "check_endpoints", "compare", "known", "open_run", "plan"),
    *("providers", "results", "resume", "runs", "trend"),
)

__all__ = [
    "Attempt",
    "Completion",
    "Endpoint",
    "Exchange",
    "Failure",
    "Job",
    "Load",
    "Outcome",
    "Planned",
    "Provider",
    "Request",
    "Run",
    "Sample",
    "Score",
    "Scorer",
    "Suite",
    "Task",
    "Verdict",
    "__version__",
    "check_endpoints",
    "compare",
    "known",
    "open_run",
    "plan",
    "providers",
    "results",
    "resume",
    "run",
    "runs",
    "trend",
]


class _Verb(ModuleType):
    """The package ``harness.run``, which is a verb too: ``await harness.run(plan)``, see ``harness.api.run``."""

    def __call__(self, *given: Any, **wanted: Any) -> Any:
        return importlib.import_module("harness.api").run(*given, **wanted)


importlib.import_module("harness.run").__class__ = _Verb

if not TYPE_CHECKING:  # a type checker sees the names above, and no others

    def __getattr__(name: str) -> Any:
        """A verb, on its first use."""
        if name in _VERBS:
            value = globals()[name] = getattr(importlib.import_module("harness.api"), name)
            return value
        raise AttributeError(f"module 'harness' has no attribute {name!r}")

    def __dir__() -> list[str]:
        """All names, those that are not imported yet too."""
        return sorted({*globals(), *__all__})
