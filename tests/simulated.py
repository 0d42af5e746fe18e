"""Probes on the simulator over real sockets, with any of its faults, as the harness itself would send them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harness.conformance import Capture, Probe, Scenario, judge_all, scenarios_of
from harness.provider import Auth, Endpoint, Provider, Quirks
from harness.simulator.deviations.mutants import MUTANTS
from harness.types import Attempt, Job, Request, Verdict
from harness.wire.assemble import assemble
from harness.wire.pool import Pool
from harness.wire.transport import Client

ROOT = Path(__file__).parents[1]
KEY = "sk-simulated-right"
LONG, STREAMS = ("stream_long", "stream_long_tools"), ("stream_plain", "twin_stream", "tools_required_stream")
# Held back is what could have come earlier: a server that has everything at once has nothing to hold back.
SLOW = {
    "buffered_stream": ("mutants=buffered_stream,itl_ms=3", LONG),
    "buffered_with_tools": ("mutants=buffered_with_tools,itl_ms=3", LONG),
    "late_headers": ("mutants=late_headers,ttft_ms=450,itl_ms=1", LONG),
    "late_close": ("mutants=late_close", STREAMS),
}
"""Faults that take time to show: what the simulator is told, and the only scenarios that it is told it for."""
GRAVE = ("partial", "ignored", "rejected", "broken")
"""Verdicts that say something against an endpoint."""


@contextmanager
def simulator(*options: str) -> Iterator[Endpoint]:
    """A simulated endpoint in a child process, which takes one key only."""
    command = [sys.executable, "-m", "harness", "simulate", "null", "--port", "0"]
    command += ["--set", "key_env=SIM_KEY", "--set", "prefix_cache=true", *options]
    environment = {**os.environ, "SIM_KEY": KEY}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as child:
        assert child.stdout is not None
        try:
            ready = child.stdout.readline()
            assert ready, f"the simulator ended with {child.wait(10)}"
            url = json.loads(ready)["base_url"]
            provider = Provider("simulated", "simulated", url, Auth(env="SIM_KEY"), quirks=Quirks())
            yield Endpoint(provider, "sim-small", "sim-small")
        finally:
            child.terminate()
            child.wait(10)


async def sent(
    endpoint: Endpoint, scenarios: Sequence[Scenario], sim: str | Mapping[str, str] = ""
) -> dict[str, list[Capture]]:
    """The captures of scenarios; ``sim`` is what the simulator is told to do otherwise, by the header x-sim.

    A mapping tells it for the scenarios of these names alone.
    """
    found: dict[str, list[Capture]] = {}
    pool = Pool()
    client = Client(endpoint.provider, pool, key=KEY)

    async def one(scenario: Scenario, repeat: int) -> Capture | None:
        request: Request | None = scenario.build(endpoint, repeat)
        if scenario.follows is not None:
            assert scenario.build_on is not None
            before = found[scenario.follows.name]
            try:
                request = scenario.build_on(endpoint, before[repeat]) if len(before) > repeat else None
            except (LookupError, TypeError, AttributeError):
                request = None
        if request is None:
            return None
        told = sim if isinstance(sim, str) else sim.get(scenario.name)
        if told:
            request = replace(request, headers={**request.headers, "x-sim": told})
        exchange = await client.send(request, give_up_s=scenario.hang_up_s)
        job = Job(
            f"probe/{endpoint.id}/{scenario.name}/{repeat}", endpoint.id, "probe", "probe", "any", scenario.name, repeat
        )
        return Capture(Attempt(job, 0, request, exchange, 0, 0, 1), assemble(exchange, stream=request.stream))

    try:
        for scenario in scenarios:
            if scenario.together:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(one(scenario, repeat)) for repeat in range(scenario.repeats)]
                came = [task.result() for task in tasks]
            else:
                came = [await one(scenario, repeat) for repeat in range(scenario.repeats)]
            found[scenario.name] = [capture for capture in came if capture is not None]
    finally:
        await client.aclose()
        await pool.aclose()
    return found


def verdicts(endpoint: Endpoint, probes: Sequence[Probe], sim: str | Mapping[str, str] = "") -> dict[str, Verdict]:
    """What probes say of an endpoint, by probe."""
    captures = asyncio.run(sent(endpoint, scenarios_of(probes), sim))
    return {verdict.probe: verdict for verdict in judge_all(probes, captures, endpoint)}


def telling(fault: str) -> str | dict[str, str]:
    """What tells the simulator to have a fault, in all scenarios or by the scenario's name."""
    if fault in SLOW:
        told, scenarios = SLOW[fault]
        return dict.fromkeys(scenarios, told)
    return f"mutants={fault}" if fault in MUTANTS else f"fault={fault}"


def accused(found: dict[str, Verdict]) -> dict[str, str]:
    """The probes that say something against the endpoint, with what they say."""
    return {name: verdict.verdict for name, verdict in found.items() if verdict.verdict in GRAVE}
