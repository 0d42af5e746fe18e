"""A run as OpenTelemetry spans and metrics, handed to exporters of the SDK; needs the extra ``otel``.

A span for each attempt, failed ones marked; histograms over all of them. Identifiers follow from the run, so what is
sent twice is the same twice.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol

from harness import __version__
from harness.errors import CannotMeasure, UsageError
from harness.report.otel.names import Names, bounds, metric_name
from harness.report.otel.rows import Operation
from harness.types import JsonObject

_BATCH = 512
_UNITS = {"input_tokens": "{token}", "output_tokens": "{token}"}


class Exporter(Protocol):
    """What takes a batch of spans, or all metrics, as the SDK's exporters do."""

    def export(self, batch: Any, /) -> Any:
        """Send it; gives the SDK's own word for how that went."""


class Exported(NamedTuple):
    """What was sent."""

    spans: int
    failed: int
    """Spans of them that are marked as errors."""
    metrics: int


def exporters(endpoint: str) -> tuple[Exporter, Exporter]:
    """Exporters over OTLP/HTTP to the base URL of a collector: of spans and of metrics.

    Headers, certificates and time limits come from the SDK's own variables (``OTEL_EXPORTER_OTLP_HEADERS``...).
    Errors: UsageError where the extra is not installed, or the URL is none.
    """
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.exporter") is None:
        raise UsageError("OpenTelemetry is not installed", hint="pip install 'endpoint-harness[otel]'")
    if not endpoint.startswith(("http://", "https://")):
        raise UsageError(f"{endpoint!r} is no URL of a collector", hint="Such as http://127.0.0.1:4318")
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415 - heavy, and an extra
        OTLPMetricExporter,
    )
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - as above

    # What it logs of a refusal may quote an answer of the collector; we say in one line that it refused.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)
    url = endpoint.rstrip("/")
    return OTLPSpanExporter(endpoint=f"{url}/v1/traces"), OTLPMetricExporter(endpoint=f"{url}/v1/metrics")


def export(found: Iterable[Operation], run_id: str, names: Names, spans: Exporter, metrics: Exporter) -> Exported:
    """Hand all operations of a run to the exporters, spans in batches.

    Errors: CannotMeasure when an exporter says that it could not deliver; what it took before stays there.
    """
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - heavy, and an extra
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415 - as above

    resource = Resource(
        {
            "service.name": "endpoint-harness",
            "service.version": __version__,
            "harness.run_id": run_id,
            "harness.genai_conventions": names.revision,
            "harness.genai_conventions_source": names.source,
        },
    )
    scope = InstrumentationScope("endpoint-harness", __version__, names.schema_url)
    tally, batch, sent, failed = _Tally(names), [], 0, 0
    for one in found:
        tally.add(one)
        batch.append(_span(one, resource, scope))
        failed += one.failure is not None
        if len(batch) == _BATCH:
            sent += _send(spans, batch)
            batch = []
    sent += _send(spans, batch) if batch else 0
    if sent:
        _send(metrics, tally.data(resource, scope))
    return Exported(sent, failed, tally.n)


def _send(exporter: Exporter, batch: Any) -> int:
    if exporter.export(batch).name != "SUCCESS":
        raise CannotMeasure(
            "the collector did not take what was sent", hint="Is it up, and does it speak OTLP over HTTP?"
        )
    return len(batch) if isinstance(batch, list) else 1


def _span(one: Operation, resource: Any, scope: Any) -> Any:
    from opentelemetry.sdk.trace import Event, ReadableSpan  # noqa: PLC0415 - heavy, and an extra
    from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags  # noqa: PLC0415 - as above

    event = "gen_ai.evaluation.result"
    events = [Event(event, one.evaluation, one.end_ns)] if one.evaluation is not None else []
    error = Status(StatusCode.ERROR, one.detail or one.failure) if one.failure is not None else Status()
    return ReadableSpan(
        name=one.name,
        context=SpanContext(one.trace, one.span, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)),
        resource=resource,
        attributes=one.attributes,
        events=events,
        kind=SpanKind.CLIENT,
        status=error,
        start_time=one.start_ns,
        end_time=one.end_ns,
        instrumentation_scope=scope,
    )


@dataclass
class _Histogram:
    """The values of one metric that share their attributes."""

    attributes: JsonObject
    bounds: list[float]
    counts: list[int] = field(default_factory=list)
    total: float = 0
    low: float = float("inf")
    high: float = float("-inf")

    def add(self, values: list[float]) -> None:
        """A bucket holds what is not above its bound."""
        self.counts = self.counts or [0] * (len(self.bounds) + 1)
        for value in values:
            self.counts[bisect_left(self.bounds, value)] += 1
        self.total += sum(values)
        self.low, self.high = min(self.low, *values), max(self.high, *values)


class _Tally:
    """All histograms of a run."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._found: dict[tuple[str, str], dict[tuple[Any, ...], _Histogram]] = {}
        self._start_ns, self._end_ns = 0, 0

    @property
    def n(self) -> int:
        """Metrics that have values."""
        return len(self._found)

    def add(self, one: Operation) -> None:
        """Count what was measured of an operation."""
        self._start_ns = min(self._start_ns or one.start_ns, one.start_ns)
        self._end_ns = max(self._end_ns, one.end_ns)
        operation = one.alike["gen_ai.operation.name"]
        for metric, values in one.measures.items():
            attributes = dict(one.alike)
            if metric in _UNITS and self._names.token_type is not None:
                attributes[self._names.token_type] = metric.partition("_")[0]
            name = metric_name(self._names, metric, operation), _UNITS.get(metric, "s")
            alike = self._found.setdefault(name, {})
            key = tuple(sorted(attributes.items()))
            if key not in alike:
                alike[key] = _Histogram(attributes, bounds(metric))
            alike[key].add(values)

    def data(self, resource: Any, scope: Any) -> Any:
        """All of them, as the SDK hands metrics to an exporter."""
        from opentelemetry.sdk.metrics import export as sdk  # noqa: PLC0415 - heavy, and an extra

        made = [
            sdk.Metric(
                name=name,
                description="",
                unit=unit,
                data=sdk.Histogram(
                    [self._point(one, sdk) for one in alike.values()], sdk.AggregationTemporality.CUMULATIVE
                ),
            )
            for (name, unit), alike in self._found.items()
        ]
        scoped = sdk.ScopeMetrics(scope=scope, metrics=made, schema_url=self._names.schema_url)
        return sdk.MetricsData([sdk.ResourceMetrics(resource=resource, scope_metrics=[scoped], schema_url="")])

    def _point(self, one: _Histogram, sdk: Any) -> Any:
        return sdk.HistogramDataPoint(
            attributes=one.attributes,
            start_time_unix_nano=self._start_ns,
            time_unix_nano=self._end_ns,
            count=sum(one.counts),
            sum=one.total,
            bucket_counts=one.counts,
            explicit_bounds=one.bounds,
            min=one.low,
            max=one.high,
        )
