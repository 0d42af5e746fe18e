"""Which requests of two endpoints are the same question asked in the same way, and why the others are not compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple

from harness.report.comparison.sides import Side
from harness.store.query import rows
from harness.types import JsonObject

Key = tuple[str, int, int]
"""(sample, repeat, turn): what two requests of a stage are matched by."""
Place = tuple[str, str, str]
"""(kind, task, stage)."""

_TOGETHER = 0.5
"""Share of the shorter side's time in which the other was asked too, from which on the two count as interleaved."""

# Cost is of all tries of a job; a copy from the cache was paid for by an earlier run.
_REQUESTS = """
with tried as (
    select *,
        case when bool_or(cost_unknown or cost_source is not distinct from 'cache') over job then null
            else sum(cost_usd) over job end as job_usd
    from attempt_metrics
    where run_id = $run and endpoint = $endpoint and kind in ('quality', 'tools', 'load')
    window job as (partition by job_id)
)
select
    kind, task, stage, sample, repeat, turn, api, stream, {question} as question, started_at, ok, set_apart, ttft_ms,
    ttft_sched_ms, tpot_ms, e2e_ms, e2e_sched_ms, output_tokens_per_s, prompt_tokens, output_tokens,
    case when ok then job_usd end as cost_usd
from tried {texts}
where phase = 'measure' and last_attempt and failure_kind is distinct from 'unneeded'
order by started_at, job_id
"""
_PLANNED = {"question": "workload_sha256", "texts": ""}
# Two runs put texts of their own before the prompts of a load, so that no cache answers: the rest must be the same.
_SAID = {
    "question": """
    case when kind <> 'load' then workload_sha256
        else md5(replace(try(coalesce(request_body ->> '$.messages', request_body ->> '$.input')), $nonce, '')
            || coalesce(output_tokens_asked, -1)) end
    """,
    "texts": "left join texts using (run_id, job_id, number)",
}


Asked = tuple[Mapping[Place, Mapping[Key, JsonObject]], Mapping[Place, Mapping[Key, JsonObject]]]
"""What A and B were asked, by place and key."""


class Pair(NamedTuple):
    """One request of A and the same one of B."""

    key: Key
    a: JsonObject
    b: JsonObject


class Unit(NamedTuple):
    """Pairs that are no independent measurements: the requests of one sample, its turns and repeats."""

    sample: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Group:
    """What both were asked in one stage."""

    kind: str
    task: str
    stage: str
    asked: tuple[Pair, ...]
    """Pairs that both were asked, failed ones too; in the order in which A was."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Requests that could not be paired, by why."""
    no_times: str | None = None
    """Why the times of these pairs are not compared; None: they are."""

    @property
    def answered(self) -> list[Unit]:
        """What both answered, by sample."""
        found: dict[str, list[Pair]] = defaultdict(list)
        for pair in self.asked:
            if pair.a["ok"] and pair.b["ok"]:
                found[pair.key[0]].append(pair)
        return [Unit(sample, tuple(pairs)) for sample, pairs in found.items()]

    @property
    def unit(self) -> str:
        """What the differences are counted over."""
        kinds = {
            "turns": any(pair.key[2] for pair in self.asked),
            "repeats": any(pair.key[1] for pair in self.asked),
        }
        averaged = " and ".join(name for name, there in kinds.items() if there)
        return f"sample (mean of its {averaged})" if averaged else "request"

    @property
    def failures(self) -> JsonObject:
        """How many pairs both answered, and how many each failed alone."""
        a, b = ([not side["ok"] for side in sides] for sides in zip(*((p.a, p.b) for p in self.asked), strict=True))
        both = sum(map(all, zip(a, b, strict=True)))
        return {
            "pairs": len(self.asked),
            "answered_by_both": sum(not (x or y) for x, y in zip(a, b, strict=True)),
            "failed_on_a_alone": sum(a) - both,
            "failed_on_b_alone": sum(b) - both,
            "failed_on_both": both,
        }

    @property
    def timing(self) -> JsonObject:
        """Whether both were asked at the same time.

        ``interleaved``, ``overlap`` (share of the shorter side's time in which the other was asked too), ``apart_s``
        (median time between the two of a pair, s) and ``first`` (``A`` or ``B``).
        """
        a, b = ([side["started_at"] for side in sides] for sides in zip(*((p.a, p.b) for p in self.asked), strict=True))
        shorter = min(max(a) - min(a), max(b) - min(b)).total_seconds()
        shared = (min(max(a), max(b)) - max(min(a), min(b))).total_seconds()
        overlap = max(0.0, shared) / shorter if shorter > 0 else float(shared >= 0)
        return {
            "interleaved": overlap >= _TOGETHER,
            "overlap": overlap,
            "apart_s": median(abs((y - x).total_seconds()) for x, y in zip(a, b, strict=True)),
            "first": "A" if min(a) <= min(b) else "B",
        }


@dataclass(frozen=True)
class Matched:
    """Everything of two endpoints that can be compared, and what cannot."""

    groups: tuple[Group, ...]
    refused: tuple[JsonObject, ...]
    """``kind``, ``task``, ``stage`` and ``why``."""


