"""The known shapes of one answer or one piece of it: text, reasoning, refusal, usage, finish reason.

Every function reads liberally and adds the name of what it tolerated to ``names``; none changes what it read.
The fields ``reasoning_content`` and ``reasoning`` with plain text are undocumented but so common that they are no
deviation.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from harness.exchange import Usage
from harness.types import JsonObject

FINISH_REASONS = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})

_SURROGATE = re.compile("[\ud800-\udfff]")
_NOTHING = Usage()
_MOST = 2**53
"""DuckDB holds counts in 64 bits; a larger number than this is no count of tokens either."""
_COSTS = (("cost", 1.0), ("cost_in_usd_ticks", 1e-10), ("estimated_cost", 1.0))
"""Fields of ``usage`` that tell what an answer cost, and how many USD one of each is."""
_TEXT_KEYS = ("text", "content", "thinking", "summary", "reasoning", "reasoning_content", "value")


class Texts(NamedTuple):
    """The three channels of text in a message or a delta; empty: nothing there."""

    content: str
    reasoning: str
    refusal: str


def texts(message: JsonObject, names: set[str]) -> Texts:
    """Read one ``message`` or ``delta``; where reasoning comes under two names it is taken once.

    Names: ``content_parts``, ``content_object``, ``content_not_text``, ``reasoning_in_content``, ``reasoning_object``,
    ``reasoning_details``, ``thinking_blocks``, ``reasoning_twice``, ``refusal_not_text``.
    """
    content, in_content, in_refusal = _content(message.get("content"), names)
    found: list[str] = []
    for key, name in (
        ("reasoning_content", "reasoning_object"),
        ("reasoning", "reasoning_object"),
        ("reasoning_details", "reasoning_details"),
        ("thinking_blocks", "thinking_blocks"),
        ("thinking", "thinking_blocks"),
    ):
        value = message.get(key)
        text = _inner_text(value) if value else ""
        if text:
            found.append(text)
            if not isinstance(value, str) or key == "thinking":
                names.add(name)
    if in_content:
        found.append(in_content)
        names.add("reasoning_in_content")
    if len(found) > 1:
        names.add("reasoning_twice")
    refusal = message.get("refusal")
    if refusal is not None and not isinstance(refusal, str):
        names.add("refusal_not_text")
        refusal = _inner_text(refusal)
    return Texts(content, found[0] if found else "", (refusal or "") + in_refusal)


def _content(value: Any, names: set[str]) -> tuple[str, str, str]:
    if value is None or isinstance(value, str):
        return value or "", "", ""
    if isinstance(value, dict):
        names.add("content_object")
        value = [value]
    elif isinstance(value, list):
        names.add("content_parts")
    else:
        names.add("content_not_text")
        return "", "", ""
    content: list[str] = []
    reasoning: list[str] = []
    refusal: list[str] = []
    for part in value:
        kind = str(part.get("type", "")) if isinstance(part, dict) else ""
        if "thinking" in kind or "reasoning" in kind:
            reasoning.append(_inner_text(part))
        elif kind == "refusal":
            refusal.append(_inner_text(part.get("refusal")))
        else:
            content.append(_inner_text(part))
    return "".join(content), "".join(reasoning), "".join(refusal)


def _inner_text(value: Any, depth: int = 0) -> str:
    """Text of a string, of an object's text field, or of a list of these, joined."""
    if isinstance(value, str):
        return value
    if depth > 4:
        return ""
    if isinstance(value, list):
        return "".join(_inner_text(item, depth + 1) for item in value)
    if isinstance(value, dict):
        return next((text for key in _TEXT_KEYS if (text := _inner_text(value.get(key), depth + 1))), "")
    return ""


def finish_reason(choice: JsonObject, names: set[str]) -> str | None:
    """The finish reason; None: not finished yet.

    Names: ``finish_empty`` (``""`` or ``"null"``, read as not finished), ``finish_not_text``, ``finish_unknown``.
    """
    value = choice.get("finish_reason")
    if value is None:
        return None
    if value in ("", "null"):
        names.add("finish_empty")
        return None
    if not isinstance(value, str):
        names.add("finish_not_text")
        return None
    if value not in FINISH_REASONS:
        names.add("finish_unknown")
    return value


