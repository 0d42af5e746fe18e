"""``harness compare``: who is meant, what is the same question asked in the same way, and what B adds to A."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from made import Watcher, endpoint, harness, load, plan, sample, task, told
from published import EPOCH, attempt, make_run, manifest, score
from rich.console import Console

from harness.engines import start
from harness.errors import StoreError, UnknownName, UsageError
from harness.provider import Serve
from harness.record.folder import RunFolder, create
from harness.report.comparison.figures import compared
from harness.report.comparison.sides import Side, pairs_of
from harness.report.comparison.terminal import show_compared
from harness.run import sitting
from harness.run.arrivals import Closed, Constant
from harness.run.conduct import Company
from harness.run.planning.plan import Plan
from harness.store.index import publish
from harness.types import JsonObject

MIXED = [5, 1, 9, 3, 7, 2, 10, 4, 8, 6]


def about(name: str, **changes: Any) -> JsonObject:
    """An endpoint as the manifest has it."""
    provider, _, model = name.partition("/")
    row = {"id": name, "provider": provider, "kind": "hosted", "model": model, "model_id": model, "base_url": None}
    return row | {"engine": None, "engine_version": None, "price": None} | changes


def request(name: str, i: int, ttft_ms: float = 20, *, at_s: float = 0.0, **changes: Any) -> JsonObject:
    """The i-th streamed answer of a load, a second after the one before: 11 tokens, 10 ms apart unless ``itl_ms``."""
    sent, itl_ms = 1000.0 * (i + at_s), changes.pop("itl_ms", 10.0)
    last = sent + ttft_ms + 10 * itl_ms
    stage, turn = changes.get("stage", "load.chat@c1"), changes.get("turn", 0)
    row = attempt(
        f"{stage}/{name}/{i}/0~{turn}",
        ms={"sched": sent, "admit": sent, "send0": sent, "tok1": sent + ttft_ms, "tokn": last, "eof": last},
        endpoint=name,
        sample=str(i),
        started_at=EPOCH + timedelta(milliseconds=sent),
    )
    tokens = {"completion_tokens": 11, "prompt_tokens": 5, "cost_usd": 0.001, "cost_source": "prices"}
    return row | {"chunk_events": [1, 10], "workload_sha256": f"q{i}", "api": "chat", "stream": True} | tokens | changes


def asked(name: str, i: int, value: float | None, **changes: Any) -> tuple[JsonObject, list[JsonObject]]:
    """One quality question and its score; None: the server failed."""
    place = {"kind": "quality", "stage": "quality.sums", "task": "sums", "sample": f"s{i}"} | changes
    row = request(name, i, **place)
    if value is None:
        return row | {"failure_kind": "http_5xx", "failure_detail": "no"}, []
    return row, [score(row["job_id"], value, endpoint=name, sample=f"s{i}", repeat=row["repeat"])]


def made(
    results: Path, attempts: list[JsonObject], names: tuple[str, ...] = ("a/m", "b/m"), **tables: Any
) -> RunFolder:
    """A published run of these attempts; ``manifest`` changes its manifest."""
    changes = {"endpoints": [about(name) for name in names], "tasks": [], "loads": []} | tables.pop("manifest", {})
    run = make_run(results, about=changes, attempts=attempts, **tables)
    publish(results)
    return run


def against(results: Path, a: str = "a", b: str = "b", run: str = "latest") -> JsonObject:
    """What compare finds, and that it can be shown and told as JSON."""
    found = compared(results, pairs_of(results, a, b, run))
    assert json.loads(json.dumps(found)) == found
    return found


def only(found: JsonObject) -> JsonObject:
    """The one group there is."""
    ((group,),) = [pair["groups"] for pair in found["pairs"]]
    return group


def row(group: JsonObject, metric: str) -> JsonObject:
    """The row of a metric."""
    (found,) = [one for one in group["rows"] if one["metric"] == metric]
    return found


def shown(found: JsonObject) -> str:
    """The terminal's page."""
    out = io.StringIO()
    show_compared(found, Console(file=out, width=200))
    return out.getvalue()


