"""Other runs under way that ask the same servers: each has its own folder, but they share what is measured."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from harness.errors import StoreError
from harness.record.folder import list_runs
from harness.run import manifest

_LOOKED_AT = 20
"""Newest runs; what is under way is among them."""


def lines(results: Path, base_urls: Collection[str]) -> list[str]:
    """One line for each run that another process carries out against one of these addresses."""
    found = []
    for run in list_runs(results)[-_LOOKED_AT:]:
        if (process := run.writer()) is None:
            continue
        try:
            shared = sorted({row["base_url"] for row in manifest.asked_of(run.read_manifest())} & {*base_urls})
        except (StoreError, KeyError, TypeError):  # not written yet, or not ours
            continue
        found += [f"run {run.id} of process {process} asks {url} too: each disturbs the other" for url in shared]
    return found
