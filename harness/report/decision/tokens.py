"""How many tokens the same requests take on each endpoint: tokenisers differ, and so does how much is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.stats.mover import Estimate, exact
from harness.stats.ratio import Moments, ratio_of_moments
from harness.store.query import rows
from harness.types import JsonObject

# Only first requests of a session are the same request everywhere: later ones hold what was answered.
_MATCHED = """
with asked as (
    select endpoint, kind, stage, sample, repeat, workload_sha256, prompt_tokens,
        output_tokens + case when list_contains($apart, endpoint) then coalesce(reasoning_tokens, 0) else 0 end
            as output_tokens
    from attempt_metrics
    where run_id = $run and last_attempt and ok and turn = 0 and phase = 'measure'
        and kind in ('quality', 'tools', 'load') and prompt_tokens is not null and output_tokens is not null
),
reference as (from asked where endpoint = $reference)
select o.endpoint, o.kind = 'load' as load, count(*) as n,
    avg(o.prompt_tokens) as prompt, avg(r.prompt_tokens) as prompt_reference,
    avg(o.output_tokens) as output, avg(r.output_tokens) as output_reference,
    coalesce(var_samp(o.prompt_tokens), 0) as prompt_var,
    coalesce(var_samp(r.prompt_tokens), 0) as prompt_reference_var,
    coalesce(covar_samp(o.prompt_tokens, r.prompt_tokens), 0) as prompt_cov,
    coalesce(var_samp(o.output_tokens), 0) as output_var,
    coalesce(var_samp(r.output_tokens), 0) as output_reference_var,
    coalesce(covar_samp(o.output_tokens, r.output_tokens), 0) as output_cov
from asked o join reference r using (stage, sample, repeat, workload_sha256)
where o.endpoint <> $reference
group by all
"""


class Scale(NamedTuple):
    """Tokens of an endpoint for each token of the reference, over the same requests."""

    n: int | None
    """Requests that both answered and both state tokens of; None: nothing had to be measured."""
    input: Estimate
    output: Estimate
    """Reasoning that is counted apart is in it."""
    measured: bool
    """Whether it was measured; else it is taken for 1."""


SAME = Scale(None, exact(1.0), exact(1.0), measured=True)
"""Of the reference itself, and of all where tokens are taken as they are given."""
UNKNOWN = Scale(0, Estimate(1.0, None, None), Estimate(1.0, None, None), measured=False)


def scales(results: Path, run: str, endpoints: Sequence[JsonObject], reference: str) -> dict[str, Scale]:
    """The scale of every endpoint of the summary.

    Requests of quality and tool tasks are taken where there are any, because loads ask for answers of a set length;
    else those of loads. Ratio of means with Fieller's interval (``harness.stats.ratio``).

    Errors: as ``rows``.
    """
    apart = [row["endpoint"] for row in endpoints if (row["price"] or {}).get("reasoning_apart")]
    found: dict[str, JsonObject] = {}
    for row in rows(results, _MATCHED, {"run": run, "reference": reference, "apart": apart}):
        if row["endpoint"] not in found or found[row["endpoint"]]["load"]:
            found[row["endpoint"]] = row
    return {name: SAME if name == reference else _scale(found, name) for name in (row["endpoint"] for row in endpoints)}


def _scale(found: Mapping[str, JsonObject], name: str) -> Scale:
    row = found.get(name)
    if row is None:
        return UNKNOWN
    one, other = (_ratio(row, part) for part in ("prompt", "output"))
    return UNKNOWN if one is None or other is None else Scale(row["n"], one, other, measured=True)


def _ratio(row: JsonObject, part: str) -> Estimate | None:
    of = Moments(
        row["n"],
        row[part],
        row[f"{part}_reference"],
        row[f"{part}_var"],
        row[f"{part}_reference_var"],
        row[f"{part}_cov"],
    )
    value, low, high = ratio_of_moments(of)
    return None if value is None else Estimate(value, low, high)
