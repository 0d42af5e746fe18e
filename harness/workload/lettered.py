"""Multiple-choice questions as a chat is asked them: the question, its options behind letters, what to answer.

Options whose order must not tell the right one are put into the order of their hashes: it follows from the question
and the options alone, so every endpoint, run and version of Python sees the same, whatever order the source had.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from harness.errors import TaskError
from harness.types import Sample

LETTER_ALONE = "Answer with the letter of the right option only."
AFTER_STEPS = "Think step by step. End with the line: The answer is X, where X is the letter of the right option."


@dataclass(frozen=True, slots=True)
class Lettered:
    """How one task puts its questions: a callable from a row to a Sample whose target is a letter."""

    task: str
    """Named in errors."""
    steps: bool = False
    """Whether to ask for reasoning before the answer, with 2,048 tokens; otherwise for the letter alone, with 32."""
    shuffled: bool = False
    """Whether the options are put into an order of our own; needed where the source lists the right one first."""

    def __call__(self, number: int, question: Any, options: Any, right: Any, **about: Any) -> Sample:
        """The sample of the row with that number.

        Args:
            number: of the row, from 1; becomes the id.
            question: a text.
            options: two or more texts or numbers, 26 at most.
            right: index of the right option in ``options`` from 0, as a number or in digits; or its letter, where A
                is the first.
            about: kept in ``metadata``, beside ``options``, their number.

        Raises:
            TaskError: the row holds something else; names task, row and field.
        """
        where = f"{self.task} row {number}"
        texts = _texts(options, where)
        place = _place(right, len(texts), where)
        order = _order(str(question), texts) if self.shuffled else range(len(texts))
        shown = "\n".join(f"{letter}) {texts[index]}" for letter, index in zip(ascii_uppercase, order, strict=False))
        instruction = AFTER_STEPS if self.steps else LETTER_ALONE
        return Sample(
            id=f"{number:05d}",
            messages=({"role": "user", "content": f"{str(question).strip()}\n\n{shown}\n\n{instruction}"},),
            target=ascii_uppercase[list(order).index(place)],
            params={"temperature": 0, "max_tokens": 2048 if self.steps else 32},
            metadata={"options": len(texts), **about},
        )


def _texts(options: Any, where: str) -> list[str]:
    if isinstance(options, str):
        raise TaskError(
            f"{where}: the options are one text, not a list", hint="CSV cannot hold lists: give JSONL, Parquet or Arrow"
        )
    fit = isinstance(options, Sequence) and 2 <= len(options) <= len(ascii_uppercase)
    if not fit or not all(isinstance(one, str | int | float) for one in options):
        raise TaskError(f"{where}: the options must be a list of 2 to {len(ascii_uppercase)} texts")
    return [str(one).strip() for one in options]


def _place(right: Any, count: int, where: str) -> int:
    place = -1
    if isinstance(right, int) and not isinstance(right, bool):
        place = right
    elif isinstance(right, str) and right.strip().isdecimal() and len(right) < 9:
        place = int(right)
    elif isinstance(right, str) and len(right.strip()) == 1:
        place = ascii_uppercase.find(right.strip().upper())
    if 0 <= place < count:
        return place
    last = ascii_uppercase[count - 1]
    raise TaskError(f"{where}: the right option is {str(right)[:40]!r}, not a letter A to {last} or an index from 0")


def _order(question: str, options: Sequence[str]) -> list[int]:
    """Indexes of the options, sorted by the hash of question and option."""

    def rank(index: int) -> bytes:
        return hashlib.sha256(f"{question}\n{options[index]}".encode("utf-8", "surrogatepass")).digest()

    return sorted(range(len(options)), key=rank)
