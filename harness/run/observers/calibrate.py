"""How good this client is on this machine: the same wire, at the same concurrency, against the built-in simulator.

The simulator notes when it wrote each chunk on the clock that the client reads too, so what differs is the client's
error and what the loopback took. It runs after a load, never beside it.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

from harness import request
from harness.engines import child
from harness.errors import CannotMeasure
from harness.exchange import Completion, Failure
from harness.provider import Auth, Deadlines, Endpoint, Provider
from harness.run.observers.vitals import quiet_gc
from harness.run.pace import Pacer
from harness.stats.intervals import quantile
from harness.types import Request, Sample
from harness.wire import loop
from harness.wire.alarm import Alarm
from harness.wire.assemble import assemble
from harness.wire.pool import Pool
from harness.wire.transport import Client

_PACED, _PRESSED = 0.6, 0.3
"""Shares of the time: at the rate of the load, for the floor; at more than can be had, for the ceiling."""
_GRACE_S = 5.0
"""How much longer than its budget a stage may take before it is given up."""
_TTFT_MS = 20.0
_ITL_MS = 20.0
"""Where no chunk rate is given."""
_STREAMS = 64
"""Streams for the floor, if there is time: few long ones would say little about first tokens."""
_PAUSE_NS = 5_000_000
"""Before a stream is sent: its sending is planned, so that there is a slip."""
_PRESS = 100_000.0
"""Chunks a second that are asked for to find the ceiling, each in a write of its own: a simulator without any delay
would gather them, and reads of a hundred chunks cost a tenth of what a hundred reads do."""
_PRESS_MADE = 30_000.0
"""Of these, about what a simulator can make; it sets the length of the streams."""
_SPREAD = 0.1
"""Share of a stage over which its users begin."""
_READY_S = 20.0
_LOG = "sends.jsonl"
_FULL = 0.85
"""Share of a processor from which on a process is taken to be at its limit."""

Limit = Literal["client", "simulator", "processors", "concurrency"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the client does wrong at rest, and how much it can take; None: it could not be found out.

    The simulator shares the machine with the client, and on few processors they take turns: each error is an upper
    bound of the client's own, and the ceiling a lower one.
    """

    concurrency: int
    """Streams at once."""
    chunks_per_s: float | None
    """Chunk rate asked for, of all streams together; None: 50 a second and stream."""
    tls: bool
    streams: int = 0
    """Streams that the errors come from."""
    chunks: int = 0
    """Their chunks."""
    reached_chunks_per_s: float | None = None
    """Rate at which those came."""
    floor_ttft_error_ms_p50: float | None = None
    """Arrival of the first token as recorded, less the time the simulator wrote it."""
    floor_ttft_error_ms_p99: float | None = None
    floor_itl_error_ms_p99: float | None = None
    """Of the gaps between tokens, as recorded and as written, without sign."""
    floor_e2e_error_ms_p99: float | None = None
    """As for the first token, of the last one."""
    send_slip_ms_p99: float | None = None
    """First byte handed to the kernel, less its planned time."""
    ceiling_chunks_per_s: float | None = None
    """Chunks received and understood in a second of the client's processor time: it has one processor, so this is all
    it could take."""
    cpu_s_per_million_chunks: float | None = None
    """The same the other way round."""
    pressed_chunks_per_s: float | None = None
    """Rate that was reached to find that out."""
    limited_by: Limit | None = None
    """Why it was not more: the client had no processor time left, the simulator had none, others had it, or so few
    streams leave everybody waiting. None: the system does not tell."""
    took_s: float = 0.0
    problem: str | None = None
    """Why something is missing; None: nothing is."""


class _Use(NamedTuple):
    """What a thread had of the processors, seconds."""

    cpu_s: float
    waited_s: float
    """Ready to run, while others did."""


class _Stream(NamedTuple):
    slip_ms: float | None
    """None: its sending was not planned."""
    completion: Completion | None
    failure: Failure | None


