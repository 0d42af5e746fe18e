"""What the servers tell of themselves while they are measured: their Prometheus metrics, once a second.

A server without metrics is normal. Whatever goes wrong here is kept as a sentence and never ends a run: who watches
must not disturb. Counters are written as they come; one that falls means that the server began anew.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from harness import __version__
from harness.exchange import Exchange
from harness.provider import Deadlines
from harness.run.observers.server_names import PATHS, SHARES, TWIN_LABELS, canonical
from harness.wire.pool import Origin, Pool

DEADLINE_S = 2.0
MAX_BYTES = 8 << 20
_DEADLINES = Deadlines(connect_s=DEADLINE_S, first_byte_s=DEADLINE_S, idle_s=DEADLINE_S, total_s=DEADLINE_S)
_PORTS = {"http": 80, "https": 443}
_WANTED = canonical()
_NAMES = sorted({name for candidates in _WANTED.values() for parts in candidates for name in parts})
_LINES = re.compile(rf"^(?:{'|'.join(map(re.escape, _NAMES))})[ \t{{].*$".encode(), re.MULTILINE)
"""The lines that matter. An engine has some thousand, most of them buckets; the parser, which is plain Python and runs
on the event loop, needs 20 ms for all and 2 ms for these."""
_PASSING = frozenset({"timeout_connect", "timeout_first_byte", "timeout_idle", "timeout_total", "reset", "truncated"})


def metrics_url(base_url: str) -> str:
    """``scheme://host:port/metrics`` of a base URL; its path, query and credentials are left out."""
    url = urlsplit(base_url)
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{PATHS[0]}"


def read_metrics(body: bytes) -> dict[str, float | None]:
    """Our names and their values in a text of Prometheus metrics; None: the text has no such thing.

    Series of one metric are added over engines, models and callers; of shares the mean is taken, and of the parts of
    one cut model the largest. Raises ValueError when a line that matters is no metric.
    """
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415 - it brings a whole HTTP server

    lines = b"\n".join(_LINES.findall(body)).decode("utf-8", errors="replace")
    found: dict[str, dict[frozenset[tuple[str, str]], float]] = defaultdict(dict)
    for family in text_string_to_metric_families(lines + "\n" if lines else ""):
        for sample in family.samples:
            own = frozenset(label for label in sample.labels.items() if label[0] not in TWIN_LABELS)
            value = float(sample.value)
            if math.isfinite(value):
                found[sample.name][own] = max(value, found[sample.name].get(own, -math.inf))
    totals = {
        name: sum(series.values()) / (len(series) if name in _SHARE_NAMES else 1) for name, series in found.items()
    }
    return {name: _first(candidates, totals) for name, candidates in _WANTED.items()}


_SHARE_NAMES = frozenset(name for share in SHARES for parts in _WANTED[share] for name in parts)


def _first(candidates: tuple[tuple[str, ...], ...], totals: Mapping[str, float]) -> float | None:
    for parts in candidates:
        if all(part in totals for part in parts):
            return sum(totals[part] for part in parts)
    return None


@dataclass(slots=True)
class _Source:
    """One server, which may serve several endpoints."""

    url: str
    origin: Origin
    paths: tuple[str, ...]
    """Where its metrics may be."""
    endpoints: list[str] = field(default_factory=list)
    path: str | None = None
    """Where they were found; None: not yet."""
    given_up: bool = False
    asked: int = 0
    failed: int = 0


