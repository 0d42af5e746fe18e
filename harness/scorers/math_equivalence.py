r"""The expression an answer finally states equals the expected one, as mathematics and not as text.

Where the expression is read, in this order; the first place that holds one decides:

1. the last ``\boxed{...}`` or ``\fbox{...}``;
2. the rest of the line behind the last ``answer is``, ``answer:`` or ``answer =``;
3. the last line that is not empty.

Two expressions that are the same text, but for spacing and commands that only change the look, are equal. All others
are compared by math-verify (Source: huggingface/Math-Verify, 0.9, over sympy) in a process that is killed after
``seconds``; what could not be decided so is neither right nor wrong, fault ``math_undecided``.
"""

from __future__ import annotations

import re
from typing import Any

from harness.errors import CannotMeasure, TaskError
from harness.exchange import Completion
from harness.scorers.extra import need
from harness.scorers.strict_json import clipped, shown
from harness.scorers.sympy_worker import Worker
from harness.types import Sample, Score, Scorer

VERSION = 1

_LONGEST = 1_000
"""Characters of an expression worth comparing."""
_BOX = re.compile(r"\\(?:boxed|fbox)\s*")
_PHRASE = re.compile(r"answer(?:\s+is\b|\s?[*_]*\s?[:=])+[\s*_:]*", re.IGNORECASE)
_LOOK = re.compile(r"\\(?:left|right|displaystyle|[,;:! ])|\s+|~")
_FRACTION = re.compile(r"\\[dt]frac(?![a-zA-Z])")
_DELIMITERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"))
_ROOT = re.compile(r"(?<![\\a-zA-Z])sqrt\(([^()]{1,100})\)")
_PI = re.compile(r"(?<![\\a-zA-Z])pi(?![a-zA-Z])")


def math_equivalence(*, seconds: float = 5.0) -> Scorer:
    """Full marks when the expression finally stated equals the target, LaTeX or a number; TaskError for another target.

    ``seconds`` is how long one comparison may take. CannotMeasure where math-verify is not installed.
    """
    name = "math_equivalence"
    worker = Worker(seconds)

    def score(sample: Sample, completion: Completion) -> Score:
        gold = _target(sample)
        need("math_verify", name)
        answer = stated(completion.text)
        if not answer:
            return Score(0.0, None, f"no expression in the answer, expected {gold}", name, VERSION)
        told, expected = clipped(answer, 400), f", expected {clipped(gold, 200)}"
        if _plain(answer) == _plain(gold):
            return Score(1.0, told, "is the expected expression", name, VERSION)
        if len(answer) > _LONGEST:
            return Score(0.0, told, f"longer than {_LONGEST} characters{expected}", name, VERSION)
        try:
            equal = worker.equal(_latex(gold), _latex(answer))
        except OSError as error:
            raise CannotMeasure(f"expressions cannot be compared: {error}") from None
        if equal is None:
            why = f"could not be decided in {seconds:g} s{expected}"
            return Score(None, told, why, name, VERSION, fault="math_undecided")
        return Score(float(equal), told, "equals" if equal else f"does not equal{expected}", name, VERSION)

    return Scorer(name, VERSION, score, waits=True)


def stated(text: str) -> str:
    """The expression that a text finally states, without delimiters of mathematics; empty: none."""
    boxes = list(_BOX.finditer(text))
    if boxes:
        return _bare(_group(text, boxes[-1].end()))
    phrases = list(_PHRASE.finditer(text))
    rest = text[phrases[-1].end() :] if phrases else ""
    lines = [line for line in (rest if rest.strip() else text).splitlines() if line.strip()]
    if not lines:
        return ""
    return _bare(lines[0] if rest.strip() else lines[-1])


def _group(text: str, begin: int) -> str:
    """What stands in braces from ``begin`` on, or the one word there."""
    if not text.startswith("{", begin):
        return (text[begin:].split() or [""])[0]
    depth = 0
    for end in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return text[begin + 1 : end]
    return text[begin + 1 :]


def _bare(text: str) -> str:
    text = text.strip().rstrip(".").strip()
    for opening, closing in _DELIMITERS:
        if len(text) > len(opening + closing) and text.startswith(opening) and text.endswith(closing):
            text = text[len(opening) : -len(closing)].strip().rstrip(".").strip()
    return text


def _plain(text: str) -> str:
    return _LOOK.sub("", _FRACTION.sub(r"\\frac", _bare(text)))


def _latex(text: str) -> str:
    """As LaTeX, where a model wrote the two commonest words without a backslash."""
    return _PI.sub(r"\\pi", _ROOT.sub(r"\\sqrt{\1}", text))


def _target(sample: Sample) -> str:
    target: Any = sample.target
    if isinstance(target, int | float) and not isinstance(target, bool):
        target = str(target)
    if not isinstance(target, str) or not target.strip():
        raise TaskError(f"sample {sample.id}: the target {shown(target)} of math_equivalence is not an expression")
    return target.strip()
