"""A run as OpenTelemetry spans and metrics: names by revision, failures marked, content only when asked for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from published import EPOCH, attempt, make_run, score

from harness.cli import cli
from harness.errors import CannotMeasure, UnknownName, UsageError
from harness.report.otel import export as otel
from harness.report.otel import names as otel_names
from harness.report.otel import rows as otel_rows
from harness.store.index import publish

needs_sdk = pytest.mark.skipif(
    find_spec("opentelemetry") is None, reason="the extra otel is not installed: pip install -e '.[otel]'"
)
SECRET = "what nobody else may read"
START_NS = round(EPOCH.replace(tzinfo=UTC).timestamp()) * 10**9


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two good answers, one of them a retry, and of every kind of attempt that is no answer."""
    folder = tmp_path_factory.mktemp("otel")
    marks = {"admit": 0, "send0": 10, "hdr": 80, "ev1": 100, "tok1": 100, "tokn": 400, "eof": 410}
    good = {
        "ms": marks,
        "status": 200,
        "api": "chat",
        "finish_reason": "stop",
        "prompt_tokens": 12,
        "completion_tokens": 3,
        "cached_tokens": 4,
        "response_model": "m-2026",
        "chunk_delta_us": [90_000, 200_000, 100_000],
        "chunk_events": [1, 1, 1],
    }
    make_run(
        folder,
        about={"endpoints": [_endpoint()]},
        attempts=[
            attempt("good", **good),
            attempt("asked", kind="quality", task="sums", stage="quality.sums", **good),
            attempt("again", ms={"send0": 5, "hdr": 9, "eof": 9}, status=503, api="chat", **_failed("http_5xx")),
            attempt("again", number=1, **good),
            attempt("refused", ms={"admit": 1}, api="chat", **_failed("connect")),
            attempt("never", api="chat", **_failed("unasked")),
            attempt("copy", api="chat", status=200, cached=True),
            attempt("models", kind="probe", status=200, stream=False),
            attempt("vectors", **good | {"api": "embeddings", "stream": False, "chunk_delta_us": [], "ms": marks}),
        ],
        texts=[
            {
                "run_id": "?",
                "job_id": "good",
                "number": 0,
                "request_body": json.dumps(
                    {"messages": [{"role": "user", "content": SECRET}], "max_tokens": 9, "seed": 3, "top_p": "x"}
                ),
                "text": f"{SECRET}!",
                "reasoning": "hm",
                "tool_calls_json": "[]",
                "response_headers_json": "[]",
                "text_lossy": False,
            }
        ],
        scores=[score("asked", 1.0, explanation=SECRET)],
    )
    publish(folder)
    return folder


def _failed(kind: str) -> dict[str, Any]:
    return {"failure_kind": kind, "failure_detail": f"said: {SECRET}"}


def _endpoint() -> dict[str, Any]:
    own = {"id": "p/m", "provider": "mistral", "kind": "hosted", "model": "m", "model_id": "vendor-m"}
    return own | {"base_url": "https://api.example.org/secret/v1?key=1", "engine": None, "engine_version": None}


def _operations(results: Path, *, content: bool = False) -> dict[str, otel_rows.Operation]:
    run = next((results / "runs").iterdir()).name
    found = otel_rows.operations(results, run, content=content)
    return {f"{one.attributes['harness.job_id']}/{one.attributes['harness.number']}": one for one in found}


def test_what_was_sent_is_an_operation_and_nothing_else(results: Path) -> None:
    """Retries and failures are operations; copies, what was never asked, and other paths are none, and are counted."""
    found = _operations(results)
    assert set(found) == {"good/0", "asked/0", "again/0", "again/1", "refused/0", "vectors/0"}
    assert otel_rows.left_out(results, next((results / "runs").iterdir()).name) == 3


def test_attributes_are_those_of_the_conventions(results: Path) -> None:
    """A good answer says who was asked for what, and what came; the address alone is told of the URL."""
    one = _operations(results)["good/0"]
    assert one.name == "chat vendor-m"
    assert {name: value for name, value in one.attributes.items() if not name.startswith("harness.")} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "mistral_ai",
        "gen_ai.request.model": "vendor-m",
        "gen_ai.response.model": "m-2026",
        "server.address": "api.example.org",
        "server.port": 443,
        "gen_ai.request.stream": True,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.time_to_first_chunk": 0.09,
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "http.response.status_code": 200,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.seed": 3,
    }
    assert _operations(results)["vectors/0"].name == "embeddings vendor-m"


