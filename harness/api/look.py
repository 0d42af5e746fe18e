"""What there is to ask, whom, and what all runs say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from harness import catalog, config
from harness.api.ran import Run
from harness.api.sources import Providers, sources
from harness.catalog import Catalog
from harness.errors import UsageError
from harness.preflight.check import TIMEOUT_S, check
from harness.provider import Provider
from harness.record.folder import list_runs
from harness.record.folder import open_run as folder_of
from harness.report.comparison.figures import Alike, compared
from harness.report.comparison.sides import pairs_of
from harness.report.nights.trend import as_json
from harness.report.nights.trend import trend as series
from harness.store import overview
from harness.store.export import all_of
from harness.store.query import frame, held
from harness.types import JsonObject


def known() -> Catalog:
    """All tasks, loads, probes and suites, by name: those of this folder, those shipped, and those of plug-ins."""
    found = catalog.discover()
    found.add_plugins()
    return found


def providers(file: str | Path | None = None) -> dict[str, Provider]:
    """All providers by id; None: ``./providers.yaml`` over the shipped ones. ConfigError names file, line and field."""
    return config.load_providers(None if file is None else Path(file))


async def check_endpoints(
    *names: str, free: bool = False, timeout_s: float = TIMEOUT_S, providers: Providers = None
) -> list[JsonObject]:
    """Whether endpoints can be measured from here, and if not, how to mend it, as ``harness providers check --json``.

    ``free`` asks only what costs nothing. Errors: UnknownName, UsageError.
    """
    if not names:
        raise UsageError("nobody is named to be checked", hint="Name endpoints, as in check_endpoints('groq/llama')")
    known_ones = sources(providers, only=("LOAD",)).providers
    targets = [config.endpoint(known_ones, name) for name in names]
    return [asdict(one) for one in await check(targets, free=free, timeout_s=timeout_s)]


def open_run(name: str = "latest", *, results: str | Path = "results") -> Run:
    """A run by its id, the beginning of one, or ``latest``; UnknownName with the nearest ones."""
    return Run(folder_of(Path(results), name))


def runs(*, results: str | Path = "results") -> pd.DataFrame:
    """The runs, oldest first, one row each, as ``harness runs list``."""
    return pd.DataFrame([overview.of_folder(run) for run in list_runs(Path(results))])


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
    return frame(Path(folder), all_of(table) if query is None else query, params)


def compare(
    a: str, b: str, *, run: str | Run = "latest", same_within: float = 0.0, results: str | Path = "results"
) -> JsonObject:
    """What B adds to A, pair by pair, as ``harness compare --json``; ``same_within`` is in percent.

    Errors: as ``pairs_of``.
    """
    place = run.results if isinstance(run, Run) else Path(results)
    pairs = pairs_of(place, a, b, run.id if isinstance(run, Run) else run)
    with held(place):
        return compared(place, pairs, Alike.within(same_within))


def trend(
    *metrics: str,
    endpoint: str | None = None,
    suite: str | None = None,
    last: int | None = None,
    results: str | Path = "results",
) -> list[JsonObject]:
    """How figures went from run to run, with change points, as ``harness trend --json``; none named: the main ones."""
    with held(Path(results)):
        return as_json(series(Path(results), metrics=metrics, endpoint=endpoint, suite=suite, last=last))
