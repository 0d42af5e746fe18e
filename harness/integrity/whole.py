"""The check of whole results: each run by itself, then against the database that was made of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from harness.errors import StoreError
from harness.integrity.agreement import Agreement
from harness.integrity.files import Files
from harness.integrity.finding import Finding, command
from harness.record.folder import RunFolder, list_runs, results_option
from harness.store import query
from harness.store.overview import status_of


def check(results: Path, runs: Sequence[RunFolder]) -> Iterator[Finding]:
    """What is wrong with these runs and with the database; of one that is being written nothing can be said.

    Nothing is changed. Errors: StoreError when a file cannot be read for want of permission.
    """
    with ExitStack() as stack:
        files = stack.enter_context(query.converter())
        try:
            database: query.Connection | None = stack.enter_context(query.read_only(results))
        except StoreError as error:
            database = None
            yield Finding("", "harness.duckdb", error.what, _rebuild(results), wrong=True)
        published = _published(database)
        for run in runs:
            try:
                yield from _run(results, run, files, database, published.get(run.id))
            except query.DatabaseError as error:
                yield Finding(run.id, "harness.duckdb", query.one_line(error), _rebuild(results), wrong=True)
        if database is not None:
            yield from _strangers(results, published)


def _rebuild(results: Path) -> str:
    return f"harness db rebuild{results_option(results)}"


def _published(database: query.Connection | None) -> dict[str, bool]:
    """Whether each run that the database knows is sealed in it."""
    if database is None:
        return {}
    return dict(query.fetch(database, "select run_id, sealed and problem is null from runs", ()).rows)


def _run(
    results: Path,
    run: RunFolder,
    files: query.Connection,
    database: query.Connection | None,
    published: bool | None,  # noqa: FBT001 - None: the database does not know it
) -> Iterator[Finding]:
    if (writer := run.writer()) is not None:
        yield Finding(run.id, "run.json", f"is being written by process {writer}; not checked", "", wrong=False)
        return
    try:
        manifest = run.read_manifest()
    except StoreError as error:
        yield Finding(run.id, "run.json", str(error), "", wrong=True)
        return
    status = status_of(run, manifest)
    if status != "finished":
        yield Finding(run.id, "run.json", f"the run is {status}", command("resume", run), wrong=False)
    whole = Files(run, manifest | {"status": status}, files)
    yield from whole.findings()
    agreement = Agreement(run, manifest, whole.damaged)
    yield from agreement.recorded()
    yield from agreement.sealed(files)
    if database is None:
        return
    if published is None:
        yield Finding(run.id, "harness.duckdb", "does not know this run", _rebuild(results), wrong=True)
    elif published:
        yield from agreement.published(database, results)
    elif not whole.damaged and run.parquet_path("attempts").exists():
        yield Finding(run.id, "harness.duckdb", "lacks rows of this run", _rebuild(results), wrong=True)


def _strangers(results: Path, published: dict[str, bool]) -> Iterator[Finding]:
    """What the database knows and nobody has any more, and what a killed publisher left."""
    present = {run.id for run in list_runs(results)}
    for run in sorted(published.keys() - present):
        yield Finding(run, "harness.duckdb", "holds this run, whose folder is gone", _rebuild(results), wrong=True)
    for path in sorted(results.glob(".harness.duckdb.tmp*")):
        yield Finding("", path.name, "was left by a process that was killed", _rebuild(results), wrong=False)
