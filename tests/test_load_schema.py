"""Metrics of load: every figure equal to what was worked out by hand."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from load_made import EPOCH, MS, RUN, answer, client, fill, row_of, server

from harness.store import query

Row = dict[str, Any]


def one(results: Path, sql: str) -> Row:
    """The single row of a query."""
    (row,) = query.rows(results, sql)
    return row


# --- one attempt -----------------------------------------------------------------------------------------


def test_a_sender_that_was_late_is_told_from_limits_and_connecting(tmp_path: Path) -> None:
    """Slip is since the planned arrival; the client's own part begins when limits and connection allowed it."""
    marks = {"sched": 0, "admit": 4, "conn": 9, "send0": 10, "tok1": 30, "vis1": 30, "tokn": 50, "eof": 50}
    fill(tmp_path, attempts=[answer("a", **marks), answer("b", reused=True, **{**marks, "conn": None})])
    row = one(tmp_path, "select * from attempt_metrics where job_id = 'a'")
    assert (row["slip_ms"], row["admit_slip_ms"], row["wait_ms"], row["ttft_warm_ms"]) == (10, 1, 4, None)
    row = one(tmp_path, "select * from attempt_metrics where job_id = 'b'")
    assert (row["slip_ms"], row["admit_slip_ms"], row["ttft_warm_ms"]) == (10, 6, 20)
    assert row["planned_at"] == EPOCH
    assert row["over_at"] == EPOCH + timedelta(milliseconds=50)


def test_the_tokens_of_a_first_read_are_shared_out_by_events(tmp_path: Path) -> None:
    """30 tokens in 3 + 12 events: the first read has 30 * 3 / 15 = 6, so 240 ms are for the other 24."""
    fill(tmp_path, attempts=[answer("a", gaps=[100, 120, 120], events=[3, 6, 6], tokens=30)])
    row = one(tmp_path, "select * from attempt_metrics")
    assert row["tpot_ms"] == pytest.approx(240 / 24)
    assert row["decode_tokens_per_s"] == pytest.approx(100)
    assert row["output_tokens_per_s"] == pytest.approx(30 / 0.34)
    assert row["tokens_per_read"] == pytest.approx(10)


@pytest.mark.parametrize(
    ("gaps", "stalls", "share"), [([20] * 9, 0, 0), ([20] * 8 + [250], 0, 0), ([20] * 7 + [260, 400], 2, 660 / 900)]
)
def test_a_stall_is_long_and_unusual(tmp_path: Path, gaps: list[int], stalls: int, share: float) -> None:
    """More than 250 ms and more than ten times the answer's own median."""
    fill(tmp_path, attempts=[answer("a", gaps=[100, *gaps], tokens=1 + len(gaps))])
    row = one(tmp_path, "select * from attempt_metrics")
    assert row["stalls_n"] == stalls
    assert row["stall_share"] == pytest.approx(share)
    assert row["chunk_gap_max_ms"] == max(gaps)


def test_one_read_has_no_gaps(tmp_path: Path) -> None:
    """NULL and never 0."""
    fill(tmp_path, attempts=[answer("a", gaps=[100], tokens=8, events=[8])])
    row = one(tmp_path, "select * from attempt_metrics")
    for name in ("tpot_ms", "decode_tokens_per_s", "chunk_gap_max_ms", "stalls_n", "stall_share"):
        assert row[name] is None, name
    assert query.rows(tmp_path, "from chunk_gaps()") == query.rows(tmp_path, "from itl()") == []


def test_what_came_is_held_against_what_was_asked(tmp_path: Path) -> None:
    """Fewer tokens than asked for are negative; the cache's share is of the prompt."""
    asked = answer("a", tokens=12, output_tokens_asked=16, prompt_tokens=200, cached_tokens=50, turn=2)
    fill(tmp_path, attempts=[asked])
    row = one(tmp_path, "select * from attempt_metrics")
    assert (row["token_miss"], row["cached_share"], row["turn"]) == (-4, 0.25, 2)


