"""Log probabilities: 12 short prompts of which one token of the answer is asked for, with the likeliest five.

They are looked at for the token's place alone and not for what was drawn there, so that one answer tells as much of a
distribution as hundreds of texts. Temperature 1 and top_p 1: a server that tells the probabilities which it samples
from, and not the model's own, would tell of one token only at temperature 0. Five are as many as every server gives
that gives any. Not streamed: some leave them out of streams.

Source: the idea is "LT", log probability tracking, arXiv 2512.03816 (ICLR 2026); the prompts are our own.
Known traps: a server that does not know ``logprobs`` refuses the request or leaves them out; that says nothing of its
model.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.errors import TaskError
from harness.scorers.answered import answered
from harness.types import Sample, Task

PROMPTS = {
    "colour": "Name a colour.",
    "letter": "Write any letter.",
    "digit": "Choose a digit.",
    "greeting": "Greet me.",
    "weather": "How is the weather on Mars?",
    "story": "Begin a story.",
    "bird": "Which bird sings best?",
    "why": "Why?",
    "code": "Write a function that adds two numbers.",
    "translate": "Say good morning in another language.",
    "opinion": "Is tea better than coffee?",
    "continue": "One, two, three,",
}
TOP = 5


def load(data: Path | None) -> Iterator[Sample]:
    """The prompts in their order; there is nothing to give."""
    if data is not None:
        raise TaskError("fidelity_logprobs has its own prompts", hint="Leave out --data")
    params = {"temperature": 1, "top_p": 1, "max_tokens": 1, "logprobs": True, "top_logprobs": TOP}
    for prompt, text in PROMPTS.items():
        yield Sample(prompt, ({"role": "user", "content": text},), params=params)


TASK = Task(
    name="fidelity_logprobs",
    version=1,
    kind="quality",
    description="Short prompts, for the probabilities of the answer's first token; whether there is an answer.",
    load=load,
    scorer=answered(),
    stream=False,
    source="made by the task",
)
