"""A body read as its surface reads it: what is asked, the shape that the answer will have, the tokens of the prompt."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import NamedTuple

from harness.simulator.deviations.by_surface import Surface
from harness.simulator.model.speech import prompt_tokens
from harness.simulator.refusal import Refusal, crash
from harness.simulator.requests import asked as asking
from harness.simulator.requests.asked import Asked
from harness.simulator.surfaces import embeddings, responses
from harness.simulator.surfaces.embeddings import EmbeddingShape
from harness.simulator.surfaces.response_shape import ResponseShape
from harness.simulator.surfaces.shapes import Shape
from harness.types import JsonObject

_IDS = {"chat": "chatcmpl-", "text": "cmpl-", "embeddings": "embd-", "responses": "resp_"}
"""What the id of an answer begins with."""
_PROMPTS = {"chat": "messages", "text": "prompt", "responses": "input"}
"""The field that a prompt stands in."""


class Question(NamedTuple):
    """A request that makes sense."""

    asked: Asked
    shape: Shape
    prompt: int
    """Its tokens."""


def understood(
    body: JsonObject, surface: Surface, shelf: responses.Shelf, mutants: frozenset[str], context: int
) -> Question:
    """The question of a body; ``context``: most tokens of a prompt. Refusal 400 names the field that is wrong."""
    name = _IDS[surface] + ("same" if "same_id" in mutants else secrets.token_hex(12))
    created = int(datetime.now(UTC).timestamp())
    if surface == "embeddings":
        wanted = embeddings.read(body, mutants, context)
        embedded = EmbeddingShape("text", wanted.model, created, mutants, name, wanted=wanted)
        return Question(Asked("text", wanted.model, (), cap=0), embedded, sum(wanted.counts))
    if surface == "responses":
        asked = responses.read(body, shelf, mutants)
        question = Question(
            asked, ResponseShape("chat", asked.model, created, mutants, name, given=body), prompt_tokens(asked)
        )
    else:
        asked = asking.read(body, surface, mutants)
        if asked.tools and "buffered_with_tools" in mutants:
            mutants |= {"buffered_stream"}
        custom = frozenset(tool.name for tool in asked.tools if tool.custom)
        shape = Shape(surface, asked.model, created, mutants, name, asked.logprobs, custom, asked.legacy, asked.aloud)
        question = Question(asked, shape, prompt_tokens(asked))
    return question._replace(prompt=_fitting(question.prompt, context, _PROMPTS[surface], mutants))


def _fitting(prompt: int, most: int, param: str, mutants: frozenset[str]) -> int:
    """Tokens of the prompt that are read; Refusal 400 where they are too many."""
    if prompt <= most or "truncate_prompt" in mutants:
        return min(prompt, most)
    if "crash_on_overflow" in mutants:
        raise crash()
    what = f"This model reads at most {most} tokens, your prompt has {prompt}."
    code = None if "overflow_unnamed" in mutants else "context_length_exceeded"
    raise Refusal(400, what, param=param, code=code)