def match(results: Path, a: Side, b: Side) -> Matched:
    """Pair what A and B were asked. Errors: as ``rows``."""
    first, second = (_requests(results, side, apart=a.run != b.run) for side in (a, b))
    groups, refused = [], []
    for place in dict.fromkeys((*first, *second)):
        group, why = _group(place, (first, second), a, b)
        if group is not None:
            groups.append(group)
        if why is not None:
            refused.append({**dict(zip(("kind", "task", "stage"), place, strict=True)), "why": why})
    return Matched(tuple(groups), tuple(refused))


def _requests(results: Path, side: Side, *, apart: bool) -> dict[Place, dict[Key, JsonObject]]:
    nonce = (side.manifest.get("selection") or {}).get("nonce") or "\0"
    asked = {"run": side.run.id, "endpoint": side.endpoint} | ({"nonce": nonce} if apart else {})
    found: dict[Place, dict[Key, JsonObject]] = defaultdict(dict)
    for row in rows(results, _REQUESTS.format(**(_SAID if apart else _PLANNED)), asked):
        found[row["kind"], row["task"], row["stage"]][row["sample"], row["repeat"], row["turn"]] = row
    return found


def _group(place: Place, asked: Asked, a: Side, b: Side) -> tuple[Group | None, str | None]:
    """The pairs of one stage, or why there are none; neither: the stage of the other side tells it."""
    if any(place not in own for own in asked):
        return None, _one_sided(place, asked)
    apart = a.run != b.run
    mine, others = (own[place] for own in asked)
    shared = [key for key in mine if key in others]
    why = (_another_load(place, a, b) if apart else None) or _another_way(mine.values(), others.values())
    if why is not None or not shared:
        return None, why or "no sample in common"
    same = [key for key in shared if None is not mine[key]["question"] == others[key]["question"]]
    if not same:
        lost = all(mine[key]["question"] is None or others[key]["question"] is None for key in shared)
        hashes = f"other questions under the same names: all {len(shared)} hashes differ"
        return (
            None,
            "what they were asked is no longer kept, so nobody can tell whether it is the same" if lost else hashes,
        )
    sent = [Pair(key, mine[key], others[key]) for key in same]
    kept = tuple(pair for pair in sent if not (pair.a["set_apart"] or pair.b["set_apart"]))
    if not kept:
        return None, "no request was sent to both"
    dropped = {
        "asked of A alone": len(mine) - len(shared),
        "asked of B alone": len(others) - len(shared),
        "another question, its hash differs": len(shared) - len(same),
        "broken off or not asked by us": len(sent) - len(kept),
    }
    told = {name: n for name, n in dropped.items() if n}
    return Group(*place, kept, told, _at_another_pace(place, a, b) if apart else None), None


def _one_sided(place: Place, asked: Asked) -> str | None:
    """Why a stage of one has no match; None: it is told at the other's stage of the same task."""
    own, other = asked if place in asked[0] else asked[::-1]
    name, its = ("A", "B") if own is asked[0] else ("B", "A")
    elsewhere = [stage for kind, task, stage in other if (kind, task) == place[:2]]
    if not elsewhere:
        return f"only {name} was asked it"
    if name == "B" and any((*place[:2], stage) not in own for stage in elsewhere):
        return None
    at = " and ".join(stage.rpartition("@")[2] for stage in elsewhere)
    return f"{name} was asked it at {place[2].rpartition('@')[2]}, {its} at {at}: another concurrency or rate"


def _another_way(mine: Collection[JsonObject], others: Collection[JsonObject]) -> str | None:
    """Whether the two were asked over another interface, or one for streams and the other for whole answers."""
    for name, word in (("api", "interfaces"), ("stream", "ways to answer (streamed)")):
        one, other = ({row[name] for row in own} for own in (mine, others))
        if one.isdisjoint(other):
            told = " and ".join(str(next(iter(own))).lower() for own in (one, other))
            return f"asked for other {word}: {told}"
    return None


def _another_load(place: Place, a: Side, b: Side) -> str | None:
    """Why two runs did not put the same load on; None: they did, or it is no load."""
    kind, task, _ = place
    if kind != "load":
        return None
    seeds = [side.manifest.get("seed") for side in (a, b)]
    if seeds[0] != seeds[1]:
        return f"their prompts are drawn from other seeds: {seeds[0]} and {seeds[1]}"
    one, other = (_named(side.manifest.get("loads"), task) for side in (a, b))
    for name, words in (("version", "versions of the load"), ("nonce", "ways to keep caches cold (nonce)")):
        if one.get(name) != other.get(name):
            return f"other {words}: {one.get(name)} and {other.get(name)}"
    return None


def _named(found: object, name: str) -> JsonObject:
    listed = found if isinstance(found, list) else []
    return next((row for row in listed if isinstance(row, dict) and row.get("name") == name), {})


def _at_another_pace(place: Place, a: Side, b: Side) -> str | None:
    """Why the times of two runs of a task are not comparable; the stage of a load has its law in its name."""
    if place[0] == "load":
        return None
    at_once = [(side.manifest.get("selection") or {}).get("concurrency") for side in (a, b)]
    return None if at_once[0] == at_once[1] else f"asked {at_once[0]} at once and {at_once[1]} at once"
