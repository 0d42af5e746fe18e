"""Whether each file of a run is whole: as its checksum says, line by line, and of the declared columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson

from harness.errors import StoreError
from harness.integrity.finding import Finding, command
from harness.record.folder import RunFolder
from harness.record.versions import VERSION, row_of
from harness.run.planning.plan import sha256
from harness.store import checksums, query
from harness.store.columns import SEALED
from harness.types import JsonObject

_ALWAYS = frozenset({"attempts", "texts", "scores", "verdicts"})
"""Tables that every sealed run has a file of."""
_KNOWN = frozenset({"run.json", "plan.jsonl", "scores.jsonl", "judgements.jsonl", "verdicts.jsonl", "server.jsonl"})
_FREE = (".lock", "*.log", "*.sends.jsonl")
"""What is written beside the record and says nothing of it."""


class Files:
    """The files of one run, its manifest having been read."""

    def __init__(self, folder: RunFolder, manifest: JsonObject, connection: query.Connection) -> None:
        self._folder = folder
        self._manifest = manifest
        self._connection = connection
        self._score = command("score", folder)
        self._resume = command("resume", folder)
        self.damaged: set[str] = set()
        """Names of files that cannot be compared with others, since they are not whole."""

    def findings(self) -> Iterator[Finding]:
        """What is wrong with files, and what else lies about."""
        for one in (*self._sealed(), *self._plan(), *self._lines(), *self._tables(), *self._strangers()):
            if one.wrong:
                self.damaged.add(one.what.partition(":")[0])
            yield one

    def _wrong(self, what: str, problem: str, mend: str) -> Finding:
        return Finding(self._folder.id, what, problem, mend, wrong=True)

    def _mend_of(self, name: str) -> str:
        """Journals and manifests are what all else is made of; no command makes them."""
        if name.startswith(("journal-", "run.json", "server", "vitals")) and not name.endswith(".parquet"):
            return ""
        return self._resume if name == "plan.jsonl" else self._score

    def _sealed(self) -> Iterator[Finding]:
        """Files that are not what their checksums say, or have none where all others have one."""
        sealed = self._manifest.get("sealed")
        if sealed is None:
            if self._manifest.get("status") != "running" and self._folder.parquet_path("attempts").exists():
                # Before version 2 nobody took any; after it a sealing was broken off.
                yield Finding(self._folder.id, "run.json", "holds no checksums of its files", self._score, wrong=False)
            return
        present = {path.name for path in checksums.parts(self._folder)}
        for name in sorted(present | set(sealed)):
            problem = checksums.differs(self._folder.root / name, sealed.get(name))
            if problem:
                yield self._wrong(name, problem, self._mend_of(name))

    def _plan(self) -> Iterator[Finding]:
        path = self._folder.plan_path
        try:
            lines = path.read_bytes()
        except OSError as error:
            yield self._wrong(path.name, f"cannot be read: {error.strerror}", self._resume)
            return
        if sha256(lines) != self._manifest.get("plan_sha256"):
            yield self._wrong(path.name, "is not the plan that run.json names by its hash", self._resume)
        ids: Counter[str] = Counter()
        for number, line in enumerate(lines.splitlines(), 1):
            try:
                ids[row_of(orjson.loads(line))["id"]] += 1
            except (ValueError, KeyError, TypeError, AttributeError, StoreError) as error:
                yield self._wrong(f"{path.name}:{number}", f"cannot be read: {error}", self._resume)
                return
        if (twice := next((name for name, n in ids.items() if n > 1), None)) is not None:
            yield self._wrong(path.name, f"has request {twice} twice", self._resume)
        if ids.total() != (planned := self._manifest.get("planned")):
            yield self._wrong(path.name, f"has {ids.total()} requests where run.json says {planned}", self._resume)

    def _lines(self) -> Iterator[Finding]:
        """What is judged must be whole; of samples the last line may be torn, since they are written as they come."""
        folder = self._folder
        judged = [folder.scores_path, folder.judgements_path, folder.verdicts_path]
        for path in filter(Path.is_file, judged):
            yield from self._bad_lines(path, self._score)
        for path in filter(Path.is_file, [folder.server_path, *folder.vitals()]):
            yield from self._bad_lines(path, "", torn=True)
        finished = self._manifest.get("status") == "finished"
        if finished and not (folder.scores_path.exists() and folder.verdicts_path.exists()):
            yield self._wrong("scores.jsonl", "or verdicts.jsonl is missing", self._score)

    def _bad_lines(self, path: Path, mend: str, *, torn: bool = False) -> Iterator[Finding]:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                where = f"{path.name}:{number}"
                if not line.endswith(b"\n"):
                    yield Finding(self._folder.id, where, "the last line is cut short", mend, wrong=not torn)
                    return
                try:
                    row_of(orjson.loads(line))
                except StoreError as error:
                    yield self._wrong(where, str(error), mend)
                    return
                except (ValueError, TypeError, AttributeError) as error:
                    yield self._wrong(where, f"cannot be read: {error}", mend)
                    return

    def _tables(self) -> Iterator[Finding]:
        if not self._folder.parquet_path("attempts").exists():
            if self._manifest.get("status") == "finished" or self._manifest.get("sealed"):
                yield self._wrong("attempts.parquet", "is missing", self._score)
            return
        for table, columns in SEALED.items():
            path = self._folder.parquet_path(table)
            if not path.exists():
                if table in _ALWAYS - {"texts"}:
                    yield self._wrong(path.name, "is missing", self._score)
                elif table == "texts":
                    yield Finding(self._folder.id, path.name, "is not there: texts were taken away", "", wrong=False)
                continue
            problem = _table_problem(self._connection, path, columns)
            if problem:
                yield self._wrong(path.name, problem, self._score)

    def _strangers(self) -> Iterator[Finding]:
        """Files that no harness writes, and what killed processes left."""
        folder = self._folder
        own = {path.name for path in checksums.parts(folder) if path.suffix != ".parquet"} | _KNOWN
        own |= {folder.parquet_path(table).name for table in SEALED}
        for path in sorted(folder.root.iterdir()):
            if path.name in own or any(path.match(pattern) for pattern in _FREE):
                continue
            left = path.name.startswith(".")
            said = "was left by a process that was killed" if left else "is no file of a run"
            mend = self._score if left else ""
            yield Finding(folder.id, path.name, said, mend, wrong=False)


def _table_problem(connection: query.Connection, path: Path, columns: JsonObject | object) -> str | None:
    """Why a Parquet file is not one of these columns that can be read to its end; None: it is."""
    assert isinstance(columns, dict)
    try:
        if (version := query.parquet_version(connection, path)) > VERSION:
            return f"has version {version}; update endpoint-harness"
        found = dict(
            query.fetch(
                connection, "select column_name, column_type from (describe from read_parquet(?))", [str(path)]
            ).rows
        )
        for name, kind in found.items():
            if name in columns and kind != columns[name]:
                return f"column {name} is {kind} and not {columns[name]}"
        missing = [name for name in ("run_id", next(iter(columns))) if name not in found]
        if missing:
            return f"has no column {missing[0]}"
        # All of it has to be unpacked to be hashed.
        query.fetch(connection, "select bit_xor(hash(t)) from read_parquet(?) t", [str(path)])
    except query.DatabaseError as error:
        return f"cannot be read: {query.one_line(error)}"
    return None
