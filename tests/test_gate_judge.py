"""What a gate makes of runs whose figures are known: worse, not told, not measured, accepted, confirmed."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from gated import NEW, OLD, TODAY, Made, judged, only, run_of

from harness.errors import UnknownName, UsageError
from harness.gates import acceptances, baselines, pinning
from harness.gates.acceptances import Acceptance
from harness.gates.baselines import Baseline
from harness.gates.file import read
from harness.gates.judgement import EXIT_CODES

STEADY = (100.0, 103.0, 98.0, 101.0, 99.0)
PAIRED = "mode: paired\nbase: old/m\ngates:\n- {metric: ttft_p50_ms, worse_by: 10%}\n"


def slower(by: float) -> tuple[float, ...]:
    """Every block slower by that factor."""
    return tuple(median * by for median in STEADY)


@pytest.mark.parametrize(
    ("by", "verdict"),
    [(1.0, "pass"), (1.05, "pass"), (1.5, "fail"), (1.2, "fail"), (0.7, "pass")],
)
def test_blocks_by_turns_tell_what_is_worse_than_the_margin(by: float, verdict: str, tmp_path: Path) -> None:
    """A change within the margin is none, whatever the two have in common; the smallest one that shows is told."""
    run_of(tmp_path, old=Made(STEADY), new=Made(slower(by)))
    found = judged(tmp_path, PAIRED)
    case = only(found, metric="ttft_p50_ms")
    assert (case.verdict, case.endpoint, case.workload) == (verdict, NEW, "chat@c4")
    assert case.change == pytest.approx(by - 1, abs=0.02)
    assert case.mde is not None
    assert case.mde < 0.1
    assert (case.n, case.counted, case.mode) == (5, "blocks", "paired")
    assert found.exit_code == EXIT_CODES[found.verdict]


def test_blocks_that_differ_by_more_than_the_margin_tell_nothing(tmp_path: Path) -> None:
    """An MDE above the margin is inconclusive, never a pass; how much more would show it is said."""
    run_of(tmp_path, old=Made(STEADY), new=Made((60.0, 180.0, 70.0, 150.0, 90.0)))
    case = only(judged(tmp_path, PAIRED))
    assert case.verdict == "inconclusive"
    assert case.mde is not None
    assert case.mde > 0.1
    assert "blocks like these would show it" in case.reason


def test_a_load_without_blocks_is_inconclusive_and_says_how_to_make_them(tmp_path: Path) -> None:
    """Requests of one sitting are never thrown together into a test."""
    run_of(tmp_path, old=Made((100.0,)), new=Made((150.0,)))
    case = only(found := judged(tmp_path, PAIRED))
    assert (case.verdict, found.exit_code) == ("inconclusive", 4)
    assert case.next.startswith("harness load chat -e old/m -e new/m --repeats 5")


def test_failed_requests_are_a_share_of_their_own(tmp_path: Path) -> None:
    """Ten in a hundred more is worse; their times are in no percentile."""
    run_of(tmp_path, n=100, old=Made(STEADY), new=Made(STEADY, failed=10))
    found = judged(tmp_path, PAIRED + "- {metric: error_rate, worse_by: 1 point}\n")
    case = only(found, metric="error_rate")
    assert (case.verdict, case.base, case.value) == ("fail", 0.0, 0.1)
    assert case.change == pytest.approx(0.1)
    assert only(found, metric="ttft_p50_ms").verdict == "pass"


def test_several_metrics_share_one_level(tmp_path: Path) -> None:
    """Holm's adjustment is over all margins of a mode; more than five are warned of."""
    run_of(tmp_path, old=Made(STEADY), new=Made(STEADY))
    names = ("ttft_p50_ms", "e2e_p50_ms", "tpot_p50_ms", "speed_p50", "output_tokens_per_s", "ok_per_s")
    lines = "".join(f"- {{metric: {name}, worse_by: 50%}}\n" for name in names)
    found = judged(tmp_path, "mode: paired\nbase: old/m\ngates:\n" + lines)
    assert any("6 margins are gated" in line for line in found.warnings)
    tested = [case for case in found.cases if case.p_value is not None]
    smallest = min(tested, key=lambda case: case.p_value or 0)
    assert smallest.p_adjusted == pytest.approx(min(1.0, (smallest.p_value or 0) * len(tested)))


