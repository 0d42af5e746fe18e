"""What a simulated endpoint is like: timing, answers, faults, limits, prices."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.errors import UnknownName, UsageError
from harness.simulator import dialects
from harness.simulator.deviations.faults import FATES
from harness.simulator.deviations.mutants import MUTANTS
from harness.simulator.model.thinking import LENGTHS


@dataclass(frozen=True, slots=True)
class Profile:
    """One simulated endpoint; every field can be changed by ``harness simulate --set field=value``.

    Shares are of requests, 0 to 1. Times are milliseconds after the request was read whole.
    """

    name: str
    models: tuple[str, ...] = ("sim-small",)

    ttft_ms: float = 0.0
    """First token, without queue and prefill; a response that is not streamed comes when its last token would."""
    prefill_ms_per_ktok: float = 0.0
    """Added to the first token for each 1,000 prompt tokens that are in no prefix cache."""
    itl_ms: float = 0.0
    """Between two tokens of a request that decodes alone."""
    jitter: float = 0.0
    """Sigma of a lognormal factor of median 1 on TTFT and on each ITL; 0: exact."""
    tokens: int = 64
    """Output tokens where neither prompt nor parameters set a length; their mean where ``tokens_sd`` is set."""
    tokens_sd: float = 0.0
    """Standard deviation of a lognormal length; 0: always ``tokens``."""
    early_role: bool = True
    """Headers and role chunk are sent at once; False: right before the first token."""

    burst: int = 1
    """Tokens due at the time of the first of them, in one write; each is its own event and its own HTTP chunk."""
    tokens_per_chunk: int = 1
    """Tokens in the content of one event, sent when the last of them is due."""
    events_per_write: int = 1
    """Events that a gateway gathers into one write, sent when the last of them is due."""
    coalesce_ms: float = 0.0
    """A gateway's flush timer: what falls due so soon after the first event it holds goes out with it, at the end."""

    batch: int | None = None
    """Requests that decode at once, others wait in the order they came; None: no limit."""
    batch_slowdown: float = 0.0
    """ITL grows by this share of itself for each other request in the batch."""
    queue_limit: int | None = None
    """Requests that may wait; one more is refused. None: no limit."""
    queue_full_status: int = 503
    """How it is refused: 429 or 503."""
    prefix_cache: bool = False
    """Prompt tokens read before, in whole blocks of 16 from the start, need no prefill and count as cached."""
    kv_tokens: int = 131_072
    """Tokens the KV cache holds: what its usage is a share of, and how much the prefix cache remembers."""
    metrics: bool = True
    """GET /metrics, beside /v1, gives Prometheus text under vLLM's names."""

    dialect: str | None = None
    """How it speaks: a shipped dialect, or the path of a YAML file; None: as the API is documented."""
    effort: str = "none"
    """How much it thinks where a request does not say, as ``reasoning_effort`` names it."""
    knows_tasks: bool = True
    """Whether the shipped tasks are answered from their own data; False: they get filler text like any prompt."""
    sampled: bool = False
    """Whether text that nothing else decides is drawn from weights of its prompt, which temperature and top_p bend:
    every simulator has the same, whatever its seed. False: plain words, all of them as likely."""
    noise: float = 0.0
    """Standard deviation of what is added to the logits of ``sampled``, as a coarser quantisation does; 0: nothing."""
    wobble: float = 0.0
    """The same, drawn anew for each request, as batches do: near ties then fall one way or the other; 0: nothing."""
    loops: float = 0.0
    """Share of the texts of ``sampled`` that end by saying four words again and again."""
    injected_tokens: int = 0
    """Prompt tokens that are counted with every request, as where a server puts a system prompt of its own first."""
    accuracy: float = 1.0
    """Share of the shipped quality items answered right."""
    tool_accuracy: float = 1.0
    """Share of the shipped tool items answered right."""
    busy_from: int | None = None
    """Requests that decode at once, the one that is answered included, from which on ``busy_accuracy`` takes the place
    of both shares; None: answers are as good however many are under way."""
    busy_accuracy: float = 0.5
    """Share of the shipped items answered right then."""

    faults: Mapping[str, float] = field(default_factory=dict)
    """Share of requests that each fault befalls, one at most; every name can also be set as a field is."""
    stall_s: float = 30.0
    """How long a stalled connection is held."""
    retry_after_s: float | None = 1.0
    """Retry-After of drawn 429, 503 and 529; None: the header is missing."""
    drip_ms: float = 1000.0
    """Between two bytes of the fault slow_loris."""
    giant_bytes: int = 10_000_000
    """Length of the line of the fault giant_line."""
    down_after_s: float | None = None
    """The endpoint dies then: connections are reset, new ones refused. None: it lives."""
    down_for_s: float | None = None
    """For so long; None: for good."""
    mutants: tuple[str, ...] = ()
    """Constant deviations from the protocol."""
    mutants_after_s: float = 0.0
    """They begin so late, for an endpoint that changes in the middle of a run."""

    backends: tuple[str, ...] = ()
    """Names that a gateway gives to who answered: in the field provider, and in the header x-backend."""
    backend_requests: int | None = None
    """Chats and completions after which the next of them takes over, the first after the last; None: the first
    stays."""

    requests_per_minute: int | None = None
    """Token bucket of this size; beyond it 429 with the true Retry-After. None: no limit."""
    tokens_per_minute: int | None = None
    """The same for prompt tokens and the output tokens allowed; None: no limit."""
    context_tokens: int = 131_072
    """Longest prompt; beyond it 400 context_length_exceeded."""
    key_env: str | None = None
    """Environment variable that holds the one key that is accepted; None: any key, or none."""
    per_request: bool = True
    """Whether a request may change fields for itself, by the header x-sim or the body field sim."""

    input_usd_per_mtok: float | None = None
    """Told in GET /v1/models; None: not told."""
    output_usd_per_mtok: float | None = None
    """Told beside it."""

    @property
    def live(self) -> bool:
        """Whether token times are decided while a request runs: they depend on the others."""
        return self.batch is not None or self.batch_slowdown > 0