# --- who is meant ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs: of one endpoint; of two models of one provider and a third; of one of them again."""
    results = tmp_path_factory.mktemp("three")
    for name, ends in (("one", ["x/m"]), ("two", ["p/m", "p/n:free", "q/m"]), ("three", ["x/m", "q/m"])):
        run = create(results, name)
        run.write_manifest(manifest(run, endpoints=[about(end) for end in ends]))
        run.root.rename(run.root.with_name(f"r-{name}"))
    return results


@pytest.mark.parametrize(
    ("a", "b", "run", "meant"),
    [
        ("p/m", "q/m", "r-two", [("r-two", "p/m", "r-two", "q/m")]),
        ("p/n:free", "q", "r-two", [("r-two", "p/n:free", "r-two", "q/m")]),
        ("r-two:p/n:free", "r-three:x", "r-two", [("r-two", "p/n:free", "r-three", "x/m")]),
        ("r-one", "r-two:q", "r-two", [("r-one", "x/m", "r-two", "q/m")]),
        ("r-one", "r-three", "r-two", [("r-one", "x/m", "r-three", "x/m")]),
        ("r-three", "r-two", "r-two", [("r-three", "q/m", "r-two", "q/m")]),
        ("q", "r-three", "r-two", [("r-two", "q/m", "r-three", "q/m")]),
        ("r-o", "latest:q", "r-two", [("r-one", "x/m", "r-two", "q/m")]),
    ],
)
def test_names_mean_endpoints_of_runs(three: Path, a: str, b: str, run: str, meant: list[Any]) -> None:
    """An endpoint, a provider with one, RUN:ENDPOINT, a run with one endpoint, or what two runs have in common."""
    found = pairs_of(three, a, b, run)
    assert [(one.run.id, one.endpoint, other.run.id, other.endpoint) for one, other in found] == meant


@pytest.mark.parametrize(
    ("a", "b", "error", "words"),
    [
        ("p", "q", UsageError, "'p' fits 2 endpoints of run r-two: p/m, p/n:free"),
        ("qq/m", "q", UnknownName, "Did you mean q/m"),
        ("r-twoo", "q", UnknownName, "r-two"),
        ("r-two:x", "q", UnknownName, "unknown endpoint of run r-two 'x'"),
        ("q", "q/m", UsageError, "are the same: r-two:q/m"),
        ("r-two", "r-two", UsageError, "are the same"),
        ("r-one", "r-two", UsageError, "no endpoint in common"),
        ("r", "q", UsageError, "fits 3 runs"),
        ("", "q", UnknownName, "unknown endpoint or run ''"),
    ],
)
def test_a_name_that_means_nothing_is_told(three: Path, a: str, b: str, error: type[Exception], words: str) -> None:
    """One line: the nearest names, or what a name fits."""
    with pytest.raises(error) as caught:
        pairs_of(three, a, b, "r-two")
    assert words in str(caught.value)


def test_no_run_at_all(tmp_path: Path) -> None:
    """The way to make one is told; a damaged manifest is an error of the store."""
    with pytest.raises(UsageError, match="no runs"):
        pairs_of(tmp_path, "a", "b", "latest")
    run = create(tmp_path, "bad")
    run.write_manifest(manifest(run, endpoints=3))
    with pytest.raises(StoreError, match="does not say which endpoints"):
        pairs_of(tmp_path, "a", "b", "latest")
    run.write_manifest(manifest(run, endpoints=[]))
    with pytest.raises(UsageError, match="asked no endpoint"):
        pairs_of(tmp_path, "a", "b", "latest")


# --- what it adds ----------------------------------------------------------------------------------------


