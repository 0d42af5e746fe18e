"""A plan that can be looked at, and then carried out."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

from harness.api.sources import Sources
from harness.report.fidelity.earlier import luck_of
from harness.report.fidelity.planned import expected
from harness.run.planning.foretold import foretold
from harness.run.planning.plan import Plan
from harness.run.selecting.selection import Selection, new_nonce
from harness.types import JsonObject

Kind = Literal["eval", "load", "probe", "verify", "suite"]


class Planned:
    """What is asked of whom; nothing is sent before ``harness.run`` is given it."""

    def __init__(self, kind: Kind, selection: Selection, sources: Sources) -> None:
        """The plan of a selection; errors as ``harness.run.planning.plan.make``."""
        self.kind: Kind = kind
        self.sources = sources
        self.plan: Plan = sources.again(selection)
        """The exact requests."""
        self._used = False

    @property
    def requests(self) -> int:
        """How many are planned; a search, and probes that look again, plan more of them as they go."""
        return sum(1 for _ in self.plan.jobs)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Ids of the endpoints under test; the first is the baseline."""
        return self.plan.selection.endpoints

    def forecast(self, results: str | Path = "results") -> JsonObject:
        """What it will take, as ``--dry-run --json`` says it: requests, tokens, cost and time of each endpoint.

        Of a verification also what its tests would probably find.
        """
        found = foretold(self.plan, Path(results))
        if self.kind == "verify":
            luck = luck_of(Path(results), self.endpoints[0])
            found["expected"] = [asdict(one) for one in expected(self.plan, luck)]
        return found

    def take(self, max_requests: int | None = None) -> Plan:
        """The plan to be carried out: the second time with another text before its load prompts.

        UsageError where it needs more requests than ``max_requests``.
        """
        before = self.plan.selection
        after = before if max_requests is None else replace(before, max_requests=max_requests)
        if self._used and before.nonce:
            after = replace(after, nonce=new_nonce())
        self._used = True
        if after != before:
            self.plan = self.sources.again(after)
        return self.plan

    def __repr__(self) -> str:
        return f"<plan of {self.kind}: {self.requests} requests to {', '.join(self.endpoints)}>"
