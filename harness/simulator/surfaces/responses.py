"""The Responses API read as a chat: items become messages, and what was answered is kept for later turns.

A response in the background is queued, and finished by the time that it is asked for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from harness.simulator.model.speech import Choice
from harness.simulator.refusal import Refusal, bad_type, bad_value, missing
from harness.simulator.requests import asked as asking
from harness.simulator.requests.asked import Asked
from harness.simulator.surfaces.response_shape import ResponseShape
from harness.types import JsonObject

ROOT = "/v1/responses/"
LEAST_CAP = 16
"""Smallest ``max_output_tokens``."""
_KEPT = 1_000
"""Responses that are remembered; the oldest is forgotten."""
_SAME = ("model", "stream", "temperature", "top_p", "parallel_tool_calls", "store", "user", "metadata", "service_tier")
"""Fields that mean the same in chat."""
_PARTS = {"input_text": "text", "output_text": "text", "refusal": "refusal"}
_NAMES = (
    ("messages", "input"),
    ("max_tokens", "max_output_tokens"),
    ("response_format.json_schema", "text.format"),
    ("response_format", "text.format"),
    ("reasoning_effort", "reasoning.effort"),
)
"""What chat calls a field, and what it is called here."""


class Turns(NamedTuple):
    """What a kept response leaves to the next one."""

    messages: tuple[JsonObject, ...]
    """The conversation with its answer, without instructions."""
    body: JsonObject


class Shelf:
    """The responses that may be asked for again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Turns] = OrderedDict()

    def keep(self, shape: ResponseShape, choices: Sequence[Choice], usage: JsonObject) -> None:
        """Remember one response, unless its request says not to."""
        if shape.given.get("store") is False and "resp_always_kept" not in shape.mutants:
            return
        given = {key: value for key, value in shape.given.items() if value is not None}
        # What was said, whatever deviations it is told with.
        said = replace(shape, mutants=frozenset()).items(choices[0])
        messages = (*conversation(given, self, shape.mutants), *_messages(said, frozenset()))
        self._kept[shape.id] = Turns(messages, shape.whole(choices, usage))
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def before(self, name: str) -> tuple[JsonObject, ...]:
        """The conversation up to a response; Refusal 400 when there is none of that name."""
        if name not in self._kept:
            what = f"Previous response with id '{name}' not found."
            raise Refusal(400, what, param="previous_response_id", code="previous_response_not_found")
        return self._kept[name].messages

    def look_up(self, method: str, name: str, mutants: frozenset[str]) -> JsonObject:
        """What GET and DELETE of one response give, and the POST that cancels it, which comes too late.

        Refusal 404 when there is none of that name, 400 for cancelling what is not in the background.
        """
        if name not in self._kept:
            raise Refusal(404, f"Response with id '{name}' not found.")
        body = self._kept[name].body
        if method == "POST" and not body["background"]:
            raise Refusal(400, "Cannot cancel a response that is not in the background.")
        if method != "DELETE":
            return body
        if "resp_delete_nothing" not in mutants:
            del self._kept[name]
        return {"id": name, "object": "response", "deleted": True}


def read(body: JsonObject, shelf: Shelf, mutants: frozenset[str]) -> Asked:
    """The request of a body as the model behind reads it; Refusal 400 names the field that is wrong."""
    given = asking.fields_of(body)
    heard = conversation(given, shelf, mutants)
    if (instructions := given.get("instructions")) is not None:
        if not isinstance(instructions, str):
            raise bad_type("instructions", "a string", instructions)
        heard = ({"role": "system", "content": instructions}, *heard)
    chat: JsonObject = {name: given[name] for name in _SAME if name in given} | {"messages": list(heard)}
    if "max_output_tokens" in given:
        chat["max_tokens"] = _cap(given["max_output_tokens"])
    if "tools" in given:
        chat["tools"] = _tools(given["tools"])
    if "tool_choice" in given:
        chat["tool_choice"] = _choice(given["tool_choice"])
    form, effort = _object(given, "text").get("format"), _object(given, "reasoning").get("effort")
    if form is not None:
        chat["response_format"] = _format(form)
    if effort is not None:
        chat["reasoning_effort"] = effort
    try:
        # What it thinks is told as a summary of this surface's own, not in the channel of chat.
        return replace(asking.read(chat, "chat", mutants), effort="none")
    except Refusal as refusal:
        raise _renamed(refusal) from None


def conversation(given: JsonObject, shelf: Shelf, mutants: frozenset[str]) -> tuple[JsonObject, ...]:
    """The messages of ``input``, behind those of the response that it continues."""
    if "input" not in given:
        raise missing("input")
    items = given["input"]
    if not isinstance(items, str | list):
        raise bad_type("input", "a string or an array of items", items)
    if isinstance(items, list) and "resp_text_alone" in mutants:
        raise bad_type("input", "a string", items)
    previous = given.get("previous_response_id")
    if not isinstance(previous, str | None):
        raise bad_type("previous_response_id", "a string", previous)
    before = shelf.before(previous) if previous and "resp_forget" not in mutants else ()
    said = ({"role": "user", "content": items},) if isinstance(items, str) else _messages(items, mutants)
    return (*before, *said)