def test_itl_weighs_by_tokens_and_its_mean_is_the_tpot(tmp_path: Path) -> None:
    """21 tokens, the first alone: a read of 10 after 10 ms and one of 10 after 190 ms are 1 and 19 ms per token."""
    fill(tmp_path, attempts=[answer("a", gaps=[100, 10, 190], events=[1, 10, 10], tokens=21)])
    rows = query.rows(tmp_path, "select gap_ms, tokens, itl_ms from itl() order by gap_ms")
    assert [tuple(row.values()) for row in rows] == [(10, 10, 1), (190, 10, 19)]
    gaps = query.rows(tmp_path, "select position, gap_ms, events from chunk_gaps() order by position")
    assert [tuple(row.values()) for row in gaps] == [(2, 10, 10), (3, 190, 10)]
    row = one(tmp_path, "select * from load_summary")
    assert row["itl_mean_ms"] == pytest.approx(row["tpot_p50_ms"]) == pytest.approx(10)
    assert (row["itl_p50_ms"], row["itl_p95_ms"], row["itl_n"]) == (1, 19, 20)
    assert row["chunk_gap_p50_ms"] == pytest.approx(100)
    assert row["chunk_gap_p99_ms"] == pytest.approx(10 + 0.99 * 180)
    assert (row["tokens_per_read"], row["itl_comparable"]) == (7, False)


def test_gaps_are_asked_of_one_run_or_one_of_its_jobs(tmp_path: Path) -> None:
    """A macro gives the rows of the run or job that it is called with, and a name that is not there has none."""
    fill(tmp_path, attempts=[answer(job, gaps=[100, 10, 20], tokens=3) for job in ("a", "b")])
    for macro in ("chunk_gaps", "itl"):
        asked = f"select job_id, gap_ms from {macro}{{}} order by all"
        every = [("a", 10), ("a", 20), ("b", 10), ("b", 20)]
        for call, wanted in {
            "()": every,
            f"('{RUN}')": every,
            f"('{RUN}', 'b')": every[2:],
            "(job := 'a')": every[:2],
            "('another')": [],
        }.items():
            assert [tuple(row.values()) for row in query.rows(tmp_path, asked.format(call))] == wanted, call


# --- a stage ---------------------------------------------------------------------------------------------


def stage(n: int, **changes: Any) -> list[Row]:
    """So many answers, one each second: ten tokens, the first after 100 ms and then one each 100 ms."""
    return [answer(f"j{i}", at=1000 * i, gaps=[100] * 10, tokens=10, **changes) for i in range(n)]


def test_percentiles_are_over_ok_attempts_and_adjusted_ones_over_all(tmp_path: Path) -> None:
    """With 2 of 10 failed the ninth of ten is endless; interpolated percentiles know nothing of them."""
    rows = [answer(f"j{i}", at=1000 * i, gaps=[100 * (i + 1), 100], tokens=2) for i in range(8)]
    rows += [row_of(f"f{i}", at=8000 + i, failure_kind="timeout_first_byte") for i in range(2)]
    fill(tmp_path, attempts=rows)
    row = one(tmp_path, "select * from load_summary")
    assert (row["n"], row["n_ok"], row["n_failed"]) == (10, 8, 2)
    assert row["ttft_p50_ms"] == pytest.approx(450)
    assert row["ttft_p75_ms"] == pytest.approx(100 + 0.75 * 700)
    assert row["ttft_p999_ms"] == pytest.approx(100 + 0.999 * 700)
    assert row["ttft_p50_adj_ms"] == row["ttft_sched_p50_adj_ms"] == 500
    assert row["ttft_p95_adj_ms"] is row["e2e_p99_adj_ms"] is None
    assert row["e2e_p50_adj_ms"] == 600


