"""Calendar: 16 wishes for one week, written for this project; the events in the end are the score.

From one call to chains where events have to be found first. Traps: days are told by their names or as "tomorrow", two
events have one title, hours and one event are protected by rules that the tools do not know, and two wishes change.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import local_rows
from harness.scorers.tool_state import tool_state
from harness.types import JsonObject, Sample, Task
from harness.worlds.calendar import TOOLS, Calendar
from harness.worlds.script import GONE, Script, Wish, call

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, NEXT_MONDAY = (f"2026-03-{day:02d}" for day in (2, 3, 4, 5, 6, 9))


def _event(title: str, date: str, time: str, minutes: int, *people: str) -> JsonObject:
    return {"title": title, "date": date, "time": time, "minutes": minutes, "people": list(people)}


START: JsonObject = {
    "events": {
        "E1": _event("team meeting", MONDAY, "09:00", 60, "Ines", "Tomas"),
        "E2": _event("dentist", TUESDAY, "14:00", 45),
        "E3": _event("lunch with Amara", TUESDAY, "12:00", 60, "Amara"),
        "E4": _event("budget review", WEDNESDAY, "10:00", 90, "Ines", "Okoro"),
        "E5": _event("team meeting", NEXT_MONDAY, "09:00", 60, "Ines", "Tomas"),
        "E6": _event("yoga", WEDNESDAY, "18:00", 60),
        "E7": _event("call with the bank", THURSDAY, "11:00", 30),
    }
}
SYSTEM = (
    "You keep Lena's calendar with the tools you are given. Today is Monday, 2 March 2026. Rules: Nothing is entered "
    "or moved so that it begins before 08:00 or ends after 20:00. The event 'dentist' is never changed or deleted. "
    "Where a wish breaks a rule, do nothing and say so. Do what is asked and nothing else. When you are done, say "
    "briefly what came of it."
)
SCRIPT = Script(SYSTEM, TOOLS, START)


WISHES = (
    Wish(
        "haircut",
        "Enter 'haircut' on 6 March at 15:00 for 30 minutes.",
        [[call("create_event", title="haircut", date=FRIDAY, time="15:00", minutes=30)], "It is entered."],
        [("events", "E8", _event("haircut", FRIDAY, "15:00", 30))],
    ),
    Wish(
        "budget-to-thursday",
        "Move the budget review to Thursday at 14:00.",
        [
            [call("find_events", word="budget review")],
            [call("move_event", event_id="E4", date=THURSDAY, time="14:00")],
            "It is on Thursday at 14:00.",
        ],
        [("events", "E4", "date", THURSDAY), ("events", "E4", "time", "14:00")],
    ),
    Wish(
        "too-early",
        "Enter 'run' on Friday at 06:30 for half an hour.",
        ["Nothing may begin before 08:00, so I have entered nothing."],
    ),
    Wish(
        "piano-on-friday",
        ["Enter 'piano lesson' on Thursday at 16:00 for 45 minutes.", "Make it Friday instead, at the same time."],
        [
            [call("create_event", title="piano lesson", date=THURSDAY, time="16:00", minutes=45)],
            "It is entered.",
            [call("move_event", event_id="E8", date=FRIDAY, time="16:00")],
            "It is on Friday now.",
        ],
        [("events", "E8", _event("piano lesson", FRIDAY, "16:00", 45))],
    ),
    Wish(
        "next-week",
        "Cancel the team meeting of next week.",
        [
            [call("find_events", word="team meeting")],
            [call("delete_event", event_id="E5")],
            "Next Monday's meeting is deleted.",
        ],
        [("events", "E5", GONE)],
    ),
    Wish(
        "the-bank",
        "On which day and at what time is my call with the bank?",
        [[call("find_events", word="bank")], "It is on Thursday, 5 March, at 11:00."],
        facts=[
            ["Thursday", "5 March", "March 5", "March 5th", "5th of March", THURSDAY],
            ["11:00", "11 am", "11 a.m."],
        ],
    ),
    Wish(
        "first-free-hour",
        "Enter 'interview' tomorrow at 12:30 for an hour. If I am not free then, take the first time after it when I "
        "am free for the whole hour.",
        [
            [call("list_events", date=TUESDAY)],
            [call("create_event", title="interview", date=TUESDAY, time="13:00", minutes=60)],
            "You were not free, so it is at 13:00.",
        ],
        [("events", "E8", _event("interview", TUESDAY, "13:00", 60))],
    ),
    Wish(
        "not-the-dentist",
        "Delete the dentist tomorrow, I do not feel like it.",
        ["The dentist may not be changed or deleted, so I have left it."],
    ),
    Wish(
        "invite-tomas",
        "Invite Tomas to the budget review.",
        [
            [call("find_events", word="budget review")],
            [call("invite", event_id="E4", person="Tomas")],
            "Tomas is invited.",
        ],
        [("events", "E4", "people", ["Ines", "Okoro", "Tomas"])],
    ),
    Wish(
        "wednesday-to-friday",
        "Move everything that I have on Wednesday to Friday, at the same times.",
        [
            [call("list_events", date=WEDNESDAY)],
            [
                call("move_event", event_id="E4", date=FRIDAY, time="10:00"),
                call("move_event", event_id="E6", date=FRIDAY, time="18:00"),
            ],
            "Both are on Friday now.",
        ],
        [("events", "E4", "date", FRIDAY), ("events", "E6", "date", FRIDAY)],
    ),
    Wish(
        "no-yoga",
        "Delete yoga on Wednesday.",
        [[call("list_events", date=WEDNESDAY)], [call("delete_event", event_id="E6")], "It is deleted."],
        [("events", "E6", GONE)],
    ),
    Wish(
        "i-meant-tomas",
        ["Take Ines off today's team meeting.", "No, I meant Tomas. Put Ines back and take Tomas off."],
        [
            [call("list_events", date=MONDAY)],
            [call("uninvite", event_id="E1", person="Ines")],
            "Ines is off.",
            [call("invite", event_id="E1", person="Ines"), call("uninvite", event_id="E1", person="Tomas")],
            "Ines is back, and Tomas is off.",
        ],
        [("events", "E1", "people", ["Ines"])],
    ),
    Wish(
        "longer-lunch",
        "Make the lunch with Amara half an hour longer.",
        [
            [call("find_events", word="lunch with Amara")],
            [call("change_length", event_id="E3", minutes=90)],
            "It takes 90 minutes now.",
        ],
        [("events", "E3", "minutes", 90)],
    ),
    Wish(
        "mortgage",
        "Rename the event of Thursday morning to 'mortgage talk'.",
        [
            [call("list_events", date=THURSDAY)],
            [call("rename_event", event_id="E7", title="mortgage talk")],
            "It is renamed.",
        ],
        [("events", "E7", "title", "mortgage talk")],
    ),
    Wish(
        "minutes-tomorrow",
        "How many minutes do my events of tomorrow take together?",
        [[call("list_events", date=TUESDAY)], "They take 105 minutes."],
        facts=["105"],
    ),
    Wish(
        "without-ines",
        "Delete the events of this week that Ines comes to.",
        [
            [call("find_events", word="Ines")],
            [call("delete_event", event_id="E1"), call("delete_event", event_id="E4")],
            "The team meeting of today and the budget review are deleted.",
        ],
        [("events", "E1", GONE), ("events", "E4", GONE)],
    ),
)
"""Easy and hard ones mixed, so that the first few are much like all."""


def load(data: Path | None) -> Iterator[Sample]:
    """The wishes in the order above; a user's file needs the columns id, asks and state."""
    return SCRIPT.samples(WISHES) if data is None else SCRIPT.of_rows(local_rows(data, ("id", "asks", "state")))


TASK = Task(
    name="calendar",
    version=1,
    kind="tools",
    description="Wishes for a week's calendar over several calls; judged by the events that stand in it in the end.",
    load=load,
    scorer=tool_state(Calendar.of),
    world=Calendar.of,
    steps=8,
    source="tasks/tools/calendar.py",
)
