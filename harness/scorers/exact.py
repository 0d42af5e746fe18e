"""The answer is the expected text."""

from __future__ import annotations

import re
import unicodedata

from harness.errors import TaskError
from harness.exchange import Completion
from harness.scorers.strict_json import clipped, shown
from harness.types import Sample, Score, Scorer

VERSION = 1
EXAMPLE = "exact:ignore_case"


def exact(*, ignore_case: bool = False, ignore_punctuation: bool = False) -> Scorer:
    """Full marks when the visible text equals the target, or one of several targets.

    The target is a string or a list of strings. Both sides are brought to Unicode NFC, runs of white space
    become one space and the ends are trimmed; nothing else is forgiven unless asked for. TaskError for another
    kind of target.
    """
    asked = {"ignore_case": ignore_case, "ignore_punctuation": ignore_punctuation}
    options = ",".join(option for option, on in asked.items() if on)
    name = f"exact({options})" if options else "exact"

    def plain(text: str) -> str:
        text = " ".join(unicodedata.normalize("NFC", text).split())
        if ignore_case:
            text = text.casefold()
        if ignore_punctuation:
            text = " ".join(re.sub(r"[^\w\s]|_", " ", text).split())
        return text

    def score(sample: Sample, completion: Completion) -> Score:
        accepted = [sample.target] if isinstance(sample.target, str) else sample.target
        if not isinstance(accepted, list | tuple) or not accepted or not all(isinstance(one, str) for one in accepted):
            found = shown(sample.target)
            raise TaskError(f"sample {sample.id}: the target of {name} is a string or a list of strings, not {found}")
        got = plain(completion.text)
        hit = got in {plain(one) for one in accepted}
        wanted = " or ".join(shown(one) for one in accepted)
        explanation = "equals the expected text" if hit else f"expected {clipped(wanted, 200)}, got {shown(got)}"
        answer = clipped(completion.text.strip(), 1000) or None
        return Score(float(hit), answer, explanation, name, VERSION)

    return Scorer(name, VERSION, score)
