"""What a check finds: a step at a time, and all of them of one endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

StepName = Literal["dns", "connect", "tls", "auth", "model", "chat", "stream", "clock"]
STEPS: tuple[StepName, ...] = ("dns", "connect", "tls", "auth", "model", "chat", "stream", "clock")
"""In the order in which they are taken."""
StepState = Literal["ok", "wrong", "not asked"]


@dataclass(frozen=True, slots=True)
class Step:
    """How one step ended."""

    state: StepState = "not asked"
    ms: float | None = None
    """How long it took; None: not asked, or it has no time of its own."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Clock:
    """The server's clock against this machine's, and where the times of reads come from."""

    ahead_s: tuple[float, float] | None
    """The server's clock is ahead by at least and at most so many seconds, negative: behind. None: it does not say."""
    receive_times: str
    """``kernel``, ``user`` or ``mixed``."""


@dataclass(frozen=True, slots=True)
class Check:
    """What was found out about one endpoint, or about a provider whose model was not named."""

    endpoint: str
    state: str
    """A word or three: ``usable``, ``started on demand``, ``not running``, ``no key``..."""
    usable: bool
    detail: str
    next_step: str = ""
    """What the user can do about it; empty when there is nothing to do."""
    steps: Mapping[StepName, Step] = field(default_factory=dict)
    """All eight of them."""
    status: int | None = None
    """HTTP status of the list of models; None: no answer, or not asked."""
    latency_ms: float | None = None
    """From the call to the end of the list of models, connection included; None: as above."""
    models: int | None = None
    """How many models are listed; None: no list."""
    listed: bool | None = None
    """Whether the model is among them; None: no list, or no model named."""
    asked: str | None = None
    """Id of the model that chat was asked of; None: none was."""
    chat: bool | None = None
    """Whether a chat of one token was answered; None: not asked."""
    stream: bool | None = None
    """The same, streamed."""
    limits: tuple[str, ...] = ()
    """What the server tells of its limits, as in ``6,000 tokens/minute left 5,980``."""
    clock: Clock | None = None
    """None: no answer came."""
