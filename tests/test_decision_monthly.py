"""Monthly bills and break-even volumes."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from published import attempt, make_run, manifest

from harness.report.decision.attainment import Capacity
from harness.report.decision.monthly import HOURS, Prices, Volumes, break_even, by_hours, by_tokens
from harness.report.decision.tokens import SAME, UNKNOWN, Scale, scales
from harness.stats.mover import Estimate, exact
from harness.store.index import publish

TOKENS = Prices(1.0, 2.0, 0.1, None)
TWICE = Scale(10, Estimate(2.0, 1.8, 2.2), Estimate(0.5, 0.4, 0.7), measured=True)


def test_a_bill_is_requests_times_tokens_times_prices() -> None:
    """1,000 requests a day of 1,000 tokens in, 40 % cached, and 500 out: 30.4375 x (0.6 + 0.04 + 1) USD."""
    found = by_tokens(TOKENS, SAME, Volumes(1000, 1000, 500, 0.4))
    assert found.usd == pytest.approx(Estimate(*[30.4375 * 1.64] * 3))
    assert found.per_request == pytest.approx(exact(0.00164))


def test_a_bill_is_as_sure_as_the_tokens_are() -> None:
    """Twice the tokens in, half as many out, bounds added as those of independent parts."""
    found = by_tokens(TOKENS, TWICE, Volumes(1000, 1000, 500)).usd
    assert found is not None
    value, low, high = (bound and bound / 30.4375 for bound in found)
    assert value == pytest.approx(2.5)
    assert low == pytest.approx(2.5 - (0.2**2 + 0.1**2) ** 0.5)
    assert high == pytest.approx(2.5 + (0.2**2 + 0.2**2) ** 0.5)


@pytest.mark.parametrize(
    ("prices", "volumes", "why"),
    [
        (Prices(None, None, None, None), Volumes(1, 1, 1), "no price of input and output tokens"),
        (Prices(1.0, None, None, None), Volumes(1, 1, 1), "no price of output tokens"),
        (Prices(1.0, 1.0, None, None), Volumes(1, 1, 1, 0.5), "no price of cached input tokens"),
    ],
)
def test_a_bill_without_a_needed_price_is_not_known(prices: Prices, volumes: Volumes, why: str) -> None:
    """It is never 0, and what lacks is said."""
    found = by_tokens(prices, SAME, volumes)
    assert found.usd is None
    assert why in found.why


def test_a_price_of_what_does_not_occur_is_not_needed() -> None:
    """No output, no price of output; and tokens that were not measured leave the bill unbounded."""
    assert by_tokens(Prices(1.0, None, None, None), SAME, Volumes(1, 1e6, 0)).usd == pytest.approx(exact(30.4375))
    found = by_tokens(TOKENS, UNKNOWN, Volumes(1, 1e6, 0)).usd
    assert found is not None
    assert found.low is None
    assert by_tokens(Prices(0.0, 0.0, None, None), UNKNOWN, Volumes(1, 1, 1)).usd == exact(0.0)


def test_servers_come_whole_and_hold_the_busiest_time() -> None:
    """100 tokens a second hold 86,400 requests of 100 a day; at a peak of twice that, 43,200 for each server."""
    holds = Capacity("c8", 2.0, 100.0)
    found = by_hours(2.0, holds, SAME, Volumes(50_000, 1000, 100, peak=2.0))
    assert found.servers is not None
    assert (found.servers.n, found.servers.full_at) == (2, exact(43_200.0))
    assert found.usd == exact(2 * 2.0 * HOURS)
    wordy = by_hours(2.0, holds, Scale(9, exact(1.0), Estimate(2.0, 1.0, 4.0), measured=True), Volumes(50_000, 9, 100))
    assert wordy.servers is not None
    assert (wordy.servers.n, wordy.servers.low, wordy.servers.high) == (3, 2, 5)
    by_requests = by_hours(2.0, Capacity("c8", 2.0, None), SAME, Volumes(86_400, 1, 100, peak=1.0))
    assert by_requests.servers is not None
    assert by_requests.servers.n == 1
    assert "no level of the load kept the limits" in by_hours(2.0, None, SAME, Volumes(1, 1, 1)).why


def bills_at(requests: float, hourly: float, capacity: float, price: float) -> tuple[Any, dict[str, Any]]:
    """The break-even and the bills of an own server and a vendor."""
    volumes = Volumes(requests, 0, 1000, peak=1.0)
    bills = {
        "own": by_hours(hourly, Capacity("c1", 1.0, capacity), SAME, volumes),
        "vendor": by_tokens(Prices(None, price, None, None), SAME, volumes),
    }
    return break_even("own", "vendor", bills, hourly), bills


@given(st.floats(0.01, 100), st.floats(1, 10_000), st.floats(0.01, 100))
def test_from_the_break_even_on_one_server_is_cheaper(hourly: float, capacity: float, price: float) -> None:
    """Just below it the vendor costs less, just above it the server, as long as one server is enough."""
    found, _ = bills_at(1.0, hourly, capacity, price)
    if found.requests_per_day is None:
        _, bills = bills_at(found.until, hourly, capacity, price)
        assert bills["own"].usd.value > bills["vendor"].usd.value
        return
    at = found.requests_per_day.value
    assert at <= found.until
    _, below = bills_at(at * 0.99, hourly, capacity, price)
    assert below["own"].usd.value > below["vendor"].usd.value
    if at * 1.01 < found.until:
        _, above = bills_at(at * 1.01, hourly, capacity, price)
        assert above["own"].usd.value < above["vendor"].usd.value


def test_a_break_even_that_cannot_be_says_why() -> None:
    """A vendor that takes nothing, one without a price, a server that nobody measured."""
    free, _ = bills_at(1, 1.0, 100.0, 0.0)
    assert "takes nothing" in free.why
    volumes = Volumes(1, 1, 1)
    own, unknown = by_hours(1.0, Capacity("c", 1.0, 1.0), SAME, volumes), by_tokens(Prices(*[None] * 4), SAME, volumes)
    assert "no price" in break_even("a", "b", {"a": own, "b": unknown}, 1.0).why
    unmeasured = by_hours(1.0, None, SAME, volumes)
    assert "no level" in break_even("a", "b", {"a": unmeasured, "b": unknown}, 1.0).why


def asked(endpoint: str, sample: str, tokens: tuple[int, int], **changes: Any) -> dict[str, Any]:
    """An answer to a question of a task, with its tokens."""
    about = {"kind": "quality", "stage": "quality.sums", "task": "sums", "sample": sample, "endpoint": endpoint}
    made = attempt(f"{endpoint}{sample}{changes.get('kind')}", ms={"send0": 0, "tok1": 9, "tokn": 99}, **about)
    return made | {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]} | changes


def test_tokens_are_compared_over_the_same_requests(tmp_path: Path) -> None:
    """Ratio of sums over what both answered: tasks before loads, other questions left out, failures too."""
    load = {"kind": "load", "stage": "load.chat@c1", "task": "chat"}
    made = [
        *(asked("p/m", str(i), (10 + i, 20)) for i in range(4)),
        *(asked("b/m", str(i), (20 + 2 * i, 30)) for i in range(4)),
        asked("b/m", "other", (999, 999)),
        asked("b/m", "0x", (999, 999), workload_sha256="11"),
        asked("p/m", "0x", (1, 1)),
        asked("p/m", "l", (10, 10), **load),
        asked("b/m", "l", (70, 70), **load),
        asked("c/m", "l", (30, 5), **load),
    ]
    run = make_run(tmp_path, attempts=made)
    names = ["p/m", "b/m", "c/m", "d/m"]
    run.write_manifest(manifest(run))
    publish(tmp_path)
    found = scales(tmp_path, run.id, [{"endpoint": name, "price": None} for name in names], "p/m")
    assert found["p/m"] is SAME
    assert found["b/m"].n == 4
    assert found["b/m"].input == pytest.approx(Estimate(2.0, 2.0, 2.0))
    assert found["b/m"].output.value == pytest.approx(1.5)
    assert found["c/m"] == (1, Estimate(3.0, None, None), Estimate(0.5, None, None), True)
    assert found["d/m"] is UNKNOWN


def test_reasoning_that_is_counted_apart_is_paid_for(tmp_path: Path) -> None:
    """Where the price says so, reasoning tokens are output too."""
    made = [asked("p/m", "0", (10, 20)), asked("b/m", "0", (10, 20), reasoning_tokens=60)]
    run = make_run(tmp_path, attempts=made)
    run.write_manifest(manifest(run))
    publish(tmp_path)
    endpoints = [{"endpoint": "p/m", "price": None}, {"endpoint": "b/m", "price": {"reasoning_apart": True}}]
    assert scales(tmp_path, run.id, endpoints, "p/m")["b/m"].output.value == 4.0
