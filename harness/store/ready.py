"""Rows of a load's attempts, made while they end, so that sealing need not read the journal again.

They are what sealing would make of the journal, and are used only where they are known to be all of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.exchange import OUR_DOING, Failure, Outcome
from harness.provider import Naming, Price
from harness.record.journal import Session
from harness.store.rows import attempt_row, outcome_of, text_row, to_line
from harness.types import Attempt

MAX_BYTES = 64 * 1024 * 1024
"""Memory for rows; a run with more is sealed from its journal."""


class Rows:
    """Rows of one table, a line each."""

    def __init__(self) -> None:
        # One piece of memory: a line as its writer hands it over keeps the 16 KB that it was written in.
        self.lines = bytearray()
        self.n = 0
        self.longest = 0
        """Bytes of the longest line."""

    def add(self, line: bytes) -> None:
        """Keep one more."""
        self.lines += line
        self.n += 1
        self.longest = max(self.longest, len(line))


class Ready:
    """The rows of one sitting, in the order of its journal."""

    def __init__(
        self, run_id: str, session: Session, prices: Mapping[str, Price | None], naming: Mapping[str, Naming]
    ) -> None:
        """``prices`` and what providers declare are by endpoint id."""
        self.attempts = Rows()
        self.texts = Rows()
        self.failures: list[Failure | None] = []
        """Of the attempts that tell something of the endpoint; None: it worked, and then that is all that is kept."""
        self._run_id = run_id
        self._session = session
        self._prices = prices
        self._naming = naming

    def add(self, attempt: Attempt, outcome: Outcome) -> None:
        """Make the rows of an attempt that was journalled."""
        failure = outcome.failure
        if self.failures != [None] and (failure is None or failure.kind not in OUR_DOING):
            self.failures = [None] if failure is None else [*self.failures, failure]
        if self._full():
            return
        understood = outcome_of(attempt, outcome)
        price, naming = self._prices.get(attempt.job.endpoint), self._naming[attempt.job.endpoint]
        self.attempts.add(to_line(attempt_row(self._run_id, self._session, attempt, understood, price, naming)))
        self.texts.add(to_line(text_row(self._run_id, attempt, understood)))

    def whole(self, journalled: int) -> bool:
        """Whether these are all of so many attempts."""
        return not self._full() and self.attempts.n == journalled

    def _full(self) -> bool:
        return len(self.attempts.lines) + len(self.texts.lines) >= MAX_BYTES
