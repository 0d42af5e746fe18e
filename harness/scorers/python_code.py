"""The Python program in an answer: what a model puts between fences, and a completion made whole."""

from __future__ import annotations

import re
from collections.abc import Iterator

_PYTHON = frozenset({"", "python", "py", "python3"})
_FENCE = re.compile(r"([ \t]*)(`{3,}|~{3,})([^`\n]*)")
_FUTURE = re.compile(r"^from __future__ import .*$", re.MULTILINE)


def code_of(text: str, name: str = "") -> str:
    """The code of an answer: its last Python block that defines ``name``, else its last one, else the whole text.

    A block without a language counts as Python; one that is not closed reaches to the end. No white space is taken
    off, for a completion may begin with an indented line.
    """
    blocks = list(_blocks(text))
    defining = [block for block in blocks if name and defines(block, name)]
    return (defining or blocks or [text])[-1]


def defines(code: str, name: str) -> bool:
    """Whether a function, class or variable of that name is made at the left margin."""
    name = re.escape(name)
    made = rf"^(?:(?:async[ \t]+)?(?:def|class)[ \t]+{name}\b|{name}[ \t]*[:=])"
    return re.search(made, code, re.MULTILINE) is not None


def whole_program(prompt: str, code: str, name: str) -> str:
    """The program that an answer to a prompt in code makes.

    ``prompt`` ends in the head of the function ``name``. Code that defines ``name`` itself gets what stands before
    that head (imports, other functions); all other code is a completion and goes on where the prompt ends.
    """
    if not defines(code, name):
        return prompt + code
    head = re.search(rf"^(?:async[ \t]+)?def[ \t]+{re.escape(name)}\b", prompt, re.MULTILINE)
    before = prompt[: head.start()] if head else ""
    # Such a line must come first in a program.
    future = "\n".join(_FUTURE.findall(code))
    return "\n".join(part for part in (future, before, _FUTURE.sub("", code)) if part)


def _blocks(text: str) -> Iterator[str]:
    fence = indent = ""
    lines: list[str] | None = None
    for line in text.splitlines(keepends=True):
        found = _FENCE.fullmatch(line.rstrip())
        if lines is None:
            if found:
                indent, fence = found[1], found[2]
                lines = []
                python = (found[3].split() or [""])[0].lower() in _PYTHON
        elif found and found[2].startswith(fence) and not found[3].strip():
            if python:
                yield "".join(lines)
            lines = None
        else:
            lines.append(line.removeprefix(indent))
    if lines and python:
        yield "".join(lines)
