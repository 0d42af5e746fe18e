"""The simulated engine in its schedule's own time: queue and batch, coalescing, lengths, prefix cache, limits."""

from __future__ import annotations

import heapq
import itertools
import json
import random
import statistics
from collections.abc import Sequence
from typing import Any

import pytest

from harness.simulator.engine.stream import Send
from harness.simulator.model.book import Book
from harness.simulator.model.chance import draw, length
from harness.simulator.profile import PROFILES
from harness.simulator.serving.ratelimit import Bucket, duration
from harness.simulator.serving.replies import Reply
from harness.simulator.serving.service import Service
from harness.simulator.serving.turn import Incoming
from harness.simulator.settings import with_settings

MS = 1_000_000
ENGINE = ("ttft_ms=100", "itl_ms=10", "tokens=16")


def serving(*settings: str) -> Service:
    """A service with some settings."""
    return Service(with_settings(PROFILES["null"], settings), Book({}))


def ask(service: Service, at_ns: int = 1, text: str = "Tell me a story", **fields: Any) -> Reply:
    """One request that was read at a time."""
    messages = [{"role": "user", "content": text}]
    body = {"model": "sim-small", "messages": messages, "stream": True, **fields}
    return service.reply(Incoming("POST", "/v1/chat/completions", {}, json.dumps(body).encode(), at_ns))


def play(service: Service, arrivals: Sequence[tuple[int, dict[str, Any]]]) -> list[list[tuple[int, Send]]]:
    """What is written when if no time is lost between: for each request its sends with their times."""
    seen: list[list[tuple[int, Send]]] = [[] for _ in arrivals]
    replies: dict[int, Reply] = {}
    order = itertools.count()
    heap: list[tuple[int, int, int, Send | None]] = [
        (at, next(order), number, None) for number, (at, _) in enumerate(arrivals)
    ]
    heapq.heapify(heap)

    def go_on(number: int, now: int) -> None:
        reply, seat = replies[number], replies[number].seat
        send = next(reply.sends, None)
        if send is not None and send.kind == "slot":
            if seat is not None and seat.granted_ns is None:
                seat.wake = lambda: go_on(number, seat.granted_ns or 0)
                return
            send = next(reply.sends, None)
        if send is not None:
            heapq.heappush(heap, (arrivals[number][0] + send.due_ns, next(order), number, send))
        elif seat is not None:
            seat.leave(now)

    while heap:
        now, _, number, send = heapq.heappop(heap)
        if send is None:
            replies[number] = ask(service, now, f"{number}: a story", **arrivals[number][1])
        else:
            seen[number].append((now, send))
        go_on(number, now)
    return seen


def tokens_at(sends: list[tuple[int, Send]]) -> list[int]:
    """When each token write was due."""
    return [at for at, send in sends if send.kind == "token"]


# --- the batch -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
def test_a_batch_is_a_queue_with_so_many_servers(stream: bool) -> None:
    """With batch 3 every request begins when the recursion for G/G/3, first come first served, says so."""
    rng = random.Random(5)
    arrivals, at = [], 1
    for _ in range(60):
        at += round(rng.expovariate(1 / 60) * MS)
        arrivals.append((at, {"sim": {"tokens": rng.randrange(5, 40)}, "stream": stream}))
    seen = play(serving(*ENGINE, "batch=3"), arrivals)
    free, waited = [0, 0, 0], 0
    for (arrived, fields), sends in zip(arrivals, seen, strict=True):
        began = max(arrived, min(free))
        waited += began > arrived
        last = began + (100 + (fields["sim"]["tokens"] - 1) * 10) * MS
        free[free.index(min(free))] = last
        kinds = ("token", "tick", "body")
        emitted = [at for at, send in sends if send.kind in kinds]
        assert emitted[0] == began + 100 * MS
        assert emitted[-1] == last
    assert waited > 20


def test_a_full_batch_is_slower() -> None:
    """Two that run together have ITL × (1 + slowdown); the gap shrinks again when the other one is done."""
    service = serving(*ENGINE, "batch=2", "batch_slowdown=0.5")
    long, short = play(service, [(1, {"sim": {"tokens": 20}}), (1, {"sim": {"tokens": 6}})])
    gaps = [(later - sooner) / MS for sooner, later in itertools.pairwise(tokens_at(long))]
    assert set(gaps[:4]) == {15.0}
    assert set(gaps[-12:]) == {10.0}
    assert [(later - sooner) / MS for sooner, later in itertools.pairwise(tokens_at(short))] == [15.0] * 5


