"""Whether a load run measured the server or ourselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, NamedTuple

from harness.exchange import Clock

Word = Literal["valid", "contaminated", "client-limited"]

SLACK_MS = 1.0
"""A disturbance up to this is what an event loop under load does; it is below what any of our times is read to."""
SLACK_SHARE = 0.05
"""And one up to this share of the time that is measured does not change what is said of it."""
CONTAMINATED_SHARE = 0.01
"""One in a hundred: a p99 is made of as many requests, so that more could make it up alone."""
BUSY_CPU = 0.9
"""Share of one core: an event loop is one thread, and one that has no tenth left to itself answers late."""
NEAR_CEILING = 0.8
"""Share of the calibrated chunk rate: queues in the client grow steeply beyond it."""
DELIVERED = 0.98
"""Share of the offered rate that must have been sent."""
HEADROOM = 1.3
"""Workers are counted so that each stays at 1 / 1.3 = 77 % of what it can, below ``NEAR_CEILING``."""
WORTH_SAYING = 0.01
"""Share of requests or tokens from which on a deviation of the workload is told."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One measured attempt, as far as our own part in its times goes; None: not known."""

    job: str
    slip_ms: float | None
    """Sent after the moment it should have been: send - planned arrival under an open law, send - admission in a closed
    loop (the limits a provider asked for are not our lateness)."""
    lag_ms: float | None
    """Worst delay of the event loop during its life."""
    ttft_ms: float | None
    e2e_ms: float | None
    clock: Clock | None
    """Who stamped its arrivals."""
    read_delay_ms: float | None = None
    """Worst delay between a packet's arrival and its reading."""
    coalesced: int = 0
    """Reads that held several chunks and have one stamp, that of the last."""
    prompt_asked: int | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    nonce: bool = False
    """Whether its prompt began with a text that no earlier one had, so that no cache should know it."""
    output_asked: int | None = None
    output_tokens: int | None = None

    @property
    def allowed_ms(self) -> float:
        """Disturbance up to which its times are believed."""
        # What is not streamed has no TTFT: its shortest time is the whole. A failure has neither: the fixed part holds.
        measured = self.ttft_ms if self.ttft_ms is not None else self.e2e_ms
        return max(SLACK_MS, SLACK_SHARE * (measured or 0.0))


@dataclass(frozen=True, slots=True)
class Stage:
    """One level of a load, seen from the client; None: not known."""

    name: str
    offered_per_s: float | None
    """Planned requests over their planned span; None: a closed loop, which plans no rate."""
    sent_per_s: float | None
    """The same requests over the span in which they were sent."""
    cpu_share: float | None
    """CPU seconds per second of the busiest worker."""
    chunks_per_s: float | None
    """Chunks received by all workers."""
    ceiling_chunks_per_s: float | None
    """What one worker was calibrated to receive at this concurrency; None: not calibrated."""
    floor_ms: float | None = None
    """Error of a time that the client makes at rest, from the calibration."""
    late: int = 0
    """Requests sent late."""
    catch_up: int = 0
    """Times the schedule had to be caught up with."""
    held: int = 0
    """Requests that waited for a provider's limits, which are not ours to keep up with."""
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Facts:
    """What a verdict rests on: measured attempts and stages."""

    attempts: Sequence[Timing]
    stages: Sequence[Stage]
    clock_jump_s: float | None = None
    """Seconds by which the calendar clock was moved against the monotonic one; None: it was not, or nobody looked."""


class Validity(NamedTuple):
    """The verdict on a load run, with all that led to it."""

    word: Word
    reasons: tuple[str, ...]
    """What speaks against the run, then what was not checked, each of those as ``not checked: ...``."""
    contaminated_jobs: tuple[str, ...]
    """Jobs whose times are not believed, in the order given, each once."""
    workers_needed: int | None
    """Client processes that would have kept up; None: those there were did, as far as it is known."""
    warnings: tuple[str, ...] = ()
    """What does not falsify times but changes what they are times of."""

    @property
    def checked(self) -> bool:
        """Whether every fact was there: a run with "not checked" among its reasons is valid only as far as known."""
        return not any(reason.startswith("not checked") for reason in self.reasons)


