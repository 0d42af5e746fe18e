"""Whether the sampling parameters do what they are for, and what a broken sampler leaves in the answers."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from harness import contract
from harness.exchange import Completion
from harness.stats.means import standard_error, student_interval
from harness.stats.power import ALPHA, smallest_detectable_mean
from harness.stats.resampling import sign_flip_p

Texts = Mapping[str, Sequence[str]]
"""Answers by the prompt's id."""
Honesty = Literal["honoured", "ignored", "reversed", "inconclusive", "not applicable"]

MARGIN = 0.05
"""Change of a measure from 0 to 1 below which a parameter may be called ignored."""
LENGTH = 200
"""Characters of an answer that its variety is measured on: later ones differ in any case once an earlier one does."""


# --- what a parameter changes ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Response:
    """How a measure of the answers changes when a parameter does."""

    word: Honesty
    off: float | None
    """Mean over prompts of the measure under the first setting, 0 to 1; None: no prompt has it under both."""
    on: float | None
    change: float | None
    """on - off."""
    low: float | None
    """Of its 95 % interval; None: fewer than two prompts."""
    high: float | None
    p_value: float | None
    """Two-sided, that the parameter changes nothing."""
    mde: float | None
    prompts: int


def response(
    off: Texts,
    on: Texts,
    measure: Callable[[Sequence[str]], float | None],
    expected: Literal["rises", "falls"],
    *,
    margin: float = MARGIN,
    seed: int = 0,
) -> Response:
    """Of the same prompts under two settings of one parameter, asked as often under each.

    The measure is taken of each prompt's answers; its change over prompts is tested by sign flips, which is exact where
    the setting does nothing. Honoured: it changed the expected way; reversed: the other way (both at p of at most
    0.05); ignored: the 95 % interval of the change lies within the margin; not applicable: the measure is 0 under both
    settings for every prompt, as the variety of a deterministic endpoint is. Else inconclusive.

    Args:
        off: answers under the first setting.
        on: answers under the second.
        measure: such as ``variety`` for temperature, top_p and top_k, or ``repetition`` for penalties; None: these
            answers do not have it, and the prompt is left out.
        expected: what the measure does from the first setting to the second where the parameter is honoured.
        margin: of the measure.
        seed: of the sign flips.
    """
    pairs = [(measure(off[each]), measure(on[each])) for each in off if each in on]
    told = [(before, after) for before, after in pairs if before is not None and after is not None]
    return _response(told, expected, margin, seed)


def seed_response(same: Texts, other: Texts, *, margin: float = MARGIN, seed: int = 0) -> Response:
    """Whether one seed gives one answer: ``same`` are answers under one seed, ``other`` each under its own.

    As ``response`` of the variety: a seed that is honoured makes it fall. Not applicable where both are 0, for then the
    endpoint repeats itself with any seed.
    """
    return response(other, same, variety, "falls", margin=margin, seed=seed)


def _response(told: Sequence[tuple[float, float]], expected: str, margin: float, seed: int) -> Response:
    if not told:
        return Response("inconclusive", None, None, None, None, None, None, None, 0)
    changes = [after - before for before, after in told]
    off, on, change = fmean(each for each, _ in told), fmean(each for _, each in told), fmean(changes)
    error, low, high, mde = standard_error(changes), None, None, None
    if error is not None:
        low, high = student_interval(change, error, len(changes) - 1)
        mde = smallest_detectable_mean(error, len(changes) - 1)
    p_value, _ = sign_flip_p(changes, seed=seed)
    word: Honesty = "inconclusive"
    if not any(map(any, told)):
        word = "not applicable"
    elif low is not None and high is not None and -margin < low and high < margin:
        word = "ignored"
    elif p_value <= ALPHA:
        word = "honoured" if (change > 0) == (expected == "rises") else "reversed"
    return Response(word, off, on, change, low, high, p_value, mde, len(told))


def variety(answers: Sequence[str]) -> float | None:
    """Mean share of the first ``LENGTH`` places, as far as the longer goes, in which two answers differ; 0 to 1.

    Over all pairs of different answers; None: fewer than two. It grows with the entropy of what is sampled, without the
    bias of an entropy that is estimated from few answers.

    Source: Rao, "Diversity and dissimilarity coefficients: a unified approach", Theoretical Population Biology 21
    (1982), for the mean distance of two draws as a diversity.
    """
    if len(answers) < 2:
        return None
    cut = [answer[:LENGTH] for answer in answers]
    return fmean(_apart(cut[i], cut[j]) for i in range(len(cut)) for j in range(i))


