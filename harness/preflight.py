"""Whether an endpoint can be measured from here: its key, the connection, its list of models, one token of chat."""

from __future__ import annotations

import asyncio
import difflib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness import config, keys, request
from harness.credentials import Credentials
from harness.errors import HarnessError
from harness.exchange import Exchange, Failure
from harness.provider import Deadlines, Endpoint, Provider
from harness.types import Request, Sample
from harness.wire.assemble import assemble
from harness.wire.pool import Pool
from harness.wire.transport import Client

TIMEOUT_S = 5.0
ON_DEMAND = "started on demand"
"""State of an endpoint that only a run starts: no error, and nothing is proven."""
_ONE_TOKEN = Sample(id="check", messages=({"role": "user", "content": "Hi"},), params={"max_tokens": 1})
_ANSWERED = ("empty", "truncated", "content_filter")
"""A single token may well be cut off or invisible: the endpoint has answered."""

_NEXT_STEPS = {
    "dns": "Check the host name in base_url, and this machine's network",
    "connect": "Check host and port in base_url, and this machine's network",
    "tls": "Check the server's certificate, and whether base_url should be http",
    "reset": "Check base_url: is it http where it should be https, or the reverse?",
    "timeout_connect": "Check host and port in base_url, or allow more time with --timeout",
    "auth": "Check the value of the key",
    "throttled": "Wait, then lower limits in providers.yaml",
    "overloaded": "Try again later",
    "http_5xx": "Look into the server's log, or try again later",
}


@dataclass(frozen=True, slots=True)
class Check:
    """What was found out about one endpoint, or about a provider whose model was not named."""

    endpoint: str
    state: str
    """A word or three: ``usable``, ``started on demand``, ``not running``, ``no key``..."""
    usable: bool
    detail: str
    next_step: str = ""
    """What the user can do about it; empty when there is nothing to do."""
    status: int | None = None
    """HTTP status of the list of models; None: no answer, or not asked."""
    latency_ms: float | None = None
    """From the call to the end of the list of models, connection included; None: as above."""
    models: int | None = None
    """How many models are listed; None: no list."""
    listed: bool | None = None
    """Whether the model is among them; None: no list, or no model named."""
    chat: bool | None = None
    """Whether a chat of one token was answered; None: not asked."""


async def check(
    targets: Sequence[Provider | Endpoint], *, chat: bool = False, timeout_s: float = TIMEOUT_S
) -> list[Check]:
    """Check all targets at the same time; every step ends within twice ``timeout_s``, whatever a server does."""
    pool = Pool()
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_Checker(target, pool, chat=chat, timeout_s=timeout_s).run()) for target in targets
            ]
    finally:
        await pool.aclose()
    return [task.result() for task in tasks]