@pytest.mark.parametrize(("right", "verdict"), [(180, "pass"), (178, "pass"), (140, "fail"), (150, "fail")])
def test_questions_are_compared_one_by_one(right: int, verdict: str, tmp_path: Path) -> None:
    """The same questions to both: a loss beyond the margin fails, one that could be beyond it passes nothing."""
    run_of(tmp_path, old=Made(STEADY, right=180), new=Made(STEADY, right=right))
    found = judged(tmp_path, "mode: paired\nbase: old/m\ngates:\n- {metric: quality, worse_by: 3 points}\n")
    case = only(found)
    assert (case.verdict, case.n, case.counted) == (verdict, 200, "questions")
    assert case.change == pytest.approx((180 - right) / 200)


@pytest.mark.parametrize(
    ("new", "verdict"),
    [
        (Made(STEADY), "pass"),
        (Made(slower(1.08)), "pass"),
        (Made(slower(1.3)), "fail"),
        (Made((60.0, 180.0, 70.0, 150.0, 90.0)), "fail"),
    ],
)
def test_a_release_passes_only_what_is_proven_not_worse(new: Made, verdict: str, tmp_path: Path) -> None:
    """What could be worse by the margin fails, also where it may well be none the worse."""
    run_of(tmp_path, old=Made(STEADY), new=new)
    assert judged(tmp_path, PAIRED.replace("paired", "release")).verdict == verdict


# --- fixed limits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        ("{metric: ttft_p50_ms, max: 120ms}", "pass"),
        ("{metric: ttft_p50_ms, max: 80ms}", "fail"),
        ("{metric: ttft_p50_ms, max: 100.2ms}", "inconclusive"),
        ("{metric: error_rate, max: 20%}", "pass"),
        ("{metric: error_rate, max: 1%}", "inconclusive"),
        ("{metric: ok_per_s, min: 0.5}", "pass"),
        ("{metric: ok_per_s, min: 90}", "fail"),
        ("{metric: conformance_support, min: 10%}", "error"),
    ],
)
@pytest.mark.parametrize("blocks", [STEADY, (100.0,)], ids=["blocks", "once"])
def test_a_limit_is_kept_or_missed_where_its_interval_leaves_no_doubt(
    rule: str, verdict: str, blocks: tuple[float, ...], tmp_path: Path
) -> None:
    """A value on the right side by chance is no proof: no failure in a hundred requests does not show one per cent."""
    run_of(tmp_path, new=Made(blocks))
    case = only(judged(tmp_path, f"gates:\n- {rule}\n"))
    assert case.verdict == verdict, case
    assert case.kind == "limit"


# --- against history -------------------------------------------------------------------------------------

HISTORY = "mode: history\ngates:\n- {metric: ttft_p50_ms, worse_by: 30%}\n"


def nights(results: Path, *medians: float, **more: Any) -> list[str]:
    """A run a night; their ids."""
    return [run_of(results, night=at, new=Made((median,)), **more).id for at, median in enumerate(medians)]


CALM = (100.0, 104.0, 97.0, 102.0, 99.0, 101.0, 98.0, 103.0)


def test_without_nights_it_is_inconclusive_and_says_how_to_make_one(tmp_path: Path) -> None:
    """No baseline yet is not a pass, and no failure either."""
    nights(tmp_path, 100.0, 250.0)
    case = only(found := judged(tmp_path, HISTORY))
    assert (case.verdict, found.exit_code, found.unconfirmed) == ("inconclusive", 4, False)
    assert "1 good nights of the same, 5 are needed" in case.reason
    assert case.next.startswith("harness load chat -e new/m")


