"""A candidate against a base of the same run, or of the last good nights: the change of every metric with a margin."""

from __future__ import annotations

import math
from typing import NamedTuple

from harness.gates.context import Context
from harness.gates.judgement import Case, Verdict
from harness.gates.terms import Gate
from harness.report.comparison import same_questions
from harness.report.comparison.same_questions import Asked as Side
from harness.report.nights.metrics import METRICS, Reading
from harness.stats.blocks import FEWEST_BLOCKS, paired_blocks, paired_shares
from harness.stats.change import Asked, Change
from harness.stats.gating import Gated
from harness.stats.items import paired_items

BLOCKS = 5
"""Blocks that are recommended; fewer show only large changes."""


class Compared(NamedTuple):
    """One metric with a margin at one endpoint and piece of work, before all of a gate are judged together."""

    gate: Gate
    reading: Reading
    change: Change
    counted: str
    next: str = ""
    """The command that helps where nothing could be tested."""
    unconfirmed: bool = False


def asked_of(context: Context, gate: Gate) -> Asked:
    """The test of a gate with a margin."""
    assert gate.margin is not None
    assert gate.mode is not None
    return METRICS[gate.metric].asked(gate.margin.amount, context.alpha(gate.mode))


def beside(context: Context, gate: Gate, reading: Reading) -> Compared | Case:
    """A reading against that of the base in the same run: block by block, or question by question."""
    place = (reading.kind, reading.task, reading.stage)
    found = (one for one in context.readings(gate, context.base) if (one.kind, one.task, one.stage) == place)
    base = next(found, None)
    why = context.trust.against(context.base, reading.kind, reading.place)
    if base is None or base.value is None or why:
        told = why or f"{context.base}, which it is compared with, has no {gate.metric} there"
        return unmeasured(gate, reading.endpoint, reading.place, f"the base was not measured: {told}")
    if reading.kind in ("quality", "tools"):
        return _questions(context, gate, reading)
    return _blocks(context, gate, reading, base)


def _blocks(context: Context, gate: Gate, reading: Reading, base: Reading) -> Compared | Case:
    asked = asked_of(context, gate)
    if len(base.blocks) != len(reading.blocks):
        told = f"{len(base.blocks)} blocks of {context.base} and {len(reading.blocks)} of {reading.endpoint} were seen"
        return unmeasured(gate, reading.endpoint, reading.place, f"{told}: they cannot be set against each other")
    if reading.count is not None:
        change = paired_shares(base.block_counts, reading.block_counts, asked)
    else:
        change = paired_blocks(base.block_values, reading.block_values, asked)
    few = len(reading.blocks) < FEWEST_BLOCKS
    return Compared(gate, reading, change, "blocks", context.again(blocks=BLOCKS) if few else "")


def _questions(context: Context, gate: Gate, reading: Reading) -> Compared:
    sides = (Side(context.run, context.base), Side(context.run, reading.endpoint))
    return questions(context, gate, reading, *sides)


def questions(context: Context, gate: Gate, reading: Reading, before: Side, after: Side) -> Compared:
    """A task, question by question. Errors: as ``rows``."""
    find = same_questions.scores if gate.metric == "quality" else same_questions.failures
    found = find(context.results, reading.kind, reading.task, before, after)
    change = paired_items(found.before, found.after, asked_of(context, gate), found.clusters)
    return Compared(gate, reading, change, "questions")


def unmeasured(
    gate: Gate, endpoint: str, workload: str, reason: str, *, verdict: Verdict = "error", command: str = ""
) -> Case:
    """A test of which there are no figures."""
    metric = METRICS[gate.metric]
    margin = gate.margin
    return Case(
        "limit" if margin is None else "margin",
        gate.metric,
        endpoint,
        workload,
        verdict,
        reason,
        unit=metric.unit,
        mode=gate.mode,
        limit=gate.limit if margin is None else margin.amount,
        scale=None if margin is None else margin.scale,
        next=command,
    )


def case(compared: Compared, word: Gated) -> Case:
    """What came of one comparison."""
    gate, change = compared.gate, compared.change
    asked = change.asked
    worse = [None if value is None else _worse(asked, value) for value in (change.value, change.low, change.high)]
    bounds = sorted(bound for bound in worse[1:] if bound is not None)
    low, high = bounds if len(bounds) == 2 else (None, None)
    lost = f"; {change.dropped} without a value on one side" if change.dropped else ""
    return Case(
        "margin",
        gate.metric,
        compared.reading.endpoint,
        compared.reading.place,
        "inconclusive" if compared.unconfirmed else word.word,
        f"{word.reason}{lost}{_would_do(compared, word)}",
        unit=METRICS[gate.metric].unit,
        mode=gate.mode,
        base=change.base,
        value=compared.reading.value if change.candidate is None else change.candidate,
        limit=asked.margin,
        scale=asked.scale,
        change=worse[0],
        low=low,
        high=high,
        mde=change.mde,
        p_value=word.p_value,
        p_adjusted=word.p_adjusted,
        alpha=asked.alpha,
        n=change.n,
        counted=compared.counted,
        method=change.method,
        unconfirmed=compared.unconfirmed,
        next=compared.next,
    )


def _would_do(compared: Compared, word: Gated) -> str:
    """How many more would show a change as large as the margin: an MDE falls with the square root of their number."""
    change = compared.change
    if word.word != "inconclusive" or change.mde is None or compared.counted == "nights" or change.resolved:
        return ""
    needed = math.ceil(change.n * (change.mde / change.asked.margin) ** 2)
    return f"; about {needed:,} {compared.counted} like these would show it"


def _worse(asked: Asked, value: float) -> float:
    """A ratio or a difference as how much worse it is, in the unit of a margin."""
    off = value - 1 if asked.scale == "ratio" else value
    return off if asked.better == "lower" else -off
