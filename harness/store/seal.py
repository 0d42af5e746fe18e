"""Sealing: the journals, scores, verdicts and samples of a run become Parquet files beside them.

Everything that is not a recorded fact is derived anew here (completion, failure, cost), so sealing again with a
newer reader of answers corrects old runs. Rows go through a temporary file of JSON lines, so that memory does not
grow with the run. ``attempts.parquet`` is put in place last: where it is, the others are. At the end the manifest gets
the checksums of all files.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from math import isfinite
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeGuard

import orjson

from harness.errors import StoreError
from harness.exchange import Outcome
from harness.provider import Naming, Price
from harness.record.folder import RunFolder, atomic_file, store_error, storing
from harness.record.journal import entries, purged, sessions
from harness.record.versions import row_of
from harness.store import checksums, query
from harness.store.columns import CLIENT_COUNTS, SEALED, SERVER_VALUES
from harness.store.identity import UNDECLARED, naming_of
from harness.store.ready import Ready, Rows
from harness.store.rows import attempt_row, moment_us, outcome_of, real, text_row, to_line
from harness.store.sharded import aligner, conductor
from harness.types import Attempt, JsonObject
from harness.wire.understand import understand

_ORDER = ("texts", "scores", "judgements", "verdicts", "server_samples", "client_samples", "attempts")
_OPTIONAL = frozenset({"judgements", "server_samples", "client_samples"})


def seal(folder: RunFolder) -> None:
    """Write what a run recorded as Parquet, replacing what was sealed before.

    Errors: StoreError when a journal or a file of judgements cannot be read, or the disk refuses.
    """
    with Sealing(folder):
        pass


class Sealing:
    """A sealing under way: it reads the journals once, and whoever judges the attempts may look on.

    What is judged meanwhile is sealed at the end of the ``with`` block, also when the block fails.
    Errors: StoreError at the beginning when a journal is no longer what was sealed; from ``outcomes`` and at the end
    as ``seal``.
    """

    def __init__(self, folder: RunFolder, ready: Ready | None = None) -> None:
        """``ready`` are the rows of all attempts there are; None: they are made from the journals."""
        self._folder = folder
        self._ready = ready
        self._stack = ExitStack()
        self._lines: dict[str, _Lines] = {}
        self._passing = self._pass()
        self._whole = False

    def outcomes(self) -> Iterator[tuple[Attempt, Outcome]]:
        """Every attempt in the order written, with what ``understand`` makes of it; only once.

        None at all where rows were ready.
        """
        return self._passing

    def __enter__(self) -> Self:
        manifest = self._folder.read_manifest()
        if self._ready is None and (manifest.get("texts") or {}).get("purged_at"):  # while its checksums still hold
            raise purged(self._folder)
        checksums.refuse_changed(self._folder, manifest)
        if manifest.pop("sealed", None) is not None:  # from here on until the end the checksums are of no use
            self._folder.write_manifest(manifest)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._stack:
            for _ in self._passing:  # what nobody has asked for
                pass
            if self._whole:  # else the error that ended the pass is on its way
                self._finish()
        if isinstance(error, KeyboardInterrupt) and not self._whole:
            seal(self._folder)  # it hit the pass itself; the run is interrupted, but sealed it shall be

    def _pass(self) -> Iterator[tuple[Attempt, Outcome]]:
        folder = self._folder
        manifest = folder.read_manifest()
        prices, naming = terms(manifest)
        _remove_leftovers(folder)
        attempts, texts = self._open("attempts"), self._open("texts")
        if self._ready is not None:
            attempts.take(self._ready.attempts)
            texts.take(self._ready.texts)
            self._whole = True
            return
        align = aligner(manifest)
        for opened, attempt in entries(folder):
            session = align(opened)
            assembled = understand(attempt)
            outcome = outcome_of(attempt, assembled)
            name = attempt.job.endpoint
            told = naming.get(name, UNDECLARED)
            attempts.add(attempt_row(folder.id, session, attempt, outcome, prices.get(name), told))
            texts.add(text_row(folder.id, attempt, outcome))
            yield attempt, assembled
        self._whole = True

    def _open(self, table: str) -> _Lines:
        lines = _Lines(self._folder.parquet_path(table))
        self._stack.callback(lines.remove)
        self._lines[table] = lines
        return lines

    def _finish(self) -> None:
        folder = self._folder
        rows = {
            "scores": judged(folder, folder.scores_path),
            "judgements": judged(folder, folder.judgements_path),
            "verdicts": judged(folder, folder.verdicts_path),
            "server_samples": server_samples(folder),
            "client_samples": client_samples(folder),
        }
        for table, found in rows.items():
            lines = self._open(table)
            for row in found:
                lines.add(row)
        with query.converter() as connection:
            for table in _ORDER:
                lines = self._lines[table]
                if lines.empty and table in _OPTIONAL:
                    continue
                lines.close()
                with atomic_file(lines.target) as file, _told(lines.target):
                    query.to_parquet(connection, lines.path, Path(file.name), SEALED[table], longest=lines.longest)
        folder.write_manifest(folder.read_manifest() | {"sealed": checksums.taken(folder)})


def terms(manifest: JsonObject) -> tuple[dict[str, Price | None], dict[str, Naming]]:
    """Prices and what providers declare, by endpoint id, as they were when a run began."""
    asked = [*manifest.get("endpoints", []), *manifest.get("judges", [])]
    prices = {row["id"]: Price(**row["price"]) if row.get("price") else None for row in asked}
    return prices, {row["id"]: naming_of(row.get("naming")) for row in asked}


class _Lines:
    """The rows of one table on their way to ``target``, in a file of their own."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f".{target.stem}.rows.{os.getpid()}.tmp")
        self.longest = 0
        self.empty = True
        with storing(target):
            self._file = self.path.open("wb", buffering=1 << 18)

    def take(self, rows: Rows) -> None:
        """Write rows that are lines already; errors: StoreError when the disk refuses."""
        with storing(self.target):
            self._file.write(rows.lines)
        self.longest = rows.longest
        self.empty = not rows.n

    def add(self, row: JsonObject) -> None:
        """Write one row; errors: StoreError when a value fits no column, or the disk refuses."""
        try:
            line = to_line(row)
            self._file.write(line)
        except OSError as error:
            raise store_error(error, self.target) from error
        except (TypeError, ValueError) as error:
            raise _wrong_type(self.target, error) from error
        self.empty = False
        self.longest = max(self.longest, len(line))

    def close(self) -> None:
        """Have all rows in the file."""
        with storing(self.target):
            self._file.close()

    def remove(self) -> None:
        """Leave nothing behind."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self.path.unlink()


def _remove_leftovers(folder: RunFolder) -> None:
    """What a killed process left of its sealing; its number is in the name."""
    for path in folder.root.glob(".*.tmp"):
        with suppress(OSError, ValueError):
            if not _lives(int(path.suffixes[-2].removeprefix("."))):
                path.unlink()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return process != os.getpid()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what DuckDB raises into a StoreError: a disk that refuses, or a value of the wrong type."""
    try:
        yield
    except query.DatabaseError as error:
        refused = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EACCES, errno.EROFS)
        code = next((code for code in refused if os.strerror(code) in str(error)), None)
        if code is not None:
            raise store_error(OSError(code, os.strerror(code)), path) from error
        raise _wrong_type(path, error) from error


