"""What servers tell of themselves, in the words of each engine, becomes lines in ours."""

from __future__ import annotations

import asyncio
import json
import socket
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from loopback import Loopback, Step, sized

from harness import engines
from harness.engines.weights import WEIGHTS, find
from harness.provider import Serve
from harness.run.observers.scrape import Scraper, metrics_url, read_metrics
from harness.run.observers.server_names import NAMES, canonical

# Excerpts of what each engine answers, as its documentation or source has it (see server_names.py).
VLLM = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="meta-llama/Llama-3.1-8B-Instruct"} 8.0
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="meta-llama/Llama-3.1-8B-Instruct"} 0.0
# HELP vllm:kv_cache_usage_perc KV-cache usage. 1 means 100 percent usage.
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="meta-llama/Llama-3.1-8B-Instruct"} 0.25
# HELP vllm:prefix_cache_queries_total Prefix cache queries, in terms of number of queried tokens.
# TYPE vllm:prefix_cache_queries_total counter
vllm:prefix_cache_queries_total{engine="0",model_name="meta-llama/Llama-3.1-8B-Instruct"} 9637.0
# HELP vllm:prefix_cache_queries_created Prefix cache queries, in terms of number of queried tokens.
# TYPE vllm:prefix_cache_queries_created gauge
vllm:prefix_cache_queries_created{engine="0",model_name="meta-llama/Llama-3.1-8B-Instruct"} 1.7e+09
vllm:prefix_cache_hits_total{engine="0",model_name="meta-llama/Llama-3.1-8B-Instruct"} 4096.0
# TYPE vllm:num_preemptions_total counter
vllm:num_preemptions_total{engine="0",model_name="meta-llama/Llama-3.1-8B-Instruct"} 2.0
# TYPE vllm:prompt_tokens_total counter
vllm:prompt_tokens_total{engine="0",model_name="meta-llama/Llama-3.1-8B-Instruct"} 9637.0
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{engine="0",model_name="meta-llama/Llama-3.1-8B-Instruct"} 19851.0
# HELP vllm:time_to_first_token_seconds Histogram of time to first token in seconds.
# TYPE vllm:time_to_first_token_seconds histogram
vllm:time_to_first_token_seconds_bucket{engine="0",le="0.04",model_name="meta-llama/Llama-3.1-8B-Instruct"} 12.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf",model_name="meta-llama/Llama-3.1-8B-Instruct"} 16.0
vllm:time_to_first_token_seconds_count{engine="0",model_name="meta-llama/Llama-3.1-8B-Instruct"} 16.0
vllm:time_to_first_token_seconds_sum{engine="0",model_name="meta-llama/Llama-3.1-8B-Instruct"} 0.75
# TYPE vllm:inter_token_latency_seconds histogram
vllm:inter_token_latency_seconds_count{engine="0",model_name="meta-llama/Llama-3.1-8B-Instruct"} 19835.0
vllm:inter_token_latency_seconds_sum{engine="0",model_name="meta-llama/Llama-3.1-8B-Instruct"} 198.5
"""
SGLANG = """\
# HELP sglang:prompt_tokens_total Number of prefill tokens processed.
# TYPE sglang:prompt_tokens_total counter
sglang:prompt_tokens_total{model_name="meta-llama/Llama-3.1-8B-Instruct"} 8.128902e+06
# TYPE sglang:generation_tokens_total counter
sglang:generation_tokens_total{model_name="meta-llama/Llama-3.1-8B-Instruct"} 7.557572e+06
# HELP sglang:token_usage The token usage
# TYPE sglang:token_usage gauge
sglang:token_usage{model_name="meta-llama/Llama-3.1-8B-Instruct"} 0.28
# HELP sglang:cache_hit_rate The cache hit rate
# TYPE sglang:cache_hit_rate gauge
sglang:cache_hit_rate{model_name="meta-llama/Llama-3.1-8B-Instruct"} 0.007507552643049313
# HELP sglang:time_to_first_token_seconds Histogram of time to first token in seconds.
# TYPE sglang:time_to_first_token_seconds histogram
sglang:time_to_first_token_seconds_sum{model_name="meta-llama/Llama-3.1-8B-Instruct"} 2.3518979474117756e+06
sglang:time_to_first_token_seconds_bucket{le="0.001",model_name="meta-llama/Llama-3.1-8B-Instruct"} 0.0
sglang:time_to_first_token_seconds_count{model_name="meta-llama/Llama-3.1-8B-Instruct"} 11008.0
# TYPE sglang:num_queue_reqs gauge
sglang:num_queue_reqs{model_name="meta-llama/Llama-3.1-8B-Instruct"} 2826.0
# TYPE sglang:num_running_reqs gauge
sglang:num_running_reqs{model_name="meta-llama/Llama-3.1-8B-Instruct"} 162.0
"""
TGI = """\
# TYPE tgi_queue_size gauge
tgi_queue_size 3

