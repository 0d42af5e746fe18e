"""The requests with tools of a verification: what the shipped ones hold, and what is built from public data."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from harness import catalog, config
from harness.errors import TaskError
from harness.run.planning.samples import samples_of
from harness.types import JsonObject, Sample

SHIPPED = catalog.discover([config.shipped("tasks")])
DATA = Path(__file__).parents[2] / "shared" / "data"
SHARED = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data sets are not beside this checkout")


def _kind(sample: Sample) -> str:
    if not sample.tools:
        return "plain"
    return "free" if sample.params["tool_choice"] == "auto" else "forced"


def _paired(messages: tuple[JsonObject, ...]) -> bool:
    """Whether every result follows the message whose call it answers, and every call has one before anybody speaks."""
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            return False
        waiting = [call["id"] for call in message.get("tool_calls") or ()]
    return not waiting


def test_the_first_dozen_of_the_shipped_requests_has_all_kinds() -> None:
    """A small verification asks calls that are free and forced, results of tools, and plain text, both ways alike."""
    asked, whole = (samples_of(SHIPPED.task(name), None, None) for name in ("fidelity_calls", "fidelity_calls_whole"))
    assert asked == whole
    assert (SHIPPED.task("fidelity_calls").stream, SHIPPED.task("fidelity_calls_whole").stream) == (True, False)
    assert [_kind(one) for one in asked[:12]] == ["free", "forced", "plain"] * 4
    assert sum(any(message["role"] == "tool" for message in one.messages) for one in asked) == 6
    assert all(_paired(one.messages) for one in asked)
    for tool in (tool for one in asked for tool in one.tools):
        Draft202012Validator.check_schema(tool["function"]["parameters"])


@SHARED
@pytest.mark.parametrize(
    ("task", "data", "kind", "count", "clusters"),
    [
        ("fidelity_walle", "walle_json_schema", "forced", 122, 1),
        ("fidelity_bfcl", "bfcl_v4", "free", 197, 20),
        ("fidelity_tau", "tau_bench/gpt-4o-airline.json.gz", "free", 86, 45),
    ],
)
def test_requests_are_built_from_public_data(task: str, data: str, kind: str, count: int, clusters: int) -> None:
    """As many as the task's page says, of one kind, every call answered; what shares its tools is a cluster."""
    found = samples_of(SHIPPED.task(task), None, str(DATA / data))
    assert len(found) == count
    assert {_kind(one) for one in found} == {kind}
    assert all(_paired(one.messages) for one in found)
    assert len({one.metadata.get("cluster") for one in found}) == clusters
    if kind == "free":
        assert all(any(message["role"] == "tool" for message in one.messages) for one in found)


@pytest.mark.parametrize("task", ["fidelity_walle", "fidelity_bfcl", "fidelity_tau"])
def test_data_that_is_missing_is_said_in_a_line(task: str, tmp_path: Path) -> None:
    """Without data, or with a folder that does not hold it, one line says what to give."""
    for data in (None, str(tmp_path)):
        with pytest.raises(TaskError) as told:
            samples_of(SHIPPED.task(task), None, data)
        assert "\n" not in str(told.value)


def test_tools_are_made_of_the_calls_that_were_seen(tmp_path: Path) -> None:
    """A parameter is required where every call has it; its type is the one that all its values have."""
    calls = [{"day": 1, "rooms": ["a"], "note": "x"}, {"day": 2.5, "rooms": [], "note": None}, {"day": 3}]
    said: list[JsonObject] = [{"role": "user", "content": "Book."}]
    for number, arguments in enumerate(calls):
        function = {"name": "book", "arguments": json.dumps(arguments)}
        call = {"id": f"c{number}", "type": "function", "function": function}
        said += [{"role": "assistant", "content": None, "tool_calls": [call]}]
        said += [{"role": "tool", "tool_call_id": f"c{number}", "name": "book", "content": "done"}]
    said.append({"role": "assistant", "content": "Booked."})
    file = tmp_path / "said.json.gz"
    file.write_bytes(gzip.compress(json.dumps([{"task_id": 7, "trial": 0, "traj": said}]).encode()))
    found = samples_of(SHIPPED.task("fidelity_tau"), None, str(file))
    assert [(one.id, len(one.messages)) for one in found] == [("7-call", 5), ("7-words", 7)]
    (tool,) = found[0].tools
    assert tool["function"]["parameters"] == {
        "type": "object",
        "properties": {
            "day": {"type": "number"},
            "note": {},
            "rooms": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["day"],
    }
    assert "name" not in found[0].messages[2]


@pytest.mark.parametrize("text", ["__import__('os')", "cd(folder=open('x'))", "cd", "nowhere(1)", "cd(" * 300])
def test_calls_in_data_are_read_and_never_run(text: str, tmp_path: Path) -> None:
    """A call that is no plain one of the item's functions is told with its place."""
    for name, row in {
        "BFCL_v4_multi_turn_base.json": {
            "id": "multi_turn_base_0",
            "question": [[{"role": "user", "content": "Go."}]] * 2,
            "involved_classes": ["MathAPI"],
        },
        "possible_answer/BFCL_v4_multi_turn_base.json": {"id": "multi_turn_base_0", "ground_truth": [[text]]},
        "multi_turn_func_doc/math_api.json": {
            "name": "cd",
            "parameters": {"type": "dict", "properties": {"folder": {}}},
        },
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(row))
    with pytest.raises(TaskError, match=re.escape("item multi_turn_base_0")):
        samples_of(SHIPPED.task("fidelity_bfcl"), None, str(tmp_path))