@pytest.mark.parametrize(("status", "settings"), [(503, ()), (429, ("queue_full_status=429",))])
def test_a_full_queue_refuses(status: int, settings: tuple[str, ...]) -> None:
    """With one place and a queue of two the fourth request is refused, and who gives up leaves room."""
    service = serving(*ENGINE, "batch=1", "queue_limit=2", *settings)
    replies = [ask(service) for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 200, 200, status]
    assert b"retry-after: 1" in next(replies[3].sends).data
    assert (len(service.batch.seats), service.batch.waiting) == (1, 2)
    for reply, left in ((replies[1], (1, 1)), (replies[0], (1, 0)), (replies[0], (1, 0))):
        assert reply.seat is not None
        reply.seat.leave(5)
        assert (len(service.batch.seats), service.batch.waiting) == left
    assert replies[2].seat is not None
    assert replies[2].seat.granted_ns == 5


def test_prefill_takes_time_by_the_token() -> None:
    """The first token comes later by prefill_ms_per_ktok for each thousand prompt tokens, with a batch or without."""
    for settings in ((), ("batch=2",)):
        service = serving("ttft_ms=10", "itl_ms=1", "prefill_ms_per_ktok=100", *settings)
        short, long = (ask(service, text=text) for text in ("hi", "word " * 2000))
        assert short.seat is not None
        first = [next(send for send in reply.sends if send.kind == "token").due_ns for reply in (short, long)]
        grown = long.record["prompt_tokens"] - short.record["prompt_tokens"]
        assert first[1] - first[0] == grown * 100_000
        assert grown > 1990


# --- coalescing ------------------------------------------------------------------------------------------


def token_sends(*settings: str) -> list[tuple[float, int, list[str]]]:
    """Of a stream of 16 tokens at 100, 110... ms: when each write is due, its tokens, the texts of its events."""
    sends = [send for send in ask(serving(*ENGINE, *settings)).sends if send.kind == "token"]
    found = []
    for send in sends:
        events = [json.loads(line[6:]) for line in send.data.decode().split("\r\n") if line.startswith("data: ")]
        found.append((send.due_ns / MS, send.tokens, [event["choices"][0]["delta"]["content"] for event in events]))
    return found


TEXTS = [texts[0] for _, _, texts in token_sends()]


def test_tokens_come_one_by_one_unless_told_otherwise() -> None:
    """Without any gathering each token is one event in one write at its own time."""
    assert [(due, count) for due, count, _ in token_sends()] == [(100.0 + 10 * step, 1) for step in range(16)]


@pytest.mark.parametrize(
    ("settings", "writes"),
    [
        (("burst=5",), [(100, 5, 5), (150, 5, 5), (200, 5, 5), (250, 1, 1)]),
        (("tokens_per_chunk=5",), [(140, 5, 1), (190, 5, 1), (240, 5, 1), (250, 1, 1)]),
        (("events_per_write=5",), [(140, 5, 5), (190, 5, 5), (240, 5, 5), (250, 1, 1)]),
        (("coalesce_ms=35",), [(135, 4, 4), (175, 4, 4), (215, 4, 4), (250, 4, 4)]),
        (("coalesce_ms=35", "events_per_write=3"), [(120 + 30 * n, 3, 3) for n in range(5)] + [(250, 1, 1)]),
        (("tokens_per_chunk=2", "coalesce_ms=35"), [(145, 4, 2), (185, 4, 2), (225, 4, 2), (250, 4, 2)]),
        (("itl_ms=0",), [(100, 16, 16)]),
        (("mutants=buffered_stream",), [(250, 16, 16)]),
    ],
)  # fmt: skip
def test_tokens_are_gathered_as_the_profile_says(
    settings: tuple[str, ...], writes: list[tuple[float, int, int]]
) -> None:
    """Each way of gathering gives these writes (ms, tokens, events), fixed or in a batch, and loses no text."""
    for more in ((), ("batch=4",)):
        found = token_sends(*settings, *more)
        assert [(due, count, len(texts)) for due, count, texts in found] == writes
        assert "".join(text for _, _, texts in found for text in texts) == "".join(TEXTS)


def test_a_chunk_of_several_tokens_keeps_calls_apart() -> None:
    """With tokens_per_chunk a call still begins with an event of its own, and its arguments join to the same JSON."""
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
    fields = {"tools": [tool], "tool_choice": "required"}
    joined = []
    for settings in ((), ("tokens_per_chunk=3",)):
        data = b"".join(send.data for send in ask(serving(*settings), **fields).sends)
        events = [json.loads(line[6:]) for line in data.decode().split("\r\n") if line.startswith('data: {"')]
        calls = [
            call for event in events for choice in event["choices"] for call in choice["delta"].get("tool_calls", ())
        ]
        joined.append((calls[0]["function"]["name"], "".join(call["function"]["arguments"] for call in calls)))
        assert "arguments" in calls[0]["function"]
        assert calls[0]["function"]["arguments"] == ""
    assert joined[0] == joined[1]


# --- lengths ---------------------------------------------------------------------------------------------


