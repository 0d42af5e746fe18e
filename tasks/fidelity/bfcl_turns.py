"""BFCL in turns: 197 requests of a second turn, behind a first one whose calls were made and answered.

A request is our own, built from an item: what the user says first, the calls that are right then, a result for each,
what the user says next, and every function of the item's classes, 18 to 39 of them. What the reference calls for it is
what a candidate should. The score only says whether there was an answer.

Source: Patil et al., "The Berkeley Function Calling Leaderboard", ICML 2025; ``multi_turn_base`` of
ShishirPatil/gorilla at commit 6ea57973, ``berkeley-function-call-leaderboard/bfcl_eval/data``; the same files are in
the package ``bfcl-eval`` 2026.3.23. Licence: Apache-2.0.

Known traps: the results are "done", since the functions themselves are not carried out, so that a model may ask for
what it does not see. A request has 2,000 to 6,000 tokens, nearly all of them tools.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.data import local_rows
from harness.errors import TaskError
from harness.scorers.answered import answered
from harness.scorers.bfcl_call import sent_name, sent_tool
from harness.types import JsonObject, Sample, Task

_NAME = "BFCL_v4_multi_turn_base.json"
_DOCS = {
    "GorillaFileSystem": "gorilla_file_system",
    "MathAPI": "math_api",
    "MessageAPI": "message_api",
    "TicketAPI": "ticket_api",
    "TradingBot": "trading_bot",
    "TravelAPI": "travel_booking",
    "TwitterAPI": "posting_api",
    "VehicleControlAPI": "vehicle_control",
}
"""Class of functions -> the file that describes them."""
_HINT = (
    "--data: the folder bfcl_eval/data of the package bfcl-eval 2026.3.23, or of the repository "
    "ShishirPatil/gorilla at commit 6ea57973"
)


def load(data: Path | None) -> Iterator[Sample]:
    """The items in the order of the file; data needs BFCL's folder."""
    if data is None:
        raise TaskError("task fidelity_bfcl reads local files", hint=_HINT)
    truths = {row["id"]: row["ground_truth"] for row in local_rows(_file(data, "possible_answer", _NAME))}
    functions: dict[str, list[JsonObject]] = {}
    for row in local_rows(_file(data, _NAME), ("id", "question", "involved_classes")):
        place = f"{_NAME} item {row['id']}"
        offered = [one for name in row["involved_classes"] for one in _functions(data, name, place, functions)]
        calls = [_call(text, offered, place) for text in truths.get(row["id"], [[]])[0]]
        if len(row["question"]) < 2 or not calls:
            continue
        yield Sample(
            id=row["id"].removeprefix("multi_turn_base_"),
            messages=(*row["question"][0], *_answered(calls), *row["question"][1]),
            tools=tuple(sent_tool(one) for one in offered),
            params={"temperature": 0, "max_tokens": 256, "tool_choice": "auto"},
            metadata={"cluster": "+".join(sorted(row["involved_classes"]))},
        )


def _file(data: Path, *names: str) -> Path:
    path = data.joinpath(*names)
    if not path.is_file():
        raise TaskError(f"{data} holds no {'/'.join(names)}", hint=_HINT)
    return path


def _functions(data: Path, name: str, place: str, known: dict[str, list[JsonObject]]) -> list[JsonObject]:
    if name not in _DOCS:
        raise TaskError(f"{place}: no functions of {name!r} are known", hint=f"Known: {', '.join(_DOCS)}")
    if name not in known:
        known[name] = list(local_rows(_file(data, "multi_turn_func_doc", f"{_DOCS[name]}.json")))
    return known[name]


def _call(text: str, offered: list[JsonObject], place: str) -> tuple[str, Mapping[str, Any]]:
    """Name and arguments of a call that is written as Python code; arguments without a name go by their places."""
    try:
        match ast.parse(text, mode="eval").body:
            case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
                names = next(list(one["parameters"]["properties"]) for one in offered if one["name"] == name)
                placed = dict(zip(names, map(ast.literal_eval, args), strict=False))
                return name, placed | {str(each.arg): ast.literal_eval(each.value) for each in keywords}
    except (SyntaxError, ValueError, StopIteration, RecursionError, MemoryError):
        pass
    raise TaskError(f"{place}: {text[:80]!r} is no call of its functions", hint=_HINT)


def _answered(calls: list[tuple[str, Mapping[str, Any]]]) -> Iterator[JsonObject]:
    """The calls, what came of them, and what was said then."""
    yield {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": f"call_{at}",
                "type": "function",
                "function": {"name": sent_name(name), "arguments": json.dumps(given)},
            }
            for at, (name, given) in enumerate(calls)
        ],
    }
    for at in range(len(calls)):
        yield {"role": "tool", "tool_call_id": f"call_{at}", "content": '{"status": "done"}'}
    yield {"role": "assistant", "content": "Done."}


TASK = Task(
    name="fidelity_bfcl",
    version=1,
    kind="tools",
    description="BFCL v4: the second turn behind a first one with calls and results; whether there is an answer.",
    load=load,
    scorer=answered(),
    source="local: ShishirPatil/gorilla@6ea57973, or bfcl-eval 2026.3.23",
)
