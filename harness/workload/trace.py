"""Recorded arrivals of real services: when each request came, how long it was, and what it shared with others.

Two formats are known, told apart by their fields:

- Mooncake, JSONL: ``timestamp`` (ms), ``input_length``, ``output_length`` (tokens), ``hash_ids`` (one id for each 512
  tokens of the prompt; equal leading ids, equal leading text). Source: FAST25-release/traces of
  github.com/kvcache-ai/Mooncake; Qin et al., "Mooncake", FAST 2025.
- Azure, CSV or JSONL: ``TIMESTAMP`` (date and time), ``ContextTokens``, ``GeneratedTokens``. Source:
  AzureLLMInferenceDataset2023.md and ...2024.md of github.com/Azure/AzurePublicDataset.
"""

from __future__ import annotations

import csv
import functools
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from harness.errors import TaskError
from harness.types import JsonObject, Sample
from harness.workload import jsonl, words
from harness.workload.figures import require, require_whole
from harness.workload.synthetic import stream

Format = Literal["mooncake", "azure"]

BLOCK_TOKENS = 512
"""Tokens that one of Mooncake's hash ids stands for."""

_FIELDS: Mapping[Format, tuple[str, ...]] = {
    "mooncake": ("timestamp", "input_length", "output_length"),
    "azure": ("TIMESTAMP", "ContextTokens", "GeneratedTokens"),
}
_TIME = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\d*(Z|[+-]\d\d:?\d\d)?")


@dataclass(frozen=True, slots=True)
class Trace:
    """The requests of a trace in their order: one entry of each tuple."""

    name: str
    """Of the file, without its suffix and what no stage name may hold."""
    times_ns: tuple[int, ...] = field(repr=False)
    """Since the first request, divided by ``speed``."""
    input_tokens: tuple[int, ...] = field(repr=False)
    output_tokens: tuple[int, ...] = field(repr=False)
    hash_ids: tuple[tuple[int, ...], ...] = field(repr=False)
    """Empty for each request of a format without them."""
    path: str
    sha256: str
    """Of the whole file."""
    speed: float = 1.0
    limit: int | None = None
    """How many of the file's first requests were wanted; None: all."""

    def __len__(self) -> int:
        """Requests."""
        return len(self.times_ns)


class _Row(NamedTuple):
    at_ns: int
    shown: str
    input_tokens: int
    output_tokens: int
    hash_ids: tuple[int, ...]


def read(path: Path, *, format: Format | None = None, speed: float = 1.0, limit: int | None = None) -> Trace:  # noqa: A002
    """Read a trace.

    Args:
        path: JSONL or CSV file.
        format: None: told by its fields.
        speed: 2 lets the requests come twice as fast.
        limit: keeps the first so many requests; None: all.

    Raises:
        UsageError: speed or limit is none.
        TaskError: the file is missing, empty or of no known format, a field is wrong, or time runs back; it names the
            line.
    """
    require("speed", speed)
    if limit is not None:
        require_whole("limit", limit)
    rows: list[_Row] = []
    for place, row in itertools.islice(_rows(path, format), limit):
        if rows and row.at_ns < rows[-1].at_ns:
            raise TaskError(f"{path} line {place}: time runs back, from {rows[-1].shown} to {row.shown}")
        rows.append(row)
    return Trace(
        name=re.sub(r"[^A-Za-z0-9_.-]+", "_", path.stem) or "trace",
        times_ns=tuple(round((row.at_ns - rows[0].at_ns) / speed) for row in rows),
        input_tokens=tuple(row.input_tokens for row in rows),
        output_tokens=tuple(row.output_tokens for row in rows),
        hash_ids=tuple(row.hash_ids for row in rows),
        path=str(path),
        sha256=jsonl.sha256(path),
        speed=speed,
        limit=limit,
    )


def _rows(path: Path, wanted: Format | None) -> Iterator[tuple[int, _Row]]:
    source = jsonl.rows(path) if _is_json(path) else _csv_rows(path)
    read_row: Callable[[str, Mapping[str, Any]], _Row] | None = None
    for place, row in source:
        where = f"{path} line {place}"
        if read_row is None:
            read_row = _READERS[wanted or _format_of(where, row)]
        yield place, read_row(where, row)


def _is_json(path: Path) -> bool:
    for _, line in jsonl.lines(path):
        if line.strip():
            return line.lstrip().startswith("{")
    raise TaskError(f"{path}: no rows")


def _csv_rows(path: Path) -> Iterator[tuple[int, JsonObject]]:
    table = csv.DictReader(line for _, line in jsonl.lines(path))
    if not set(_FIELDS["azure"]) <= set(table.fieldnames or ()):
        raise _unknown(f"{path} line 1", table.fieldnames or ())
    none = True
    try:
        for row in table:
            none = False
            yield table.line_num, row
    except csv.Error as error:
        raise TaskError(f"{path} line {table.line_num}: {error}") from None
    if none:
        raise TaskError(f"{path}: no rows below the header")


def _format_of(where: str, row: Mapping[str, Any]) -> Format:
    for name, fields in _FIELDS.items():
        if all(one in row for one in fields):
            return name
    raise _unknown(where, row)


