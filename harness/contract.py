"""Faults of a reply's contract, by name: what an application trips over although the answer could be understood.

A deviation (``Completion.deviations``) is an oddity of how an answer was sent, which reading it has mended; a fault
here is of what the answer says once it is understood, and no reader can mend it. No fault has a name on both axes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Literal

from harness.exchange import Completion, ToolCall

LEAKED = "leaked_markup"
CALL_MARKERS = (
    *("<tool_call", "</tool_call", ":tool_call>", "<|tool", "<｜tool", "[TOOL_CALLS]", "<function=", "<function>"),
    *("<function_call", "<invoke name=", "<|python_tag|>", "<|action_start|>", "to=functions.", "```tool_c"),
    *(":function_calls>", "<xai:function_call", "<start_function_call>", "<parameter=", "<arg_key>", "[ARGS]{"),
    *("<｜DSML｜", "<｜｜DSML｜｜", "<TOOLCALL>", "<|START_ACTION|>", "<|call|>", "<longcat_tool_call>"),
)
"""How models spell a call before a server has parsed it: in a text they show a parser that is missing or failed."""
THINKING_MARKERS = (
    *("<think>", "</think>", "<thinking>", "</thinking>", "<thought>", "<reasoning>"),
    *("[THINK]", "[/THINK]", "◁think▷", "<|channel|>", ":think>", "<|START_THINKING|>", "<|END_THINKING|>"),
)
"""How models mark what they think: in the content they show a parser that is missing or failed."""
TURN_MARKERS = (
    *("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>"),
    *("<|start_header_id|>", "<|end_header_id|>", "<|start|>", "<|message|>", "<|end|>", "<|return|>"),
    *("<start_of_turn>", "<end_of_turn>", "<turn|>", "[INST]", "[/INST]", "<|user|>", "<|assistant|>"),
    *("<|observation|>", "<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>", "<|END_OF_TURN_TOKEN|>"),
)
"""How templates mark whose turn it is and where it ends: in a text they show a wrong template, or an end that the
server did not know."""
SIGNS = "<>[=`◁"
"""Every marker holds one of them."""
_CALLING = ("tool_calls", "function_call")


def faults(completion: Completion, asked: bytes = b"") -> tuple[str, ...]:
    """The faults of one answer, sorted, each once; empty: it keeps its contract.

    ``asked`` is the body of the request, as compact JSON; empty: not known. It tells which tools there are, that a call
    was named by ``tool_choice``, which may end with ``stop``, and that a tool is a custom one, which takes any text.
    Nothing is held against a server that our own cap did (finish reason ``length``).

    Names: ``leaked_markup``, ``wrong_finish_reason`` (calls that do not end with ``tool_calls``, or ``tool_calls``
    without any), ``duplicate_call_id``, ``missing_call_id``, ``empty_call`` (without a name), ``unknown_tool`` (a name
    that the request does not hold), ``arguments_not_json``, ``arguments_not_object``, ``only_reasoning`` (neither
    content nor a call), ``thinking_markup`` and ``turn_markup`` (marks of what is thought and of turns in the content).
    """
    found = _call_faults(completion, asked) if completion.tool_calls else set()
    if leaked(completion) is not None:
        found.add(LEAKED)
    if _wrong_finish(completion, asked):
        found.add("wrong_finish_reason")
    if only_reasoning(completion):
        found.add("only_reasoning")
    if _holds(completion.text, THINKING_MARKERS) or _thinks_aloud(completion.text):
        found.add("thinking_markup")
    if _holds(completion.text, TURN_MARKERS):
        found.add("turn_markup")
    return tuple(sorted(found))


def leaked(completion: Completion) -> Literal["content", "reasoning"] | None:
    """Where markup of calls was left standing; None: nowhere, or the answer was cut before a parser could see its end.

    In reasoning it counts only where no call was made: a model may think of the markup that it is about to write.
    """
    if completion.finish_reason == "length":
        return None
    if _holds(completion.text, CALL_MARKERS):
        return "content"
    if not completion.tool_calls and _holds(completion.reasoning, CALL_MARKERS):
        return "reasoning"
    return None


def only_reasoning(completion: Completion) -> bool:
    """Whether an answer that was not cut says nothing beside what the model thought."""
    said = completion.tool_calls or completion.text.strip() or completion.refusal.strip()
    return not said and bool(completion.reasoning) and completion.finish_reason != "length"


def _holds(text: str, markers: Iterable[str]) -> bool:
    # Prose has none of the signs, and looking for single ones takes next to no time.
    return any(sign in text for sign in SIGNS) and any(marker in text for marker in markers)


def _thinks_aloud(text: str) -> bool:
    """Whether channels stand in the text with their marks taken off, as tokens that are special are when decoded."""
    return text.startswith("analysis") and "assistantfinal" in text


def _wrong_finish(completion: Completion, asked: bytes) -> bool:
    finish = completion.finish_reason
    if not completion.tool_calls:
        return finish in _CALLING
    if finish in (*_CALLING, "length"):
        return False
    return not (finish == "stop" and b'"tool_choice":{' in asked)


def _call_faults(completion: Completion, asked: bytes) -> set[str]:
    calls = completion.tool_calls
    found = set()
    ids = [call.id for call in calls if call.id]
    if len(set(ids)) < len(ids):
        found.add("duplicate_call_id")
    # A call in the older form, which has no ids, is the only one of its answer.
    if len(ids) < len(calls) and "legacy_function_call" not in completion.deviations:
        found.add("missing_call_id")
    if not all(call.name for call in calls):
        found.add("empty_call")
    if asked and not all(_named(call.name) in asked for call in calls if call.name):
        found.add("unknown_tool")
    whole = calls[:-1] if completion.finish_reason == "length" else calls
    if b'"type":"custom"' not in asked:
        found.update(filter(None, map(_arguments_fault, whole)))
    return found


def _named(tool: str) -> bytes:
    """How a request names a tool; searching is enough, and much cheaper than to parse a prompt."""
    return f'"name":{json.dumps(tool, ensure_ascii=False)}'.encode(errors="replace")


def _arguments_fault(call: ToolCall) -> str | None:
    try:
        value = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return "arguments_not_json"
    return None if isinstance(value, dict) else "arguments_not_object"
