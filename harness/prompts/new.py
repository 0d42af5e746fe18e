"""The files of a new task: a short one that runs, and its data beside it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from string import Template
from typing import NamedTuple

from harness.data import kind_of, placed_rows
from harness.errors import TaskError, UsageError
from harness.prompts import columns
from harness.prompts.filed import Filed, is_suite

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,79}")

_FRAME = Template('''\
"""Say here what $name asks, where its items come from and what is known to go wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import local_rows
$imports
from harness.types import Sample, Task

DATA = Path(__file__).parents[1] / "data" / "$data"
$constants

def load(data: Path | None) -> Iterator[Sample]:
    """The items of the data file, or of the user's --data with the same columns."""
    for number, row in enumerate(local_rows(data or DATA, ($needed)), 1):
        yield Sample(
            id=$id,
            messages=$messages,
            target=$target,$tools
            params={"temperature": 0, "max_tokens": $max_tokens},
        )


TASK = Task(
    name="$name",
    version=1,  # raise it when an item or the scorer changes: its scores are then another thing
    kind="$kind",
    description="Say it in one line.",
    load=load,
    scorer=$scorer,
    source="tasks/data/$data",
)
''')

_TOOLS = """
TOOLS = (
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Get the current weather in a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    },
)
"""

_QUALITY_ROWS = (
    {"question": "What colour is fresh snow? Answer with one word.", "answer": "white"},
    {"question": "What colour is a ripe lemon? Answer with one word.", "answer": "yellow"},
)
_TOOL_ROWS = (
    {"question": "How is the weather in Oslo?", "calls": [{"name": "get_weather", "arguments": {"city": "Oslo"}}]},
    {"question": "Thank you, that was all.", "calls": []},
)


class New(NamedTuple):
    """The files that were written."""

    task: Path
    data: Path


def write(folder: Path, name: str, *, tools: bool, source: Path | None) -> New:
    """Write ``FOLDER/quality/NAME.py`` (or ``FOLDER/tools``) and its data file; nothing is overwritten.

    ``source`` is a data file whose columns the task is fitted to, and which is copied; None: two items of ours.

    Raises:
        UsageError: the name will not do, or one of the files is there already.
        TaskError: ``source`` is missing or malformed, or none of its columns holds a question.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name of a task", hint="Use letters, digits and _ . - after a first letter")
    if source is None:
        suffix, kind, fields = ".jsonl", "tools" if tools else "quality", _ours(tools=tools)
    else:
        suffix, kind, fields = _fitted(source, tools=tools)
    task, data = folder / kind / f"{name}.py", folder / "data" / f"{name}{suffix}"
    for path in (task, data):
        if path.exists():
            raise UsageError(f"{path} is there already, and nothing is overwritten", hint="Take another name")
    text = _FRAME.substitute(fields, name=name, kind=kind, data=data.name)
    try:
        for path in (task, data):
            path.parent.mkdir(parents=True, exist_ok=True)
        if source is None:
            rows = _TOOL_ROWS if tools else _QUALITY_ROWS
            data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        else:
            shutil.copyfile(source, data)
        task.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{error.filename or folder} cannot be written: {error.strerror}") from None
    return New(task, data)


def _ours(*, tools: bool) -> dict[str, str]:
    return {
        "imports": _import("tool_call" if tools else "exact"),
        "constants": _TOOLS if tools else "",
        "needed": '"question", "calls"' if tools else '"question", "answer"',
        "id": 'f"{number:04d}"',
        "messages": _asked('row["question"]'),
        "target": 'row["calls"]' if tools else 'row["answer"]',
        "tools": "\n            tools=TOOLS," if tools else "",
        "max_tokens": "256" if tools else "64",
        "scorer": "tool_call()" if tools else "exact(ignore_case=True, ignore_punctuation=True)",
    }


def _fitted(source: Path, *, tools: bool) -> tuple[str, str, dict[str, str]]:
    """Suffix of the data, kind of the task, and what goes into the frame for a file of these columns."""
    if is_suite(source):
        raise TaskError(f"{source} holds prompts and assertions of its own", hint="Run it: harness eval FILE")
    place, row = next(placed_rows(source))
    if not isinstance(row, dict):
        raise TaskError(f"{place}: a row is a JSON object, this is a {type(row).__name__}")
    try:
        taken = columns.take(row, place, Filed("new", str(source.resolve())))
    except TaskError as error:
        raise TaskError(error.what, hint="Rename the column in the file") from None
    assert taken.asked is not None
    own_tools = isinstance(row.get("tools"), list)
    kind = "tools" if tools or own_tools else "quality"
    offered = kind == "quality" and isinstance(row.get("choices"), list)
    asked, target = _cell(taken.asked), _cell(taken.target) if taken.target else "None"
    question = asked if isinstance(row.get(taken.asked), str) else f"str({asked})"
    if offered:
        question += ' + "\\n\\n" + options(row["choices"]) + "\\n" + INSTRUCTION'
    is_number = type(row.get(taken.target or "")) in (int, float)
    scorer = "tool_call" if kind == "tools" else "choice" if offered else "numeric" if is_number else "exact"
    imports = _import(scorer)
    if offered:
        imports = "from harness.prompts.choices import INSTRUCTION, letter, options\n" + imports
        target = f'letter({target}, row["choices"], f"row {{number}}")'
    is_chat = isinstance(row.get(taken.asked), list)
    named = "id" in taken.others
    needed = [name for name in ("id" if named else None, taken.asked, taken.target) if name is not None]
    needed += ["choices"] * offered + ["tools"] * own_tools
    given = 'tuple(row["tools"])' if own_tools else "TOOLS"
    return (
        "".join(source.suffixes[-2:]) if source.suffix == ".gz" else str(kind_of(source)),
        kind,
        {
            "imports": imports,
            "constants": _TOOLS if kind == "tools" and not own_tools else "",
            "needed": ", ".join(_quoted(name) for name in needed) + ("," if len(needed) == 1 else ""),
            "id": 'str(row["id"])' if named else 'f"{number:04d}"',
            "messages": f"tuple({asked})" if is_chat else _asked(question, apart=offered),
            "target": target,
            "tools": f"\n            tools={given}," if kind == "tools" else "",
            "max_tokens": "512",
            "scorer": f"{scorer}()",
        },
    )


def _import(scorer: str) -> str:
    return f"from harness.scorers.{scorer} import {scorer}"


def _asked(question: str, *, apart: bool = False) -> str:
    message = f'{{"role": "user", "content": {question}}},'
    return f"(\n                {message}\n            )" if apart else f"({message})"


def _cell(column: str) -> str:
    return f"row[{_quoted(column)}]"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