class Scraper:
    """Appends a line of JSON to ``path`` for each endpoint and scrape.

    Line: ``endpoint``; ``at_ns``, the arrival of the answer on ``perf_counter_ns``; ``values`` by our names, None: the
    server does not tell.
    ``targets``: by endpoint id the URL of its server's metrics, or its base URL; the usual paths are tried where there
    are none. Endpoints with the same URL are asked for at once.
    It has connections of its own: those that are measured stay as they are.
    """

    def __init__(self, targets: Mapping[str, str], path: Path, every_s: float = 1.0) -> None:
        self.problems: dict[str, str] = {}
        """By endpoint id, why it has no samples, or fewer than it should."""
        self._path = path
        self._every_ns = round(every_s * 1e9)
        self._file = -1
        self._pool = Pool()
        self._sources: dict[str, _Source] = {}
        for endpoint, url in targets.items():
            source = self._sources.get(url) or _source(url)
            if source is None:
                self.problems[endpoint] = "its metrics URL is no address of a server"
            else:
                self._sources[url] = source
                source.endpoints.append(endpoint)

    async def run(self) -> None:
        """Scrape until cancelled, and once more then; ends by itself when no server has metrics.

        Begin it before anything is timed: its first step holds the loop for 0.1 s.
        """
        if self._sources:
            read_metrics(b"")  # loads the parser
        try:
            async with asyncio.TaskGroup() as group:
                for source in self._sources.values():
                    group.create_task(self._watch(source))
        except asyncio.CancelledError:
            async with asyncio.TaskGroup() as group:
                for source in self._sources.values():
                    if not source.given_up:
                        group.create_task(self._sample(source))
            raise
        finally:
            await self._pool.aclose()
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    async def _watch(self, source: _Source) -> None:
        due_ns = time.perf_counter_ns()
        while not source.given_up:
            await self._sample(source)
            now_ns = time.perf_counter_ns()
            due_ns += self._every_ns * max(1, -(-(now_ns - due_ns) // self._every_ns))
            await asyncio.sleep((due_ns - now_ns) / 1e9)

    async def _sample(self, source: _Source) -> None:
        """Ask once; the first answers decide where, and whether at all, there is something to ask for."""
        source.asked += 1
        answers: list[_Answer] = []
        for path in source.paths if source.path is None else (source.path,):
            exchange, path_taken = await self._get(source, path)
            answer = _understood(exchange, path_taken)
            if answer.values is not None:
                source.path = path_taken
                self._write(source, exchange.marks.hdr_ns or time.perf_counter_ns(), answer.values)
                return
            answers.append(answer)
            if exchange.status is None:
                break  # another path of a server that does not answer is no better
        source.failed += 1
        if source.path is None and not any(answer.passing for answer in answers):
            self._give_up(source, answers[0].reason)
        else:
            self._tell(source, f"{source.failed} of {source.asked} scrapes failed, the last one: {answers[0].reason}")

    async def _get(self, source: _Source, path: str) -> tuple[Exchange, str]:
        """Ask for a path; one redirect to the same server is followed, as LiteLLM's to ``/metrics/``."""
        host = urlsplit(source.url).netloc
        exchange = await self._ask(source.origin, host, path)
        location = next((value for name, value in exchange.headers if name == "location"), None)
        if exchange.status in {301, 302, 307, 308} and location is not None:
            there = urlsplit(urljoin(source.url, location))
            if there.netloc == host and there.path.isascii():
                path = there.path
                exchange = await self._ask(source.origin, host, path)
        return exchange, path

    async def _ask(self, origin: Origin, host: str, path: str) -> Exchange:
        head = (
            f"GET {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: endpoint-harness/{__version__}\r\n"
            "accept: text/plain; version=0.0.4\r\naccept-encoding: identity\r\n\r\n"
        ).encode("latin-1", errors="replace")
        exchange = await self._pool.send(origin, head, b"", _DEADLINES)
        if exchange.failure is not None and exchange.failure.kind == "reset" and exchange.reused:
            # Nothing is measured here: that the server closed the kept connection in between is no finding.
            return await self._pool.send(origin, head, b"", _DEADLINES)
        return exchange

    def _write(self, source: _Source, at_ns: int, values: Mapping[str, float | None]) -> None:
        try:
            if self._file < 0:
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            for endpoint in source.endpoints:
                line = json.dumps({"endpoint": endpoint, "at_ns": at_ns, "values": values}, separators=(",", ":"))
                os.write(self._file, line.encode() + b"\n")
        except OSError as error:
            self._give_up(source, f"{self._path.name}: {error.strerror or error}")

    def _give_up(self, source: _Source, reason: str) -> None:
        source.given_up = True
        self._tell(source, reason)

    def _tell(self, source: _Source, reason: str) -> None:
        for endpoint in source.endpoints:
            self.problems[endpoint] = reason


class _Answer(NamedTuple):
    values: dict[str, float | None] | None
    reason: str = ""
    """Why there are no values."""
    passing: bool = False
    """Whether that may be gone next time: a busy server is no server without metrics."""


def _understood(exchange: Exchange, path: str) -> _Answer:
    if (failure := exchange.failure) is not None:
        return _Answer(None, f"GET {path}: {failure.kind}, {failure.detail}", failure.kind in _PASSING)
    status = exchange.status or 0
    if status != 200:
        return _Answer(None, f"GET {path}: status {status}", status >= 500 or status == 429)
    body = exchange.body
    if len(body) > MAX_BYTES:
        return _Answer(None, f"GET {path}: {len(body)} bytes, more than {MAX_BYTES}")
    try:
        values = read_metrics(body)
    except ValueError as error:
        return _Answer(None, f"GET {path}: not Prometheus metrics: {str(error)[:120]}")
    if all(value is None for value in values.values()):
        # SGLang and LiteLLM have no series before their first request.
        passing = not body.strip() or body.startswith(b"# ")
        return _Answer(None, f"GET {path}: no metric of an engine that is known", passing)
    return _Answer(values)


def _source(url: str) -> _Source | None:
    """What a URL says; None: it makes no sense."""
    parts = urlsplit(url)
    try:
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    if not parts.hostname:
        return None
    own = parts.path + (f"?{parts.query}" if parts.query else "")
    paths = dict.fromkeys((own, *PATHS) if own.strip("/") else PATHS)
    return _Source(metrics_url(url), Origin(parts.scheme, parts.hostname, port), tuple(paths))
