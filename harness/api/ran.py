"""What was measured by one run: frames, reports and verdicts, and what can still be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal, cast

import pandas as pd

from harness.api.sources import Own, Providers, Sources, sources
from harness.catalog import discover_suites
from harness.errors import UsageError
from harness.gates.file import read as read_gate
from harness.gates.judge import judge
from harness.gates.of_suite import gate_of
from harness.record.folder import RunFolder, write_atomic
from harness.report import whole
from harness.report.conformance.figures import conformance
from harness.report.fidelity.judged import judged
from harness.report.onefile.written import written
from harness.report.summary.figures import summarise
from harness.run import sitting
from harness.scorers.permission import code_allowed
from harness.store import dictionary, query, texts
from harness.store.export import all_of
from harness.store.index import publish
from harness.store.overview import of_folder
from harness.types import JsonObject, RunStatus

_FORMS = {".html": "html", ".md": "md", ".xml": "junit"}


class Run:
    """A run folder and what the results database says of it."""

    def __init__(
        self,
        folder: RunFolder,
        *,
        made_from: Sources | None = None,
        stopped: str | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        """A run by its folder; what it was ``made_from`` is looked up again where it is judged anew or resumed."""
        self.folder = folder
        self.made_from = made_from
        self.stopped = stopped
        """Why the sitting that gave this object ended before its plan; None: it did not."""
        self.notes = notes
        """What a person should know of that sitting, a line each."""

    @property
    def id(self) -> str:
        """By which the commands know it."""
        return self.folder.id

    @property
    def results(self) -> Path:
        """The results folder that it lies in."""
        return self.folder.root.parent.parent

    @property
    def manifest(self) -> JsonObject:
        """``run.json``: what was asked of whom, versions, checksums; StoreError when it cannot be read."""
        return self.folder.read_manifest()

    @property
    def status(self) -> RunStatus:
        """``finished`` is a run with all that was planned."""
        return cast("RunStatus", of_folder(self.folder)["status"])

    # --- as frames ---------------------------------------------------------------------------------------

    def frame(self, table: str = "endpoint_summary") -> pd.DataFrame:
        """The rows of this run in a table or view of the database (``harness db schema`` lists them).

        Errors: UnknownName, StoreError; UsageError for one that is not of runs.
        """
        rows = all_of(table)
        if not any(one.table == table and one.name == "run_id" for one in dictionary.describe()):
            raise UsageError(f"{table} has no column run_id", hint=f"Ask for all of it: harness.results({table!r})")
        return query.frame(self.results, f"{rows} where run_id = ?", [self.id])

    def attempts(self) -> pd.DataFrame:
        """One row for each request that was sent, with its times (ms), tokens, cost and failure."""
        return self.frame("attempt_metrics")

    def scores(self) -> pd.DataFrame:
        """One row for each scored answer: value from 0 to 1, what was read out of it, and why."""
        return self.frame("scores")

    def verdicts(self) -> pd.DataFrame:
        """One row for each probe and endpoint."""
        return self.frame("verdicts")

    # --- as reports --------------------------------------------------------------------------------------

    def report(self, *, margin: float | None = None) -> JsonObject:
        """What ``harness report --json`` says; of a run of loads alone what ``harness load --json`` says.

        ``margin`` is the loss of quality that would matter, in points; None: no verdict on quality.
        """
        if margin is not None:
            return summarise(self.results, self.id, margin=margin / 100)
        with query.held(self.results):
            return whole.tables(self.results, self.folder)

    def matrix(self) -> JsonObject:
        """What ``harness probe --json`` says; UsageError where nothing was probed."""
        return conformance(self.results, self.id)

    def verification(self, *, margin: float = 5.0) -> JsonObject:
        """What ``harness verify --json`` says of a run of ``harness.plan.verify``; ``margin`` is in points."""
        with query.held(self.results):
            return judged(self.results, self.folder, margin=margin / 100)

    def gate(self, file: str | Path | None = None, *, suite: str | None = None, rerun: Run | None = None) -> JsonObject:
        """The verdict of a gate, as ``harness gate --json`` says it: of a gate's file, or the gate of a suite.

        ``rerun`` is the run that was made to confirm this one. Errors: as ``harness.gates.judge.judge``; UsageError
        where there is no gate.
        """
        if (file is None) == (suite is None):
            raise UsageError("a gate is a file, or that of a suite", hint='As in gate("gate.yaml") or gate(suite="ci")')
        gate = read_gate(Path(file)) if file is not None else gate_of(discover_suites().suite(str(suite)))
        if gate is None:
            raise UsageError(f"the suite {suite} has no gate")
        runs = [self.id] if rerun is None else [self.id, rerun.id]
        return judge(self.results, gate, runs).as_json()

    def text(self, form: str = "md", *, margin: float | None = None, include_text: bool = False) -> str:
        """Its report in a form: ``html`` (one page with charts), ``md``, ``junit``, or one of an installed package.

        Arguments as of ``harness report``. Errors: UnknownName where there is no such form.
        """
        name = f"--{form}" if form in _FORMS.values() else f"--as {form}"
        share = None if margin is None else margin / 100
        again = f"harness report {self.id}"
        _, made = written(self.results, [self.folder], [name], again, margin=share, texts=include_text)
        return made[name]

    def write(self, file: str | Path, **said: Any) -> None:
        """Write ``text`` into a file, ``.html``, ``.md`` or ``.xml`` (JUnit); ``said`` are the arguments of ``text``.

        Errors: as ``text``; UsageError for another suffix, StoreError for what cannot be written.
        """
        path = Path(file)
        if path.suffix not in _FORMS and "form" not in said:
            raise UsageError(f"{path}: a report ends in {', '.join(_FORMS)}", hint="Name its form, as in form='md'")
        write_atomic(path, self.text(said.pop("form", None) or _FORMS[path.suffix], **said).encode())

    # --- what can still be done --------------------------------------------------------------------------

    def rescore(self, *, own: Sequence[Own] = (), providers: Providers = None, allow_code_exec: bool = False) -> Run:
        """Judge it again with today's scorers and probes, as ``harness score``; nothing is sent. Gives itself.

        ``own`` are tasks and probes of this process, in the place of those that it was made with, which a run that was
        carried out here knows. Errors: as ``sitting.rejudge``.
        """
        found = self.made_from or sources(providers)
        found.catalog.add(*own)
        with code_allowed() if allow_code_exec else nullcontext():
            sitting.rejudge(self.folder, catalog=found.catalog, providers=found.providers)
        return self

    def purge(self, keep: Literal["none", "hash", "sample"] = "none") -> int:
        """Take requests and answers out of it, as ``harness purge --text``; gives the bytes that this freed.

        Figures, times and scores stay. There is no way back.
        """
        with self.folder.lock():
            freed = texts.purge(self.folder, keep)
        publish(self.results)
        return freed

    def __repr__(self) -> str:
        return f"<run {self.id}: {self.status}>"
