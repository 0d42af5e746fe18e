"""When a watched suite is due: at the times of a cron expression, or every so often."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from harness.watch.cron import Cron

MOST_MISSED = 10_000
"""Missed moments that are counted; of a watch that was off for longer, there are at least so many."""


class Schedule(Protocol):
    """Moments, one after the other, all UTC."""

    @property
    def text(self) -> str:
        """For people."""

    def first(self, now: datetime, last: datetime | None) -> datetime:
        """When it is due first; ``last`` is when an earlier watch was due, None: there was none."""

    def after(self, due: datetime) -> datetime:
        """When it is due next."""


@dataclass(frozen=True, slots=True)
class AtTimes:
    """At the times of a cron expression."""

    cron: Cron

    @property
    def text(self) -> str:
        """As it was given."""
        return self.cron.text

    def first(self, now: datetime, last: datetime | None) -> datetime:  # noqa: ARG002 - times do not depend on it
        """The next of its times."""
        return self.cron.after(now)

    def after(self, due: datetime) -> datetime:
        """The next of its times."""
        return self.cron.after(due)


@dataclass(frozen=True, slots=True)
class Every:
    """Once in a while, whatever the last run took; a watch that is begun anew goes on where the last one was."""

    seconds: float

    @property
    def text(self) -> str:
        """For people."""
        return f"every {timedelta(seconds=self.seconds)}"

    def first(self, now: datetime, last: datetime | None) -> datetime:
        """At once, but where an earlier watch was due so lately that its turn has not come."""
        return now if last is None else max(now, self.after(last))

    def after(self, due: datetime) -> datetime:
        """So much later."""
        return due + timedelta(seconds=self.seconds)


class Missed(NamedTuple):
    """Moments that went by."""

    first: datetime
    last: datetime
    n: int


def missed(schedule: Schedule, since: datetime, before: datetime) -> Missed | None:
    """What was due later than ``since`` and earlier than ``before``; None: nothing."""
    found = list(itertools.islice(_between(schedule, since, before), MOST_MISSED))
    return Missed(found[0], found[-1], len(found)) if found else None


def _between(schedule: Schedule, since: datetime, before: datetime) -> Iterator[datetime]:
    due = schedule.after(since)
    while due < before:
        yield due
        due = schedule.after(due)
