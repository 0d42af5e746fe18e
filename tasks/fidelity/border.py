"""Border inputs: 120 prompts of one token, whose first token of answer flips where two tokens are nearly as likely.

Asked several times (--repeats) at temperature 0, a server whose batches are not exactly alike gives two answers to the
few prompts that lie on such a border: these are the ones that the least change of the model moves. ``harness verify
border find`` keeps them, with what was answered, in a file; with that file as --data only they are asked, and the score
is the share of answers that were given to the same prompt before. ``harness verify border check`` compares the shares
themselves, which see more. A server that always gives the same answer has no border inputs, and this task says nothing
of it.

Source: the idea is "B3IT", arXiv 2602.11083 (ICML 2026); the prompts are our own.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from pathlib import Path

from harness.data import local_rows
from harness.errors import TaskError
from harness.exchange import Completion
from harness.scorers.answered import answered
from harness.types import Sample, Score, Scorer, Task

# fmt: off
WORDS = (
    "the", "of", "and", "in", "to", "is", "you", "that", "it", "he", "for", "on", "are", "with", "as", "his",
    "they", "be", "at", "one", "have", "this", "from", "by", "hot", "word", "but", "what", "some", "we", "can",
    "out", "other", "were", "all", "your", "when", "up", "use", "how", "said", "an", "each", "she", "which",
    "do", "time", "if", "will", "way", "about", "many", "then", "them", "would", "like", "so", "these", "her",
    "long", "make", "thing", "see", "him", "two", "has", "look", "more", "day", "could", "go", "come", "did",
    "my", "no", "most", "who", "over", "know", "than", "call", "first", "people", "may",
)
# fmt: on
PROMPTS = (*WORDS, *string.ascii_uppercase, *string.digits)
"""One token each in the vocabularies of most models, or nearly so."""
_PARAMS = {"temperature": 0, "max_tokens": 1}
_ANSWERED = answered()


def load(data: Path | None) -> Iterator[Sample]:
    """The prompts in their order, or those of a file with the columns prompt and answers (text -> how often)."""
    if data is None:
        for prompt in PROMPTS:
            yield Sample(prompt, ({"role": "user", "content": prompt},), params=_PARAMS)
        return
    for number, row in enumerate(local_rows(data, ("prompt", "answers")), 1):
        prompt, answers = row["prompt"], row["answers"]
        if not isinstance(prompt, str) or not isinstance(answers, dict) or not answers:
            raise TaskError(
                f"{data}: row {number}: a prompt is a text, and its answers are an object of counts",
                hint="Make it with: harness verify border find RUN --out FILE",
            )
        yield Sample(prompt, ({"role": "user", "content": prompt},), target=list(answers), params=_PARAMS)


def _score(sample: Sample, completion: Completion) -> Score:
    """Whether the answer is one of those that were given before; without those whether there is any."""
    if sample.target is None:
        return _ANSWERED.score(sample, completion)
    said = completion.text or completion.reasoning
    known = said in sample.target
    return Score(float(known), said, "was answered before" if known else "was never answered before", "border", 1)


TASK = Task(
    name="fidelity_border",
    version=1,
    kind="quality",
    description="Prompts of one token, for answers that flip; whether each was given before, where that is known.",
    load=load,
    scorer=Scorer("border", 1, _score),
    source="made by the task",
)
