"""The verdict on a load run, fact by fact."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.exchange import Clock
from harness.stats.validity import Facts, Stage, Timing, disturbed, judge

CALM = Timing("job", slip_ms=0.1, lag_ms=0.2, ttft_ms=100.0, e2e_ms=900.0, clock="kernel")
EASY = Stage("c4", None, None, cpu_share=0.3, chunks_per_s=500.0, ceiling_chunks_per_s=5000.0)
OPEN = replace(EASY, name="p10", offered_per_s=10.0, sent_per_s=10.0)


def _run(n: int, *others: Timing) -> list[Timing]:
    return [replace(CALM, job=f"calm{i}") for i in range(n)] + list(others)


def test_a_calm_run_with_all_facts_is_valid() -> None:
    """Nothing speaks against it and nothing is left unchecked."""
    found = judge(Facts(_run(100), [EASY, OPEN]))
    assert found.checked
    assert found == ("valid", (), (), None, ())


@pytest.mark.parametrize(
    ("slip_ms", "lag_ms", "ttft_ms", "clock", "expected"),
    [
        (5.1, 0.0, 100.0, "kernel", True),  # a late send moves the request whoever stamps the answer
        (4.9, 0.0, 100.0, "kernel", False),  # within 5 % of its TTFT
        (0.9, 0.0, 2.0, "kernel", False),  # within 1 ms
        (1.1, 0.0, 2.0, "kernel", True),
        (0.0, 500.0, 100.0, "kernel", False),  # the kernel's stamp does not wait for the loop
        (0.0, 5.1, 100.0, "user", True),
        (0.0, 4.9, 100.0, "user", False),
        (0.0, 5.1, 100.0, "mixed", True),
        (0.0, 5.1, 100.0, None, True),
    ],
)
def test_what_disturbs_one_request(
    slip_ms: float, lag_ms: float, ttft_ms: float, clock: Clock | None, expected: bool
) -> None:
    """A late send always does, a busy loop only where it took the time itself; both beyond 1 ms and 5 % of the TTFT."""
    assert disturbed(replace(CALM, slip_ms=slip_ms, lag_ms=lag_ms, ttft_ms=ttft_ms, clock=clock)) is expected


def test_an_answer_that_was_not_streamed_is_held_against_its_whole_time() -> None:
    """Without a TTFT 5 % of E2E is allowed; a failure without either is allowed 1 ms."""
    assert not disturbed(replace(CALM, slip_ms=40.0, ttft_ms=None))
    assert disturbed(replace(CALM, slip_ms=1.1, ttft_ms=None, e2e_ms=None))


def test_more_than_one_in_a_hundred_contaminates_the_run() -> None:
    """One of a hundred is listed, two of a hundred and one spoil it."""
    late = replace(CALM, job="late", slip_ms=20.0)
    busy = replace(CALM, job="busy", clock="user", lag_ms=30.0)
    once = judge(Facts(_run(99, late), [EASY]))
    assert (once.word, once.contaminated_jobs) == ("valid", ("late",))
    assert once.reasons == ("1 request disturbed by the client (1.00%, limit 1%): 1 sent late by up to 20 ms",)
    twice = judge(Facts(_run(99, late, busy), [EASY]))
    assert (twice.word, twice.contaminated_jobs) == ("contaminated", ("late", "busy"))
    assert twice.reasons[0].endswith("1 sent late by up to 20 ms and 1 timed late by a busy loop by up to 30 ms")
    assert twice.workers_needed is None


@pytest.mark.parametrize(
    ("stage", "reason", "workers"),
    [
        (replace(EASY, cpu_share=0.95), "c4: the client used 95% of one core (limit 90%)", 2),
        (
            replace(EASY, chunks_per_s=4500.0),
            "c4: 4500 chunks/s are 90% of what 1 worker of this client can receive (limit 80%)",
            2,
        ),
        # Two workers at 90 % each: 2 * 0.9 * 1.3 = 2.34.
        (replace(EASY, chunks_per_s=9000.0, workers=2), "90% of what 2 workers of this client", 3),
        # Half of the rate with a full core: 1 / 0.5 * 1.3 = 2.6.
        (replace(OPEN, sent_per_s=5.0, cpu_share=1.0), "p10: the client used 100% of one core", 3),
        (replace(OPEN, sent_per_s=9.7), "p10: 9.7 requests/s were sent of 10 planned (97.0%, limit 98%)", 2),
    ],
)
def test_what_limits_the_client(stage: Stage, reason: str, workers: int) -> None:
    """CPU, chunk rate and delivered rate each tell, with the workers that would have kept up."""
    found = judge(Facts(_run(100), [EASY, stage]))
    assert found.word == "client-limited"
    assert reason in found.reasons[0]
    assert found.workers_needed == workers


def test_a_limited_client_is_named_before_what_it_spoiled() -> None:
    """Both are told; the word is the cause."""
    found = judge(Facts([replace(CALM, slip_ms=50.0)], [replace(EASY, cpu_share=1.0)]))
    assert found.word == "client-limited"
    assert len(found.reasons) == 2
    assert found.contaminated_jobs == ("job",)


def test_a_providers_limits_are_not_our_weakness() -> None:
    """A rate that was held back for them warns, and does not make the client the bottleneck."""
    found = judge(Facts(_run(10), [replace(OPEN, sent_per_s=5.0, held=7)]))
    assert found.word == "valid"
    assert found.warnings == (
        "p10: 50.0% of the planned rate were sent, since 7 requests waited for the provider's limits",
    )


def test_what_is_not_known_is_named() -> None:
    """Each missing fact is one reason, and the run is not called checked."""
    blind = Timing("job", None, None, 100.0, 900.0, "user")
    found = judge(Facts([blind, CALM], [Stage("c1", None, None, None, None, None), replace(OPEN, sent_per_s=None)]))
    assert found.word == "valid"
    assert not found.checked
    assert found.reasons == (
        "not checked: whether 1 of 2 requests were sent on time",
        "not checked: how busy the loop was that timed 1 of 2 requests",
        "not checked: CPU use of the client in c1",
        "not checked: chunk rate of the client in c1",
        "not checked: ceiling of the client (not calibrated) in c1",
        "not checked: rate that was sent in p10",
    )
    assert judge(Facts([], [])).reasons == (
        "not checked: no request was measured",
        "not checked: nothing is known of the client's own load",
    )


def test_a_workload_that_is_not_what_was_asked_warns() -> None:
    """Late starts, cached prompts, missed lengths and shared stamps are told with their numbers."""
    odd = replace(
        CALM,
        nonce=True,
        prompt_asked=100,
        prompt_tokens=120,
        cached_tokens=60,
        output_asked=400,
        output_tokens=300,
        read_delay_ms=8.0,
        coalesced=2,
    )
    fine = replace(odd, prompt_tokens=105, cached_tokens=0, output_tokens=392, read_delay_ms=1.0)
    found = judge(Facts([odd, fine], [replace(EASY, late=3, catch_up=1)]))
    assert found.word == "valid"
    assert found.warnings == (
        "c4: 3 late starts, caught up with 1 time",
        "26.7% of prompt tokens came from a cache although each prompt began with its own nonce",
        "1 of 2 outputs (50.0%) missed the length asked for, by -100 tokens in the median",
        "1 of 2 prompts (50.0%) missed the length asked for, by +20 tokens in the median",
        "1 request of 2 had chunks read together after up to 8 ms: those share one time",
    )


@pytest.mark.parametrize(("jump_s", "slept"), [(-3600.0, False), (12.5, True)])
def test_a_clock_that_was_moved_warns_and_changes_no_word(jump_s: float, slept: bool) -> None:
    """No duration rests on it; a jump forward may have been sleep, which no duration counts."""
    found = judge(Facts([CALM], [EASY], jump_s))
    assert found == judge(Facts([CALM], [EASY]))._replace(warnings=found.warnings)
    (warning,) = found.warnings
    assert warning.startswith(f"the clock of this machine moved by {jump_s:+g} s during the run: durations do not rest")
    assert ("slept" in warning) is slept