def usage(chunk: JsonObject, choice: JsonObject, names: set[str]) -> Usage | None:
    """Token counts of one chunk or body, wherever they are; None: none stated.

    Names: ``usage_in_x_groq``, ``usage_in_choice``, ``usage_field_names``, ``usage_not_a_count``,
    ``usage_not_an_object``.
    """
    value = chunk.get("usage")
    if value is not None and not isinstance(value, dict):
        names.add("usage_not_an_object")
    if not isinstance(value, dict) or not value:
        groq = chunk.get("x_groq")
        elsewhere = (
            ("usage_in_x_groq", groq.get("usage") if isinstance(groq, dict) else None),
            ("usage_in_choice", choice.get("usage")),
        )
        name, value = next(((name, held) for name, held in elsewhere if isinstance(held, dict) and held), ("", None))
        if value is None:
            return None
        names.add(name)
    read = Usage(
        prompt_tokens=_count(value, names, "prompt_tokens", "input_tokens"),
        completion_tokens=_count(value, names, "completion_tokens", "output_tokens"),
        cached_tokens=_cached(value, names),
        reasoning_tokens=_detail(
            value, names, ("completion_tokens_details", "output_tokens_details"), "reasoning_tokens"
        ),
        cache_write_tokens=_detail(
            value, names, ("prompt_tokens_details", "input_tokens_details"), "cache_write_tokens"
        ),
        cost_usd=_cost(value),
    )
    return None if read == _NOTHING else read


def _cached(value: JsonObject, names: set[str]) -> int | None:
    for key in ("prompt_cache_hit_tokens", "num_cached_tokens"):
        if value.get(key) is not None:
            return _count(value, names, key)
    return _detail(value, names, ("prompt_tokens_details", "input_tokens_details"), "cached_tokens")


def _cost(value: JsonObject) -> float | None:
    """USD, stated as such or in ticks of 1e-10 USD; what is no sum of money is none."""
    for key, unit in _COSTS:
        stated = value.get(key)
        if isinstance(stated, int | float) and not isinstance(stated, bool) and 0 <= stated < _MOST:
            return stated * unit
    return None


def _detail(value: JsonObject, names: set[str], holders: Sequence[str], key: str) -> int | None:
    """A count in a details object, or beside the main counts where some servers put it."""
    for holder in holders:
        inner = value.get(holder)
        if isinstance(inner, dict) and inner.get(key) is not None:
            return _count(inner, names, key)
    return _count(value, names, key)


def _count(value: JsonObject, names: set[str], key: str, other: str = "") -> int | None:
    number = value.get(key)
    if type(number) is int and 0 <= number < _MOST:
        return number
    if number is None and other and value.get(other) is not None:
        names.add("usage_field_names")
        number = value[other]
    if number is None:
        return None
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < _MOST:
        names.add("usage_not_a_count")
        return None
    return number


def sound(text: str, names: set[str]) -> str:
    """``text`` as valid Unicode: surrogate pairs escaped in two pieces are joined, lone halves become U+FFFD.

    Names: ``split_surrogates``, ``lone_surrogate``.
    """
    if text.isascii() or not _SURROGATE.search(text):
        return text
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    names.add("lone_surrogate" if whole.count("\ufffd") > text.count("\ufffd") else "split_surrogates")
    return whole


def repeats(pieces: Sequence[str]) -> str | None:
    """How streamed text repeats itself; None: it does not.

    ``cumulative``: every piece holds the one before it and adds to it; ``repeated_at_end``: the last piece is all the
    others once more. Fewer than three pieces or eight characters prove nothing.
    """
    if len(pieces) < 3 or len(pieces[-1]) < 8:
        return None
    if all(len(after) > len(before) and after.startswith(before) for before, after in itertools.pairwise(pieces)):
        return "cumulative"
    return "repeated_at_end" if pieces[-1] == "".join(pieces[:-1]) else None
