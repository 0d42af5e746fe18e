"""Rows of data sets: a local file, a pinned revision on the Hugging Face hub, or a file shipped with a task.

The only importer of ``datasets``, loaded when the first row is asked for (seconds of import).
"""

from __future__ import annotations

import csv
import glob
import hashlib
import json
import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from harness.errors import CannotMeasure, HarnessError, TaskError
from harness.types import JsonObject

_REACH_S = 2.5
"""How long the hub may take to answer at all; ``datasets`` itself retries for about 25 s."""

_LINES = (".jsonl", ".ndjson", ".json")
_TABLES = (".csv", ".tsv", ".parquet")


def rows(
    *,
    hub: str,
    revision: str,
    split: str,
    config: str | None = None,
    data: Path | None = None,
    columns: Sequence[str] = (),
) -> Iterator[JsonObject]:
    """The rows of one split, in the order of the source.

    Args:
        hub: data set on the hub, for example ``openai/gsm8k``.
        revision: commit of it; a branch name gives up repeatability.
        split: for example ``test``.
        config: subset of the data set; None: it has only one.
        data: local JSONL, CSV, TSV or Parquet file read in place of the hub; None: the hub.
        columns: what every row must hold.

    Raises:
        TaskError: the local file is missing, malformed or lacks a column; names file, line and column.
        CannotMeasure: the hub cannot be reached and its cache does not hold this revision; said within 5 s.
    """
    if data is not None:
        return local_rows(data, columns)
    return _hub_rows(hub, revision, split, config, columns)


def local_rows(path: Path, columns: Sequence[str] = ()) -> Iterator[JsonObject]:
    """The rows of a JSONL, JSON (an array of objects), CSV, TSV or Parquet file, chosen by its suffix.

    JSON values keep their types; every CSV and TSV value is the text that stands there. Nothing is cached and
    nothing is sent. TaskError when the file is missing, empty or malformed or a row lacks one of ``columns``.
    """
    if path.is_dir():
        raise TaskError(f"{path} is a folder, and one data file is needed", hint=_kinds())
    suffix = path.suffix.lower()
    if suffix not in _LINES + _TABLES:
        raise TaskError(f"{path}: {suffix or 'no suffix'} is not a known kind of data file", hint=_kinds())
    if not path.is_file():
        raise TaskError(f"no such data file: {path}")
    source = _json_rows(path) if suffix in _LINES else _table_rows(path, suffix)
    return _checked(source, columns)


