"""Sample + Endpoint -> the exact bytes to send, and a hash of the question; the only place where quirks change them."""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from harness.errors import TaskError
from harness.provider import Endpoint, Quirks
from harness.types import Api, JsonObject, KeySent, Method, Request, Sample

_LIMIT_NAMES = ("max_tokens", "max_completion_tokens")
_HASHED_LIMIT = "max_tokens"
"""The one name under which the output limit enters the hash, whatever the provider calls it."""
_NOT_PARAMS = ("model", "messages", "tools", "stream", "input")
_WITHOUT_OUTPUT = ("/embeddings", "/models")
"""Ends of paths whose answers hold no generated tokens."""
_SURROGATE = re.compile("[\ud800-\udfff]")


def build(sample: Sample, endpoint: Endpoint, *, stream: bool, api: Api = "chat") -> Request:
    """Build the request for a sample, adapted to the provider by its declared quirks.

    A sample with inputs asks for their embeddings, of the model that the quirks name for it, and never streams. Any
    other is asked as ``api`` says: as a chat, with the fields in the order model, messages, tools, the parameters by
    name, stream, stream_options, what ``extra_body`` adds; or translated for the Responses API. A parameter of the
    sample wins over ``extra_body``; what ``drop`` names is never sent, what ``clamp`` bounds is held within, and what
    ``rename`` names goes under its other name; ``ignored`` changes nothing. The hash is of the question before any
    quirk: equal for every endpoint. A chat and a response have different hashes, as a stream and an answer that is
    not streamed have: a server reads another body, by other defaults, and what comes of it is not the same measurement.
    TaskError when the sample cannot be sent as JSON, or cannot be said in that API.
    """
    body, hashed = _asked(sample, endpoint, stream=stream, api=api)
    path = "/embeddings" if sample.inputs else "/responses" if api == "responses" else "/chat/completions"
    made = Request(path, None, stream and not sample.inputs, "")
    return _adapted(sample, endpoint.provider.quirks, body, hashed, made)


def asked(sample: Sample, endpoint: Endpoint, *, stream: bool, api: Api = "chat") -> JsonObject:
    """The body of the same request before it is adapted: what ``drop``, ``rename``, ``clamp`` and ``ignored`` meet.

    What ``extra_body`` adds is not in it. Errors as for ``build``.
    """
    return _asked(sample, endpoint, stream=stream, api=api)[0]


def _asked(sample: Sample, endpoint: Endpoint, *, stream: bool, api: Api) -> tuple[JsonObject, JsonObject]:
    """The body, and what of it is hashed."""
    params = _params(sample)
    if sample.inputs:
        return _embeddings(sample, endpoint, params, api)
    question: JsonObject = {"messages": sample.messages}
    if sample.tools:
        question["tools"] = sample.tools
    quirks = endpoint.provider.quirks
    hashed = {**question, **params, "stream": stream}
    body: JsonObject = {"model": endpoint.model_id}
    if api == "responses":
        hashed["api"] = api
        body |= _response_body(sample, params)
    else:
        body |= question
        body.update(
            (quirks.max_tokens_field if name == _HASHED_LIMIT else name, params[name]) for name in sorted(params)
        )
    if stream:
        body["stream"] = True
        if quirks.stream_usage and api == "chat":
            body.setdefault("stream_options", {"include_usage": True})
    return body, hashed


def _embeddings(sample: Sample, endpoint: Endpoint, params: JsonObject, api: Api) -> tuple[JsonObject, JsonObject]:
    if api == "responses":
        raise TaskError(f"sample {sample.id!r} asks for embeddings, which have an API of their own", hint="Leave --api")
    question: JsonObject = {"input": sample.inputs, "encoding_format": "float", **params}
    model = endpoint.provider.quirks.embedding_model or endpoint.model_id
    return {"model": model, **question}, question


def _response_body(sample: Sample, params: JsonObject) -> JsonObject:
    # Loaded with the first such request: a load of chats does not pay for it.
    translated: JsonObject = importlib.import_module("harness.responses_request").response_body(
        f"sample {sample.id!r}", sample.messages, sample.tools, params
    )
    return translated


