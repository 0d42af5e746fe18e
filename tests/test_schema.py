"""Tables and metric views: every column explained, every metric equal to what was worked out by hand."""

import re
from pathlib import Path
from typing import Any

import pytest
from published import attempt, make_run, score, verdict

from harness.store import dictionary, query
from harness.store.columns import SEALED
from harness.store.index import publish

CONTRACT = {
    "attempt_metrics": "run_id job_id number last_attempt endpoint kind stage task sample repeat phase ok failure_kind "
    "ttft_ms ttft_sched_ms ttfvt_ms e2e_ms tpot_ms output_tokens prompt_tokens output_tokens_per_s wait_ms connect_ms "
    "close_lag_ms cost_usd lag_max_ms turn set_apart ttft_warm_ms decode_tokens_per_s stalls_n stall_share slip_ms "
    "admit_slip_ms tokens_per_read token_miss cached_share planned_at over_at",
    "answers": "run_id endpoint kind task sample repeat outcome reason value cluster workload_sha256",
    "question_scores": "run_id endpoint kind task sample n_asked n_scored n_right mean_score variance cluster",
    "quality_summary": "run_id endpoint task kind n_planned n_scored n_failed n_invalid n_correct mean_score",
    "load_summary": "run_id endpoint task stage n n_ok n_failed ttft_p50_ms ttft_p95_ms tpot_p50_ms e2e_p50_ms "
    "output_tokens_per_s speed_p50 cost_usd coalesced_share clock level law offered_per_s achieved_per_s ok_per_s "
    "ttft_p999_ms ttft_sched_p99_ms ttfvt_p90_ms e2e_sched_p75_ms ttft_sched_p95_adj_ms itl_p99_ms itl_comparable "
    "chunk_gap_p99_ms tokens_per_read concurrency_mean concurrency_max window_s window_measured_s window_tokens_per_s "
    "n_cancelled n_abandoned n_unasked slo_attainment slo_attainment_low slo_attainment_high goodput_per_s "
    "token_goodput_per_s slo_na_n usd_per_good cached_share reused_share slip_p99_ms late_n",
    "server_summary": "run_id endpoint stage samples_n waiting_mean running_max kv_usage_max ttft_mean_s itl_mean_s "
    "queue_mean_s prefix_hit_share output_tokens_per_s restarted",
    "client_summary": "run_id shard stage loop_lag_p99_ms loop_lag_max_ms cpu_share",
    "attempt_lag": "run_id job_id number shard session loop_lag_max_ms",
    "endpoint_summary": "run_id endpoint n n_ok n_failed ttft_p50_ms ttft_p95_ms ttft_n output_tokens_per_s cost_usd "
    "cost_known_n quality_mean features_failed features_judged",
    "feature_matrix": "run_id endpoint probe surface severity verdict reason evidence agree samples",
    "conformance_score": "run_id endpoint grade support honesty broken_n broken_core_n evidence core_evidence",
    "judge_summary": "run_id judge n n_ok n_failed n_unasked n_judged n_unreadable n_unanswered prompt_tokens cost_usd",
    "judged_pairs": "run_id judge task sample repeat turn endpoint baseline consistent value",
    "error_summary": "run_id endpoint failure_kind n",
    "contract_faults": "run_id endpoint fault n share example_job_id",
}

LOAD = [
    # An answer of 21 tokens: the first after 100 ms, the other 20 over 200 ms.
    attempt(
        "L1",
        ms={"admit": 2, "conn": 5, "send0": 10, "hdr": 100, "tok1": 110, "vis1": 120, "tokn": 310, "eof": 330},
        completion_tokens=21,
        prompt_tokens=7,
        chunk_delta_us=[100_000, 10_000, 190_000],
        chunk_events=[1, 10, 10],
        cost_usd=0.01,
        lag_max_ns=2_000_000,
        coalesced_reads=3,
    ),
    # Throttled, then an answer whose first read held two tokens.
    attempt(
        "L2",
        ms={"sched": 1000, "admit": 1000, "send0": 1000, "hdr": 1010, "eof": 1010},
        failure_kind="throttled",
        failure_detail="slow down",
        status=429,
        n_reads=1,
    ),
    attempt(
        "L2",
        number=1,
        ms={"sched": 1000, "admit": 1500, "send0": 1500, "tok1": 1700, "vis1": 1700, "tokn": 1900, "eof": 1900},
        completion_tokens=11,
        chunk_delta_us=[200_000, 200_000],
        chunk_events=[2, 9],
        cost_usd=0.02,
        reused=True,
    ),
    # Broken off after its first token.
    attempt(
        "L3",
        ms={"sched": 2000, "admit": 2000, "send0": 2000, "tok1": 2100, "vis1": 2100, "tokn": 2100},
        failure_kind="truncated",
        failure_detail="no finish reason",
        chunk_delta_us=[100_000],
        chunk_events=[1],
    ),
    # One token only.
    attempt(
        "L4",
        ms={"sched": 3000, "admit": 3000, "send0": 3000, "tok1": 3150, "vis1": 3150, "tokn": 3150, "eof": 3160},
        completion_tokens=1,
        chunk_delta_us=[150_000],
        chunk_events=[1],
        cost_usd=0.03,
    ),
    attempt(
        "W1",
        ms={"send0": 5000, "tok1": 9000, "tokn": 9500, "eof": 9500},
        phase="warmup",
        stage="load.chat@c1.warmup",
        completion_tokens=100,
        chunk_events=[1, 1],
        cost_usd=0.04,
    ),
]


