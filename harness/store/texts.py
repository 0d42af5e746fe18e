"""What is kept of the texts of a run, once nothing more is made of them: all, a sample, their hashes, or nothing.

Purging rewrites file by file: journal, scores, judgements and verdicts as lines and as Parquet. Each file is replaced
whole, or not at all, and a purging that was broken off is finished by the next one, for ``run.json`` says that it was
begun. Numbers, times, tokens, costs, headers and scores stay, so the reports do; what needs the words is refused from
the first moment on: judging again, sealing again, resuming, and the evidence of a verdict. ``texts.of`` is the checksum
of the manifest as it was, by which a purged run and a whole copy of it are known for the same run.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson

from harness.errors import StoreError
from harness.record.folder import RunFolder, atomic_file, storing, sync_folder
from harness.record.line import line_of, record_of
from harness.record.versions import VERSION, checksum
from harness.store import checksums, query
from harness.types import JsonObject

Kept = Literal["all", "sample", "hash", "none"]
ONE_IN = 20
"""So many questions have one whose texts a sample keeps: the same ones of every endpoint and in every run."""
PURGED = "[purged]"
"""Stands where a column must say something."""
_LINES = ("scores", "judgements", "verdicts")
_GONE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "texts": (("request_body", "response_body", "text", "reasoning", "tool_calls_json"), ()),
    "scores": (("answer", "details_json"), ("explanation",)),
    "judgements": ((), ("reason",)),
    "verdicts": ((), ("reason", "expected", "actual")),
}
"""Columns that hold texts: those that become NULL, and those that must say something."""
_HASHED = frozenset({"text", "reasoning", "tool_calls_json"})


class State(NamedTuple):
    """What ``run.json`` says of the texts of a run."""

    kept: Kept
    purged_at: str | None
    """None: they are whole, or their purging was begun and broken off."""
    whole: bool
    due: bool
    """Whether a purging was asked for, or begun, that is not done."""


def state(manifest: JsonObject) -> State:
    """How it is with the texts of a run."""
    texts = manifest.get("texts") or {}
    wanted = (manifest.get("selection") or {}).get("store_text", "all")
    kept, purged_at = texts.get("kept", "all"), texts.get("purged_at")
    asked_for = wanted != "all" and manifest.get("status") == "finished" and not texts
    return State(kept, purged_at, whole=not texts, due=asked_for or bool(texts and purged_at is None))


def wanted(manifest: JsonObject) -> Kept:
    """What its user wants to keep, or a purging that was begun."""
    kept: Kept = (manifest.get("texts") or {}).get("kept") or (manifest.get("selection") or {}).get("store_text", "all")
    return kept


def consequence(kept: Kept, *, done: bool) -> str:
    """What ``--store-text`` means for a run, to be told to its user."""
    what = {"none": "none", "hash": "their hashes", "sample": f"those of one question in {ONE_IN}"}.get(kept, "all")
    cannot = "it cannot be judged again or resumed, and evidence is gone"
    if done:
        return f"Texts kept: {what} (--store-text {kept}); {cannot}"
    return f"Texts stay until the run is finished; then kept: {what} (--store-text {kept}), and {cannot}"


def purge(folder: RunFolder, keep: Kept) -> int:
    """Take the texts out of a run, which its caller has locked; gives the bytes by which it became smaller.

    What was taken out before stays out. StoreError: the disk refuses, or a line cannot be read; what is purged by then
    is, and the rest is as it was.
    """
    if keep == "all":
        return 0
    before = _size(folder)
    manifest = folder.read_manifest()
    of = (manifest.get("texts") or {}).get("of") or checksum(manifest)
    began = {"kept": keep, "began_at": _now(), "purged_at": None, "of": of}
    folder.write_manifest(manifest | {"texts": began})
    stays = _stays(folder, keep)
    for path in folder.journals():
        _rewrite(path, lambda record: _journal_line(record, keep, stays), record_of, _proved)
    for name in _LINES:
        if (path := folder.root / f"{name}.jsonl").exists():
            _rewrite(path, lambda record, name=name: _row(record, name, stays))  # type: ignore[misc]
    _parquet(folder, keep, stays)
    _logs(folder)
    sealed = {"sealed": checksums.taken(folder)} if "sealed" in manifest else {}
    folder.write_manifest(folder.read_manifest() | sealed | {"texts": began | {"purged_at": _now()}})
    return max(0, before - _size(folder))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _size(folder: RunFolder) -> int:
    return sum(path.stat().st_size for path in folder.root.iterdir() if path.is_file())


def _stays(folder: RunFolder, keep: Kept) -> dict[str, bool]:
    """Whether the texts stay, by job id."""
    if keep != "sample":
        return {}
    found = {}
    with storing(folder.plan_path):
        for line in folder.plan_path.read_bytes().splitlines():
            job = json.loads(line)
            about = f"{job['task']}/{job['sample']}".encode()
            found[job["id"]] = int.from_bytes(hashlib.sha256(about).digest()[:4], "big") % ONE_IN == 0
    return found


# --- lines -----------------------------------------------------------------------------------------------


def _loads(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:  # an infinity or a lone surrogate
        return json.loads(line)


def _dumps(record: JsonObject) -> bytes:
    """By the writer that takes everything: lines may hold infinities."""
    return json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def _proved(record: JsonObject) -> bytes:
    """A journal's line as it is written today, with its checksum."""
    unproved = {name: value for name, value in record.items() if name != "crc"}
    return line_of(unproved | {"v": VERSION}, [math.inf])  # by the writer that takes everything


