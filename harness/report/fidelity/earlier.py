"""What an earlier verification of the same reference says about the next: how much luck is in its answers."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from harness.errors import StoreError
from harness.fidelity.mmd import spread
from harness.report.fidelity.distribution import TASK
from harness.store import query

_ANSWERS = """
select m.run_id as run, m.sample, t.text
from attempt_metrics m
join runs r on r.run_id = m.run_id and r.suite = 'verify'
join texts t on t.run_id = m.run_id and t.job_id = m.job_id and t.number = m.number
where m.endpoint = $reference and m.task = $task and m.ok and m.last_attempt and t.text is not null
    and m.run_id = (
        select max_by(run_id, created_at) from attempt_metrics
        join runs using (run_id)
        where endpoint = $reference and task = $task and ok and suite = 'verify'
    )
order by m.sample, m.repeat
"""


class Luck(NamedTuple):
    """As ``harness.fidelity.mmd.spread`` has it."""

    spread: float
    run: str | None
    """Where it was measured; None: at none of this reference, it is what other models had."""


def luck_of(results: Path, reference: str) -> Luck | None:
    """Of the last verification in which the reference was asked; None: there is none, or nothing can be told from it.

    Args:
        results: folder of the results.
        reference: ``provider/model``.
    """
    if not query.database_path(results).is_file():
        return None
    try:
        found = query.rows(results, _ANSWERS, {"reference": reference, "task": TASK})
    except StoreError:  # of another version: the next run makes it anew
        return None
    by_prompt: dict[str, list[str]] = {}
    for row in found:
        by_prompt.setdefault(row["sample"], []).append(row["text"])
    seen = spread(by_prompt)
    return None if seen is None else Luck(seen, found[0]["run"])
