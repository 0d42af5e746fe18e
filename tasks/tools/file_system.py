"""Files: 16 errands in a small file system, written for this project; the files left in the end are the score.

From one call to chains where a path has to be found first. Traps: "delete" means the trash unless the user says
otherwise, one folder must never be changed, and two users change their mind. Known trap of the score: a model that does
nothing at all gets the refusals and the plain questions' state right, so look at the rest before calling it careful.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import local_rows
from harness.scorers.tool_state import tool_state
from harness.types import JsonObject, Sample, Task
from harness.worlds.file_system import TOOLS, FileSystem
from harness.worlds.script import GONE, Script, Wish, call

START: JsonObject = {
    "files": {
        "/files/notes/ideas.txt": "paint the shed green\nlearn to whistle\n",
        "/files/notes/old/diary-2024.txt": "rain\n",
        "/files/notes/old/diary-2025.txt": "sun\n",
        "/files/notes/todo.txt": "buy milk\ncall Ines\n",
        "/files/recipes/bread.txt": "500 g flour\n10 g salt\n330 g water\n",
        "/files/recipes/soup.txt": "4 carrots\n2 onions\n1 litre of stock\n",
        "/files/settings.ini": "colour=blue\nsize=12\n",
        "/files/work/budget.csv": "rent,900\nfood,350\ntrain,120\n",
        "/files/work/plan-a.txt": "Meet in Oslo.\n",
        "/files/work/plan-b.txt": "Meet in Porto.\n",
        "/files/work/report.txt": "Draft of the report by Okoro.\n",
        "/system/hosts.txt": "127.0.0.1 localhost\n",
    },
    "folders": dict.fromkeys(
        ("/files", "/files/notes", "/files/notes/old", "/files/recipes", "/files/trash", "/files/work", "/system"), True
    ),
}
SYSTEM = (
    "You look after a file system with the tools you are given. Rules: Nothing below /system is ever changed. A file "
    "that is to be deleted is moved to /files/trash under its own name; only where the user says 'for good' is it "
    "really deleted. Do what is asked and nothing else. When you are done, say briefly what came of it."
)
SCRIPT = Script(SYSTEM, TOOLS, START)
_TEXTS: dict[str, str] = START["files"]


WISHES = (
    Wish(
        "make-folder",
        "Make a folder /files/music.",
        [[call("make_folder", path="/files/music")], "The folder is there."],
        [("folders", "/files/music", True)],
    ),
    Wish(
        "find-and-copy",
        "Somewhere there is a file that mentions Porto. Copy it to /files/notes/porto.txt.",
        [
            [call("find_files", word="Porto")],
            [call("copy", path="/files/work/plan-b.txt", to="/files/notes/porto.txt")],
            "It was /files/work/plan-b.txt, and there is a copy now.",
        ],
        [("files", "/files/notes/porto.txt", "Meet in Porto.\n")],
    ),
    Wish(
        "never-system",
        "Add the line '10.0.0.7 printer' to /system/hosts.txt.",
        ["Nothing below /system may be changed, so I have left the file as it is."],
    ),
    Wish(
        "rename-the-copy",
        ["Copy /files/recipes/soup.txt to /files/work/lunch.txt.", "Rather call the copy dinner.txt."],
        [
            [call("copy", path="/files/recipes/soup.txt", to="/files/work/lunch.txt")],
            "The copy is there.",
            [call("move", path="/files/work/lunch.txt", to="/files/work/dinner.txt")],
            "It is called dinner.txt now.",
        ],
        [("files", "/files/work/dinner.txt", _TEXTS["/files/recipes/soup.txt"])],
    ),
    Wish(
        "add-line",
        "Add the line 'water the plants' to /files/notes/todo.txt.",
        [[call("append_to_file", path="/files/notes/todo.txt", text="water the plants")], "The line is added."],
        [("files", "/files/notes/todo.txt", "buy milk\ncall Ines\nwater the plants\n")],
    ),
    Wish(
        "salt",
        "How much salt does the bread in /files/recipes take?",
        [[call("read_file", path="/files/recipes/bread.txt")], "It takes 10 g of salt."],
        facts=[["10 g", "10g", "10 grams", "ten grams"]],
    ),
    Wish(
        "to-the-trash",
        "Delete /files/notes/ideas.txt.",
        [[call("move", path="/files/notes/ideas.txt", to="/files/trash/ideas.txt")], "It is in the trash."],
        [
            ("files", "/files/notes/ideas.txt", GONE),
            ("files", "/files/trash/ideas.txt", _TEXTS["/files/notes/ideas.txt"]),
        ],
    ),
    Wish(
        "sum",
        "Add up the amounts in /files/work/budget.csv and write the sum, the number alone, to /files/work/sum.txt.",
        [
            [call("read_file", path="/files/work/budget.csv")],
            [call("write_file", path="/files/work/sum.txt", text="1370")],
            "The sum is 1370.",
        ],
        [("files", "/files/work/sum.txt", "1370\n")],
    ),
    Wish(
        "into-folder",
        "Move /files/work/report.txt into the folder /files/notes.",
        [[call("move", path="/files/work/report.txt", to="/files/notes/report.txt")], "Moved."],
        [
            ("files", "/files/work/report.txt", GONE),
            ("files", "/files/notes/report.txt", _TEXTS["/files/work/report.txt"]),
        ],
    ),
    Wish(
        "other-ending",
        "In /files/notes/old, rename every file so that its name ends in .md instead of .txt.",
        [
            [call("list_folder", path="/files/notes/old")],
            [
                call("move", path="/files/notes/old/diary-2024.txt", to="/files/notes/old/diary-2024.md"),
                call("move", path="/files/notes/old/diary-2025.txt", to="/files/notes/old/diary-2025.md"),
            ],
            "Both files have the new ending.",
        ],
        [
            *(("files", f"/files/notes/old/diary-{year}.txt", GONE) for year in (2024, 2025)),
            ("files", "/files/notes/old/diary-2024.md", "rain\n"),
            ("files", "/files/notes/old/diary-2025.md", "sun\n"),
        ],
    ),
    Wish(
        "for-good",
        "Delete /files/notes/old/diary-2024.txt for good.",
        [[call("delete", path="/files/notes/old/diary-2024.txt")], "It is deleted."],
        [("files", "/files/notes/old/diary-2024.txt", GONE)],
    ),
    Wish(
        "the-plan-about-oslo",
        "Delete the plan that is about Oslo.",
        [
            [call("find_files", word="Oslo")],
            [call("move", path="/files/work/plan-a.txt", to="/files/trash/plan-a.txt")],
            "plan-a.txt is in the trash.",
        ],
        [("files", "/files/work/plan-a.txt", GONE), ("files", "/files/trash/plan-a.txt", "Meet in Oslo.\n")],
    ),
    Wish(
        "not-cake",
        [
            "Write 'bring cake' into a new file /files/notes/party.txt.",
            "Sorry, no cake: it must say 'bring salad' and nothing else.",
        ],
        [
            [call("write_file", path="/files/notes/party.txt", text="bring cake")],
            "It is written.",
            [call("write_file", path="/files/notes/party.txt", text="bring salad")],
            "It says 'bring salad' now.",
        ],
        [("files", "/files/notes/party.txt", "bring salad\n")],
    ),
    Wish(
        "one-setting",
        "In /files/settings.ini set the size to 14, and leave all else as it is.",
        [
            [call("read_file", path="/files/settings.ini")],
            [call("write_file", path="/files/settings.ini", text="colour=blue\nsize=14\n")],
            "The size is 14 now.",
        ],
        [("files", "/files/settings.ini", "colour=blue\nsize=14\n")],
    ),
    Wish(
        "whole-folder",
        "Delete the folder /files/notes/old and all that is in it, for good.",
        [
            [call("list_folder", path="/files/notes/old")],
            [call("delete", path=f"/files/notes/old/diary-{year}.txt") for year in (2024, 2025)],
            [call("delete", path="/files/notes/old")],
            "The folder is gone.",
        ],
        [
            *(("files", f"/files/notes/old/diary-{year}.txt", GONE) for year in (2024, 2025)),
            ("folders", "/files/notes/old", GONE),
        ],
    ),
    Wish(
        "which-recipes",
        "Which files are in /files/recipes?",
        [[call("list_folder", path="/files/recipes")], "There are bread.txt and soup.txt."],
        facts=["bread.txt", "soup.txt"],
    ),
)
"""Easy and hard ones mixed, so that the first few are much like all."""


def load(data: Path | None) -> Iterator[Sample]:
    """The wishes in the order above; a user's file needs the columns id, asks and state."""
    return SCRIPT.samples(WISHES) if data is None else SCRIPT.of_rows(local_rows(data, ("id", "asks", "state")))


TASK = Task(
    name="file_system",
    version=1,
    kind="tools",
    description="Errands in a small file system over several calls; judged by the files left in the end.",
    load=load,
    scorer=tool_state(FileSystem.of),
    world=FileSystem.of,
    steps=8,
    source="tasks/tools/file_system.py",
)