# TYPE tgi_batch_current_size gauge
tgi_batch_current_size 5

# TYPE tgi_request_duration histogram
tgi_request_duration_bucket{le="0.05"} 0
tgi_request_duration_bucket{le="+Inf"} 20
tgi_request_duration_sum 40.5
tgi_request_duration_count 20

# TYPE tgi_request_mean_time_per_token_duration histogram
tgi_request_mean_time_per_token_duration_sum 2.1
tgi_request_mean_time_per_token_duration_count 20

# TYPE tgi_request_queue_duration histogram
tgi_request_queue_duration_sum 0.5
tgi_request_queue_duration_count 20

# TYPE tgi_request_input_length histogram
tgi_request_input_length_sum 3000
tgi_request_input_length_count 20

# TYPE tgi_request_generated_tokens histogram
tgi_request_generated_tokens_sum 1280
tgi_request_generated_tokens_count 20
"""
LLAMA_CPP = """\
# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed, excluding cached tokens
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 31
# HELP llamacpp:prompt_tokens_cached_total Number of prompt tokens reused from the cache
# TYPE llamacpp:prompt_tokens_cached_total counter
llamacpp:prompt_tokens_cached_total 9
# TYPE llamacpp:tokens_predicted_total counter
llamacpp:tokens_predicted_total 8
# TYPE llamacpp:tokens_predicted_seconds_total counter
llamacpp:tokens_predicted_seconds_total 0.089572
# TYPE llamacpp:predicted_tokens_seconds gauge
llamacpp:predicted_tokens_seconds 78.1494
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 4
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 2
"""
TRTLLM = """\
# HELP trtllm_num_requests_running Number of active requests
# TYPE trtllm_num_requests_running gauge
trtllm_num_requests_running{engine_type="trtllm",model_name="nemotron-nano-3"} 6.0
# TYPE trtllm_num_requests_waiting gauge
trtllm_num_requests_waiting{engine_type="trtllm",model_name="nemotron-nano-3"} 1.0
# HELP trtllm_kv_cache_utilization KV cache utilization
# TYPE trtllm_kv_cache_utilization gauge
trtllm_kv_cache_utilization{engine_type="trtllm",model_name="nemotron-nano-3"} 0.62
# TYPE trtllm_time_per_output_token_seconds histogram
trtllm_time_per_output_token_seconds_bucket{engine_type="trtllm",le="0.01",model_name="nemotron-nano-3"} 4.0
trtllm_time_per_output_token_seconds_count{engine_type="trtllm",model_name="nemotron-nano-3"} 4.0
trtllm_time_per_output_token_seconds_sum{engine_type="trtllm",model_name="nemotron-nano-3"} 0.03
# TYPE trtllm_prompt_tokens_total counter
trtllm_prompt_tokens_total{engine_type="trtllm",model_name="nemotron-nano-3"} 512.0
# TYPE trtllm_prompt_cached_tokens_total counter
trtllm_prompt_cached_tokens_total{engine_type="trtllm",model_name="nemotron-nano-3"} 64.0
"""
LITELLM = """\
# HELP litellm_in_flight_requests Number of HTTP requests currently in-flight on this uvicorn worker
# TYPE litellm_in_flight_requests gauge
litellm_in_flight_requests 3.0
# HELP litellm_input_tokens_metric_total Total number of input tokens from LLM requests
# TYPE litellm_input_tokens_metric_total counter
litellm_input_tokens_metric_total{api_key_alias="a",model="gpt-4o",user="say \\"hi, {you}\\""} 100.0
litellm_input_tokens_metric_total{api_key_alias="b",model="gpt-4o",user="x"} 20.0
# TYPE litellm_request_total_latency_metric histogram
litellm_request_total_latency_metric_bucket{api_key_alias="a",le="+Inf",model="gpt-4o"} 4.0
litellm_request_total_latency_metric_count{api_key_alias="a",model="gpt-4o"} 4.0
litellm_request_total_latency_metric_sum{api_key_alias="a",model="gpt-4o"} 6.5
# TYPE litellm_request_queue_time_seconds histogram
litellm_request_queue_time_seconds_count{api_key_alias="a",model="gpt-4o"} 4.0
litellm_request_queue_time_seconds_sum{api_key_alias="a",model="gpt-4o"} 0.01
"""
TOLD: dict[str, tuple[str, dict[str, float]]] = {
    "vllm": (
        VLLM,
        {
            "running": 8,
            "waiting": 0,
            "kv_usage": 0.25,
            "prefix_queries_total": 9637,
            "prefix_hits_total": 4096,
            "preemptions_total": 2,
            "prompt_tokens_total": 9637,
            "generation_tokens_total": 19851,
            "ttft_s_count": 16,
            "ttft_s_sum": 0.75,
            "itl_s_count": 19835,
            "itl_s_sum": 198.5,
        },
    ),
    "sglang": (
        SGLANG,
        {
            "running": 162,
            "waiting": 2826,
            "kv_usage": 0.28,
            "prompt_tokens_total": 8128902,
            "prefix_queries_total": 8128902,
            "generation_tokens_total": 7557572,
            "ttft_s_count": 11008,
            "ttft_s_sum": 2351897.9474117756,
        },
    ),
    "tgi": (
        TGI,
        {
            "waiting": 3,
            "running": 5,
            "e2e_s_sum": 40.5,
            "e2e_s_count": 20,
            "queue_s_sum": 0.5,
            "queue_s_count": 20,
            "prompt_tokens_total": 3000,
            "generation_tokens_total": 1280,
        },
    ),
    "llama.cpp": (
        LLAMA_CPP,
        {
            "running": 4,
            "waiting": 2,
            "prompt_tokens_total": 40,
            "generation_tokens_total": 8,
            "prefix_hits_total": 9,
            "prefix_queries_total": 40,
        },
    ),
    "trt-llm": (
        TRTLLM,
        {
            "running": 6,
            "waiting": 1,
            "kv_usage": 0.62,
            "tpot_s_count": 4,
            "tpot_s_sum": 0.03,
            "prompt_tokens_total": 512,
            "prefix_hits_total": 64,
            "prefix_queries_total": 512,
        },
    ),
    "litellm": (
        LITELLM,
        {
            "running": 3,
            "prompt_tokens_total": 120,
            "prefix_queries_total": 120,
            "e2e_s_count": 4,
            "e2e_s_sum": 6.5,
            "queue_s_count": 4,
            "queue_s_sum": 0.01,
        },
    ),
}


# --- the words -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", TOLD)
def test_each_engine_is_understood(engine: str) -> None:
    """What an engine tells has our name; what it does not tell is None, never 0."""
    text, told = TOLD[engine]
    values = read_metrics(text.encode())
    assert {name: value for name, value in values.items() if value is not None} == told
    assert set(values) == set(canonical())


def test_engines_are_added_and_the_parts_of_one_model_are_not() -> None:
    """Requests of two engines add up, their cache usage is averaged, and the ranks of a cut model count once."""
    text = """\
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 4.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.5
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 1.0
sglang:num_queue_reqs{dp_rank="0",model_name="m",tp_rank="0"} 5.0
sglang:num_queue_reqs{dp_rank="0",model_name="m",tp_rank="1"} 5.0
sglang:num_queue_reqs{dp_rank="1",model_name="m",tp_rank="2"} 2.0
"""
    values = read_metrics(text.encode())
    assert (values["running"], values["kv_usage"], values["waiting"]) == (7, 0.75, 7)


def test_an_old_name_counts_where_the_new_one_is_missing() -> None:
    """Of the candidates the first that is there counts, the others are not added to it."""
    old = b'vllm:gpu_cache_usage_perc{engine="0"} 0.25\n'
    assert read_metrics(old)["kv_usage"] == 0.25
    assert read_metrics(old + b'vllm:kv_cache_usage_perc{engine="0"} 0.5\n')["kv_usage"] == 0.5


def test_what_is_no_number_is_unknown() -> None:
    """NaN and infinity are no measurement, and a longer name is another metric."""
    text = b"vllm:num_requests_running NaN\ntgi_queue_size +Inf\nvllm:num_requests_waiting_by_reason 4\n"
    assert set(read_metrics(text).values()) == {None}


def test_every_canonical_name_has_a_candidate_of_vllm() -> None:
    """The most used engine tells everything that we have a name for."""
    assert [name for name, candidates in NAMES.items() if not candidates[0].startswith("vllm:")] == []


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/metrics"),
        ("https://user:secret@models.example/openai/v1?x=1", "https://models.example/metrics"),
        ("http://[::1]:8080", "http://[::1]:8080/metrics"),
    ],
)
def test_the_metrics_are_beside_the_base_path(base_url: str, url: str) -> None:
    """Scheme, host and port are kept; path, query and credentials are not."""
    assert metrics_url(base_url) == url


# --- over sockets ----------------------------------------------------------------------------------------


def page(text: str) -> bytes:
    """An answer with metrics."""
    return sized(text.encode(), "200 OK", "content-type: text/plain; version=0.0.4")


def scraped(
    folder: Path, server: Loopback, *, until: int, targets: Sequence[str] = ("a/m",), path: str = "/v1"
) -> tuple[list[dict[str, Any]], dict[str, str], list[str]]:
    """Scrape until the server was asked ``until`` times or the scraper ends; lines, problems and paths asked for."""

    async def go() -> Scraper:
        url = f"http://127.0.0.1:{server.port}{path}"
        scraper = Scraper(dict.fromkeys(targets, url), folder / "server.jsonl", every_s=0.02)
        task = asyncio.create_task(scraper.run())
        async with asyncio.timeout(10):
            while len(server.requests) < until and not task.done():  # noqa: ASYNC110 - the server has no loop
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.wait([task])
        return scraper

    scraper = asyncio.run(go())
    file = folder / "server.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return lines, scraper.problems, [request.split()[1].decode() for request in server.requests]


def test_scrapes_become_lines(tmp_path: Path) -> None:
    """Each scrape is a line of its endpoint, a counter that fell is written as it came, and the end is scraped too."""
    before, after = (page(f"vllm:generation_tokens_total {count}\n") for count in (500, 3))
    with Loopback([before], [before], [after]) as server:
        lines, problems, paths = scraped(tmp_path, server, until=3, path="")
    assert problems == {}
    assert set(paths) == {"/metrics"}
    assert b"accept-encoding: identity" in server.requests[0]
    assert [line["values"]["generation_tokens_total"] for line in lines][:3] == [500, 500, 3]
    assert lines[0]["values"]["waiting"] is None
    assert {line["endpoint"] for line in lines} == {"a/m"}
    times = [line["at_ns"] for line in lines]
    assert times == sorted(times)
    assert len(lines) >= 4, "there is none from the end"


def test_endpoints_of_one_server_share_its_scrapes(tmp_path: Path) -> None:
    """Two models of one server are asked for once, and each has its line."""
    with Loopback([page(VLLM)]) as server:
        lines, _, paths = scraped(tmp_path, server, until=2, targets=("a/m", "a/n"), path="/metrics")
    assert len(lines) == 2 * len(paths)
    assert [line["endpoint"] for line in lines[:2]] == ["a/m", "a/n"]


@pytest.mark.parametrize("status", ["404 Not Found", "401 Unauthorized", "405 Method Not Allowed"])
def test_a_server_without_metrics_is_left_alone(tmp_path: Path, status: str) -> None:
    """It is asked at the usual places once, never again, and the reason is kept."""
    with Loopback([sized(b"no", status)]) as server:
        lines, problems, paths = scraped(tmp_path, server, until=99, path="/metrics")
    assert lines == []
    assert problems == {"a/m": f"GET /metrics: status {status[:3]}"}
    assert paths == ["/metrics", "/prometheus/metrics"]
    assert not (tmp_path / "server.jsonl").exists()


def test_a_page_for_people_is_no_metrics(tmp_path: Path) -> None:
    """A front page that is answered with 200 at any path is not asked again."""
    with Loopback([sized(b"<html>welcome</html>")]) as server:
        _, problems, paths = scraped(tmp_path, server, until=99, path="")
    assert problems == {"a/m": "GET /metrics: no metric of an engine that is known"}
    assert len(paths) == 2


def test_a_broken_line_is_told(tmp_path: Path) -> None:
    """A metric without a number is a problem of one line."""
    with Loopback([page("vllm:num_requests_running{engine=0} many\n")]) as server:
        _, problems, _ = scraped(tmp_path, server, until=99, path="")
    assert problems["a/m"].startswith("GET /metrics: not Prometheus metrics: ")


def test_nobody_there_is_told(tmp_path: Path) -> None:
    """A refused connection ends the scraping of its endpoint, with the reason."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        scraper = Scraper({"a/m": f"http://127.0.0.1:{taken.getsockname()[1]}/v1", "b/m": "nonsense"}, tmp_path / "s")
        asyncio.run(scraper.run())
    assert "connect" in scraper.problems["a/m"]
    assert scraper.problems["b/m"] == "its metrics URL is no address of a server"


