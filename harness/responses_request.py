"""A question of a chat in the words of the Responses API: its items, tools and fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.errors import TaskError
from harness.types import JsonObject

_UNKNOWN = frozenset(
    {
        *("audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "modalities"),
        *("prediction", "presence_penalty", "seed", "stop", "web_search_options"),
    }
)
"""Fields of a chat that the Responses API has no counterpart of."""
_SYSTEM = ("system", "developer")


def response_body(
    where: str, messages: Sequence[JsonObject], tools: Iterable[JsonObject], params: JsonObject
) -> JsonObject:
    """The fields of a Responses request that asks what a chat with these fields asks, without model and stream.

    Messages become items in their order, a system message an item of its role; calls of tools and their results become
    items too. ``store`` is false, for a chat is not kept either. A function's ``strict`` is written out: a chat that
    does not say it means false, and a response true. ``params`` has the output limit as ``max_tokens``; what is no
    field of a chat is taken over as it is. TaskError, with ``where``, for what cannot be said here.

    Source: https://platform.openai.com/docs/guides/migrate-to-responses
    """
    lost = sorted(_UNKNOWN.intersection(params)) + (["n"] if params.get("n", 1) != 1 else [])
    if lost:
        raise TaskError(f"{where}: the Responses API has no {lost[0]!r}", hint="Ask it as a chat: --api chat")
    body: JsonObject = {"input": [item for message in messages for item in _items(where, message)], "store": False}
    if told := [_tool(tool) for tool in tools]:
        body["tools"] = told
    for name in sorted(params):
        _add(body, name, params[name])
    return body


def _add(body: JsonObject, name: str, value: Any) -> None:
    if name == "max_tokens":
        body["max_output_tokens"] = value
    elif name == "response_format":
        body.setdefault("text", {})["format"] = _format(value)
    elif name == "verbosity":
        body.setdefault("text", {})["verbosity"] = value
    elif name == "reasoning_effort":
        body["reasoning"] = {"effort": value}
    elif name == "tool_choice":
        body["tool_choice"] = _choice(value)
    elif name not in ("n", "stream_options"):
        body[name] = value


def _items(where: str, message: JsonObject) -> Iterator[JsonObject]:
    role, content = message.get("role"), message.get("content")
    if role == "tool":
        yield {"type": "function_call_output", "call_id": message.get("tool_call_id"), "output": _plain(content)}
        return
    if content or not message.get("tool_calls"):
        if role == "assistant":
            yield {"type": "message", "role": role, "content": _said(where, content)}
        else:
            yield {"type": "message", "role": role, "content": _asked(where, content)}
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        name, arguments = function.get("name"), function.get("arguments")
        yield {"type": "function_call", "call_id": call.get("id"), "name": name, "arguments": arguments}


def _asked(where: str, content: Any) -> Any:
    """What a user or the system says: a text as it is, parts under their names here."""
    if not isinstance(content, list):
        return content if content is not None else ""
    return [_part(where, part) for part in content]


def _part(where: str, part: Any) -> JsonObject:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind == "text":
        return {"type": "input_text", "text": part.get("text")}
    if kind == "image_url":
        image = part.get("image_url")
        given = image if isinstance(image, Mapping) else {"url": image}
        return {"type": "input_image", "image_url": given.get("url"), "detail": given.get("detail", "auto")}
    if kind == "file" and isinstance(part.get("file"), Mapping):
        return {"type": "input_file", **part["file"]}
    raise TaskError(f"{where}: the Responses API has no part {kind!r}", hint="Ask it as a chat: --api chat")


def _said(where: str, content: Any) -> list[JsonObject]:
    """What the model said before."""
    parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
    found: list[JsonObject] = []
    for part in parts:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind not in ("text", "refusal"):
            raise TaskError(f"{where}: the Responses API has no part {kind!r} of an answer")
        name = "output_text" if kind == "text" else "refusal"
        found.append({"type": name, kind: part.get(kind), **({"annotations": []} if kind == "text" else {})})
    return found


def _plain(content: Any) -> str:
    """The result of a call as one text."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    return "".join(part["text"] for part in content if isinstance(part, Mapping) and isinstance(part.get("text"), str))


def _tool(tool: JsonObject) -> JsonObject:
    """A tool with its function's fields beside its type; what is no function is left as it is."""
    kind = tool.get("type")
    inner = tool.get(kind) if isinstance(kind, str) else None
    if not isinstance(inner, Mapping):
        return tool
    return {"type": kind, **inner, **({"strict": inner.get("strict") or False} if kind == "function" else {})}


def _choice(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    kind = value.get("type")
    inner = value.get(kind) if isinstance(kind, str) else None
    if not isinstance(inner, Mapping):
        return dict(value)
    if kind == "allowed_tools":
        return {"type": kind, **inner, "tools": [_choice(one) for one in inner.get("tools") or ()]}
    return {"type": kind, "name": inner.get("name")}


def _format(value: Any) -> Any:
    if isinstance(value, Mapping) and isinstance(value.get("json_schema"), Mapping):
        return {"type": value.get("type"), **value["json_schema"]}
    return value