def test_lengths_have_the_mean_and_spread_of_the_profile() -> None:
    """Tokens and tokens_sd are mean and standard deviation of the lengths; without tokens_sd there is no draw."""
    drawn = [length(200, 80, draw(seed)) for seed in range(4000)]
    assert 195 < statistics.mean(drawn) < 205
    assert 74 < statistics.stdev(drawn) < 86
    rng = draw(1)
    assert (length(64, 0, rng), rng.random()) == (64, draw(1).random())


def test_usage_is_exact_and_the_finish_reason_right_whatever_the_length() -> None:
    """Tokens sent are tokens counted; only what the limit cut says length."""
    service = serving("tokens=20", "tokens_sd=15")
    seen = set()
    for number in range(60):
        reply = ask(service, text=f"{number}: a story", max_tokens=20, stream_options={"include_usage": True})
        data = b"".join(send.data for send in reply.sends).decode()
        events = [json.loads(line[6:]) for line in data.split("\r\n") if line.startswith('data: {"')]
        sent = sum(1 for event in events for choice in event["choices"] if choice["delta"].get("content"))
        finish = next(
            choice["finish_reason"] for event in events for choice in event["choices"] if choice["finish_reason"]
        )
        assert events[-1]["usage"]["completion_tokens"] == sent == reply.record["tokens"]
        assert (finish == "length") == (sent == 20)
        seen.add(finish)
    assert seen == {"length", "stop"}


# --- the prefix cache ------------------------------------------------------------------------------------


def test_a_prompt_read_before_needs_no_prefill() -> None:
    """The common beginning of two prompts counts as cached in whole blocks, and the first token is sooner by it."""
    service = serving("prefix_cache=yes", "prefill_ms_per_ktok=1000", "itl_ms=1")
    shared = "word " * 400
    first, second, third = (ask(service, text=shared + last) for last in ("one two", "three four", "three four"))
    assert first.record["cached_tokens"] == 0
    assert second.record["cached_tokens"] % 16 == 0
    assert 380 < second.record["cached_tokens"] <= third.record["cached_tokens"] < third.record["prompt_tokens"]
    due = [next(send.due_ns for send in reply.sends if send.kind == "token") for reply in (first, second)]
    assert due[0] - due[1] == second.record["cached_tokens"] * MS
    assert b'"cached_tokens":%d' % third.record["cached_tokens"] in b"".join(
        send.data for send in ask(service, text=shared + "three four", stream=False).sends
    )
    assert service.meter.prefix_queries == 4 * first.record["prompt_tokens"]
    off = ask(serving(), text=shared)
    assert off.record["cached_tokens"] == 0


def test_the_prefix_cache_forgets() -> None:
    """What is beyond kv_tokens is forgotten, the oldest first; another beginning is not the same prompt."""
    service = serving("prefix_cache=yes", "kv_tokens=800")
    one, other = "word " * 400, "other " * 700
    assert ask(service, text=one).record["cached_tokens"] == 0
    assert ask(service, text="x " + one).record["cached_tokens"] == 0
    assert ask(service, text=other).record["cached_tokens"] == 0
    assert ask(service, text=one).record["cached_tokens"] == 0


# --- limits ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0ms"), (0.0201, "21ms"), (1, "1s"), (1.5, "1.5s"), (59.9996, "1m0s"), (360, "6m0s"), (75.25, "1m15.25s")],
)
def test_times_of_rate_limits_are_told_as_the_api_tells_them(seconds: float, told: str) -> None:
    """Milliseconds below a second, then seconds, then minutes and seconds; never less than the truth."""
    assert duration(seconds) == told


def test_rate_headers_count_down_and_up_again() -> None:
    """Limit, remaining and reset are those of the bucket, which refills with time and never with an older request."""
    bucket = Bucket(60)
    assert bucket.take(30, 1) is None
    assert dict(bucket.headers("requests", 1)) == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "30",
        "x-ratelimit-reset-requests": "30s",
    }
    assert dict(bucket.headers("requests", 10_000_000_001))["x-ratelimit-remaining-requests"] == "40"
    assert dict(bucket.headers("requests", 5_000_000_001))["x-ratelimit-remaining-requests"] == "40"
    assert bucket.take(41, 10_000_000_001) == pytest.approx(1.0)


def test_a_token_limit_counts_prompt_and_allowance() -> None:
    """Beyond tokens_per_minute comes 429 of kind tokens, whose Retry-After is when there is room again."""
    service = serving("tokens_per_minute=600")
    reply = ask(service, max_tokens=500)
    assert reply.status == 200
    assert f"x-ratelimit-remaining-tokens: {100 - reply.record['prompt_tokens']}" in next(reply.sends).data.decode()
    refused = ask(service, max_tokens=500)
    head = next(refused.sends).data.decode()
    assert refused.status == 429
    lacking = 500 + 2 * reply.record["prompt_tokens"] - 100
    assert f"retry-after: {-(-lacking * 60 // 600)}\r" in head
    assert '"type":"tokens"' in head
