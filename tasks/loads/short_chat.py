"""Short streamed chats under one, four and eight users at once."""

from __future__ import annotations

from harness.run.arrivals import Closed
from harness.types import Load, Sample, Slo

_ABOUT = ("a lighthouse", "a lost key", "two neighbours", "a night train", "an old map", "a garden in winter", "a kite")


def sample(seed: int, index: int) -> Sample:
    """The index-th prompt of a seed, about 10 tokens; what tells it from its like is the load's nonce."""
    return Sample(
        id=f"{seed}-{index:05d}",
        messages=({"role": "user", "content": f"Tell me a short story about {_ABOUT[index % len(_ABOUT)]}."},),
        params={"temperature": 0, "max_tokens": 32},
    )


LOAD = Load(
    name="short_chat",
    version=2,
    description="Short prompts, 32 output tokens, with 1, 4 and 8 requests under way.",
    levels=(Closed(1), Closed(4), Closed(8)),
    requests_per_level=12,
    sample=sample,
    warmup=1,
    slo=Slo(ttft_ms=500, tpot_ms=50),
)