def test_a_night_like_the_others_passes(tmp_path: Path) -> None:
    """Within what they foretell."""
    nights(tmp_path, *CALM, 105.0)
    case = only(judged(tmp_path, HISTORY))
    assert (case.verdict, case.n, case.counted) == ("pass", 8, "nights")


def test_one_bad_night_is_not_a_failure_yet(tmp_path: Path) -> None:
    """It fails once a second run finds the same: by itself the next one, or the rerun that is named."""
    first = nights(tmp_path, *CALM, 180.0)[-1]
    case = only(found := judged(tmp_path, HISTORY))
    assert (case.verdict, case.unconfirmed, found.exit_code) == ("inconclusive", True, 4)
    assert case.next.startswith("harness load chat -e new/m")
    second = run_of(tmp_path, night=9, new=Made((175.0,))).id
    alone = only(judged(tmp_path, HISTORY))
    assert (alone.verdict, alone.n) == ("fail", 8)
    assert f"as in run {first} before it" in alone.reason
    named = judged(tmp_path, HISTORY, [first, second])
    assert (named.verdict, named.confirmed_by, named.unconfirmed) == ("fail", second, False)
    assert f"and so in run {second}" in only(named).reason


def test_a_rerun_that_finds_nothing_lets_it_pass(tmp_path: Path) -> None:
    """Both are in the reason."""
    first = nights(tmp_path, *CALM, 180.0)[-1]
    second = run_of(tmp_path, night=9, new=Made((101.0,))).id
    found = judged(tmp_path, HISTORY, [first, second])
    assert found.verdict == "pass"
    assert "not confirmed by the rerun" in only(found).reason
    assert judged(tmp_path, HISTORY).verdict == "pass"


def test_a_bad_week_does_not_become_what_is_expected(tmp_path: Path) -> None:
    """Nights that were worse are no good nights: the tenth of them fails as the second did."""
    nights(tmp_path, *CALM, *(160.0,) * 9)
    case = only(judged(tmp_path, HISTORY))
    assert (case.verdict, case.n) == ("fail", 8)


def test_without_a_second_look_one_run_is_enough(tmp_path: Path) -> None:
    """Where the file says so."""
    nights(tmp_path, *CALM, 180.0)
    assert judged(tmp_path, HISTORY + "history: {confirm: false}\n").verdict == "fail"


def test_only_nights_of_the_same_fingerprint_count(tmp_path: Path) -> None:
    """Another machine or load is another series, and the difference is named."""
    nights(tmp_path, *CALM, manifest={"cpus": 64})
    run_of(tmp_path, night=20, new=Made((100.0,)))
    case = only(judged(tmp_path, HISTORY))
    assert case.verdict == "inconclusive"
    assert "0 good nights of the same" in case.reason
    assert "8 earlier runs were of another" in case.reason
    assert "64 processors" in case.reason


def test_a_suite_that_asks_longer_prompts_begins_another_series(tmp_path: Path) -> None:
    """What a suite says of a load is a part of the work, as the options of a command are."""

    def asking(tokens: str) -> dict[str, Any]:
        chosen = {"repeats": 1, "loads": ["chat"], "settings": {"chat": {"changes": {"input_tokens": tokens}}}}
        return {"selection": chosen}

    nights(tmp_path, *CALM, manifest=asking("100"))
    run_of(tmp_path, night=20, new=Made((100.0,)), manifest=asking("4000"))
    assert "input_tokens: 100, now 4000" in only(judged(tmp_path, HISTORY)).reason


def test_nights_before_a_pinned_run_are_not_looked_back_on(tmp_path: Path) -> None:
    """A new baseline begins a new series."""
    runs = nights(tmp_path, *(150.0,) * 6, *CALM, 104.0)
    text = HISTORY + "history: {confirm: false}\n"
    before = only(judged(tmp_path, text))
    pin(tmp_path, text, runs[6])
    after = only(judged(tmp_path, text))
    assert before.n == 14
    assert (after.verdict, after.n) == ("pass", 8)
    assert after.base == pytest.approx(100.5, abs=3)