@dataclass(slots=True)
class _Stage:
    """What a simulator's streams are like, and what came of them."""

    name: str
    settings: Mapping[str, float]
    seconds: float
    rounds: int | None = None
    """Streams of each user, sent at planned times and logged; None: one after the other until the time is over."""
    ended: list[_Stream] = field(default_factory=list)
    wall_s: float = 0.0
    cpu_s: float = 0.0
    """Of the client's thread."""
    client: _Use | None = None
    simulator: _Use | None = None
    sent: dict[str, list[int]] = field(default_factory=dict)
    """By response id, when each token was written."""

    @property
    def chunks(self) -> int:
        """Output events that were received."""
        return sum(sum(stream.completion.output_events) for stream in self.ended if stream.completion)


def calibrate(*, concurrency: int, chunks_per_s: float | None, tls: bool = False, budget_s: float = 3.0) -> Calibration:
    """Measure the client against the simulator within ``budget_s`` and the time two simulators need to start.

    To be called outside an event loop (in a thread of its own where there is one). Never raises: what went wrong is in
    ``problem``, with everything that was found out before.
    """
    began_ns = time.perf_counter_ns()
    found = Calibration(concurrency, chunks_per_s, tls)
    paced = _paced(concurrency, chunks_per_s, budget_s * _PACED)
    pressed = _pressed(concurrency, budget_s * _PRESSED)
    if _inside_a_loop():
        return replace(found, problem="a calibration has an event loop of its own: call it in a thread")
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="calibration-")))
            certificate = _certificate(folder) if tls else None
            with ThreadPoolExecutor(2) as starters:  # an idle simulator disturbs nobody, and starting takes its time
                starting = [starters.submit(_start, each, folder, certificate, stack) for each in (paced, pressed)]
            for stage, started in zip((paced, pressed), starting, strict=True):
                process, base_url = started.result()
                _carry_out(stage, base_url, process.pid, concurrency, certificate)
                if stage is paced:
                    child.stop(process)  # writes the rest of its log
                    paced.sent = _sent(folder)
                    found = _floor(found, paced)
            found = _ceiling(found, pressed)
    except Exception as error:  # noqa: BLE001 - whatever it is, the load that was measured is worth more
        found = replace(found, problem=" ".join(str(error).split()) or type(error).__name__)
    return replace(found, took_s=round((time.perf_counter_ns() - began_ns) / 1e9, 3))


