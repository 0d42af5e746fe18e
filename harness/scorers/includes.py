"""The answer holds a text, one of several, or all of them.

``loose`` is the rule of "fuzzy match" (Source: openai/evals, ``elsuite/utils.py``, ``normalize`` and ``fuzzy_match``):
both sides are brought to lower case, without ASCII punctuation, articles and superfluous white space, and either may be
part of the other. ``start`` is its "match", ``includes`` without an option its "includes".
"""

from __future__ import annotations

import re
import string

from harness.exchange import Completion
from harness.scorers.strict_json import clipped, shown
from harness.scorers.wanted import wanted_texts
from harness.types import Sample, Score, Scorer

VERSION = 1
EXAMPLE = "includes:ignore_case"

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def includes(*, every: bool = False, ignore_case: bool = False, start: bool = False, loose: bool = False) -> Scorer:
    """Full marks when the visible text holds the target, or one of several targets.

    The target is a string or a list of strings, none of them empty; it is looked for as it stands.

    Args:
        every: all of several targets must be there.
        ignore_case: upper and lower case are the same.
        start: the trimmed text must begin with the target.
        loose: both sides are normalised as above, and the text may also be a part of the target.

    Raises:
        TaskError: the target is of another kind.
    """
    asked = {"every": every, "ignore_case": ignore_case, "start": start, "loose": loose}
    options = ",".join(option for option, on in asked.items() if on)
    name = f"includes({options})" if options else "includes"

    def plain(text: str) -> str:
        text = _loose(text) if loose else text
        return text.casefold() if ignore_case else text

    def holds(text: str, wanted: str) -> bool:
        if start:
            return text.startswith(wanted)
        if loose and not (text and wanted):
            return text == wanted
        return wanted in text or (loose and text in wanted)

    def score(sample: Sample, completion: Completion) -> Score:
        wanted = wanted_texts(sample, name)
        text = plain(completion.text.strip())
        found = [one for one in wanted if holds(text, plain(one))]
        hit = len(found) == len(wanted) if every else bool(found)
        lacking = [one for one in wanted if one not in found]
        listed = (" and " if every else " or ").join(shown(one) for one in lacking)
        told = f"holds {clipped(', '.join(map(shown, found)), 200)}" if hit else f"lacks {clipped(listed, 200)}"
        return Score(float(hit), clipped(completion.text.strip(), 1000) or None, told, name, VERSION)

    return Scorer(name, VERSION, score)


def _loose(text: str) -> str:
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())