def test_differences_are_of_pairs(tmp_path: Path) -> None:
    """Ten prompts, B later by 1 to 10 ms and slower by 1 ms a token: worked out by hand, in every column."""
    rows = [request("a/m", i, 20 + i) for i in range(10)]
    rows += [request("b/m", i, 20 + i + more, itl_ms=11, at_s=0.1) for i, more in enumerate(MIXED)]
    found = against(tmp_path, run=made(tmp_path, rows).id)
    group = only(found)
    assert (group["unit"], group["stage"], group["no_times"]) == ("request", "load.chat@c1", None)
    ttft = row(group, "ttft_ms")
    assert (ttft["n"], ttft["a"], ttft["b"]) == (10, pytest.approx(24.5), pytest.approx(31.0))
    assert (ttft["difference"], ttft["low"], ttft["high"]) == pytest.approx((5.5, 2.0, 9.0))
    assert ttft["p_value"] == pytest.approx(2 / 2**10)
    assert ttft["verdict"] == "worse"
    itl = row(group, "tpot_ms")
    assert (itl["a"], itl["b"], itl["difference"], itl["ratio"]) == pytest.approx((10.0, 11.0, 1.0, 1.1))
    assert row(group, "e2e_ms")["difference"] == pytest.approx(15.5)
    assert row(group, "output_tokens_per_s")["verdict"] == "worse"
    assert (row(group, "output_tokens")["difference"], row(group, "output_tokens")["verdict"]) == (0.0, "unclear")
    assert row(group, "cost_usd")["a"] == pytest.approx(0.001)
    assert (row(group, "failures")["n"], row(group, "failures")["difference"]) == (10, 0.0)
    # Of 8 rows with a p the four of times are alike, and so each is adjusted as the fourth smallest.
    assert found["family"] == 8
    assert ttft["p_adjusted"] == pytest.approx(2 / 2**10 * 8 / 4)
    back = only(against(tmp_path, "b", "a"))
    assert (row(back, "ttft_ms")["difference"], row(back, "ttft_ms")["verdict"]) == (pytest.approx(-5.5), "better")
    text = shown(found)
    assert "A  a/m" in text
    assert "10 requests asked of both, 10 answered by both." in text
    assert "+5.500 [+2.000, +9.000]" in text


def test_a_failure_is_a_row_of_its_own(tmp_path: Path) -> None:
    """Pairs of which one failed have no times and are counted; what we broke off ourselves is no failure."""
    failed = {"failure_kind": "http_5xx", "failure_detail": "no"}
    rows = [request("a/m", i, 20, **(failed if i in (0, 1) else {})) for i in range(30)]
    rows += [request("b/m", i, 26, **(failed if i in range(1, 10) else {})) for i in range(29)]
    rows += [request("b/m", 29, failure_kind="cancelled", failure_detail="stopped")]
    group = only(against(tmp_path, run=made(tmp_path, rows).id))
    assert group["counts"] == {
        "pairs": 29,
        "answered_by_both": 19,
        "failed_on_a_alone": 1,
        "failed_on_b_alone": 8,
        "failed_on_both": 1,
    }
    assert group["dropped"] == {"broken off or not asked by us": 1}
    failures = row(group, "failures")
    assert (failures["n"], failures["a"], failures["b"]) == (29, pytest.approx(2 / 29), pytest.approx(9 / 29))
    assert failures["p_value"] == pytest.approx(2 * (1 + 9) / 2**9)  # McNemar: one of nine discordant pairs
    assert (row(group, "ttft_ms")["n"], row(group, "cost_usd")["n"]) == (19, 19)


def test_a_retry_counts_once_with_all_it_cost(tmp_path: Path) -> None:
    """The last try has the times; what the tries cost is added up; warm-ups and probes are in nothing."""
    rows = [request(name, i, 20) for name in ("a/m", "b/m") for i in range(6)]
    again = {"failure_kind": "throttled", "failure_detail": "slow down", "number": 0, "cost_usd": 0.002}
    rows = [one | {"number": 1} if one["endpoint"] == "b/m" else one for one in rows]
    rows += [request("b/m", i, 20) | again for i in range(6)]
    rows += [request("b/m", 0, 900, phase="warmup") | {"job_id": "w"}]
    rows += [request("b/m", 0, 900, kind="probe", stage="probe") | {"job_id": "p"}]
    group = only(against(tmp_path, run=made(tmp_path, rows).id))
    assert row(group, "failures")["b"] == 0.0
    assert (row(group, "cost_usd")["a"], row(group, "cost_usd")["b"]) == pytest.approx((0.001, 0.003))
    assert row(group, "ttft_ms")["difference"] == 0.0


