"""Whether endpoints can be measured from here: connection, key, model, one token, one token streamed, clock."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from harness import config, request
from harness.config import keys
from harness.config.address import MODEL
from harness.errors import HarnessError
from harness.exchange import Exchange, Failure
from harness.preflight import clock, limits
from harness.preflight.found import STEPS, Check, Clock, Step, StepName, StepState
from harness.preflight.mend import WRITE, Wrong, mend
from harness.preflight.model_list import ids_of
from harness.preflight.names import nearest
from harness.provider import Deadlines, Endpoint, Provider
from harness.secrets import hidden
from harness.secrets.credentials import Credentials
from harness.types import Request, Sample
from harness.wire.assemble import assemble
from harness.wire.origin import origin_of
from harness.wire.pool import Pool
from harness.wire.proxy import environment, proxy_for
from harness.wire.spoken import spoken
from harness.wire.transport import Client

TIMEOUT_S = 10.0
ON_DEMAND = "started on demand"
"""State of an endpoint that only a run starts: no error, and nothing is proven."""
_ANSWERED = ("empty", "truncated", "content_filter")
"""A single token may well be cut off or invisible: the endpoint has answered."""
_ROOM = 64
"""Tokens for a host that refuses so low a limit as one."""
_TOO_LOW = re.compile(r"max_(?:completion_|output_)?tokens|output limit")


async def check(
    targets: Sequence[Provider | Endpoint], *, free: bool = False, timeout_s: float = TIMEOUT_S
) -> list[Check]:
    """Check all targets at the same time; every step ends within twice ``timeout_s``, whatever a server does.

    ``free``: only what costs nothing is asked, which leaves out chat and stream.
    """
    checkers = [_Checker(target, free=free, timeout_s=timeout_s) for target in targets]
    try:
        async with asyncio.TaskGroup() as group:
            let_in = [group.create_task(one.authorise()) for one in checkers]
        # Building a request's head may take a second of this processor: no connection is timed meanwhile.
        ready = [one for one, task in zip(checkers, let_in, strict=True) if task.result() and await one.prepare()]
        async with asyncio.TaskGroup() as group:
            for one in ready:
                group.create_task(one.run())
    finally:
        for one in checkers:
            await one.aclose()
    return [one.found for one in checkers]


async def listed(provider: Provider, timeout_s: float = TIMEOUT_S) -> tuple[Check, list[str] | None]:
    """Ask for the list of models alone: how that went, and the ids; None: no list came, and the check says why."""
    checker = _Checker(replace(provider, discovery=True), free=True, timeout_s=timeout_s)
    try:
        if await checker.authorise() and await checker.prepare():
            await checker.run()
    finally:
        await checker.aclose()
    return checker.found, checker.ids


class _Checker:
    """The steps of one target; connections are its own, so that each shows how it was made."""

    def __init__(self, target: Provider | Endpoint, *, free: bool, timeout_s: float) -> None:
        self._named = isinstance(target, Endpoint)
        self._endpoint = target if isinstance(target, Endpoint) else Endpoint(target, "", "")
        self._provider = self._endpoint.provider
        self._free = free
        self._timeout_s = timeout_s
        self._room = 1 + self._provider.quirks.reasoning_tokens
        self._secrets: list[str] = []
        self._pool = Pool()
        self._client: Client | None = None
        self.ids: list[str] | None = None
        """The models that are listed; None: not asked, or no list came."""
        self._steps: dict[StepName, Step] = dict.fromkeys(STEPS, Step())
        self.found = Check(target.id, "usable", usable=True, detail="", steps=self._steps)

    # --- before anything is sent -----------------------------------------------------------------------------

    async def authorise(self) -> bool:
        """Address and key, token or signature; False: it is over, and ``found`` says why."""
        if self._provider.serve is not None:
            engine = self._provider.serve.engine
            detail = f"not checked: it is started on demand (engine {engine})"
            self.found = replace(self.found, state=ON_DEMAND, detail=detail)
            return False
        try:
            provider = config.with_address(self._provider)
            if not self._named and MODEL in (provider.base_url or "") and provider.models:
                self._endpoint = config.with_model(provider, *next(iter(provider.models.items())))
                provider, self._named = self._endpoint.provider, True
            limit = self._timeout_s
            self._provider = replace(provider, deadlines=Deadlines(limit, limit, limit, limit))
            self._client = Client(self._provider, self._pool, key=await asyncio.to_thread(self._credentials))
        except HarnessError as error:
            self._bad("no key" if self._steps["auth"].state == "wrong" else "not set up", error.what, error.hint)
            return False
        return True

    async def prepare(self) -> bool:
        """The head of every request; False: it is over, and ``found`` says why."""
        assert self._client is not None
        try:
            for asked in self._all_requests():
                await self._client.prewarm(0, asked)
        except HarnessError as error:
            self._bad("not set up", error.what, error.hint)
            return False
        return True

    def _credentials(self) -> Credentials:
        """Key, token or signature; asking a cloud for one may take seconds."""
        self._steps["auth"] = Step("wrong", detail="no key")
        found = keys.credentials_of(self._provider, self._secrets)
        found.begin()
        self._steps["auth"] = Step()
        return found

    def _all_requests(self) -> list[Request]:
        said = Endpoint(self._provider, "m", "m")
        chats = [] if self._free else [self._chat_request(said, stream=stream) for stream in (False, True)]
        return [self._list_request(), *chats]

    def _list_request(self) -> Request:
        return request.raw(self._endpoint, None, path="/models", method="GET")

    def _chat_request(self, endpoint: Endpoint, *, stream: bool) -> Request:
        messages = ({"role": "user", "content": "Hi"},)
        sample = Sample(id="check", messages=messages, params={"max_tokens": self._room})
        return request.build(sample, endpoint, stream=stream)

    async def aclose(self) -> None:
        """Release client and connections."""
        if self._client is not None:
            await self._client.aclose()
        await self._pool.aclose()

    # --- the steps -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Take the steps up to the first that is wrong."""
        try:
            await self._ask()
        except TimeoutError:
            self._bad("no answer", f"no answer within {self._timeout_s * 2:g} s", "Allow more time with --timeout")
        except HarnessError as error:
            self._bad("not set up", error.what, error.hint)

    async def _ask(self) -> None:
        problem: Wrong | None = None
        if self._provider.discovery or self._free:
            exchange = await self._send(self._list_request())
            if exchange.failure is not None:
                await self._unreached(exchange.failure, exchange, None)
                return
            if self._provider.discovery:
                problem = self._read_list(exchange)
            if problem is not None and exchange.status == 400 and await self._other_protocol():
                return
            if problem is not None and (self._free or exchange.status == 401):
                return  # what was found says it
        if self._free:
            return
        if not self._choose_model():
            if problem is None:
                self._bad("no model to ask", "no model is mapped, and none is listed", "Name one: PROVIDER/MODEL")
            return
        self.found = replace(self.found, asked=self._endpoint.model_id)
        for step in ("chat", "stream"):
            if not await self._answers(step):
                return
        known = [_models(self.ids)] if self.ids is not None else []
        detail = ", ".join([*known, "chat and stream answered"])
        self.found = replace(self.found, state="usable", usable=True, next_step="", detail=detail)
        if self._steps["model"].state != "ok":
            self._steps["model"] = Step("ok", detail=f"{self._endpoint.model_id} answers")

    def _read_list(self, exchange: Exchange) -> Wrong | None:
        """What keeps the answer to GET /models from being a list with our model in it; None: nothing does."""
        status = exchange.status or 0
        self.ids = ids = ids_of(exchange)
        self.found = replace(self.found, status=exchange.status, models=None if ids is None else len(ids))
        if status in (401, 403):
            wrong = mend(Failure("auth", f"HTTP {status}"), exchange.marks, self._provider)
            self._steps["auth"] = Step("wrong", detail=f"HTTP {status}")
            self._bad(wrong.state, f"GET /models: HTTP {status}", wrong.next_step)
            return wrong
        if ids is None:
            return self._no_list(exchange, status)
        # Some hosts give the list to anybody: only an answered chat proves a key.
        sends = self._provider.auth.scheme != "none"
        self._steps["auth"] = Step("ok", detail="the list of models was given" if sends else "no key needed")
        ms = self._steps["model"].ms
        if not self._named:
            self._steps["model"] = Step("ok", ms, f"{len(ids)} listed")
            self.found = replace(self.found, detail=_models(ids))
            return None
        model = self._endpoint.model_id
        self.found = replace(self.found, listed=model in ids, detail=_models(ids))
        if model in ids:
            self._steps["model"] = Step("ok", ms, f"among {len(ids)} listed")
            return None
        return self._not_listed(ms)

    def _no_list(self, exchange: Exchange, status: int) -> Wrong:
        detail = f"GET /models: HTTP {status}" + (", but no list" if status == 200 else "")
        kind = "throttled" if status == 429 else "http_5xx" if status >= 500 else None
        wrong = Wrong(
            "model", "no model list", "Check that base_url ends as it should (/v1?), or name a model: PROVIDER/MODEL"
        )
        if kind is not None:
            wrong = mend(Failure(kind, "", status), exchange.marks, self._provider)  # type: ignore[arg-type]  # of the two
        self._steps["model"] = Step("wrong", self._steps["model"].ms, detail)
        self._bad(wrong.state, detail, wrong.next_step)
        return wrong

    def _not_listed(self, ms: float | None) -> Wrong:
        ids, model = self.ids or [], self._endpoint.model_id
        near = nearest(model, ids) or nearest(self._endpoint.model, ids) or ids[:3]
        step = f"Did you mean {' or '.join(near)}?" if near else "Load a model into the server"
        detail = f"{model} is not among the {_models(ids)}"
        self._steps["model"] = Step("wrong", ms, detail)
        self._bad("model not listed", detail, step)
        return Wrong("model", "model not listed", step)

    def _choose_model(self) -> bool:
        """Where only a provider was named: its first mapped model, else the first listed one that may chat."""
        if not self._named:
            listed = self.ids or []
            mapped = [(name, id_) for name, id_ in self._provider.models.items() if not listed or id_ in listed]
            talking = [one for one in listed if "embed" not in one.lower()] or listed
            known = [*mapped, *((one, one) for one in talking[:1]), *self._provider.models.items()]
            if not known:
                return False
            self._endpoint = Endpoint(self._provider, *known[0])
        return True

    async def _answers(self, step: StepName) -> bool:
        """One token of the model, as one answer or streamed; False: it is over."""
        stream = step == "stream"
        exchange = await self._send(self._chat_request(self._endpoint, stream=stream), step=step)
        outcome = assemble(exchange, stream=stream)
        failure = outcome.failure
        if failure is not None and failure.status == 400 and self._room < _ROOM and _TOO_LOW.search(failure.detail):
            self._room = _ROOM
            return await self._answers(step)
        good = failure is None or failure.kind in _ANSWERED
        values: dict[str, Any] = {step: good}
        self.found = replace(self.found, **values)
        if not good and failure is not None:
            await self._refused(step, exchange, failure)
            return False
        marks = outcome.completion.marks if outcome.completion else None
        first_ns = marks.tok1_ns if marks else None
        told = f"first token after {(first_ns - (exchange.marks.send0_ns or 0)) / 1e6:.0f} ms" if first_ns else ""
        self._step(step, "ok", told)
        self._steps["auth"] = Step("ok", detail="key accepted" if self._secrets else "no key needed")
        return True

    async def _refused(self, step: StepName, exchange: Exchange, failure: Failure) -> None:
        """What a refused or broken chat tells."""
        if exchange.status is None:
            await self._unreached(failure, exchange, step)
            return
        self._step(step, "wrong", failure.detail)
        wrong = mend(failure, exchange.marks, self._provider)
        if wrong.step == "auth":
            self._steps["auth"] = Step("wrong", detail=failure.detail)
        if self.found.listed is False and failure.status in (400, 404):
            self._not_listed(self._steps["model"].ms)
            self.found = replace(self.found, detail=self._shown(f"{self.found.detail}, and {failure.detail}"))
            return
        step_to_take = wrong.next_step or (
            "Check that base_url ends as it should (/v1?), and the model's id: harness providers models "
            f"{self._provider.id}"
            if failure.status == 404
            else "Try another model, or ask the provider"
        )
        self._bad(wrong.state or f"{step} failed", failure.detail, step_to_take)

    async def _unreached(self, failure: Failure, exchange: Exchange, step: StepName | None) -> None:
        """Tell why no answer came; ``step`` is the one it was asked for, None: the list of models."""
        wrong = mend(failure, exchange.marks, self._provider)
        self._bad(wrong.state or "no answer", failure.detail, wrong.next_step)
        unsure = wrong.state == "no TLS" or failure.kind in ("reset", "truncated", "bad_http")
        if unsure and "not trusted" not in failure.detail and await self._other_protocol():
            return
        at = wrong.step or step
        if at is not None:
            self._step(at, "wrong", failure.detail)

    async def _other_protocol(self) -> bool:
        """Whether the port speaks the other one of HTTP and HTTPS, which is then what is wrong."""
        origin = origin_of(self._provider.base_url or "")
        if proxy_for(origin, environment()) is not None:
            return False
        told = await spoken(origin, min(self._timeout_s, 2.0))
        if told is None or told == origin.scheme:
            return False
        self._step("tls", "wrong", f"speaks {told}")
        self._bad("wrong protocol", f"base_url says {origin.scheme}, and the port speaks {told}", WRITE[told])
        return True

    # --- what is noted ---------------------------------------------------------------------------------------

    async def _send(self, what: Request, step: StepName = "model") -> Exchange:
        """The deadlines end it; the outer limit is for what they do not cover."""
        assert self._client is not None
        started_ns = time.perf_counter_ns()
        async with asyncio.timeout(self._timeout_s * 2):
            exchange = await self._client.send(what, prepared=True)
        received_at, now_ns = datetime.now(UTC), time.perf_counter_ns()
        marks = exchange.marks
        if not exchange.reused and self._steps["dns"].state == "not asked":
            self._connected(exchange, started_ns)
        if marks.send0_ns is not None and marks.eof_ns is not None:
            self._steps[step] = Step(ms=(marks.eof_ns - marks.send0_ns) / 1e6)
        if exchange.status is not None:
            if what.method == "GET":
                self.found = replace(self.found, latency_ms=(now_ns - started_ns) / 1e6)
            self._clock(exchange, received_at, now_ns)
            told = limits.told(exchange.headers, self._provider.about.rate_limit)
            self.found = replace(self.found, limits=tuple(map(self._shown, told)) or self.found.limits)
        return exchange

    def _connected(self, exchange: Exchange, started_ns: int) -> None:
        marks, since_ns = exchange.marks, started_ns
        reached: tuple[tuple[StepName, int | None, str], ...] = (
            ("dns", marks.dns_ns, ""),
            ("connect", marks.conn_ns, exchange.remote or ""),
            ("tls", marks.tls_ns, exchange.tls_version or ""),
        )
        for name, at_ns, detail in reached:
            if at_ns is not None:
                self._steps[name] = Step("ok", (at_ns - since_ns) / 1e6, detail)
                since_ns = at_ns

    def _clock(self, exchange: Exchange, received_at: datetime, now_ns: int) -> None:
        marks = exchange.marks
        came = marks.hdr_ns or now_ns
        came_at = received_at - timedelta(microseconds=(now_ns - came) / 1e3)
        sent_at = came_at - timedelta(microseconds=(came - (marks.send0_ns or came)) / 1e3)
        bounds = clock.ahead(exchange.headers, sent_at, came_at)
        self.found = replace(self.found, clock=Clock(bounds, exchange.clock))
        times = f"receive times: {exchange.clock}"
        if bounds is None:
            self._steps["clock"] = Step(detail=f"the server tells no date; {times}")
            return
        state: StepState = "wrong" if clock.surely_off(bounds) else "ok"
        self._steps["clock"] = Step(state, detail=f"server's clock {clock.in_words(bounds)}; {times}")

    def _step(self, name: StepName, state: StepState, detail: str) -> None:
        self._steps[name] = Step(state, self._steps[name].ms, self._shown(detail))

    def _bad(self, state: str, detail: str, step: str) -> None:
        self.found = replace(
            self.found, state=state, usable=False, detail=self._shown(detail), next_step=self._shown(step)
        )

    def _shown(self, text: str) -> str:
        """A server's words, without our secrets, and without what could move the cursor or run on for pages."""
        plain = "".join(char if char.isprintable() else " " for char in hidden.shown(text))
        return plain if len(plain) <= 300 else plain[:300] + "..."


def _models(ids: Sequence[str]) -> str:
    return f"{len(ids)} model{'' if len(ids) == 1 else 's'}"