def judge(facts: Facts) -> Validity:
    """The verdict on a load run.

    ``client-limited`` goes before ``contaminated``: it is why, and it says what to do. Missing facts change no word
    but are named.
    """
    jobs = tuple(dict.fromkeys(each.job for each in facts.attempts if disturbed(each)))
    limited = [reason for stage in facts.stages for reason in _limits(stage)]
    reasons = list(limited)
    share = len(jobs) / len({each.job for each in facts.attempts}) if facts.attempts else 0.0
    contaminated = share > CONTAMINATED_SHARE
    if jobs:
        reasons.append(_contamination(facts.attempts, len(jobs), share))
    needed = [workers for stage in facts.stages if (workers := _workers(stage)) is not None]
    return Validity(
        "client-limited" if limited else "contaminated" if contaminated else "valid",
        (*reasons, *_unchecked(facts)),
        jobs,
        max(needed, default=None) if limited else None,
        (
            *(() if facts.clock_jump_s is None else (clock_moved(facts.clock_jump_s),)),
            *_schedule(facts.stages),
            *_workload(facts.attempts),
            *_shared_stamps(facts.attempts),
        ),
    )


def clock_moved(jump_s: float) -> str:
    """What a jump of the calendar clock means; above 0 it was set forward, or the machine slept.

    No duration rests on that clock, and moments are told from where it stood when the sitting began. The monotonic
    clock does not count sleep. Source: clock_gettime(2), ``CLOCK_MONOTONIC``.
    """
    slept = "; if the machine slept that long instead, no duration counts it" if jump_s > 0 else ""
    moved = f"the clock of this machine moved by {jump_s:+g} s during the run"
    return f"{moved}: durations do not rest on it, moments are those of the clock as it was before{slept}"


def disturbed(attempt: Timing) -> bool:
    """Whether the client itself moved this attempt's times by more than is allowed, as far as is known.

    A late send falsifies under any clock: under an open law the request met another moment of the server than planned,
    and every time counted from the plan holds our delay; in a closed loop it thins the load. A busy loop falsifies
    only times that it took itself: the kernel stamps a packet when it comes, however late we read it. Of an attempt
    with some reads unstamped it is not known which, so it counts as timed by the loop; and so does one whose chunks
    gathered while the loop was busy, for what is read together has the stamp of its last packet.
    """
    return _sent_late(attempt) or _timed_late(attempt)


def _sent_late(attempt: Timing) -> bool:
    return attempt.slip_ms is not None and attempt.slip_ms > attempt.allowed_ms


def _timed_late(attempt: Timing) -> bool:
    by_us = attempt.clock != "kernel" or attempt.coalesced > 0
    return by_us and attempt.lag_ms is not None and attempt.lag_ms > attempt.allowed_ms


def _contamination(attempts: Sequence[Timing], jobs: int, share: float) -> str:
    late = [each.slip_ms for each in attempts if each.slip_ms is not None and _sent_late(each)]
    busy = [each.lag_ms for each in attempts if each.lag_ms is not None and _timed_late(each)]
    signs = [
        f"{len(values)} {what} by up to {max(values):.3g} ms"
        for values, what in ((late, "sent late"), (busy, "timed late by a busy loop"))
        if values
    ]
    disturbed_by = f"{_count(jobs, 'request')} disturbed by the client ({share:.2%}, limit {CONTAMINATED_SHARE:.0%})"
    return f"{disturbed_by}: {' and '.join(signs)}"


def _limits(stage: Stage) -> list[str]:
    """Signs that the client was the bottleneck of a stage."""
    found = []
    if stage.cpu_share is not None and stage.cpu_share >= BUSY_CPU:
        found.append(f"{stage.name}: the client used {stage.cpu_share:.0%} of one core (limit {BUSY_CPU:.0%})")
    used = _used(stage)
    if used is not None and used >= NEAR_CEILING:
        found.append(
            f"{stage.name}: {stage.chunks_per_s:.0f} chunks/s are {used:.0%} of what {_count(stage.workers, 'worker')} "
            f"of this client can receive (limit {NEAR_CEILING:.0%})"
        )
    sent = _delivered(stage)
    # Sending under an open law waits for no answer, so a server cannot slow it; a provider's limits can, and are named
    # among the warnings instead.
    if sent is not None and sent < DELIVERED and not stage.held:
        found.append(
            f"{stage.name}: {stage.sent_per_s:.4g} requests/s were sent of {stage.offered_per_s:.4g} planned "
            f"({sent:.1%}, limit {DELIVERED:.0%})"
        )
    return found


def _workers(stage: Stage) -> int | None:
    """Workers that would carry a limited stage with headroom; None: it was not limited."""
    if not _limits(stage):
        return None
    # Use of one worker, scaled to the rate that was asked for; without figures the rate alone says how much is missing.
    asked = 1 / max(_delivered(stage) or 1.0, 0.01) if not stage.held else 1.0
    known = [use for use in (_used(stage), stage.cpu_share) if use is not None]
    use = max(known, default=1.0) * max(asked, 1.0)
    return max(math.ceil(stage.workers * use * HEADROOM - 1e-9), stage.workers + 1)