@pytest.mark.parametrize(
    "first",
    [
        [sized(b"loading", "503 Service Unavailable")],
        [b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\ncut", "fin"],
        [page("# HELP python_info x\n")],
    ],
    ids=["busy", "cut", "empty"],
)
def test_a_busy_server_is_asked_again(tmp_path: Path, first: list[Step]) -> None:
    """What may pass is counted and does not end the scraping."""
    with Loopback(first, first, [page(VLLM)]) as server:
        lines, problems, _ = scraped(tmp_path, server, until=6, path="")
    assert lines[0]["values"]["running"] == 8
    assert " scrapes failed, the last one: GET /metrics: " in problems["a/m"]


def test_the_second_path_is_found(tmp_path: Path) -> None:
    """TensorRT-LLM has JSON under /metrics, which reading empties: it is read once, and then the other path alone."""
    with Loopback([sized(b'[{"gpuMemUsage":1}]')], [page(TRTLLM)]) as server:
        lines, problems, paths = scraped(tmp_path, server, until=4, path="")
    assert paths[:3] == ["/metrics", "/prometheus/metrics", "/prometheus/metrics"]
    assert lines[0]["values"]["running"] == 6
    assert problems == {}


def test_a_metrics_url_of_its_own_comes_first(tmp_path: Path) -> None:
    """A path that is given is asked for before the usual ones."""
    with Loopback([page(VLLM)]) as server:
        lines, _, paths = scraped(tmp_path, server, until=2, path="/engine/metrics?pod=1")
    assert paths[0] == "/engine/metrics?pod=1"
    assert lines


def test_a_redirect_of_the_same_server_is_followed(tmp_path: Path) -> None:
    """LiteLLM sends /metrics on to /metrics/, which is then asked for directly; another server is not asked."""
    with Loopback([sized(b"", "307 Temporary Redirect", "location: /metrics/")], [page(LITELLM)]) as server:
        lines, _, paths = scraped(tmp_path, server, until=4, path="")
    assert paths[:3] == ["/metrics", "/metrics/", "/metrics/"]
    assert lines
    with Loopback([sized(b"", "307 Temporary Redirect", "location: http://127.0.0.1:1/metrics/")]) as server:
        _, problems, _ = scraped(tmp_path, server, until=99, path="")
    assert problems == {"a/m": "GET /metrics: status 307"}


def test_a_disk_that_refuses_ends_no_run(tmp_path: Path) -> None:
    """Samples that cannot be written are a problem that is told, not an error that stops a load."""
    with Loopback([page(VLLM)]) as server:
        _, problems, _ = scraped(tmp_path / "missing", server, until=99, path="")
    assert problems == {"a/m": "server.jsonl: No such file or directory"}


@pytest.mark.model
def test_the_real_server_tells_of_itself(tmp_path: Path) -> None:
    """llama.cpp, as we start it, has metrics, and they count what it answered."""
    if find(WEIGHTS["smollm2"]) is None:
        pytest.skip("the weights of smollm2 are not on this machine: harness models pull smollm2")
    server = engines.start(Serve("llama_cpp", {"model": "smollm2", "parallel": 1, "context": 256}))
    try:
        body = {"messages": [{"role": "user", "content": "Say hello"}], "max_tokens": 8}
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{server.base_url}/chat/completions", json.dumps(body).encode(), headers)

        async def go() -> Scraper:
            scraper = Scraper({"local/smollm2": server.base_url}, tmp_path / "server.jsonl", every_s=0.05)
            task = asyncio.create_task(scraper.run())
            await asyncio.sleep(0.2)
            await asyncio.to_thread(lambda: urllib.request.urlopen(request).read())
            task.cancel()
            await asyncio.wait([task])
            return scraper

        scraper = asyncio.run(go())
    finally:
        server.stop()
    assert scraper.problems == {}
    lines = [json.loads(line) for line in (tmp_path / "server.jsonl").read_text().splitlines()]
    tokens = [line["values"]["generation_tokens_total"] for line in lines]
    assert tokens[0] == 0
    assert 0 < tokens[-1] <= 8
    assert lines[-1]["values"]["prompt_tokens_total"] > 8
    assert {line["values"]["kv_usage"] for line in lines} == {None}
