"""Evaluation and benchmarking harness across OpenAI-compatible endpoints: the public nouns."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.exchange import Completion, Exchange, Failure, Outcome
from harness.provider import Endpoint, Provider
from harness.types import Attempt, Job, Load, Request, Sample, Score, Scorer, Suite, Task, Verdict

if TYPE_CHECKING:
    import pandas as pd

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
    "results",
]


def results(
    table: str = "endpoint_summary",
    *,
    query: str | None = None,
    params: Sequence[object] | Mapping[str, object] = (),
    folder: str | Path = "results",
) -> pd.DataFrame:
    """Give results as a pandas DataFrame: a table or view of the database, or what a query gives.

    Args:
        table: its name, as ``harness db schema`` lists them with units and meaning of NULL.
        query: SQL to ask instead; its places are filled with ``params``.
        params: values for ``?`` in their order, or for ``$name`` by name.
        folder: the results folder.

    Raises:
        UnknownName: there is no such table.
        UsageError: it is a macro, which is called in a query.
        StoreError: there is no database, or it is damaged or of another version.
    """
    # Loaded on use: whoever only wants the nouns pays for neither DuckDB nor pandas.
    asked = query if query is not None else importlib.import_module("harness.store.export").all_of(table)
    found: pd.DataFrame = importlib.import_module("harness.store.query").frame(Path(folder), asked, params)
    return found
