"""What a gate found: a case for each test, one verdict over all of them, and all of it as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from harness.gates import quantity
from harness.report import words
from harness.report.nights.metrics import METRICS
from harness.stats.gating import Mode
from harness.types import JsonObject

Verdict = Literal["pass", "fail", "inconclusive", "error"]
"""``fail``: it is worse. ``inconclusive``: that could not be told. ``error``: nothing could be measured."""
Kind = Literal["limit", "margin", "conformance", "fidelity", "budget"]

FORMAT = 1
"""Of the JSON that a judgement is; ``verdict.schema.json`` describes it."""
EXIT_CODES: dict[Verdict, int] = {"pass": 0, "fail": 1, "inconclusive": 4, "error": 3}
_GRAVEST: tuple[Verdict, ...] = ("fail", "error", "inconclusive", "pass")
"""What is proven worse stands, whatever else could not be measured."""


@dataclass(frozen=True, slots=True)
class Case:
    """One test of one endpoint at one piece of work; None where there is no such figure."""

    kind: Kind
    metric: str
    """Name of the metric; of ``conformance`` the probe, of ``fidelity`` the test, of ``budget`` what is bounded."""
    endpoint: str
    """``provider/model``; empty: the run as a whole."""
    workload: str
    """Task, or load and level as in ``chat@c4``; ``probes`` or ``run``."""
    verdict: Verdict
    reason: str
    """One line; may hold what a server said."""
    unit: str = ""
    mode: Mode | None = None
    base: float | None = None
    """What it was compared with, in the unit."""
    value: float | None = None
    """What was measured, in the unit."""
    limit: float | None = None
    """Fixed limit in the unit; of a margin how much worse is too much."""
    scale: Literal["ratio", "difference"] | None = None
    """Whether ``limit``, ``change`` and ``mde`` are parts of the base or differences; None: nothing is compared."""
    change: float | None = None
    """How much worse it is, above 0, or better, below 0."""
    low: float | None = None
    """Of the interval of ``change``; of a fixed limit that of ``value``."""
    high: float | None = None
    mde: float | None = None
    """Smallest worsening that would have been seen four times in five."""
    p_value: float | None = None
    p_adjusted: float | None = None
    alpha: float | None = None
    n: int | None = None
    counted: str = ""
    """What ``n`` counts: blocks, nights, questions, requests."""
    method: str = ""
    accepted: JsonObject | None = None
    """The acceptance by which it passes although it is worse, or which has expired; None: there is none."""
    unconfirmed: bool = False
    """Whether it is worse, and fails as soon as a second run finds the same."""
    next: str = ""
    """The command that helps on; empty: nothing is to be done."""

    @property
    def rule(self) -> str:
        """What it was held against: ``at most 800 ms``, ``10% worse at most (paired)``."""
        if self.kind == "margin":
            assert self.limit is not None
            assert self.scale is not None
            return f"{quantity.Margin(self.limit, self.scale).text} worse at most ({self.mode})"
        if self.kind == "fidelity":
            within = f", at most {quantity.shown(self.limit, self.unit)} apart" if self.limit else ""
            return f"as before{within}"
        if self.limit is None:
            return "as in the lockfile" if self.kind == "conformance" else ""
        least = self.kind == "limit" and METRICS[self.metric].better == "higher"
        return f"at {'least' if least else 'most'} {quantity.shown(self.limit, self.unit)}"

    @property
    def found(self) -> str:
        """What was measured: ``812 ms against 640 ms, +26.9 % worse [+20 to +34]``; a dash where nothing was."""
        if self.value is None:
            return words.NOTHING
        told = quantity.shown(self.value, self.unit)
        if self.kind in ("limit", "fidelity") and self.low is not None and self.high is not None:
            told += f" [{quantity.shown(self.low, self.unit)} to {quantity.shown(self.high, self.unit)}]"
        if self.base is not None:
            told += f" against {quantity.shown(self.base, self.unit)}"
        if self.change is not None and self.scale is not None:
            told += f", {quantity.moved(self.change, self.scale)}"
            if self.low is not None and self.high is not None:
                told += f" [{quantity.bounds(self.low, self.high)}]"
        return told

    @property
    def could_have_seen(self) -> str:
        """The smallest worsening that would have been seen; a dash where that is not known."""
        if self.kind == "fidelity" and self.mde is not None:
            return quantity.shown(self.mde, self.unit)
        if self.mde is None or self.scale is None:
            return words.NOTHING
        return quantity.Margin(self.mde, self.scale).text


@dataclass(frozen=True, slots=True)
class Judgement:
    """Everything that came of one gate."""

    file: str
    run: str
    """Id of the run that was judged."""
    confirmed_by: str | None
    """Id of the run that was made to confirm it; None: there is none."""
    cases: tuple[Case, ...]
    warnings: tuple[str, ...] = ()
    harness_version: str = ""
    judged_on: str = ""
    """Date, UTC, by which acceptances were held."""

    @property
    def verdict(self) -> Verdict:
        """The gravest of all cases; without any nothing was measured."""
        found = {case.verdict for case in self.cases}
        return next((word for word in _GRAVEST if word in found), "error")

    @property
    def exit_code(self) -> int:
        """0 pass, 1 fail, 3 error, 4 inconclusive."""
        return EXIT_CODES[self.verdict]

    @property
    def unconfirmed(self) -> bool:
        """Whether a second run would decide: something is worse, and was not found twice yet."""
        return any(case.unconfirmed for case in self.cases)

    @property
    def counts(self) -> dict[Verdict, int]:
        """How many cases have each verdict, the gravest first."""
        of = Counter(case.verdict for case in self.cases)
        return {word: of[word] for word in _GRAVEST}

    def of(self, *verdicts: Verdict) -> list[Case]:
        """The cases with one of these verdicts, in their order."""
        return [case for case in self.cases if case.verdict in verdicts]

    def as_json(self) -> JsonObject:
        """All of it as plain data, in the shape of ``verdict.schema.json``."""
        return {
            "format": FORMAT,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "unconfirmed": self.unconfirmed,
            "counts": self.counts,
            "file": self.file,
            "run": self.run,
            "confirmed_by": self.confirmed_by,
            "judged_on": self.judged_on,
            "harness_version": self.harness_version,
            "cases": [asdict(case) for case in self.cases],
            "warnings": list(self.warnings),
        }


def suites(cases: Sequence[Case]) -> dict[tuple[str, str], list[Case]]:
    """The cases by endpoint and workload, both in the order of their coming."""
    found: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        found.setdefault((case.endpoint, case.workload), []).append(case)
    return found
