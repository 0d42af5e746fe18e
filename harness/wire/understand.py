"""An attempt understood by the reader of the interface that it asked."""

from __future__ import annotations

import importlib

from harness.exchange import Outcome
from harness.types import Attempt
from harness.wire.assemble import assemble

_READERS = {"responses": "harness.wire.responses", "embeddings": "harness.wire.embeddings"}
"""Interface -> the module whose ``assemble(request, exchange)`` reads its answers; the others are read as chat."""


def understand(attempt: Attempt) -> Outcome:
    """What an attempt came to. Never raises.

    A probe's answer is read as a chat whatever it asked: what it shows is for the judge of its probe to say.
    """
    request, exchange = attempt.request, attempt.exchange
    reader = _READERS.get(request.api or "") if attempt.job.kind != "probe" else None
    if reader is None:
        return assemble(exchange, stream=request.stream)
    # Loaded with the first such answer: a load of chats does not pay for it.
    outcome: Outcome = importlib.import_module(reader).assemble(request, exchange)
    return outcome
