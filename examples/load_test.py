"""Load-test your own server: more and more users at once, and up to where it keeps its promise."""

from __future__ import annotations

import asyncio
from pathlib import Path

import harness

HERE = Path(__file__).parent
SERVER = "vendor-a/small"
PROMISE = "ttft_p95<2s and errors<20%"


async def main() -> None:
    """One level after the other; the levels' figures, and whether they can be believed."""
    plan = harness.plan.load(
        "short_chat",
        endpoints=SERVER,
        concurrency=[1, 4, 8],
        requests=16,
        slo=PROMISE,
        output_tokens=32,
        providers=HERE / "providers.yaml",
    )
    run = await harness.run(plan, calibrate=False)
    levels = run.frame("load_summary").sort_values("level")
    print(levels[["law", "n_ok", "ttft_p95_ms", "tpot_p50_ms", "output_tokens_per_s", "slo_attainment"]])
    kept = levels[levels["slo_attainment"] == 1.0]
    print(f"every answer kept the promise up to {kept['law'].iloc[-1]}" if len(kept) else "no level kept it")
    validity = run.report()["validity"]
    print("The client was", validity["word"], *validity["reasons"], sep="\n  ")


asyncio.run(main())