def pin(results: Path, text: str, run: str) -> None:
    """Pin a run as the baseline of this gate."""
    path = results / "gate.yaml"
    path.write_text(text)
    gate = read(path)
    baselines.pin(gate.baseline, pinning.entries(results, gate, run, why="start", who="ada", today=TODAY))


def test_a_baseline_of_another_fingerprint_is_refused_with_the_difference(tmp_path: Path) -> None:
    """Two endpoints under one name are not compared."""
    runs = nights(tmp_path, *CALM, manifest={"seed": 1})
    judged(tmp_path, HISTORY)
    pin(tmp_path, HISTORY, runs[0])
    run_of(tmp_path, night=20, new=Made((100.0,)), manifest={"seed": 2})
    with pytest.raises(UsageError) as told:
        judged(tmp_path, HISTORY)
    assert told.value.exit_code == 2
    assert "seed: 1, now 2" in str(told.value)
    assert "--set-baseline" in str(told.value)


def test_questions_are_held_against_the_answers_of_the_pinned_run(tmp_path: Path) -> None:
    """One run of the past is enough, since the questions are the same."""
    text = "mode: history\nhistory: {confirm: false}\ngates:\n- {metric: quality, worse_by: 4 points}\n"
    first = run_of(tmp_path, new=Made(right=180)).id
    judged(tmp_path, text)
    pin(tmp_path, text, first)
    run_of(tmp_path, night=1, new=Made(right=179))
    case = only(judged(tmp_path, text))
    assert (case.verdict, case.counted, case.n) == ("pass", "questions", 200)
    run_of(tmp_path, night=2, new=Made(right=150))
    assert only(judged(tmp_path, text)).verdict == "fail"


def test_a_pinned_run_that_is_gone_is_asked_for(tmp_path: Path) -> None:
    """Nothing passes without it; two ways out are named."""
    text = "mode: history\ngates:\n- {metric: quality, worse_by: 4 points}\n"
    gone = Baseline(NEW, "20200101t000000z-x-abcdef", "2020-01-01T00:00:00+00:00", "a", "b", "2020-01-01", {})
    baselines.pin(tmp_path / "baseline.yaml", [gone])
    run_of(tmp_path, new=Made(right=180))
    case = only(judged(tmp_path, text))
    assert case.verdict == "inconclusive"
    assert "20200101t000000z-x-abcdef" in case.reason
    assert "--set-baseline" in case.next


# --- what was not measured -------------------------------------------------------------------------------


def broken_off(results: Path) -> str:
    """The run did not come to its end."""
    run_of(results, old=Made(STEADY), new=Made(slower(1.5)), manifest={"status": "interrupted"})
    return "is interrupted"


def all_failed(results: Path) -> str:
    """The candidate answered nothing."""
    run_of(results, old=Made(STEADY), new=Made(STEADY, failed=20))
    return "every one of its 100 requests failed, most often http_5xx"


def base_dead(results: Path) -> str:
    """What it is compared with answered nothing."""
    run_of(results, old=Made(STEADY, failed=20), new=Made(STEADY))
    return "the base was not measured"


def shard_lost(results: Path) -> str:
    """A part of the records is gone."""
    run = run_of(results, old=Made(STEADY), new=Made(STEADY))
    told = run.read_manifest()
    told["loads"][0]["levels"] = [level | {"n": 40} for level in told["loads"][0]["levels"]]
    run.write_manifest(told)
    return "20 of 40 planned requests of load.chat@c4#1 have no record: a part of the run is lost"


def nothing_measured(results: Path) -> str:
    """The run has no load."""
    run_of(results, n=0, old=Made(right=180), new=Made(right=180))
    return "measured no ttft_p50_ms"


def damaged(results: Path) -> str:
    """A file is not as it was sealed."""
    run = run_of(results, old=Made(STEADY), new=Made(STEADY))
    run.write_manifest(run.read_manifest() | {"sealed": {"attempts.parquet": {"bytes": 3, "sha256": "00"}}})
    return "data of run"


