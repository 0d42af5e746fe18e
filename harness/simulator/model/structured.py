"""What is said where the form of the answer is given: JSON, and how it deviates."""

from __future__ import annotations

import json
import random
import re
from typing import Any

from harness.simulator.model import tokens
from harness.simulator.model.instance import instance
from harness.simulator.model.obedience import follow
from harness.simulator.requests.asked import Asked
from harness.simulator.requests.messages import text_of

_UNSAFE = re.compile(r"\b(?:poison|bomb|explosive)", re.IGNORECASE)
_REFUSAL = "I am sorry, but I cannot help with that."
_BLANKS = "\n\n    \n"


def written(asked: Asked, rng: random.Random) -> str:
    """The text of an answer whose form is json_object or json_schema."""
    mutants, prompt = asked.mutants, text_of(asked.messages[-1]) if asked.messages else ""
    if "refuse_in_text" in mutants and _UNSAFE.search(prompt):
        return _REFUSAL
    if asked.form == "json_object":
        if "blank_object" in mutants and not any("json" in text_of(one).casefold() for one in asked.messages):
            return _BLANKS
        # Free text that was asked for goes into the object: the form is forced, whatever the prompt wants.
        return json.dumps({"answer": follow(asked.messages, rng) or tokens.filler(rng, 6)}, ensure_ascii=False)
    if "prose_over_schema" in mutants and re.search(r"\bprose\b", prompt, re.IGNORECASE):
        return tokens.filler(rng, 12)
    return json.dumps(_deviant(instance(asked.schema, prompt, (), mutants), mutants), ensure_ascii=False)


def _deviant(value: Any, mutants: frozenset[str]) -> Any:
    """The value with other keys than the schema has, or in another order."""
    if "wrap_array" in mutants and isinstance(value, list):
        return {"items": value}
    if isinstance(value, dict) and "sorted_keys" in mutants:
        value = dict(sorted(value.items()))
    if isinstance(value, dict) and "ascii_keys" in mutants:
        value = {key.encode("ascii", "ignore").decode(): one for key, one in value.items()}
    return value