PER_REQUEST = (
    *("ttft_ms", "prefill_ms_per_ktok", "itl_ms", "jitter", "tokens", "tokens_sd", "early_role"),
    *("burst", "tokens_per_chunk", "events_per_write", "coalesce_ms", "effort", "accuracy", "tool_accuracy"),
    *("faults", "stall_s", "retry_after_s", "drip_ms", "giant_bytes", "mutants"),
)
"""Fields that a request may change for itself."""

PROFILES: Mapping[str, Profile] = types.MappingProxyType(
    {
        profile.name: profile
        for profile in (
            Profile(
                name="steady-vendor",
                ttft_ms=120,
                itl_ms=8,
                jitter=0.05,
                accuracy=0.95,
                tool_accuracy=0.95,
                input_usd_per_mtok=0.10,
                output_usd_per_mtok=0.40,
            ),
            Profile(
                name="flaky-vendor",
                ttft_ms=60,
                itl_ms=12,
                jitter=0.6,
                accuracy=0.80,
                tool_accuracy=0.75,
                faults={"http_500": 0.02, "http_429": 0.03, "cut": 0.02, "inband_error": 0.02},
                mutants=("ignore_stop", "no_usage_chunk", "flat_error"),
                input_usd_per_mtok=0.05,
                output_usd_per_mtok=0.20,
            ),
            Profile(
                name="vllm-like",
                ttft_ms=15,
                prefill_ms_per_ktok=40,
                itl_ms=10,
                jitter=0.05,
                tokens=128,
                tokens_sd=64,
                early_role=False,
                batch=16,
                batch_slowdown=0.03,
                prefix_cache=True,
            ),
            Profile(
                name="gateway",
                ttft_ms=180,
                itl_ms=9,
                jitter=0.3,
                tokens_per_chunk=2,
                coalesce_ms=40,
                mutants=("sse_comments",),
            ),
            # 74 of 400 requests fail, in seven ways.
            Profile(
                name="bad-day",
                ttft_ms=80,
                itl_ms=8,
                jitter=0.3,
                faults={
                    "http_500": 0.035,
                    "http_429": 0.04,
                    "malformed": 0.02,
                    "cut": 0.025,
                    "reset": 0.025,
                    "stall": 0.015,
                    "inband_error": 0.025,
                },
                stall_s=120,
            ),
            Profile(name="truth", ttft_ms=200, itl_ms=20, knows_tasks=False),
            Profile(name="null", knows_tasks=False),
        )
    }
)


