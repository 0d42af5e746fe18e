"""Open prompts: 30 short ones with many good answers, which show whether one model stands behind two endpoints.

``fidelity_text`` asks at temperature 1 with nothing cut off (top_p 1), where answers are draws from the model's own
distribution; ``fidelity_greedy`` asks the same at temperature 0, where a server that obeys gives one answer or nearly
so. Ask each several times, with --repeats: one answer to a prompt says nothing about a distribution.

Answers are cut at 40 tokens: what sets two distributions apart shows in the first words, and the rest is to be paid
for. An endpoint that thinks first will say nothing within them. Nothing is right or wrong here; the score only says
whether there was an answer.

Source: the idea is Gao, Liang & Guestrin, "Model equality testing", ICLR 2025; the prompts are our own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from harness.errors import TaskError
from harness.scorers.answered import answered
from harness.types import Sample, Task

PROMPTS = {
    "lighthouse": "Write the first sentence of a story about a lighthouse.",
    "soup": "Invent a soup and say in one sentence what is in it.",
    "advice": "Give one piece of advice to somebody who starts a new job.",
    "colour": "Describe a colour to somebody who has never seen it, in one sentence.",
    "planet": "Invent a planet and describe its weather in one sentence.",
    "excuse": "Make up a polite excuse for being late to a dinner.",
    "proverb": "Invent a proverb about patience.",
    "shop": "Suggest a name for a bookshop by the sea, and say why.",
    "letter": "Write the opening line of a letter to an old friend.",
    "robot": "What would a robot dream of? Answer in one sentence.",
    "river": "Describe a river at night in one sentence.",
    "game": "Invent a game for two children and a ball, in two sentences.",
    "history": "Name an invention that changed daily life, and say how in one sentence.",
    "fact": "Tell me something surprising about an animal of your choice.",
    "market": "Describe what you hear at a market in the morning.",
    "toast": "Propose a toast at a wedding, in one sentence.",
    "dragon": "What does a dragon have for breakfast?",
    "tree": "Write two lines of a poem about an old tree.",
    "future": "What will kitchens look like in a hundred years? One sentence.",
    "painting": "Describe a painting that nobody has painted yet.",
    "review": "Write a one-sentence review of an imaginary film.",
    "number": "Choose a number between 1 and 100 and say why you like it.",
    "walk": "Suggest something to do on a rainy Sunday.",
    "myth": "Invent a myth that explains why the sea is salty, in two sentences.",
    "question": "Ask me an interesting question about music.",
    "machine": "Describe a machine that sorts socks, in one sentence.",
    "bridge": "What might a bridge say to the river below it?",
    "recipe": "Name three things that go well with apples.",
    "city": "Describe a city that floats in the air, in one sentence.",
    "animal": "Which animal would make the best mayor, and why?",
}
MAX_TOKENS = 40


def _loader(name: str, temperature: int) -> Callable[[Path | None], Iterator[Sample]]:
    def load(data: Path | None) -> Iterator[Sample]:
        """The prompts in their order; there is nothing to give."""
        if data is not None:
            raise TaskError(f"{name} has its own prompts", hint="Leave out --data")
        for prompt, text in PROMPTS.items():
            params = {"temperature": temperature, "top_p": 1, "max_tokens": MAX_TOKENS}
            yield Sample(prompt, ({"role": "user", "content": text},), params=params)

    return load


TASKS = tuple(
    Task(
        name=name,
        version=1,
        kind="quality",
        description=f"Prompts with many good answers at temperature {temperature}; whether there is an answer.",
        load=_loader(name, temperature),
        scorer=answered(),
        source="made by the task",
    )
    for name, temperature in (("fidelity_text", 1), ("fidelity_greedy", 0))
)
