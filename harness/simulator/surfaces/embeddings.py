"""Embeddings: a unit vector for each text, the same for the same text, and what a request for them may ask."""

from __future__ import annotations

import base64
import math
import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.simulator.model import tokens
from harness.simulator.model.chance import draw
from harness.simulator.model.speech import Choice
from harness.simulator.refusal import Refusal, bad_type, bad_value, missing
from harness.simulator.requests.asked import check_model, fields_of
from harness.simulator.requests.prompts import is_token, text_of_tokens
from harness.simulator.surfaces.shapes import Shape
from harness.types import JsonObject

DIMENSIONS = 256
MOST_INPUTS = 2048
_FORMATS = ("float", "base64")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request for embeddings that makes sense."""

    model: str
    texts: tuple[str, ...]
    dimensions: int = DIMENSIONS
    form: str = "float"

    @property
    def counts(self) -> list[int]:
        """Tokens of each text."""
        return [tokens.count(text) for text in self.texts]


@dataclass(frozen=True, slots=True)
class EmbeddingShape(Shape):
    """The body of a response with embeddings; nothing of it is streamed."""

    wanted: Wanted = field(default_factory=lambda: Wanted("", ()))

    def whole(self, choices: Sequence[Choice], usage: JsonObject) -> JsonObject:  # noqa: ARG002 - nothing was spoken
        """The list of embeddings, one for each text, with usage."""
        return listed(self.wanted, self.mutants)


def read(body: JsonObject, mutants: frozenset[str], context: int) -> Wanted:
    """What a body asks for; ``context``: most tokens of one input. Refusal 400 names the field that is wrong."""
    given = fields_of(body)
    check_model(given)
    form = given.get("encoding_format", "float")
    if form not in _FORMATS and "emb_any_format" not in mutants:
        raise bad_value("encoding_format", f"{form!r}. Supported: {', '.join(_FORMATS)}")
    size = given.get("dimensions", DIMENSIONS)
    if isinstance(size, bool) or not isinstance(size, int):
        raise bad_type("dimensions", "an integer", size)
    if not 1 <= size <= DIMENSIONS:
        raise bad_value("dimensions", f"{size}. This model has 1 to {DIMENSIONS}")
    texts = _texts(given, mutants)
    longest = max(map(tokens.count, texts))
    if "emb_truncates" in mutants:
        texts = ["".join(tokens.split(text)[:context]) for text in texts]
    elif longest > context:
        what = f"This model reads at most {context} tokens, one of your inputs has {longest}."
        raise Refusal(400, what, param="input", code="context_length_exceeded")
    return Wanted(given["model"], tuple(texts), size, form)


def listed(wanted: Wanted, mutants: frozenset[str]) -> JsonObject:
    """The body of the response."""
    counts = wanted.counts
    vectors = [vector(wanted.model, _heard(text, wanted, mutants), wanted.dimensions) for text in wanted.texts]
    if "emb_ignore_dimensions" in mutants:
        vectors = [vector(wanted.model, text) for text in wanted.texts]
    if "emb_swapped" in mutants:
        vectors.reverse()
    data = [_item(number, one, wanted.form, mutants) for number, one in enumerate(vectors)]
    if "emb_first_alone" in mutants:
        data = data[:1]
    if "emb_reversed" in mutants:
        data.reverse()
    total = counts[0] if "emb_usage_first" in mutants else sum(counts)
    body: JsonObject = {
        "object": "list",
        "data": data,
        "model": wanted.model,
        "usage": {"prompt_tokens": total, "total_tokens": total + ("emb_usage_total" in mutants)},
    }
    if "emb_no_usage" in mutants:
        del body["usage"]
    return body


def vector(model: str, text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """A unit vector that depends on model and text alone; fewer ``dimensions`` are its first ones, scaled anew."""
    rng = draw(0, "embedding", model, text)
    raw = [rng.gauss(0.0, 1.0) for _ in range(DIMENSIONS)][:dimensions]
    norm = math.hypot(*raw)
    return list(struct.unpack(f"<{dimensions}f", struct.pack(f"<{dimensions}f", *(x / norm for x in raw))))


def _heard(text: str, wanted: Wanted, mutants: frozenset[str]) -> str:
    """What the model reads of a text under deviations."""
    if "emb_noise" in mutants:
        return f"{text} {secrets.token_hex(4)}"
    if "emb_ascii" in mutants:
        text = text.encode("ascii", "ignore").decode()
    return f"{text} {len(wanted.texts)}" if "emb_batch_differs" in mutants else text


def _item(number: int, values: list[float], form: str, mutants: frozenset[str]) -> JsonObject:
    shown: Any = values
    if form == "base64" and "emb_ignore_base64" not in mutants:
        kind = ">f" if "emb_big_endian" in mutants else "<d" if "emb_doubles" in mutants else "<f"
        packed = struct.pack(f"{kind[0]}{len(values)}{kind[1]}", *values)
        shown = base64.b64encode(packed).decode()
    if "emb_nested" in mutants:
        shown = [shown]
    return {"object": "embedding", "index": 0 if "emb_index_zero" in mutants else number, "embedding": shown}


def _texts(given: JsonObject, mutants: frozenset[str]) -> list[str]:
    """The inputs; Refusal 400 for what is none, or empty."""
    if "input" not in given:
        raise missing("input")
    value = given["input"]
    inputs = value if isinstance(value, list) and not all(is_token(one) for one in value) else [value]
    if len(inputs) > MOST_INPUTS:
        raise bad_value("input", f"{len(inputs)} inputs. At most {MOST_INPUTS} are allowed", "array_above_max_length")
    return [_text(one, mutants) for one in inputs]


def _text(one: Any, mutants: frozenset[str]) -> str:
    if one in ("", []):
        if "emb_empty_500" in mutants:
            raise Refusal(500, "The server had an error.", kind="server_error")
        raise bad_value("input", "it cannot be empty", "empty_input")
    if isinstance(one, str):
        return one
    if not isinstance(one, list) or not all(is_token(number) for number in one):
        raise bad_type("input", "a string, a list of strings, a list of tokens or a list of such lists", one)
    if "emb_tokens_500" in mutants:
        raise Refusal(500, "The server had an error.", kind="server_error")
    return text_of_tokens(one, "input")
