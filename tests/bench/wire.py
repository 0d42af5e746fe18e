"""Drive our wire alone, closed loop: ``wire.py BASE_URL REQUESTS CONCURRENCY TOKENS OUT.json [--blocked] [--ca PEM]``.

Requests of one token open the connections first and are not told. With ``--blocked`` the event loop that reads the
sockets is kept busy in bursts of 15 ms, as a slow scorer would.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import time
from collections import Counter
from pathlib import Path

from truth import MODEL

from harness import request
from harness.exchange import Exchange
from harness.provider import Auth, Deadlines, Endpoint, Provider
from harness.types import Sample
from harness.wire.assemble import assemble
from harness.wire.loop import run
from harness.wire.pool import Pool
from harness.wire.transport import Client

BLOCK_NS, PAUSE_S = 15_000_000, 0.02
STAGGER_S = 0.003


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("base_url")
    for name in ("requests", "concurrency", "tokens"):
        parser.add_argument(name, type=int)
    parser.add_argument("out", type=Path)
    parser.add_argument("--blocked", action="store_true")
    parser.add_argument("--ca")
    asked = parser.parse_args()
    streams, failures = [], Counter[str]()
    for exchange in run(_exchanges(asked)):
        outcome = assemble(exchange, stream=True)
        sent_ns, completion = exchange.marks.send0_ns, outcome.completion
        if outcome.failure is not None or completion is None or sent_ns is None:
            failures[outcome.failure.kind if outcome.failure else "harness"] += 1
            continue
        at_ns = [at - sent_ns for at in completion.output_ns]
        streams.append({"at_ns": at_ns, "events": completion.output_events})
    asked.out.write_text(json.dumps({"streams": streams, "failures": failures}))


async def _exchanges(asked: argparse.Namespace) -> list[Exchange]:
    context = ssl.create_default_context(cafile=asked.ca) if asked.ca else None
    provider = Provider("bench", "simulated", asked.base_url, auth=Auth("none"), deadlines=Deadlines(total_s=120))
    endpoint = Endpoint(provider, MODEL, MODEL)
    pool, numbers, found = Pool(ssl_context=context), iter(range(asked.requests)), list[Exchange]()
    client = Client(provider, pool, key=None)

    async def ask(number: int, tokens: int) -> None:
        messages = ({"role": "user", "content": f"{number}: a story, please"},)
        sample = Sample(str(number), messages, params={"max_tokens": tokens})
        found.append(await client.send(request.build(sample, endpoint, stream=True), prepared=True))

    async def user(place: int) -> None:
        await asyncio.sleep(place * STAGGER_S)
        for number in numbers:
            await ask(number, asked.tokens)

    try:
        await ask(0, 1)  # alone: it builds the head that all others use
        async with (
            asyncio.TaskGroup() as group
        ):  # opens the connections, so that no handshake delays a server's reading
            for _ in range(asked.concurrency):
                group.create_task(ask(0, 1))
        found.clear()
        blocker = asyncio.create_task(_block()) if asked.blocked else None
        async with asyncio.TaskGroup() as group:
            for place in range(asked.concurrency):
                group.create_task(user(place))
        if blocker:
            blocker.cancel()
    finally:
        await client.aclose()
        await pool.aclose()
    return found


async def _block() -> None:
    while True:
        until = time.perf_counter_ns() + BLOCK_NS
        while time.perf_counter_ns() < until:
            pass
        await asyncio.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
