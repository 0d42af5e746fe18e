"""The executor that is asked for."""

from __future__ import annotations

import importlib
from pathlib import Path

from harness.errors import UsageError
from harness.run.executor import Executor, Local, Where


def made(where: Where, providers_file: Path | None) -> Executor | None:
    """What starts the processes of a run; None: this one process is all.

    Errors: UsageError when it does not go together, or an extra is missing; CannotMeasure when a cluster cannot be
    reached.
    """
    if where.kind == "hand":
        raise UsageError("--executor hand begins a run; it does not go on with one", hint="Start its workers again")
    if where.kind == "local":
        if where.out is not None:
            raise UsageError("--out goes with workers on other machines", hint="Give --executor ray or hand")
        return None if where.processes == 1 else Local(providers_file)
    # Imported only now: Ray takes a second to load, and few have it.
    found: Executor = importlib.import_module("harness.run.on_ray").connect(where, providers_file)
    return found
