"""Open prompts: 30 short ones with many good answers, which show whether one model stands behind two endpoints.

``fidelity_text`` asks at temperature 1 with nothing cut off (top_p 1), where answers are draws from the model's own
distribution; ``fidelity_greedy`` asks the same at temperature 0, where a server that obeys gives one answer or nearly
so; ``fidelity_sampling`` asks each at temperature 1 once with a top_p that leaves next to nothing, and once with a
seed. Ask each several times, with --repeats: one answer to a prompt says nothing about a distribution.

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
from harness.types import JsonObject, Sample, Task

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
SETTINGS: dict[str, dict[str, JsonObject]] = {
    "fidelity_text": {"": {"temperature": 1, "top_p": 1}},
    "fidelity_greedy": {"": {"temperature": 0, "top_p": 1}},
    "fidelity_sampling": {
        " top_p": {"temperature": 1, "top_p": 0.1},
        " seed": {"temperature": 1, "top_p": 1, "seed": 20260},
    },
}
"""Task -> parameters of each prompt, by what is put behind its name."""


def _loader(name: str) -> Callable[[Path | None], Iterator[Sample]]:
    def load(data: Path | None) -> Iterator[Sample]:
        """The prompts in their order; there is nothing to give."""
        if data is not None:
            raise TaskError(f"{name} has its own prompts", hint="Leave out --data")
        for prompt, text in PROMPTS.items():
            for which, params in SETTINGS[name].items():
                said = ({"role": "user", "content": text},)
                yield Sample(f"{prompt}{which}", said, params={**params, "max_tokens": MAX_TOKENS})

    return load


TASKS = tuple(
    Task(
        name=name,
        version=1,
        kind="quality",
        description=f"Prompts with many good answers at {how}; whether there is an answer.",
        load=_loader(name),
        scorer=answered(),
        source="made by the task",
    )
    for name, how in (
        ("fidelity_text", "temperature 1"),
        ("fidelity_greedy", "temperature 0"),
        ("fidelity_sampling", "temperature 1 with a small top_p, and with a seed"),
    )
)
