"""What tasks cost: by list price, as reported, by the hour; on runs whose sums can be made by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from published import attempt, make_run, manifest, score

from harness.report.summary import spending
from harness.store.index import publish
from harness.store.query import rows
from harness.types import JsonObject


def item(name: str, sample: str, right: float | None, tries: int = 1, **changes: Any) -> tuple[list[JsonObject], Any]:
    """One item of task sums: its attempts, all but the last one throttled, and its score."""
    job = f"quality.sums/{name}/{sample}/0"
    about = {"endpoint": name, "kind": "quality", "stage": "quality.sums", "task": "sums", "sample": sample}
    asked = [
        attempt(job, ms={"send0": 0}, number=number, failure_kind="throttled", **about) for number in range(tries - 1)
    ]
    asked.append(
        attempt(job, ms={"send0": 0, "tok1": 10, "tokn": 20, "eof": 21}, number=tries - 1, **about)
        | {"prompt_tokens": 30, "completion_tokens": 10, "prompt_chars": 120, "text_chars": 40, **changes}
    )
    return asked, None if right is None else score(job, right, endpoint=name, sample=sample)


def spent(results: Path, items: list[tuple[list[JsonObject], Any]], **endpoint: Any) -> JsonObject:
    """The one row of a run of one endpoint and these items."""
    about = {"id": "a/m", "provider": "a", "kind": "hosted", "model": "m", "model_id": "m", "base_url": None}
    run = make_run(
        results,
        attempts=[one for asked, _ in items for one in asked],
        scores=[judged for _, judged in items if judged is not None],
    )
    run.write_manifest(manifest(run, endpoints=[about | {"engine": None, "engine_version": None} | endpoint]))
    publish(results)
    (row,) = spending.spending(results, run.id, ["a/m"])
    return row


def test_by_list_price_with_retries_in_it(tmp_path: Path) -> None:
    """Four items at 0.002 USD, three right: 0.008 / 3 for each right one; a retry is an attempt, not an item."""
    priced = {"cost_usd": 0.002, "cost_source": "prices"}
    items = [item("a/m", f"s{i}", float(i > 0), tries=2 if i == 3 else 1, **priced) for i in range(4)]
    row = spent(tmp_path, items)
    assert (row["items_n"], row["attempts_n"], row["right_n"], row["basis"]) == (4, 5, 3, "prices")
    assert row["total_usd"] == pytest.approx(0.008)
    assert row["usd_per_item"] == pytest.approx(0.002)
    assert row["usd_per_right"] == pytest.approx(0.008 / 3)
    # 4 x (120 + 40) characters and 4 x (30 + 10) tokens
    assert row["usd_per_mchar"] == pytest.approx(0.008 / 640 * 1e6)
    assert row["usd_per_mtok"] == pytest.approx(0.008 / 160 * 1e6)
    assert row["chars_per_prompt_token"] == 4
    assert row["usd_per_right_low"] < row["usd_per_right"]
    assert spending.table([row]) is not None


def test_what_the_server_reports_is_said_to_be_so(tmp_path: Path) -> None:
    """The basis names where the figures come from; one of each is mixed."""
    reported = item("a/m", "s1", 1.0, cost_usd=0.01, cost_source="reported")
    listed = item("a/m", "s2", 1.0, cost_usd=0.01, cost_source="prices")
    assert spent(tmp_path / "one", [reported])["basis"] == "reported"
    assert spent(tmp_path / "two", [reported, listed])["basis"] == "mixed"


def test_a_cost_that_is_not_known_is_not_0(tmp_path: Path) -> None:
    """One answer without a cost makes the task's cost unknown, and nothing is drawn."""
    row = spent(tmp_path, [item("a/m", "s1", 1.0, cost_usd=0.01, cost_source="prices"), item("a/m", "s2", 1.0)])
    assert (row["total_usd"], row["usd_per_right"], row["usd_per_right_low"]) == (None, None, None)
    assert spending.table([row]) is None


def test_a_server_paid_by_the_hour(tmp_path: Path) -> None:
    """Two answers in 36 seconds of a server of 10 USD an hour: 0.1 USD, shared by what came of it."""
    first, second = item("a/m", "s1", 1.0), item("a/m", "s2", 0.0)
    second[0][0]["started_at"] = first[0][0]["started_at"] + timedelta(seconds=36, milliseconds=-21)
    row = spent(tmp_path, [first, second], usd_per_hour=10.0)
    assert (row["basis"], row["right_n"]) == ("hours", 1)
    assert row["total_usd"] == pytest.approx(0.1, rel=1e-3)
    assert row["usd_per_right"] == pytest.approx(0.1, rel=1e-3)
    (summary,) = rows(tmp_path, "select cost_usd from endpoint_summary")
    assert summary["cost_usd"] == pytest.approx(0.1, rel=1e-3)
    assert isinstance(first[0][0]["started_at"], datetime)


def test_nothing_right_is_said_in_words(tmp_path: Path) -> None:
    """The cost of a right answer is neither infinite nor 0 where there was none."""
    row = spent(tmp_path, [item("a/m", "s1", 0.0, cost_usd=0.01, cost_source="prices")])
    assert row["usd_per_right"] is None
    assert spending.per_right(row) == "none right"
    row = spent(tmp_path / "unjudged", [item("a/m", "s1", None, cost_usd=0.01, cost_source="prices")])
    assert spending.per_right(row) == "none scored"
