"""What a plan will take, known before anything is sent, and said to be unknown where it is not."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from made import endpoint, harness, load, plan, sample, task, told

from harness.provider import Endpoint, Limits
from harness.run.admission.budget import most
from harness.run.arrivals import Closed, Constant
from harness.run.planning.forecast import forecasts, whole_time_s

ASKS = [sample(f"q{number}", "x" * 100) for number in range(20)]


def _limited(name: str = "p/m", **limits: int) -> Endpoint:
    return endpoint(name, "http://127.0.0.1:1/v1", limits=Limits(**limits))


def test_requests_tokens_and_cost_are_sums_over_the_plan() -> None:
    """Each figure is that of the requests themselves; where one sets no cap there is no ceiling."""
    made = plan([task("sums", ASKS)], [_limited()], repeats=2)
    (one,) = forecasts(made, {})
    requests = [made.request(job) for job in made.jobs]
    price = made.endpoints["p/m"].provider.prices["m"]
    assert one.requests == 40
    assert one.output_tokens_max == 40 * 8
    assert one.prompt_tokens == sum(len(request.body or b"") // 4 for request in requests)
    assert one.cost_max_usd == pytest.approx(sum(most(request, price).usd or 0 for request in requests))
    uncapped = [*ASKS, replace(ASKS[0], id="free", params={})]
    (one,) = forecasts(plan([task("sums", uncapped)], [_limited()]), {})
    assert (one.output_tokens_max, one.cost_max_usd) == (None, None)


@pytest.mark.parametrize(
    ("limits", "durations", "seconds", "basis"),
    [
        ({}, {}, None, "unknown"),
        ({}, {("p/m", ""): 2.0}, 10.0, "earlier runs"),
        ({}, {("p/m", ""): 2.0, ("p/m", "sums"): 4.0}, 20.0, "earlier runs"),
        ({"concurrency": 2}, {("p/m", ""): 2.0}, 20.0, "earlier runs"),
        ({"requests_per_minute": 5}, {}, 180.0, "limits"),
        ({"requests_per_minute": 5}, {("p/m", ""): 2.0}, 180.0, "earlier runs"),
        ({"requests_per_second": 1, "requests_per_minute": 600}, {}, 19.0, "limits"),
        ({"tokens_per_minute": 500}, {}, 120.0, "limits"),
        ({}, {("q/m", ""): 2.0}, None, "unknown"),
    ],
)
def test_time_is_what_is_known_of_it(
    limits: dict[str, int], durations: dict[tuple[str, str], float], seconds: float | None, basis: str
) -> None:
    """20 requests by 4: earlier answers say how long, limits say at least how long, and without both nobody knows."""
    made = plan([task("sums", ASKS)], [_limited(**limits)])
    (one,) = forecasts(made, durations)
    assert one.time_basis == basis
    assert one.time_s == (None if seconds is None else pytest.approx(seconds))


def test_a_limit_is_shared_by_the_models_of_a_provider() -> None:
    """Two models of one vendor have its limit together, and the whole takes as long as the slowest."""
    both = [_limited(name, requests_per_minute=10) for name in ("p/m", "p/n")]
    made = plan([task("sums", ASKS)], [*both, _limited("q/m")])
    assert [one.time_s for one in forecasts(made, {("q/m", ""): 1.0})] == [180.0, 180.0, 5.0]
    assert whole_time_s(made, {("q/m", ""): 1.0}) == 180.0
    assert whole_time_s(made, {}) is None


def test_a_load_takes_the_time_of_its_arrivals() -> None:
    """An open law ends with its last arrival, whatever the server does; a closed one by how long answers take."""
    made = plan([load("chat", Constant(10.0), Closed(2), n=20)], [_limited()])
    (one,) = forecasts(made, {("p/m", ""): 0.5})
    assert one.time_s == pytest.approx(1.9 + 20 * 0.5 / 2, abs=0.11)
    assert one.time_basis == "earlier runs"


def test_a_dry_run_tells_all_of_it_and_sends_nothing(tmp_path: Path) -> None:
    """As a table and as JSON, for each endpoint; times of earlier runs are used, and nothing is written."""
    argv = ("eval", "arithmetic:6", "-e", "steady-vendor/sim-small", "-e", "groq/llama-3.1-8b")
    found = json.loads(harness(tmp_path, *argv, "--dry-run", "--json").stdout)
    assert found["requests"] == 12
    mine, theirs = found["endpoints"]
    assert (mine["requests"], theirs["requests"]) == (6, 6)
    assert mine["cost_max_usd"] > 0
    assert found["cost_ceiling_usd"]["groq/llama-3.1-8b"] == theirs["cost_max_usd"] > 0
    assert {one["time_basis"] for one in (mine, theirs)} == {"unknown"}
    assert found["time_s"] is None
    assert found["disk_bytes"]["most"] >= found["disk_bytes"]["likely"] > 8_000_000
    assert not (tmp_path / "results").exists()
    assert harness(tmp_path, *argv[:4]).returncode == 0
    found = json.loads(harness(tmp_path, *argv, "--dry-run", "--json").stdout)
    assert [one["time_basis"] for one in found["endpoints"]] == ["earlier runs", "unknown"]
    printed = harness(tmp_path, *argv, "--dry-run").stdout
    assert "12  requests in all; nothing was sent" in printed
    assert "about " in printed
    assert "time unknown" in printed
    assert re.search(r"^the record takes \d\.\d MB on disk at the tokens that requests allow$", printed, re.MULTILINE)


def test_a_load_that_may_take_too_much_is_refused(tmp_path: Path) -> None:
    """In tokens as in money: a load cannot wait until there is room again."""
    argv = ("load", "chat", "-e", "steady-vendor/sim-small", "-n", "20", "--max-total-tokens", "500")
    told(harness(tmp_path, *argv), 2, "this load may use ", "--max-total-tokens 500")
