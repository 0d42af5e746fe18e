"""Which local engines run on this machine: their default ports on loopback are asked who answers there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from harness import config
from harness.exchange import Exchange
from harness.preflight import detect
from harness.preflight.model_list import ids_of
from harness.preflight.readiness import of_address
from harness.provider import Deadlines, Provider
from harness.wire.origin import PORTS, Origin
from harness.wire.pool import Pool

TIMEOUT_S = 1.0
_HOST = "127.0.0.1"
_MODELS = "/v1/models"
_HEAD = "GET {path} HTTP/1.1\r\nhost: {host}:{port}\r\naccept: application/json, */*\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers on a default port of this machine."""

    provider: Provider
    """The preset that it is, or may be, at the port where it answers."""
    known: bool
    """Whether its answers tell which program it is; otherwise the preset is only the first of its port."""
    models: tuple[str, ...]
    """Ids that it lists; empty: none, or it gives no list."""


async def running(providers: Mapping[str, Provider], timeout_s: float = TIMEOUT_S) -> list[Running]:
    """The engines that answer on the default ports of the presets, by port; at most one for each port.

    Only 127.0.0.1 is asked, only with GET, without any key, all ports at the same time, each step within
    ``timeout_s``. A server whose answers match no preset, and which lists no models, is none.
    """
    engines = {name: config.with_address(one) for name, one in providers.items() if _is_engine(one)}
    paths = tuple(dict.fromkeys((*detect.paths(engines.values()), _MODELS)))
    pool = Pool(proxies={})
    ports = sorted({_port(one) for one in engines.values()})
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_answers(pool, port, paths, timeout_s)) for port in ports]
    finally:
        await pool.aclose()
    found = [_told(port, task.result(), engines) for port, task in zip(ports, tasks, strict=True)]
    return [one for one in found if one is not None]


def _is_engine(provider: Provider) -> bool:
    """Whether it is a preset as it ships, of a program that listens on this machine."""
    unset = any(not os.environ.get(name) for name in of_address(provider))
    url, as_it_ships = provider.base_url or "", provider.preset == provider.id and not provider.yours
    return as_it_ships and provider.about.port is not None and url.startswith(f"http://{_HOST}:") and not unset


async def _answers(pool: Pool, port: int, paths: Collection[str], timeout_s: float) -> dict[str, Exchange]:
    """What a port answers on each path; empty: nobody is there."""
    origin, limits = Origin("http", _HOST, port), Deadlines(timeout_s, timeout_s, timeout_s, timeout_s)
    found: dict[str, Exchange] = {}
    for path in (_MODELS, *(one for one in paths if one != _MODELS)):
        head = _HEAD.format(path=path, host=_HOST, port=port).encode()
        exchange = await pool.send(origin, head, b"", limits)
        if exchange.status is not None:
            found[path] = exchange
        elif not found:
            break  # nobody, or nobody who keeps up: the other paths would only take longer
    return found


def _told(port: int, answers: Mapping[str, Exchange], engines: Mapping[str, Provider]) -> Running | None:
    """Who answered on a port; None: nobody of whom anything could be asked."""
    texts = {
        path: (exchange.status or 0, exchange.body.decode("utf-8", "replace")) for path, exchange in answers.items()
    }
    names = detect.who(texts, engines.values()) if texts else []
    ids = ids_of(answers[_MODELS]) if _MODELS in answers else None
    here = [name for name, one in engines.items() if _port(one) == port]
    likely = [name for name in names if name in here] or names or (here if ids is not None else [])
    if not likely:
        return None
    provider = engines[likely[0]]
    if _port(provider) != port:
        provider = replace(provider, base_url=_at_port(provider.base_url or "", port))
    return Running(provider, len(names) == 1, tuple(ids or ()))


def _port(engine: Provider) -> int:
    """The port of its address, with its variables filled in."""
    return urlsplit(engine.base_url or "").port or PORTS["http"]


def _at_port(url: str, port: int) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.hostname}:{port}").geturl()
