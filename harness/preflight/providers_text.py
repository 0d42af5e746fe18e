"""A providers.yaml with comments, made of choices; no key is ever among them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.preflight.names import words_of
from harness.provider import Provider

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*")
"""What YAML takes for text without quotes, and for nothing else, but for the words below."""
_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_OF_TUNING = frozenset({"instruct", "chat", "it"})
"""Words of an id that do not tell one model from another of its name."""
_HEAD = """\
# Who can be tested from this folder. Written by `harness providers init`; change it as you like.
#
# `use: PRESET` takes over all that is known of a system: `harness providers show NAME` prints it. What a block says
# besides comes over it: limits, models, headers, base_url. Keys never stand here; the variable that holds one does.
# An endpoint is provider/model. Are they usable? `harness providers check`

providers:
"""


@dataclass(frozen=True, slots=True)
class Choice:
    """A provider that the file is to have."""

    preset: Provider
    base_url: str | None = None
    """Where it differs from the preset's; None: it does not."""
    models: Mapping[str, str] = field(default_factory=dict)
    """Name -> id, besides those that the preset maps."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """Field of ``limits:`` -> number."""


def text_of(choices: Sequence[Choice]) -> str:
    """The whole file, which loads as it is."""
    return _HEAD + "\n".join("".join(f"  {_one_line(line)}\n" for line in _block(choice)) for choice in choices)


def name_of(model_id: str, logical: Sequence[str]) -> str:
    """Our name for a model: the logical one of the same words, else the id itself."""
    words = sorted(set(words_of(model_id)) - _OF_TUNING)
    return next((name for name in logical if sorted(set(words_of(name)) - _OF_TUNING) == words), model_id)


def _block(choice: Choice) -> Iterator[str]:
    preset = choice.preset
    about, auth = preset.about, preset.auth
    yield f"# {about.title or preset.id}: {choice.base_url or preset.base_url or 'started on demand'}"
    if about.status:
        yield f"# {about.status}"
    if auth.env is not None:
        where = f", to be had at {about.key_url}" if about.key_url else ""
        yield f"# key: in the environment variable {' or '.join((auth.env, *auth.env_alt))}{where}"
    if about.start:
        yield f"# start: {about.start}"
    mapped = ", ".join([*preset.models, *(["any id that it lists"] if preset.any_model else [])])
    yield f"# models: {mapped}"
    yield f"{preset.id}:"
    yield f"  use: {_scalar(preset.preset or preset.id)}"
    if choice.base_url is not None:
        yield f"  base_url: {_scalar(choice.base_url)}"
    if choice.models:
        yield "  models:  # our name: its id"
        yield from (f"    {_scalar(name)}: {_scalar(model_id)}" for name, model_id in choice.models.items())
    limits = ", ".join(f"{name}: {number}" for name, number in choice.limits.items())
    yield f"  limits: {{{limits}}}" if limits else "  # limits: {concurrency: 4, requests_per_minute: 60}"


def _one_line(line: str) -> str:
    return "".join(char if char.isprintable() else " " for char in line)


def _scalar(text: str) -> str:
    plain = _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT
    return text if plain else json.dumps(text, ensure_ascii=True)
