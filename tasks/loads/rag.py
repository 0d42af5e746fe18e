"""Questions about documents: long prompts, of which half begin with one of four texts that others begin with too.

What a server's prefix cache is worth shows here, so the nonce is the run's and not each request's.
"""

from __future__ import annotations

from harness.run.arrivals import Closed
from harness.types import Load, Slo
from harness.workload.lengths import Normal
from harness.workload.synthetic import Synthetic

LOAD = Load(
    name="rag",
    version=1,
    description="About 2000 tokens in, half behind 1000 shared ones, and 200 out, with 1, 4 and 16 requests under way.",
    levels=(Closed(1), Closed(4), Closed(16)),
    requests_per_level=32,
    sample=Synthetic(
        input=Normal(2000, 200, 1000, 3000),
        output=Normal(200, 40, 50, 400),
        prefix_tokens=1000,
        prefixes=4,
        prefix_share=0.5,
    ),
    warmup=2,
    slo=Slo(ttft_ms=1500, tpot_ms=50),
    nonce="run",
)
