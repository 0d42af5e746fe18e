"""The official client as a witness of how grave a deviation is; what is right is judged from the bytes."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from harness.conformance.capture import Capture

if TYPE_CHECKING:
    from harness.wire.sdk_replay import Replay


def suffered(capture: Capture) -> tuple[str, ...]:
    """What the official client loses, doubles or breaks of an answer, one line each; empty: it gets all there is."""
    theirs, sent = official(capture)
    return theirs.beside(capture.outcome.completion, sent)


def official(capture: Capture) -> tuple[Replay, int]:
    """What the official client makes of an answer, and how many events it should have handed out."""
    # The SDK takes a second to load, so it is loaded by the first judge that wants it and by nobody who lists probes.
    sdk = importlib.import_module("harness.wire.sdk_replay")
    request, exchange = capture.attempt.request, capture.attempt.exchange
    sent = cast("int", sdk.events_of(exchange)) if request.stream else 1
    return cast("Replay", sdk.replay(request, exchange)), sent