@pytest.mark.parametrize("make", [broken_off, all_failed, base_dead, shard_lost, nothing_measured, damaged])
def test_what_was_not_measured_is_an_error_and_neither_worse_nor_good(make: Any, tmp_path: Path) -> None:
    """Exit code 3, with the reason: never 0, never 1."""
    words = make(tmp_path)
    found = judged(tmp_path, PAIRED)
    assert [case.verdict for case in found.cases] == ["error"]
    assert words in found.cases[0].reason
    assert found.exit_code == 3


def test_what_is_proven_worse_stands_beside_what_was_not_measured(tmp_path: Path) -> None:
    """One gate fails, another could not be measured: the run fails."""
    run_of(tmp_path, old=Made(STEADY), new=Made(slower(1.5)))
    found = judged(tmp_path, PAIRED + "- {metric: quality, worse_by: 2 points}\n")
    assert [case.verdict for case in found.cases] == ["fail", "error"]
    assert (found.verdict, found.exit_code) == ("fail", 1)


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        (PAIRED.replace("old/m", "ald/m"), UnknownName, "Did you mean old/m"),
        (PAIRED + "endpoints: [knew/m]\n", UnknownName, "Did you mean new/m"),
        (PAIRED + "endpoints: [old/m]\n", UsageError, "paired compares endpoints of one run"),
    ],
)
def test_a_gate_that_does_not_fit_the_run_is_a_mistake_of_the_user(
    text: str, error: type[UsageError], words: str, tmp_path: Path
) -> None:
    """Exit code 2 with the nearest name."""
    run_of(tmp_path, old=Made(STEADY), new=Made(STEADY))
    with pytest.raises(error, match=words):
        judged(tmp_path, text)


def test_work_that_was_not_done_is_named_beside_what_was(tmp_path: Path) -> None:
    """A stage that the run does not have is an error that lists those it has."""
    run_of(tmp_path, old=Made(STEADY), new=Made(STEADY))
    found = judged(tmp_path, PAIRED.replace("10%", "10%, stages: [chat@c8]"))
    assert "at chat@c4 only" in only(found).reason
    assert found.exit_code == 3


# --- features and budget ---------------------------------------------------------------------------------

LOCK = "format: 1\nendpoints:\n  new/m: {chat.basic: supported, tools.one: supported}\n"


@pytest.mark.parametrize(
    ("now", "verdicts", "code"),
    [
        ({"chat.basic": "supported", "tools.one": "supported"}, {"conformance": "pass"}, 0),
        ({"chat.basic": "supported", "tools.one": "ignored"}, {"tools.one": "fail"}, 1),
        ({"chat.basic": "supported", "tools.one": "untestable"}, {"tools.one": "inconclusive"}, 4),
        ({"chat.basic": "untestable", "tools.one": "untestable"}, {"conformance": "error"}, 3),
        ({}, {"conformance": "error"}, 3),
    ],
)
def test_features_are_held_against_the_lockfile(
    now: dict[str, str], verdicts: dict[str, str], code: int, tmp_path: Path
) -> None:
    """What is no longer supported is worse, what could not be told is not."""
    (tmp_path / "lock.yaml").write_text(LOCK)
    run_of(tmp_path, new=Made(probes=now))
    found = judged(tmp_path, "conformance: lock.yaml\n")
    assert {case.metric: case.verdict for case in found.cases} == verdicts
    assert found.exit_code == code


def test_without_a_lockfile_it_is_inconclusive_with_the_command(tmp_path: Path) -> None:
    """No lockfile yet, or none of this endpoint."""
    run_of(tmp_path, new=Made(probes={"chat.basic": "supported"}))
    case = only(judged(tmp_path, "conformance: lock.yaml\n"))
    assert (case.verdict, case.next.split(" --lock ")[0]) == ("inconclusive", "harness probe -e new/m")
    (tmp_path / "lock.yaml").write_text(LOCK.replace("new/m", "other/m"))
    assert "does not hold new/m" in only(judged(tmp_path, "conformance: lock.yaml\n")).reason