def _unknown(where: str, found: Any) -> TaskError:
    known = "; ".join(f"{name}: {', '.join(fields)}" for name, fields in _FIELDS.items())
    return TaskError(f"{where}: no known trace, it has: {', '.join(map(str, found))[:200]}", hint=f"Known are {known}")


def _mooncake(where: str, row: Mapping[str, Any]) -> _Row:
    at_ms = row.get("timestamp")
    if not isinstance(at_ms, int | float) or isinstance(at_ms, bool) or not 0 <= at_ms < 1e15:
        raise TaskError(f"{where}: field 'timestamp' must be a number of milliseconds, not {_shown(at_ms)}")
    ids = row.get("hash_ids") or []
    if not isinstance(ids, list) or not all(isinstance(one, int) for one in ids):
        raise TaskError(f"{where}: field 'hash_ids' must be a list of whole numbers, not {_shown(ids)}")
    return _Row(
        round(at_ms * 1e6),
        f"{at_ms} ms",
        _tokens(where, row, "input_length"),
        _tokens(where, row, "output_length"),
        tuple(ids),
    )


def _azure(where: str, row: Mapping[str, Any]) -> _Row:
    shown = row.get("TIMESTAMP")
    at_ns = _instant_ns(shown) if isinstance(shown, str) else None
    if at_ns is None:
        example = "2023-11-16 18:15:46.680590"
        raise TaskError(f"{where}: field 'TIMESTAMP' must be a time, as in {example}, not {_shown(shown)}")
    return _Row(at_ns, str(shown), _tokens(where, row, "ContextTokens"), _tokens(where, row, "GeneratedTokens"), ())


def _instant_ns(text: str) -> int | None:
    """Time since 1970, UTC where no zone is given; None: it is no time."""
    parts = _TIME.fullmatch(text.strip())
    if parts is None:
        return None
    try:
        begin = datetime.fromisoformat(f"{parts[1]}{parts[3] or ''}")
    except ValueError:
        return None
    # Seconds and their fraction apart: a float of seconds since 1970 is only good to some 100 ns.
    second = round((begin if begin.tzinfo else begin.replace(tzinfo=UTC)).timestamp())
    return second * 1_000_000_000 + int((parts[2] or "0").ljust(9, "0"))


_READERS: Mapping[Format, Callable[[str, Mapping[str, Any]], _Row]] = {"mooncake": _mooncake, "azure": _azure}


def _tokens(where: str, row: Mapping[str, Any], name: str) -> int:
    value = row.get(name)
    count = int(value) if isinstance(value, str) and value.strip().isdecimal() else value
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise TaskError(f"{where}: field {name!r} must be a whole number from 0 on, not {_shown(value)}")
    return count


def _shown(value: Any) -> str:
    return repr(value)[:60]


# --- as a workload ---------------------------------------------------------------------------------------

_ASK = "Write a long story with many of the words that the user gives."


@dataclass(frozen=True, slots=True)
class Traced:
    """A workload: the index-th request of a trace, round again when it is through.

    The prompt has about the recorded tokens, at least one, and ``max_tokens`` is the recorded output, at least 1. Each
    hash id stands for a block of text of its own, the same for every request, so equal leading ids are equal leading
    text; that is kept only with the nonce ``run`` or ``none``. Where there are no ids, all text is the request's own.
    What is asked for stands in one short system message that all share, so that the end of a prompt is a block's too.
    """

    trace: Trace
    tokenizer: Path | None = None
    """A ``tokenizer.json`` that makes lengths exact; None: as many words as tokens."""
    ignore_eos: bool = False
    """Whether to ask for exactly ``max_tokens`` with a field that vLLM and SGLang know and others may refuse."""

    def __call__(self, seed: int, index: int) -> Sample:
        """The request with that number, counted from 0 and round again."""
        place = index % len(self.trace)
        tokens, output = max(1, self.trace.input_tokens[place]), max(1, self.trace.output_tokens[place])
        asking = words.count(_ASK, self.tokenizer)
        system: tuple[JsonObject, ...] = ({"role": "system", "content": _ASK},) if tokens > asking else ()
        text = self._text(seed, index, tokens - asking if system else tokens)
        return Sample(
            id=f"{seed}-{index:05d}",
            messages=(*system, {"role": "user", "content": text}),
            params={"temperature": 0, "max_tokens": output} | ({"ignore_eos": True} if self.ignore_eos else {}),
            metadata={"input_tokens": tokens, "output_tokens": output},
        )

    def _text(self, seed: int, index: int, tokens: int) -> str:
        parts: list[str] = []
        left = tokens
        for block in self.trace.hash_ids[index % len(self.trace)]:
            if left <= 0:
                break
            size = min(left, BLOCK_TOKENS)
            parts.append(_block(seed, block, size, self.tokenizer))
            left -= size
        if left > 0:
            parts.append(words.text(stream(f"{seed}/{index}"), left, self.tokenizer))
        return " ".join(parts)


@functools.lru_cache(maxsize=4096)
def _block(seed: int, block: int, tokens: int, tokenizer: Path | None) -> str:
    return words.text(stream(f"{seed}/block/{block}"), tokens, tokenizer)
