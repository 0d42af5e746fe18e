"""A verification in words: a scorecard of each candidate, and the requests that show what differs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from harness.exchange import Usage
from harness.provider import Provider
from harness.record.folder import RunFolder, results_option
from harness.report import words
from harness.report.conformance.evidence import curl, evidence
from harness.report.document import Block, Document, Grid, Note, Part, grid
from harness.report.fidelity.answers import VERIFIED, Sides
from harness.report.fidelity.quality import SCORE
from harness.report.fidelity.under_load import SIDES as LOADED
from harness.report.tables import drawn, written
from harness.scorers.strict_json import clipped
from harness.types import Attempt, JsonObject
from harness.wire.understand import understand

COLUMNS = ("test", "verdict", "what was seen", "gap", "95 %", "ceiling", "smallest found", "margin", "p", "n")
WORDS_FIRST = 3
"""Of these, so many columns of words."""
_SIGNS = {"equivalent": "●", "not worse": "●", "different": "✕", "worse": "✕"}
_LONGEST = 400
"""Characters of a text that is shown."""
_MOST_CALLS = 4


def document(results: Path, folder: RunFolder, found: JsonObject, providers: dict[str, Provider]) -> Document:
    """The report of what ``judged`` gave; ``providers`` as they are configured now, for the commands."""
    return Document(
        title=title(found),
        about=tuple(about(found)),
        parts=tuple(Part(verdict_of(one), tuple(_card(found, one, folder, providers))) for one in found["candidates"]),
        foot=(
            Note(f"Run {found['run']} ({found['status']}). Judge it again with:", "quiet"),
            Note(f"harness verify report {found['run']}{results_option(results)}", "command"),
        ),
        numbers=found,
    )


def show(told: Document, console: Console) -> None:
    """Print a report."""
    console.print(written(Note(told.title, "strong")))
    for note in told.about:
        console.print(written(note), soft_wrap=True)
    for part in told.parts:
        console.print()
        console.print(written(Note(part.title, "strong")), soft_wrap=True)
        for block in part.blocks:
            _show(block, console)
    for note in told.foot:
        console.print(written(note), soft_wrap=True)


def _show(block: Block, console: Console) -> None:
    if isinstance(block, Grid):
        console.print(drawn(block, close=True))
    elif isinstance(block, Note):
        console.print(written(block), soft_wrap=True)
    elif isinstance(block, Part):
        console.print(written(Note(f"\n{block.title}", "strong")), soft_wrap=True)
        for one in block.blocks:
            _show(one, console)


def title(found: JsonObject) -> str:
    """What the report answers."""
    if found["kind"] == "under load":
        return f"Does quality fall when the server is busy? Alone, and with {found['load']}"
    return f"Who serves it faithfully? Against {found['reference']}"


def about(found: JsonObject) -> Iterator[Note]:
    """How it was measured, and what the verdicts mean."""
    yield from _about_load(found) if found["kind"] == "under load" else _about_reference(found)
    if found["status"] != "finished":
        yield Note("The run was broken off: some requests were not sent.", "warning")


def _about_load(found: JsonObject) -> Iterator[Note]:
    yield Note(
        f"The same questions were asked one at a time and under a load of themselves, {found['load']}, in turn, "
        f"{found['blocks']} times. Gap: the share under load less the share alone, question by question."
    )
    yield Note(
        "Not worse: a loss of the margin is ruled out, at 0.05. Worse: a loss is shown, and that is not ruled out. "
        "Requests without an answer are no wrong answers; they are in the first row alone.",
        "quiet",
    )


def _about_reference(found: JsonObject) -> Iterator[Note]:
    yield Note(
        f"{found['reference']} was asked everything twice, each candidate once, in the same hours. Gap: how far the "
        "candidate is from the reference. Ceiling: how far the reference is from itself, which is what luck alone does."
    )
    yield Note(
        f"Different: p, adjusted over {found['family']} tests (Benjamini-Hochberg), is at most 0.05. Equivalent: the "
        "whole interval of the gap lies within the margin. Otherwise inconclusive: see the smallest difference that "
        "would have been found. Different is not worse: scores are judged by themselves.",
        "quiet",
    )


def signed(word: str) -> str:
    """A verdict with a sign, so that no colour is needed to see it."""
    return f"{_SIGNS.get(word, '○')} {word}"


def verdict_of(candidate: JsonObject) -> str:
    """An endpoint's verdict in a line, with that of its scores beside it where those are another question."""
    scores = [
        f"; {SCORE} {one['word']}" for one in candidate["findings"] if one["test"] == SCORE and "times" not in candidate
    ]
    return f"{candidate['endpoint']}: {candidate['word']}{''.join(scores)}"


