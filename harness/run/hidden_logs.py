"""What servers and processes of a run printed, without secrets: they may repeat a key that they were sent."""

from __future__ import annotations

from pathlib import Path

from harness.record.folder import atomic_file, storing
from harness.secrets import hidden

_LOGS = ("*.log", "*.sends.jsonl")


def hide_in_logs(folder: Path) -> None:
    """Take every secret out of the logs of a run, once their writers have ended.

    They write there themselves while they run, so what a killed harness leaves is taken out when its run is resumed.
    Errors: StoreError when the disk refuses.
    """
    among = hidden.noted()
    if among is None:
        return
    for path in (path for pattern in _LOGS for path in folder.glob(pattern)):
        with storing(path), path.open("rb") as old:
            if not any(among.within(line) for line in old):
                continue
            old.seek(0)
            with atomic_file(path) as new:
                new.writelines(map(among.remove, old))
