"""From a request that was read to the reply that is written: routes, keys, limits, faults."""

from __future__ import annotations

import hmac
import math
import secrets
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import unquote

from harness.simulator import asked as asking
from harness.simulator import replies
from harness.simulator.answers import Said, answer
from harness.simulator.asked import Asked
from harness.simulator.book import Book
from harness.simulator.faults import Repeats, draw, fault, offsets_ns
from harness.simulator.messages import text_of
from harness.simulator.profile import Profile
from harness.simulator.ratelimit import Bucket
from harness.simulator.refusal import Refusal
from harness.simulator.replies import EVENTS, JSON, Reply
from harness.simulator.shapes import Shape, dumps
from harness.simulator.speech import Choice, prompt_tokens, spoken, usage
from harness.simulator.stream import Answer, Send, streamed, whole
from harness.types import JsonObject

_SURFACES: dict[str, Literal["chat", "text"]] = {"/v1/chat/completions": "chat", "/v1/completions": "text"}
_BORN = 1_767_225_600
"""When the simulated models say they were created: 2026-01-01."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request off the wire."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    read_ns: int
    """When its last byte had been read."""
    keep_alive: bool = True
    too_large: bool = False


class Service:
    """All state of a simulated endpoint but its connections."""

    def __init__(self, profile: Profile, book: Book, *, seed: int = 0, key: str | None = None) -> None:
        """``key``: the one that is accepted; None: any, or none."""
        self.profile = profile
        self.mutants = frozenset(profile.mutants)
        self._book = book
        self._seed = seed
        self._key = key
        self._requests = Bucket(profile.requests_per_minute)
        self._tokens = Bucket(profile.tokens_per_minute)
        self._repeats = Repeats()
        self._last_prompt = ""

    def reply(self, incoming: Incoming) -> Reply:
        """How to answer; never raises for what a client did."""
        name = f"req_{secrets.token_hex(12)}"
        path = incoming.path.partition("?")[0]
        try:
            if path in _SURFACES and incoming.method == "POST":
                return self._complete(incoming, _SURFACES[path], name)
            return self._json(incoming, name, 200, dumps(self._look_up(incoming, path)))
        except Refusal as refusal:
            return self._refused(incoming, name, refusal)

    # --- routes ------------------------------------------------------------------------------------------

    def _look_up(self, incoming: Incoming, path: str) -> JsonObject:
        """What a GET gives."""
        if path in _SURFACES:
            raise _wrong_method(incoming.method, "POST")
        found = self._found(incoming, path)
        if found is None:
            raise Refusal(404, f"Unknown request URL: {incoming.method} {path}.", code="unknown_url")
        if incoming.method != "GET" and "path_200" not in self.mutants:
            raise _wrong_method(incoming.method, "GET")
        return found

    def _found(self, incoming: Incoming, path: str) -> JsonObject | None:
        """What a path holds; None: nothing."""
        if path == "/health":
            return {"status": "ok"}
        if (path == "/v1/models" or path.startswith("/v1/models/")) and "models_404" not in self.mutants:
            self._check_key(incoming)
            return self._models() if path == "/v1/models" else self._model(unquote(path.removeprefix("/v1/models/")))
        return {"status": "ok"} if "path_200" in self.mutants else None

    def _models(self) -> JsonObject:
        names = [] if "models_empty" in self.mutants else list(self.profile.models)
        names *= 2 if "models_twice" in self.mutants else 1
        return {"object": "list", "data": [self._model(name) for name in names]}

    def _model(self, name: str) -> JsonObject:
        self._check_model(name)
        if "models_bare" in self.mutants:
            return {"id": name, "object": "model"}
        model: JsonObject = {"id": name, "object": "model", "created": _BORN, "owned_by": self.profile.name}
        if self.profile.input_usd_per_mtok is not None:
            model["pricing"] = {
                "input_usd_per_mtok": self.profile.input_usd_per_mtok,
                "output_usd_per_mtok": self.profile.output_usd_per_mtok,
            }
        return model

    def _complete(self, incoming: Incoming, surface: Literal["chat", "text"], name: str) -> Reply:
        self._check_key(incoming)
        self._admit(self._requests, 1, incoming.read_ns, "requests")
        _check_body(incoming)
        body = asking.parse_json(incoming.body)
        try:
            asked = asking.read(body, surface, self.mutants)
            self._check_model(asked.model)
            prompt = prompt_tokens(asked)
            if prompt > self.profile.context_tokens:
                what = f"This model reads at most {self.profile.context_tokens} tokens, your prompt has {prompt}."
                raise Refusal(400, what, param="messages", code="context_length_exceeded")
        except Refusal as refusal:
            if body.get("stream") is True and "error_as_stream" in self.mutants:
                return self._refused_as_stream(incoming, name, refusal)
            raise
        self._admit(self._tokens, prompt + (asked.cap or self.profile.tokens), incoming.read_ns, "tokens")
        return self._answer(incoming, name, asked, prompt)

    # --- answers -----------------------------------------------------------------------------------------

    def _answer(self, incoming: Incoming, name: str, asked: Asked, prompt: int) -> Reply:
        repeat = self._repeats.count(incoming.body)
        rng = draw(self._seed, "fate", self.profile.name, incoming.body, repeat)
        fate = fault(self.profile, rng)
        if refusal := self._fated(fate):
            return self._refused(incoming, name, refusal, fault=fate)
        choices = self._choices(asked, repeat, empty=fate == "empty")
        steps = max(len(choice.pieces) for choice in choices)
        prefix = "chatcmpl" if asked.surface == "chat" else "cmpl"
        own = "same" if "same_id" in self.mutants else secrets.token_hex(12)
        built = Answer(
            shape=Shape(
                asked.surface,
                asked.model,
                int(datetime.now(UTC).timestamp()),
                self.mutants,
                f"{prefix}-{own}",
                asked.logprobs,
            ),
            choices=tuple(choices),
            usage=usage(prompt, choices, self.mutants),
            include_usage=asked.include_usage,
            due_ns=tuple(offsets_ns(self.profile, steps, rng)),
            profile=self.profile,
            fault=fate,
            rng=rng,
        )
        stream = asked.stream and "no_stream" not in self.mutants
        record = {
            "id": built.shape.id,
            "model": asked.model,
            "stream": stream,
            "tokens": sum(len(choice.pieces) for choice in choices),
            "fault": fate,
            "repeat": repeat,
        }
        return self._streamed(incoming, name, built, record) if stream else self._whole(incoming, name, built, record)

    def _choices(self, asked: Asked, repeat: int, *, empty: bool) -> list[Choice]:
        prompts = asked.messages if asked.surface == "text" else ()
        variants = [replace(asked, messages=(prompt,)) for prompt in prompts] or [asked]
        choices: list[Choice] = []
        for variant in variants:
            for number in range(asked.n):
                said = answer(variant, self.profile, self._book, self._seed, (number, repeat))
                if "leak_neighbour" in self.mutants:
                    said = Said(f"{said.text} {self._last_prompt}", said.calls)
                said = Said("") if empty else said
                choices.append(spoken(said, variant, self.mutants, len(choices)))
        self._last_prompt = text_of(asked.messages[-1]) if asked.messages else ""
        return choices

    def _streamed(self, incoming: Incoming, name: str, built: Answer, record: JsonObject) -> Reply:
        kind = JSON if "wrong_type" in self.mutants else EVENTS
        headers = [("content-type", kind), ("cache-control", "no-cache"), ("transfer-encoding", "chunked")]
        start = replies.head(200, headers + self._headers(incoming, name))
        return Reply(streamed(built, start), 200, self._closes(incoming), {"request_id": name, **record})

    def _whole(self, incoming: Incoming, name: str, built: Answer, record: JsonObject) -> Reply:
        body = dumps(built.shape.whole(built.choices, built.usage))
        if built.fault == "malformed":
            body = body[: len(body) * 2 // 3]
        elif built.fault == "inband_error":
            failed = {"message": "The engine died.", "type": "server_error", "param": None, "code": "engine_error"}
            body = dumps({"error": failed})
        headers = [("content-type", JSON), ("content-length", str(len(body))), *self._headers(incoming, name)]
        sends = whole(built, replies.head(200, headers), body)
        return Reply(sends, 200, self._closes(incoming), {"request_id": name, **record})

    def _fated(self, fate: str | None) -> Refusal | None:
        """The error response of a drawn fault; None: it is none of those."""
        after = self.profile.retry_after_s
        headers = {} if after is None else {"retry-after": f"{after:g}"}
        match fate:
            case "http_500":
                return Refusal(500, "The server had an error.", kind="server_error")
            case "overload_503":
                return Refusal(
                    503, "The engine is overloaded.", kind="server_error", code="overloaded", headers=headers
                )
            case "http_429":
                code = "rate_limit_exceeded"
                return Refusal(429, "Too many requests.", kind="requests", code=code, headers=headers)
        return None

    # --- errors and headers ------------------------------------------------------------------------------

    def _refused(self, incoming: Incoming, name: str, refusal: Refusal, fault: str | None = None) -> Reply:
        status, kind, body = replies.error(refusal, self.mutants)
        reply = self._json(incoming, name, status, body, kind, list(refusal.headers.items()))
        reply.record["fault"] = fault
        return reply

    def _refused_as_stream(self, incoming: Incoming, name: str, refusal: Refusal) -> Reply:
        body = b"data: " + replies.error(refusal, self.mutants)[2] + b"\n\ndata: [DONE]\n\n"
        return self._json(incoming, name, 200, body, EVENTS)

    def _json(
        self,
        incoming: Incoming,
        name: str,
        status: int,
        body: bytes,
        kind: str = JSON,
        extra: list[tuple[str, str]] | None = None,
    ) -> Reply:
        headers = [("content-type", kind), ("content-length", str(len(body))), *(extra or ())]
        start = replies.head(status, headers + self._headers(incoming, name))
        data = start if incoming.method == "HEAD" else start + body
        sends = iter([Send(0, "body", data)])
        return Reply(sends, status, self._closes(incoming), {"request_id": name, "id": None, "stream": False})

    def _headers(self, incoming: Incoming, name: str) -> list[tuple[str, str]]:
        """The headers of every response."""
        now = time.perf_counter_ns()
        headers = [
            ("server", "harness-simulator"),
            ("openai-processing-ms", str((now - incoming.read_ns) // 1_000_000)),
        ]
        if "no_request_id" not in self.mutants:
            headers.append(("x-request-id", name))
        if "no_rate_headers" not in self.mutants:
            headers += self._requests.headers("requests", incoming.read_ns)
            headers += self._tokens.headers("tokens", incoming.read_ns)
        return [*headers, ("connection", "close" if self._closes(incoming) else "keep-alive")]

    def _closes(self, incoming: Incoming) -> bool:
        return not incoming.keep_alive or "no_keep_alive" in self.mutants

    # --- checks ------------------------------------------------------------------------------------------

    def _check_key(self, incoming: Incoming) -> None:
        if self._key is None or "ignore_auth" in self.mutants:
            return
        scheme, _, token = incoming.headers.get("authorization", "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else ""
        given = given or incoming.headers.get("api-key", "") or incoming.headers.get("x-api-key", "")
        if not given:
            raise Refusal(401, "You did not provide an API key: Authorization: Bearer KEY.")
        if not hmac.compare_digest(given.encode(), self._key.encode()):
            raise Refusal(401, "The API key provided is not correct.", code="invalid_api_key")

    def _check_model(self, name: str) -> None:
        if name not in self.profile.models and "ignore_model" not in self.mutants:
            raise Refusal(404, f"The model {name!r} does not exist.", param="model", code="model_not_found")

    def _admit(self, bucket: Bucket, amount: int, now_ns: int, kind: str) -> None:
        wait = bucket.take(amount, now_ns)
        if wait is not None:
            headers = {"retry-after": str(math.ceil(wait)), "retry-after-ms": str(math.ceil(wait * 1000))}
            what = f"Rate limit reached: {bucket.limit} {kind} per minute."
            raise Refusal(429, what, kind=kind, code="rate_limit_exceeded", headers=headers)


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
