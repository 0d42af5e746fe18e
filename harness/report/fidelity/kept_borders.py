"""Border inputs kept in a file: found at a reference once, and asked again night by night."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from harness.data import local_rows
from harness.errors import TaskError, UsageError
from harness.fidelity.border import KEPT, Border, Canary, Firsts, borders, canary
from harness.record.folder import RunFolder
from harness.report.fidelity.border import TASK
from harness.store.query import rows

_MOST = 10_000
"""Times that one answer may have come."""
_FIRSTS = """
select m.sample as prompt, coalesce(nullif(t.text, ''), t.reasoning, '') as said
from attempt_metrics m
join texts t on t.run_id = m.run_id and t.job_id = m.job_id and t.number = m.number
where m.run_id = $run and m.endpoint = $endpoint and m.task = $task and m.ok and m.last_attempt
order by m.sample, m.repeat
"""


def endpoint_of(folder: RunFolder, endpoint: str | None) -> str:
    """Whose answers are meant: the named one, or the first of the run. UsageError: it was not asked."""
    asked = [one["id"] for one in folder.read_manifest()["endpoints"]]
    if endpoint is None:
        return str(asked[0])
    if endpoint not in asked:
        raise UsageError(f"run {folder.id} did not ask {endpoint}", hint=f"It asked {', '.join(asked)}")
    return endpoint


def asked(results: Path, folder: RunFolder, endpoint: str) -> dict[str, list[str]]:
    """What an endpoint answered to each border prompt of a run.

    Raises:
        UsageError: it was asked none.
        StoreError: the database cannot be read.
    """
    found: dict[str, list[str]] = {}
    for row in rows(results, _FIRSTS, {"run": folder.id, "endpoint": endpoint, "task": TASK}):
        found.setdefault(row["prompt"], []).append(row["said"])
    if not found:
        raise UsageError(
            f"run {folder.id} has no answers of {endpoint} to {TASK}",
            hint=f"Ask it several times: harness eval {TASK} -e {endpoint} --repeats 4",
        )
    return found


def found_in(firsts: Firsts, keep: int = KEPT) -> tuple[Border, ...]:
    """The border prompts among those; UsageError says why there can be none."""
    if max(map(len, firsts.values())) < 2:
        raise UsageError("each prompt was asked once, and a border shows in several answers", hint="Give --repeats 4")
    return borders(firsts, keep)


def written(found: Sequence[Border]) -> bytes:
    """The file: a row for each prompt, with how often each answer came."""
    lines = [{"id": one.prompt, "prompt": one.prompt, "answers": dict(one.answers)} for one in found]
    return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)


def kept(path: Path) -> dict[str, list[str]]:
    """The answers of a file. TaskError: it is missing or malformed, or was not made by ``written``."""
    found = {}
    for number, row in enumerate(local_rows(path, ("prompt", "answers")), 1):
        answers = row["answers"]
        if not isinstance(answers, dict) or not all(isinstance(n, int) and 0 < n < _MOST for n in answers.values()):
            raise TaskError(
                f"{path}: row {number}: answers are an object of counts",
                hint="Make it with: harness verify border find RUN --out FILE",
            )
        found[str(row["prompt"])] = [word for word, times in answers.items() for _ in range(times)]
    if not found:
        raise TaskError(f"{path}: there are no rows")
    return found


def compared(reference: Firsts, today: Firsts) -> Canary:
    """Today's answers against those that were kept; UsageError: none of the prompts was asked today."""
    if not set(reference) & set(today):
        raise UsageError("none of the kept prompts was asked", hint=f"Ask them: harness eval {TASK} --data FILE")
    return canary(reference, today)
