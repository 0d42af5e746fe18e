"""``harness export``: a run for other systems to look at."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options
from harness.record.folder import open_run
from harness.report.otel import export as otel
from harness.report.otel import names as otel_names
from harness.report.otel import rows as otel_rows


@click.group()
def command() -> None:
    """Hand a run to another system.

    \b
    Example:
      harness export otlp latest --endpoint http://127.0.0.1:4318
    """


@command.command()
@click.argument("run", default="latest")
@click.option("--endpoint", "-e", required=True, metavar="URL", help="Base URL of a collector that speaks OTLP/HTTP.")
@click.option(
    "--names",
    "revision",
    default=otel_names.default,
    metavar="REVISION",
    help="Of the GenAI conventions: 1.41 (the last that was released, default) or genai-024a4f9 (not released).",
)
@click.option("--content", is_flag=True, help="Prompts, answers, and whatever may quote them, too.")
@options.results
def otlp(run: str, endpoint: str, revision: str, content: bool, results: Path) -> None:
    """Send RUN as OpenTelemetry spans and metrics, by the GenAI conventions; failures are marked.

    Keys of the collector come from the environment: OTEL_EXPORTER_OTLP_HEADERS.

    \b
    Example:
      harness export otlp latest --endpoint http://127.0.0.1:4318
    """
    folder = open_run(results, run)
    names = otel_names.names(revision)
    spans, metrics = otel.exporters(endpoint)
    found = otel_rows.operations(results, folder.id, content=content)
    done = otel.export(found, folder.id, names, spans, metrics)
    apart = otel_rows.left_out(results, folder.id)
    without = f"; {apart} attempts were never sent and are left out" if apart else ""
    click.echo(
        f"{folder.id}: {done.spans} spans, {done.failed} of them failed, and {done.metrics} metrics"
        f" by the GenAI conventions {revision}{without}"
    )
