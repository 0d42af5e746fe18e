"""Which judge is asked about which answers: planned like everything else, and sent once the answers are there."""

from __future__ import annotations

import random
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.errors import TaskError, UsageError
from harness.exchange import Completion
from harness.provider import Endpoint
from harness.run.arrivals import Closed
from harness.run.planning.stages import Stage, job_of
from harness.run.selecting.selection import Selection
from harness.run.session import turn_id
from harness.scorers.judge_prompt import to_compare, to_rate
from harness.types import Job, Sample, Task


@dataclass(frozen=True, slots=True)
class Matter:
    """What one request to a judge is about: an answer to rate, or two to compare."""

    task: str
    sample: str
    repeat: int
    turn: int
    shown: tuple[str, ...]
    """Endpoints whose answers the judge sees, in this order: one, or two."""
    answers: tuple[tuple[str, ...], ...]
    """For each of them the ids of the jobs that the answers come from, from the first turn up to ``turn``."""

    @property
    def needed(self) -> Iterator[str]:
        """Ids of all jobs whose answers its request is made of."""
        for turns in self.answers:
            yield from turns

    def answered(self, answers: Container[str]) -> bool:
        """Whether all of these answers came; ``answers`` holds the ids of those that did."""
        return all(name in answers for name in self.needed)


def refuse_unjudgeable(tasks: Mapping[str, Task], selection: Selection) -> None:
    """Refuse a judged task without a judge, or a judge without one (UsageError), and a judged world (TaskError)."""
    judged = [name for name, task in tasks.items() if task.scorer.judging is not None]
    for name in judged:
        if tasks[name].world is not None:
            raise TaskError(f"task {name} has a world, and a judge sees texts alone", hint="Score the state it ends in")
    if judged and not selection.judges:
        raise UsageError(f"task {judged[0]} is scored by a judge", hint="Name one or more with --judge PROVIDER/MODEL")
    if selection.judges and not judged:
        raise UsageError(f"--judge {selection.judges[0]}: no task of this run is scored by a judge")
    if selection.pairwise and not selection.judges:
        raise UsageError("--pairwise needs somebody who compares", hint="Name a judge with --judge PROVIDER/MODEL")
    if selection.pairwise and len(set(selection.endpoints)) < 2:
        raise UsageError("--pairwise compares endpoints, and there is only one", hint="Give -e twice")


def judge_stages(
    tasks: Mapping[str, Task],
    samples: Mapping[str, Sequence[Sample]],
    judges: Sequence[str],
    selection: Selection,
) -> Iterator[tuple[Stage, dict[str, Matter]]]:
    """One stage for each judged task, a lane for each judge, with what each of its jobs is about.

    Every judge is asked the same in the same order. With ``pairwise`` each endpoint is compared with the first one,
    once in each order, besides being rated.
    """
    for name, task in tasks.items():
        if task.scorer.judging is None:
            continue
        stage = f"judge.{name}"
        matters = [matter for sample in samples[name] for matter in _matters(task, sample, selection)]
        random.Random(f"{selection.seed}/{stage}").shuffle(matters)  # noqa: S311 - a reproducible order, not a secret
        found: dict[str, Matter] = {}
        lanes = []
        for judge in judges:
            lane = [(_job(stage, judge, matter), matter) for matter in matters]
            found.update((job.id, matter) for job, matter in lane)
            lanes.append(tuple(job for job, _ in lane))
        yield Stage(stage, "judge", Closed(selection.concurrency), tuple(lanes), together=True), found


def question(
    matter: Matter, sample: Sample, rubric: str, judge: Endpoint, answers: Mapping[str, str] | None
) -> Sample | None:
    """What a judge is asked: with the answers by job id, or (None) as far as it can be known without any.

    None: one of the answers did not come.
    """
    if answers is not None and not matter.answered(answers):
        return None
    said = [["" if answers is None else answers[name] for name in turns] for turns in matter.answers]
    asked = to_compare(sample, said[0], said[1], rubric) if len(said) == 2 else to_rate(sample, said[0], rubric)
    room = asked.params["max_tokens"] + judge.provider.quirks.reasoning_tokens
    return replace(asked, params={**asked.params, "max_tokens": room})


def answer_of(completion: Completion) -> str:
    """The text of an answer that a judge is shown: what a user sees of it."""
    return completion.text or completion.refusal


def _matters(task: Task, sample: Sample, selection: Selection) -> Iterator[Matter]:
    endpoints = tuple(dict.fromkeys(selection.endpoints))
    shown = [(endpoint,) for endpoint in endpoints]
    if selection.pairwise:
        for other in endpoints[1:]:
            shown += [(endpoints[0], other), (other, endpoints[0])]  # type: ignore[list-item]
    for repeat in range(selection.repeats):
        firsts = {
            name: job_of(f"{task.kind}.{task.name}", name, task.kind, task.name, sample.id, repeat).id
            for name in endpoints
        }
        for turn in range(1 + len(sample.turns)):
            for names in shown:
                answers = tuple(tuple(turn_id(firsts[name], at) for at in range(turn + 1)) for name in names)
                yield Matter(task.name, sample.id, repeat, turn, names, answers)


def _job(stage: str, judge: str, matter: Matter) -> Job:
    about = f"{'|'.join(matter.shown)}:{matter.sample}" + (f"~{matter.turn}" if matter.turn else "")
    return job_of(stage, judge, "judge", matter.task, about, matter.repeat)