def test_a_cost_that_is_not_known_has_no_pair(tmp_path: Path) -> None:
    """Where one side's price is unknown there is no row of cost, never one of 0; so with copies from the cache."""
    rows = [request("a/m", i) for i in range(6)]
    rows += [request("b/m", i, cost_usd=None, cost_source=None) for i in range(6)]
    rows += [request("c/m", i, cost_usd=0.0, cost_source="cache") for i in range(6)]
    made(tmp_path, rows, ("a/m", "b/m", "c/m"))
    for other in ("b", "c"):
        assert "cost_usd" not in [one["metric"] for one in only(against(tmp_path, "a", other))["rows"]]


def test_requests_of_a_session_are_one_unit(tmp_path: Path) -> None:
    """Turns of a session, and repeats of a sample, are no independent measurements: their mean is one value."""
    turns = [(i, turn) for i in range(6) for turn in range(3)]
    rows = [request("a/m", i, 20, turn=turn, at_s=turn / 10) for i, turn in turns]
    rows += [request("b/m", i, 20 + 3 * turn, turn=turn, at_s=turn / 10) for i, turn in turns]
    group = only(against(tmp_path, run=made(tmp_path, rows).id))
    assert group["unit"] == "sample (mean of its turns)"
    ttft = row(group, "ttft_ms")
    assert (ttft["n"], ttft["difference"]) == (6, pytest.approx(3.0))
    assert row(group, "failures")["n"] == 18
    assert group["counts"]["pairs"] == 18


def test_levels_are_compared_each_on_its_own(tmp_path: Path) -> None:
    """Each level of a load is a group; of an open one the times are since the planned arrival."""
    rows = [
        request(name, i, 20, stage=f"load.chat@{law}")
        for name in ("a/m", "b/m")
        for law in ("c1", "c4", "p2.5")
        for i in range(4)
    ]
    (pair,) = against(tmp_path, run=made(tmp_path, rows).id)["pairs"]
    assert [group["stage"] for group in pair["groups"]] == ["load.chat@c1", "load.chat@c4", "load.chat@p2.5"]
    metrics = [[one["metric"] for one in group["rows"]][1:4] for group in pair["groups"]]
    assert metrics == [["ttft_ms", "tpot_ms", "e2e_ms"]] * 2 + [["ttft_sched_ms", "tpot_ms", "e2e_sched_ms"]]


def test_quality_is_compared_where_there_is_any(tmp_path: Path) -> None:
    """McNemar over the questions that both have a score for; without coverage there is no verdict."""
    answers = [asked(name, i, float(i < right)) for name, right in (("a/m", 20), ("b/m", 8)) for i in range(20)]
    answers += [asked("c/m", i, 1.0 if i else None) for i in range(20)]
    answers += [asked("d/m", i, 1.0 if i > 2 else None) for i in range(20)]
    scores = [one for _, found in answers for one in found]
    made(tmp_path, [one for one, _ in answers], ("a/m", "b/m", "c/m", "d/m"), scores=scores)
    quality = row(only(against(tmp_path)), "quality")
    assert (quality["n"], quality["a"], quality["b"]) == (20, 1.0, 0.4)
    assert quality["difference"] == pytest.approx(-0.6)
    assert quality["p_value"] == pytest.approx(2 / 2**12)
    assert quality["verdict"] == "worse"
    assert only(against(tmp_path, "a", "c"))["withheld"] is None
    group = only(against(tmp_path, "b", "d"))
    assert group["withheld"] == "fewer than 95% of what was asked of B could be scored"
    assert (row(group, "quality")["n"], row(group, "quality")["verdict"]) == (17, "unclear")


