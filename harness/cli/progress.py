"""How a run is watched: a live line on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from harness.exchange import Outcome
from harness.run.stages import Stage
from harness.types import Attempt

_AS_PLANNED = ("abandoned", "unneeded")
"""Kinds that are no failures to whoever watches."""
_PLAIN_EVERY_NS = 5_000_000_000
_LIVE_EVERY_NS = 200_000_000
"""A load ends thousands of requests a second, and drawing each would be the larger load."""


class Progress:
    """Counts what finishes and says how far, how fast, how long still, and what failed."""

    def __init__(self, console: Console) -> None:
        """The console should write to stderr."""
        self._planned = 0
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._began_ns = self._printed_ns = time.perf_counter_ns()
        self._done = 0
        self._failures: Counter[str] = Counter()
        self._retries = 0
        self._stage = ""

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing and leave one summary line."""
        if self._live:
            self._live.stop()
        if self._done:
            self._console.print(self._line(), highlight=False)

    def announce(self, what: str) -> None:
        """Say what is waited for."""
        self._console.print(Text(f"{what}…", style="dim"))

    def planned(self, jobs: int) -> None:
        """The sitting has so many jobs more."""
        self._planned += jobs

    def stage(self, stage: Stage) -> None:
        """A stage begins."""
        self._stage = stage.name
        self._draw()

    def counted(self, jobs: int, again: int, failures: Mapping[str, int]) -> None:
        """Other processes of the run ended so many."""
        self._done += jobs
        self._retries += again
        self._failures.update({kind: n for kind, n in failures.items() if kind not in _AS_PLANNED})
        self._draw()

    def finished(self, attempt: Attempt, outcome: Outcome, *, again: bool) -> None:
        """An attempt was journalled."""
        if again:
            self._retries += 1
        else:
            self._done += 1
        if attempt.job.kind == "probe":
            self._stage = f"probe {attempt.job.task}"
        # A probe may well ask for what must be refused: its failures are its findings.
        if outcome.failure and attempt.job.kind != "probe" and outcome.failure.kind not in _AS_PLANNED:
            self._failures[outcome.failure.kind] += 1
        self._draw()

    def judging(self, done: int, of: int) -> None:
        """So many answers are judged."""
        if self._is_time():
            self._show(Text(f"judging {done}/{of}"))

    def _draw(self) -> None:
        if self._is_time():
            self._show(self._line())

    def _is_time(self) -> bool:
        now_ns = time.perf_counter_ns()
        if now_ns - self._printed_ns < (_LIVE_EVERY_NS if self._live else _PLAIN_EVERY_NS):
            return False
        self._printed_ns = now_ns
        return True

    def _show(self, line: Text) -> None:
        if self._live:
            self._live.update(line)
        else:
            self._console.print(line, highlight=False)

    def _line(self) -> Text:
        elapsed_s = (time.perf_counter_ns() - self._began_ns) / 1e9
        rate = self._done / elapsed_s if elapsed_s > 0 else 0.0
        left = self._planned - self._done
        eta = f"ETA {_clock(left / rate)}" if rate and left > 0 else f"in {_clock(elapsed_s)}"
        failed = ", ".join(f"{n} {kind}" for kind, n in self._failures.most_common()) or "no failures"
        retried = f" ({self._retries} tried again)" if self._retries else ""
        return Text(f"{self._done}/{self._planned} requests  {rate:.1f}/s  {eta}  {self._stage}  {failed}{retried}")


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