def test_what_we_did_ourselves_is_in_no_count(tmp_path: Path) -> None:
    """Cancelled, abandoned and never asked: each has its own count, and no share or percentile knows of them."""
    ours = [row_of(f"{kind}", at=4000, failure_kind=kind) for kind in ("cancelled", "abandoned")]
    ours += [row_of("unasked", at=5000, failure_kind="unasked") | {"send0_ns": None}]
    fill(tmp_path, attempts=stage(4) + ours, slo={"slo_ttft_ms": 150})
    row = one(tmp_path, "select * from load_summary")
    assert (row["n"], row["n_ok"], row["n_failed"]) == (4, 4, 0)
    assert (row["n_cancelled"], row["n_abandoned"], row["n_unasked"]) == (1, 1, 1)
    assert (row["slo_judged_n"], row["slo_good_n"], row["ttft_p95_adj_ms"]) == (4, 4, 100)
    summary = one(tmp_path, "select n, n_failed, n_cancelled, n_abandoned, n_unasked from endpoint_summary")
    assert tuple(summary.values()) == (4, 0, 1, 1, 1)


def test_goodput_counts_every_planned_arrival(tmp_path: Path) -> None:
    """Two good, one too late from its plan, one throttled, two of one token, one of them slow: 3 of 6 in 5.1 s."""
    rows = stage(2)
    rows.append(answer("late", at=2000, sched=1900, gaps=[100] * 10, tokens=10, cost_usd=0.5))
    rows.append(row_of("thr", at=3000, failure_kind="throttled", status=429))
    rows.append(answer("short", at=4000, gaps=[100], tokens=1))
    rows.append(answer("last", at=4000, gaps=[1100], tokens=1))
    fill(tmp_path, attempts=rows, slo={"slo_ttft_ms": 150, "slo_tpot_ms": 120})
    row = one(tmp_path, "select * from load_summary")
    assert (row["slo_judged_n"], row["slo_good_n"], row["slo_na_n"], row["n_throttled"]) == (6, 3, 2, 1)
    assert row["slo_attainment"] == pytest.approx(0.5)
    # Wilson at 3 of 6: centre 0.5, half width 1.96 sqrt(0.25 / 6 + 3.8415 / 144) / (1 + 3.8415 / 6).
    assert row["slo_attainment_low"] == pytest.approx(0.1876, abs=1e-4)
    assert row["slo_attainment_high"] == pytest.approx(0.8124, abs=1e-4)
    assert row["window_s"] == pytest.approx(5.1)
    assert row["goodput_per_s"] == pytest.approx(3 / 5.1)
    assert row["token_goodput_per_s"] == pytest.approx(21 / 5.1)
    assert row["usd_per_good"] is None  # the cost of the others is not known


def test_an_objective_that_never_applies_leaves_nothing_to_judge(tmp_path: Path) -> None:
    """Only a TPOT is asked for and there is one token: neither good nor bad."""
    fill(tmp_path, attempts=[answer("a", gaps=[100], tokens=1)], slo={"slo_tpot_ms": 10})
    row = one(tmp_path, "select * from load_summary")
    assert (row["slo_judged_n"], row["slo_na_n"], row["slo_attainment"], row["goodput_per_s"]) == (0, 1, None, None)
    assert (row["slo_attainment_low"], row["slo_attainment_high"]) == (None, None)


def test_offered_and_achieved_rate(tmp_path: Path) -> None:
    """Five arrivals in four seconds are one each second, also where the last was sent half a second late."""
    rows = stage(5)
    rows[4] = answer("late", at=4500, sched=4000, gaps=[100] * 10, tokens=10)
    fill(tmp_path, attempts=rows)
    row = one(tmp_path, "select * from load_summary")
    assert row["offered_per_s"] == pytest.approx(1)
    assert row["achieved_per_s"] == pytest.approx(4 / 4.5)
    assert (row["late_n"], row["slip_p50_ms"]) == (1, 0)
    assert row["slip_p99_ms"] == pytest.approx(0.96 * 500)
    assert row["window_measured_s"] == pytest.approx(4)
    assert row["window_s"] == pytest.approx(5.5)
    assert row["ok_per_s"] == pytest.approx(5 / 5.5)