def _wrong_type(path: Path, error: Exception) -> StoreError:
    said = query.one_line(error).partition(" Try setting ")[0]
    return StoreError(f"{path}: a record has a value of the wrong type: {said}")


# --- what is not in the journals -------------------------------------------------------------------------


def judged(folder: RunFolder, path: Path) -> Iterator[JsonObject]:
    """The lines of scores.jsonl, judgements.jsonl or verdicts.jsonl as rows; none when nothing was judged."""
    if not path.exists():
        return
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            row = row_of(_record(line))
            if "job" in row:
                row["job_id"] = row.pop("job")
            yield {name: real(value) if isinstance(value, float) else value for name, value in row.items()} | {
                "run_id": folder.id
            }
        except StoreError as error:
            raise StoreError(f"{path}:{number} {error.what}", hint=error.hint) from None
        except (ValueError, TypeError, AttributeError) as error:
            raise StoreError(
                f"{path}:{number} cannot be read: {error}", hint="Make it anew with `harness score`"
            ) from error


def _record(line: bytes) -> Any:
    """What a line says; infinities and lone surrogates only ``json`` reads."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return json.loads(line)


def server_samples(folder: RunFolder) -> Iterator[JsonObject]:
    """What servers told of themselves, as rows."""
    if not folder.server_path.exists():
        return
    anchor = conductor(folder.read_manifest()) or next((one for one in sessions(folder) if one.shard == 0), None)
    for line in _samples(folder.server_path):
        endpoint, at_ns, values = line.get("endpoint"), line.get("at_ns"), line.get("values")
        if isinstance(endpoint, str) and _whole(at_ns) and isinstance(values, dict):
            told = {name: values[name] for name in SERVER_VALUES if _number(values.get(name))}
            at = {} if anchor is None else {"at": moment_us(anchor, at_ns)}
            yield {"run_id": folder.id, "endpoint": endpoint, "at_ns": at_ns, **at, **told}


def client_samples(folder: RunFolder) -> Iterator[JsonObject]:
    """How the measuring processes were, as rows."""
    for path in folder.vitals():
        shard = int(path.stem.removeprefix("vitals-"))
        for line in _samples(path):
            counts = {name: line.get(name) for name in CLIENT_COUNTS}
            if all(map(_whole, counts.values())):
                yield {"run_id": folder.id, "shard": shard, **counts}


def _samples(path: Path) -> Iterator[JsonObject]:
    """The objects in a file of samples; what a killed process left half written is passed over."""
    with storing(path), path.open("rb") as file:
        for line in file:
            try:
                value = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(value, dict) and line.endswith(b"\n"):
                yield value


def _whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