def _used(stage: Stage) -> float | None:
    """Share of the calibrated ceiling that was used."""
    if stage.chunks_per_s is None or not stage.ceiling_chunks_per_s:
        return None
    return stage.chunks_per_s / stage.workers / stage.ceiling_chunks_per_s


def _delivered(stage: Stage) -> float | None:
    if not stage.offered_per_s or stage.sent_per_s is None:
        return None
    return stage.sent_per_s / stage.offered_per_s


def _unchecked(facts: Facts) -> Iterable[str]:
    """What is missing: silence would read as "in order"."""
    attempts, stages = facts.attempts, facts.stages
    if not attempts:
        yield "not checked: no request was measured"
    if not stages:
        yield "not checked: nothing is known of the client's own load"
    n = len(attempts)
    if slips := sum(each.slip_ms is None for each in attempts):
        yield f"not checked: whether {slips} of {n} requests were sent on time"
    if lags := sum(each.lag_ms is None and each.clock != "kernel" for each in attempts):
        yield f"not checked: how busy the loop was that timed {lags} of {n} requests"
    checks: list[tuple[str, Callable[[Stage], bool]]] = [
        ("CPU use of the client", lambda stage: stage.cpu_share is None),
        ("chunk rate of the client", lambda stage: stage.chunks_per_s is None),
        ("ceiling of the client (not calibrated)", lambda stage: not stage.ceiling_chunks_per_s),
        ("rate that was sent", lambda stage: bool(stage.offered_per_s) and stage.sent_per_s is None),
    ]
    for what, missing in checks:
        names = [stage.name for stage in stages if missing(stage)]
        if names:
            yield f"not checked: {what}{'' if len(names) == len(stages) else ' in ' + ', '.join(names)}"


def _schedule(stages: Sequence[Stage]) -> Iterable[str]:
    for stage in stages:
        if stage.late or stage.catch_up:
            yield f"{stage.name}: {_count(stage.late, 'late start')}, caught up with {_count(stage.catch_up, 'time')}"
        sent = _delivered(stage)
        if stage.held and sent is not None and sent < DELIVERED:
            yield (
                f"{stage.name}: {sent:.1%} of the planned rate were sent, since {_count(stage.held, 'request')} waited "
                "for the provider's limits"
            )


def _workload(attempts: Sequence[Timing]) -> Iterable[str]:
    """Whether what was asked is what came: prompts from a cache, answers or prompts of another length."""
    fresh = [
        (each.cached_tokens, each.prompt_tokens)
        for each in attempts
        if each.nonce and each.cached_tokens is not None and each.prompt_tokens is not None
    ]
    cached, tokens = sum(pair[0] for pair in fresh), sum(pair[1] for pair in fresh)
    if tokens and cached / tokens > WORTH_SAYING:
        yield f"{cached / tokens:.1%} of prompt tokens came from a cache although each prompt began with its own nonce"
    pairs: dict[str, list[tuple[int | None, int | None]]] = {
        "output": [(each.output_asked, each.output_tokens) for each in attempts],
        "prompt": [(each.prompt_asked, each.prompt_tokens) for each in attempts],
    }
    for what, lengths in pairs.items():
        known = [(asked, got) for asked, got in lengths if asked is not None and got is not None]
        # The larger of 5 tokens and 2 %: a chat template or a closing token is not a wrong length.
        missed = [got - asked for asked, got in known if abs(got - asked) > max(5, 0.02 * asked)]
        if known and len(missed) / len(known) > WORTH_SAYING:
            yield (
                f"{len(missed)} of {_count(len(known), what)} ({len(missed) / len(known):.1%}) missed the length asked "
                f"for, by {median(missed):+g} tokens in the median"
            )


def _shared_stamps(attempts: Sequence[Timing]) -> Iterable[str]:
    """Chunks read together have the stamp of the last: where we came late, the first may have come earlier."""
    late = [
        each.read_delay_ms
        for each in attempts
        if each.coalesced and each.read_delay_ms is not None and each.read_delay_ms > each.allowed_ms
    ]
    if late:
        yield (
            f"{_count(len(late), 'request')} of {len(attempts)} had chunks read together after up to "
            f"{max(late):.3g} ms: those share one time"
        )


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