# --- what is not compared --------------------------------------------------------------------------------


def _why(found: JsonObject) -> dict[str, str]:
    return {one["stage"]: one["why"] for pair in found["pairs"] for one in pair["not_compared"]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda i: {"workload_sha256": f"other{i}"}, "other questions under the same names: all 4 hashes differ"),
        (lambda _: {"api": "responses"}, "asked for other interfaces: chat and responses"),
        (lambda _: {"stream": False}, "asked for other ways to answer (streamed): true and false"),
        (lambda _: {"stage": "load.chat@c4"}, "A was asked it at c1, B at c4: another concurrency or rate"),
        (lambda _: {"task": "code", "stage": "load.code@c1"}, "only A was asked it"),
        (lambda i: {"sample": f"x{i}"}, "no sample in common"),
        (lambda _: {"failure_kind": "unasked", "failure_detail": "given up: x"}, "no request was sent to both"),
    ],
)
def test_what_is_not_the_same_is_not_compared(tmp_path: Path, change: Callable[[int], JsonObject], words: str) -> None:
    """Another question, interface, level or load: refused with the reason, and nothing is made up."""
    rows = [request("a/m", i) for i in range(4)] + [request("b/m", i) | change(i) for i in range(4)]
    found = against(tmp_path, run=made(tmp_path, rows).id)
    assert found["pairs"][0]["groups"] == []
    assert _why(found)["load.chat@c1"] == words
    done = harness(tmp_path, "compare", "a", "b", "--results", str(tmp_path))
    told(done, 2, "nothing of a and b can be compared", words)


def test_some_other_questions_are_counted(tmp_path: Path) -> None:
    """Pairs whose hashes differ, and requests of one side alone, are left out and told."""
    rows = [request("a/m", i) for i in range(8)]
    rows += [request("b/m", i, workload_sha256=f"q{i}" if i > 1 else "other") for i in range(7)]
    rows += [request("b/m", 9)]
    group = only(found := against(tmp_path, run=made(tmp_path, rows).id))
    assert group["counts"]["pairs"] == 5
    told_ = {"asked of A alone": 1, "asked of B alone": 1, "another question, its hash differs": 2}
    assert group["dropped"] == told_
    assert "Left out: 1 asked of A alone, 1 asked of B alone, 2 another question" in shown(found)


def test_whether_both_were_asked_at_the_same_time_is_said(tmp_path: Path) -> None:
    """One after the other is told with how far apart, since whatever changed meanwhile is in the difference."""
    rows = [request("a/m", i) for i in range(10)] + [request("b/m", i, at_s=0.25) for i in range(10)]
    rows += [request("c/m", i, at_s=100) for i in range(10)]
    made(tmp_path, rows, ("a/m", "b/m", "c/m"))
    timing = only(together := against(tmp_path))["timing"]
    assert timing == {"interleaved": True, "overlap": pytest.approx(8.75 / 9), "apart_s": 0.25, "first": "A"}
    assert "Interleaved in time: a median of 0.25 s between the two of a pair." in shown(together)
    apart = against(tmp_path, "c", "a")
    assert only(apart)["timing"] == {"interleaved": False, "overlap": 0.0, "apart_s": 100.0, "first": "B"}
    assert "Not interleaved: first B, then A, a median of 1.7 min" in shown(apart)
    assert "--paired" in shown(apart)


def test_who_answered_is_said_where_it_changed(tmp_path: Path) -> None:
    """A backend that changed inside the run stands beside the difference that it may have made."""
    rows = [request("a/m", i, backend="one") for i in range(6)]
    rows += [request("b/m", i, backend="one" if i < 3 else "two") for i in range(6)]
    (pair,) = (found := against(tmp_path, run=made(tmp_path, rows).id))["pairs"]
    assert len(pair["identities"]) == 1
    assert "b/m: backend changed inside the run at answer 4 of 6" in shown(found)


# --- two runs --------------------------------------------------------------------------------------------


