"""How much of the expected text an answer repeats, as a share from 0 to 1.

* ``chrf``: character n-grams. Source: Popovic 2015; computed by ``sacrebleu`` (chrF2, six characters, divided by 100).
* ``bleu``: word n-grams of one sentence, effective order. Source: Papineni et al. 2002; computed by ``sacrebleu``,
  divided by 100.
* ``rouge_l``: F1 of the longest common subsequence of words. Source: Lin 2004. Words are runs of letters and digits
  in lower case; for English that is the value of the package ``rouge-score``, which drops every letter but a to z.
* ``ratio``: 1 less the share of characters to insert or delete. Computed by ``rapidfuzz``.

A high value says that the wording is alike, not that the answer is right.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

from harness.errors import TaskError
from harness.exchange import Completion
from harness.scorers.extra import need
from harness.scorers.strict_json import clipped
from harness.scorers.wanted import wanted_texts
from harness.types import Sample, Score, Scorer

VERSION = 1
EXAMPLE = "similarity:rouge_l,threshold=0.5"

Metric = Literal["chrf", "bleu", "rouge_l", "ratio"]
_LONGEST = 20_000
"""Characters of an answer that are compared: beyond is a model stuck in a loop."""
_WORD = re.compile(r"[^\W_]+")


def similarity(metric: Metric = "chrf", *, threshold: float | None = None) -> Scorer:
    """The likeness to the target, or to the one of several targets that is most alike.

    The target is a string or a list of strings. With a ``threshold`` (0 to 1) the score is 1 from there on and 0 below,
    and ``details`` holds the likeness; None: the score is the likeness.

    Raises:
        CannotMeasure: the library is not installed.
        TaskError: the target or the threshold is of another kind.
    """
    likeness = _METRICS[metric]()
    if threshold is not None and not 0 < threshold <= 1:
        raise TaskError(f"the threshold of similarity is above 0 and at most 1, not {threshold}")
    name = f"similarity({metric})" if threshold is None else f"similarity({metric},threshold={threshold})"

    def score(sample: Sample, completion: Completion) -> Score:
        wanted = wanted_texts(sample, name)
        text = completion.text.strip()
        found = min(max(likeness(text[:_LONGEST], wanted), 0.0), 1.0)
        value = found if threshold is None else float(found >= threshold)
        told = f"{metric} {found:.3f}" + (f" of the first {_LONGEST} characters" if len(text) > _LONGEST else "")
        return Score(value, clipped(text, 1000) or None, told, name, VERSION, details={metric: round(found, 6)})

    return Scorer(name, VERSION, score)


Likeness = Callable[[str, Sequence[str]], float]


def _chrf() -> Likeness:
    metric = _library("sacrebleu.metrics").CHRF()
    return lambda text, wanted: metric.sentence_score(text, list(wanted)).score / 100


def _bleu() -> Likeness:
    metric = _library("sacrebleu.metrics").BLEU(effective_order=True)
    return lambda text, wanted: metric.sentence_score(text, list(wanted)).score / 100


def _rouge_l() -> Likeness:
    common = _library("rapidfuzz.distance").LCSseq

    def one(text: list[str], wanted: list[str]) -> float:
        return 2 * common.similarity(text, wanted) / (len(text) + len(wanted)) if text and wanted else 0.0

    def likeness(text: str, wanted: Sequence[str]) -> float:
        words = _WORD.findall(text.lower())
        return max(one(words, _WORD.findall(each.lower())) for each in wanted)

    return likeness


def _ratio() -> Likeness:
    fuzz = _library("rapidfuzz.fuzz")
    return lambda text, wanted: max(fuzz.ratio(text, each) for each in wanted) / 100


_METRICS: dict[str, Callable[[], Likeness]] = {"chrf": _chrf, "bleu": _bleu, "rouge_l": _rouge_l, "ratio": _ratio}


def _library(name: str) -> Any:
    need(name.partition(".")[0], "similarity")
    return importlib.import_module(name)
