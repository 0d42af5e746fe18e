"""Needle in a haystack: 20 long texts that hold a made-up fact, at five depths; a task for each of eight lengths.

Every prompt has a text of its own, made of common words, so no cache and no training knows it. One sentence in it
tells the six-digit code of the place that is asked for; three sentences like it tell other places' codes. Depth 0
puts the needle first, depth 100 last. The first five prompts of a task hold each depth once, all 20 hold it four times.

``needle_8k`` has about 8,000 tokens, question included, what the chat template adds not: a word or a full stop is a
token in most vocabularies. A prompt that is too long for a model is the failure ``context_overflow``, not a wrong
answer.

Source: the idea is Greg Kamradt's, gkamradt/LLMTest_NeedleInAHaystack; text, needles and distractors are our own.
Known traps: finding one sentence is the easiest use of a long context, so a full score says that the window is real
and not that the model reasons over it; some servers cut long prompts silently, which shows as wrong answers at depth 0;
20 prompts of 128,000 tokens are 2.6 million input tokens to pay for.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.errors import TaskError
from harness.scorers.numeric import numeric
from harness.types import Sample, Task
from harness.workload import words

DEPTHS = (0, 25, 50, 75, 100)
ROUNDS = 4
THOUSANDS = (1, 2, 4, 8, 16, 32, 64, 128)
PLACES = ("bakery", "chapel", "cinema", "ferry", "harbour", "library", "lighthouse", "museum", "pharmacy", "theatre")
"""Words that the text around the needle never has."""
_STARTS = ("The", "A", "One", "Every", "No", "This", "Some", "Any")


def _loader(thousands: int) -> Callable[[Path | None], Iterator[Sample]]:
    def load(data: Path | None) -> Iterator[Sample]:
        """All depths in turn, four times; there is nothing to give, the texts are made."""
        if data is not None:
            raise TaskError(f"needle_{thousands}k makes its own texts", hint="Leave out --data")
        for number in range(ROUNDS * len(DEPTHS)):
            yield _sample(thousands, number)

    return load


def _sample(thousands: int, number: int) -> Sample:
    rng = random.Random(f"needle/{thousands}/{number}")  # noqa: S311 - the same text for everybody, not a secret
    depth = DEPTHS[number % len(DEPTHS)]
    place, *others = rng.sample(PLACES, 4)
    code, *other_codes = rng.sample(range(100_000, 1_000_000), 4)
    question = f"What is the code of the {place}? The text above tells it once. Answer with the number only."
    facts = [_fact(other, said) for other, said in zip(others, other_codes, strict=True)]
    needle = _fact(place, code)
    sentences = _filler(rng, 1000 * thousands - words.count(" ".join((needle, *facts, question))))
    for fact in facts:
        sentences.insert(rng.randrange(len(sentences) + 1), fact)
    sentences.insert(round(len(sentences) * depth / 100), needle)
    text = f"{' '.join(sentences)}\n\n{question}"
    return Sample(
        id=f"{depth:03d}-{number // len(DEPTHS) + 1}",
        messages=({"role": "user", "content": text},),
        target=str(code),
        params={"temperature": 0, "max_tokens": 32},
        metadata={"depth": depth, "tokens": words.count(text)},
    )


def _fact(place: str, code: int) -> str:
    return f"The code of the {place} is {code}."


def _filler(rng: random.Random, tokens: int) -> list[str]:
    """Sentences of 8 to 16 tokens, the last of what is left; first word and full stop count."""
    sentences = []
    while tokens > 2:
        length = min(rng.randint(8, 16), tokens)
        sentences.append(f"{rng.choice(_STARTS)} {words.text(rng, length - 2)}.")
        tokens -= length
    return sentences


TASKS = tuple(
    Task(
        name=f"needle_{thousands}k",
        version=1,
        kind="quality",
        description=f"A code in a text of {thousands},000 tokens, at five depths; the answer is one number.",
        load=_loader(thousands),
        scorer=numeric(),
        source="made by the task",
    )
    for thousands in THOUSANDS
)
