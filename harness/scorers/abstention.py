"""Whether a model that was given tools called none of them: abstained, called, or neither.

A parser that broke, an answer that was cut or that only thinks is no abstention, and no call either. BFCL counts every
answer that it cannot decode as an abstention, so that a broken server scores best.

Source: ShishirPatil/gorilla#1362 and #443, where that was seen.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple

from harness import contract
from harness.exchange import Completion
from harness.scorers.strict_json import clipped, parse, shown, unfenced
from harness.types import Sample

_LONGEST = 20_000
"""Characters of a text that may be a bare call: longer ones are prose."""


class Abstention(NamedTuple):
    """What became of an item that no call was right for."""

    outcome: Literal["abstained", "called", "invalid"]
    explanation: str
    fault: str = ""
    """Name of what makes it invalid; empty: it is not."""

    @property
    def value(self) -> float | None:
        """1 abstained, 0 called, None neither."""
        return None if self.outcome == "invalid" else float(self.outcome == "abstained")


def abstention(sample: Sample, completion: Completion) -> Abstention:
    """Judge an answer where no call is right.

    Abstaining takes a normal answer: content or a refusal, finish reason ``stop``, no call, and no markup of one in
    content or reasoning. Any call with a name is a call, whatever its arguments are.
    """
    if named := next((call.name for call in completion.tool_calls if call.name), None):
        return Abstention("called", f"no call was expected, got {clipped(named)}")
    if completion.tool_calls:
        return Abstention("invalid", "no call was expected, and one without a name came", "empty_call")
    if leak := leaked(sample, completion):
        return Abstention("invalid", f"no call was expected, and {leak}", contract.LEAKED)
    if not (completion.text.strip() or completion.refusal.strip()):
        fault = "only_reasoning" if contract.only_reasoning(completion) else "no_content"
        return Abstention("invalid", "no call was made, but there is no answer either", fault)
    if completion.finish_reason != "stop":
        fault = "cut_off" if completion.finish_reason == "length" else "wrong_finish_reason"
        ended = f"no call was made, but the answer ended with finish reason {shown(completion.finish_reason)}"
        return Abstention("invalid", ended, fault)
    return Abstention("abstained", "no call was made, as expected")


def leaked(sample: Sample, completion: Completion) -> str | None:
    """What of a call the server's parser left standing as text, in a few words; None: nothing.

    Beside the markup that ``harness.contract`` knows, a whole text that is nothing but a call of one of the sample's
    tools, as JSON or as code, where no call was made.
    """
    place = contract.leaked(completion)
    if place is not None:
        return f"the {'text' if place == 'content' else 'reasoning'} holds call markup"
    if completion.tool_calls:
        return None
    names = {tool.get("function", {}).get("name") for tool in sample.tools}
    return "the text is a call that was not parsed" if is_bare_call(completion.text, names) else None


def is_bare_call(text: str, names: Collection[str | None]) -> bool:
    """Whether a whole text is nothing but calls of tools with these names, as JSON or as code."""
    if len(text) > _LONGEST:
        return False
    text, _ = unfenced(text)
    if text.startswith(tuple(f"{bracket}{name}(" for name in names if name for bracket in ("", "["))):
        return text.endswith((")", ")]"))
    if not text.startswith(("{", "[")):
        return False
    try:
        value = parse(text)
    except ValueError:
        return False
    calls = value if isinstance(value, list) else [value]
    return bool(calls) and all(isinstance(call, dict) and _name_of(call) in names for call in calls)


def _name_of(call: dict[str, object]) -> str:
    name = call.get("name", call.get("function"))
    return name if isinstance(name, str) and {"arguments", "parameters"} & call.keys() else ""
