"""Runs a simulated endpoint until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import importlib
import os
import signal
import socket
import ssl
import sys
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from harness import catalog
from harness.errors import CannotMeasure, UsageError
from harness.simulator.model import book
from harness.simulator.profile import Profile
from harness.simulator.serving.link import Link
from harness.simulator.serving.log import TimingLog
from harness.simulator.serving.server import Connection
from harness.simulator.serving.service import Service
from harness.types import JsonObject
from harness.wire import loop
from harness.wire.alarm import Alarm
from harness.wire.clock import KernelClock, stamp
from harness.wire.tls import Tls

if TYPE_CHECKING:
    from harness.simulator.dialects.dialect import Dialect

KEY_ENV = "HARNESS_SIM_KEY"
_BACKLOG = 1024
_FULL_S = 0.1
"""Pause in accepting when no more files may be opened."""
_COLLECT_EVERY = 20_000
"""Objects made before the youngest are looked through: a pause is a late token."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Where and how to serve."""

    host: str = "127.0.0.1"
    port: int = 0
    """0: a free one."""
    seed: int = 0
    log: Path | None = None
    log_chunks: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    watch_stdin: bool = False
    """End when standard input ends: the sign that the process that started this one is gone."""


def serve(profile: Profile, listen: Listen, ready: Callable[[JsonObject], None]) -> None:
    """Serve until SIGTERM or SIGINT; ``ready`` is told the base URL once connections are accepted.

    Raises CannotMeasure (port in use, key variable not set, log not writable), UsageError (host, certificate),
    TaskError (a task file is wrong: the answers are read from the tasks).
    """
    service = Service(profile, _book(profile), seed=listen.seed, key=_key(profile), dialect=_dialect(profile))
    tls = _tls(listen)
    listener = _listener(listen)
    # What is loaded by now stays: the collector need not look at it while tokens are due, and rarely at the rest.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY, 50, 100)
    with listener:
        loop.run(_serve(service, listen, listener, tls, ready))


async def _serve(
    service: Service,
    listen: Listen,
    listener: socket.socket,
    tls: ssl.SSLContext | None,
    ready: Callable[[JsonObject], None],
) -> None:
    running = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        running.add_signal_handler(number, stop.set)
    if listen.watch_stdin:
        running.add_reader(sys.stdin.fileno(), _watch, stop)
    alarm, log = Alarm(running), TimingLog(listen.log)
    door = Door(service, alarm, log, tls, log_chunks=listen.log_chunks)
    door.open(listener)
    port = listener.getsockname()[1]
    address = f"[{listen.host}]" if ":" in listen.host else listen.host
    prefix = service.dialect.path.base if service.dialect else "/v1"
    base_url = f"{'https' if tls else 'http'}://{address}:{port}{prefix}"
    told: JsonObject = {"base_url": base_url, "profile": service.profile.name, "pid": os.getpid()}
    log.add({"type": "start", **told, "seed": listen.seed, "mutants": sorted(service.mutants)})
    ready(told)
    profile = service.profile
    if profile.down_after_s is not None and not await _set(stop, profile.down_after_s):
        door.shut(reset=True)
        log.add({"type": "down", "at_ns": time.perf_counter_ns()})
        if profile.down_for_s is not None and not await _set(stop, profile.down_for_s):
            door.open(_listener(replace(listen, port=port)))
            log.add({"type": "up", "at_ns": time.perf_counter_ns()})
    await stop.wait()
    door.shut()
    # One turn of the loop, in which the connections say what they left undone.
    await asyncio.sleep(0)
    alarm.close()
    log.close()


class Door:
    """Where connections come in, while it is open."""

    def __init__(
        self, service: Service, alarm: Alarm, log: TimingLog, tls: ssl.SSLContext | None, *, log_chunks: bool
    ) -> None:
        self._service, self._alarm, self._log, self._tls, self._log_chunks = service, alarm, log, tls, log_chunks
        self._connections: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._accepted = 0
        self._loop = asyncio.get_running_loop()
        self._clock = KernelClock()
        self._listener: socket.socket | None = None

    def open(self, listener: socket.socket) -> None:
        """Take connections of a listening socket, which closes with the door."""
        listener.setblocking(False)  # noqa: FBT003 - positional only
        stamp(listener)  # what it accepts takes after it, so that the first request has its stamp too
        self._listener = listener
        self._loop.add_reader(listener, self._accept, listener)

    def shut(self, *, reset: bool = False) -> None:
        """Take no more connections, and end those that are open."""
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        for connection in list(self._connections):
            connection.shut(reset=reset)

    def _accept(self, listener: socket.socket) -> None:
        while listener is self._listener:
            try:
                sock, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # as many files are open as may be: those who wait in the queue are taken later
                self._loop.remove_reader(listener)
                self._loop.call_later(_FULL_S, self._again, listener)
                return
            self._accepted += 1
            link = Link(sock, Tls(self._tls, None) if self._tls is not None else None, self._clock)
            connection = Connection(
                link, self._service, self._alarm, self._log, log_chunks=self._log_chunks, number=self._accepted
            )
            self._connections.add(connection)

    def _again(self, listener: socket.socket) -> None:
        if listener is self._listener:
            self._loop.add_reader(listener, self._accept, listener)


async def _set(stop: asyncio.Event, within_s: float) -> bool:
    """Whether the end was asked for in that time."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), within_s)
    return stop.is_set()


def _book(profile: Profile) -> book.Book:
    if not profile.knows_tasks:
        return book.write(())
    found = catalog.discover()
    found.add_plugins("tasks")
    return book.write(found.tasks.values())


def _dialect(profile: Profile) -> Dialect | None:
    if profile.dialect is None:
        return None
    reader = importlib.import_module("harness.simulator.dialects.file")
    return cast("Dialect", reader.dialect_of(profile.dialect))


def _key(profile: Profile) -> str | None:
    name = profile.key_env or KEY_ENV
    key = os.environ.get(name)
    if key:
        return key
    if profile.key_env is not None:
        raise CannotMeasure(f"the environment variable {name} of key_env is not set", hint=f"export {name}=any-text")
    return None


def _tls(listen: Listen) -> ssl.SSLContext | None:
    if listen.tls_cert is None and listen.tls_key is None:
        return None
    if listen.tls_cert is None or listen.tls_key is None:
        raise UsageError("--tls-cert and --tls-key go together")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(listen.tls_cert, listen.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"{listen.tls_cert}, {listen.tls_key}: no certificate with its key: {error}") from None
    return context


def _listener(listen: Listen) -> socket.socket:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    try:
        # create_server would report an unknown name as an error without a meaning.
        socket.getaddrinfo(listen.host, listen.port, family)
    except (socket.gaierror, UnicodeError):
        raise UsageError(f"--host {listen.host!r} is no address of this machine") from None
    try:
        return socket.create_server((listen.host, listen.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            what = f"port {listen.port} on {listen.host} is in use"
            raise CannotMeasure(what, hint="Give another one, or --port 0 for a free one") from None
        raise CannotMeasure(f"cannot listen on {listen.host}:{listen.port}: {os.strerror(error.errno or 0)}") from None


def _watch(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()