class _Checker:
    def __init__(self, target: Provider | Endpoint, pool: Pool, *, chat: bool, timeout_s: float) -> None:
        self._named = isinstance(target, Endpoint)
        self._endpoint = target if isinstance(target, Endpoint) else Endpoint(target, "", "")
        self._provider = self._endpoint.provider
        self._found = Check(target.id, "usable", usable=True, detail="")
        self._pool = pool
        self._chat = chat
        self._timeout_s = timeout_s
        self._credentials = Credentials()

    async def run(self) -> Check:
        """The first thing that is wrong, or what is right."""
        if self._provider.serve is not None:
            detail = f"not checked: it is started on demand (engine {self._provider.serve.engine})"
            return replace(self._found, state=ON_DEMAND, detail=detail)
        try:
            self._provider = config.with_address(self._provider)
            self._credentials = await asyncio.to_thread(keys.credentials_of, self._provider)
            limit = self._timeout_s
            self._provider = replace(self._provider, deadlines=Deadlines(limit, limit, limit, limit))
            client = Client(self._provider, self._pool, key=self._credentials)
        except HarnessError as error:
            missing = self._provider.auth.env is not None and self._credentials.key is None
            return self._bad("no key" if missing else "not set up", error.what, error.hint)
        try:
            return await self._ask(client)
        except TimeoutError:
            return self._bad(
                "unreachable", f"no answer within {self._timeout_s * 2:g} s", _NEXT_STEPS["timeout_connect"]
            )
        except HarnessError as error:
            return self._bad("not set up", error.what, error.hint)
        finally:
            await client.aclose()

    async def _ask(self, client: Client) -> Check:
        started = time.perf_counter_ns()
        exchange = await self._send(client, request.raw(self._endpoint, None, path="/models", method="GET"))
        ids = _ids(exchange)
        self._found = replace(self._found, status=exchange.status)
        if exchange.status is not None and exchange.failure is None:
            self._found = replace(self._found, latency_ms=(time.perf_counter_ns() - started) / 1e6)
        problem = self._models_problem(exchange, ids)
        if problem is not None and (not self._chat or problem.state not in ("no model list", "model not listed")):
            return problem
        if not self._chat:
            return self._found
        if not self._choose_model(ids):
            return self._bad("no model to ask", "no model is mapped, and none is listed", "Name one: PROVIDER/MODEL")
        answer = await self._send(client, request.build(_ONE_TOKEN, self._endpoint, stream=False))
        failure = assemble(answer, stream=False).failure
        if failure is not None and failure.kind not in _ANSWERED:
            self._found = replace(self._found, chat=False)
            return self._failed("chat failed", failure)
        return replace(self._found, chat=True, detail=f"{self._found.detail or 'no list of models'}, chat answered")

    async def _send(self, client: Client, what: Request) -> Exchange:
        """The deadlines end it; the outer limit is for what they do not cover."""
        async with asyncio.timeout(self._timeout_s * 2):
            return await client.send(what)

    def _models_problem(self, exchange: Exchange, ids: list[str] | None) -> Check | None:
        """What keeps the answer to GET /models from being a list with our model in it; None: nothing does."""
        if exchange.failure is not None:
            local = self._provider.kind == "local" and exchange.failure.kind == "connect"
            return self._failed("not running" if local else "unreachable", exchange.failure)
        status = exchange.status or 0
        if status in (401, 403):
            variable = self._provider.auth.env
            step = f"Check the value of {variable}" if variable else "Add api_key_env to this provider's block"
            return self._bad("key refused" if variable else "wants a key", f"HTTP {status}", step)
        if status == 429 or status >= 500:
            kind = "throttled" if status == 429 else "http_5xx"
            return self._bad("throttled" if status == 429 else "server error", f"HTTP {status}", _NEXT_STEPS[kind])
        if ids is None:
            detail = f"GET /models: HTTP {status}" + (", but no list" if status == 200 else "")
            return self._bad("no model list", detail, "Check that base_url ends as it should (/v1?), or use --chat")
        self._found = replace(self._found, models=len(ids), detail=f"{len(ids)} models")
        if not self._named:
            return None
        model = self._endpoint.model_id
        self._found = replace(self._found, listed=model in ids)
        if model in ids:
            return None
        near = difflib.get_close_matches(model, ids, n=3, cutoff=0.4) or ids[:3]
        step = f"Did you mean {' or '.join(map(_printable, near))}?" if near else "Load a model into the server"
        return self._bad("model not listed", f"{model} is not among the {len(ids)} models", step)

    def _choose_model(self, ids: list[str] | None) -> bool:
        """Where only a provider was named: its first mapped model, else the first one that it lists."""
        if not self._named:
            known = list(self._provider.models.items()) or [(name, name) for name in (ids or [])[:1]]
            if not known:
                return False
            self._endpoint = Endpoint(self._provider, *known[0])
        return True

    def _failed(self, state: str, failure: Failure) -> Check:
        step = _NEXT_STEPS.get(failure.kind, "Allow more time with --timeout" if "timeout" in failure.kind else "")
        if state == "not running":
            step = f"Start the server at {self._provider.base_url}"
        return self._bad(state, failure.detail, step or "Try another model, or ask the provider")

    def _bad(self, state: str, detail: str, step: str) -> Check:
        for secret in self._credentials.secrets:
            detail = detail.replace(secret, "[key]")
        shown = _printable(detail)
        return replace(self._found, state=state, usable=False, detail=shown, next_step=step)


def _ids(exchange: Exchange) -> list[str] | None:
    """Model ids of ``{"data": [{"id"}]}``, or of a bare list as some hosts send; None: it is neither."""
    if exchange.status != 200:
        return None
    try:
        answer: Any = json.loads(exchange.body)
    except (ValueError, RecursionError):
        return None
    rows = answer.get("data") if isinstance(answer, dict) else answer
    if not isinstance(rows, list):
        return None
    return [row["id"] for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]


def _printable(text: str) -> str:
    """A server's words, without what could move the cursor or run on for pages."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return plain if len(plain) <= 200 else plain[:200] + "..."