def _two(results: Path, texts: list[tuple[str, str]], **second: Any) -> tuple[RunFolder, RunFolder]:
    """Two runs of one load on a/m, each with a nonce of its own; ``texts`` are what they asked, by run."""
    loads = [{"name": "chat", "version": 1, "nonce": "request", "slo": {}, "levels": []}]
    runs = []
    for place, changes in enumerate(({}, second)):
        nonce = f"n{place}"
        about_run = {"seed": 0, "loads": loads, "selection": {"nonce": nonce, "concurrency": 4}} | changes
        rows = [request("a/m", i, 20 + 5 * place, workload_sha256=f"{nonce}{i}") for i in range(len(texts))]
        bodies = [
            {
                "run_id": "?",
                "job_id": one["job_id"],
                "number": 0,
                "request_body": json.dumps({"messages": [{"content": f"[{nonce}-{i}] {texts[i][place]}"}]}),
                "response_headers_json": "[]",
                "text_lossy": False,
            }
            for i, one in enumerate(rows)
        ]
        runs.append(made(results, rows, ("a/m",), texts=bodies, manifest=about_run))
    return runs[0], runs[1]


def test_two_runs_of_a_load_are_paired_but_for_their_nonce(tmp_path: Path) -> None:
    """The text that keeps caches cold differs between runs; the prompts behind it must be the same."""
    first, second = _two(tmp_path, [("hello", "hello")] * 9 + [("hello", "bye")])
    found = against(tmp_path, first.id, second.id)
    group = only(found)
    assert (row(group, "ttft_ms")["n"], row(group, "ttft_ms")["difference"]) == (9, pytest.approx(5.0))
    assert group["dropped"] == {"another question, its hash differs": 1}
    assert "two runs" in shown(found) or "Interleaved" in shown(found)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ({"seed": 3}, "their prompts are drawn from other seeds: 0 and 3"),
        ({"loads": [{"name": "chat", "version": 2, "nonce": "request"}]}, "other versions of the load: 1 and 2"),
        ({"loads": [{"name": "chat", "version": 1, "nonce": "none"}]}, "keep caches cold (nonce): request and none"),
    ],
)
def test_two_runs_that_did_not_ask_the_same_are_refused(tmp_path: Path, second: JsonObject, words: str) -> None:
    """Another seed, version or way of keeping caches cold: the reason is told before hashes are looked at."""
    first, other = _two(tmp_path, [("hello", "hello")] * 3, **second)
    assert words in _why(against(tmp_path, first.id, other.id))["load.chat@c1"]


def test_prompts_that_were_purged_cannot_be_told_to_be_the_same(tmp_path: Path) -> None:
    """Without its texts a run of a load cannot be paired with another, and that is the reason given."""
    first, other = _two(tmp_path, [("hello", "hello")] * 3)
    other.parquet_path("texts").unlink()
    publish(tmp_path)
    assert "no longer kept" in _why(against(tmp_path, first.id, other.id))["load.chat@c1"]


def test_two_runs_of_a_task_at_another_pace_have_no_times(tmp_path: Path) -> None:
    """Quality is compared; times are not, where one run had more requests under way than the other."""
    runs = []
    for at_once in (4, 8):
        answers = [asked("a/m", i, 1.0) for i in range(8)]
        chosen = {"selection": {"concurrency": at_once}}
        scores = [one for _, found in answers for one in found]
        runs.append(made(tmp_path, [one for one, _ in answers], ("a/m",), scores=scores, manifest=chosen))
    group = only(found := against(tmp_path, runs[0].id, runs[1].id))
    assert group["no_times"] == "asked 4 at once and 8 at once"
    assert [one["metric"] for one in group["rows"]] == [
        "failures",
        "prompt_tokens",
        "output_tokens",
        "cost_usd",
        "quality",
    ]
    assert "Times are not compared: asked 4 at once and 8 at once." in shown(found)


# --- on real sockets -------------------------------------------------------------------------------------


def _carried(made_plan: Plan, results: Path) -> None:
    sitting.start(made_plan, results=results, company=Company(Watcher(), scrape=False, calibrate=False))