def test_times_are_those_of_the_runs_own_clock(results: Path) -> None:
    """A span begins when its request was sent, at the anchored wall time, and lasts as long as the marks say."""
    found = _operations(results)
    good = found["good/0"]
    assert good.start_ns == START_NS + 10 * 10**6
    assert good.end_ns - good.start_ns == 400 * 10**6
    assert good.measures == {
        "duration": [0.4],
        "time_to_first_chunk": [0.09],
        "time_per_output_chunk": [0.2, 0.1],
        "input_tokens": [12],
        "output_tokens": [3],
    }
    assert found["refused/0"].start_ns == START_NS + 10**6


def test_failures_are_marked(results: Path) -> None:
    """A failed attempt has its kind as error.type, and a duration but no other time."""
    again = _operations(results)["again/0"]
    assert (again.failure, again.attributes["error.type"]) == ("http_5xx", "http_5xx")
    assert set(again.measures) == {"duration"}


def test_attempts_of_a_job_share_a_trace_and_identifiers_last(results: Path) -> None:
    """A retry is another span of the same trace; what is exported twice has the same identifiers."""
    found = _operations(results)
    assert found["again/0"].trace == found["again/1"].trace != found["good/0"].trace
    assert len({one.span for one in found.values()}) == len(found)
    assert {one.span for one in _operations(results).values()} == {one.span for one in found.values()}


def test_content_is_off_unless_asked_for(results: Path) -> None:
    """Neither prompts nor answers, nor what quotes them, are told by default; with content all are."""
    assert SECRET not in repr(_operations(results))
    found = _operations(results, content=True)
    assert SECRET in found["good/0"].attributes["gen_ai.input.messages"]
    assert [one["type"] for one in json.loads(found["good/0"].attributes["gen_ai.output.messages"])[0]["parts"]] == [
        "reasoning",
        "text",
    ]
    assert SECRET in found["again/0"].detail
    assert found["asked/0"].evaluation == {
        "gen_ai.evaluation.name": "exact",
        "gen_ai.evaluation.score.value": 1.0,
        "gen_ai.evaluation.explanation": SECRET,
    }


@pytest.mark.parametrize("body", ["", "[]", "{", "[" * 99_999, '{"messages": 3, "max_tokens": 1e999, "seed": true}'])
def test_any_body_can_be_exported(body: str) -> None:
    """A body that is no chat request costs its attributes only."""
    assert otel_rows._asked(body) == {}
    row = dict.fromkeys(("text", "reasoning", "tool_calls_json", "finish_reason")) | {"request_body": body}
    assert otel_rows._content(row) == {}


def test_names_come_by_revision() -> None:
    """Each revision names where it is written down; a mistyped one is answered with the nearest."""
    old, new = otel_names.names("1.41"), otel_names.names("genai-024a4f9")
    assert otel_names.default() == "1.41"
    assert otel_names.metric_name(old, "duration", "chat") == "gen_ai.client.operation.duration"
    assert otel_names.metric_name(new, "duration", "chat") == "gen_ai.client.inference.duration"
    assert otel_names.metric_name(new, "duration", "embeddings") == "gen_ai.client.operation.duration"
    assert otel_names.provider_name("my-own") == "my-own"
    with pytest.raises(UnknownName, match=r"Did you mean 1\.41"):
        otel_names.names("1.40")


@pytest.mark.skipif(find_spec("opentelemetry") is not None, reason="the extra otel is installed")
def test_without_the_extra_one_line_says_what_to_install() -> None:
    """The SDK is no dependency: whoever lacks it is told its name."""
    with pytest.raises(UsageError, match=r"endpoint-harness\[otel\]"):
        otel.exporters("http://127.0.0.1:4318")


# --- with the SDK ----------------------------------------------------------------------------------------


class _Kept:
    """Takes metrics as an exporter does."""

    def __init__(self, word: str = "SUCCESS") -> None:
        self.batches: list[Any] = []
        self.name = word

    def export(self, batch: Any) -> Any:
        """Keep them."""
        self.batches.append(batch)
        return self


