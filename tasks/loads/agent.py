"""An assistant with three tools: sessions of three messages behind one system message that all share."""

from __future__ import annotations

from harness.run.arrivals import Closed
from harness.types import Load, Slo
from harness.workload.lengths import Fixed, Normal
from harness.workload.synthetic import Synthetic

LOAD = Load(
    name="agent",
    version=1,
    description="Sessions of 3 turns with tools, about 100 tokens in and 100 out a turn, with 1, 4 and 16 users.",
    levels=(Closed(1), Closed(4), Closed(16)),
    requests_per_level=16,
    sample=Synthetic(
        input=Normal(100, 25, 30, 200),
        output=Fixed(100),
        prefix_tokens=500,
        prefix_share=1.0,
        turns=Fixed(3),
        kind="tools",
    ),
    warmup=1,
    slo=Slo(ttft_ms=800, tpot_ms=50),
    nonce="run",
)
