r"""The letter of a multiple-choice answer.

Where the letter is read, in this order; the first place that holds one decides:

1. the whole answer is one letter, in either case, with nothing but punctuation around it;
2. the last ``\boxed{...}`` holds one letter;
3. behind the last ``answer is``, ``answer:`` or ``answer =`` (Source: openai/simple-evals, ``common.py``,
   ``ANSWER_PATTERN_MULTICHOICE``), in upper case or in parentheses;
4. the answer begins with a label such as ``C)``, ``(C)``, ``C.`` or ``C:``;
5. exactly one of the letters stands alone anywhere, in upper case; "A" and "I" before a small letter are words of
   their own, unless that is "and" or "or".

Anything else is no answer: an answer that names several letters is not guessed at.
"""

from __future__ import annotations

import re

from harness.errors import TaskError
from harness.exchange import Completion
from harness.scorers.strict_json import shown
from harness.types import Sample, Score, Scorer

VERSION = 2
EXAMPLE = "choice:ABCDE"


def choice(letters: str = "ABCD") -> Scorer:
    """Full marks when the letter chosen is the target, one of ``letters``; TaskError for another target."""
    letters = letters.upper()
    if not (letters.isascii() and letters.isalpha() and len(set(letters)) == len(letters)):
        raise TaskError(f"choice takes distinct letters, as in ABCD, not {shown(letters)}")
    name = f"choice({letters})"
    patterns = _patterns(letters)

    def score(sample: Sample, completion: Completion) -> Score:
        target = sample.target
        if not isinstance(target, str) or len(target) != 1 or target.upper() not in letters:
            raise TaskError(
                f"sample {sample.id}: the target {shown(target)} of {name} is not one of {', '.join(letters)}"
            )
        got = _chosen(completion.text, patterns)
        hit = got == target.upper()
        said = f"chose {got}" if got else "no letter could be read"
        return Score(float(hit), got, said if hit else f"{said}, expected {target.upper()}", name, VERSION)

    return Scorer(name, VERSION, score)


def _patterns(letters: str) -> tuple[re.Pattern[str], ...]:
    upper, either = f"[{letters}]", f"[{letters}{letters.lower()}]"
    return (
        re.compile(rf"[\W_]*({either})[\W_]*"),
        re.compile(rf"\\boxed\{{[\s(]*(?:\\text\{{)?[\s(]*({either})[\s).]*\}}"),
        re.compile(
            rf"(?i:answer)(?:\s+(?i:is)|\s?[*_]*\s?[:=])+[\s*_$\"'\[]*(?i:option\s|choice\s)?"
            rf"(?:({upper})(?![^\W_])|\(\s?({either})\s?\))"
        ),
        re.compile(rf"[\s*_]*(?:\(({either})\)|({upper})[).:](?!\w)|({either})\))"),
        re.compile(rf"(?<![\w'])(?![AI]\s+(?!(?:and|or)\b)[a-z])({upper})(?![\w'’])"),
    )


def _chosen(text: str, patterns: tuple[re.Pattern[str], ...]) -> str | None:
    whole, boxed, stated, label, alone = patterns
    text = text.strip()
    found = whole.fullmatch(text) if len(text) < 40 else None
    for pattern in (boxed, stated):
        found = found or next(reversed(list(pattern.finditer(text))), None)
    found = found or label.match(text)
    if found:
        return next(group for group in found.groups() if group).upper()
    named = {match[1] for match in alone.finditer(text)}
    return named.pop() if len(named) == 1 else None
