"""What the judges of a run said, in numbers: how much could be read, how far they agree, who won."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, TypeVar

from harness.report import words
from harness.stats.agreement import cohen_kappa, equal_share, interval_alpha
from harness.stats.intervals import wilson
from harness.store.query import rows
from harness.types import JsonObject

_Key = TypeVar("_Key", bound=Hashable)


def judging(results: Path, run: str, endpoints: Sequence[JsonObject]) -> JsonObject | None:
    """What is known of a run's judges; None: nobody judged.

    ``endpoints`` is what the manifest says of those under test. Gives ``judges`` (a row of ``judge_summary`` each, with
    ``own``: which endpoints under test are it, or of its model), ``agreement`` (of several judges, by task: ``equal``,
    the share of equal ratings, and ``alpha``; for comparisons ``kappa``; n beside each) and ``pairs`` (by task and
    endpoint: ``win_rate`` with its interval, wins, ties and losses of n samples, ``consistent``, the share of
    ``n_pairs`` pairs in which both orders agree, and ``consistent_by`` judge).
    """
    judges = rows(results, "select * exclude (run_id) from judge_summary where run_id = ? order by judge", [run])
    if not judges:
        return None
    rated = rows(results, f"{_UNITS} where run_id = ? and baseline is null", [run])
    compared = rows(results, "select * from judged_pairs where run_id = ? order by all", [run])
    return {
        "judges": [{**row, "own": _own(row["judge"], endpoints)} for row in judges],
        "agreement": _agreement(rated, compared) if len(judges) > 1 else [],
        "pairs": _pairs(compared),
    }


_UNITS = "select task, endpoint, sample, repeat, turn, judge, value from judgements"


def _own(judge: str, endpoints: Iterable[JsonObject]) -> list[str]:
    """The endpoints under test whose model is the judge's, by its name."""
    model = judge.partition("/")[2]
    return [row["id"] for row in endpoints if row["id"] == judge or row.get("model") == model]


def _agreement(rated: Sequence[JsonObject], compared: Sequence[JsonObject]) -> list[JsonObject]:
    found = []
    for task, own in _by(rated, lambda row: str(row["task"])).items():
        units = [[value for _, value in said] for said in _units(own).values()]
        n = sum(len(unit) > 1 for unit in units)
        found.append(
            {"task": task, "of": "ratings", "n": n, "equal": equal_share(units), "alpha": interval_alpha(units)}
        )
    for task, own in _by(compared, lambda row: str(row["task"])).items():
        by_unit = [dict(said) for said in _units(own).values()]
        judges = sorted({judge for unit in by_unit for judge in unit})
        kappas = [_kappa(by_unit, one, other) for one, other in combinations(judges, 2)]
        known = [kappa for kappa in kappas if kappa is not None]
        found.append(
            {
                "task": task,
                "of": "comparisons",
                "n": sum(len(unit) > 1 for unit in by_unit),
                "equal": equal_share([list(unit.values()) for unit in by_unit]),
                # The mean over pairs of judges: Light, "Measures of response agreement", Psychol. Bull. 76 (1971).
                "kappa": sum(known) / len(known) if known else None,
            }
        )
    return found


def _kappa(units: Sequence[Mapping[str, float]], one: str, other: str) -> float | None:
    return cohen_kappa([(unit[one], unit[other]) for unit in units if one in unit and other in unit])


def _units(own: Iterable[JsonObject]) -> dict[tuple[Any, ...], list[tuple[str, float]]]:
    """What each judge said of each thing, without what could not be read."""
    units: dict[tuple[Any, ...], list[tuple[str, float]]] = defaultdict(list)
    for row in own:
        if row["value"] is not None:
            about = tuple(row[name] for name in ("endpoint", "sample", "repeat", "turn"))
            units[about].append((row["judge"], row["value"]))
    return units


