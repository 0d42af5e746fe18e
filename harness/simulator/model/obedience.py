"""Simple instructions that are followed to the letter: what probes and quick checks by hand ask for."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from harness.simulator.model import tokens
from harness.simulator.requests.messages import system_text, text_of
from harness.types import JsonObject

_MOST = 20_000
_QUOTED = r"[\"'`“‘](?P<quoted>[^\"'`”’\n]+)[\"'`”’]"
_SHOUTED = r"(?P<shouted>[A-Z][A-Z0-9]+(?:[-_][\w-]+)?)"
_ONLY = re.compile(
    rf"\b(?:reply|respond|answer|say|output)\b(?:\s+(?:always|only|just|exactly|with|the|word|nothing|but))+:?\s+"
    rf"(?:{_QUOTED}|{_SHOUTED})",
    re.IGNORECASE,
)
_ECHO = re.compile(
    r"\b(?:repeat|echo|copy|say|(?:reply|respond|answer)\s+(?:only\s+|exactly\s+)*with)\b[^:\n]{0,80}:\s*(.+)\Z",
    re.IGNORECASE | re.DOTALL,
)
_SAY = re.compile(
    r"\bsay\s+(?:(?:the\s+word|only|exactly|just)\s+)*(?:" + _QUOTED + r"|(?P<word>[\w-]+))", re.IGNORECASE
)
_TIMES = re.compile(rf"\bwrite\s+(?:the\s+word\s+)?{_QUOTED}\s+(?P<times>\d+)\s+times", re.IGNORECASE)
_COUNT = re.compile(
    r"\b(?:count|numbers?)\b\D{0,30}?(?:(\d+)\s*(?:to|up to|through|-|–|\.\.\.?)\s*)?(\d+)", re.IGNORECASE
)
_LENGTH = re.compile(r"\b(\d{1,5})[- ](?:(?:random|different|plain|english)\s+)?(?:words?|tokens?)\b", re.IGNORECASE)
_WANTED = re.compile(r"\bwhat is (?P<thing>the \w{1,40} of the \w{1,40})\?", re.IGNORECASE)
_NAME = re.compile(r"\bmy name is\s+([\w-]+)", re.IGNORECASE)


def follow(messages: Sequence[JsonObject], rng: random.Random) -> str | None:
    """The text that the messages literally ask for; None: they ask for nothing of the kind known here.

    A last message of the assistant is the beginning of that text, and only the rest of it is said.
    """
    said = _asked(messages, rng)
    if said is None or messages[-1]["role"] != "assistant":
        return said
    begun = text_of(messages[-1])
    known = next((at for at in range(len(begun)) if said.startswith(begun[at:])), len(begun))
    return said.removeprefix(begun[known:])


def _asked(messages: Sequence[JsonObject], rng: random.Random) -> str | None:
    if results := _results(messages):
        return f"The result is: {'; '.join(results)}"
    if said := _only(system_text(messages)):
        return said
    text = next((text_of(message) for message in reversed(messages) if message["role"] == "user"), "").strip()
    if found_in_text := _told(text) or _counted(text):
        return found_in_text
    if found := _ECHO.search(text):
        return _unquoted(found[1].strip())
    if said := _only(text):
        return said
    if said := _word(text):
        return said
    if found := _LENGTH.search(text):
        return tokens.filler(rng, min(int(found[1]), _MOST))
    return _recalled(messages, text)


def _told(text: str) -> str | None:
    """What a text itself says that the thing is which it asks for."""
    found = _WANTED.search(text)
    told = found and re.search(rf"\b{re.escape(found['thing'])} is ([^.?!\n]{{1,80}})", text, re.IGNORECASE)
    return told and f"{told[1]}."


def _recalled(messages: Sequence[JsonObject], text: str) -> str | None:
    """The user's name, when asked for it and told before."""
    if re.search(r"\bmy name\b", text, re.IGNORECASE):
        for message in messages:
            if found := _NAME.search(text_of(message)):
                return f"Your name is {found[1]}."
    return None


def _results(messages: Sequence[JsonObject]) -> list[str]:
    """What the tools just answered."""
    results: list[str] = []
    for message in reversed(messages):
        if message["role"] not in ("tool", "function"):
            break
        results.insert(0, text_of(message))
    return results


def _only(text: str) -> str | None:
    found = _ONLY.search(text)
    if found is None:
        return None
    word: str | None = found["quoted"] or found["shouted"]
    # IGNORECASE lets any word through: only one in capitals is a word to be said, "only the number" is not.
    return word if found["quoted"] or (word and word[:2].isupper()) else None


def _word(text: str) -> str | None:
    """A word to be said, once or as often as is asked for."""
    if found := _TIMES.search(text):
        return " ".join([found["quoted"]] * min(int(found["times"]), _MOST))
    found = _SAY.search(text)
    return found and (found["quoted"] or found["word"])


def _counted(text: str) -> str | None:
    found = _COUNT.search(text)
    if found is None or not re.search(r"\bcount\b|\bin order\b|\bfrom\b", text, re.IGNORECASE):
        return None
    first, last = int(found[1] or 1), int(found[2])
    if not 0 < last - first <= _MOST:
        return None
    asked = text.casefold()
    between = "\n" if re.search(r"\blines?\b|\blist\b", asked) else " " if "space" in asked else ", "
    return between.join(map(str, range(first, last + 1)))


def _unquoted(text: str) -> str:
    pairs = {'"': '"', "'": "'", "`": "`", "“": "”"}
    if len(text) > 2 and pairs.get(text[0]) == text[-1]:
        return text[1:-1]
    return text
