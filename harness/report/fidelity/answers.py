"""What a verification's endpoints answered: the reference's answers twice over, each candidate's once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import UsageError
from harness.exchange import Completion, StreamMarks, ToolCall, Usage
from harness.record.folder import RunFolder
from harness.report.fidelity.served import NOTHING, Served, read_served
from harness.store.query import rows
from harness.types import JsonObject

_ANSWERS = """
select m.endpoint, m.task, m.sample, m.repeat, m.job_id as job, m.prompt_tokens, m.output_tokens,
    m.finish_reason, m.workload_sha256, m.ttft_ms, a.in_flight, t.text, t.reasoning, t.tool_calls_json, t.request_body,
    s.value as score, s.cluster, m.ok, coalesce(a.contract_faults, []) as faults
from attempt_metrics m
join attempts a on a.run_id = m.run_id and a.job_id = m.job_id and a.number = m.number
    and a.shard = m.shard and a.session = m.session
left join texts t on t.run_id = m.run_id and t.job_id = m.job_id and t.number = m.number
left join scores s on s.run_id = m.run_id and s.job_id = m.job_id
where m.run_id = $run and (m.ok or m.failure_kind = 'empty') and m.last_attempt and m.turn = 0
    and m.kind in ('quality', 'tools')
order by m.task, m.sample, m.repeat, m.endpoint
"""
COUNTED = "fidelity_prompt_tokens"
"""The task of which only the tokens of the prompt matter. Its answers of one token may be half a letter, and so empty:
where the prompt was counted all the same, nothing has failed."""
_ASKED = f"""
with tried as (
    select *, not ok and not (task = '{COUNTED}' and failure_kind = 'empty' and prompt_tokens is not null) as lost
    from attempt_metrics
    where run_id = $run and last_attempt and not set_apart and kind in ('quality', 'tools')
)
select endpoint, task, sample, repeat % 2 as half, count(*) as n, count(*) filter (where lost) as failed,
    mode(failure_kind) filter (where lost) as kind, min(job_id) filter (where lost) as job
from tried group by all order by all
"""  # noqa: S608 - a constant


class Call(NamedTuple):
    """A tool call as it came."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, perhaps an empty one."""

    task: str
    sample: str
    repeat: int
    job: str
    text: str
    reasoning: str
    calls: tuple[Call, ...]
    finish: str | None
    prompt_tokens: int | None
    output_tokens: int | None
    score: float | None
    """None: it cannot be judged."""
    cluster: str | None
    """What its question shares with others; None: it stands alone."""
    body: JsonObject
    """The request."""
    faults: tuple[str, ...]
    """What of its contract it breaks, by name."""
    ok: bool
    """Whether anything came; without it there are only the counts."""
    ttft_ms: float | None = None
    in_flight: int = 1
    """Requests of this client under way at its endpoint when it was sent, itself included."""

    @property
    def name(self) -> str:
        """Of its question, over all tasks."""
        return f"{self.task} {self.sample}"

    @property
    def completion(self) -> Completion:
        """The same as the pure functions take it; its times are left out."""
        calls = tuple(ToolCall("", call.name, call.arguments) for call in self.calls)
        usage = Usage(self.prompt_tokens, self.output_tokens)
        return Completion(self.text, self.reasoning, "", calls, self.finish, usage, StreamMarks())


class Sides(NamedTuple):
    """What the two sides of a comparison are called."""

    base: str
    other: str


VERIFIED = Sides("reference", "candidate")


class Asked(NamedTuple):
    """How one question fared."""

    n: int
    failed: int
    kind: str | None
    """Of the failures, if there are any."""
    job: str | None
    """One that failed."""

    def and_(self, more: Asked | None) -> Asked:
        """This and what came of it another time."""
        if more is None:
            return self
        worst = max(self, more, key=lambda one: one.failed)
        return Asked(self.n + more.n, self.failed + more.failed, worst.kind, worst.job)


