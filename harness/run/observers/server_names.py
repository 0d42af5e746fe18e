"""What servers call the same thing in their Prometheus metrics: data, by our name and engine.

Names change between versions, so each entry is a list of candidates: the first of which everything is there counts, and
what no candidate gives is unknown, never 0. A `` + `` adds two metrics. A histogram is named without ``_sum`` and
``_count``. Left out on purpose: TGI's ``tgi_request_mean_time_per_token_duration`` and LiteLLM's
``litellm_deployment_latency_per_output_token``, which divide a time that holds the prefill, so that they are neither
ITL nor TPOT.

Source, by engine:
    vLLM          vllm/v1/metrics/loggers.py, docs.vllm.ai/en/stable/usage/metrics
    SGLang        python/sglang/srt/metrics/collector.py, docs.sglang.io/references/production_metrics.html
    TGI           docs/source/reference/metrics.md of huggingface/text-generation-inference
    llama.cpp     tools/server/README.md and the answer of its server
    TensorRT-LLM  tensorrt_llm/metrics/collector.py, examples/serve/prometheus_metrics.py
    LiteLLM       litellm/integrations/prometheus.py, docs.litellm.ai/docs/proxy/prometheus
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PATHS = ("/metrics", "/prometheus/metrics")
"""Where metrics are looked for; the second is TensorRT-LLM's, whose first is JSON and emptied by reading it."""

NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # Gauges: requests that wait for a place, and that are being worked on.
        "waiting": (
            "vllm:num_requests_waiting",
            "sglang:num_queue_reqs",
            "tgi_queue_size",
            "llamacpp:requests_deferred",
            "trtllm_num_requests_waiting",
        ),
        "running": (
            "vllm:num_requests_running",
            "sglang:num_running_reqs",
            "tgi_batch_current_size",
            "llamacpp:requests_processing",
            "trtllm_num_requests_running",
            "litellm_in_flight_requests",  # of the proxy's every path, the reading of these metrics included
        ),
        # Gauge: share of the KV cache in use, 0 to 1.
        "kv_usage": (
            "vllm:kv_cache_usage_perc",
            "vllm:gpu_cache_usage_perc",  # its older name
            "sglang:token_usage",
            "trtllm_kv_cache_utilization",
        ),
        # Histograms, seconds.
        "ttft_s": (
            "vllm:time_to_first_token_seconds",
            "sglang:time_to_first_token_seconds",
            "trtllm_time_to_first_token_seconds",
            "litellm_llm_api_time_to_first_token_metric",
        ),
        # One observation a token: the mean is weighted by tokens.
        "itl_s": (
            "vllm:inter_token_latency_seconds",
            "vllm:time_per_output_token_seconds",  # the same under its old name
            "sglang:inter_token_latency_seconds",
        ),
        # One observation a request: the mean is weighted by requests.
        "tpot_s": (
            "vllm:request_time_per_output_token_seconds",
            "sglang:request_time_per_output_token_seconds",
            "trtllm_time_per_output_token_seconds",
        ),
        "e2e_s": (
            "vllm:e2e_request_latency_seconds",
            "sglang:e2e_request_latency_seconds",
            "tgi_request_duration",
            "trtllm_e2e_request_latency_seconds",
            "litellm_request_total_latency_metric",
        ),
        "queue_s": (
            "vllm:request_queue_time_seconds",
            "sglang:queue_time_seconds",
            "tgi_request_queue_duration",
            "trtllm_request_queue_time_seconds",
            "litellm_request_queue_time_seconds",
        ),
        # Counters. Prompt tokens are those asked, whether a cache had them or not.
        "prompt_tokens_total": (
            "vllm:prompt_tokens_total",
            "sglang:prompt_tokens_total",
            "tgi_request_input_length_sum",
            "llamacpp:prompt_tokens_total + llamacpp:prompt_tokens_cached_total",
            "llamacpp:prompt_tokens_total",  # older: without those of the cache
            "trtllm_prompt_tokens_total",
            "litellm_input_tokens_metric_total",
        ),
        "generation_tokens_total": (
            "vllm:generation_tokens_total",
            "sglang:generation_tokens_total",
            "tgi_request_generated_tokens_sum",
            "llamacpp:tokens_predicted_total",
            "trtllm_generation_tokens_total",
            "litellm_output_tokens_metric_total",
        ),
        # Counters: prompt tokens that a prefix cache had, and that it was asked for.
        "prefix_hits_total": (
            "vllm:prefix_cache_hits_total",
            "vllm:gpu_prefix_cache_hits_total",
            "sglang:cached_tokens_total",
            "llamacpp:prompt_tokens_cached_total",
            "trtllm_prompt_cached_tokens_total",
            "litellm_input_cached_tokens_metric_total",
        ),
        "prefix_queries_total": (
            "vllm:prefix_cache_queries_total",
            "vllm:gpu_prefix_cache_queries_total",
            "sglang:prompt_tokens_total",
            "llamacpp:prompt_tokens_total + llamacpp:prompt_tokens_cached_total",
            "trtllm_prompt_tokens_total",
            "litellm_input_tokens_metric_total",
        ),
        # Counter: requests that lost their place in the cache and had to begin again.
        "preemptions_total": (
            "vllm:num_preemptions_total",
            "sglang:num_retracted_requests_total",
        ),
    }
)

HISTOGRAMS = frozenset({"ttft_s", "itl_s", "tpot_s", "e2e_s", "queue_s"})
"""Names that stand for two values, their ``_sum`` and their ``_count``."""

SHARES = frozenset({"kv_usage"})
"""Values from 0 to 1: of several engines the mean counts, not the sum."""

TWIN_LABELS = frozenset({"tp_rank", "pp_rank", "moe_ep_rank"})
"""Labels whose series tell of the same requests: the largest counts. Series that differ otherwise are added.

The parts of one model that is cut over several devices see every request each. Copies of the model (``dp_rank``,
``engine``) and worker processes (``pid``) share the requests out.
"""


def canonical() -> dict[str, tuple[tuple[str, ...], ...]]:
    """By the name of each value written: its candidates, each the names of the samples that are added."""
    wanted: dict[str, tuple[tuple[str, ...], ...]] = {}
    for name, candidates in NAMES.items():
        for ending in ("_sum", "_count") if name in HISTOGRAMS else ("",):
            wanted[name + ending] = tuple(
                tuple(part.strip() + ending for part in candidate.split("+")) for candidate in candidates
            )
    return wanted
