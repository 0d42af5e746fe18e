"""How times are spread on both sides of a comparison, and what else the sides have otherwise."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from published import EPOCH, attempt, make_run, manifest, score

from harness.errors import UnknownName, UsageError
from harness.record.folder import RunFolder, open_run
from harness.report.charts.distributions import overlay, quantile_differences
from harness.report.comparison.baseline import pairs_with
from harness.report.comparison.before import run_before
from harness.report.comparison.config_diff import differences
from harness.report.comparison.distributions import curve, distributions
from harness.report.comparison.figures import Alike, compared
from harness.report.comparison.sides import sides_of
from harness.store.index import publish

MARKS = {"a/m": 0, "b/m": 1}


def about(name: str, **changes: Any) -> dict[str, Any]:
    """An endpoint as the manifest has it."""
    return {
        "id": name,
        "provider": name[0],
        "kind": "hosted",
        "model": "m",
        "model_id": "m",
        "base_url": None,
    } | changes


def asked(name: str, i: int, ttft: float | None, **changes: Any) -> dict[str, Any]:
    """The i-th request of a load; None: it failed."""
    at = 1000.0 * i
    marks = {"sched": at, "admit": at, "send0": at}
    if ttft is not None:
        marks |= {"tok1": at + ttft, "tokn": at + ttft + 100, "eof": at + ttft + 100}
    row = attempt(f"{name}/{i}", ms=marks, endpoint=name, sample=str(i), started_at=EPOCH + timedelta(milliseconds=at))
    failed = {} if ttft is not None else {"failure_kind": "http_5xx", "failure_detail": "no"}
    return (
        row
        | {"workload_sha256": f"q{i}", "api": "chat", "completion_tokens": 11, "chunk_events": [1, 10]}
        | failed
        | changes
    )


def made(
    results: Path, slug: str, attempts: list[dict[str, Any]], names: tuple[str, ...] = ("a/m", "b/m"), **changes: Any
) -> RunFolder:
    """A published run of these attempts."""
    told = {"endpoints": [about(name) for name in names], "tasks": [], "loads": []} | changes
    run = make_run(results, slug, about=told, attempts=attempts, scores=changes.pop("scores", []))
    publish(results)
    return run


def pair(results: Path, run: RunFolder) -> Any:
    """Both endpoints of a run."""
    return sides_of(open_run(results, run.id))


def test_a_failed_request_never_comes(tmp_path: Path) -> None:
    """Of 30 requests three failed on B: its curve ends at 90 %, and the shifts are over the 27 that both answered."""
    rows = [asked("a/m", i, 20 + i) for i in range(30)]
    rows += [asked("b/m", i, None if i in (3, 13, 23) else 25 + i) for i in range(30)]
    a, b = pair(tmp_path, made(tmp_path, "made", rows))
    found = distributions(tmp_path, a, b, "load.chat@c1", "TTFT")
    assert found is not None
    assert (found["metric"], found["n"], found["shifts_n"]) == ("ttft_ms", 30, 27)
    one, other = found["sides"]
    assert (one["n"], one["n_failed"], other["n"], other["n_failed"]) == (30, 0, 27, 3)
    assert one["curve"][-1] == (49.0, 1.0)
    assert other["curve"][-1] == (54.0, 0.9)
    assert [(row["q"], row["difference"]) for row in found["shifts"]] == [
        (0.4, pytest.approx(5)),
        (0.5, pytest.approx(5)),
        (0.6, pytest.approx(5)),
    ]
    figure = overlay(found, [("A", "a/m"), ("B", "b/m")], "TTFT", MARKS)
    assert figure is not None
    assert max(figure.data[1].y) == pytest.approx(90)
    assert quantile_differences(found, "b/m", "TTFT", MARKS) is not None


def test_what_is_not_compared_is_not_drawn(tmp_path: Path) -> None:
    """A stage that is not there has no spread; where nobody has such a time, and for few pairs, there is no chart."""
    rows = [asked(name, i, 20.0, completion_tokens=None) for name in ("a/m", "b/m") for i in range(3)]
    a, b = pair(tmp_path, made(tmp_path, "made", rows))
    assert distributions(tmp_path, a, b, "load.chat@c2", "TTFT") is None
    found = distributions(tmp_path, a, b, "load.chat@c1", "ITL")
    assert found is not None
    assert [side["n_without"] for side in found["sides"]] == [3, 3]
    assert overlay(found, [("A", "a/m"), ("B", "b/m")], "ITL", MARKS) is None
    assert quantile_differences(found, "b/m", "ITL", MARKS) is None


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=3000), st.integers(0, 50))
def test_a_curve_has_few_points_and_rises(values: list[float], failed: int) -> None:
    """At most 512 points, from the smallest to the largest value; the last share is that of what came."""
    found = curve(values, len(values) + failed)
    assert len(found) <= 512
    assert found[0][0] == min(values)
    assert found[-1] == (max(values), len(values) / (len(values) + failed))
    assert found == sorted(found)


# --- baselines ---------------------------------------------------------------------------------------------


def test_the_baseline_may_be_in_another_run(tmp_path: Path) -> None:
    """In one run the first endpoint, or a named one; of another run the same names, or one endpoint against all."""
    rows = [asked(name, 0, 20.0) for name in ("a/m", "b/m")]
    old, new = (made(tmp_path, slug, rows) for slug in ("old", "new"))

    def named(other: str | None, baseline: str | None) -> list[tuple[str, str]]:
        return [(a.name, b.name) for a, b in pairs_with(tmp_path, new.id, other, baseline)]

    assert named(None, None) == [(f"{new.id}:a/m", f"{new.id}:b/m")]
    assert named(None, "b/m") == [(f"{new.id}:b/m", f"{new.id}:a/m")]
    assert named(old.id, None) == [(f"{old.id}:{name}", f"{new.id}:{name}") for name in ("a/m", "b/m")]
    assert named(old.id, "b/m") == [(f"{old.id}:b/m", f"{new.id}:{name}") for name in ("a/m", "b/m")]
    with pytest.raises(UnknownName, match="c/m"):
        named(old.id, "c/m")
    strange = made(tmp_path, "strange", [asked("x/m", 0, 1.0), asked("y/m", 0, 1.0)], ("x/m", "y/m"))
    with pytest.raises(UsageError, match="no endpoint in common"):
        named(strange.id, None)


def test_the_run_before_is_of_the_same_suite(tmp_path: Path) -> None:
    """The newest earlier run of the suite with an endpoint in common; a finished one before a broken-off one."""

    def at(slug: str, day: int, suite: str = "night", **changes: Any) -> str:
        when = f"2026-01-{day:02}T00:00:00.000+00:00"
        return made(tmp_path, slug, [asked("a/m", 0, 1.0)], ("a/m",), created_at=when, suite=suite, **changes).id

    first, second = at("one", 1), at("two", 2)
    at("other", 3, suite="day")
    at("broken", 4, status="interrupted")
    made(
        tmp_path, "strange", [asked("z/m", 0, 1.0)], ("z/m",), created_at="2026-01-05T00:00:00.000+00:00", suite="night"
    )
    last = at("last", 6)
    assert run_before(tmp_path, last) == second
    assert run_before(tmp_path, second) == first
    assert run_before(tmp_path, first) is None


# --- what is the same, and what may not be compared --------------------------------------------------------


def test_a_difference_that_does_not_matter_is_the_same(tmp_path: Path) -> None:
    """2 ms of 200 are shown to be there; they are the same to whom 5 % do not matter, and worse to whom they do."""
    rows = [asked("a/m", i, 200.0 + i % 7) for i in range(40)] + [asked("b/m", i, 202.0 + i % 7) for i in range(40)]
    run = made(tmp_path, "made", rows)

    def words(alike: Alike | None) -> dict[str, str]:
        (found,) = compared(tmp_path, pairs_with(tmp_path, run.id, None, None), alike)["pairs"][0]["groups"]
        return {row["metric"]: row["verdict"] for row in found["rows"]}

    assert words(None)["ttft_ms"] == "worse"
    assert words(Alike(0.05, 0.01))["ttft_ms"] == "same"
    assert words(Alike(0.005, 0.01))["ttft_ms"] == "worse"
    assert words(Alike(0.05, 0.01))["failures"] == "unclear"  # 40 requests do not show a point
    assert words(Alike(0.05, 0.2))["failures"] == "same"


@pytest.mark.parametrize(
    ("task", "scorer", "why"),
    [
        (1, ("exact", 2), "quality: scored by exact version 1, and by exact version 2"),
        (1, ("choice", 1), "quality: scored by exact version 1, and by choice version 1"),
        (2, ("exact", 1), "quality: versions 1 and 2 of the task"),
        (1, ("exact", 1), None),
    ],
)
def test_scores_of_other_scorers_are_not_compared(
    task: int, scorer: tuple[str, int], why: str | None, tmp_path: Path
) -> None:
    """Two runs whose answers were scored by another scorer, or another version of it or the task: only the rest."""
    runs = []
    for slug, version, (name, of) in (("old", 1, ("exact", 1)), ("new", task, scorer)):
        rows = [asked("a/m", i, 20.0, kind="quality", stage="quality.sums", task="sums") for i in range(8)]
        scores = [
            score(row["job_id"], 1.0, endpoint="a/m", sample=row["sample"], scorer=name, version=of) for row in rows
        ]
        told = [{"name": "sums", "version": version, "kind": "quality", "scorer": name, "scorer_version": of, "n": 8}]
        runs.append(
            make_run(
                tmp_path, slug, {"endpoints": [about("a/m")], "tasks": told, "loads": []}, attempts=rows, scores=scores
            )
        )
    publish(tmp_path)
    (found,) = compared(tmp_path, pairs_with(tmp_path, runs[1].id, runs[0].id, None))["pairs"]
    assert [row["why"] for row in found["not_compared"]] == ([why] if why else [])
    metrics = [row["metric"] for row in found["groups"][0]["rows"]]
    assert ("quality" in metrics) is (why is None)
    assert "ttft_ms" in metrics


# --- configuration -----------------------------------------------------------------------------------------


def test_only_what_differs_is_listed(tmp_path: Path) -> None:
    """Endpoints by their settings and prices; runs by what was asked, versions and machine, but not by nonces."""
    one = about("a/m", price={"input_usd_per_mtok": 1.0}, config={"quirks.stream_usage": "true", "model_id": '"m"'})
    other = one | {"price": {"input_usd_per_mtok": 2.0}, "config": {"quirks.stream_usage": "false", "model_id": '"m"'}}
    task = {"name": "sums", "version": 1, "scorer": "exact"}
    old = made(tmp_path, "old", [], endpoints=[one], tasks=[task], selection={"nonce": "x", "concurrency": 4})
    new = made(
        tmp_path,
        "new",
        [],
        endpoints=[other],
        tasks=[task | {"version": 2}],
        python="3.12.0",
        selection={"nonce": "y", "concurrency": 8},
    )
    (pair_,) = pairs_with(tmp_path, new.id, old.id, None)
    found, alike = differences(*pair_)
    assert [(row.of_run, row.part, row.name, row.a, row.b) for row in found] == [
        (False, "price", "price.input_usd_per_mtok", "1.0", "2.0"),
        (False, "quirks", "quirks.stream_usage", "true", "false"),
        (True, "what was asked", "selection.concurrency", "4", "8"),
        (True, "what was asked", "tasks.sums.version", "1", "2"),
        (True, "versions", "python", "3.11.0", "3.12.0"),
    ]
    assert alike > 5


def test_addresses_of_servers_that_we_started_are_no_difference(tmp_path: Path) -> None:
    """They listen wherever there was room; others' addresses are a difference."""
    where = [{"base_url": f"http://127.0.0.1:{port}/v1"} for port in (1, 2)]
    rows: list[dict[str, Any]] = []
    for slug, engine in (("ours", "simulator"), ("others", None)):
        ends = [about(name, engine=engine, **at) for name, at in zip(("a/m", "b/m"), where, strict=True)]
        a, b = pair(tmp_path, made(tmp_path, slug, rows, endpoints=ends))
        assert [row.name for row in differences(a, b)[0]] == ([] if engine else ["base_url"])


def test_a_strange_manifest_is_no_error(tmp_path: Path) -> None:
    """Values of any kind and depth are told in short."""
    deep: Any = "x"
    for _ in range(50):
        deep = {"d": deep}
    ends = [about("a/m", limits=deep), about("b/m", limits=["y" * 1000])]
    a, b = pair(tmp_path, made(tmp_path, "made", [], endpoints=ends, tasks=3))
    found, _ = differences(a, b)
    assert all(len(text or "") <= 200 for row in found for text in (row.a, row.b))
    assert manifest(a.run)["id"] == a.run.id
