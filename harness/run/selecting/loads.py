"""What is asked of whom where a load is asked for: its options, in the words of the command line, as a selection."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.catalog import Catalog
from harness.errors import TaskError, UsageError
from harness.provider import Endpoint
from harness.run.selecting import load_words
from harness.run.selecting.selection import Changes, Search, Selection, new_nonce
from harness.workload import trace

OPEN_ENDED = 65_536.0
"""Where a search ends that never misses its objectives."""


def load_selection(
    profile: str, endpoints: Sequence[Endpoint], found: Catalog, given: Mapping[str, Any], **wanted: Any
) -> Selection:
    """The selection of one load.

    Args:
        profile: name of a load, or a file of prompts or of a trace.
        endpoints: who is asked; the first is the baseline.
        found: where the loads are.
        given: the options of ``harness load`` by name, None or left out: not said; ``duration`` in seconds, files as
            paths, ``repeats`` and ``paired`` too.
        wanted: further fields of the selection.

    Raises:
        UnknownName: there is no such load.
        UsageError: an option cannot be read, or two do not go together.
    """
    name, changes = _changes(profile, found, given)
    blocks = given.get("repeats") or 1
    fields: dict[str, Any] = {
        "suite": Path(profile).stem if profile != name else name,
        "endpoints": tuple(one.id for one in endpoints),
        "loads": (name,),
        "nonce": new_nonce(),
        "blocks": blocks,
        "paired": load_words.paired(endpoints, asked=given.get("paired"), blocks=blocks),
    }
    return _with_search(Selection(**{**fields, **wanted}), changes, given)


def _changes(profile: str, found: Catalog, given: Mapping[str, Any]) -> tuple[str, Changes]:
    """The load's name, and what the options change of it."""
    path = Path(profile)
    files = {name: given.get(name) for name in ("prompts", "trace")}
    if profile not in found.loads and path.suffix in (".jsonl", ".csv", ".json") and path.exists():
        kind = "trace" if _is_trace(path) else "prompts"
        if any(files.values()):
            raise UsageError(f"{profile} is a file of its own: it does not go with --prompts or --trace")
        files[kind] = path
        profile = "chat"
    found.load(profile)
    files["tokenizer"] = given.get("tokenizer")
    return profile, load_words.changes({**given, "duration_s": given.get("duration")}, files)


def _is_trace(path: Path) -> bool:
    try:
        trace.read(path, limit=1)
    except TaskError:
        return False
    return True


def _with_search(selection: Selection, changes: Changes, given: Mapping[str, Any]) -> Selection:
    """The selection with its changes; levels that depend on what is measured become a search or a sweep."""
    if given.get("search"):
        if not changes.slo:
            raise UsageError("--search needs --slo", hint='As in --slo "ttft_p95<800ms and errors<1%"')
        if selection.blocks > 1:
            raise UsageError("--repeats goes with stated levels", hint="Give --concurrency or --rate, not --search")
        low, high = given.get("low") or 1.0, given.get("high") or OPEN_ENDED
        if low > high:
            raise UsageError(f"--from {low:g} is above --to {high:g}")
        even = given.get("arrival") == "constant"
        search = Search(given["search"], low, high, even=even)
        return dataclasses.replace(selection, changes=changes, search=search)
    if given.get("low") or given.get("high"):
        raise UsageError("--from and --to go with --search", hint="Give --search concurrency or --search rate")
    axis = "concurrency" if given.get("concurrency") else "rate"
    at = [float(part) for part in (given.get("concurrency") or given.get("rate") or "").split(",") if part]
    plain = given.get("arrival") in (None, "poisson", "constant") and changes.duration_s is None
    if (
        len(at) < 2
        or given.get("all_levels")
        or selection.paired
        or selection.blocks > 1
        or at != sorted(at)
        or not plain
    ):
        return dataclasses.replace(selection, changes=changes)
    search = Search(axis, at[0], at[-1], even=given.get("arrival") == "constant", sweep=tuple(at))  # type: ignore[arg-type]
    return dataclasses.replace(selection, changes=changes, search=search)
