"""The experiments in words: a table of verdicts by test, and the figures behind each difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from harness.report.fidelity.told import figure, smallest

BEGIN, END = "<!-- experiments: begin -->", "<!-- experiments: end -->"
NONE = "–"


class Cost(NamedTuple):
    """What was sent and got."""

    requests: int
    answered: int
    prompt_tokens: int
    output_tokens: int
    unstated: int
    """Answers whose tokens were not stated: they are in none of the sums."""

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> Cost:
        """The sum of some rows."""
        return cls(*(sum(row[name] or 0 for row in rows) for name in cls._fields))

    def __str__(self) -> str:
        if self.unstated == self.answered:
            why = "whose tokens were not stated" if self.answered else "of which none was answered"
            return f"{self.requests:,} requests, {why}"
        said = f"{self.requests:,} requests, {self.prompt_tokens:,} prompt and {self.output_tokens:,} output tokens"
        return f"{said}, those of {self.unstated:,} answers not stated" if self.unstated else said


@dataclass(frozen=True)
class Told:
    """What came of one experiment."""

    name: str
    says: str
    command: str
    seconds: float
    cost: Cost
    """Of all endpoints."""
    by_task: Mapping[str, Cost]
    """Of the first candidate."""
    judged: Mapping[str, Any]
    """As ``harness verify report --json`` gives it."""
    vendors: Mapping[str, str]
    """Vendor -> how it differs."""
    expected: Mapping[str, frozenset[str]]
    """Vendor -> the tests that had to call it different."""


def into(page: Path, head: Sequence[str], told: Sequence[Told], plans: Mapping[str, Mapping[str, Any]]) -> None:
    """Put the experiments into a page, between its marks."""
    text = page.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{page} lacks {BEGIN} or {END}")
    lines = [*head, "", *summary(told), *budgets(plans), *(line for one in told for line in chapter(one))]
    body = "\n".join(lines)
    page.write_text(f"{before}{BEGIN}\n\n{body.rstrip()}\n\n{END}{after}", "utf-8")


def summary(told: Sequence[Told]) -> Iterator[str]:
    """One line for each vendor: what was planted, what was found, what it cost."""
    yield "| vendor | differs by | verdict | called different by | had to be by | missed | score |"
    yield "|---|---|---|---|---|---|---|"
    for one in told:
        for card in one.judged["candidates"]:
            name = vendor(card)
            score = next((row["word"] for row in card["findings"] if row["test"] == "score"), NONE)
            by, wanted = different(card), sorted(one.expected[name])
            right = not wanted and card["word"] == "equivalent"
            missed = [test for test in wanted if test not in by]
            missed += [] if wanted or right else ["equivalence"]
            cells = [f"**{card['word']}**", _list(by), _list(wanted or ["none: equivalent"]), _list(missed), score]
            yield f"| {name} | {one.vendors[name]} | {' | '.join(cells)} |"


def chapter(told: Told) -> Iterator[str]:
    """One experiment: its command, its size and every finding."""
    judged = told.judged
    yield from ("", f"### {told.name}", "", told.says, "", "```", told.command, "```", "")
    yield f"{told.cost}, {told.seconds:.0f} s; p adjusted over {judged['family']} tests. Of one candidate:"
    if judged["status"] != "finished":
        yield "The run was broken off: of its later tasks some requests were not sent."
    yield from ("", *(f"- `{task}`: {cost}" for task, cost in told.by_task.items()), "")
    yield "| vendor | test | verdict | n | gap | 95 % | ceiling | smallest found | margin | p | seen |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for card in judged["candidates"]:
        for row in [row for row in card["findings"] if not row["test"].startswith("score ")]:
            yield f"| {vendor(card)} | {' | '.join(_cells(row))} |"


def budgets(plans: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What each budget takes of a candidate, and the smallest difference that each of its tests finds."""
    yield from ("", "### What a budget takes and finds", "")
    yield "| budget | requests | prompt tokens, about | output tokens, at most | smallest found four times in five |"
    yield "|---|---|---|---|---|"
    for name, plan in plans.items():
        _, one = plan["endpoints"]
        found = [f"{each['test']} {smallest(each['mde'])}" for each in plan["expected"] if each["mde"] is not None]
        tokens = f"{one['prompt_tokens']:,} | {one['output_tokens_max']:,}"
        yield f"| {name} | {one['requests']:,} | {tokens} | {', '.join(found)} |"
    yield from ("", "Of each candidate; of the reference twice as much.")


def vendor(card: Mapping[str, Any]) -> str:
    """Whose card it is."""
    return str(card["endpoint"]).partition("/")[0]


def different(card: Mapping[str, Any]) -> list[str]:
    """The tests that count against a vendor."""
    return [row["test"] for row in card["findings"] if row["word"] in ("different", "worse")]


def _list(words: Sequence[str]) -> str:
    return ", ".join(words) or NONE


def _cells(row: Mapping[str, Any]) -> list[str]:
    bounds = NONE if None in (row["low"], row["high"]) else f"{figure(row['low'])} to {figure(row['high'])}"
    word = f"**{row['word']}**" if row["word"] in ("different", "worse") else row["word"]
    figures = [figure(row["ceiling"]), smallest(row["mde"]), figure(row["margin"]), figure(row["p_adjusted"])]
    return [row["test"], word, str(row["n"]), figure(row["value"]), bounds, *figures, row["says"].replace("|", "\\|")]