def test_requests_under_way(tmp_path: Path) -> None:
    """Two of one second that overlap by half: never more than two, 2 s of work in 1.5 s."""
    fill(tmp_path, attempts=[answer("a", gaps=[100] * 10, tokens=10), answer("b", at=500, gaps=[100] * 10, tokens=10)])
    row = one(tmp_path, "select * from load_summary")
    assert row["concurrency_max"] == 2
    assert row["concurrency_mean"] == pytest.approx(2 / 1.5)


def test_tokens_across_the_edge_of_the_window_are_split(tmp_path: Path) -> None:
    """Reads of every phase count by the moment they came, between the measured arrivals at 1 and at 3 s."""
    warm = answer("w", at=500, gaps=[100] * 10, tokens=10, phase="warmup")
    cool = answer("c", at=2450, gaps=[100] * 10, tokens=20, phase="cooldown")
    rows = [answer(f"m{i}", at=1000 * i, gaps=[100] * 10, tokens=10) for i in (1, 2, 3)]
    fill(tmp_path, attempts=[warm, cool, *rows])
    row = one(tmp_path, "select * from load_summary")
    assert row["n"] == 3
    assert row["window_measured_s"] == pytest.approx(2)
    # 0.6 ... 1.5 has 1.0 inside: six reads. 1.1 ... 2.0 and 2.1 ... 3.0 are whole. 2.55 ... 2.95: five of two tokens.
    assert row["window_tokens_per_s"] == pytest.approx((6 + 10 + 10 + 5 * 2) / 2)
    assert row["output_tokens_per_s"] == pytest.approx(30 / 3)
    assert row["window_ok_per_s"] == pytest.approx(3 / 2)


def test_tokens_that_are_not_stated_make_no_throughput(tmp_path: Path) -> None:
    """NULL rather than a rate that lacks some."""
    fill(tmp_path, attempts=[*stage(3), answer("x", at=500, gaps=[100] * 3, tokens=None)])
    row = one(tmp_path, "select * from load_summary")
    assert row["window_tokens_per_s"] is row["output_tokens_per_s"] is row["token_goodput_per_s"] is None
    assert row["itl_n"] == 27


def test_a_burst_has_no_rate(tmp_path: Path) -> None:
    """Everything at once: there is no time between arrivals to divide by."""
    fill(tmp_path, attempts=[answer(f"j{i}", gaps=[100] * 3, tokens=3) for i in range(4)])
    row = one(tmp_path, "select * from load_summary")
    assert (row["window_measured_s"], row["offered_per_s"], row["window_tokens_per_s"]) == (0, None, None)
    assert row["ok_per_s"] == pytest.approx(4 / 0.3)
    assert row["concurrency_max"] == 4


def test_a_stage_of_which_nothing_counts_is_still_there(tmp_path: Path) -> None:
    """All NULL and counted apart."""
    fill(tmp_path, attempts=[row_of("a", failure_kind="cancelled") | {"send0_ns": None}])
    row = one(tmp_path, "select * from load_summary")
    assert (row["n"], row["n_cancelled"], row["window_s"], row["ttft_p50_ms"]) == (0, 1, None, None)


def test_cost_of_the_good_ones(tmp_path: Path) -> None:
    """What failed and what was given up is paid for too, where its usage is known."""
    rows = stage(2, cost_usd=0.3)
    rows += [
        row_of("f", at=2000, failure_kind="http_5xx", cost_usd=0.1),
        row_of("g", at=2100, failure_kind="abandoned", cost_usd=0.2),
    ]
    fill(tmp_path, attempts=rows, slo={"slo_ttft_ms": 150})
    row = one(tmp_path, "select * from load_summary")
    assert row["cost_usd"] == pytest.approx(0.9)
    assert row["usd_per_good"] == pytest.approx(0.45)


# --- the server and this client --------------------------------------------------------------------------