def package_rows(path: Path, sha256: str) -> Iterator[JsonObject]:
    """The rows of a JSONL file shipped beside a task; TaskError when it is not the file that was checked in."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TaskError(f"{path}: {error.strerror}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise TaskError(f"{path}: sha256 is {found[:12]}…, expected {sha256[:12]}…", hint="Its content was changed")
    return _checked(_json_lines(path, enumerate(content.decode("utf-8").split("\n"), 1)), ())


def _kinds() -> str:
    return f"Give one of {', '.join(_LINES + _TABLES)}"


def _checked(source: Iterable[tuple[str, Any]], columns: Sequence[str]) -> Iterator[JsonObject]:
    """Rows that are objects and hold all columns; ``source`` yields each with its place in the file."""
    for where, row in source:
        if not isinstance(row, dict):
            raise TaskError(f"{where}: a row is a JSON object, this is a {type(row).__name__}")
        lacking = [column for column in columns if row.get(column) is None]
        if lacking:
            raise TaskError(f"{where}: no column {lacking[0]!r}", hint=f"It has: {', '.join(map(str, row))[:200]}")
        yield row


# --- local files -----------------------------------------------------------------------------------------


def _json_rows(path: Path) -> Iterator[tuple[str, Any]]:
    # The "text" builder and not "json": Arrow would turn dates into datetimes and fill objects with null names.
    with path.open("rb") as file:
        start = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start.startswith(b"["):
        lines = (row["text"] for row in _local("text", path, encoding="utf-8-sig"))
        yield from _json_lines(path, enumerate(lines, 1))
        return
    text = "".join(row["text"] for row in _local("text", path, encoding="utf-8-sig", sample_by="document"))
    for number, row in enumerate(_decoded(str(path), text), 1):
        yield f"{path} item {number}", row


def _json_lines(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[tuple[str, Any]]:
    empty = True
    for number, line in lines:
        if line.strip():
            empty = False
            yield f"{path} line {number}", _decoded(f"{path} line {number}", line)
    if empty:
        raise TaskError(f"{path}: no rows")


def _decoded(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno} " if error.lineno > 1 else ""
        raise TaskError(f"{where}: not JSON: {error.msg} at {line}column {error.colno}") from None
    except (ValueError, RecursionError) as error:
        raise TaskError(f"{where}: not JSON: {error}") from None


def _table_rows(path: Path, suffix: str) -> Iterator[tuple[str, Any]]:
    if suffix == ".parquet":
        table = _local("parquet", path)
    else:
        separator = "\t" if suffix == ".tsv" else ","
        table = _local("csv", path, sep=separator, keep_default_na=False, header_of=path)
    empty = True
    for number, row in enumerate(table, 1):
        empty = False
        yield f"{path} row {number}", row
    if empty:
        raise TaskError(f"{path}: no rows")


def _local(builder: str, path: Path, *, header_of: Path | None = None, **options: Any) -> Iterator[JsonObject]:
    datasets = _quiet_datasets()
    try:
        if header_of is not None:
            options["features"] = _text_columns(datasets, header_of, options["sep"])
        # Streaming reads the file itself: no Arrow copy in the user's cache.
        pattern = glob.escape(str(path.resolve()))
        found = datasets.load_dataset(builder, data_files=pattern, split="train", streaming=True, **options)
        # pandas keeps a CSV file open until its last row was read, and a limit leaves rows unread.
        yield from list(found) if builder == "csv" else found
    except HarnessError:
        raise
    except Exception as error:  # noqa: BLE001 - pandas, Arrow and datasets each raise their own for a malformed file
        raise TaskError(f"{path}: cannot be read as {builder}: {_first_line(error)}") from None


def _text_columns(datasets: Any, path: Path, separator: str) -> Any:
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file, delimiter=separator), [])
    if len(set(header)) != len(header) or not header:
        raise TaskError(f"{path} line 1: the header must name each column once, it is: {', '.join(header)[:200]}")
    return datasets.Features({column: datasets.Value("string") for column in header})


# --- the hub ---------------------------------------------------------------------------------------------


def _hub_rows(hub: str, revision: str, split: str, config: str | None, columns: Sequence[str]) -> Iterator[JsonObject]:
    holding = f" with the columns {', '.join(columns)}" if columns else ""
    hint = f"Give a local copy: --data FILE, a JSONL, CSV or Parquet file of the {split} split{holding}"
    begin_ns = time.perf_counter_ns()
    answers = _ask_hub()
    datasets = _quiet_datasets()
    # The import's seconds count: together they stay within the five that are promised.
    reachable = _arrived(answers, _REACH_S - (time.perf_counter_ns() - begin_ns) / 1e9)
    try:
        with _offline(datasets, offline=not reachable):
            table = datasets.load_dataset(hub, config, split=split, revision=revision)
    except Exception as error:  # noqa: BLE001 - the hub client raises a dozen kinds; all mean there are no rows
        why = _first_line(error) if reachable else "the Hugging Face hub cannot be reached and its cache lacks it"
        raise CannotMeasure(f"data set {hub} could not be loaded: {why}", hint=hint) from None
    # Offline, datasets takes the latest revision in its cache, whichever that is.
    files = [Path(file["filename"]) for file in table.cache_files]
    if not reachable and revision != "main" and not all(revision in file.parts for file in files):
        raise CannotMeasure(f"data set {hub}: only another revision than {revision[:12]} is in the cache", hint=hint)
    yield from _checked(((f"{hub} {split} row {number}", row) for number, row in enumerate(table, 1)), columns)


def _ask_hub() -> SimpleQueue[int | None]:
    """Will hold the hub's HTTP status, None without an answer; a thread, since resolving a name has no time limit."""
    import huggingface_hub  # noqa: PLC0415 - comes with datasets and is as seldom needed
    from huggingface_hub import constants  # noqa: PLC0415 - as above

    answers: SimpleQueue[int | None] = SimpleQueue()
    # Made here: two threads that import at once can see half a module.
    session = huggingface_hub.get_session()

    def ask() -> None:
        try:
            answers.put(session.head(constants.ENDPOINT, timeout=_REACH_S).status_code)
        except Exception:  # noqa: BLE001 - whatever went wrong, it did not answer
            answers.put(None)

    if constants.HF_HUB_OFFLINE:
        answers.put(None)
    else:
        threading.Thread(target=ask, daemon=True).start()
    return answers


def _arrived(answers: SimpleQueue[int | None], seconds: float) -> bool:
    try:
        return answers.get(timeout=max(seconds, 0.1)) is not None
    except Empty:
        return False


@contextmanager
def _offline(datasets: Any, *, offline: bool) -> Iterator[None]:
    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = before or offline
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


def _quiet_datasets() -> Any:
    """The module ``datasets``, without progress bars, log lines, and requests that only count its users."""
    import datasets  # noqa: PLC0415 - seconds of import, paid only by who reads data
    import huggingface_hub  # noqa: PLC0415 - as above
    from huggingface_hub import constants  # noqa: PLC0415 - as above

    huggingface_hub.logging.set_verbosity(logging.CRITICAL)
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(logging.CRITICAL)
    # Even load_dataset("csv", ...) of a local file sends a HEAD request to count downloads.
    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False
    constants.HF_HUB_DISABLE_TELEMETRY = True
    return datasets


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
