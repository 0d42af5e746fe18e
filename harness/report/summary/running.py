"""How a run went, in words: what had to be tried again, what came from the cache, which endpoint was given up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.report import words
from harness.store.query import rows
from harness.types import JsonObject


def running(results: Path, run: str, endpoints: Sequence[str]) -> list[JsonObject]:
    """The rows of ``request_summary``, in the order of the run's endpoints; units and None as its comments say."""
    query = "select * exclude (run_id) from request_summary where run_id = ? order by list_position(?, endpoint)"
    return rows(results, query, [run, list(endpoints)])


def lines(found: Sequence[JsonObject], run: str) -> list[str]:
    """What a person should know of these rows, a line each; nothing of an endpoint where all went well at once."""
    said = []
    for row in found:
        name = row["endpoint"]
        if row["n_given_up"]:
            left = f"{row['n_given_up']} requests not asked; harness resume {run} asks them"
            said.append(f"{name}: given up after {_first_words(row['given_up_why'])}; {left}")
        if row["n_retries"]:
            said.append(f"{name}: {_tries(row)}")
        if row["n_cached"]:
            said.append(f"{name}: {row['n_cached']} of {row['n_asked']} answers came from the cache: no times, no cost")
    return said


def _tries(row: JsonObject) -> str:
    counted = [f"{row['n_answered_first']} of {row['n_asked']} answered at the first try"]
    if len(within := row["n_answered_within"]) > 1:
        counted.append(f"{within[-1]} within {len(within)}")
    usd = row["retries_cost_usd"]
    again = f"{row['n_retries']} tried again, at a cost of {words.cost(usd)}" + (" USD" if usd else "")
    return f"{', '.join(counted)}; {again}"


def _first_words(why: str) -> str:
    return why if len(why) <= 160 else f"{why[:159]}…"
