"""The nouns of an answer, as it came and as it was understood: frozen records, standard library only.

Every mark is an integer of nanoseconds on one monotonic clock; ``None`` means "did not happen" and is never replaced
by 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Clock = Literal["kernel", "user", "mixed"]

FailureKind = Literal[
    "dns",
    "connect",
    "tls",
    "reset",
    "timeout_connect",
    "timeout_first_byte",
    "timeout_idle",
    "timeout_total",
    "auth",
    "throttled",
    "overloaded",
    "http_4xx",
    "http_5xx",
    "context_overflow",
    "content_filter",
    "truncated",
    "empty",
    "inband_error",
    "bad_http",
    "bad_sse",
    "bad_json",
    "too_large",
    "bad_vectors",
    "cancelled",
    "abandoned",
    "unasked",
    "unneeded",
    "harness",
]
"""``bad_vectors``: embeddings that are missing, of another number than was asked for, not finite or all 0;
``cancelled``: the run was stopped meanwhile; ``abandoned``: the plan's user gave up waiting, as planned;
``unasked``: it was not sent, since an earlier turn of its session failed or its endpoint was given up; ``unneeded``:
its session was over before the most requests were used up that were planned for it."""

OUR_DOING: frozenset[FailureKind] = frozenset({"cancelled", "abandoned", "unasked", "unneeded"})
"""Kinds that say nothing about the endpoint: they are counted apart."""


# --- what happened on the wire ---------------------------------------------------------------------------


class Read(NamedTuple):
    """Body bytes that one read of the socket gave, after HTTP framing was taken off."""

    at_ns: int
    """Arrival: the kernel's stamp of the packet, on the monotonic clock, or the time right after the read."""
    data: bytes


@dataclass(frozen=True, slots=True)
class WireMarks:
    """When what happened to one exchange; the connection marks are None where a kept connection was used."""

    dns_ns: int | None = None
    """Name resolved."""
    conn_ns: int | None = None
    """TCP connected."""
    tls_ns: int | None = None
    """TLS handshake done; None for plain HTTP too."""
    send0_ns: int | None = None
    """Just before the first byte was handed to the kernel."""
    send1_ns: int | None = None
    """The last byte of the request was taken by the kernel."""
    hdr_ns: int | None = None
    """Arrival of the read that completed status line and headers."""
    eof_ns: int | None = None
    """Arrival of the read that completed the response (framing end or connection end)."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt gave no completion: data, on its own axis, never a wrong answer."""

    kind: FailureKind
    detail: str
    """One line for a person; never holds a secret."""
    status: int | None = None
    """HTTP status; None when no response came."""
    retry_after_s: float | None = None
    """What the server asked for; None: it did not."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What happened on the wire: facts only, no interpretation of the body."""

    marks: WireMarks
    status: int | None
    headers: tuple[tuple[str, str], ...]
    """Names in lower case, in the order received."""
    reads: tuple[Read, ...]
    clock: Clock
    """Where the read times come from; ``mixed``: some reads had no kernel stamp."""
    reused: bool
    """Whether a kept connection carried it."""
    failure: Failure | None = None
    """A fault of the transport (reset, timeout...); the reads before it are kept."""
    coalesced_reads: int = 0
    """Reads that held more than one HTTP chunk: they have one stamp for several writes of the server."""
    lag_max_ns: int | None = None
    """Largest delay between a packet's arrival and our reading of it: how late we were. None: no kernel stamp."""
    tls_version: str | None = None
    remote: str | None = None
    """``address:port`` that was talked to."""
    cached: bool = False
    """Whether it is a copy of what an earlier run recorded: nothing was sent, and none of its times is of this run."""
    purged: bool = False
    """Whether the bodies of request and response were taken out of the record: the reads are empty, and have times."""

    @property
    def body(self) -> bytes:
        """All body bytes joined."""
        return b"".join(read.data for read in self.reads)


# --- what was understood ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call the model asked for; ``arguments`` is the text as it came, valid JSON or not."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts as the server states them; None: not stated."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    """Part of ``prompt_tokens`` that came from a prompt cache."""
    reasoning_tokens: int | None = None
    """Part of ``completion_tokens`` spent on reasoning; some servers count it beside them, which only a provider's
    quirk can tell."""
    cache_write_tokens: int | None = None
    """Part of ``prompt_tokens`` that was written to a prompt cache."""
    cost_usd: float | None = None
    """What the server says that this answer cost."""


@dataclass(frozen=True, slots=True)
class StreamMarks:
    """When which kind of event arrived; for an answer that was not streamed all are None but ``ev1_ns``."""

    ev1_ns: int | None = None
    """First data event of any kind."""
    tok1_ns: int | None = None
    """First output event: non-empty reasoning, content, refusal, tool name or tool arguments."""
    vis1_ns: int | None = None
    """First content or refusal."""
    tool1_ns: int | None = None
    """First tool-call event."""
    tokn_ns: int | None = None
    """Last output event."""
    fin_ns: int | None = None
    """First finish reason."""
    done_ns: int | None = None
    """``[DONE]``."""


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer understood; every tolerated deviation from the documented shape is named."""

    text: str
    reasoning: str
    refusal: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: str | None
    usage: Usage | None
    marks: StreamMarks
    output_ns: tuple[int, ...] = ()
    """Arrival of each read that held output events, rising; gaps between them are inter-chunk gaps, not ITL."""
    output_events: tuple[int, ...] = ()
    """Output events in each of those reads, same length as ``output_ns``."""
    deviations: tuple[str, ...] = ()
    """Names, sorted, each once."""
    response_id: str | None = None
    model: str | None = None
    """The model the server says it was."""
    system_fingerprint: str | None = None
    vectors: tuple[Sequence[float], ...] = ()
    """Of an answer with embeddings: one for each input, in the order of the inputs, all of one length."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an exchange ended: a completion, or a failure with whatever had arrived before it."""

    completion: Completion | None
    """What was understood; beside a failure it is partial and never scored."""
    failure: Failure | None

    @property
    def ok(self) -> bool:
        """Whether the completion may be scored and timed."""
        return self.failure is None