def ask(job: str, **changes: Any) -> dict[str, Any]:
    """A quality attempt that was not streamed."""
    marks = {"send0": 4000, "hdr": 4400, "ev1": 4500, "eof": 4500}
    named = {"kind": "quality", "stage": "quality.sums", "task": "sums", "stream": False, "chunk_delta_us": []}
    return attempt(job, ms=marks, **(named | {"chunk_events": []} | changes))


QUALITY = [
    ask("q1", completion_tokens=5, cost_usd=0.05),
    ask("q2", failure_kind="http_5xx", failure_detail="oops", status=500),
    ask("q2", number=1, completion_tokens=5, cost_usd=0.06),
    ask("q3", failure_kind="http_5xx", failure_detail="oops", status=500),
    ask("q4", failure_kind="cancelled", failure_detail="interrupted"),
    ask("q5", completion_tokens=5, cost_usd=0.07),
    ask("q5", number=1, failure_kind="cancelled", failure_detail="interrupted"),
]
SCORES = [score("q1", 1.0), score("q2", 0.5), score("q5", 0.0, answer=None), score("q3", 1.0)]
PROBES = [
    attempt("x1", kind="probe", task="chat", stage="probe", failure_kind="http_4xx", failure_detail="no", status=400),
    attempt("x2", kind="probe", task="chat", stage="probe", stream=False),
]
VERDICTS = [
    verdict(f"probe-{place}", word)
    for place, word in enumerate(("supported", "partial", "ignored", "rejected", "broken", "untestable", "skipped"))
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published results folder that holds the run worked out by hand."""
    results = tmp_path_factory.mktemp("results")
    make_run(results, attempts=LOAD + QUALITY + PROBES, scores=SCORES, verdicts=VERDICTS)
    assert publish(results).problems == ()
    return results


def metrics(results: Path, job: str, number: int = 0) -> dict[str, Any]:
    """The one row of attempt_metrics."""
    (row,) = query.rows(results, "select * from attempt_metrics where job_id = ? and number = ?", [job, number])
    return row


def test_every_column_says_its_unit_and_what_null_means() -> None:
    """Each table and view has a comment, each table column too, and none is silent about NULL."""
    assert all(dictionary.describe_tables().values())
    columns = dictionary.describe()
    explained = {column.name for column in columns if not column.is_view}
    by_view = {(column.table, column.name) for column in columns if column.comment}
    for column in columns:
        if column.is_view:
            known = column.name in explained | UNDERSTOOD or QUANTILE.fullmatch(column.name)
            assert column.comment or known or (INHERITED.get(column.table), column.name) in by_view, column
        else:
            assert "NULL" in column.comment, column


def test_every_macro_explains_its_own_columns() -> None:
    """What it adds to columns of attempts has its unit in the macro's comment."""
    attempts = {column.name for column in dictionary.describe() if column.table == "attempts"}
    macros = dictionary.describe_macros()
    assert set(macros) == {"chunk_gaps", "itl"}
    for macro in macros.values():
        own = {column.name for column in macro.columns} - attempts
        assert own
        assert all(f"{name}: " in macro.comment for name in own)


UNDERSTOOD = {"n_ok", "n_failed", "features_partial", "features_supported"}
"""View columns whose neighbours' comments cover them."""
QUANTILE = re.compile(r"(?:.+_(?:p\d+|median)(?:_adj)?|(?:median|mean|p\d+|avg)_.+|.+_(?:mean|avg))_ms")
"""One percentile of a row of them: the first has the comment."""
INHERITED = {"load_attempts": "attempt_metrics", "load_flow": "load_summary"}
"""Views whose other columns are explained where they come from, or go to."""


def test_the_views_have_the_promised_columns() -> None:
    """Report and dashboard rely on these names."""
    columns = {(column.table, column.name) for column in dictionary.describe()}
    for view, names in CONTRACT.items():
        assert {(view, name) for name in names.split()} <= columns


def test_sealed_files_and_tables_have_the_same_columns() -> None:
    """What is sealed is what is published, column by column."""
    for table, schema in SEALED.items():
        assert [column.name for column in dictionary.describe() if column.table == table] == list(schema)


def test_a_streamed_answer(results: Path) -> None:
    """Times are from the send, the scheduled ones from the planned arrival; the connection is apart."""
    row = metrics(results, "L1")
    expected = {
        "last_attempt": True,
        "ok": True,
        "ttft_ms": 100.0,
        "ttft_sched_ms": 110.0,
        "ttfvt_ms": 110.0,
        "ttftool_ms": None,
        "e2e_ms": 300.0,
        "e2e_sched_ms": 310.0,
        "tpot_ms": 10.0,
        "chunk_gap_max_ms": 190.0,
        "output_tokens": 21,
        "prompt_tokens": 7,
        "wait_ms": 2.0,
        "connect_ms": 3.0,
        "close_lag_ms": 20.0,
        "lag_max_ms": 2.0,
        "cost_usd": 0.01,
    }
    assert {name: row[name] for name in expected} == expected
    assert row["output_tokens_per_s"] == pytest.approx(70.0)


def test_a_first_read_of_several_tokens_is_not_spread_over_the_rest(results: Path) -> None:
    """TPOT divides by the tokens after the first read: 200 ms over 11 - 2; wait and connection are their own."""
    row = metrics(results, "L2", 1)
    assert row["tpot_ms"] == pytest.approx(200 / 9)
    assert (row["ttft_ms"], row["ttft_sched_ms"], row["wait_ms"], row["connect_ms"]) == (200.0, 700.0, 500.0, None)
    assert row["last_attempt"]
    assert not metrics(results, "L2", 0)["last_attempt"]


@pytest.mark.parametrize("job", ["L2", "L3", "q2"])
def test_a_failure_has_no_latency(results: Path, job: str) -> None:
    """NULL and never 0, also where a part of an answer had arrived."""
    row = metrics(results, job)
    assert not row["ok"]
    for name in ("ttft_ms", "ttft_sched_ms", "ttfvt_ms", "e2e_ms", "e2e_sched_ms", "tpot_ms", "output_tokens_per_s"):
        assert row[name] is None, name
    assert row["close_lag_ms"] is None
    assert row["cost_usd"] is None


def test_one_token_has_no_tpot(results: Path) -> None:
    """There is no time between one token."""
    row = metrics(results, "L4")
    assert (row["tpot_ms"], row["ttft_ms"], row["e2e_ms"], row["chunk_gap_max_ms"]) == (None, 150.0, 150.0, None)


def test_an_answer_that_was_not_streamed_has_e2e_only(results: Path) -> None:
    """Its end is the end of the response; a first token was never seen."""
    row = metrics(results, "q1")
    assert (row["ttft_ms"], row["tpot_ms"], row["close_lag_ms"], row["e2e_ms"]) == (None, None, None, 500.0)
    assert row["output_tokens_per_s"] == pytest.approx(10.0)


def test_what_we_cancelled_does_not_count_for_its_job(results: Path) -> None:
    """The last attempt that we did not cancel counts; a job with cancelled ones only keeps its last."""
    assert metrics(results, "q5", 0)["last_attempt"]
    assert not metrics(results, "q5", 1)["last_attempt"]
    assert metrics(results, "q4")["last_attempt"]


def test_quality_counts_failures_apart(results: Path) -> None:
    """Three scored (1, 0.5, 0), one failed though a stale score is there, one cancelled, one of six never asked."""
    (row,) = query.rows(results, "select * exclude (run_id, endpoint) from quality_summary")
    assert row == {
        "task": "sums",
        "kind": "quality",
        "n_planned": 6,
        "n_scored": 3,
        "n_failed": 1,
        "n_invalid": 0,
        "n_correct": 1,
        "mean_score": 0.5,
    }


def test_what_came_of_a_question_is_said_in_one_place(tmp_path: Path) -> None:
    """A score without a value counts as invalid, a stale one of a failed item as none, in counts and in costs."""
    tried = [ask("q1"), ask("q2", failure_kind="http_5xx", failure_detail="oops", status=500)]
    make_run(tmp_path, attempts=tried, scores=[score("q1", 1.0) | {"value": None}, score("q2", 1.0)])
    publish(tmp_path)
    (row,) = query.rows(tmp_path, "select n_scored, n_failed, n_invalid, n_correct from quality_summary")
    assert row == {"n_scored": 0, "n_failed": 1, "n_invalid": 1, "n_correct": 0}
    outcomes = query.rows(tmp_path, "select outcome, count(*) as n from answers group by all order by all")
    assert [tuple(one.values()) for one in outcomes] == [("failed", 1), ("invalid", 1)]
    assert query.rows(tmp_path, "select value from item_cost") == [{"value": None}] * 2


def test_a_session_of_several_requests_counts_once(tmp_path: Path) -> None:
    """One whole and right, one that failed in its second request, one with a request still to be sent."""
    turns = [
        *(ask(f"s1~{turn}" if turn else "s1", sample="s1", turn=turn) for turn in (0, 1)),
        ask("s1~2", sample="s1", turn=2, failure_kind="unneeded", failure_detail="over"),
        ask("s2", sample="s2"),
        ask("s2~1", sample="s2", turn=1, failure_kind="http_5xx", failure_detail="oops", status=500),
        ask("s2~2", sample="s2", turn=2, failure_kind="unasked", failure_detail="its session failed"),
        ask("s3", sample="s3"),
    ]
    make_run(tmp_path, attempts=turns, scores=[score("s1", 1.0)])
    assert publish(tmp_path).problems == ()
    (row,) = query.rows(tmp_path, "select * exclude (run_id, endpoint, task, kind) from quality_summary")
    counts = {"n_planned": 6, "n_scored": 1, "n_failed": 1, "n_invalid": 0, "n_correct": 1}
    assert row == {**counts, "mean_score": 1.0}
    (row,) = query.rows(tmp_path, "select n, n_ok, n_failed, n_unasked, quality_n from endpoint_summary")
    assert row == {"n": 5, "n_ok": 4, "n_failed": 1, "n_unasked": 1, "quality_n": 1}
    kinds = query.rows(tmp_path, "select failure_kind from error_summary order by all")
    assert [one["failure_kind"] for one in kinds] == ["http_5xx", "unasked"]


def test_a_load_stage(results: Path) -> None:
    """Five measured attempts, three ok: 33 tokens in the 3.15 s from the first planned arrival to the last token."""
    (row,) = query.rows(results, "select * from load_summary")
    expected = {
        "task": "chat",
        "stage": "load.chat@c1",
        "n": 5,
        "n_ok": 3,
        "n_failed": 2,
        "ttft_n": 3,
        "ttft_p50_ms": 150.0,
        "e2e_p50_ms": 300.0,
        "clock": "kernel",
        "output_tokens": 33,
        "slo_judged_n": 5,
        "slo_good_n": 2,
        "level": 0,
        "lag_max_ms": 2.0,
    }
    assert {name: row[name] for name in expected} == expected
    assert row["ttft_p95_ms"] == pytest.approx(150 + 0.9 * 50)
    assert row["tpot_p50_ms"] == pytest.approx((10 + 200 / 9) / 2)
    assert row["speed_p50"] == pytest.approx((100 + 45) / 2)
    assert row["window_s"] == pytest.approx(3.15)
    assert row["output_tokens_per_s"] == pytest.approx(33 / 3.15)
    assert row["cost_usd"] == pytest.approx(0.06)
    assert row["coalesced_share"] == pytest.approx(3 / 30)
    assert row["slo_attainment"] == pytest.approx(0.4)


def test_an_endpoint(results: Path) -> None:
    """Warm-ups cost but are not timed; probes are in no n; what was cancelled is apart."""
    (row,) = query.rows(results, "select * from endpoint_summary")
    expected = {
        "endpoint": "p/m",
        "n": 6 + 5,
        "n_ok": 4 + 3,
        "n_failed": 2 + 2,
        "n_cancelled": 2,
        "ttft_n": 3,
        "ttft_p50_ms": 150.0,
        "cost_known_n": 7,
        "cost_unknown_n": 0,
        "quality_mean": 0.5,
        "quality_n": 3,
        "quality_failed_n": 1,
        "features_failed": 3,
        "features_partial": 1,
        "features_supported": 1,
        "features_judged": 5,
    }
    assert {name: row[name] for name in expected} == expected
    assert row["cost_usd"] == pytest.approx(0.01 + 0.02 + 0.03 + 0.04 + 0.05 + 0.06 + 0.07)
    assert row["output_tokens_per_s"] == pytest.approx(33 / 3.15)


def test_errors_are_counted_with_every_try(results: Path) -> None:
    """Retried failures count, probes do not."""
    found = query.rows(results, "select failure_kind, n, example from error_summary order by all")
    assert [tuple(row.values()) for row in found] == [
        ("cancelled", 2, "interrupted"),
        ("http_5xx", 2, "oops"),
        ("throttled", 1, "slow down"),
        ("truncated", 1, "no finish reason"),
    ]


def test_the_client_itself_is_judged(results: Path) -> None:
    """Shares are over attempts that got bytes."""
    (row,) = query.rows(results, "select * from run_health")
    assert row["n"] == len(LOAD + QUALITY + PROBES)
    assert row["clock_kernel_share"] == 1.0
    assert row["coalesced_share"] == pytest.approx(3 / (10 * 14 + 1))
    assert row["lag_p99_ms"] == 2.0


def test_a_cost_that_is_not_known_is_not_zero(tmp_path: Path) -> None:
    """One ok answer without a price makes the sum NULL, and the known ones are counted."""
    rows = [ask("q1", cost_usd=0.05), ask("q2", completion_tokens=3)]
    make_run(tmp_path, attempts=[*rows, *[row | {"cost_usd": None} for row in LOAD]])
    publish(tmp_path)
    (row,) = query.rows(tmp_path, "select * from endpoint_summary")
    assert (row["cost_usd"], row["cost_known_n"], row["cost_unknown_n"]) == (None, 1, 5)
    (load,) = query.rows(tmp_path, "select * from load_summary")
    assert load["cost_usd"] is None


def test_tokens_that_are_not_stated_are_not_zero(tmp_path: Path) -> None:
    """A throughput without all its tokens would be too low: it is NULL."""
    make_run(tmp_path, attempts=[*LOAD[:1], LOAD[4] | {"completion_tokens": None}])
    publish(tmp_path)
    (row,) = query.rows(tmp_path, "select output_tokens_per_s as a, ttft_n from load_summary")
    assert (row["a"], row["ttft_n"]) == (None, 2)
    (row,) = query.rows(tmp_path, "select output_tokens_per_s as a, ttft_n from endpoint_summary")
    assert (row["a"], row["ttft_n"]) == (None, 2)


def test_the_time_between_two_sittings_is_not_load_time(tmp_path: Path) -> None:
    """A stage that was broken off and resumed has the sum of both windows, whatever the clocks stood at."""
    first = attempt("a", ms={"send0": 100, "tok1": 200, "tokn": 600}, completion_tokens=10)
    later = attempt("b", ms={"send0": 50, "tok1": 60, "tokn": 550}, completion_tokens=10, session=2)
    make_run(tmp_path, attempts=[first, later])
    publish(tmp_path)
    (row,) = query.rows(tmp_path, "select window_s, output_tokens_per_s from load_summary")
    assert row["window_s"] == pytest.approx(0.6 + 0.55)
    assert row["output_tokens_per_s"] == pytest.approx(20 / 1.15)


def test_a_load_without_objectives_has_no_attainment(tmp_path: Path) -> None:
    """No objective stated: nothing is judged, failures neither."""
    make_run(tmp_path, attempts=[row | {"task": "other"} for row in LOAD])
    publish(tmp_path)
    (row,) = query.rows(tmp_path, "select slo_judged_n, slo_good_n, slo_attainment from load_summary")
    assert tuple(row.values()) == (0, 0, None)


def test_an_endpoint_where_everything_failed_is_still_there(tmp_path: Path) -> None:
    """All NULL and counted, not missing."""
    make_run(tmp_path, attempts=[LOAD[1], ask("q3", failure_kind="connect", failure_detail="refused")])
    publish(tmp_path)
    (row,) = query.rows(tmp_path, "select * from endpoint_summary")
    assert (row["n"], row["n_ok"], row["n_failed"], row["ttft_n"]) == (2, 0, 2, 0)
    assert (row["ttft_p50_ms"], row["output_tokens_per_s"], row["cost_usd"], row["quality_mean"]) == (None,) * 4
