"""A plan handed to workers that somebody else starts: ssh, Slurm, Kubernetes. What each must be told, and its files.

A worker makes the plan anew from the selection and proves it equal by its hash, so that what travels is small: 100,000
requests are one manifest of some kB.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from harness.config import FILE_NAME
from harness.errors import UsageError
from harness.record.folder import RunFolder, create, write_atomic
from harness.run import manifest
from harness.run.planning.plan import Plan
from harness.run.selecting.load_words import FILES
from harness.run.selecting.selection import Changes, Selection
from harness.types import JsonObject

INDEX_VARIABLES = ("JOB_COMPLETION_INDEX", "SLURM_PROCID")
"""Where schedulers tell a process its number from 0. Source: kubernetes.io, Indexed Jobs; slurm.schedmd.com, srun."""
PLAN_FILES = ("run.json", FILE_NAME)
"""All that a worker needs of a plan's folder, and ``data-N-NAME`` for each data file of the user's."""


class Start(NamedTuple):
    """What a worker that anybody starts must be told."""

    plan: str
    """Folder or URL that holds the files of ``files``."""
    of: int
    """How many workers there are."""
    out: str
    """Folder or URL that all workers can write: their shards go there, and there they meet."""
    shard: int | None = None
    """Its number from 0; None: it is read from one of ``INDEX_VARIABLES``."""
    start_at: datetime | None = None
    """When the first part begins; None: as soon as all workers are there."""

    def argv(self) -> list[str]:
        """The command of the worker, as a scheduler is given it."""
        share = f"{self.of}" if self.shard is None else f"{self.shard}/{self.of}"
        argv = ["harness", "worker", "--plan", self.plan, "--shard", share, "--out", self.out]
        return argv if self.start_at is None else [*argv, "--start-at", self.start_at.isoformat()]


def refuse_unhanded(run: str, manifest: JsonObject) -> None:
    """UsageError where a run was not handed out: nobody else may work on it, and nothing is to be gathered."""
    if "handed_out" not in manifest:
        raise UsageError(f"run {run} was not handed out", hint="Make one with harness load ... --executor hand")


def write(plan: Plan, results: Path, providers_file: Path | None) -> RunFolder:
    """Make the folder of a run that others carry out; ``harness gather`` ends it.

    Raises:
        UsageError: the plan follows from what is measured, or needs servers that the harness starts.
        StoreError: the folder cannot be written.
    """
    if plan.selection.search is not None:
        raise UsageError(
            "levels that follow from what was measured need somebody who decides on them",
            hint="Give --all-levels, or use --executor local or ray",
        )
    for endpoint in plan.endpoints.values():
        if endpoint.provider.serve is not None:
            raise UsageError(
                f"{endpoint.id} is served by an engine that the harness starts on this machine",
                hint="Start it where the workers can reach it, and give its base_url",
            )
    lines = plan.lines()
    folder = create(results, plan.selection.suite)
    write_atomic(folder.plan_path, lines)
    folder.write_manifest(manifest.first(folder, plan, lines))
    for name, content in _beside(plan, providers_file).items():
        write_atomic(folder.root / name, content)
    return folder


def files(folder: RunFolder) -> dict[str, bytes]:
    """The files that a worker needs of a run made by ``write``, by name; small enough for a ConfigMap but for data."""
    names = [*PLAN_FILES, *sorted(path.name for path in folder.root.glob("data-*"))]
    return {name: (folder.root / name).read_bytes() for name in names if (folder.root / name).is_file()}


def found_here(selection: Selection, plan: Path) -> Selection:
    """The selection with the user's data files as they are in the plan's folder, where they were handed on."""
    brought = {path.name: path for path in plan.glob("data-*")}

    def here(number: int, name: str | None) -> str | None:
        return name if name is None else str(brought.get(_brought(number, name), name))

    changes = selection.changes
    moved = {name: here(number, getattr(changes, name)) for number, name in enumerate(FILES)}
    return replace(selection, changes=replace(changes, **moved))  # type: ignore[arg-type]


def _brought(number: int, name: str) -> str:
    return f"data-{number}-{Path(name).name}"


def _beside(plan: Plan, providers_file: Path | None) -> dict[str, bytes]:
    own = providers_file or Path(FILE_NAME)
    found = {FILE_NAME: own.read_bytes()} if own.is_file() else {}
    changes: Changes = plan.selection.changes
    for number, name in enumerate(FILES):
        if (path := getattr(changes, name)) is not None:
            found[_brought(number, path)] = Path(path).read_bytes()
    return found