def test_a_run_is_held_to_its_budget(tmp_path: Path) -> None:
    """Requests and time are known; a cost that is not known is no cost of nothing."""
    run_of(tmp_path, new=Made(STEADY))
    found = judged(tmp_path, "budget: {cost_usd: 1.0, requests: 99, duration: 10m}\n")
    assert {case.metric: case.verdict for case in found.cases} == {
        "cost_usd": "inconclusive",
        "requests": "fail",
        "duration": "pass",
    }
    assert only(found, metric="duration").value == 300.0


# --- acceptances -----------------------------------------------------------------------------------------


def accepted(results: Path, **changes: Any) -> None:
    """Accept a slower first token."""
    about = {"metric": "ttft_p50_ms", "endpoint": None, "workload": None, "up_to": None, "why": "longer prompts"}
    one = Acceptance(**(about | {"who": "ada", "until": "2026-03-31"} | changes))
    acceptances.write(results / "acceptances.yaml", [one])


def test_what_was_accepted_passes_and_says_so(tmp_path: Path) -> None:
    """With who, why and until when."""
    run_of(tmp_path, old=Made(STEADY), new=Made(slower(1.5)))
    accepted(tmp_path, endpoint=NEW, workload="chat@c4", up_to="60%")
    case = only(found := judged(tmp_path, PAIRED))
    assert (case.verdict, found.exit_code) == ("pass", 0)
    assert "accepted by ada until 2026-03-31: longer prompts" in case.reason
    assert case.accepted is not None
    assert case.accepted["up_to"] == "60%"


@pytest.mark.parametrize("changes", [{"endpoint": OLD}, {"workload": "chat@c8"}, {"metric": "error_rate"}])
def test_an_acceptance_of_something_else_changes_nothing(changes: dict[str, str], tmp_path: Path) -> None:
    """It is warned of as one that is about nothing."""
    run_of(tmp_path, old=Made(STEADY), new=Made(slower(1.5)))
    accepted(tmp_path, **changes)
    found = judged(tmp_path, PAIRED)
    assert found.verdict == "fail"
    assert any("is about nothing that this gate tests" in line for line in found.warnings)


def test_worse_than_what_was_accepted_fails(tmp_path: Path) -> None:
    """An acceptance is no blank cheque."""
    run_of(tmp_path, old=Made(STEADY), new=Made(slower(1.5)))
    accepted(tmp_path, up_to="30%")
    case = only(judged(tmp_path, PAIRED))
    assert case.verdict == "fail"
    assert "worse than the 30% accepted by ada" in case.reason


@pytest.mark.parametrize("by", [1.5, 1.0])
def test_an_expired_acceptance_fails_with_its_text(by: float, tmp_path: Path) -> None:
    """Until somebody renews it or takes it away, whatever was measured."""
    run_of(tmp_path, old=Made(STEADY), new=Made(slower(by)))
    accepted(tmp_path, until="2026-02-28")
    case = only(found := judged(tmp_path, PAIRED))
    assert (case.verdict, found.exit_code) == ("fail", 1)
    assert case.reason == "expired: accepted by ada until 2026-02-28: longer prompts"


def test_an_acceptance_that_ends_soon_or_is_not_needed_is_told(tmp_path: Path) -> None:
    """Before it fails, and where it hides nothing any more."""
    run_of(tmp_path, old=Made(STEADY), new=Made(STEADY))
    accepted(tmp_path, until="2026-03-05")
    assert any("ends on 2026-03-05" in line for line in judged(tmp_path, PAIRED).warnings)
    assert any("no longer needed" in line for line in judged(tmp_path, PAIRED, today=date(2026, 2, 1)).warnings)


def test_a_judgement_is_plain_data(tmp_path: Path) -> None:
    """What comes out is JSON, the same every time."""
    run_of(tmp_path, old=Made(STEADY), new=Made(slower(1.5)))
    first, second = (judged(tmp_path, PAIRED).as_json() for _ in range(2))
    assert json.loads(json.dumps(first)) == first == second
