"""Every preset before the simulator playing its provider's documented dialect, all in one process."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from harness import config, request
from harness.config.file import as_text
from harness.config.keys import credentials_of
from harness.exchange import Exchange, Outcome
from harness.preflight.check import check
from harness.preflight.found import Check
from harness.provider import Endpoint, Provider
from harness.secrets.credentials import Credentials
from harness.simulator.dialects import names
from harness.simulator.dialects.dialect import Dialect
from harness.simulator.dialects.file import dialect_of
from harness.simulator.model.book import Book
from harness.simulator.profile import Profile
from harness.simulator.refusal import Refusal
from harness.simulator.serving.log import TimingLog
from harness.simulator.serving.replies import Reply
from harness.simulator.serving.serve import Door
from harness.simulator.serving.service import Service
from harness.simulator.serving.turn import Incoming, Turn
from harness.types import JsonObject, Request, Sample
from harness.wire.alarm import Alarm
from harness.wire.assemble import assemble
from harness.wire.pool import Pool
from harness.wire.transport import Client

KEY = "made-up-key"
_CLOUDS = ("google_adc", "entra", "aws")
_ORIGIN = re.compile(r"^(?:https?://[^/]+|\$\{[^}]*\})")
_NAMED = re.compile(r"\$\{([A-Z0-9_]+)")
T = TypeVar("T")


class Kept(Service):
    """A service that keeps what it logs of the last request, and why it refused one."""

    last: Reply
    refused: str | None = None
    """The field that was refused last."""

    def reply(self, incoming: Incoming) -> Reply:
        """The reply, which is kept."""
        self.refused = None
        self.last = super().reply(incoming)
        return self.last

    def _refused(self, turn: Turn, refusal: Refusal) -> Reply:
        self.refused = refusal.param
        return super()._refused(turn, refusal)


@dataclass(frozen=True)
class Spoken:
    """One preset and the simulator that plays its provider."""

    provider: Provider
    """The preset with another origin."""
    preset: Provider
    dialect: Dialect
    service: Kept

    @property
    def endpoint(self) -> Endpoint:
        """The first model of the dialect, as the preset calls it."""
        model_id = self.dialect.models.ids[0]
        known = {other: name for name, other in self.provider.models.items()}
        return config.endpoint({self.provider.id: self.provider}, f"{self.provider.id}/{known.get(model_id, model_id)}")

    def named(self, model: str) -> Endpoint:
        """An endpoint whose model has this id, whether there is one or not."""
        url = (self.provider.base_url or "").replace("{model}", model)
        return Endpoint(config.with_address(replace(self.provider, base_url=url)), model, model)

    def ask(self, sample: Sample, *, stream: bool = False, sim: str = "", **more: Any) -> tuple[Exchange, Outcome]:
        """One request through the client; ``sim`` is what the simulator is told to do otherwise."""
        return self.send(self.endpoint, self.asked(sample, stream=stream, sim=sim), **more)

    def asked(self, sample: Sample, *, stream: bool = False, sim: str = "") -> Request:
        """The request of a sample as the preset's quirks leave it."""
        built = request.build(sample, self.endpoint, stream=stream)
        return replace(built, headers={**built.headers, "x-sim": sim}) if sim else built

    def send(self, endpoint: Endpoint, what: Request, *, key: str | None = None) -> tuple[Exchange, Outcome]:
        """One request to an endpoint; ``key``: another one than the preset's variable holds."""
        exchange = asyncio.run(_sent(endpoint.provider, what, key))
        return exchange, assemble(exchange, stream=what.stream)

    def checked(self) -> Check:
        """What the preflight finds: DNS, key, list of models, a chat and a stream of one token."""
        return asyncio.run(check([self.endpoint]))[0]


async def _sent(provider: Provider, what: Request, key: str | None) -> Exchange:
    pool = Pool()
    credentials = credentials_of(provider) if key is None else Credentials(key, config.env_headers(provider))
    client = Client(provider, pool, key=credentials)
    try:
        return await client.send(what)
    finally:
        await client.aclose()
        await pool.aclose()


def presets() -> list[str]:
    """The ids of all presets."""
    return [path.stem for path in config.presets()]


@contextmanager
def all_spoken(folder: Path) -> Iterator[dict[str, Spoken]]:
    """Every preset that has a dialect, with its server running."""
    with pytest.MonkeyPatch.context() as patched, _servers() as open_one:
        dialects = {name: dialect_of(name) for name in names() if name in presets()}
        known = config.load_providers(folder / "providers.yaml") if (folder / "providers.yaml").exists() else {}
        known = known or config.load_providers()
        services = {name: _service(dialect, known[name]) for name, dialect in dialects.items()}
        blocks = {}
        for name, dialect in dialects.items():
            origin = open_one(services[name])
            preset = known[name]
            _fill_in(patched, preset, dialect, origin)
            blocks[f"{name}-spoken"] = _block(preset, dialect, origin)
        file = folder / "spoken.yaml"
        file.write_text(as_text({"providers": blocks}))
        mine = config.load_providers(file)
        yield {name: Spoken(mine[f"{name}-spoken"], known[name], dialects[name], services[name]) for name in dialects}


def _service(dialect: Dialect, preset: Provider) -> Kept:
    profile = Profile("spoken", prefix_cache=True, tokens=6, knows_tasks=False)
    keyless = dialect.auth.kind == "none" or (dialect.auth.optional and preset.auth.scheme == "none")
    return Kept(profile, Book({}), key=None if keyless else KEY, dialect=dialect)


def _block(preset: Provider, dialect: Dialect, origin: str) -> JsonObject:
    """A block that says nothing but where the server is, and how a cloud's token would come."""
    written = preset.base_url or ""
    url = _ORIGIN.sub(origin, written)
    if url == origin:  # the variable holds all of the address
        url = origin + dialect.path.base
    block: JsonObject = {"use": preset.id, "base_url": url if url != origin else f"{origin}/"}
    if preset.auth.scheme in _CLOUDS:
        block["auth"] = {"scheme": "bearer", "env": "SIM_CLOUD_TOKEN"}
    return block


def _fill_in(patched: pytest.MonkeyPatch, preset: Provider, dialect: Dialect, origin: str) -> None:
    """Set the variables that a preset reads."""
    patched.setenv("SIM_CLOUD_TOKEN", KEY)
    for name in (preset.auth.env, *preset.auth.env_alt):
        if name is not None:
            patched.setenv(name, KEY)
    for text in (preset.base_url or "", *preset.query.values()):
        for name in _NAMED.findall(text):
            if name not in os.environ or not text.startswith(f"${{{name}"):
                patched.setenv(name, "made-up")
    for name in preset.env_headers.values():
        patched.setenv(name, "made-up")


@contextmanager
def _servers() -> Iterator[Any]:
    """A loop in a thread of its own; gives what opens a server in it and tells its origin."""
    running = asyncio.new_event_loop()
    thread = threading.Thread(target=running.run_forever, daemon=True)
    thread.start()
    doors: list[Door] = []

    async def opened(service: Service, listener: socket.socket) -> None:
        door = Door(service, Alarm(asyncio.get_running_loop()), TimingLog(None), None, log_chunks=False)
        door.open(listener)
        doors.append(door)

    async def shut() -> None:
        for door in doors:
            door.shut()
        await asyncio.sleep(0)

    def wait(what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, running).result(30)

    def open_one(service: Service) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        wait(opened(service, listener))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    try:
        yield open_one
    finally:
        wait(shut())
        running.call_soon_threadsafe(running.stop)
        thread.join(30)
        running.close()
