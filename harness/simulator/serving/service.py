"""From a request that was read to the reply that is written: routes, keys, limits, faults."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from harness.simulator.deviations.by_surface import SURFACES, Surface, check_served, own
from harness.simulator.deviations.careless import reread
from harness.simulator.deviations.faults import FAULTS, refusal_of
from harness.simulator.dialects import answers as dialect_answers
from harness.simulator.dialects import requests as dialect_requests
from harness.simulator.dialects.answers import DialectScript, DialectShape
from harness.simulator.engine import metrics
from harness.simulator.engine.batch import Batch, Seat, live_ns, offsets_ns
from harness.simulator.engine.hangups import HangUps
from harness.simulator.engine.prefix import PrefixCache
from harness.simulator.engine.stream import Send
from harness.simulator.model.answers import Said, answer
from harness.simulator.model.book import Book, Call
from harness.simulator.model.chance import Repeats, draw, fate
from harness.simulator.model.speech import Choice, estimated_tokens, prompt_tokens, spoken, usage
from harness.simulator.profile import Profile
from harness.simulator.refusal import Refusal, crash, limited, overloaded
from harness.simulator.requests import asked as asking
from harness.simulator.requests.asked import Asked
from harness.simulator.requests.envelope import Keys, body_of, wrong_method
from harness.simulator.requests.keys import check_key
from harness.simulator.requests.messages import text_of
from harness.simulator.requests.overrides import Overrides
from harness.simulator.requests.questions import Question, understood
from harness.simulator.serving import cors, headers, replies
from harness.simulator.serving.ratelimit import Bucket
from harness.simulator.serving.replies import EVENTS, JSON, Reply
from harness.simulator.serving.turn import Incoming, Turn, takeover
from harness.simulator.surfaces import extras, model_list, responses
from harness.simulator.surfaces.events import Answer, Script
from harness.simulator.surfaces.response_events import ResponseScript
from harness.simulator.surfaces.response_shape import ResponseShape
from harness.simulator.surfaces.shapes import dumps
from harness.types import JsonObject

if TYPE_CHECKING:
    # Its checks take a while to set up, and few simulators speak one.
    from harness.simulator.dialects.dialect import Dialect

_MEETING_MS = 50.0
"""How long an answer takes at least where a mutant is about requests that meet."""
_TIRING = 10
"""Refusals in a row after which a server may trip."""
_STALE = 256
"""Cached tokens from which on the mutant stale_cache strikes."""
_SCRIPTS: dict[type, type[Script]] = {ResponseShape: ResponseScript, DialectShape: DialectScript}
"""What makes the events of which kind of answer."""


class Service:
    """All state of a simulated endpoint but its connections."""

    def __init__(
        self, profile: Profile, book: Book, *, seed: int = 0, key: str | None = None, dialect: Dialect | None = None
    ) -> None:
        """``key``: the one that is accepted; None: any, or none. ``dialect``: how it speaks; None: as documented."""
        self.dialect = dialect
        self.profile = profile if dialect is None else dialect_requests.served(dialect, profile)
        self.mutants = frozenset(self.profile.mutants)
        self.batch = Batch(profile.batch, profile.queue_limit)
        self.meter = metrics.Meter()
        self._book = book
        self._seed = seed
        self._key = key
        self._limits = {
            "requests": Bucket(profile.requests_per_minute),
            "tokens": Bucket(profile.tokens_per_minute),
        }
        self._prefixes = PrefixCache(profile.kv_tokens) if profile.prefix_cache else None
        self._repeats = Repeats()
        self._overrides = Overrides(self.profile)
        self._last_prompt = ""
        self._shelf = responses.Shelf()
        self._keys = Keys()
        self._hang_ups = HangUps()
        self._callers: list[tuple[Seat, tuple[Call, ...]]] = []
        """Requests under way that are answered with calls."""
        self._backends = takeover(profile.backends, profile.backend_requests)
        self._refusals = 0
        """In a row, of chats whose body could be read."""
        self._mutants_from_ns = time.perf_counter_ns() + round(profile.mutants_after_s * 1e9)

    def reply(self, incoming: Incoming) -> Reply:
        """How to answer; never raises for what a client did."""
        late = bool(self.profile.mutants_after_s) and incoming.read_ns < self._mutants_from_ns
        turn = Turn(incoming, f"req_{secrets.token_hex(12)}", self.profile, frozenset[str]() if late else self.mutants)
        try:
            if self.dialect is not None:
                dialect_requests.hear(self.dialect, turn)
                incoming = turn.incoming
            path = incoming.path.partition("?")[0]
            self._overrides.apply(turn, incoming.headers.get("x-sim"), None)
            if cors.is_preflight(turn):
                return self._json(turn, 200, b"")
            if path.endswith("/") and "crash_on_slash" in turn.mutants:
                raise crash()
            if path in SURFACES and incoming.method == "POST":
                return self._complete(turn, SURFACES[path])
            if path.startswith(responses.ROOT) and path not in extras.PATHS:
                return self._json(turn, 200, dumps(self._of_responses(turn, path)))
            if path == "/metrics" and incoming.method == "GET" and self.profile.metrics:
                page = self.meter.text(self.profile.models[0], self.batch, self.profile.kv_tokens)
                return self._json(turn, 200, page, metrics.CONTENT_TYPE)
            return self._json(turn, 200, dumps(self._look_up(turn, path)))
        except Refusal as refusal:
            return self._refused(turn, refusal)

    # --- routes ------------------------------------------------------------------------------------------

    def _look_up(self, turn: Turn, path: str) -> Any:
        """What every path but those of completions gives."""
        method = turn.incoming.method
        if path in extras.PATHS and "no_extras" not in turn.mutants:
            return self._extra(turn, path)
        if path in SURFACES:
            raise wrong_method(method, "POST", turn.mutants)
        found = self._found(turn, path)
        if found is None:
            raise Refusal(404, f"Unknown request URL: {method} {path}.", code="unknown_url")
        if method != "GET" and "path_200" not in turn.mutants:
            raise wrong_method(method, "GET", turn.mutants)
        return found

    def _found(self, turn: Turn, path: str) -> Any:
        """What a path holds; None: nothing."""
        if (path == "/v1/models" or path.startswith("/v1/models/")) and "models_404" not in turn.mutants:
            check_key(turn.incoming.headers, self._key, turn.mutants)
            if path == "/v1/models":
                return model_list.listed(self.profile, turn.mutants, self.dialect)
            if "models_no_item" not in turn.mutants:
                name = unquote(path.removeprefix("/v1/models/"))
                return model_list.one(self.profile, name, turn.mutants, self.dialect)
        if self.dialect is not None and path in self.dialect.pages:
            return self.dialect.pages[path].body
        return {"status": "ok"} if "path_200" in turn.mutants else None

    def _extra(self, turn: Turn, path: str) -> JsonObject:
        """What a path beside those that serve chats answers."""
        wanted = extras.PATHS[path].method
        if turn.incoming.method not in (wanted, "HEAD" if wanted == "GET" else wanted):
            raise wrong_method(turn.incoming.method, wanted, turn.mutants)
        if path.startswith("/v1/"):
            check_key(turn.incoming.headers, self._key, turn.mutants)
        return extras.answer(path, lambda: asking.parse_json(turn.incoming.body, turn.mutants))

    def _of_responses(self, turn: Turn, path: str) -> JsonObject:
        """What lies below /responses: one that was kept, and the counting of an input."""
        method, name = turn.incoming.method, unquote(path.removeprefix(responses.ROOT))
        turn.mutants = own(turn.mutants, "responses")
        check_served(method, path, "responses", turn.mutants)
        check_key(turn.incoming.headers, self._key, turn.mutants)
        if name == "input_tokens" and method == "POST" and "resp_no_count" not in turn.mutants:
            body = asking.parse_json(body_of(turn.incoming, turn.mutants))
            asked = responses.read(body, self._shelf, turn.mutants)
            model_list.check(self.profile, asked.model, turn.mutants)
            return responses.counted(prompt_tokens(asked), turn.mutants)
        cancelled = method == "POST" and name.endswith("/cancel") and "resp_no_cancel" not in turn.mutants
        name = name.removesuffix("/cancel") if cancelled else name
        known = "/" not in name and (cancelled or method in ("GET", "DELETE"))
        if not known or "resp_not_kept" in turn.mutants:
            raise Refusal(404, f"Unknown request URL: {method} {path}.", code="unknown_url")
        return self._shelf.look_up(method, name, turn.mutants)

    def _complete(self, turn: Turn, surface: Surface) -> Reply:
        if "body_before_key" in turn.mutants:
            asking.parse_json(body_of(turn.incoming, turn.mutants), turn.mutants)
        try:
            check_key(turn.incoming.headers, self._key, turn.mutants)
        except Refusal as refusal:
            if "key_in_stream" in turn.mutants and b'"stream":true' in turn.incoming.body:
                return self._refused_as_stream(turn, refusal)
            raise
        self._admit("requests", 1, turn)
        raw = body_of(turn.incoming, turn.mutants)
        body = asking.parse_json(raw, turn.mutants)
        self._overrides.apply(turn, turn.incoming.headers.get("x-sim"), body.pop("sim", None))
        self._befall(turn)
        turn.mutants = own(turn.mutants, surface)
        check_served(turn.incoming.method, turn.incoming.path, surface, turn.mutants)
        try:
            if surface == "chat":
                body = dialect_requests.adapted(self.dialect, body, turn)
                body = reread(body, raw, turn.mutants, self.profile.models[0])
            question = understood(body, surface, self._shelf, turn.mutants, self.profile.context_tokens)
            question = question._replace(prompt=question.prompt + self.profile.injected_tokens)
            asked = question.asked
            model_list.check(self.profile, asked.model, turn.mutants)
        except Refusal as refusal:
            self._refusals += 1
            if body.get("stream") is True and "error_as_stream" in turn.mutants:
                return self._refused_as_stream(turn, refusal)
            raise
        if self.dialect is not None:
            question = question._replace(shape=dialect_answers.shaped(question.shape, self.dialect, turn))
        self._trip(turn)
        allowed = turn.profile.tokens if asked.cap is None else asked.cap
        self._admit("tokens", question.prompt + allowed, turn)
        if refusal_ := self._fated(turn):
            return self._refused(turn, refusal_)
        if self.batch.full:
            raise overloaded(self.profile.queue_full_status, self.profile.retry_after_s)
        if turn.mutants & {"one_at_a_time", "leak_calls"}:
            turn.profile = replace(turn.profile, ttft_ms=max(turn.profile.ttft_ms, _MEETING_MS))
        if self.profile.backends:
            turn.backend = next(self._backends)
            question = question._replace(shape=replace(question.shape, backend=turn.backend))
        return self._answer(turn, question)

    def _trip(self, turn: Turn) -> None:
        """Refuse what makes sense, where a mutant says so, or let its answer suffer from others under way."""
        tired, self._refusals = self._refusals >= _TIRING, 0
        if tired and "trips_over_errors" in turn.mutants:
            raise crash()
        if self._hang_ups.happened and "hang_up_breaks" in turn.mutants:
            raise crash()
        if self.batch.seats and "one_at_a_time" in turn.mutants:
            raise Refusal(429, "Another request is being answered.", kind="requests", code="rate_limit_exceeded")
        self._keys.check(turn.incoming, turn.mutants)
        if self.profile.busy_from is not None and len(self.batch.seats) + 1 >= self.profile.busy_from:
            hasty = self.profile.busy_accuracy
            turn.profile = replace(turn.profile, accuracy=hasty, tool_accuracy=hasty)

    def _befall(self, turn: Turn) -> None:
        """Draw what befalls the request."""
        turn.repeat = self._repeats.count(turn.incoming.body)
        turn.rng = draw(self._seed, "fate", self.profile.name, turn.incoming.body, turn.repeat)
        turn.befallen = drawn = fate(turn.profile.faults, turn.rng)
        if drawn in FAULTS:
            turn.fate = drawn
        elif drawn is not None:
            turn.mutants |= {drawn}

    def _fated(self, turn: Turn) -> Refusal | None:
        if turn.fate is None:
            return None
        wait = timedelta(seconds=min(turn.profile.retry_after_s or 0.0, 86_400))
        at = datetime.now(UTC)
        now, later = (format_datetime(moment, usegmt=True) for moment in (at, at + wait))
        return refusal_of(turn.fate, turn.profile.retry_after_s, now, later)

    # --- answers -----------------------------------------------------------------------------------------

    def _answer(self, turn: Turn, question: Question) -> Reply:
        assert turn.rng is not None
        asked, shape, prompt = question
        cached = self._cached(asked, prompt)
        choices = self._choices(turn, asked, cached)
        steps = max(len(choice.pieces) for choice in choices)
        told = estimated_tokens(asked) if "usage_prompt_estimated" in turn.mutants else prompt
        spent = usage(told, cached, choices, turn.mutants, asked, turn.repeat)
        if isinstance(shape, ResponseShape):
            self._shelf.keep(shape, choices, spent)
            if shape.queued:
                return self._json(turn, 200, dumps(shape.begun() | {"status": "queued"}))
        seat = self.batch.enter(turn.incoming.read_ns, prompt)
        prefill = turn.profile.prefill_ms_per_ktok * 1e3 * (prompt - cached)
        self._hang_ups.watch(seat, steps, prefill, turn.profile, turn.mutants)
        self._remember(turn, seat, choices)
        built = Answer(
            shape=shape,
            choices=tuple(choices),
            usage=spent,
            include_usage=asked.include_usage,
            steps=steps,
            dues=self._dues(turn, seat, steps, prefill),
            profile=turn.profile,
            fault=turn.fate,
            rng=turn.rng,
            seat=seat,
            script=_SCRIPTS.get(type(shape)),
        )
        if self.dialect is not None:
            turn.values |= dialect_answers.counts_of(spent)
        stream = asked.stream and "no_stream" not in turn.mutants
        reply = replies.of_answer(turn, built, headers.usual(turn, self._limits, self.dialect), stream=stream)
        reply.seat = seat
        reply.record |= {
            "id": shape.id,
            "model": asked.model,
            "stream": stream,
            "tokens": sum(len(choice.pieces) for choice in choices),
            "prompt_tokens": prompt,
            "cached_tokens": cached,
            "fault": turn.befallen,
            "repeat": turn.repeat,
        }
        return reply

    def _remember(self, turn: Turn, seat: Seat, choices: list[Choice]) -> None:
        """Keep the calls of requests under way, where a mutant gives them to others."""
        self._callers = [one for one in self._callers if not one[0].left]
        if "leak_calls" in turn.mutants and (count := choices[0].calls):
            self._callers.append((seat, tuple(Call(*choices[0].arguments(number)) for number in range(count))))

    def _dues(self, turn: Turn, seat: Seat, steps: int, prefill: float) -> Callable[[], Iterator[int]]:
        """When tokens are due; ``prefill``: ns for the prompt tokens that are in no cache."""
        profile, rng = turn.profile, turn.rng
        assert rng is not None
        if self.profile.live:
            return lambda: live_ns(profile, seat, rng, prefill)
        fixed = offsets_ns(profile, max(1, steps), rng, prefill)
        return lambda: iter(fixed)

    def _cached(self, asked: Asked, prompt: int) -> int:
        """Prompt tokens that the prefix cache holds."""
        if self._prefixes is None:
            return 0
        cached = self._prefixes.known(asked, prompt)
        self.meter.prefix_queries += prompt
        self.meter.prefix_hits += cached
        return cached

    def _choices(self, turn: Turn, asked: Asked, cached: int) -> list[Choice]:
        prompts = asked.messages if asked.surface == "text" else ()
        if not asked.messages:
            # Embeddings: nothing is spoken.
            return [Choice(0, (), "stop")]
        variants = [replace(asked, messages=(prompt,)) for prompt in prompts] or [asked]
        choices: list[Choice] = []
        for variant in variants:
            for number in range(asked.n):
                said = answer(variant, turn.profile, self._book, self._seed, (number, turn.repeat))
                if "leak_neighbour" in turn.mutants:
                    said = Said(f"{said.text} {self._last_prompt}", said.calls)
                foreign = [calls for other, calls in self._callers if not other.left and not asked.tools]
                said = Said("", foreign[0]) if foreign else said
                if "stale_cache" in turn.mutants and cached > _STALE and turn.repeat % 2:
                    said = Said(f"As was said before: {said.text}", said.calls)
                said = Said("") if turn.fate == "empty" else said
                choices.append(spoken(said, variant, turn.mutants, len(choices)))
        self._last_prompt = text_of(asked.messages[-1]) if asked.messages else ""
        return choices

    # --- errors and headers ------------------------------------------------------------------------------

    def _refused(self, turn: Turn, refusal: Refusal) -> Reply:
        status, kind, body, told = dialect_answers.error(self.dialect, refusal, turn)
        reply = self._json(turn, status, body, kind, list(told.items()), error=True)
        reply.record["fault"] = turn.fate
        return reply

    def _refused_as_stream(self, turn: Turn, refusal: Refusal) -> Reply:
        body = b"data: " + replies.error(refusal, turn.mutants)[2] + b"\n\ndata: [DONE]\n\n"
        return self._json(turn, 200, body, EVENTS)

    def _json(
        self,
        turn: Turn,
        status: int,
        body: bytes,
        kind: str = JSON,
        extra: list[tuple[str, str]] | None = None,
        *,
        error: bool = False,
    ) -> Reply:
        charset = "; charset=iso-8859-1" if "latin1_charset" in turn.mutants and kind == JSON else ""
        own = [("content-type", kind + charset), ("content-length", str(len(body))), *(extra or ())]
        usual = headers.usual(turn, self._limits, self.dialect, error=error)
        if status == 429 and "silent_limit" in turn.mutants:
            own, usual = own[:2], [one for one in usual if not one[0].startswith("x-ratelimit")]
        start = replies.head(status, own + usual)
        data = start if turn.incoming.method == "HEAD" else start + body
        sends = iter([Send(0, "body", data)])
        return Reply(sends, status, {"request_id": turn.name, "id": None, "stream": False}, close=turn.closes)

    # --- checks ------------------------------------------------------------------------------------------

    def _admit(self, kind: str, amount: int, turn: Turn) -> None:
        bucket = self._limits[kind]
        wait = bucket.take(amount, turn.incoming.read_ns)
        if wait is not None:
            raise limited(kind, bucket.limit, wait)
