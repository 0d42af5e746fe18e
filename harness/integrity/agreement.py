"""Whether journals, judged lines, Parquet, database and report of one run say the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from harness.errors import StoreError
from harness.exchange import OUR_DOING
from harness.integrity.ends import Ends
from harness.integrity.finding import Finding, command
from harness.integrity.sums import SHAPES, Sums
from harness.record.folder import RunFolder, results_option
from harness.record.journal import entries
from harness.store import query, seal
from harness.store.identity import UNDECLARED
from harness.store.rows import attempt_row, outcome_of
from harness.types import JsonObject
from harness.wire.understand import understand

_JUDGED = ("scores", "judgements", "verdicts")


class Agreement:
    """What one run says of itself in each place; ``damaged`` are names of files that are not to be read."""

    def __init__(self, folder: RunFolder, manifest: JsonObject, damaged: set[str]) -> None:
        self._folder = folder
        self._manifest = manifest
        self._damaged = damaged
        self._lines: dict[str, Sums] = {}
        """By table, what the files of lines say of it."""
        self._shown = _Shown()
        self._score = command("score", folder)

    def recorded(self) -> Iterator[Finding]:
        """Read the journals and the judged lines; what is wrong with them in themselves."""
        journals = {path.name for path in self._folder.journals()}
        if not self._damaged & journals and not self._manifest.get("texts"):  # answers that are purged cannot be read
            yield from self._journals()
        files = dict(
            zip(
                _JUDGED,
                (self._folder.scores_path, self._folder.judgements_path, self._folder.verdicts_path),
                strict=True,
            )
        )
        for table, path in files.items():
            if path.name not in self._damaged:
                yield from self._take(table, seal.judged(self._folder, path))
        if "server.jsonl" not in self._damaged:
            yield from self._take("server_samples", seal.server_samples(self._folder))
        if not any(name.startswith("vitals-") for name in self._damaged):
            yield from self._take("client_samples", seal.client_samples(self._folder))

    def _journals(self) -> Iterator[Finding]:
        prices, naming = seal.terms(self._manifest)
        attempts, texts, ends = Sums(SHAPES["attempts"]), Sums(SHAPES["texts"]), Ends(self._folder, self._manifest)
        try:
            for session, attempt in entries(self._folder):
                assembled = understand(attempt)
                outcome = outcome_of(attempt, assembled)
                name = attempt.job.endpoint
                row = attempt_row(
                    self._folder.id, session, attempt, outcome, prices.get(name), naming.get(name, UNDECLARED)
                )
                attempts.add(row)
                texts.add(row)
                ends.add(attempt, outcome)
                self._shown.add(row)
        except StoreError as error:
            yield self._wrong("journals", str(error), "")
            return
        self._lines |= {"attempts": attempts, "texts": texts}
        yield from ends.findings(planned="plan.jsonl" not in self._damaged)

    def _take(self, table: str, rows: Iterator[JsonObject]) -> Iterator[Finding]:
        found = Sums(SHAPES[table])
        try:
            for row in rows:
                found.add(row)
        except StoreError as error:
            yield self._wrong(f"{table}.jsonl", str(error), self._score)
            return
        self._lines[table] = found

    def sealed(self, connection: query.Connection) -> Iterator[Finding]:
        """Where the Parquet files say something else than what they were made of."""
        for table, ours in self._lines.items():
            path = self._folder.parquet_path(table)
            if path.exists() and path.name not in self._damaged:
                theirs = Sums.asked(connection, SHAPES[table], "read_parquet(?)", [str(path)])
                for said in ours.differences(theirs):
                    yield self._wrong(path.name, f"the record gives {said}", self._score)
                if table == "attempts":
                    yield from self._twice(connection, path)

    def _twice(self, connection: query.Connection, path: Path) -> Iterator[Finding]:
        sql = "select job_id, number from read_parquet(?) group by all having count(*) > 1 limit 1"
        for job, number in query.fetch(connection, sql, [str(path)]).rows:
            yield self._wrong(path.name, f"attempt {job} number {number} stands there twice", self._score)

    def published(self, connection: query.Connection, results: Path) -> Iterator[Finding]:
        """Where the database, or the views that reports show, say something else than the record."""
        rebuild = f"harness db rebuild{results_option(results)}"
        for table, ours in self._lines.items():
            if f"{table}.parquet" in self._damaged or not self._folder.parquet_path(table).exists():
                continue
            theirs = Sums.asked(connection, SHAPES[table], f"(from {table} where run_id = ?)", [self._folder.id])
            for said in ours.differences(theirs):
                yield self._wrong("harness.duckdb", f"table {table}: the record gives {said}", rebuild)
        if "attempts" in self._lines and "attempts.parquet" not in self._damaged:
            for said in self._shown.differences(connection, self._folder.id):
                yield self._wrong("report", f"the record gives {said}", rebuild)

    def _wrong(self, what: str, problem: str, mend: str) -> Finding:
        return Finding(self._folder.id, what, problem, mend, wrong=True)


class _Shown:
    """What the tables of a report show of attempts, counted from the record."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, row: JsonObject) -> None:
        """Take in the row of an attempt."""
        endpoint, failure = row["endpoint"], row.get("failure_kind")
        if row["kind"] != "judge":
            self._counts[endpoint, "attempts of known cost"] += row.get("cost_usd") is not None
        if row["kind"] in ("probe", "judge"):
            return
        self._counts[endpoint, "attempts"] += failure not in OUR_DOING
        self._counts[endpoint, "good answers"] += failure is None
        if failure is not None and failure != "unneeded":
            self._counts[endpoint, f"failures of kind {failure}"] += 1

    def differences(self, connection: query.Connection, run: str) -> Iterator[str]:
        """Where the views say something else."""
        shown: Counter[tuple[str, str]] = Counter()
        sql = "select endpoint, n, n_ok, cost_known_n from endpoint_summary where run_id = ?"
        for endpoint, n, n_ok, known in query.fetch(connection, sql, [run]).rows:
            shown[endpoint, "attempts"] = n
            shown[endpoint, "good answers"] = n_ok
            shown[endpoint, "attempts of known cost"] = known
        sql = "select endpoint, failure_kind, n from error_summary where run_id = ?"
        for endpoint, failure, n in query.fetch(connection, sql, [run]).rows:
            shown[endpoint, f"failures of kind {failure}"] = n
        for endpoint, what in sorted(self._counts.keys() | shown.keys()):
            ours, theirs = self._counts[endpoint, what], shown[endpoint, what]
            if ours != theirs:
                yield f"{ours} {what} of {endpoint} where the report shows {theirs}"
