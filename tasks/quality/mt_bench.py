"""MT-bench: 80 conversations of two turns in eight categories, rated by a judge, each turn by itself.

Example: "Compose an engaging travel blog post about a recent trip to Hawaii, ...", then "Rewrite your previous
response. Start every sentence with the letter A." The score is the mean of the two turns. A local copy is the project's
question.jsonl; a reference_answer_gpt-4.jsonl beside it is shown to the judge, as upstream does for maths, reasoning
and coding. Temperatures by category and the limit of 1024 tokens are upstream's; the words to the judge are ours, so
compare ratings of one judge and one version of this harness, and not with published ones.

Source: Zheng et al., "Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena", arXiv:2306.05685; lm-sys/FastChat,
fastchat/llm_judge (data, and temperature_config in common.py).
Known traps: the set is public and small; GPT-4's reference answers are not all right; judges favour long answers, and
their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.data import local_rows, rows
from harness.errors import TaskError
from harness.scorers.judge import judge
from harness.types import JsonObject, Sample, Task

HUB = "HuggingFaceH4/mt_bench_prompts"
REVISION = "e3a795c5e9a82ee40611c416b8a7786c73198991"
COLUMNS = ("question_id", "prompt_id"), ("turns", "prompt")
"""As the project and as the hub name them."""
REFERENCES = "reference_answer_gpt-4.jsonl"

_TEMPERATURE = {"writing": 0.7, "roleplay": 0.7, "stem": 0.1, "humanities": 0.1}
"""Of the other categories it is 0."""


def load(data: Path | None) -> Iterator[Sample]:
    """The conversations in the order of the source.

    A local copy needs the project's columns question_id, category and turns, or those of the hub: prompt_id, category
    and prompt.
    """
    references = {} if data is None else _references(data.with_name(REFERENCES))
    for row in rows(hub=HUB, revision=REVISION, split="train", data=data, columns=("category",)):
        names, turns = (next((one for one in ways if row.get(one) is not None), ways[0]) for ways in COLUMNS)
        name = str(row.get(names))
        yield _sample(name, row["category"], turns, row.get(turns), references.get(name) or row.get("reference"))


def _sample(name: str, category: str, column: str, turns: object, reference: object) -> Sample:
    if not isinstance(turns, list) or not turns or not all(isinstance(turn, str) for turn in turns):
        raise TaskError(f"mt_bench question {name}: column '{column}' is not a list of texts")
    first, *later = turns
    return Sample(
        id=name,
        messages=({"role": "user", "content": first},),
        turns=tuple(later),
        target=reference or None,
        params={"temperature": _TEMPERATURE.get(category, 0), "max_tokens": 1024},
        metadata={"category": category},
    )


def _references(file: Path) -> Mapping[str, object]:
    """Reference answers by question, where the file is there."""
    if not file.is_file():
        return {}
    return {str(row["question_id"]): _turns(row, file) for row in local_rows(file, ("question_id", "choices"))}


def _turns(row: JsonObject, file: Path) -> object:
    try:
        return row["choices"][0]["turns"]
    except (LookupError, TypeError):
        raise TaskError(f"{file}: question {row['question_id']}: column 'choices' holds no turns") from None


TASK = Task(
    name="mt_bench",
    version=1,
    kind="quality",
    description="Open-ended conversations of two turns, rated by a judge (--judge).",
    load=load,
    scorer=judge(),
    source=f"hub {HUB}@{REVISION[:7]}",
)