def _pairs(compared: Sequence[JsonObject]) -> list[JsonObject]:
    found = []
    for (task, endpoint, baseline), own in _by(
        compared, lambda row: (row["task"], row["endpoint"], row["baseline"])
    ).items():
        samples = [
            [row["value"] for row in turns] for turns in _by(own, lambda row: (row["sample"], row["repeat"])).values()
        ]
        # A sample counts by the mean over its turns and judges, and only whole: its turns are no samples of their own.
        means = [sum(values) / len(values) for values in samples if None not in values]
        low, high = wilson(sum(means), len(means))
        found.append(
            {
                "task": task,
                "endpoint": endpoint,
                "baseline": baseline,
                "n": len(means),
                "n_left_out": len(samples) - len(means),
                "wins": sum(mean > 0.5 for mean in means),
                "ties": sum(mean == 0.5 for mean in means),
                "losses": sum(mean < 0.5 for mean in means),
                "win_rate": sum(means) / len(means) if means else None,
                "low": low,
                "high": high,
                "n_pairs": sum(row["consistent"] is not None for row in own),
                "consistent": _consistent(own),
                "consistent_by": {judge: _consistent(mine) for judge, mine in _by(own, _judge).items()},
            }
        )
    return found


def _judge(row: JsonObject) -> str:
    return str(row["judge"])


def _consistent(own: Iterable[JsonObject]) -> float | None:
    """Share of the pairs in which both orders agree, of those that could be read in both; None: there are none."""
    known = [row["consistent"] for row in own if row["consistent"] is not None]
    return sum(known) / len(known) if known else None


def _by(of: Iterable[JsonObject], key: Callable[[JsonObject], _Key]) -> dict[_Key, list[JsonObject]]:
    groups: dict[_Key, list[JsonObject]] = defaultdict(list)
    for row in of:
        groups[key(row)].append(row)
    return groups


def lines(found: JsonObject | None) -> Iterator[str]:
    """The same in sentences, one a line."""
    if found is None:
        return
    for row in found["judges"]:
        unread = f", {row['n_unreadable']} unreadable" if row["n_unreadable"] else ""
        failed = f", {row['n_unanswered']} not answered (harness resume asks again)" if row["n_unanswered"] else ""
        tokens = "tokens unknown" if row["prompt_tokens"] is None else f"{row['prompt_tokens']} tokens in"
        tokens += "" if row["output_tokens"] is None else f", {row['output_tokens']} out"
        cost = f"{words.cost(row['cost_usd'])} USD" if row["cost_usd"] is not None else "cost unknown"
        yield f"Judged by {row['judge']}: {row['n_judged']} judgements{unread}{failed}; its own {tokens}, {cost}."
        if row["own"]:
            mine = ", ".join(row["own"])
            yield f"! {row['judge']} judges its own model ({mine}): judges tend to favour their own answers."
    for row in found["agreement"]:
        name, value = ("alpha", row["alpha"]) if "alpha" in row else ("kappa", row["kappa"])
        measure = f"{'Krippendorff' if name == 'alpha' else 'Cohen'}'s {name} {words.number(value, 2)}"
        yield f"{row['task']}: the judges agree on {words.percent(row['equal'])} of {row['n']} {row['of']}; {measure}."
    for row in found["pairs"]:
        left_out = f", {row['n_left_out']} samples left out" if row["n_left_out"] else ""
        yield (
            f"{row['task']}: {row['endpoint']} against {row['baseline']}: win rate {_share(row)} "
            f"({row['wins']} won, {row['ties']} tied, {row['losses']} lost{left_out}); both orders agree in "
            f"{words.percent(row['consistent'])} of {row['n_pairs']} pairs{_apart(row['consistent_by'])}."
        )


def _apart(by_judge: Mapping[str, float | None]) -> str:
    if len(by_judge) < 2:
        return ""
    return f" ({', '.join(f'{judge} {words.percent(share)}' for judge, share in by_judge.items())})"


def _share(row: JsonObject) -> str:
    if row["win_rate"] is None:
        return words.NOTHING
    return f"{words.estimate({**row, 'mean': row['win_rate']}, binary=True)} n={row['n']}"


def silent(results: Path, run: str) -> JsonObject | None:
    """A judge that was asked and never answered, as a row of ``judge_summary``; None: there is none."""
    found = rows(
        results, "select * from judge_summary where run_id = ? and n_ok = 0 and n_failed > 0 order by judge", [run]
    )
    return found[0] if found else None