def _apart(one: str, other: str) -> float:
    if one == other:
        return 0.0
    same = sum(x == y for x, y in zip(one, other, strict=False))
    return 1 - same / max(len(one), len(other))


def repetition(answers: Sequence[str]) -> float | None:
    """Mean over answers of the share of words that were said before in the same answer; None: no answer has any word.

    Of the first ``LENGTH`` words: longer answers repeat more. Frequency and presence penalties make it fall.
    """
    said = [words for answer in answers if (words := _WORD.findall(answer.lower())[:LENGTH])]
    return fmean(1 - len(set(words)) / len(words) for words in said) if said else None


_WORD = re.compile(r"\w+")


# --- what a broken sampler leaves ------------------------------------------------------------------------

LOOP_PERIOD = 200
LOOP_TURNS = 4
LOOP_CHARACTERS = 60
WRONG_LETTERS = 3
_LOOKED_AT = 20_000


def looped(text: str) -> str | None:
    """The unit that a text ends by repeating, of at most ``LOOP_PERIOD`` characters; None: it does not.

    At least ``LOOP_TURNS`` times and over ``LOOP_CHARACTERS`` characters, and with a letter or a digit in it, so that
    rules of dashes and tables are none. A loop does not end by itself: it is looked for at the end only, which prose
    with its repeated words does not trip.
    """
    tail = text.rstrip()[-LOOP_PERIOD * (LOOP_TURNS + 1) :]
    for period in range(1, min(LOOP_PERIOD, len(tail) // LOOP_TURNS) + 1):
        wanted = max(LOOP_CHARACTERS, LOOP_TURNS * period)
        if len(tail) < wanted or tail[-wanted:-period] != tail[-wanted + period :]:
            continue
        unit = tail[-period:]
        return unit if any(map(str.isalnum, unit)) else None
    return None


def wrong_script(text: str, asked: str) -> str | None:
    """The script, such as ``CYRILLIC``, of letters that the prompt has none of; None: there are fewer than three.

    Latin and Greek are never wrong: names, code and formulas have them. Scripts are told by the names of the letters,
    in which those of Chinese and Japanese are one.

    Source: the check for U+0400 to U+04FF of the MiniMax provider verifier, for any script.
    """
    counted = Counter(script for sign in text[:_LOOKED_AT] if (script := _script(sign)))
    known = {_script(sign) for sign in asked}
    wrong = [script for script, count in counted.most_common() if script not in known and count >= WRONG_LETTERS]
    return wrong[0] if wrong else None


_EVERYWHERE = {
    "LATIN",
    "GREEK",
    "FULLWIDTH",
    "MATHEMATICAL",
    "SUPERSCRIPT",
    "SUBSCRIPT",
    "MODIFIER",
    "FEMININE",
    "MASCULINE",
}
_EAST_ASIAN = {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC", "BOPOMOFO"}


def _script(sign: str) -> str | None:
    if sign.isascii() or not sign.isalpha():
        return None
    first = unicodedata.name(sign, "").split(" ")[0]
    if first in _EAST_ASIAN:
        return "CJK"
    return None if not first or first in _EVERYWHERE else first


@dataclass(frozen=True, slots=True)
class Signs:
    """Signs of a broken sampler in one answer."""

    loop: bool
    wrong_script: bool
    only_reasoning: bool
    empty: bool


def signs(completion: Completion, asked: str) -> Signs:
    """Of one answer to a prompt; each sign's share per prompt is compared by ``harness.stats.paired``."""
    text = completion.text
    said = text.strip() or completion.tool_calls or completion.refusal.strip()
    return Signs(
        loop=looped(text) is not None or looped(completion.reasoning) is not None,
        wrong_script=wrong_script(text, asked) is not None,
        only_reasoning=contract.only_reasoning(completion),
        empty=not said and not completion.reasoning,
    )


def shares(found: Iterable[tuple[str, Signs]], sign: str) -> dict[str, float]:
    """Share of each prompt's answers with the sign of that name, by the prompt's id."""
    seen: dict[str, list[bool]] = {}
    for prompt, each in found:
        seen.setdefault(prompt, []).append(bool(getattr(each, sign)))
    return {prompt: fmean(each) for prompt, each in seen.items()}