def _rewrite(
    path: Path,
    change: Callable[[JsonObject], JsonObject | None],
    read: Callable[[bytes], Any] = _loads,
    write: Callable[[JsonObject], bytes] = _dumps,
) -> None:
    """Replace a file of JSON lines by itself with some lines changed; None: this one stays."""
    with storing(path), path.open("rb") as old, atomic_file(path) as new:
        for number, line in enumerate(old, 1):
            if not line.endswith(b"\n"):
                break  # torn by a kill: never part of the record
            try:
                changed = change(read(line))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise StoreError(f"{path}:{number} cannot be read: {type(error).__name__}: {error}") from error
            new.write(line if changed is None else write(changed))


def _journal_line(record: JsonObject, keep: Kept, stays: dict[str, bool]) -> JsonObject | None:
    if record["type"] != "attempt" or stays.get(record["job"]["id"]) or record["exchange"].get("purged"):
        return None
    request, exchange = record["request"], record["exchange"]
    bodies = {"request": _bytes(request["body"]), "response": _bytes(exchange["body"])}
    record["body_bytes"] = {name: len(body) for name, body in bodies.items()}
    if keep == "hash":
        record["body_sha256"] = {name: hashlib.sha256(body).hexdigest() for name, body in bodies.items()}
    request["body"] = None
    exchange |= {"body": "", "read_bytes": [0] * len(exchange["read_bytes"]), "purged": True}
    if exchange["failure"] is not None and exchange["failure"].get("status") is not None:
        exchange["failure"]["detail"] = PURGED
    return record


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    return body.encode("utf-8", "surrogatepass") if isinstance(body, str) else base64.b64decode(body["base64"])


def _row(record: JsonObject, table: str, stays: dict[str, bool]) -> JsonObject | None:
    if stays.get(record.get("job", "")):
        return None
    nothing, something = _GONE[table]
    changed = dict.fromkeys((name for name in nothing if name in record), None)
    return record | changed | dict.fromkeys((name for name in something if name in record), PURGED)


# --- the sealed run --------------------------------------------------------------------------------------


def _parquet(folder: RunFolder, keep: Kept, stays: dict[str, bool]) -> None:
    jobs = [name for name, kept in stays.items() if kept]
    with query.converter() as connection:
        try:
            connection.execute("create table stays as select unnest(?::varchar[]) as job_id", [jobs])
            for table, (nothing, something) in _GONE.items():
                gone = {name: _hash_of(name) if keep == "hash" and name in _HASHED else "null" for name in nothing}
                gone |= dict.fromkeys(something, f"'{PURGED}'")
                _replace(connection, folder.parquet_path(table), gone, by_job=table != "verdicts")
            # What a server says of a failure may repeat what it was asked.
            said = f"case when status is null then failure_detail when failure_kind is not null then '{PURGED}' end"
            _replace(connection, folder.parquet_path("attempts"), {"failure_detail": said}, by_job=True)
        except query.DatabaseError as error:
            raise StoreError(f"{folder.root} cannot be purged: {query.one_line(error)}") from error


def _hash_of(column: str) -> str:
    """An empty text is none; what is a hash already stays one."""
    hashed = f"'sha256:' || sha256({column})"
    return f"case when {column} = '' or starts_with({column}, 'sha256:') then {column} else {hashed} end"


def _replace(connection: query.Connection, path: Path, gone: dict[str, str], *, by_job: bool) -> None:
    """Rewrite a Parquet file with other values in some of its columns; one that it lacks is no matter."""
    if not path.exists():
        return
    known = set(query.parquet_columns(connection, path))
    kept = "when job_id in (from stays) then {0} " if by_job else ""
    changed = {
        name: f"case {kept.format(name)}when {name} is null then null else {value} end"
        for name, value in gone.items()
        if name in known
    }
    with atomic_file(path) as file:
        query.rewrite_parquet(connection, path, Path(file.name), changed)


def _logs(folder: RunFolder) -> None:
    """What servers and processes printed may hold anything."""
    for path in folder.root.glob("*.log"):
        with storing(path):
            path.unlink(missing_ok=True)
    with storing(folder.root):
        sync_folder(folder.root)
