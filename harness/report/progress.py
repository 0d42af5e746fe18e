"""How a run is watched: a live picture on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from harness.exchange import Outcome
from harness.report.words import cost, plain
from harness.run.planning.stages import Stage
from harness.run.tally import Tally
from harness.types import Attempt

_PLAIN_EVERY_NS = 10_000_000_000
_PLAIN_STEPS = 10
"""Plain lines that are due by what is done, however quick that is."""
_LIVE_EVERY_NS = 200_000_000
"""A load ends thousands of requests a second, and drawing each would be the larger load."""
_OUR_DOING = ("abandoned", "unasked", "unneeded")
"""As planned, or said in a line of its own."""
_MOST_ENDPOINTS = 8
"""Shown one by one."""


class Progress:
    """Counts what finishes and says how far, how fast, how long still, what failed and what it cost."""

    def __init__(self, console: Console) -> None:
        """The console should write to stderr."""
        self._planned = 0
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._began_ns = self._printed_ns = time.perf_counter_ns()
        self._next_step = 0
        """Jobs done at which a plain line is due."""
        self._done = 0
        self._failures: Counter[str] = Counter()
        self._retries = 0
        self._by_endpoint: dict[str, Counter[str]] = {}
        """By endpoint: jobs that were asked under "", failed attempts and what was not asked under their kinds."""
        self._stage = ""
        self._tally: Callable[[], Tally] = Tally

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing and leave one summary."""
        if self._live:
            self._live.stop()
        if self._done:
            self._console.print(self._picture(), highlight=False)

    def announce(self, what: str) -> None:
        """Say what is waited for."""
        self._console.print(Text(f"{what}…", style="dim"))

    def told(self, line: str) -> None:
        """Something happened that a person should know at once."""
        self._console.print(Text(plain(line), style="yellow"), soft_wrap=True)

    def follow(self, tally: Callable[[], Tally]) -> None:
        """Where money and tokens are counted."""
        self._tally = tally

    def planned(self, jobs: int) -> None:
        """The sitting has so many jobs more."""
        self._planned += jobs
        self._next_step = self._done + max(1, (self._planned - self._done) // _PLAIN_STEPS)

    def stage(self, stage: Stage) -> None:
        """A stage begins."""
        self._stage = stage.name
        self._draw()

    def counted(self, jobs: int, again: int, failures: Mapping[str, int]) -> None:
        """Other processes of the run ended so many."""
        self._done += jobs
        self._retries += again
        self._failures.update({kind: n for kind, n in failures.items() if kind not in _OUR_DOING})
        self._draw()

    def finished(self, attempt: Attempt, outcome: Outcome, *, again: bool) -> None:
        """An attempt was journalled."""
        job = attempt.job
        own = self._by_endpoint.get(job.endpoint)
        if own is None:
            own = self._by_endpoint[job.endpoint] = Counter()
        if again:
            self._retries += 1
        else:
            self._done += 1
            own["unasked" if outcome.failure and outcome.failure.kind == "unasked" else ""] += 1
        if job.kind == "probe":
            self._stage = f"probe {job.task}"
        # A probe may well ask for what must be refused: its failures are its findings.
        if outcome.failure and job.kind != "probe" and outcome.failure.kind not in _OUR_DOING:
            self._failures[outcome.failure.kind] += 1
            own[outcome.failure.kind] += 1
        self._draw()

    def judging(self, done: int, of: int) -> None:
        """So many answers are judged."""
        if self._is_time():
            self._show(Text(f"judging {done}/{of}"))

    def _draw(self) -> None:
        if self._is_time():
            self._show(self._picture() if self._live else self._line())

    def _is_time(self) -> bool:
        now_ns = time.perf_counter_ns()
        step = self._live is None and self._done >= self._next_step
        if not step and now_ns - self._printed_ns < (_LIVE_EVERY_NS if self._live else _PLAIN_EVERY_NS):
            return False
        self._printed_ns = now_ns
        if step:
            self._next_step = self._done + max(1, self._planned // _PLAIN_STEPS)
            return self._done < self._planned  # the last line is the summary's
        return True

    def _show(self, shown: Text) -> None:
        if self._live:
            self._live.update(shown)
        else:
            self._console.print(shown, highlight=False)

    def _picture(self) -> Text:
        """The line of the whole, and one for each endpoint where there are several."""
        lines = [self._line()]
        if 1 < len(self._by_endpoint) <= _MOST_ENDPOINTS:
            width = max(map(len, self._by_endpoint))
            lines += [
                Text(f"  {plain(name):<{width}}  {own['']:>6}  {_failures(own)}")
                for name, own in self._by_endpoint.items()
            ]
        return Text("\n").join(lines)

    def _line(self) -> Text:
        elapsed_s = (time.perf_counter_ns() - self._began_ns) / 1e9
        rate = self._done / elapsed_s if elapsed_s > 0 else 0.0
        left = self._planned - self._done
        eta = f"ETA {_clock(left / rate)}" if rate and left > 0 else f"in {_clock(elapsed_s)}"
        retried = f" ({self._retries} tried again)" if self._retries else ""
        parts = [f"{self._done}/{self._planned} requests", f"{rate:.1f}/s", eta, self._stage]
        parts += [f"{_failures(self._failures)}{retried}", *_spent(self._tally())]
        return Text("  ".join(parts))


def _failures(counted: Counter[str]) -> str:
    return ", ".join(f"{n} {kind}" for kind, n in counted.most_common() if kind) or "no failures"


def _spent(tally: Tally) -> list[str]:
    """What it cost so far, and the answers that cost nothing since an earlier run had paid for them."""
    found = []
    if tally.tokens:
        found.append(f"{_count(tally.tokens)} tokens")
    if tally.cost_usd:
        found.append(f"{cost(tally.cost_usd)} USD" + (" and more: some cost unknown" if tally.cost_unknown else ""))
    elif tally.cost_unknown:
        found.append("cost unknown")
    if tally.cached:
        found.append(f"{tally.cached} from the cache")
    return found


def _count(n: int) -> str:
    return f"{n / 1e6:.1f}M" if n >= 1e6 else f"{n / 1e3:.1f}k" if n >= 1e4 else str(n)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
