"""What legacy completions may ask beside chat: prompts as texts or tokens, a suffix, best_of, a number of logprobs."""

from __future__ import annotations

from typing import Any

from harness.simulator.model.tokens import VOCABULARY
from harness.simulator.refusal import Refusal, bad_type, bad_value, missing
from harness.types import JsonObject

MOST_LOGPROBS = 5


def check_legacy(given: JsonObject, most: int) -> None:
    """Check the fields that chat does not have; ``most``: choices that one request may want. Refusal 400."""
    wanted = given.get("logprobs", 0)
    if isinstance(wanted, bool) or not isinstance(wanted, int):
        raise bad_type("logprobs", "an integer", wanted)
    if not 0 <= wanted <= MOST_LOGPROBS:
        raise bad_value("logprobs", f"{wanted}. It must be from 0 to {MOST_LOGPROBS}")
    if not isinstance(given.get("suffix", ""), str):
        raise bad_type("suffix", "a string", given["suffix"])
    best = given.get("best_of", 1)
    if isinstance(best, bool) or not isinstance(best, int):
        raise bad_type("best_of", "an integer", best)
    if "best_of" in given and not given.get("n", 1) <= best <= most:
        raise bad_value("best_of", f"{best}. It must be at least n and at most {most}")
    if best > 1 and given.get("stream"):
        raise bad_value("best_of", "candidates cannot be compared while they are streamed")


def read_prompts(given: JsonObject, mutants: frozenset[str], most: int) -> tuple[JsonObject, ...]:
    """One user message for each prompt; Refusal 400 for what is none, or more than ``most`` choices."""
    if "prompt" not in given:
        raise missing("prompt")
    value = given["prompt"]
    prompts = value if isinstance(value, list) and value and not all(map(is_token, value)) else [value]
    texts = [_text(one, mutants) for one in prompts]
    if len(texts) * given.get("n", 1) > most:
        raise bad_value("prompt", f"{len(texts)} prompts. At most {most} choices are served at once")
    if "cpl_first_prompt" in mutants:
        texts = texts[:1]
    return tuple({"role": "user", "content": text} for text in texts)


def text_of_tokens(ids: list[int], param: str) -> str:
    """The text of token ids; Refusal 400 for an id outside the vocabulary."""
    if wrong := [number for number in ids if not 0 <= number < VOCABULARY]:
        raise bad_value(param, f"{wrong[0]} is no token of this model. Expected 0 to {VOCABULARY - 1}")
    # Each id is one token, with the space before it that joined texts have.
    return " ".join(f"t{number}" for number in ids)


def _text(one: Any, mutants: frozenset[str]) -> str:
    if isinstance(one, str):
        return one
    if not isinstance(one, list) or not one or not all(map(is_token, one)):
        raise bad_type("prompt", "a string, a list of strings, a list of tokens or a list of such lists", one)
    if "cpl_tokens_500" in mutants:
        raise Refusal(500, "The server had an error.", kind="server_error")
    return text_of_tokens(one, "prompt")


def is_token(value: Any) -> bool:
    """Whether a JSON value is the id of a token."""
    return isinstance(value, int) and not isinstance(value, bool)
