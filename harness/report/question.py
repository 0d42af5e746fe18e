"""One question: what was asked, and what each endpoint made of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.report import words
from harness.store.query import rows
from harness.types import JsonObject

_ANSWERS = """
select m.endpoint, m.repeat, m.turn, m.job_id, m.number, m.failure_kind, a.failure_detail, t.request_body, t.text,
    t.reasoning, t.tool_calls_json, s.value, s.answer, s.explanation, s.scorer, s.version, s.fault, m.e2e_ms, m.cost_usd
from attempt_metrics m
join attempts a using (run_id, job_id, number, shard, session)
left join texts t using (run_id, job_id, number)
left join scores s on s.run_id = m.run_id and s.job_id = m.job_id and m.ok
where m.run_id = $run and m.task = $task and m.sample = $sample and m.kind in ('quality', 'tools') and m.last_attempt
order by list_position($names, m.endpoint), m.repeat, m.turn, m.job_id
"""


def answers(results: Path, run: str, task: str, sample: str, names: Sequence[str]) -> list[JsonObject]:
    """The attempt that counts of every request of a question, by endpoint in the order of ``names``, repeat and turn.

    Each with its text, its score (``value``, 0 to 1; None: not scored) and why, milliseconds and USD. Errors: as
    ``rows``.
    """
    return rows(results, _ANSWERS, {"run": run, "task": task, "sample": sample, "names": list(names)})


def asked(request_body: str | None) -> str:
    """What a request says, message by message, as text; a body that is something else as it is."""
    if request_body is None:
        return "The texts of this run are not kept here."
    try:
        body = json.loads(request_body)
    except (ValueError, RecursionError):
        return request_body
    found = body.get("messages", body.get("input")) if isinstance(body, dict) else None
    if isinstance(found, str):
        return found
    if not isinstance(found, list):
        return request_body
    return "\n\n".join(_message(one) for one in found)


def _message(one: object) -> str:
    if not isinstance(one, dict):
        return str(one)
    content = one.get("content")
    told = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    calls = one.get("tool_calls")
    more = f"\n{json.dumps(calls, ensure_ascii=False)}" if calls else ""
    return f"[{one.get('role', '?')}]\n{told}{more}"


def answered(row: JsonObject) -> str:
    """What came: reasoning, text and tool calls; of a failed request why there is none."""
    if row["failure_kind"] is not None:
        return f"{row['failure_kind']}: {row['failure_detail']}"
    calls = row["tool_calls_json"]
    parts = {
        "reasoning": row["reasoning"],
        "text": row["text"],
        "tool calls": None if calls in (None, "[]") else calls,
    }
    return "\n\n".join(part if name == "text" else f"[{name}]\n{part}" for name, part in parts.items() if part) or (
        words.NOTHING
    )


def judged(row: JsonObject) -> Iterator[str]:
    """The score of an answer and why, in lines."""
    if row["scorer"] is None:
        yield "failed: not judged" if row["failure_kind"] is not None else "no scorer saw it"
        return
    by = f"by {row['scorer']} version {row['version']}"
    yield f"score {row['value']:g} {by}" if row["value"] is not None else f"invalid ({row['fault']}) {by}"
    if row["answer"] is not None:
        yield f"read out of it: {row['answer']}"
    if row["explanation"]:
        yield row["explanation"]
