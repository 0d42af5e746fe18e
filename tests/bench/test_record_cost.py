"""What it costs to record a stream: the short way against taking every event apart, within one process.

``pytest tests/bench/test_record_cost.py -s`` prints processor time; only ratios of the same run are asserted.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from published import manifest

from harness.exchange import Exchange, Read, WireMarks
from harness.record.folder import create
from harness.record.journal import Journal
from harness.record.line import from_line, to_line
from harness.secrets.redaction import redact
from harness.store.seal import seal
from harness.types import Attempt, Job, Request
from harness.wire.assemble import assemble

pytestmark = pytest.mark.bench
WORDS = (" the", " of", "tion", " alpha", ' "q"', "\n", "é", " x", ".")


def attempt(tokens: int, number: int) -> Attempt:
    """A regular stream of about 250 bytes an event, one event a read."""
    draw = random.Random(number)
    shape = {
        "id": f"chatcmpl-{draw.getrandbits(128):032x}",
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": "sim-small",
        "system_fingerprint": "fp_44709d6fcb",
    }

    def event(delta: dict[str, str], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return b"data: " + json.dumps(shape | {"choices": [choice]}, ensure_ascii=False).encode() + b"\n\n"

    usage = {"prompt_tokens": 99, "completion_tokens": tokens, "total_tokens": 99 + tokens}
    events = [
        event({"role": "assistant", "content": ""}),
        *(event({"content": draw.choice(WORDS)}) for _ in range(tokens)),
        event({}, "stop"),
        b"data: " + json.dumps(shape | {"choices": [], "usage": usage}).encode() + b"\n\n",
        b"data: [DONE]\n\n",
    ]
    reads = tuple(Read(10**12 + 10**6 * at + draw.randrange(10**5), data) for at, data in enumerate(events))
    headers = (("content-type", "text/event-stream"), ("server", "uvicorn"), ("transfer-encoding", "chunked"))
    body = json.dumps({"model": "sim-small", "messages": [{"role": "user", "content": "word " * 60}]}).encode()
    return Attempt(
        job=Job(f"load.chat@c1/p/m/{number}/0", "p/m", "load", "load.chat@c1", "chat", str(number)),
        number=0,
        request=Request("/chat/completions", body, stream=True, workload_sha256="ab" * 32),
        exchange=Exchange(WireMarks(send0_ns=10**12, eof_ns=10**13), 200, headers, reads, "kernel", reused=True),
        sched_ns=10**12,
        admit_ns=10**12,
        in_flight=9,
    )


def cost_us(work: Callable[[Attempt], object], attempts: list[Attempt], budget_s: float = 0.4) -> float:
    """Processor time for each attempt, microseconds: the least of many short turns, for the machine is shared."""
    least, until = float("inf"), time.perf_counter() + budget_s
    while time.perf_counter() < until:
        for one in attempts:
            began = time.process_time_ns()
            work(one)
            least = min(least, time.process_time_ns() - began)
    return least / 1000


@pytest.mark.parametrize("tokens", [8, 64, 128])
def test_the_short_way_is_short(tokens: int) -> None:
    """A regular stream of usual length is understood at least five times as fast; it pays for a short answer too."""
    attempts = [attempt(tokens, number) for number in range(8)]
    short = cost_us(partial(assemble_one, shortcuts=True), attempts)
    long = cost_us(partial(assemble_one, shortcuts=False), attempts)
    print(
        f"\n{tokens:>4} tokens: {short:7.1f} us, every event apart {long:7.1f} us ({short / (tokens + 4):.2f} us/event)"
    )
    assert long > (5 if tokens >= 64 else 1.5) * short


def assemble_one(one: Attempt, *, shortcuts: bool) -> object:
    """As the runner does."""
    return assemble(one.exchange, stream=True, shortcuts=shortcuts)


def test_the_journal_is_cheap_beside_understanding() -> None:
    """Redacting, writing and reading back a line of 64 tokens cost less than taking its events apart once."""
    attempts = [attempt(64, number) for number in range(8)]
    lines = {one.job.id: to_line(one) for one in attempts}
    long = cost_us(partial(assemble_one, shortcuts=False), attempts)
    written = cost_us(lambda one: to_line(redact(one, ("k" * 40,))), attempts)
    read = cost_us(lambda one: from_line(lines[one.job.id]), attempts)
    print(f"\nwritten {written:.1f} us, read back {read:.1f} us, every event apart {long:.1f} us")
    assert written + read < long


@pytest.mark.parametrize("tokens", [8, 96])
def test_a_record_from_answer_to_parquet(tmp_path: Path, tokens: int) -> None:
    """Journal, understanding while the run goes on, and sealing cost less than taking every event apart twice."""
    run = create(tmp_path, "cost")
    run.write_manifest(manifest(run))
    attempts = [attempt(tokens, number) for number in range(1_000)]
    began = time.process_time_ns()
    with Journal(run) as journal:
        for one in attempts:
            journal.append(one)
            assemble(one.exchange, stream=True)
    hot_us = (time.process_time_ns() - began) / 1000 / len(attempts)
    began = time.process_time_ns()
    seal(run)
    seal_us = (time.process_time_ns() - began) / 1000 / len(attempts)
    began = time.process_time_ns()
    for one in attempts[:100]:
        assemble(one.exchange, stream=True, shortcuts=False)
    long_us = (time.process_time_ns() - began) / 1000 / 100
    whole = hot_us + seal_us
    each = whole / (tokens + 4)
    print(
        f"\n{tokens:>4} tokens: {hot_us:.0f} + {seal_us:.0f} us, {each:.2f} us/event; every event apart {long_us:.0f}"
    )
    assert whole < (2 if tokens > 64 else 6) * long_us
