"""A worker from its command: brings the plan's files, proves the plan, and carries out the share."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from harness import config, memory
from harness.catalog import Catalog
from harness.config.keys import keys_of
from harness.errors import UsageError
from harness.place import Place, open_place
from harness.record.folder import RunFolder
from harness.run import stored
from harness.run.conduct import asked
from harness.run.workers.executor import Local
from harness.run.workers.foreman import Ended, Foreman
from harness.run.workers.handed import found_here, refuse_unhanded
from harness.run.workers.meeting import Meeting
from harness.run.workers.parcels import Parcels
from harness.wire.loop import run as run_loop


class Hand(NamedTuple):
    """What the command says."""

    plan: str
    out: str
    shard: int
    of: int
    start_at: datetime | None
    patience_s: float
    providers_file: Path | None


def work(hand: Hand, catalog: Catalog, tell: Callable[[str], None]) -> Ended:
    """Carry out one share.

    Raises:
        UsageError: there is no plan, it was not handed out, or what is here gives another one.
        ConfigError: a key is missing; nothing was sent.
        CannotMeasure, StoreError: as ``Foreman.work``.
    """
    plan_place, place = open_place(hand.plan), open_place(hand.out)
    near = Path(place.shown) if "://" not in place.shown else None
    manifest = plan_place.read("run.json")
    run, _ = _plan_of(manifest, plan_place)
    assert manifest is not None
    refuse_unhanded(run, json.loads(manifest))
    folder = RunFolder(_work_folder(run, hand.shard) if near is None else near)
    folder.root.mkdir(parents=True, exist_ok=True)
    own = folder.root / config.FILE_NAME if _bring(plan_place, open_place(str(folder.root)), manifest) else None
    providers_file = hand.providers_file or own
    again = stored.replanner(catalog, config.load_providers(providers_file))
    plan = stored.replan(folder, lambda selection: again(found_here(selection, folder.root)))
    keys_of(asked(plan), [])  # told now, in one line, and not in the log of the measuring process
    parcels = None
    if near is None:
        parcels = Parcels(folder, place, hand.shard)
        parcels.take_up()
    foreman = Foreman(
        *(folder, plan, hand.shard, hand.of, Meeting(place, hand.shard, hand.of)),
        *(Local(providers_file, apart=True), tell),
        start_at=hand.start_at,
        patience_s=hand.patience_s,
        parcels=parcels,
    )
    return run_loop(foreman.work())


def _work_folder(run: str, shard: int) -> Path:
    """Where a worker journals before its parcels go: the same again for the same shard, where there is a cache."""
    kept = memory.folder("shards")
    folder = Path(tempfile.mkdtemp(prefix=f"{run}-")) if kept is None else kept / run / str(shard)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _bring(plan: Place, work: Place, manifest: bytes) -> bool:
    """Have the plan's files where the worker works; whether the user's providers are among them."""
    names = [name for name in plan.sizes("") if name == config.FILE_NAME or name.startswith("data-")]
    work.create("run.json", manifest, _nobody)
    if _plan_of(work.read("run.json"), work) != _plan_of(manifest, plan):
        raise UsageError(f"{work.shown} holds another run than {plan.shown}", hint="Give --out a folder of its own")
    for name in names:
        if plan.shown != work.shown and (content := plan.read(name)) is not None:
            work.create(name, content, _nobody)
    return config.FILE_NAME in names


def _plan_of(manifest: bytes | None, place: Place) -> tuple[str, str]:
    """Which run and plan a manifest is of."""
    if manifest is None:
        raise UsageError(f"{place.shown} holds no plan: there is no run.json", hint="See harness load --executor hand")
    try:
        told = json.loads(manifest)
        return str(told["id"]), str(told["plan_sha256"])
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{place.shown}/run.json is no manifest of a run") from None


def _nobody(_: int) -> None:
    """Small files need no progress."""
