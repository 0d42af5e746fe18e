"""Conversations as people have them: many short questions, a few long ones."""

from __future__ import annotations

from harness.run.arrivals import Closed
from harness.types import Load, Slo
from harness.workload.lengths import LogNormal
from harness.workload.synthetic import Synthetic

LOAD = Load(
    name="chat",
    version=1,
    description="About 300 tokens in and 150 out, log-normal, with 1, 4 and 16 requests under way.",
    levels=(Closed(1), Closed(4), Closed(16)),
    requests_per_level=32,
    sample=Synthetic(input=LogNormal(300, 0.6, high=1500), output=LogNormal(150, 0.4, high=400)),
    warmup=2,
    slo=Slo(ttft_ms=500, tpot_ms=50),
)