def _adapted(sample: Sample, quirks: Quirks, body: JsonObject, hashed: JsonObject, made: Request) -> Request:
    """The request with its body as a provider of these quirks takes it, and the hash of the question."""
    for name, value in quirks.extra_body.items():
        body.setdefault(name, value)
    for name in quirks.drop:
        body.pop(name, None)
    for name, (least, most) in quirks.clamp.items():
        if _is_number(body.get(name)):
            body[name] = min(max(body[name], least), most)
    body = {quirks.rename.get(name, name): value for name, value in body.items()}
    try:
        return replace(made, body=_encode(body), workload_sha256=canonical_sha256(hashed))
    except (TypeError, ValueError, RecursionError) as error:
        raise TaskError(f"sample {sample.id!r} cannot be written as JSON: {error}") from None


def raw(
    endpoint: Endpoint,
    body: JsonObject | bytes | None,
    *,
    path: str = "/chat/completions",
    method: Method = "POST",
    stream: bool = False,
    headers: Mapping[str, str] | None = None,
    auth: KeySent = "provider",
) -> Request:
    """Build a probe's request: no quirk is applied, nothing is added.

    In a dict, ``model`` is filled in where it is there with value None; bytes are sent as they are; None: no body.
    ``stream`` only says how the answer is to be read. TaskError when a dict cannot be written as JSON.
    """
    try:
        if isinstance(body, dict):
            filled = {**body, "model": endpoint.model_id} if "model" in body and body["model"] is None else body
            encoded: bytes | None = _encode(filled)
            workload = canonical_sha256({name: value for name, value in body.items() if name != "model"})
        else:
            encoded = body
            named = canonical_sha256({"method": method, "path": path})
            workload = named if body is None else hashlib.sha256(body).hexdigest()
    except (TypeError, ValueError, RecursionError) as error:
        raise TaskError(f"a request for {path} cannot be written as JSON: {error}") from None
    return Request(
        path=path,
        body=encoded,
        stream=stream,
        workload_sha256=workload,
        method=method,
        headers=dict(headers or {}),
        auth=auth,
    )


def adapted(quirks: Quirks, params: Iterable[str]) -> list[str]:
    """How requests with these parameters differ for a provider of these quirks, one line each; empty: in nothing.

    What it declares to have no effect is among them: it is sent, and a comparison that rests on it is none.
    """
    asked = set(params)
    lines = [f"{name} is not sent" for name in quirks.drop if name in asked]
    lines += [f"{name} is sent as {other}" for name, other in quirks.rename.items() if name in asked]
    lines += [
        f"{name} is held within {low:g} and {high:g}" for name, (low, high) in quirks.clamp.items() if name in asked
    ]
    return lines + [f"{name} has no effect by its own account" for name in quirks.ignored if name in asked]


def canonical_sha256(obj: Any) -> str:
    """Hash a JSON value: SHA-256, in hexadecimal, of its compact UTF-8 text with sorted keys."""
    return hashlib.sha256(_encode(obj, sort_keys=True)).hexdigest()


def _params(sample: Sample) -> JsonObject:
    """The sample's parameters, with the output limit under one name."""
    taken = [name for name in _NOT_PARAMS if name in sample.params]
    if taken:
        raise TaskError(f"sample {sample.id!r}: params must not hold {taken[0]!r}", hint="The harness sets it")
    given = [name for name in _LIMIT_NAMES if name in sample.params]
    if len(given) == 2:
        raise TaskError(f"sample {sample.id!r}: params hold both {given[0]} and {given[1]}", hint="Keep max_tokens")
    return {_HASHED_LIMIT if name in _LIMIT_NAMES else name: value for name, value in sample.params.items()}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _encode(obj: Any, *, sort_keys: bool = False) -> bytes:
    text = json.dumps(obj, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=sort_keys)
    try:
        return text.encode()
    except UnicodeEncodeError:
        # A lone surrogate has no UTF-8; JSON can carry it as an escape, and it can only stand inside a string.
        return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode()


def allowance(request: Request) -> int | None:
    """Output tokens that a request allows; 0 for one that cannot be answered with any, None: it sets no cap."""
    if request.path.partition("?")[0].endswith(_WITHOUT_OUTPUT):
        return 0
    try:
        body = json.loads(request.body or b"")
    except (ValueError, RecursionError):  # a probe may send what nests deeper than anybody reads
        return 0
    if not isinstance(body, dict):
        return 0
    cap = next((body[name] for name in (*reversed(_LIMIT_NAMES), "max_output_tokens") if name in body), None)
    times = body.get("n")
    return cap * (times if isinstance(times, int) and times > 0 else 1) if isinstance(cap, int) else None
