"""Texts to embed, one to a request; with ``--batch 16`` as many as an index is usually built with."""

from __future__ import annotations

from harness.run.arrivals import Closed
from harness.types import Load, Slo
from harness.workload.inputs import Inputs
from harness.workload.lengths import LogNormal

LOAD = Load(
    name="embeddings",
    version=1,
    description="Embeddings of texts of about 100 tokens, log-normal, one a request, with 1, 4 and 16 under way.",
    levels=(Closed(1), Closed(4), Closed(16)),
    requests_per_level=64,
    sample=Inputs(input=LogNormal(100, 0.6, high=400)),
    warmup=2,
    slo=Slo(e2e_ms=500),
)
