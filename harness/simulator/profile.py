"""What a simulated endpoint is like: timing, answers, faults, limits, prices."""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.errors import UnknownName, UsageError
from harness.simulator.mutants import MUTANTS

RATES = ("http_500", "http_429", "overload_503", "malformed", "cut", "reset", "stall", "inband_error", "empty")
"""Fields of Profile that are shares of requests; one request has at most one of these faults."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One simulated endpoint; every field can be changed by ``harness simulate --set field=value``.

    Rates are shares of requests, 0 to 1. Times are milliseconds after the request was read whole.
    """

    name: str
    models: tuple[str, ...] = ("sim-small",)

    ttft_ms: float = 0.0
    """First token; a response that is not streamed comes when its last token would."""
    itl_ms: float = 0.0
    """Between two tokens."""
    jitter: float = 0.0
    """Sigma of a lognormal factor of median 1 on TTFT and on each ITL; 0: exact."""
    tokens: int = 64
    """Output tokens where neither prompt nor parameters set a length."""
    burst: int = 1
    """Tokens in one write; each is its own event and its own HTTP chunk."""
    early_role: bool = True
    """Headers and role chunk are sent at once; False: right before the first token."""

    knows_tasks: bool = True
    """Whether the shipped tasks are answered from their own data; False: they get filler text like any prompt."""
    accuracy: float = 1.0
    """Share of the shipped quality items answered right."""
    tool_accuracy: float = 1.0
    """Share of the shipped tool items answered right."""

    http_500: float = 0.0
    http_429: float = 0.0
    overload_503: float = 0.0
    malformed: float = 0.0
    """A body, or one event of a stream, is no JSON."""
    cut: float = 0.0
    """The connection ends inside the answer."""
    reset: float = 0.0
    """The connection is reset (RST) inside the answer."""
    stall: float = 0.0
    """The answer stops coming; the connection ends ``stall_s`` later."""
    inband_error: float = 0.0
    """An error object after status 200."""
    empty: float = 0.0
    """A complete answer without a token."""
    stall_s: float = 30.0
    retry_after_s: float | None = 1.0
    """Retry-After of drawn 429 and 503; None: the header is missing."""

    requests_per_minute: int | None = None
    """Token bucket of this size; beyond it 429 with the true Retry-After. None: no limit."""
    tokens_per_minute: int | None = None
    context_tokens: int = 131_072
    """Longest prompt; beyond it 400 context_length_exceeded."""
    key_env: str | None = None
    """Environment variable that holds the one key that is accepted; None: any key, or none."""

    mutants: tuple[str, ...] = ()
    """Names of ``harness.simulator.mutants.MUTANTS``."""
    input_usd_per_mtok: float | None = None
    """Told in GET /v1/models; None: not told."""
    output_usd_per_mtok: float | None = None

    def rates(self) -> dict[str, float]:
        """The shares of requests that meet each fault."""
        return {name: getattr(self, name) for name in RATES}


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
                http_500=0.02,
                http_429=0.03,
                cut=0.02,
                inband_error=0.02,
                mutants=("ignore_stop", "no_usage_chunk", "flat_error"),
                input_usd_per_mtok=0.05,
                output_usd_per_mtok=0.20,
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


def with_settings(profile: Profile, settings: Iterable[str]) -> Profile:
    """The profile with fields replaced by ``key=value`` texts.

    Lists are separated by commas; ``none`` stands for None.
    Raises UnknownName (no such field, no such mutant), UsageError (bad value).
    """
    changes: dict[str, object] = {}
    hints = typing.get_type_hints(Profile)
    fields = [field.name for field in dataclasses.fields(Profile) if field.name != "name"]
    for setting in settings:
        key, equals, text = setting.partition("=")
        key = key.strip()
        if not equals:
            raise UsageError(f"--set {setting!r} is not key=value")
        if key not in fields:
            raise UnknownName("profile field", key, fields)
        changes[key] = _value(key, hints[key], text.strip())
    return checked(dataclasses.replace(profile, **changes))  # type: ignore[arg-type]


def checked(profile: Profile) -> Profile:
    """The profile itself; UsageError or UnknownName when a value makes no sense."""
    shares = [*RATES, "accuracy", "tool_accuracy"]
    for key in shares:
        if not 0 <= getattr(profile, key) <= 1:
            raise UsageError(f"{key} is a share from 0 to 1, not {getattr(profile, key)!r}")
    if sum(profile.rates().values()) > 1:
        raise UsageError(f"the shares {', '.join(RATES)} add up to more than 1")
    for key in ("ttft_ms", "itl_ms", "jitter", "stall_s"):
        if not 0 <= getattr(profile, key) < math.inf:
            raise UsageError(f"{key} must not be negative, it is {getattr(profile, key)!r}")
    for key in ("tokens", "burst", "context_tokens", "requests_per_minute", "tokens_per_minute"):
        if (value := getattr(profile, key)) is not None and value < 1:
            raise UsageError(f"{key} must be 1 or more, it is {value!r}")
    if not profile.models:
        raise UsageError("models must name at least one model")
    for mutant in profile.mutants:
        if mutant not in MUTANTS:
            raise UnknownName("mutant", mutant, MUTANTS)
    if profile.key_env is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", profile.key_env):
        # A pasted key would otherwise be told back.
        raise UsageError("key_env is the name of an environment variable, not a key")
    return profile


def _value(key: str, hint: object, text: str) -> object:
    """A text read as the type of a field."""
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if type(None) in options and text.lower() in {"none", "null", ""}:
        return None
    kind = next(option for option in options if option is not type(None))
    if kind == tuple[str, ...]:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind is str:
        return text
    if kind is bool:
        if text.lower() not in {"true", "false", "yes", "no", "1", "0"}:
            raise UsageError(f"--set {key}: {text!r} is neither true nor false")
        return text.lower() in {"true", "yes", "1"}
    try:
        return int(text) if kind is int else float(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise UsageError(f"--set {key}: {text!r} is not {what}") from None
