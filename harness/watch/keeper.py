"""The watch itself: wait until it is due, have the suite run, remember what came of it, and say what changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Protocol

from harness.watch import nights
from harness.watch.nights import Night
from harness.watch.schedule import Missed, Schedule, missed

LATE = timedelta(minutes=2)
"""Later than this after its time, a run is said to be late: the machine slept, or its clock was set."""
INTERRUPTED = 130


class Clock(Protocol):
    """The wall's clock, and waiting for it."""

    def now(self) -> datetime:
        """The time, UTC."""

    def wait(self, until: datetime) -> bool:
        """Wait until then; False: the user wants an end."""

    @property
    def stopped(self) -> bool:
        """Whether the user wants an end."""


class Ended(NamedTuple):
    """How ``harness run`` ended."""

    exit_code: int
    run: str | None
    """Id of the run that it made; None: none."""
    worse: tuple[str, ...] = ()
    """What its gate found to be worse, or could not measure."""


@dataclass(frozen=True)
class Watch:
    """A suite that is run again and again."""

    suite: str
    results: Path
    schedule: Schedule
    clock: Clock
    run: Callable[[], Ended]
    say: Callable[[str], None]
    """Prints a line of the log."""
    announce: Callable[[str], None]
    """Tells others that something changed."""
    jitter_s: Callable[[], float] = lambda: 0.0
    """How much later than its time a run begins."""

    def once(self) -> int:
        """Run it now; gives the exit code of the run."""
        return self._night(self.clock.now()).exit_code

    def keep(self) -> int:
        """Run it whenever it is due, until the user wants an end; gives the exit code."""
        past = nights.of_suite(self.results, self.suite)
        last = past[-1].due_at if past else None
        self.say(f"watching {self.suite}, {self.schedule.text}")
        due = self.schedule.first(self.clock.now(), last)
        if last is not None:
            self._skip(missed(self.schedule, last, min(due, self.clock.now())), "no watch was running")
        while True:
            begin = due + timedelta(seconds=self.jitter_s())
            self.say(f"next run {_local(begin)}")
            if not self.clock.wait(begin):
                self.say("stopped")
                return INTERRUPTED
            due = self._awake(due, begin)
            ended = self._night(due)
            if self.clock.stopped or ended.exit_code == INTERRUPTED:
                self.say("stopped")
                return INTERRUPTED
            now = self.clock.now()
            self._skip(missed(self.schedule, due, now), "the run before took until then")
            due = self.schedule.after(due)
            while due < now:
                due = self.schedule.after(due)

    def _awake(self, due: datetime, begin: datetime) -> datetime:
        """The moment that a run stands for that begins now: the last one that is past."""
        now = self.clock.now()
        if now - begin > LATE:
            self.say(f"{now - begin} late: this machine slept, or its clock was set")
            if (gone := missed(self.schedule, due, now)) is not None:
                before = missed(self.schedule, due, gone.last)
                self._skip(Missed(due, before.last if before else due, gone.n), "this machine slept")
                return gone.last
        return due

    def _skip(self, gone: Missed | None, why: str) -> None:
        if gone is None:
            return
        span = _local(gone.first) if gone.n == 1 else f"{_local(gone.first)} to {_local(gone.last)}"
        self.say(f"missed {gone.n} run{'s' if gone.n > 1 else ''}, due {span}: {why}")
        nights.add(self.results, Night(self.suite, _utc(gone.last), "missed", n=gone.n))

    def _night(self, due: datetime) -> Ended:
        began = self.clock.now()
        self.say(f"{self.suite} begins, due {_local(due)}")
        ended = self.run()
        night = Night(
            suite=self.suite,
            due=_utc(due),
            word=nights.word_of(ended.exit_code),
            began=_utc(began),
            ended=_utc(self.clock.now()),
            exit_code=ended.exit_code,
            run=ended.run,
            worse=ended.worse,
        )
        before = next((one for one in reversed(nights.of_suite(self.results, self.suite)) if _tells(one)), None)
        nights.add(self.results, night)
        self.say(f"{self.suite} ended: {night.word} (exit code {ended.exit_code}, run {ended.run or 'none'})")
        if _tells(night) and _changed(before, night):
            was = "the first night" if before is None else f"it was {before.word} on {before.due}"
            lines = [f"{self.suite}: {night.word} ({was}); run {ended.run or 'none'}", *ended.worse]
            self.announce("\n".join(lines))
        return ended


def _tells(night: Night) -> bool:
    """Whether a night says anything about the endpoints."""
    return night.word not in ("missed", "interrupted")


def _changed(before: Night | None, night: Night) -> bool:
    """Whether others should know: another verdict, or other things worse; of a first night, that it is not good."""
    if before is None:
        return night.word != "pass"
    return (before.word, set(before.worse)) != (night.word, set(night.worse))


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _local(moment: datetime) -> str:
    return moment.astimezone().isoformat(sep=" ", timespec="seconds")