@dataclass(frozen=True, slots=True)
class Answers:
    """All answers of a verification."""

    reference: str
    candidates: tuple[str, ...]
    of: dict[tuple[str, str], tuple[Answer, ...]]
    """By (endpoint, task)."""
    asked: dict[str, dict[tuple[str, str], Asked]]
    """By endpoint, and (task, sample): whatever came of it."""
    served: Served = NOTHING
    """What they tell beside their texts."""
    sides: Sides = VERIFIED

    def first(self, task: str) -> tuple[Answer, ...]:
        """The reference's answers to be compared with."""
        return tuple(one for one in self.candidate(self.reference, task) if one.repeat % 2 == 0)

    def again(self, task: str) -> tuple[Answer, ...]:
        """The reference's answers when it was asked once more: what it differs from itself."""
        return tuple(one for one in self.candidate(self.reference, task) if one.repeat % 2)

    def all_of(self, endpoint: str, tasks: Sequence[str]) -> tuple[Answer, ...]:
        """All answers of an endpoint to some tasks."""
        return tuple(one for task in tasks for one in self.candidate(endpoint, task))

    def candidate(self, endpoint: str, task: str) -> tuple[Answer, ...]:
        """A candidate's answers."""
        return tuple(one for one in self.counted(endpoint, task) if one.ok)

    def counted(self, endpoint: str, task: str) -> tuple[Answer, ...]:
        """An endpoint's answers, with the empty ones: the tokens of their prompts were counted too."""
        return self.of.get((endpoint, task), ())


def read(results: Path, folder: RunFolder) -> Answers:
    """The answers of a run.

    Raises:
        UsageError: it is no verification, or its texts were not kept.
        StoreError: the database cannot be read.
    """
    selection = folder.read_manifest().get("selection") or {}
    if not selection.get("twice"):
        raise UsageError(
            f"run {folder.id} is no verification", hint="Make one with: harness verify --reference A --candidate B"
        )
    reference, *candidates = selection["endpoints"]
    asked: dict[str, dict[tuple[str, str], Asked]] = {}
    for (endpoint, _), fared in asked_in(results, folder).items():
        own = asked.setdefault(endpoint, {})
        for question, one in fared.items():
            own[question] = one.and_(own.get(question))
    of = by_place(answers_in(results, folder))
    return Answers(reference, tuple(candidates), of, asked, read_served(results, folder))


def answers_in(results: Path, folder: RunFolder) -> Iterator[tuple[str, Answer]]:
    """The endpoint and the answer, of all that the tasks of a run got. Errors: as ``read``."""
    for row in rows(results, _ANSWERS, {"run": folder.id}):
        if row["ok"] and row["text"] is None:
            raise UsageError(f"the texts of run {folder.id} are gone, and a verification is made of them")
        yield row["endpoint"], _answer(row)


def by_place(answers: Iterable[tuple[str, Answer]]) -> dict[tuple[str, str], tuple[Answer, ...]]:
    """Answers by (endpoint, task)."""
    found: dict[tuple[str, str], list[Answer]] = {}
    for endpoint, one in answers:
        found.setdefault((endpoint, one.task), []).append(one)
    return {place: tuple(some) for place, some in found.items()}


def asked_in(results: Path, folder: RunFolder) -> dict[tuple[str, int], dict[tuple[str, str], Asked]]:
    """How every (task, sample) fared, by the endpoint and by whether its repeats are even (0) or odd (1)."""
    found: dict[tuple[str, int], dict[tuple[str, str], Asked]] = {}
    for row in rows(results, _ASKED, {"run": folder.id}):
        fared = Asked(row["n"], row["failed"], row["kind"], row["job"])
        found.setdefault((row["endpoint"], row["half"]), {})[row["task"], row["sample"]] = fared
    return found


def texts(answers: Sequence[Answer]) -> dict[str, list[str]]:
    """Visible texts by sample."""
    found: dict[str, list[str]] = {}
    for one in answers:
        found.setdefault(one.sample, []).append(one.text)
    return found


def _answer(row: dict[str, Any]) -> Answer:
    calls = json.loads(row["tool_calls_json"] or "[]")
    return Answer(
        task=row["task"],
        sample=row["sample"],
        repeat=row["repeat"],
        job=row["job"],
        text=row["text"] or "",
        reasoning=row["reasoning"] or "",
        calls=tuple(Call(str(call.get("name") or ""), str(call.get("arguments") or "")) for call in calls),
        finish=row["finish_reason"],
        prompt_tokens=row["prompt_tokens"],
        output_tokens=row["output_tokens"],
        score=row["score"],
        cluster=row["cluster"],
        body=_body(row["request_body"]),
        faults=tuple(row["faults"]),
        ok=row["ok"],
        ttft_ms=row["ttft_ms"],
        in_flight=row["in_flight"],
    )


def _body(text: str | None) -> JsonObject:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
