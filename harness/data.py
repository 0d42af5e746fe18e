"""Rows of data sets: a local file, a pinned revision on the Hugging Face hub, or a file shipped with a task.

The only importer of ``datasets``, for the hub, Parquet and Arrow: a second and 100 MB that text files do without.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import glob
import gzip
import hashlib
import itertools
import json
import logging
import threading
import time
import zlib
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
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_BUILDERS = {".parquet": "parquet", ".arrow": "arrow"}
_PACKED = ".gz"
KINDS = (*_LINES, *_SEPARATORS, *_BUILDERS)
"""Suffixes of local files; those of text may have ``.gz`` behind them."""
_MAX_FIELD = 1 << 26
"""Characters of one value in a table of text."""


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
        data: local file of ``KINDS`` read in place of the hub; None: the hub.
        columns: what every row must hold.

    Raises:
        TaskError: the local file is missing, malformed or lacks a column; names file, line and column.
        CannotMeasure: the hub cannot be reached and its cache does not hold this revision; said within 5 s.
    """
    if data is not None:
        return local_rows(data, columns)
    return _hub_rows(hub, revision, split, config, columns)


def local_rows(path: Path, columns: Sequence[str] = ()) -> Iterator[JsonObject]:
    """The rows of a JSONL, JSON (an array of objects), CSV, TSV, Parquet or Arrow file, chosen by its suffix.

    JSON values keep their types; every CSV and TSV value is the text that stands there. Nothing is cached and
    nothing is sent. TaskError when the file is missing, empty or malformed or a row lacks one of ``columns``.
    """
    return _checked(placed_rows(path), columns)


def files_in(data: Path | None, name: str, task: str, hint: str) -> list[Path]:
    """The files ``name`` of a task's ``--data``: itself if it is no folder, one in it, or one in each folder of it.

    TaskError with ``hint`` where a folder holds none, or there is no ``--data``.
    """
    if data is None:
        raise TaskError(f"task {task} reads local files", hint=hint)
    if not data.is_dir():
        return [data]
    found = [data / name] if (data / name).is_file() else sorted(data.glob(f"*/{name}"))
    if not found:
        raise TaskError(f"{data} holds no {name}, nor does a folder in it", hint=hint)
    return found


def placed_rows(path: Path) -> Iterator[tuple[str, Any]]:
    """The same rows, whatever JSON value each is, with the place of each: the file and its line, item or row."""
    if path.is_dir():
        raise TaskError(f"{path} is a folder, and one data file is needed", hint=f"Give one of {', '.join(KINDS)}")
    suffix = kind_of(path)
    if suffix is None:
        named = "".join(path.suffixes[-2:]) if path.suffix == _PACKED else path.suffix
        raise TaskError(
            f"{path}: {named or 'no suffix'} is not a known kind of data file",
            hint=f"Give one of {', '.join(KINDS)}",
        )
    if not path.is_file():
        raise TaskError(f"no such data file: {path}")
    if suffix in _LINES:
        return _json_rows(path)
    if suffix in _SEPARATORS:
        return _csv_rows(path, _SEPARATORS[suffix])
    return _arrow_rows(path, _BUILDERS[suffix])


def kind_of(path: Path) -> str | None:
    """The suffix of ``KINDS`` that says how a file is read, without ``.gz``; None: it is no data file by its name."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1:] == [_PACKED]
    suffix = suffixes[-2] if packed and len(suffixes) > 1 else (suffixes[-1] if suffixes else "")
    return suffix if suffix in KINDS and not (packed and suffix in _BUILDERS) else None


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


def _checked(source: Iterable[tuple[str, Any]], columns: Sequence[str]) -> Iterator[JsonObject]:
    """Rows that are objects and hold all columns; ``source`` yields each with its place in the file."""
    for where, row in source:
        if not isinstance(row, dict):
            raise TaskError(f"{where}: a row is a JSON object, this is a {type(row).__name__}")
        lacking = [column for column in columns if row.get(column) is None]
        if lacking:
            near = difflib.get_close_matches(lacking[0], list(map(str, row)), n=1)
            hint = f"It has: {', '.join(map(str, row))[:200]}" + (f". Is {near[0]} meant?" if near else "")
            raise TaskError(f"{where}: no column {lacking[0]!r}", hint=hint)
        yield row


# --- local files -----------------------------------------------------------------------------------------


def _json_rows(path: Path) -> Iterator[tuple[str, Any]]:
    # Not by ``datasets``: Arrow would turn dates into datetimes and fill objects with null names.
    lines = _text_lines(path)
    first = next(((number, line) for number, line in lines if line.strip()), None)
    if first is None:
        raise TaskError(f"{path}: no rows")
    if not first[1].lstrip().startswith("["):
        yield from _json_lines(path, itertools.chain([first], lines))
        return
    text = "\n" * (first[0] - 1) + "".join([first[1], *(line for _, line in lines)])
    for number, row in enumerate(_decoded(str(path), text), 1):
        yield f"{path} item {number}", row


def _json_lines(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[tuple[str, Any]]:
    empty = True
    for number, line in lines:
        if line.strip():
            empty = False
            yield f"{path} line {number}", _decoded(f"{path} line {number}", line.rstrip("\r\n"))
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


def _csv_rows(path: Path, separator: str) -> Iterator[tuple[str, Any]]:
    csv.field_size_limit(_MAX_FIELD)
    table = csv.reader((line for _, line in _text_lines(path)), delimiter=separator, strict=True)
    header: list[str] = []
    before, empty = 0, True
    try:
        for row in table:
            where, before = f"{path} line {before + 1}", table.line_num
            if not header:
                header = _header(path, row)
            elif row:
                empty = False
                if len(row) != len(header):
                    raise TaskError(f"{where}: {len(row)} values under {len(header)} columns")
                yield where, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise TaskError(f"{path} line {table.line_num}: cannot be read as csv: {error}") from None
    if empty:
        _header(path, header)
        raise TaskError(f"{path}: no rows under the header", hint="Its first line names the columns")


def _header(path: Path, names: list[str]) -> list[str]:
    if len(set(names)) != len(names) or not names:
        raise TaskError(f"{path} line 1: the header must name each column once, it is: {', '.join(names)[:200]}")
    return names


def _text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file, packed or not, with their numbers; they end only where a line feed stands."""
    try:
        with gzip.open(path, "rb") if path.suffix.lower() == _PACKED else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                try:
                    yield number, text.decode()
                except UnicodeDecodeError as error:
                    raise TaskError(f"{path} line {number}: not UTF-8 at byte {error.start + 1}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise TaskError(f"{path}: cannot be read: {_first_line(error)}") from None


def _arrow_rows(path: Path, builder: str) -> Iterator[tuple[str, Any]]:
    empty = True
    for number, row in enumerate(_by_datasets(builder, path), 1):
        empty = False
        yield f"{path} row {number}", row
    if empty:
        raise TaskError(f"{path}: no rows")


def _by_datasets(builder: str, path: Path) -> Iterator[JsonObject]:
    datasets = _quiet_datasets()
    try:
        # Streaming reads the file itself: no Arrow copy in the user's cache.
        pattern = glob.escape(str(path.resolve()))
        yield from datasets.load_dataset(builder, data_files=pattern, split="train", streaming=True)
    except HarnessError:
        raise
    except Exception as error:  # noqa: BLE001 - Arrow and datasets each raise their own for a malformed file
        raise TaskError(f"{path}: cannot be read as {builder}: {_first_line(error)}") from None


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
