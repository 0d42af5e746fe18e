"""Prompts of a user's JSONL file.

A row holds one of these fields, looked for in this order:

- ``messages``: as the API takes them; answers at the end are left away, earlier ones stay as history;
- ``turns``: a list of texts, what the user says one after the other (MT-Bench);
- ``conversation`` or ``conversations``: a list of ``{"role", "content"}`` or ``{"from", "value"}`` (ShareGPT), of which
  the system's and the user's parts are taken, for the answers are the endpoint's own;
- ``prompt`` or ``question``: a text.

``max_tokens`` of a row bounds its answers. Any other field is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import TaskError
from harness.types import JsonObject, Sample
from harness.workload import jsonl, words
from harness.workload.lengths import Fixed, Length
from harness.workload.synthetic import stream

_OUTPUT = Fixed(256)
_SPEAKERS = {"human": "user", "user": "user", "system": "system", "gpt": "assistant", "assistant": "assistant"}


class _Row(NamedTuple):
    messages: tuple[JsonObject, ...]
    turns: tuple[str, ...]
    max_tokens: int | None


@dataclass(slots=True)
class Prompts:
    """A workload: ``(seed, index) -> Sample``, row by row in the order of the file, round again when it is through.

    The file is read when the first prompt is asked for. TaskError names the file, line and field that are wrong.
    """

    path: Path
    output: Length | None = None
    """``max_tokens`` of the rows that do not say it; None: 256."""
    tokenizer: Path | None = None
    """A ``tokenizer.json`` with which the ``input_tokens`` of the metadata are counted; None: they are left out."""
    ignore_eos: bool = False
    """Whether to ask for exactly ``max_tokens`` with a field that vLLM and SGLang know and others may refuse."""
    _rows: tuple[_Row, ...] | None = field(default=None, init=False, repr=False, compare=False)
    _sha256: str | None = field(default=None, init=False, repr=False, compare=False)

    def __call__(self, seed: int, index: int) -> Sample:
        """The prompt or session of the row with that number, counted from 0 and round again."""
        rows = self._read()
        row = rows[index % len(rows)]
        output = row.max_tokens or (self.output or _OUTPUT).draw(stream(f"{seed}/{index}/output"))
        metadata: dict[str, Any] = {"output_tokens": output}
        if self.tokenizer is not None:
            contents = [one["content"] for one in row.messages if isinstance(one.get("content"), str)]
            metadata["input_tokens"] = sum(words.count(content, self.tokenizer) for content in contents)
        return Sample(
            id=f"{seed}-{index:05d}",
            messages=row.messages,
            params={"temperature": 0, "max_tokens": output} | ({"ignore_eos": True} if self.ignore_eos else {}),
            metadata=metadata,
            turns=row.turns,
        )

    def __len__(self) -> int:
        """Rows of the file."""
        return len(self._read())

    @property
    def sha256(self) -> str:
        """Hex digest of the file."""
        if self._sha256 is None:
            self._sha256 = jsonl.sha256(self.path)
        return self._sha256

    def _read(self) -> tuple[_Row, ...]:
        if self._rows is None:
            self._rows = tuple(_row(f"{self.path} line {place}", row) for place, row in jsonl.rows(self.path))
        return self._rows


def _row(where: str, row: Mapping[str, Any]) -> _Row:
    max_tokens = row.get("max_tokens")
    if max_tokens is not None and (not isinstance(max_tokens, int) or isinstance(max_tokens, bool) or max_tokens < 1):
        raise TaskError(f"{where}: field 'max_tokens' must be a whole number above 0, not {str(max_tokens)[:40]!r}")
    for name, read in _READERS.items():
        if row.get(name) is not None:
            messages, turns = read(f"{where}: field {name!r}", row[name])
            return _Row(messages, turns, max_tokens)
    raise TaskError(f"{where}: none of the fields {', '.join(_READERS)}", hint=f"It has: {', '.join(row)[:200]}")


def _spoken(where: str, value: Any) -> tuple[tuple[JsonObject, ...], tuple[str, ...]]:
    return ({"role": "user", "content": _text(where, value)},), ()


def _turns(where: str, value: Any) -> tuple[tuple[JsonObject, ...], tuple[str, ...]]:
    first, *later = [_text(f"{where}[{place}]", one) for place, one in enumerate(_list(where, value))]
    return ({"role": "user", "content": first},), tuple(later)


def _messages(where: str, value: Any) -> tuple[tuple[JsonObject, ...], tuple[str, ...]]:
    messages = _list(where, value)
    for place, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise TaskError(f"{where}[{place}] must be an object with a 'role'")
        if "content" not in message and "tool_calls" not in message:
            raise TaskError(f"{where}[{place}] has no 'content'")
    while messages and messages[-1]["role"] == "assistant":
        messages = messages[:-1]
    if not messages:
        raise TaskError(f"{where} holds answers alone, nothing that asks")
    return tuple(messages), ()


def _conversation(where: str, value: Any) -> tuple[tuple[JsonObject, ...], tuple[str, ...]]:
    system: list[JsonObject] = []
    said: list[str] = []
    for place, part in enumerate(_list(where, value)):
        if not isinstance(part, dict):
            raise TaskError(f"{where}[{place}] must be an object, not a {type(part).__name__}")
        speaker = part.get("role", part.get("from"))
        role = _SPEAKERS.get(str(speaker))
        if role is None:
            raise TaskError(f"{where}[{place}]: {speaker!r} is none of {', '.join(_SPEAKERS)}")
        if role == "assistant":
            continue
        text = _text(f"{where}[{place}]", part.get("content", part.get("value")))
        if role == "user":
            said.append(text)
        elif not said:
            system.append({"role": "system", "content": text})
    if not said:
        raise TaskError(f"{where}: the user says nothing in it")
    return (*system, {"role": "user", "content": said[0]}), tuple(said[1:])


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TaskError(f"{where} must be a text that is not empty, not {str(value)[:40]!r}")
    return value


def _list(where: str, value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise TaskError(f"{where} must be a list that is not empty, not {str(value)[:40]!r}")
    return value


_READERS: Mapping[str, Callable[[str, Any], tuple[tuple[JsonObject, ...], tuple[str, ...]]]] = {
    "messages": _messages,
    "turns": _turns,
    "conversation": _conversation,
    "conversations": _conversation,
    "prompt": _spoken,
    "question": _spoken,
}
