"""A fault of the transport while an exchange is under way; it becomes the ``Failure`` of the record."""

from __future__ import annotations

from harness.exchange import Failure, FailureKind


class Fault(Exception):  # noqa: N818 - it is data about a peer, not a bug of ours
    """Why an exchange ends early: the kind, and one line for a person that never holds a secret."""

    def __init__(self, kind: FailureKind, detail: str) -> None:
        super().__init__(detail)
        self.kind: FailureKind = kind
        self.detail = " ".join(detail.split())

    def failure(self, status: int | None) -> Failure:
        """The record of it; ``status`` is the HTTP status where one had come."""
        return Failure(self.kind, self.detail, status)
