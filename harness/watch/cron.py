"""Cron expressions: five fields -> the moments at which something is due. Pure: no clock.

Source: POSIX, ``crontab`` (fields, lists, ranges, and that day of month and day of week are alternatives where both
are restricted); steps and names of months and days as in Vixie cron, ``crontab(5)``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from types import MappingProxyType
from typing import NamedTuple

from harness.errors import UsageError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_SEARCHED_DAYS = 366 * 13
"""29 February on a given day of the week comes every 28 years, but cron's days are alternatives: eight are enough."""
_LONGEST = 200


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    names: Mapping[str, int] = MappingProxyType({})


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, MappingProxyType({name: place for place, name in enumerate(_MONTHS, 1)})),
    _Field("day of week", 0, 7, MappingProxyType({name: place for place, name in enumerate(_DAYS)})),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """What an expression says, in the time of a place."""

    text: str
    times: tuple[time, ...]
    """Of a day, rising."""
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    either: bool
    """Whether day of month and day of week are both restricted: one of them is then enough."""
    zone: tzinfo | None = None
    """None: that of this machine."""

    def after(self, moment: datetime) -> datetime:
        """The first moment later than this one, UTC.

        A time that the clocks skip is due as long after midnight as if they had not; one that comes twice is due the
        first time.
        """
        return next(self._from(moment))

    def _from(self, moment: datetime) -> Iterator[datetime]:
        local = moment.astimezone(self.zone).replace(tzinfo=None)
        for ahead in range(_SEARCHED_DAYS):
            day = local.date() + timedelta(days=ahead)
            weekday = day.isoweekday() % 7
            of_month, of_week = day.day in self.days, weekday in self.weekdays
            if day.month not in self.months or not (of_month or of_week if self.either else of_month and of_week):
                continue
            for at in self.times:
                plain = datetime.combine(day, at)
                due = (plain.replace(tzinfo=self.zone) if self.zone else plain.astimezone()).astimezone(UTC)
                if due > moment:
                    yield due


def parse(text: str, zone: tzinfo | None = None) -> Cron:
    """Read ``minute hour day-of-month month day-of-week``, as in ``0 3 * * mon-fri``.

    UsageError names the field that cannot be read, or says that the day never comes.
    """
    parts = text.split()
    if len(parts) != len(_FIELDS) or len(text) > _LONGEST:
        raise UsageError(
            f"{text[:_LONGEST]!r} is no cron expression: it has five fields, minute hour day month weekday",
            hint='As in "0 3 * * *", every night at three',
        )
    minutes, hours, days, months, weekdays = (
        _values(part.lower(), field, text) for part, field in zip(parts, _FIELDS, strict=True)
    )
    found = Cron(
        text=" ".join(parts),
        times=tuple(time(hour, minute) for hour, minute in itertools.product(sorted(hours), sorted(minutes))),
        days=days,
        months=months,
        weekdays=frozenset(day % 7 for day in weekdays),
        either=not parts[2].startswith("*") and not parts[4].startswith("*"),
        zone=zone,
    )
    if next(found._from(datetime(2024, 1, 1, tzinfo=UTC)), None) is None:  # noqa: SLF001 - its own
        raise UsageError(f"cron expression {text!r}: that day never comes")
    return found


def _values(part: str, field: _Field, text: str) -> frozenset[int]:
    found: set[int] = set()
    for piece in part.split(","):
        span, slash, step = piece.partition("/")
        if slash and (not step.isdecimal() or not 0 < int(step[:4]) <= field.high):
            raise _wrong(field, piece, text)
        if span == "*":
            low, high = field.low, field.high
        else:
            begin, dash, end = span.partition("-")
            low = _value(begin, field, piece, text)
            high = _value(end, field, piece, text) if dash else field.high if slash else low
        if low > high:
            raise _wrong(field, piece, text)
        found.update(range(low, high + 1, int(step) if slash else 1))
    return frozenset(found)


def _value(word: str, field: _Field, piece: str, text: str) -> int:
    value = field.names.get(word, int(word) if word.isascii() and word.isdecimal() and len(word) <= 2 else -1)
    if not field.low <= value <= field.high:
        raise _wrong(field, piece, text)
    return value


def _wrong(field: _Field, piece: str, text: str) -> UsageError:
    return UsageError(
        f"cron expression {text!r}: {piece!r} is no {field.name} ({field.low} to {field.high})",
        hint="Lists a,b, ranges a-b and steps */n are read",
    )