def counted(tokens: int, mutants: frozenset[str]) -> JsonObject:
    """What is answered to a request that only wants its tokens counted."""
    return {"object": "response.input_tokens", "input_tokens": tokens + 5 * ("resp_miscount" in mutants)}


def _messages(items: list[Any], mutants: frozenset[str]) -> tuple[JsonObject, ...]:
    messages: list[JsonObject] = []
    for place, item in enumerate(items):
        where = f"input[{place}]"
        if not isinstance(item, dict):
            raise bad_type(where, "an object", item)
        match item.get("type", "message"):
            case "message":
                messages.append(_message(where, item))
            case "function_call":
                _add_call(where, item, messages)
            case "function_call_output" if "resp_drop_outputs" in mutants:
                messages[-1:] = []
            case "function_call_output":
                messages.append(_output(where, item))
            case "reasoning":
                pass
            case kind:
                raise bad_value(f"{where}.type", f"{kind!r}. Supported: message, function_call, function_call_output")
    return tuple(messages)


def _message(where: str, item: JsonObject) -> JsonObject:
    content = item.get("content")
    if isinstance(content, list):
        content = [_part(f"{where}.content[{place}]", part) for place, part in enumerate(content)]
    return {"role": item.get("role"), "content": content}


def _part(where: str, part: Any) -> JsonObject:
    if not isinstance(part, dict):
        raise bad_type(where, "an object", part)
    kind = part.get("type")
    if kind in ("input_image", "input_file", "input_audio"):
        raise Refusal(400, f"This model reads text only, '{where}' is {kind}.", param=where, code="unsupported_content")
    if kind not in _PARTS:
        raise bad_value(f"{where}.type", f"{kind!r}. Supported: {', '.join(_PARTS)}")
    return {"type": _PARTS[kind], _PARTS[kind]: part.get(_PARTS[kind])}


def _add_call(where: str, item: JsonObject, messages: list[JsonObject]) -> None:
    """Calls that stand side by side are of one message."""
    for field in ("call_id", "name", "arguments"):
        if not isinstance(item.get(field), str):
            raise missing(f"{where}.{field}")
    function = {"name": item["name"], "arguments": item["arguments"]}
    call = {"id": item["call_id"], "type": "function", "function": function}
    if messages and messages[-1].get("tool_calls"):
        messages[-1]["tool_calls"].append(call)
    else:
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})


def _output(where: str, item: JsonObject) -> JsonObject:
    if not isinstance(item.get("call_id"), str):
        raise missing(f"{where}.call_id")
    output = item.get("output")
    if isinstance(output, list):
        output = [_part(f"{where}.output[{place}]", part) for place, part in enumerate(output)]
    if not isinstance(output, str | list):
        raise missing(f"{where}.output")
    return {"role": "tool", "tool_call_id": item["call_id"], "content": output}


def _cap(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_type("max_output_tokens", "an integer", value)
    if value < LEAST_CAP:
        raise bad_value("max_output_tokens", f"{value}. It must be at least {LEAST_CAP}", "below_min")
    return value


def _object(given: JsonObject, name: str) -> JsonObject:
    value = given.get(name, {})
    if not isinstance(value, dict):
        raise bad_type(name, "an object", value)
    return value


def _tools(value: Any) -> Any:
    """Tools with their functions inside, as chat has them; what is no function stays for chat to refuse."""
    if not isinstance(value, list):
        return value
    return [
        {"type": "function", "function": {key: part for key, part in tool.items() if key != "type"}}
        if isinstance(tool, dict) and tool.get("type") == "function"
        else tool
        for tool in value
    ]


def _choice(value: Any) -> Any:
    if isinstance(value, dict) and value.get("type") == "function":
        return {"type": "function", "function": {"name": value.get("name")}}
    if isinstance(value, dict) and value.get("type") == "allowed_tools":
        return {"type": "allowed_tools", "allowed_tools": {**value, "tools": _tools(value.get("tools"))}}
    return value


def _format(value: Any) -> JsonObject:
    if not isinstance(value, dict):
        raise bad_type("text.format", "an object", value)
    if value.get("type") != "json_schema":
        return {"type": value.get("type")}
    return {"type": "json_schema", "json_schema": {key: part for key, part in value.items() if key != "type"}}


def _renamed(refusal: Refusal) -> Refusal:
    """A refusal of chat, with the names that its fields have here."""
    message, param = refusal.message, refusal.param
    for chat, here in _NAMES:
        message = message.replace(f"'{chat}", f"'{here}")
        if param is not None and (param == chat or param.startswith((f"{chat}.", f"{chat}["))):
            param = here + param.removeprefix(chat)
    return Refusal(refusal.status, message, kind=refusal.kind, param=param, code=refusal.code)
