"""A calendar of one person: events with a day, a time, a length and the people who come."""

from __future__ import annotations

import copy
import re
from typing import Any

from harness.types import JsonObject, Sample
from harness.worlds.toolbox import CallError, Tool, carry_out, number, text, texts

_DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_DAY = 24 * 60
_MOST_EVENTS = 500


class Calendar:
    """Events by id; two of them never overlap."""

    def __init__(self, start: JsonObject) -> None:
        """``start`` is a state."""
        self._events: dict[str, JsonObject] = copy.deepcopy(start["events"])

    @classmethod
    def of(cls, sample: Sample) -> Calendar:
        """The one that a sample begins with."""
        return cls(sample.metadata["start"])

    def call(self, name: str, arguments: str) -> str:
        """The result of a call as JSON text."""
        return carry_out(TOOLS, self, name, arguments)

    def state(self) -> JsonObject:
        """``events`` by id: ``title``, ``date``, ``time``, ``minutes`` and ``people``, sorted."""
        return {"events": copy.deepcopy(self._events)}

    # --- tools -----------------------------------------------------------------------------------------------

    def list_events(self, date: str) -> Any:
        """The events of a day in their order."""
        day = [self._shown(key) for key, one in self._events.items() if one["date"] == _day(date)]
        return sorted(day, key=lambda one: one["time"])

    def find_events(self, word: str) -> Any:
        """The events that have a word in their title or among their people."""
        word = word.casefold().strip()
        held = {key: " ".join([one["title"], *one["people"]]).casefold() for key, one in self._events.items()}
        return [self._shown(key) for key, said in held.items() if word in said]

    def create_event(self, title: str, date: str, time: str, minutes: int, people: list[str] | None = None) -> Any:
        """A new event in free time."""
        if len(self._events) >= _MOST_EVENTS:
            raise CallError("the calendar is full")
        if not title.strip():
            raise CallError("the title must not be empty")
        when = {"date": date, "time": time, "minutes": minutes}
        planned = {"title": title.strip(), **when, "people": _names(people or [])}
        self._refuse_overlap(planned, "")
        event_id = f"E{1 + max((int(one[1:]) for one in self._events), default=0)}"
        self._events[event_id] = planned
        return self._shown(event_id)

    def move_event(self, event_id: str, date: str, time: str) -> Any:
        """Put an event to another free time."""
        return self._changed(event_id, date=date, time=time)

    def change_length(self, event_id: str, minutes: int) -> Any:
        """Make an event shorter or longer."""
        return self._changed(event_id, minutes=minutes)

    def rename_event(self, event_id: str, title: str) -> Any:
        """Give an event another title."""
        if not title.strip():
            raise CallError("the title must not be empty")
        return self._changed(event_id, title=title.strip())

    def invite(self, event_id: str, person: str) -> Any:
        """Have one more person at an event."""
        return self._changed(event_id, people=_names([*self._event(event_id)["people"], person]))

    def uninvite(self, event_id: str, person: str) -> Any:
        """Have a person no more at an event."""
        people = self._event(event_id)["people"]
        if person.strip() not in people:
            raise CallError(f"{person[:80]!r} is not invited")
        return self._changed(event_id, people=[one for one in people if one != person.strip()])

    def delete_event(self, event_id: str) -> Any:
        """Delete an event."""
        self._event(event_id)
        return {"deleted": self._shown(event_id), "left": len(self._events) - bool(self._events.pop(event_id))}

    # --- rules -----------------------------------------------------------------------------------------------

    def _event(self, event_id: str) -> JsonObject:
        if event_id not in self._events:
            raise CallError(f"there is no event {event_id[:80]!r}")
        return self._events[event_id]

    def _shown(self, event_id: str) -> JsonObject:
        return {"event_id": event_id, **self._events[event_id]}

    def _changed(self, event_id: str, **changes: Any) -> Any:
        planned = {**self._event(event_id), **changes}
        self._refuse_overlap(planned, event_id)
        self._events[event_id] = planned
        return self._shown(event_id)

    def _refuse_overlap(self, planned: JsonObject, own: str) -> None:
        """CallError where an event cannot be so, or another than ``own`` is in its way."""
        _day(planned["date"])
        begin, end = _span(planned)
        for key, one in self._events.items():
            other_begin, other_end = _span(one)
            if key != own and one["date"] == planned["date"] and begin < other_end and other_begin < end:
                raise CallError(f"{one['title']} ({key}) is then, from {one['time']} for {one['minutes']} minutes")


def _span(event: JsonObject) -> tuple[int, int]:
    """First and last minute of its day."""
    if not _TIME.fullmatch(event["time"]):
        raise CallError(f"{event['time'][:80]!r} is no time of the form HH:MM")
    begin = int(event["time"][:2]) * 60 + int(event["time"][3:])
    if not 1 <= event["minutes"] <= _DAY - begin:
        raise CallError("an event takes a minute or more, and ends on its day")
    return begin, begin + event["minutes"]


def _day(date: str) -> str:
    if not _DATE.fullmatch(date):
        raise CallError(f"{date[:80]!r} is no date of the form YYYY-MM-DD")
    return date


def _names(people: list[str]) -> list[str]:
    if not all(one.strip() for one in people):
        raise CallError("a person has a name")
    return sorted({one.strip() for one in people})


_EVENT, _ON, _AT = text("Id of the event, such as E1"), text("Day, YYYY-MM-DD"), text("Time of day, HH:MM")
_LENGTH, _PERSON, _TITLE = number("Length in minutes"), text("Name of the person"), text("Title of the event")
TOOLS = {
    tool.name: tool
    for tool in (
        Tool("list_events", "List the events of a day.", {"date": _ON}, Calendar.list_events),
        Tool(
            "find_events",
            "Find events by a word of their title or the name of a person who comes.",
            {"word": text("The word or name")},
            Calendar.find_events,
        ),
        Tool(
            "create_event",
            "Enter a new event; its time must be free.",
            {"title": _TITLE, "date": _ON, "time": _AT, "minutes": _LENGTH, "people": texts("Names of who comes")},
            Calendar.create_event,
            optional=("people",),
        ),
        Tool(
            "move_event",
            "Move an event to another time, which must be free.",
            {"event_id": _EVENT, "date": _ON, "time": _AT},
            Calendar.move_event,
        ),
        Tool(
            "change_length",
            "Make an event shorter or longer.",
            {"event_id": _EVENT, "minutes": _LENGTH},
            Calendar.change_length,
        ),
        Tool(
            "rename_event", "Give an event another title.", {"event_id": _EVENT, "title": _TITLE}, Calendar.rename_event
        ),
        Tool("invite", "Invite one person to an event.", {"event_id": _EVENT, "person": _PERSON}, Calendar.invite),
        Tool("uninvite", "Take one person off an event.", {"event_id": _EVENT, "person": _PERSON}, Calendar.uninvite),
        Tool("delete_event", "Delete an event.", {"event_id": _EVENT}, Calendar.delete_event),
    )
}
