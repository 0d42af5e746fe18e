"""How the measurer holds up: pacing, the cost of watching itself, an injected stall, a calibration.

``pytest tests/bench/test_measurer.py -s`` prints the figures. Bounds are generous: machines are shared.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from itertools import accumulate
from pathlib import Path

import pytest

from harness import request
from harness.engines import child
from harness.exchange import Exchange
from harness.provider import Auth, Deadlines, Endpoint, Provider
from harness.run.observers.calibrate import calibrate
from harness.run.observers.vitals import Vitals
from harness.run.pace import Pacer
from harness.stats.intervals import quantile
from harness.types import Sample
from harness.wire.alarm import Alarm
from harness.wire.assemble import assemble
from harness.wire.loop import run
from harness.wire.pool import Pool
from harness.wire.transport import Client

pytestmark = pytest.mark.bench
MS = 1_000_000
STALL_MS = 200


@pytest.mark.skipif(sys.platform != "linux", reason="the timer is Linux's")
@pytest.mark.parametrize("rate", [200, 1000])
def test_planned_times_are_met(rate: int) -> None:
    """Half of all releases slip by less than 0.5 ms, which a timer of whole milliseconds could not do."""

    async def go() -> list[float]:
        alarm = Alarm(asyncio.get_running_loop())
        pacer = Pacer(alarm)
        start_ns, gap_ns = time.perf_counter_ns() + 5 * MS, 1_000_000_000 // rate
        slips = []
        for number in range(2 * rate):
            due_ns = start_ns + number * gap_ns
            slips.append((await pacer.until(due_ns) - due_ns) / MS)
        alarm.close()
        return slips

    slips = run(go())
    p50, p99 = quantile(slips, 0.5), quantile(slips, 0.99)
    print(f"\n{rate}/s: slip p50 {p50:.4f} ms, p99 {p99:.4f} ms, worst {max(slips):.3f} ms")
    assert p50 is not None
    assert p50 < 0.5


def test_watching_costs_little(tmp_path: Path) -> None:
    """In a loop that wakes up a thousand times a second the vitals take less than 2 % of a processor more."""

    async def go(*, watched: bool) -> float:
        loop = asyncio.get_running_loop()
        alarm = Alarm(loop)
        due_ns = time.perf_counter_ns()

        def work() -> None:
            nonlocal due_ns
            due_ns += MS
            alarm.at(due_ns, work)

        work()
        vitals = Vitals(tmp_path / "vitals.jsonl", loop)
        if watched:
            vitals.start()
        began_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
        await asyncio.sleep(1)
        share = (time.process_time_ns() - cpu_ns) / (time.perf_counter_ns() - began_ns)
        vitals.stop()
        alarm.close()
        return 100 * share

    shares = [(run(go(watched=False)), run(go(watched=True))) for _ in range(3)]
    more = sorted(watched - alone for alone, watched in shares)[1]
    print(f"\nvitals: {more:+.2f} % of a processor, of {shares}")
    assert more < 2


@pytest.mark.skipif(sys.platform != "linux", reason="kernel arrival stamps are Linux's")
@pytest.mark.parametrize(("itl_ms", "tokens"), [(250, 6), (20, 64)], ids=["one by one", "gathered"])
def test_a_stall_of_the_client_is_seen_and_moves_no_arrival(tmp_path: Path, itl_ms: int, tokens: int) -> None:
    """While the loop is held for 200 ms the vitals show it, and each read has the time at which its last bytes came.

    Chunks that came one by one keep their times, however late they were read. Of several that were gathered meanwhile
    only the last one does: TCP has one stamp for a read, so here the vitals alone know of the stall.
    """
    log, vitals = tmp_path / "sends.jsonl", tmp_path / "vitals.jsonl"
    argv = [sys.executable, "-m", "harness", "simulate", "truth", "--watch-stdin", "--log", str(log), "--log-chunks"]
    argv += ["--set", "ttft_ms=100", "--set", f"itl_ms={itl_ms}", "--set", f"tokens={tokens}"]
    process, ready = child.spawn(argv, log=tmp_path / "simulator.log", ready_timeout_s=20)
    try:
        stalled_ns, exchanges = run(_stalled(ready["base_url"], vitals))
    finally:
        child.stop(process)
    rows = [json.loads(line) for line in vitals.read_text().splitlines()]
    (hit,) = [row for row in rows if row["at_ns"] - row["window_ns"] <= stalled_ns < row["at_ns"]]
    assert hit["lag_max_ns"] >= 150 * MS
    sent = {row["id"]: row["chunks_ns"] for row in map(json.loads, log.read_text().splitlines()) if "chunks_ns" in row}
    errors = []
    for exchange in exchanges:
        completion = assemble(exchange, stream=True).completion
        assert completion is not None
        last_of_read = (number - 1 for number in accumulate(completion.output_events))
        written = [sent[str(completion.response_id)][number] for number in last_of_read]
        errors += [(came - left) / MS for came, left in zip(completion.output_ns, written, strict=True)]
    late = [(exchange.lag_max_ns or 0) / MS for exchange in exchanges]
    gathered = sum(exchange.coalesced_reads > 1 for exchange in exchanges)  # the end of a stream is one such read
    print(
        f"\nstall: lag {hit['lag_max_ns'] / MS:.1f} ms; reads up to {max(late):.1f} ms late, {gathered} gathered;",
        end="",
    )
    print(
        f" stamps off by p50 {quantile(errors, 0.5):.3f}, p99 {quantile(errors, 0.99):.3f}, worst {max(errors):.3f} ms"
    )
    assert all(exchange.clock == "kernel" for exchange in exchanges)
    assert max(errors) < 50, "an arrival was moved"
    if itl_ms > STALL_MS:
        assert max(late) >= 100, "the stall met no stream"
    else:
        assert gathered == len(exchanges)


async def _stalled(base_url: str, path: Path) -> tuple[int, list[Exchange]]:
    """Eight streams, with the loop held in their middle; when that was, and what came."""
    provider = Provider("truth", "simulated", base_url, auth=Auth("none"), deadlines=Deadlines(total_s=30))
    pool = Pool()
    client = Client(provider, pool, key=None)
    asked = request.build(
        Sample("0", ({"role": "user", "content": "a story"},)),
        Endpoint(provider, "sim-small", "sim-small"),
        stream=True,
    )
    began: list[int] = []

    def hold() -> None:
        began.append(time.perf_counter_ns())
        while time.perf_counter_ns() < began[0] + STALL_MS * MS:
            pass

    loop = asyncio.get_running_loop()
    vitals = Vitals(path, loop)
    try:
        await client.send(asked, prepared=True)  # builds the head
        vitals.start()
        loop.call_later(0.6, hold)
        async with asyncio.TaskGroup() as group:
            streams = []
            for _ in range(8):
                streams.append(group.create_task(client.send(asked, prepared=True)))
                await asyncio.sleep(0.03)  # so that some chunk of some stream comes early in the stall
        return began[0], [stream.result() for stream in streams]
    finally:
        vitals.stop()
        await client.aclose()
        await pool.aclose()


@pytest.mark.parametrize(("concurrency", "rate"), [(1, None), (32, 1600.0), (256, 12800.0)])
def test_a_calibration_says_what_it_found(concurrency: int, rate: float | None) -> None:
    """Prints the figures of this machine; a calibration takes what it was given, and the start of two simulators."""
    found = calibrate(concurrency=concurrency, chunks_per_s=rate)
    print(f"\n{found}")
    assert found.problem is None
    assert found.took_s < 30