def named(name: str) -> Profile:
    """The profile of that name; UnknownName with the nearest ones."""
    try:
        return PROFILES[name]
    except KeyError:
        raise UnknownName("profile", name, PROFILES) from None


_SHARES = ("accuracy", "tool_accuracy", "busy_accuracy", "loops")
_NOT_NEGATIVE = (
    *("ttft_ms", "prefill_ms_per_ktok", "itl_ms", "jitter", "tokens_sd", "coalesce_ms", "batch_slowdown"),
    *(
        "noise",
        "wobble",
        "injected_tokens",
        "queue_limit",
        "stall_s",
        "retry_after_s",
        "drip_ms",
        "down_after_s",
        "down_for_s",
        "mutants_after_s",
    ),
    *("input_usd_per_mtok", "output_usd_per_mtok"),
)
_POSITIVE = (
    *("tokens", "burst", "tokens_per_chunk", "events_per_write", "batch", "kv_tokens", "giant_bytes"),
    *("context_tokens", "requests_per_minute", "tokens_per_minute", "backend_requests", "busy_from"),
)
_LARGEST = {"tokens": 1_000_000, "tokens_sd": 1_000_000, "jitter": 10, "giant_bytes": 1_000_000_000}
_LARGEST_OF = {"_ms": 86_400_000, "_s": 10_000_000}
"""Bounds of times by their unit: a day between two tokens, a season of anything else."""
_NO_BOUND = 10**18


def checked(profile: Profile) -> Profile:
    """The profile itself; UsageError or UnknownName, with the field first, when a value makes no sense."""
    _check_numbers(profile)
    if sum(profile.faults.values()) > 1 + 1e-9:
        raise UsageError(f"faults: the shares {', '.join(profile.faults)} add up to more than 1")
    if profile.dialect is not None and not profile.dialect.endswith((".yaml", ".yml")):
        dialects.path_of(profile.dialect)
    if profile.effort not in LENGTHS:
        raise UnknownName("effort", profile.effort, LENGTHS)
    if not profile.models:
        raise UsageError("models must name at least one model")
    if profile.queue_full_status not in (429, 503):
        raise UsageError(f"queue_full_status is 429 or 503, not {profile.queue_full_status!r}")
    for noun, names, known in (("fault", profile.faults, FATES), ("mutant", profile.mutants, MUTANTS)):
        for name in names:
            if name not in known:
                raise UnknownName(noun, name, known)
    if profile.key_env is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", profile.key_env):
        # A pasted key would otherwise be told back.
        raise UsageError("key_env is the name of an environment variable, not a key")
    return profile


def _check_numbers(profile: Profile) -> None:
    shares = {key: getattr(profile, key) for key in _SHARES} | dict(profile.faults)
    for key, share in shares.items():
        if not 0 <= share <= 1:
            raise UsageError(f"{key} is a share from 0 to 1, not {share!r}")
    for least, told, keys in ((0, "must not be negative", _NOT_NEGATIVE), (1, "must be 1 or more", _POSITIVE)):
        for key in keys:
            most: float = _LARGEST.get(key) or _LARGEST_OF.get(key[key.rfind("_") :], _NO_BOUND)
            value = getattr(profile, key)
            if value is not None and not value >= least:
                raise UsageError(f"{key} {told}, it is {value!r}")
            if value is not None and value > most:
                raise UsageError(f"{key} must be {most:,} or less, it is {value!r}")
