"""The proof of the probes: over real sockets a clean server passes all of them, and each named fault is found."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.catalog import discover
from harness.conformance import Capture, Probe, judge_all, scenarios_of, select
from harness.types import Attempt, Endpoint, Job, Provider, Verdict
from harness.wire.assemble import assemble
from harness.wire.pool import Pool
from harness.wire.transport import Client

ROOT = Path(__file__).parents[1]
SMOKE: tuple[Probe, ...] = select(discover([ROOT / "tasks" / "probes"]).probes.values(), "smoke")

# Faults of one row leave each other's probes alone, which saves starting a server for each of them.
ROWS: tuple[dict[str, dict[str, str]], ...] = (
    {
        "ignore_stop": {"sampling.stop_string": "ignored"},
        "ignore_max_completion_tokens": {"sampling.max_tokens": "ignored"},
        "ignore_system": {"chat.system_counted": "ignored"},
        "ignore_tool_choice": {"tools.required": "ignored"},
        "ignore_response_format": {"json.schema": "ignored"},
        "no_usage_chunk": {"stream.usage_chunk": "ignored"},
        "no_done": {"stream.done": "partial"},
        "ignore_model": {"error.unknown_model": "ignored"},
        "status_422": {"error.malformed_json": "partial"},
        "models_empty": {"models.list": "broken"},
    },
    {
        "include_stop": {"sampling.stop_string": "broken"},
        "ignore_max_tokens": {"sampling.max_tokens": "ignored"},
        "usage_constant_prompt": {"chat.system_counted": "ignored"},
        "tool_arguments_object": {"tools.required": "broken"},
        "fence_json": {"json.schema": "ignored"},
        "usage_in_last_choice": {"stream.usage_chunk": "partial"},
        "after_done": {"stream.done": "partial"},
        "flat_error": {"error.unknown_model": "broken", "error.malformed_json": "broken"},
        "models_twice": {"models.list": "broken"},
        "no_created": {"chat.required_fields": "broken"},
    },
    {
        "finish_stop": {"sampling.max_tokens": "broken"},
        "tool_leak": {"tools.required": "broken"},
        "break_schema": {"json.schema": "ignored"},
        "no_last_blank": {"stream.done": "partial"},
        "int_code": {"error.unknown_model": "partial", "error.malformed_json": "partial"},
        "models_404": {"models.list": "rejected"},
        "no_id": {"chat.required_fields": "broken"},
    },
    {
        "no_usage": {
            "chat.system_counted": "untestable",
            "sampling.max_tokens": "partial",
            "stream.usage_chunk": "ignored",
        },
        "tool_arguments_broken": {"tools.required": "broken"},
        "status_400": {"error.unknown_model": "partial"},
        "status_500": {"error.malformed_json": "broken"},
    },
    {
        "tool_no_id": {"tools.required": "partial"},
        "no_stream": {"stream.done": "ignored", "stream.usage_chunk": "ignored"},
        "finish_null": {"chat.required_fields": "broken", "sampling.max_tokens": "broken"},
        "detail_error": {"error.unknown_model": "broken", "error.malformed_json": "broken"},
    },
    {
        "ignore_tools": {"tools.required": "ignored"},
        "usage_zero": {"chat.system_counted": "untestable", "stream.usage_chunk": "broken"},
        "html_error": {"error.unknown_model": "broken", "error.malformed_json": "broken"},
    },
    {"status_200": {"error.unknown_model": "broken", "error.malformed_json": "broken"}},
)


@contextmanager
def simulator(*options: str) -> Iterator[str]:
    """The base URL of a simulated endpoint in a child process."""
    command = [sys.executable, "-m", "harness", "simulate", "null", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        try:
            ready = child.stdout.readline()
            assert ready, f"the simulator ended with {child.wait(10)}"
            yield json.loads(ready)["base_url"]
        finally:
            child.terminate()
            child.wait(10)


async def sent(endpoint: Endpoint) -> dict[str, list[Capture]]:
    """All scenarios of the smoke profile, sent one after the other."""
    found: dict[str, list[Capture]] = {}
    pool = Pool()
    client = Client(endpoint.provider, pool, key=None)
    try:
        for scenario in scenarios_of(SMOKE):
            request = scenario.build(endpoint)
            exchange = await client.send(request)
            job = Job(f"probe/{endpoint.id}/{scenario.name}/0", endpoint.id, "probe", "probe", "smoke", scenario.name)
            outcome = assemble(exchange, stream=request.stream)
            found[scenario.name] = [Capture(Attempt(job, 0, request, exchange, 0, 0, 1), outcome)]
    finally:
        await client.aclose()
        await pool.aclose()
    return found


def verdicts(*options: str) -> dict[str, Verdict]:
    """What the smoke probes say of a simulated endpoint, by probe."""
    with simulator(*options) as base_url:
        endpoint = Endpoint(Provider("simulated", "simulated", base_url), "sim-small", "sim-small")
        captures = asyncio.run(sent(endpoint))
    return {verdict.probe: verdict for verdict in judge_all(SMOKE, captures, endpoint)}


def test_a_clean_server_passes_every_smoke_probe() -> None:
    """The reference server is supported in everything, so that no probe fires without a cause."""
    found = verdicts()
    assert [verdict for verdict in found.values() if verdict.verdict != "supported"] == []
    assert len(found) == 12


@pytest.mark.parametrize("row", ROWS, ids="+".join)
def test_each_fault_is_found_by_its_probe_and_by_no_other(row: dict[str, dict[str, str]]) -> None:
    """With named faults in the server, just the probes of those faults say so."""
    expected = {probe.id: "supported" for probe in SMOKE}
    for changed in row.values():
        expected |= changed
    found = verdicts("--set", f"mutants={','.join(row)}")
    assert {name: verdict.verdict for name, verdict in found.items()} == expected, found
    evidence = {job for verdict in found.values() for job in verdict.evidence}
    assert len(evidence) == len(scenarios_of(SMOKE))


def test_every_smoke_probe_is_killed_by_a_fault() -> None:
    """Each probe has at least one fault of the simulator that it must not pass, chat.basic's dead servers apart."""
    killed = {
        name for row in ROWS for changed in row.values() for name, word in changed.items() if word != "untestable"
    }
    assert killed == {probe.id for probe in SMOKE} - {"chat.basic"}


@pytest.mark.parametrize(
    ("setting", "word"), [("http_500=1", "broken"), ("inband_error=1", "broken"), ("malformed=1", "broken")]
)
def test_a_dead_chat_is_told_once(setting: str, word: str) -> None:
    """Where every chat fails, chat.basic says so and what needs it is skipped."""
    found = verdicts("--set", setting)
    assert found["chat.basic"].verdict == word
    assert found["tools.required"].reason == f"blocked by chat.basic ({word})"


@pytest.mark.parametrize("setting", ["http_429=1", "overload_503=1", "reset=1", "cut=1"])
def test_trouble_on_the_way_accuses_nobody(setting: str) -> None:
    """A throttled, overloaded or torn server is untestable: no probe of the chat calls a feature broken or absent."""
    found = verdicts("--set", setting)
    assert {verdict.verdict for name, verdict in found.items() if name != "models.list"} <= {"untestable", "supported"}
    assert found["chat.basic"].verdict == "untestable"
