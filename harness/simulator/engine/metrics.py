"""What the simulated engine tells of itself: counters and histograms under vLLM's names, in Prometheus text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from harness.simulator.engine.batch import Batch

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# The bounds of vLLM's own histograms (vllm/v1/metrics/loggers.py), so that a dashboard made for it reads the same.
# fmt: off
_FIRST = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
    160.0, 640.0, 2560.0,
)
_GAP = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
)
_REQUEST = (
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0,
    1920.0, 7680.0,
)
# fmt: on


class Histogram:
    """Counts by upper bound, in seconds."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, seconds: float, times: int = 1) -> None:
        """Count a value so often."""
        self._counts[bisect_left(self._bounds, seconds)] += times
        self._sum += seconds * times

    def lines(self, name: str, labels: str) -> list[str]:
        """The samples: cumulative buckets, count and sum."""
        told, seen = [], 0
        for bound, count in zip((*self._bounds, "+Inf"), self._counts, strict=True):
            seen += count
            told.append(f'{name}_bucket{{{labels},le="{bound}"}} {seen:.1f}')
        return [*told, f"{name}_count{{{labels}}} {seen:.1f}", f"{name}_sum{{{labels}}} {self._sum!r}"]


class Meter:
    """Everything that is counted, since the start."""

    def __init__(self) -> None:
        self.first = Histogram(_FIRST)
        self.gap = Histogram(_GAP)
        self.per_token = Histogram(_GAP)
        self.whole = Histogram(_REQUEST)
        self.queue = Histogram(_REQUEST)
        self.prompt_tokens = self.output_tokens = 0
        self.prefix_hits = self.prefix_queries = 0

    def finished(self, read_ns: int, granted_ns: int, first_ns: int, last_ns: int, output: int) -> None:
        """A request came to its end; times of perf_counter_ns, ``output`` its tokens."""
        self.queue.observe((granted_ns - read_ns) * 1e-9)
        self.whole.observe((last_ns - read_ns) * 1e-9)
        if output > 1:
            self.per_token.observe((last_ns - first_ns) * 1e-9 / (output - 1))

    def text(self, model: str, batch: Batch, kv_tokens: int) -> bytes:
        """The page: gauges of now, counters and histograms since the start."""
        shown = model.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        labels = f'engine="0",model_name="{shown}"'
        gauges = {
            "num_requests_running": (len(batch.seats), "Requests in the batch."),
            "num_requests_waiting": (batch.waiting, "Requests that wait for a place in it."),
            "kv_cache_usage_perc": (min(1.0, batch.tokens() / kv_tokens), "KV-cache usage. 1 means 100 percent."),
        }
        counters = {
            "num_preemptions_total": (0, "Preemptions; there are none here."),
            "prompt_tokens_total": (self.prompt_tokens, "Prompt tokens of requests that had their first token."),
            "generation_tokens_total": (self.output_tokens, "Output tokens."),
            "prefix_cache_queries_total": (self.prefix_queries, "Prompt tokens looked up in the prefix cache."),
            "prefix_cache_hits_total": (self.prefix_hits, "Prompt tokens found in it."),
        }
        histograms = {
            "time_to_first_token_seconds": (self.first, "From the request, read whole, to its first token."),
            "inter_token_latency_seconds": (self.gap, "Between two tokens, for each token."),
            "request_time_per_output_token_seconds": (self.per_token, "The mean of those, for each request."),
            "e2e_request_latency_seconds": (self.whole, "From the request, read whole, to its last token."),
            "request_queue_time_seconds": (self.queue, "In the queue."),
        }
        lines: list[str] = []
        for kind, table in (("gauge", gauges), ("counter", counters)):
            for name, (value, says) in table.items():
                lines += _titled(name, says, kind, [f"vllm:{name}{{{labels}}} {float(value)!r}"])
        for name, (histogram, says) in histograms.items():
            lines += _titled(name, says, "histogram", histogram.lines(f"vllm:{name}", labels))
        return ("\n".join(lines) + "\n").encode()


def _titled(name: str, says: str, kind: str, samples: list[str]) -> list[str]:
    return [f"# HELP vllm:{name} {says}", f"# TYPE vllm:{name} {kind}", *samples]
