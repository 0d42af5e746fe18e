"""Runs of any size as their journals, written by code: nothing is sent."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from made import endpoint, task
from published import manifest

from harness.catalog import Catalog
from harness.exchange import Exchange, Read, WireMarks
from harness.provider import Provider
from harness.record.folder import RunFolder, create, write_atomic
from harness.record.journal import Journal, from_line, to_line
from harness.record.line import line_of
from harness.run.manifest import first
from harness.run.planning.plan import make
from harness.run.selecting.selection import Selection
from harness.types import Attempt, Job, Request, Sample, Task

LEVELS = (1, 2, 4, 8, 16)
ENDPOINTS = ("p/m", "p/n")
_MS = 1_000_000
_WORDS = ("the", "of", "and", "a", "to", "in", "is", "that")
_EVERY_FAILED = 200
"""One of so many attempts is reset by the server half way."""


def stream(chunks: int, variant: int) -> tuple[bytes, ...]:
    """The events of an answer of so many words, in the short form that some servers use."""
    draw = random.Random(variant)
    words = [
        b'data: {"choices":[{"index":0,"delta":{"content":" %s"}}]}\n\n' % draw.choice(_WORDS).encode()
        for _ in range(chunks)
    ]
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":99,"completion_tokens":%d,"total_tokens":%d}}\n\n'
    return (
        *words,
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
        usage % (chunks, 99 + chunks),
        b"data: [DONE]\n\n",
    )


def attempt(job: Job, events: tuple[bytes, ...], start_ns: int = 10**12, body: bytes = b"{}") -> Attempt:
    """A streamed answer, one event a read, some 10 ms apart."""
    draw = random.Random(start_ns)
    at, reads = start_ns + 90 * _MS, []
    for data in events:
        at += 9 * _MS + draw.randrange(2 * _MS)
        reads.append(Read(at, data))
    marks = WireMarks(send0_ns=start_ns + 50_000, send1_ns=start_ns + 60_000, hdr_ns=start_ns + 80 * _MS, eof_ns=at)
    return Attempt(
        job=job,
        number=0,
        request=Request("/chat/completions", body, stream=True, workload_sha256="ab" * 32),
        exchange=Exchange(
            marks, 200, (("content-type", "text/event-stream"),), tuple(reads), "kernel", reused=True, lag_max_ns=90_000
        ),
        sched_ns=start_ns,
        admit_ns=start_ns + 1_000,
        in_flight=4,
    )


def load_run(results: Path, n: int, chunks: int) -> RunFolder:
    """A run of ``n`` attempts under load, over two endpoints and five levels, with its journal and nothing else."""
    run = create(results, "scale")
    stages = [f"load.chat@c{level}" for level in LEVELS]
    about = manifest(run)
    about["endpoints"] = [about["endpoints"][0] | {"id": name} for name in ENDPOINTS]
    about["loads"][0]["levels"] = [{"stage": stage, "law": stage.partition("@")[2], "n": n // 10} for stage in stages]
    run.write_manifest(about)
    with Journal(run):
        pass
    with run.journal_path(0).open("ab", buffering=1 << 20) as file:
        file.writelines(_lines(n, chunks, stages))
    return run


def _lines(n: int, chunks: int, stages: list[str]) -> Iterator[bytes]:
    """Each line is that of one of a few answers with its own job and its own times."""
    shapes = [_shape(chunks, variant) for variant in range(8)]
    draw = random.Random(0)
    steps = [9 * _MS + draw.randrange(2 * _MS) + (40 * _MS if draw.random() < 0.01 else 0) for _ in range(100_000)]
    reads = len(shapes[0]["exchange"]["read_steps_ns"])
    for number in range(n):
        record = shapes[number % len(shapes)]
        stage, name = stages[number * len(stages) // n], ENDPOINTS[number % 2]
        start, at = 10**12 + number * _MS, draw.randrange(len(steps) - reads)
        spent = steps[at : at + reads]
        record["job"] |= {"id": f"{stage}/{name}/{number}/0", "endpoint": name, "stage": stage, "sample": str(number)}
        record["job"]["phase"] = "warmup" if number % 50 < 2 else "measure"
        record["request"]["workload_sha256"] = f"{number // 2:064x}"
        record |= {"sched_ns": start, "admit_ns": start + 1_000}
        exchange = record["exchange"]
        exchange["read_steps_ns"] = [start + 90 * _MS, *spent[1:]]
        marks = {"send0_ns": start + 50_000, "send1_ns": start + 60_000, "hdr_ns": start + 80 * _MS}
        failed = number % _EVERY_FAILED == _EVERY_FAILED - 1
        exchange["marks"] = marks if failed else marks | {"eof_ns": start + 90 * _MS + sum(spent[1:])}
        reset = {"kind": "reset", "detail": "connection reset", "status": 200, "retry_after_s": None}
        exchange["failure"] = reset if failed else None
        yield line_of(record)


def _shape(chunks: int, variant: int) -> dict[str, Any]:
    body = orjson.dumps({"model": "sim-small", "messages": [{"role": "user", "content": "word " * 60}]})
    line = to_line(attempt(Job("j", "p/m", "load", "s", "chat", "0"), stream(chunks, variant), body=body))
    from_line(line)  # it is a line of ours
    shape: dict[str, Any] = orjson.loads(line)
    shape.pop("crc", None)
    return shape


def quality_run(results: Path, n: int) -> tuple[RunFolder, Catalog, dict[str, Provider]]:
    """A run of ``n`` short answers of one quality task with a plain scorer, and what judges it again."""

    def samples() -> list[Sample]:
        return [
            Sample(f"s{number}", ({"role": "user", "content": "Which word?"},), target=_WORDS[number % len(_WORDS)])
            for number in range(n)
        ]

    asked = task("words", samples())
    one = endpoint("p/m", "http://127.0.0.1:1/v1")
    known = Catalog(tasks={asked.name: asked}, loads={})
    plan = make(Selection(suite="scale", endpoints=(one.id,), tasks=(asked.name,), loads=()), known, (one,))
    run = create(results, "words")
    lines = plan.lines()
    write_atomic(run.plan_path, lines)
    run.write_manifest(first(run, plan, lines) | {"status": "finished"})
    with Journal(run):
        pass
    with run.journal_path(0).open("ab", buffering=1 << 20) as file:
        for number, job in enumerate(plan.jobs):
            file.write(to_line(_short(asked, job, number)))
    return run, known, {one.provider.id: one.provider}


def _short(asked: Task, job: Job, number: int) -> Attempt:
    """An answer that came whole; one in three is wrong."""
    said = _WORDS[(number + (number % 3 == 0)) % len(_WORDS)]
    message = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
    body = orjson.dumps({"object": "chat.completion", "model": "sim-small", "choices": [message]})
    at = 10**12 + number * _MS
    return Attempt(
        job=job,
        number=0,
        request=Request("/chat/completions", b'{"model":"sim-small"}', stream=asked.stream, workload_sha256="cd" * 32),
        exchange=Exchange(
            WireMarks(send0_ns=at, eof_ns=at + _MS),
            200,
            (("content-type", "application/json"),),
            (Read(at + _MS, body),),
            "kernel",
            reused=True,
        ),
        sched_ns=at,
        admit_ns=at,
        in_flight=1,
    )