def _inside_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _paced(concurrency: int, chunks_per_s: float | None, seconds: float) -> _Stage:
    """Streams at the given rate, as long as leaves time for a number of them."""
    itl_ms = 1e3 * concurrency / chunks_per_s if chunks_per_s else _ITL_MS
    left_ms = seconds * 1e3 * (1 - _SPREAD)
    itl_ms = min(itl_ms, left_ms / 10)
    rounds = max(1, min(-(-_STREAMS // concurrency), int(left_ms / (8 * itl_ms + _TTFT_MS + _PAUSE_NS / 1e6))))
    tokens = max(8, min(512, int((left_ms / rounds - _TTFT_MS - _PAUSE_NS / 1e6) / itl_ms)))
    return _Stage("paced", {"ttft_ms": _TTFT_MS, "itl_ms": round(itl_ms, 4), "tokens": tokens}, seconds, rounds)


def _pressed(concurrency: int, seconds: float) -> _Stage:
    """Streams without end at a rate that is not to be had, each about a quarter of the time."""
    tokens = max(16, min(512, int(_PRESS_MADE * seconds / 4 / concurrency)))
    return _Stage("pressed", {"ttft_ms": 0, "itl_ms": round(1e3 * concurrency / _PRESS, 4), "tokens": tokens}, seconds)


# --- one stage -------------------------------------------------------------------------------------------


def _start(
    stage: _Stage, folder: Path, certificate: tuple[Path, Path] | None, stack: ExitStack
) -> tuple[subprocess.Popen[bytes], str]:
    """A simulator for a stage, which ends with the stack, and its base URL."""
    argv = [sys.executable, "-m", "harness", "simulate", "truth", "--watch-stdin"]
    for name, value in stage.settings.items():
        argv += ["--set", f"{name}={value}"]
    if stage.rounds is not None:
        argv += ["--log", str(folder / _LOG), "--log-chunks"]
    if certificate is not None:
        argv += ["--tls-cert", str(certificate[0]), "--tls-key", str(certificate[1])]
    log = folder / f"{stage.name}.log"
    # A key in the user's shell is meant for a simulator started by hand.
    process, ready = child.spawn(argv, log=log, ready_timeout_s=_READY_S, env={**os.environ, "HARNESS_SIM_KEY": ""})
    stack.callback(child.stop, process)
    return process, ready["base_url"]


def _carry_out(stage: _Stage, base_url: str, pid: int, concurrency: int, certificate: tuple[Path, Path] | None) -> None:
    context = ssl.create_default_context(cafile=str(certificate[0])) if certificate else None
    ours, theirs = f"self/task/{threading.get_native_id()}", str(pid)
    before = _use(ours), _use(theirs)
    loop.run(_streams(stage, base_url, concurrency, context))
    stage.client, stage.simulator = (_less(_use(one), was) for one, was in zip((ours, theirs), before, strict=True))


async def _streams(stage: _Stage, base_url: str, concurrency: int, context: ssl.SSLContext | None) -> None:
    deadlines = Deadlines(connect_s=_GRACE_S, first_byte_s=_GRACE_S, idle_s=_GRACE_S, total_s=stage.seconds + _GRACE_S)
    provider = Provider("calibration", "simulated", base_url, auth=Auth("none"), deadlines=deadlines)
    endpoint = Endpoint(provider, "sim-small", "sim-small")
    pool = Pool(ssl_context=context)
    client, alarm = Client(provider, pool, key=None), Alarm(asyncio.get_running_loop())
    asked = request.build(Sample("0", ({"role": "user", "content": "a story, please"},)), endpoint, stream=True)
    try:
        with quiet_gc():
            await client.send(asked, prepared=True)  # builds the head, so that no SDK work is in what follows
            async with asyncio.timeout(stage.seconds + 2 * _GRACE_S), asyncio.TaskGroup() as group:
                began_ns, cpu_ns = time.perf_counter_ns(), time.thread_time_ns()
                for place in range(concurrency):
                    # Spread, as users are: streams that begin together would be written to together all along.
                    first_ns = began_ns + _PAUSE_NS + round(stage.seconds * 1e9 * _SPREAD * place / concurrency)
                    group.create_task(_user(stage, client, asked, Pacer(alarm), first_ns))
            stage.wall_s = (time.perf_counter_ns() - began_ns) / 1e9
            stage.cpu_s = (time.thread_time_ns() - cpu_ns) / 1e9
    finally:
        alarm.close()
        await client.aclose()
        await pool.aclose()


async def _user(stage: _Stage, client: Client, asked: Request, pacer: Pacer, due_ns: int) -> None:
    """One stream after the other; each is understood at once, as in a run."""
    ends_ns = due_ns + round(stage.seconds * 1e9 * (1 - _SPREAD))
    rounds = 0
    while rounds != stage.rounds and due_ns < ends_ns:
        released_ns = time.perf_counter_ns() if stage.rounds is None else await pacer.until(due_ns)
        exchange = await client.send(asked, prepared=True)
        outcome = assemble(exchange, stream=True)
        marks, slip_ms = exchange.marks, None
        if stage.rounds is not None and marks.send0_ns is not None:
            # What a new connection takes is no slip.
            connected_ns = marks.tls_ns or marks.conn_ns or released_ns
            slip_ms = (released_ns - due_ns + marks.send0_ns - connected_ns) / 1e6
        stage.ended.append(_Stream(slip_ms, outcome.completion, outcome.failure))
        rounds += 1
        due_ns = time.perf_counter_ns() + _PAUSE_NS


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Certificate and key of a self-signed localhost; raises CannotMeasure without the ``openssl`` command."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    openssl = shutil.which("openssl")
    if openssl is None:
        raise CannotMeasure("a calibration with TLS needs the openssl command for a certificate")
    options = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    extensions = ("subjectAltName=DNS:localhost,IP:127.0.0.1", "keyUsage=critical,digitalSignature,keyCertSign")
    added = [word for extension in extensions for word in ("-addext", extension)]
    argv = [openssl, "req", *options.split(), *added, "-keyout", str(key), "-out", str(cert)]
    subprocess.run(argv, check=True, capture_output=True)  # noqa: S603 - argv is ours, no shell
    return cert, key


def _use(task: str) -> _Use | None:
    """What a thread had so far; None: the system has no such file. Source: sched-stats.rst of Linux, schedstat."""
    try:
        ran, waited = Path(f"/proc/{task}/schedstat").read_text().split()[:2]
        return _Use(int(ran) / 1e9, int(waited) / 1e9)
    except (OSError, ValueError):
        return None


def _less(now: _Use | None, before: _Use | None) -> _Use | None:
    return _Use(now.cpu_s - before.cpu_s, now.waited_s - before.waited_s) if now and before else None


def _sent(folder: Path) -> dict[str, list[int]]:
    rows = (json.loads(line) for line in (folder / _LOG).read_text("utf-8").splitlines())
    return {row["id"]: row["chunks_ns"] for row in rows if row["type"] == "request" and row.get("id")}


# --- what it says ----------------------------------------------------------------------------------------


def _floor(found: Calibration, stage: _Stage) -> Calibration:
    first, gaps, last, compared, chunks = [], [], [], 0, 0
    for stream in stage.ended:
        completion = stream.completion
        if stream.failure is not None or completion is None:
            continue
        written = stage.sent.get(str(completion.response_id), [])
        # A read that held two tokens is the arrival of both: that is an error of the client too.
        came = [at for at, n in zip(completion.output_ns, completion.output_events, strict=True) for _ in range(n)]
        if not written or len(came) != len(written):
            continue
        compared, chunks = compared + 1, chunks + len(came)
        first.append((came[0] - written[0]) / 1e6)
        last.append((came[-1] - written[-1]) / 1e6)
        gaps += [abs((b - a) - (d - c)) / 1e6 for (a, b), (c, d) in zip(pairwise(came), pairwise(written), strict=True)]
    slips = [stream.slip_ms for stream in stage.ended if stream.slip_ms is not None]
    return replace(
        found,
        streams=compared,
        chunks=chunks,
        reached_chunks_per_s=_rounded(stage.chunks / stage.wall_s if stage.wall_s else None, 1),
        floor_ttft_error_ms_p50=_rounded(quantile(first, 0.5)),
        floor_ttft_error_ms_p99=_rounded(quantile(first, 0.99)),
        floor_itl_error_ms_p99=_rounded(quantile(gaps, 0.99)),
        floor_e2e_error_ms_p99=_rounded(quantile(last, 0.99)),
        send_slip_ms_p99=_rounded(quantile(slips, 0.99)),
        problem=_failures(stage),
    )


def _ceiling(found: Calibration, stage: _Stage) -> Calibration:
    chunks = stage.chunks
    return replace(
        found,
        ceiling_chunks_per_s=_rounded(chunks / stage.cpu_s if chunks and stage.cpu_s else None, 1),
        cpu_s_per_million_chunks=_rounded(stage.cpu_s / chunks * 1e6 if chunks else None),
        pressed_chunks_per_s=_rounded(chunks / stage.wall_s if chunks else None, 1),
        limited_by=_limit(stage) if chunks else None,
        problem=found.problem or _failures(stage),
    )


def _limit(stage: _Stage) -> Limit | None:
    """Who had no processor time left; None: the system does not tell."""
    full_s = _FULL * stage.wall_s
    if stage.cpu_s >= full_s:
        return "client"
    if stage.client is None or stage.simulator is None:
        return None
    if stage.simulator.cpu_s >= full_s:
        return "simulator"
    return "processors" if any(sum(use) >= full_s for use in (stage.client, stage.simulator)) else "concurrency"


def _failures(stage: _Stage) -> str | None:
    failed = [stream.failure for stream in stage.ended if stream.failure is not None]
    if not failed:
        return None
    return f"{len(failed)} of {len(stage.ended)} streams failed, the last one: {failed[-1].kind}, {failed[-1].detail}"


def _rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else round(value, digits)
