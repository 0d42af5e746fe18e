"""From a request that was read to the reply that is written: routes, keys, limits, faults."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Literal
from urllib.parse import unquote

from harness.errors import UsageError
from harness.simulator import asked as asking
from harness.simulator import extras, media, metrics, replies
from harness.simulator.answers import Said, answer
from harness.simulator.asked import Asked
from harness.simulator.batch import Batch, Seat, live_ns, offsets_ns
from harness.simulator.book import Book
from harness.simulator.chance import Repeats, draw, fate
from harness.simulator.events import Answer
from harness.simulator.faults import FAULTS, refusal_of
from harness.simulator.keys import check_key
from harness.simulator.messages import text_of
from harness.simulator.prefix import PrefixCache
from harness.simulator.profile import Profile
from harness.simulator.ratelimit import Bucket
from harness.simulator.refusal import Refusal
from harness.simulator.replies import EVENTS, JSON, Reply
from harness.simulator.settings import for_request
from harness.simulator.shapes import Shape, dumps
from harness.simulator.speech import Choice, prompt_tokens, spoken, usage
from harness.simulator.stream import Send
from harness.simulator.turn import Incoming, Turn
from harness.types import JsonObject

_SURFACES: dict[str, Literal["chat", "text"]] = {"/v1/chat/completions": "chat", "/v1/completions": "text"}
_BORN = 1_767_225_600
"""When the simulated models say they were created: 2026-01-01."""
_OVERRIDES = 1_000
"""Different x-sim headers whose profiles are kept."""


class Service:
    """All state of a simulated endpoint but its connections."""

    def __init__(self, profile: Profile, book: Book, *, seed: int = 0, key: str | None = None) -> None:
        """``key``: the one that is accepted; None: any, or none."""
        self.profile = profile
        self.mutants = frozenset(profile.mutants)
        self.batch = Batch(profile.batch, profile.queue_limit)
        self.meter = metrics.Meter()
        self._book = book
        self._seed = seed
        self._key = key
        self._requests = Bucket(profile.requests_per_minute)
        self._tokens = Bucket(profile.tokens_per_minute)
        self._prefixes = PrefixCache(profile.kv_tokens) if profile.prefix_cache else None
        self._repeats = Repeats()
        self._overrides: dict[str, Profile] = {}
        self._last_prompt = ""
        self._mutants_from_ns = time.perf_counter_ns() + round(profile.mutants_after_s * 1e9)

    def reply(self, incoming: Incoming) -> Reply:
        """How to answer; never raises for what a client did."""
        late = bool(self.profile.mutants_after_s) and incoming.read_ns < self._mutants_from_ns
        turn = Turn(incoming, f"req_{secrets.token_hex(12)}", self.profile, frozenset[str]() if late else self.mutants)
        path = incoming.path.partition("?")[0]
        try:
            self._override(turn, incoming.headers.get("x-sim"), None)
            if path in _SURFACES and incoming.method == "POST":
                return self._complete(turn, _SURFACES[path])
            if path == "/metrics" and incoming.method == "GET" and self.profile.metrics:
                page = self.meter.text(self.profile.models[0], self.batch, self.profile.kv_tokens)
                return self._json(turn, 200, page, metrics.CONTENT_TYPE)
            return self._json(turn, 200, dumps(self._look_up(turn, path)))
        except Refusal as refusal:
            return self._refused(turn, refusal)

    # --- routes ------------------------------------------------------------------------------------------

    def _look_up(self, turn: Turn, path: str) -> JsonObject:
        """What every path but those of completions gives."""
        method = turn.incoming.method
        if path in extras.PATHS and "no_extras" not in turn.mutants:
            return self._extra(turn, path)
        if path in _SURFACES:
            raise _wrong_method(method, "POST")
        found = self._found(turn, path)
        if found is None:
            raise Refusal(404, f"Unknown request URL: {method} {path}.", code="unknown_url")
        if method != "GET" and "path_200" not in turn.mutants:
            raise _wrong_method(method, "GET")
        return found

    def _found(self, turn: Turn, path: str) -> JsonObject | None:
        """What a path holds; None: nothing."""
        if (path == "/v1/models" or path.startswith("/v1/models/")) and "models_404" not in turn.mutants:
            check_key(turn.incoming.headers, self._key, turn.mutants)
            if path == "/v1/models":
                return self._models(turn)
            if "models_no_item" not in turn.mutants:
                return self._model(turn, unquote(path.removeprefix("/v1/models/")))
        return {"status": "ok"} if "path_200" in turn.mutants else None

    def _extra(self, turn: Turn, path: str) -> JsonObject:
        """What a path beside those that serve chats answers."""
        wanted = extras.PATHS[path].method
        if turn.incoming.method not in (wanted, "HEAD" if wanted == "GET" else wanted):
            raise _wrong_method(turn.incoming.method, wanted)
        if path.startswith("/v1/"):
            check_key(turn.incoming.headers, self._key, turn.mutants)
        return extras.answer(path, lambda: asking.parse_json(turn.incoming.body, turn.mutants))

    def _models(self, turn: Turn) -> JsonObject:
        names = [] if "models_empty" in turn.mutants else list(self.profile.models)
        names *= 2 if "models_twice" in turn.mutants else 1
        models = [self._model(turn, name) for name in names]
        if "models_alias" in turn.mutants:
            models = [{**model, "id": f"vendor/{model['id']}"} for model in models]
        return {"object": "list", "data": models}

    def _model(self, turn: Turn, name: str) -> JsonObject:
        self._check_model(turn, name)
        if "models_bare" in turn.mutants:
            return {"id": name, "object": "model"}
        model: JsonObject = {"id": name, "object": "model", "created": _BORN, "owned_by": self.profile.name}
        if self.profile.input_usd_per_mtok is not None:
            model["pricing"] = {
                "input_usd_per_mtok": self.profile.input_usd_per_mtok,
                "output_usd_per_mtok": self.profile.output_usd_per_mtok,
            }
        return model

    def _complete(self, turn: Turn, surface: Literal["chat", "text"]) -> Reply:
        if "body_before_key" in turn.mutants:
            asking.parse_json(turn.incoming.body, turn.mutants)
        try:
            check_key(turn.incoming.headers, self._key, turn.mutants)
        except Refusal as refusal:
            if "key_in_stream" in turn.mutants and b'"stream":true' in turn.incoming.body:
                return self._refused_as_stream(turn, refusal)
            raise
        self._admit(self._requests, 1, turn, "requests")
        _check_body(turn.incoming)
        body = asking.parse_json(turn.incoming.body, turn.mutants)
        self._override(turn, turn.incoming.headers.get("x-sim"), body.pop("sim", None))
        self._befall(turn)
        try:
            asked = asking.read(body, surface, turn.mutants)
            self._check_model(turn, asked.model)
            prompt = prompt_tokens(asked)
            if prompt > self.profile.context_tokens:
                what = f"This model reads at most {self.profile.context_tokens} tokens, your prompt has {prompt}."
                raise Refusal(400, what, param="messages", code="context_length_exceeded")
        except Refusal as refusal:
            if body.get("stream") is True and "error_as_stream" in turn.mutants:
                return self._refused_as_stream(turn, refusal)
            raise
        self._admit(self._tokens, prompt + (asked.cap or turn.profile.tokens), turn, "tokens")
        if refusal_ := self._fated(turn):
            return self._refused(turn, refusal_)
        if self.batch.full:
            raise Refusal(
                self.profile.queue_full_status,
                "The queue is full.",
                kind="server_error",
                code="overloaded",
                headers=_after(self.profile.retry_after_s),
            )
        return self._answer(turn, asked, prompt)

    def _override(self, turn: Turn, header: str | None, inside: object) -> None:
        """Take over what the request changes for itself, in its header and inside its body."""
        if not self.profile.per_request or (header is None and inside is None):
            return
        try:
            key = f"{header}\0{inside!r}"
            profile = self._overrides.get(key) or for_request(self.profile, header, inside)
        except (UsageError, RecursionError) as error:
            raise Refusal(400, f"{error}", param="sim", code="invalid_value") from None
        if len(self._overrides) < _OVERRIDES:
            self._overrides[key] = profile
        turn.profile = profile
        if profile.mutants != self.profile.mutants:
            turn.mutants = frozenset(profile.mutants)

    def _befall(self, turn: Turn) -> None:
        """Draw what befalls the request."""
        turn.repeat = self._repeats.count(turn.incoming.body)
        turn.rng = draw(self._seed, "fate", self.profile.name, turn.incoming.body, turn.repeat)
        drawn = fate(turn.profile.faults, turn.rng)
        if drawn in FAULTS:
            turn.fate = drawn
        elif drawn is not None:
            turn.mutants |= {drawn}

    def _fated(self, turn: Turn) -> Refusal | None:
        if turn.fate is None:
            return None
        later = datetime.now(UTC) + timedelta(seconds=min(turn.profile.retry_after_s or 0.0, 86_400))
        return refusal_of(turn.fate, turn.profile.retry_after_s, format_datetime(later, usegmt=True))

    # --- answers -----------------------------------------------------------------------------------------

    def _answer(self, turn: Turn, asked: Asked, prompt: int) -> Reply:
        assert turn.rng is not None
        choices = self._choices(turn, asked)
        steps = max(len(choice.pieces) for choice in choices)
        cached = self._cached(asked, prompt)
        seat = self.batch.enter(turn.incoming.read_ns, prompt)
        prefix = "chatcmpl" if asked.surface == "chat" else "cmpl"
        own = "same" if "same_id" in turn.mutants else secrets.token_hex(12)
        shape = Shape(
            asked.surface,
            asked.model,
            int(datetime.now(UTC).timestamp()),
            turn.mutants,
            f"{prefix}-{own}",
            asked.logprobs,
            asked.aloud,
        )
        built = Answer(
            shape=shape,
            choices=tuple(choices),
            usage=usage(prompt, cached, choices, turn.mutants, asked.prediction, media.heard(asked.messages)),
            include_usage=asked.include_usage,
            steps=steps,
            dues=self._dues(turn, seat, steps, prompt - cached),
            profile=turn.profile,
            fault=turn.fate,
            rng=turn.rng,
            seat=seat,
        )
        stream = asked.stream and "no_stream" not in turn.mutants
        reply = replies.of_answer(turn, built, self._headers(turn), stream=stream)
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

    def _dues(self, turn: Turn, seat: Seat, steps: int, fresh: int) -> Callable[[], Iterator[int]]:
        """When tokens are due; ``fresh``: prompt tokens that need prefill."""
        profile, rng = turn.profile, turn.rng
        assert rng is not None
        prefill = profile.prefill_ms_per_ktok * 1e3 * fresh
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

    def _choices(self, turn: Turn, asked: Asked) -> list[Choice]:
        prompts = asked.messages if asked.surface == "text" else ()
        variants = [replace(asked, messages=(prompt,)) for prompt in prompts] or [asked]
        choices: list[Choice] = []
        for variant in variants:
            for number in range(asked.n):
                said = answer(variant, turn.profile, self._book, self._seed, (number, turn.repeat))
                if "leak_neighbour" in turn.mutants:
                    said = Said(f"{said.text} {self._last_prompt}", said.calls)
                said = Said("") if turn.fate == "empty" else said
                choices.append(spoken(said, variant, turn.mutants, len(choices)))
        self._last_prompt = text_of(asked.messages[-1]) if asked.messages else ""
        return choices

    # --- errors and headers ------------------------------------------------------------------------------

    def _refused(self, turn: Turn, refusal: Refusal) -> Reply:
        status, kind, body = replies.error(refusal, turn.mutants)
        reply = self._json(turn, status, body, kind, list(refusal.headers.items()))
        reply.record["fault"] = turn.fate
        return reply

    def _refused_as_stream(self, turn: Turn, refusal: Refusal) -> Reply:
        body = b"data: " + replies.error(refusal, turn.mutants)[2] + b"\n\ndata: [DONE]\n\n"
        return self._json(turn, 200, body, EVENTS)

    def _json(
        self, turn: Turn, status: int, body: bytes, kind: str = JSON, extra: list[tuple[str, str]] | None = None
    ) -> Reply:
        headers = [("content-type", kind), ("content-length", str(len(body))), *(extra or ())]
        start = replies.head(status, headers + self._headers(turn))
        data = start if turn.incoming.method == "HEAD" else start + body
        sends = iter([Send(0, "body", data)])
        return Reply(sends, status, {"request_id": turn.name, "id": None, "stream": False}, close=turn.closes)

    def _headers(self, turn: Turn) -> list[tuple[str, str]]:
        """The headers of every response."""
        read_ns = turn.incoming.read_ns
        headers = [
            ("server", "harness-simulator"),
            ("openai-processing-ms", str((time.perf_counter_ns() - read_ns) // 1_000_000)),
        ]
        if "no_request_id" not in turn.mutants:
            headers.append(("x-request-id", turn.name))
        if "no_rate_headers" not in turn.mutants:
            headers += self._requests.headers("requests", read_ns)
            headers += self._tokens.headers("tokens", read_ns)
        return [*headers, ("connection", "close" if turn.closes else "keep-alive")]

    # --- checks ------------------------------------------------------------------------------------------

    def _check_model(self, turn: Turn, name: str) -> None:
        if name not in self.profile.models and "ignore_model" not in turn.mutants:
            raise Refusal(404, f"The model {name!r} does not exist.", param="model", code="model_not_found")

    def _admit(self, bucket: Bucket, amount: int, turn: Turn, kind: str) -> None:
        wait = bucket.take(amount, turn.incoming.read_ns)
        if wait is not None:
            headers = {"retry-after": str(math.ceil(wait)), "retry-after-ms": str(math.ceil(wait * 1000))}
            what = f"Rate limit reached: {bucket.limit} {kind} per minute."
            raise Refusal(429, what, kind=kind, code="rate_limit_exceeded", headers=headers)


def _after(seconds: float | None) -> dict[str, str]:
    return {} if seconds is None else {"retry-after": f"{seconds:g}"}


def _check_body(incoming: Incoming) -> None:
    if incoming.too_large:
        raise Refusal(413, "The body is too large.", code="request_too_large")
    if incoming.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(415, "Content-Encoding is not supported.", code="unsupported_encoding")
    kind = incoming.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if kind != JSON:
        raise Refusal(415, f"Unsupported content type: {kind!r}. Only {JSON} is read.", code="unsupported_content_type")


def _wrong_method(method: str, allowed: str) -> Refusal:
    return Refusal(405, f"Method {method} is not allowed here.", code="method_not_allowed", headers={"allow": allowed})