def test_an_added_delay_is_found(tmp_path: Path) -> None:
    """Of two simulated endpoints the second adds 100 ms to TTFT and 20 ms to each later token: both are found.

    They are asked at the same time, in a load and in a task. The delays are large, since a busy machine adds its own.
    """
    usual = {"profile": "null", "tokens": 8}
    direct = start(Serve("simulator", usual | {"ttft_ms": 40, "itl_ms": 10}))
    slower = start(Serve("simulator", usual | {"ttft_ms": 140, "itl_ms": 30}))
    chat = load("chat", Closed(8), n=40, text=lambda _, i: f"Tell me {i} things.")
    try:
        ends = [endpoint("direct/m", direct.base_url), endpoint("gateway/m", slower.base_url)]
        things = [task("sums", [sample(f"q{i}") for i in range(40)]), chat]
        _carried(plan(things, ends, paired=True, concurrency=8), tmp_path)
    finally:
        direct.stop()
        slower.stop()
    (pair,) = against(tmp_path, "direct", "gateway")["pairs"]
    loaded, tasked = sorted(pair["groups"], key=lambda group: str(group["kind"]))
    assert (loaded["kind"], tasked["kind"]) == ("load", "quality")
    for group in (loaded, tasked):
        ttft = row(group, "ttft_ms")
        assert ttft["n"] == 40
        assert 50 < ttft["difference"] < 150
        # A bound that is None, for want of pairs where neighbours are alike, leaves out nothing.
        assert (ttft["low"] or 0) < 150
        assert (ttft["high"] or 100) > 50
        assert group["timing"]["interleaved"]
    assert 10 < row(loaded, "tpot_ms")["difference"] < 30
    assert row(loaded, "output_tokens")["verdict"] == "unclear"
    assert row(tasked, "quality")["difference"] == 0.0
    done = harness(tmp_path, "compare", "direct", "gateway", "--results", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "Interleaved in time" in done.stdout


def test_loads_that_go_one_by_one_are_said_to(tmp_path: Path) -> None:
    """Without --paired the second endpoint's level begins when the first one's has ended, closed and open alike."""
    served = start(Serve("simulator", {"profile": "null", "ttft_ms": 5}))
    try:
        ends = [endpoint("a/m", served.base_url), endpoint("b/m", served.base_url)]
        _carried(plan([load("chat", Closed(1), Constant(40.0), n=8)], ends), tmp_path)
    finally:
        served.stop()
    (pair,) = against(tmp_path)["pairs"]
    assert [group["timing"]["interleaved"] for group in pair["groups"]] == [False, False]


def test_the_command_tells_names_and_json(tmp_path: Path) -> None:
    """Help has examples; a typing error is answered with the nearest name; --json is the whole of it."""
    made(tmp_path, [request(name, i) for name in ("a/m", "b/m") for i in range(3)])
    assert "harness compare direct gateway" in harness(tmp_path, "compare", "--help").stdout
    told(harness(tmp_path, "compare", "a", "b/n", "--results", str(tmp_path)), 2, "Did you mean b/m")
    told(harness(tmp_path, "compare", "a", "--results", str(tmp_path)), 2)
    told(harness(tmp_path, "compare", "a", "b", "--run", "nope", "--results", str(tmp_path)), 2, "unknown run")
    done = harness(tmp_path, "compare", "a", "b", "--json", "--results", str(tmp_path))
    assert json.loads(done.stdout)["family"] == 8
    (tmp_path / "harness.duckdb").unlink()
    told(harness(tmp_path, "compare", "a", "b", "--results", str(tmp_path)), 5, "db rebuild")


def test_a_side_has_a_name_that_can_be_given_again(three: Path) -> None:
    """``RUN:ENDPOINT`` means that very side."""
    ((a, b),) = pairs_of(three, "p/m", "q", "r-two")
    assert isinstance(a, Side)
    assert pairs_of(three, a.name, b.name, "latest") == [(a, b)]