def _card(
    found: JsonObject, candidate: JsonObject, folder: RunFolder, providers: dict[str, Provider]
) -> Iterator[Block]:
    rows = [row(one) for one in candidate["findings"]]
    yield grid("Scorecard", WORDS_FIRST, COLUMNS, rows)
    if times := candidate.get("times"):
        yield Note(f"TTFT p50: {timed(times)}.")
    for one in candidate["findings"]:
        if one["word"] in ("different", "worse") and one["shown"]:
            yield Part(f"{one['test']}: {one['word']}", tuple(_exhibits(found, one, folder, providers)), folded=True)


def timed(times: JsonObject) -> str:
    """The median times to the first token of two sides, and how busy each was."""
    each = (
        f"{side} {words.number(one['ttft_ms'], 0)} ms with {words.number(one['under_way'], 0)} under way "
        f"({one['n']} answers)"
        for side, one in times.items()
    )
    return "; ".join(each)


def row(one: JsonObject) -> tuple[str, ...]:
    """The cells of one finding, in the order of ``COLUMNS``."""
    low, high = one["low"], one["high"]
    bounds = words.NOTHING if low is None or high is None else f"{figure(low)} to {figure(high)}"
    p = one["p_adjusted"]
    return (
        one["test"],
        one["word"],
        one["says"],
        figure(one["value"]),
        bounds,
        figure(one["ceiling"]),
        smallest(one["mde"]),
        figure(one["margin"]),
        words.NOTHING if p is None else f"{p:.3f}",
        str(one["n"]),
    )


def figure(value: float | None) -> str:
    """A gap, a bound or a margin in thousandths; whole numbers, such as tokens, as they are."""
    if value is None:
        return words.NOTHING
    # What rounds to nothing has no sign.
    return f"{value:.0f}" if value == int(value) and abs(value) >= 1 else f"{round(value, 3) + 0:.3f}"


def smallest(mde: float | None) -> str:
    """The smallest difference that is found, which is never nothing."""
    return "<0.001" if mde and round(mde, 3) == 0 else figure(mde)


def _exhibits(found: JsonObject, one: JsonObject, folder: RunFolder, providers: dict[str, Provider]) -> Iterator[Block]:
    for shown in one["shown"]:
        yield Note(shown["why"], "strong")
        for exchange in exchanges(found, shown, folder, providers):
            yield Note(f"{exchange.side}, {exchange.endpoint}:", "quiet")
            yield Note(exchange.curl, "command")
            yield from (Note(line) for line in exchange.received)


class Exchange(NamedTuple):
    """One side of a request that shows a difference."""

    side: str
    endpoint: str
    job: str
    number: int
    """Which try, 0 for the first."""
    curl: str
    """Sends the same again, without any key."""
    received: tuple[str, ...]
    """What came back, in lines to be read."""


def exchanges(
    found: JsonObject, shown: JsonObject, folder: RunFolder, providers: dict[str, Provider]
) -> Iterator[Exchange]:
    """The other side's exchange and the base's; ``shown`` as in a finding.

    Errors: as ``harness.report.conformance.evidence.evidence``.
    """
    bases = {each["id"]: each.get("base_url") for each in folder.read_manifest()["endpoints"]}
    named = {"candidate": sides_of(found).other, "reference": sides_of(found).base}
    if shown["beside"] != "reference":
        named["reference"] = shown["beside"]
    for side, name in named.items():
        for attempt in evidence(folder, [shown[side]] if shown[side] else []):
            base = bases.get(attempt.job.endpoint) or "http://127.0.0.1:PORT/v1"
            command = curl(attempt, base, providers.get(attempt.job.endpoint.partition("/")[0]))
            yield Exchange(
                name, attempt.job.endpoint, attempt.job.id, attempt.number, command, tuple(_received(attempt))
            )


def sides_of(found: JsonObject) -> Sides:
    """What the two sides of its comparisons are called."""
    return LOADED if found["kind"] == "under load" else VERIFIED


def _received(attempt: Attempt) -> Iterator[str]:
    """What came back, as it was understood."""
    outcome = understand(attempt)
    said = outcome.completion
    if said is None:
        yield f"  no answer: {outcome.failure.kind if outcome.failure else 'nothing came'}"
        return
    for name, text in (("text", said.text), ("reasoning", said.reasoning), ("refusal", said.refusal)):
        if text:
            yield f"  {name}: {clipped(text, _LONGEST)}"
    for call in said.tool_calls[:_MOST_CALLS]:
        yield f"  call: {clipped(call.name, _LONGEST)}({clipped(call.arguments, _LONGEST)})"
    usage = said.usage or Usage()
    prompt, output = (
        words.NOTHING if each is None else each for each in (usage.prompt_tokens, usage.completion_tokens)
    )
    yield f"  finish reason {said.finish_reason}, prompt tokens {prompt}, completion tokens {output}"
