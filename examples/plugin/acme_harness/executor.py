"""An executor: where the processes of a run are; here on this machine, by the harness's own."""

from __future__ import annotations

from pathlib import Path

from harness.run.workers.executor import Executor, Local, Where


def connect(where: Where, providers_file: Path | None) -> Executor:  # noqa: ARG001 - an address is not needed here
    """Whoever starts them: `start` of it is asked for each process, `close` at the end."""
    return Local(providers_file)
