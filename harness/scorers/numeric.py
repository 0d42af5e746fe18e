r"""The number an answer finally states, compared by value.

Where the number is read, in this order; the first place that holds one decides:

1. after the last ``####``, when the number stands right behind it and it is no numbered heading: the convention of
   GSM8K (Source: openai/grade-school-math, ``dataset.py``, ``ANS_RE = "#### (\-?[0-9\.\,]+)"``);
2. the last number in the last ``\boxed{...}``;
3. after the last ``answer is``, ``answer:`` or ``answer =``, unless arithmetic goes on behind it;
4. the last number of the text.

A number may have a sign (also U+2212), a currency sign, thousands separators, an exponent (2e3, 2 x 10^3), a per cent
sign, or be a fraction (3/4, 1 1/2, LaTeX ``frac``). The per cent sign is dropped, so 50% is 50. Decimal commas, number
words and "1.5 million" are not read as such.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from harness.errors import TaskError
from harness.exchange import Completion
from harness.types import Sample, Score, Scorer

VERSION = 1
EXAMPLE = "numeric:tolerance=0.01"

_LONGEST = 300
"""Characters of a number worth reading: beyond it is a model stuck in a loop, and conversion would be slow."""

_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-"))
_RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_FRAC = re.compile(r"\\[dt]?frac\s?\{([^{}]{1,40})\}\s?\{([^{}]{1,40})\}")
_GROUPING = re.compile(r"\{,\}|(?<=\d)[\u2009\u202f](?=\d{3}(?!\d))")
_TEN_RAISED = re.compile(r"(?<=10)[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]{1,4}")

_NUMBER = re.compile(
    r"""
    (?P<sign> (?<![\w.)\]}]) [-+] )?
    [$€£¥₹]?
    (?P<inner> (?<=[$€£¥₹]) - )?
    (?<![^\W_]) (?<!\^) (?<!\d\.)                                  # not the tail of a word, a power or a version
    (?:
        (?: (?P<coefficient> \d+(?:\.\d+)? ) \s?[×x*]\s? )? 10\s?\^\s?\{?(?P<power>[-+]?\d{1,3})(?!\d)\}?
      | (?P<whole> \d+ )[ ](?P<part> \d+ )/(?P<of> \d+ )(?![\d/]|\.\d)
      | (?<!\d/) (?P<top> \d+(?:\.\d+)? )\s?/\s?(?P<bottom> \d+ )(?![\d/]|\.\d)
      | (?P<plain> (?: \d{1,3}(?:,\d{2,3})*,\d{3}(?!\d) | \d+ ) (?:\.\d+)? | (?<!\.)\.\d+ )
        (?P<exponent> [eE][-+]?\d{1,3}(?!\w) )?
    )
    """,
    re.VERBOSE,
)
_MARKER = re.compile(r"####[^\S\n]*[*_$(\[\\]*")
_HEADING = re.compile(r"[.):][^\S\n]+\S")
_PHRASE = re.compile(r"answer(?:\s+is\b|\s+would\s+be\b|\s?[*_]*\s?[:=])+[\s*_$(\[\\:]*", re.IGNORECASE)
_ARITHMETIC = re.compile(r"[^\S\n]*(?:[-+/×÷^=*]|\\div)[^\S\n]*[\d($]")


class _Read(NamedTuple):
    value: Fraction
    text: str
    where: str


def numeric(*, tolerance: float | str | None = None) -> Scorer:
    """Full marks when the number finally stated equals the target.

    The target is an int, a float, a Decimal or a numeric string; both sides are compared exactly, without binary
    rounding. ``tolerance`` is the largest absolute difference forgiven; None: none. TaskError for another target,
    and for a tolerance below 0.
    """
    allowed = Fraction(0) if tolerance is None else _tolerance(tolerance)
    name = "numeric" if tolerance is None else f"numeric(tolerance={tolerance})"

    def score(sample: Sample, completion: Completion) -> Score:
        wanted = _target(sample)
        read = _final(completion.text)
        if read is None:
            return Score(0.0, None, f"no number in the answer, expected {sample.target}", name, VERSION)
        hit = abs(read.value - wanted) <= allowed
        explanation = f"{read.text} {read.where}" + ("" if hit else f", expected {sample.target}")
        return Score(float(hit), read.text, explanation, name, VERSION)

    return Scorer(name, VERSION, score)


def _tolerance(given: float | str) -> Fraction:
    try:
        found = Fraction(str(given))
    except (ValueError, ZeroDivisionError):
        found = None
    if found is None or found < 0:
        raise TaskError(f"the tolerance of numeric is a number, 0 or more, not {str(given)[:60]!r}")
    return found


def _target(sample: Sample) -> Fraction:
    target: Any = sample.target
    try:
        if isinstance(target, bool):
            raise TypeError
        return Fraction(Decimal(str(target).strip().replace(",", "")))
    except (ArithmeticError, TypeError, ValueError):
        raise TaskError(f"sample {sample.id}: the target {target!r} of scorer numeric is not a number") from None


def _final(text: str) -> _Read | None:
    text = _tidy(text)
    return _marked(text) or _boxed(text) or _stated(text) or _last(text, "is the last number")


def _tidy(text: str) -> str:
    text = _GROUPING.sub(",", text.translate(_DASHES))
    text = _TEN_RAISED.sub(lambda raised: "^" + raised[0].translate(_RAISED), text)
    for written, meant in ((r"\,", ""), (r"\!", ""), (r"\$", "$"), (r"\times", "×"), (r"\cdot", "×"), ("·", "×")):
        text = text.replace(written, meant)
    return _FRAC.sub(r"\1/\2", text)


def _marked(text: str) -> _Read | None:
    for marker in reversed(list(_MARKER.finditer(text))):
        number = _NUMBER.match(text, marker.end())
        if number and not _HEADING.match(text, number.end()):
            return _read(number, "stands after ####")
    return None


def _boxed(text: str) -> _Read | None:
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth, begin = 0, start + len("\\boxed")
    for end in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return _last(text[begin:end], "is boxed")
    return None


def _stated(text: str) -> _Read | None:
    for phrase in reversed(list(_PHRASE.finditer(text))):
        number = _NUMBER.match(text, phrase.end())
        if number and not _ARITHMETIC.match(text, number.end()):
            return _read(number, "is stated as the answer")
    return None


def _last(text: str, where: str) -> _Read | None:
    for number in reversed(list(_NUMBER.finditer(text))):
        read = _read(number, where)
        if read:
            return read
    return None


def _read(number: re.Match[str], where: str) -> _Read | None:
    if len(number[0]) > _LONGEST:
        return None
    try:
        value = _value(number)
    except ZeroDivisionError:
        return None
    negative = (number["sign"] == "-") != (number["inner"] is not None)
    return _Read(-value if negative else value, number[0].translate(str.maketrans("", "", "$€£¥₹")), where)


def _value(number: re.Match[str]) -> Fraction:
    if number["power"]:
        return Fraction(number["coefficient"] or 1) * Fraction(10) ** int(number["power"])
    if number["whole"]:
        return Fraction(number["whole"]) + Fraction(int(number["part"]), int(number["of"]))
    if number["top"]:
        return Fraction(number["top"]) / Fraction(number["bottom"])
    return Fraction(number["plain"].replace(",", "") + (number["exponent"] or ""))