@needs_sdk
def test_the_sdk_takes_spans_and_metrics(results: Path) -> None:
    """Its own exporter in memory holds each operation, with status, kind, event and resource as they must be."""
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans, metrics = InMemorySpanExporter(), _Kept()
    found = _operations(results)
    done = otel.export(found.values(), "r", otel_names.names("1.41"), spans, metrics)
    assert done == (6, 2, 4)
    kept = {span.attributes["harness.job_id"]: span for span in spans.get_finished_spans() if span.attributes}
    assert (kept["refused"].status.status_code.name, kept["refused"].status.description) == ("ERROR", "connect")
    assert (kept["good"].status.status_code.name, kept["good"].kind.name) == ("UNSET", "CLIENT")
    assert [event.name for event in kept["asked"].events] == ["gen_ai.evaluation.result"]
    assert kept["good"].resource.attributes["harness.genai_conventions"] == "1.41"
    [resource] = metrics.batches[0].resource_metrics
    by_name = {one.name: one for one in resource.scope_metrics[0].metrics}
    tokens = by_name["gen_ai.client.token.usage"].data.data_points
    assert {point.attributes["gen_ai.token.type"] for point in tokens} == {"input", "output"}
    durations = by_name["gen_ai.client.operation.duration"].data.data_points
    assert sum(point.count for point in durations) == 6
    good = next(point for point in durations if "error.type" not in point.attributes and point.count == 3)
    assert good.bucket_counts[6] == 3  # 0.4 s lies above 0.32 and not above 0.64
    assert (good.min, good.max, good.sum) == (0.4, 0.4, pytest.approx(1.2))


@needs_sdk
def test_a_collector_that_does_not_take_it_is_told(results: Path) -> None:
    """What could not be delivered is no success."""
    with pytest.raises(CannotMeasure, match="did not take"):
        otel.export(_operations(results).values(), "r", otel_names.names("1.41"), _Kept("FAILURE"), _Kept())


@contextmanager
def _collector(status: int = 200) -> Iterator[tuple[str, list[tuple[str, Any, bytes]]]]:
    """A collector on the loopback that keeps path, headers and body of what it is sent."""
    taken: list[tuple[str, Any, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append((self.path, self.headers, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", taken
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@needs_sdk
def test_the_command_sends_what_a_collector_can_read(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over HTTP comes protobuf that decodes to what was recorded, under the headers of the environment."""
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=k1")
    with _collector() as (url, taken):
        command = ["export", "otlp", "latest", "--results", str(results), "-e", url, "--names", "genai-024a4f9"]
        done = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert done.exit_code == 0
    assert "6 spans, 2 of them failed, and 6 metrics" in done.output
    assert "3 attempts were never sent" in done.output
    assert [path for path, _, _ in taken] == ["/v1/traces", "/v1/metrics"]
    assert {headers["x-key"] for _, headers, _ in taken} == {"k1"}
    assert SECRET.encode() not in b"".join(body for _, _, body in taken)
    traces = ExportTraceServiceRequest.FromString(taken[0][2])
    spans = traces.resource_spans[0].scope_spans[0].spans
    assert len(spans) == 6
    good = next(one for one in spans if one.start_time_unix_nano == START_NS + 10 * 10**6)
    assert good.end_time_unix_nano - good.start_time_unix_nano == 400 * 10**6
    assert {one.name for one in spans} == {"chat vendor-m", "embeddings vendor-m"}
    assert sum(one.status.code == 2 for one in spans) == 2
    metrics = ExportMetricsServiceRequest.FromString(taken[1][2]).resource_metrics[0].scope_metrics[0].metrics
    assert {one.name for one in metrics} == {
        "gen_ai.client.inference.duration",
        "gen_ai.client.operation.duration",
        "gen_ai.client.inference.time_to_first_chunk",
        "gen_ai.client.inference.time_per_output_chunk",
        "gen_ai.client.inference.operation.input_tokens",
        "gen_ai.client.inference.operation.output_tokens",
    }


@needs_sdk
@pytest.mark.parametrize("status", [400, 401])
def test_a_refusal_ends_with_a_line_and_a_code(results: Path, status: int) -> None:
    """A collector that refuses is no success, and its answer is not shown."""
    with _collector(status) as (url, _):
        done = CliRunner().invoke(cli, ["export", "otlp", "latest", "--results", str(results), "-e", url])
    assert isinstance(done.exception, CannotMeasure)
    assert done.exception.exit_code == 3


@needs_sdk
def test_a_url_that_is_none_is_refused() -> None:
    """The endpoint is a base URL, not a host."""
    with pytest.raises(UsageError, match="no URL"):
        otel.exporters("127.0.0.1:4318")
