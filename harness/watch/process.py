"""``harness run`` as a process, night after night, and its end when the user wants one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from harness.record.folder import list_runs
from harness.watch import nights
from harness.watch.keeper import Ended

_LONGEST_WAIT_S = 20.0
"""A clock that is set, or a machine that slept, is noticed after so long at most."""
_MOST_LINES = 10


def _command(argv: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "harness", "run", *argv]


def refusal(argv: Sequence[str]) -> tuple[int, str]:
    """What ``harness run`` has against these words, without sending anything: exit code and what it says."""
    done = subprocess.run(  # noqa: S603 - ourselves
        [*_command(argv), "--dry-run"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    return done.returncode, done.stderr


class Child:
    """The clock of a watch, and the process of the run under way: what ends the one ends the other."""

    def __init__(self, argv: Sequence[str], results: Path, *, gated: bool) -> None:
        """``argv``: what ``harness run`` is told; ``gated``: there will be a verdict."""
        self._gated = gated
        self._verdict = nights.folder_of(results) / "verdict.json"
        self._argv = argv
        self._results = results
        self._stop = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def stopped(self) -> bool:
        """Whether the user wants an end."""
        return self._stop.is_set()

    def now(self) -> datetime:
        """The time, UTC."""
        return datetime.now(UTC)

    def wait(self, until: datetime) -> bool:
        """Wait until then by the wall's clock; False: the user wants an end."""
        while (left_s := (until - self.now()).total_seconds()) > 0:
            if self._stop.wait(min(left_s, _LONGEST_WAIT_S)):
                return False
        return not self.stopped

    def stopping(self) -> Any:
        """While the block lasts, Ctrl-C and SIGTERM end the run under way, and the watch after it."""
        return _Signals(self._on_signal)

    def run(self) -> Ended:
        """Run the suite in a process of its own, so that no night costs the next one anything."""
        self._verdict.unlink(missing_ok=True)
        before = {one.id for one in list_runs(self._results)}
        argv = [*_command(self._argv), *(["--verdict", str(self._verdict)] if self._gated else [])]
        # A group of its own: a terminal's Ctrl-C reaches it once, through us.
        self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, process_group=0)  # noqa: S603 - ourselves
        if self.stopped:
            self._process.send_signal(signal.SIGINT)
        code = self._process.wait()
        self._process = None
        made = [one.id for one in list_runs(self._results) if one.id not in before]
        return Ended(code, made[0] if made else None, self._worse())

    def _worse(self) -> tuple[str, ...]:
        """What the verdict of the run names."""
        try:
            cases = json.loads(self._verdict.read_bytes())["cases"]
            found = [
                f"{one['verdict']}: {one['endpoint']} {one['workload']} {one['metric']}"
                for one in cases
                if one["verdict"] in ("fail", "error")
            ]
        except (OSError, ValueError, LookupError, TypeError):
            return ()
        more = [f"and {len(found) - _MOST_LINES} more"] if len(found) > _MOST_LINES else []
        return (*found[:_MOST_LINES], *more)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a handler's signature
        self._stop.set()
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)


class _Signals:
    """A handler of Ctrl-C and SIGTERM for the length of a block."""

    def __init__(self, handler: Any) -> None:
        self._handler = handler
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> None:
        for one in (signal.SIGINT, signal.SIGTERM):
            self._before[one] = signal.signal(one, self._handler)

    def __exit__(self, *error: object) -> None:
        for one, handler in self._before.items():
            signal.signal(one, handler)
