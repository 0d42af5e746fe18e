"""The JSON of the Responses API: a response, its items and its usage."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.simulator.model import tokens
from harness.simulator.model.speech import Choice
from harness.simulator.surfaces.shapes import Shape
from harness.types import JsonObject

_THOUGHT = "The user wants an answer, so one is written."
"""The summary of what the model thought, where it was told to think."""
_ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""Fields that a response repeats of its request, with what they are when nothing was said."""
_NULLABLE = ("error", "incomplete_details", "instructions", "metadata", "temperature", "top_p")
Status = Literal["in_progress", "completed", "incomplete"]


@dataclass(frozen=True, slots=True)
class ResponseShape(Shape):
    """Builds the objects of one response."""

    given: JsonObject = field(default_factory=dict)
    """The body that was sent."""

    @property
    def thought(self) -> str:
        """The summary of its reasoning; empty: it was not told to reason."""
        effort = (self.given.get("reasoning") or {}).get("effort", "none")
        return "" if effort == "none" or "resp_ignore_reasoning" in self.mutants else _THOUGHT

    @property
    def queued(self) -> bool:
        """Whether it is answered in the background, to be asked for later."""
        return self.given.get("background") is True and "resp_ignore_background" not in self.mutants

    def whole(self, choices: Sequence[Choice], usage: JsonObject) -> JsonObject:
        """The finished response."""
        cut = choices[0].finish == "length"
        body = self.begun() | {
            "status": "incomplete" if cut else "completed",
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "output": self.items(choices[0]),
            "usage": self._usage(usage),
        }
        if "no_usage" in self.mutants:
            del body["usage"]
        if "resp_bare" in self.mutants:
            body = {key: value for key, value in body.items() if key not in _NULLABLE or value is not None}
        return body

    def begun(self) -> JsonObject:
        """The response before it has any output."""
        body: JsonObject = {
            "id": self.id,
            "object": "chat.completion" if "resp_chat_object" in self.mutants else "response",
            "created_at": self.created,
            "status": "in_progress",
            "background": self.queued,
            "error": None,
            "incomplete_details": None,
            "model": self.model,
            "output": [],
            "reasoning": {"effort": None, "summary": None, **(self.given.get("reasoning") or {})},
            "service_tier": "default",
            "usage": None,
        }
        given = {key: self.given.get(key) for key in _ECHOED}
        return body | {key: fallback if given[key] is None else given[key] for key, fallback in _ECHOED.items()}

    def items(self, choice: Choice) -> list[JsonObject]:
        """All output: what was thought, what was said, what is to be called."""
        status: Status = "incomplete" if choice.finish == "length" else "completed"
        found = [self.reasoning(self.thought)] if self.thought else []
        if choice.text or not choice.calls:
            found.append(self.message([self.part(choice.text)], status))
        return [*found, *(self.call(choice, number, status, whole=True) for number in range(choice.calls))]

    def item_id(self, kind: str) -> str:
        """The id of an item: ``rs`` for reasoning, ``msg`` for the message, ``fc0`` and so on for calls."""
        return f"{kind}_{self.id.removeprefix('resp_')}"

    def reasoning(self, summary: str) -> JsonObject:
        """A reasoning item; an empty summary: it has not come yet."""
        parts = [{"type": "summary_text", "text": summary}] if summary else []
        return {"type": "reasoning", "id": self.item_id("rs"), "summary": parts}

    def message(self, content: list[JsonObject], status: Status) -> JsonObject:
        """The message item."""
        return {
            "type": "message",
            "id": self.item_id("msg"),
            "status": status,
            "role": "assistant",
            "content": [] if "resp_no_content" in self.mutants else content,
        }

    def part(self, text: str) -> JsonObject:
        """The content part of the message."""
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}

    def call(self, choice: Choice, number: int, status: Status, *, whole: bool) -> JsonObject:
        """A function call; not ``whole``: its arguments have not come yet."""
        name, arguments = choice.arguments(number)
        given: Any = arguments if whole else ""
        if "resp_arguments_object" in self.mutants and whole:
            given = json.loads(arguments) if arguments.endswith("}") else {}
        item: JsonObject = {"type": "function_call", "id": self.item_id(f"fc{number}"), "status": status}
        if "resp_chat_call" in self.mutants:
            return item | {"function": {"name": name, "arguments": given}}
        item |= {"call_id": choice.ids[number], "name": name, "arguments": given}
        if "resp_no_call_id" in self.mutants:
            del item["call_id"]
        return item

    def _usage(self, usage: JsonObject) -> JsonObject:
        """The counts under the names that they have here."""
        thought = tokens.count(self.thought)
        if "resp_chat_usage" in self.mutants:
            return usage
        shown: JsonObject = {
            "input_tokens": usage["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": usage["prompt_tokens_details"]["cached_tokens"]},
            "output_tokens": usage["completion_tokens"] + thought,
            "output_tokens_details": {"reasoning_tokens": thought},
            "total_tokens": usage["total_tokens"] + thought,
        }
        if "resp_no_details" in self.mutants:
            del shown["input_tokens_details"], shown["output_tokens_details"]
        return shown
