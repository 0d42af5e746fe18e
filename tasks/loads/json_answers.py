"""Answers by a strict JSON schema, where the server's constrained decoding is part of the work."""

from __future__ import annotations

from harness.run.arrivals import Closed
from harness.types import Load, Slo
from harness.workload.lengths import Fixed, Normal
from harness.workload.synthetic import Synthetic

LOAD = Load(
    name="json",
    version=1,
    description="About 200 tokens in, up to 300 of JSON by a strict schema out, with 1, 4 and 16 requests under way.",
    levels=(Closed(1), Closed(4), Closed(16)),
    requests_per_level=32,
    sample=Synthetic(input=Normal(200, 50, 50, 400), output=Fixed(300), kind="schema"),
    warmup=2,
    slo=Slo(ttft_ms=800, tpot_ms=60),
)
