"""Lettered options under a question, and the letter that a target means."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

from harness.errors import TaskError
from harness.scorers.strict_json import shown

INSTRUCTION = "Answer with the letter only."


def options(choices: Sequence[str]) -> str:
    """One line for each choice, ``A. first`` and so on."""
    return "\n".join(f"{letter}. {choice}" for letter, choice in zip(string.ascii_uppercase, choices, strict=False))


def letter(target: Any, choices: Sequence[str], place: str) -> str:
    """The letter that a target means: it is a letter, the text of a choice, or its index from 0.

    TaskError, at ``place``, when it means none of them or could mean two.
    """
    letters = string.ascii_uppercase[: len(choices)]
    means: dict[str, str] = {}
    text = str(target).strip()
    if isinstance(target, str) and len(text) == 1 and text.upper() in letters:
        means["the letter"] = text.upper()
    if text in choices:
        means["the text"] = letters[choices.index(text)]
    # Python holds True to be 1.
    if not isinstance(target, bool) and text.isascii() and text.isdecimal() and int(text) < len(choices):
        means["the index from 0"] = letters[int(text)]
    if len(set(means.values())) == 1:
        return next(iter(means.values()))
    if not means:
        raise TaskError(
            f"{place}: the target {shown(target)} is none of the {len(choices)} choices",
            hint=f"It is a letter ({letters[0]} to {letters[-1]}), the text of a choice, or its index from 0",
        )
    could = " or ".join(f"{found} as {how}" for how, found in means.items())
    raise TaskError(f"{place}: the target {shown(target)} could be {could}", hint="Write the letter")
