"""What a run's summary shows, in its order: the same tables and lines for the terminal, HTML and Markdown."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from harness.report import words
from harness.report.document import Grid, Note
from harness.report.summary import adapted, identity, running, server_times, spending
from harness.report.summary import judges as judging
from harness.report.summary import tables as summary_tables
from harness.types import JsonObject


def endpoints(summary: JsonObject) -> Iterator[Grid | Note]:
    """The endpoints, how they were measured and who answered."""
    yield summary_tables.overview(summary["endpoints"])
    for line in (f"Measured with {words.health(summary['health'])}", *words.concerns(summary["health"])):
        yield Note(line, "quiet")
    for line in running.lines(summary["running"], summary["run"]["id"]):
        yield Note(line)
    changed = adapted.lines(summary["adapted"])
    for line in (*changed, *identity.lines(summary["identities"]), *server_times.lines(summary["server_times"])):
        yield Note(line)


def answers(summary: JsonObject) -> Iterator[Grid | Note]:
    """How good their answers were, and at what price."""
    if summary["tasks"]:
        yield summary_tables.tasks(summary["tasks"])
        if any(row["n_asked"] and not row["enough"] for row in summary["tasks"]):
            yield Note(words.TOO_LITTLE, "quiet")
    repeated = [row for row in summary["tasks"] if row["repeats"]]
    if repeated:
        yield summary_tables.repeats(repeated)
    for line in judging.lines(summary["judging"]):
        yield Note(line)
    if summary["vectors"]:
        yield from importlib.import_module("harness.report.summary.vectors").shown(summary["vectors"])
    costs = spending.table(summary["spending"])
    if costs is not None:
        yield costs


def loads(summary: JsonObject) -> Iterator[Grid | Note]:
    """How they did under load."""
    if summary["loads"]:
        yield summary_tables.loads(summary["loads"])


def against_the_first(summary: JsonObject) -> Iterator[Grid | Note]:
    """Each endpoint against the first one."""
    if summary["comparisons"]:
        yield summary_tables.comparisons(summary["comparisons"])
        for line in words.rules(summary):
            yield Note(line, "quiet")


def faults(summary: JsonObject) -> Iterator[Grid | Note]:
    """What they did wrong."""
    if summary["features"]:
        yield summary_tables.features(summary["features"])
    if summary["contract_faults"]:
        yield summary_tables.broken(summary["contract_faults"])
    failing = [row for row in summary["endpoints"] if row["errors"]]
    if failing:
        yield summary_tables.errors(failing)
