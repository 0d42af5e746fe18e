"""The questions as a task of Inspect, scored by the number at the end."""

from inspect_ai import Task, task
from inspect_ai.dataset import json_dataset
from inspect_ai.scorer import match
from inspect_ai.solver import generate


@task
def questions() -> Task:
    """Read from the folder it runs in."""
    return Task(dataset=json_dataset("questions.jsonl"), solver=generate(), scorer=match(numeric=True))
