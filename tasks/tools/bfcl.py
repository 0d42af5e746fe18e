"""BFCL v4, single turn: 3,491 requests in eleven sets, with up to 37 functions each; the right calls, or none.

Example (simple): "Find the area of a triangle with a base of 10 units and height of 5 units." with a function
``calculate_triangle_area(base, height, unit)``, where ``unit`` may be left out. Multiple: the right one of several
functions. Parallel: several calls at once. Irrelevance: no function fits, and calling one is wrong. Relevance: some
function fits, and calling none is wrong. The live sets are of what users of a public service sent.

Source: Patil et al., "The Berkeley Function Calling Leaderboard", ICML 2025; ShishirPatil/gorilla at commit 6ea57973,
``berkeley-function-call-leaderboard/bfcl_eval/data``; the same files are in the package ``bfcl-eval`` 2026.3.23.
Licence: Apache-2.0.

Known traps: four items cannot be passed by any call, since their accepted answers contradict their own schema; they
are asked and not judged. An item of ``live_parallel`` weighs six points in a hundred, as there are 16. Some accepted
answers are a matter of taste (a city with or without its country). Four of the live irrelevance items have no function
at all. The sets are public, so a high score says little about a model. Dots in names are sent as underscores. Left out:
Java and JavaScript, where arguments are literals of those languages in strings, and all that takes more than one turn.
Requests are sent with temperature 0, those of the leaderboard with 0.001.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from harness.data import local_rows
from harness.errors import TaskError
from harness.scorers.bfcl import bfcl
from harness.scorers.bfcl_call import sent_tool
from harness.types import JsonObject, Sample, Task

_HINT = (
    "--data FOLDER: the folder bfcl_eval/data of the package bfcl-eval 2026.3.23, or of the repository "
    "ShishirPatil/gorilla at commit 6ea57973"
)


class _Set(NamedTuple):
    name: str
    file: str
    """What its files are called between ``BFCL_v4_`` and ``.json``."""
    expect: str
    about: str


_SETS = (
    _Set("simple", "simple_python", "calls", "One function, one call."),
    _Set("multiple", "multiple", "calls", "Two to four functions, one call of the right one."),
    _Set("parallel", "parallel", "calls", "One function, two to eight calls at once."),
    _Set("parallel_multiple", "parallel_multiple", "calls", "Several functions, several calls at once."),
    _Set("irrelevance", "irrelevance", "no_call", "One function that does not help; no call is right."),
    _Set("live_simple", "live_simple", "calls", "Of users: one function, one call."),
    _Set("live_multiple", "live_multiple", "calls", "Of users: up to 37 functions, one call of the right one."),
    _Set("live_parallel", "live_parallel", "calls", "Of users: several calls at once."),
    _Set("live_parallel_multiple", "live_parallel_multiple", "calls", "Of users: several functions, several calls."),
    _Set("live_irrelevance", "live_irrelevance", "no_call", "Of users: functions that do not help; no call is right."),
    _Set("live_relevance", "live_relevance", "any_call", "Of users: functions that help; any call is right."),
)


def _samples(one: _Set, data: Path | None) -> Iterator[Sample]:
    questions = _questions(one, data)
    truths = _truths(questions) if one.expect == "calls" else {}
    for row in local_rows(questions, ("id", "question", "function")):
        target: JsonObject = {"expect": one.expect}
        if one.expect == "calls":
            if row["id"] not in truths:
                raise TaskError(f"{questions}: no answer to {row['id']!r} in the folder possible_answer beside it")
            expected = {name for call in truths[row["id"]] for name in call}
            target["functions"] = [function for function in row["function"] if function["name"] in expected]
            target["ground_truth"] = truths[row["id"]]
        tools = tuple(sent_tool(function) for function in row["function"])
        yield Sample(
            id=row["id"],
            messages=tuple(row["question"][0]),
            target=target,
            tools=tools,
            params={"temperature": 0, "max_tokens": 2048, **({"tool_choice": "auto"} if tools else {})},
        )


def _questions(one: _Set, data: Path | None) -> Path:
    name = f"BFCL_v4_{one.file}.json"
    if data is None:
        raise TaskError(f"task bfcl_{one.name} reads local files", hint=_HINT)
    if not data.is_dir():
        return data
    if not (data / name).is_file():
        raise TaskError(f"{data} holds no {name}", hint=_HINT)
    return data / name


def _truths(questions: Path) -> dict[str, Any]:
    answers = questions.parent / "possible_answer" / questions.name
    if not answers.is_file():
        raise TaskError(f"no accepted answers to {questions.name}: there is no {answers}", hint=_HINT)
    return {row["id"]: row["ground_truth"] for row in local_rows(answers, ("id", "ground_truth"))}


def _task(one: _Set) -> Task:
    def load(data: Path | None) -> Iterator[Sample]:
        """The items in the order of the file; data needs BFCL's folder, or one of its question files."""
        return _samples(one, data)

    return Task(
        name=f"bfcl_{one.name}",
        version=1,
        kind="tools",
        description=f"BFCL v4. {one.about}",
        load=load,
        scorer=bfcl(),
        source="local: ShishirPatil/gorilla@6ea57973, or bfcl-eval 2026.3.23",
    )


TASKS = tuple(map(_task, _SETS))
