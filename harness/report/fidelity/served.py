"""What answers tell beside their texts: log probabilities, who gave them, and when."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness.fidelity.logprobs import TopLogprobs, first_token
from harness.fidelity.mixed import Mixture, Request, mixture
from harness.record.folder import RunFolder
from harness.store.query import rows

LOGPROBS = "fidelity_logprobs"
_LOGPROBS = """
select m.endpoint, m.sample, m.repeat, m.job_id as job, t.response_body as body
from attempt_metrics m
join texts t on t.run_id = m.run_id and t.job_id = m.job_id and t.number = m.number
where m.run_id = $run and m.task = $task and m.last_attempt and m.status = 200
order by m.sample, m.repeat, m.endpoint
"""
_REQUESTS = """
select m.endpoint, m.task || ' ' || m.sample || case when m.cached_tokens > 0 then ' (cached)' else '' end as prompt,
    m.prompt_tokens, a.system_fingerprint as fingerprint, a.response_model as model, a.backend, m.ttft_ms,
    m.job_id as job
from attempt_metrics m
join attempts a on a.run_id = m.run_id and a.job_id = m.job_id and a.number = m.number
    and a.shard = m.shard and a.session = m.session
where m.run_id = $run and m.ok and m.last_attempt and m.turn = 0 and m.kind in ('quality', 'tools')
order by m.started_at, m.job_id
"""


class Ranked(NamedTuple):
    """The likeliest tokens of the first place of one answer."""

    sample: str
    repeat: int
    job: str
    top: TopLogprobs


@dataclass(frozen=True, slots=True)
class Served:
    """Of a verification, by endpoint."""

    ranked: dict[str, list[Ranked]]
    """Of the answers that tell any."""
    requests: dict[str, list[tuple[str, Request]]]
    """Every answer with its job, in the order of the run. Times of prompts that came from a cache stand apart."""
    mixtures: dict[str, Mixture]
    """What those tell of the servers behind the address."""


NOTHING = Served({}, {}, {})


def read_served(results: Path, folder: RunFolder) -> Served:
    """Of a run. StoreError: the database cannot be read."""
    ranked: dict[str, list[Ranked]] = {}
    for row in rows(results, _LOGPROBS, {"run": folder.id, "task": LOGPROBS}):
        if top := first_token(row["body"] or ""):
            ranked.setdefault(row["endpoint"], []).append(Ranked(row["sample"], row["repeat"], row["job"], top))
    requests: dict[str, list[tuple[str, Request]]] = {}
    for row in rows(results, _REQUESTS, {"run": folder.id}):
        endpoint, job = row.pop("endpoint"), row.pop("job")
        requests.setdefault(endpoint, []).append((job, Request(**row)))
    return Served(ranked, requests, {name: mixture([one for _, one in some]) for name, some in requests.items()})
