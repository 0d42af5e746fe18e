"""Answers with embeddings: one vector for each input, or why there is none that could be used."""

from __future__ import annotations

import base64
import binascii
import math
from array import array
from collections.abc import Sequence
from typing import Any

import orjson

from harness.exchange import Completion, Exchange, Failure, FailureKind, Outcome, StreamMarks, Usage
from harness.types import JsonObject, Request
from harness.wire import shapes
from harness.wire.assemble import concluded
from harness.wire.complaint import complaint, inband, one_line, page
from harness.wire.objects import decoded


def assemble(request: Request, exchange: Exchange) -> Outcome:
    """Understand one answer of the embeddings interface. Never raises.

    A success holds a vector for each input: all of one length, finite, and none all 0; anything else is the failure
    ``bad_vectors``. Nothing is streamed: of the marks there is ``ev1`` alone. Deviations named here: ``content_type``,
    ``vector_order`` (the ``index`` fields are not 0, 1, 2...: vectors are put in their order), ``vector_index_missing``
    (taken in the order they came), ``vector_base64`` (numbers were asked for), ``vector_nested`` (one vector in a list
    of its own), and those of usage in ``harness.wire.shapes``.

    Source: https://platform.openai.com/docs/api-reference/embeddings
    """
    return concluded(exchange, _Reading(request, exchange), stream=False)


class BadVectorsError(ValueError):
    """Why a body holds no vectors to be used, in a line."""


def vectors(body: Any, names: set[str]) -> list[Sequence[float]]:
    """The vectors of a decoded body in the order of their inputs; raises BadVectorsError.

    ``names`` gets the deviations.
    """
    items = body.get("data") if isinstance(body, dict) else None
    if not isinstance(items, list) or not items:
        raise BadVectorsError("no list of vectors in data")
    if not all(isinstance(item, dict) for item in items):
        raise BadVectorsError("data holds what is no object")
    found = [_vector(place, item.get("embedding"), names) for place, item in enumerate(_ordered(items, names))]
    lengths = {len(one) for one in found}
    if len(lengths) > 1:
        raise BadVectorsError(f"vectors of {min(lengths)} and of {max(lengths)} numbers in one answer")
    return found


def _ordered(items: list[JsonObject], names: set[str]) -> list[JsonObject]:
    """The items by their ``index``, where that is one."""
    stated = [item.get("index") for item in items]
    if stated == [*range(len(items))]:
        return items
    numbers = [number for number in stated if type(number) is int]
    if sorted(numbers) == [*range(len(items))]:
        names.add("vector_order")
        return sorted(items, key=lambda item: int(item["index"]))
    if any(number is not None for number in stated) and len(items) > 1:
        raise BadVectorsError(f"the index fields do not say which vector is of which input: {stated[:4]}")
    names.add("vector_index_missing")
    return items


def _vector(place: int, given: Any, names: set[str]) -> Sequence[float]:
    where = f"vector {place}"
    if isinstance(given, list) and len(given) == 1 and isinstance(given[0], list):
        names.add("vector_nested")
        given = given[0]
    if isinstance(given, str):
        names.add("vector_base64")
        given = _unpacked(where, given)
    if not isinstance(given, list | array) or not given:
        raise BadVectorsError(f"{where} is missing")
    try:
        vector = array("d", given)
    except (TypeError, OverflowError):
        vector = array("d")
    if not vector or any(isinstance(one, bool) for one in given):
        raise BadVectorsError(f"{where} holds what is no number")
    if not all(map(math.isfinite, vector)):
        raise BadVectorsError(f"{where} holds a number that is not finite")
    if not any(vector):
        raise BadVectorsError(f"{where} is all 0")
    return vector


def _unpacked(where: str, text: str) -> Sequence[float]:
    """Numbers of 4 bytes each, as the official clients pack them."""
    try:
        packed = base64.b64decode(text, validate=True)
        return array("f", packed)
    except (ValueError, binascii.Error):
        raise BadVectorsError(f"{where} is a text that is no packed vector") from None


class _Reading:
    """One body under way to a completion; used once."""

    def __init__(self, request: Request, exchange: Exchange) -> None:
        self.completion: Completion | None = None
        self.problem: Failure | None = None
        self._request = request
        self._exchange = exchange
        self._names: set[str] = set()

    def read(self, *, stream: bool) -> Failure | None:  # noqa: ARG002 - nothing is streamed
        """Fill ``completion``; tells why it is no success, None: it is one."""
        exchange = self._exchange
        start = exchange.body.decode(errors="replace").lstrip("\ufeff \t\r\n")
        if not start:
            return self._fail("empty", "an empty body")
        if markup := page(start):
            return self._fail("bad_json", f"{markup} instead of JSON")
        value = decoded(start)
        if value is None:
            return self._fail("bad_json", f"the body is not JSON; it starts with {start[:60]!r}")
        if found := complaint(value):
            self.problem = inband(found, exchange.status)
            return self.problem
        if not isinstance(value, dict):
            return self._fail("bad_json", "JSON that is no list of embeddings")
        try:
            got = vectors(value, self._names)
            self._refuse_another_number(got)
        except BadVectorsError as error:
            return self._fail("bad_vectors", str(error))
        self.completion = self._completion(value, got)
        return None

    def _fail(self, kind: FailureKind, detail: str) -> Failure:
        self.problem = Failure(kind, one_line(detail), self._exchange.status)
        return self.problem

    def _refuse_another_number(self, got: Sequence[Sequence[float]]) -> None:
        try:
            asked = orjson.loads(self._request.body or b"")["input"]
        except (ValueError, LookupError, TypeError):
            return
        wanted = len(asked) if isinstance(asked, list) else 1
        if len(got) != wanted:
            raise BadVectorsError(f"{len(got)} vectors for {wanted} inputs")

    def _completion(self, value: JsonObject, got: list[Sequence[float]]) -> Completion:
        exchange = self._exchange
        kind = next((text for name, text in reversed(exchange.headers) if name == "content-type"), "application/json")
        if kind.partition(";")[0].strip().lower() != "application/json":
            self._names.add("content_type")
        read = shapes.usage(value, {}, self._names)
        model = value.get("model")
        return Completion(
            text="",
            reasoning="",
            refusal="",
            tool_calls=(),
            finish_reason=None,
            # What is embedded has no output; a count of it, as some servers give, is no output token.
            usage=None if read is None else Usage(read.prompt_tokens, cost_usd=read.cost_usd),
            marks=StreamMarks(ev1_ns=next(one.at_ns for one in reversed(exchange.reads) if one.data)),
            deviations=tuple(sorted(self._names)),
            model=shapes.sound(model, self._names) if isinstance(model, str) and model else None,
            vectors=tuple(got),
        )