def test_the_server_in_the_window_of_its_stage(tmp_path: Path) -> None:
    """Means are rises divided; what lies before and after the window is not in them."""
    samples = [
        server(-1, ttft_s_sum=0, ttft_s_count=0, waiting=50),
        server(
            1,
            ttft_s_sum=10,
            ttft_s_count=10,
            waiting=1,
            running=2,
            generation_tokens_total=100,
            prefix_hits_total=0,
            prefix_queries_total=0,
        ),
        server(
            2,
            ttft_s_sum=11,
            ttft_s_count=12,
            waiting=3,
            running=4,
            generation_tokens_total=150,
            prefix_hits_total=5,
            prefix_queries_total=20,
        ),
        server(
            3,
            ttft_s_sum=12,
            ttft_s_count=14,
            waiting=5,
            running=None,
            generation_tokens_total=300,
            prefix_hits_total=10,
            prefix_queries_total=40,
        ),
        server(9, ttft_s_sum=99, ttft_s_count=15, waiting=50),
    ]
    fill(tmp_path, attempts=stage(4), server_samples=samples)
    row = one(tmp_path, "select * from server_summary")
    assert (row["samples_n"], row["waiting_mean"], row["waiting_max"]) == (3, 3, 5)
    assert (row["running_mean"], row["running_max"], row["kv_usage_mean"]) == (3, 4, None)
    assert row["ttft_mean_s"] == pytest.approx(2 / 4)
    assert row["output_tokens_per_s"] == pytest.approx(200 / 2)
    assert row["prefix_hit_share"] == pytest.approx(0.25)
    assert (row["itl_mean_s"], row["queue_mean_s"], row["restarted"]) == (None, None, False)


def test_a_server_that_was_restarted_has_no_means(tmp_path: Path) -> None:
    """A counter that fell makes every rise of the window unknown."""
    samples = [
        server(at, ttft_s_sum=s, ttft_s_count=n, generation_tokens_total=at)
        for at, s, n in ((1, 9, 9), (2, 1, 1), (3, 2, 2))
    ]
    fill(tmp_path, attempts=stage(4), server_samples=samples)
    row = one(tmp_path, "select * from server_summary")
    assert (row["restarted"], row["ttft_mean_s"], row["output_tokens_per_s"]) == (True, None, None)


def test_the_client_in_each_stage(tmp_path: Path) -> None:
    """Windows that overlap the stage, of its own process: lateness, and processor time over time."""
    samples = [client(0.5 * i, lag_ms=i, cpu_ms=100 * i) for i in range(1, 9)] + [client(2, shard=1, lag_ms=900)]
    fill(tmp_path, attempts=stage(2), client_samples=samples)
    row = one(tmp_path, "select * from client_summary")
    # The stage lasts from 0 to 2 s: the four windows that end at 0.5 ... 2.0.
    assert (row["shard"], row["windows_n"], row["loop_lag_max_ms"]) == (0, 4, 4)
    assert row["loop_lag_p99_ms"] == pytest.approx(1 + 0.99 * 3)
    assert row["loop_lag_mean_ms"] == pytest.approx(0.5)
    assert row["cpu_share"] == pytest.approx(0.2)


def test_each_attempt_knows_how_late_the_loop_was(tmp_path: Path) -> None:
    """The worst window that its life overlaps, of its own process; none: NULL."""
    samples = [client(1, lag_ms=5), client(2, lag_ms=70), client(3, lag_ms=1), client(2, shard=1, lag_ms=900)]
    rows = [answer("a", at=0, gaps=[400], tokens=1), answer("b", at=900, gaps=[400], tokens=1), answer("c", at=7000)]
    fill(tmp_path, attempts=rows, client_samples=[{**s, "window_ns": 1000 * MS} for s in samples])
    found = query.rows(tmp_path, "select job_id, loop_lag_max_ms, windows_n from attempt_lag order by job_id")
    assert [tuple(row.values()) for row in found] == [("a", 5, 1), ("b", 70, 2), ("c", None, 0)]
