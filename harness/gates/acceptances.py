"""Worse results that somebody accepted: a reviewed file, with who, why and until when.

Source of the idea: regressions that are acknowledged in the interface of a benchmark service; here they are lines that
are reviewed like code and end by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from harness.config.file import as_text, read_document
from harness.config.schema import FieldPath, problems
from harness.gates import quantity
from harness.gates.fields import Block, MetricName, Words
from harness.record.folder import write_atomic
from harness.report.nights.metrics import METRICS
from harness.types import JsonObject

FORMAT = 1
SOON_DAYS = 7
"""So long before an acceptance ends it is warned of."""
_HEAD = """# Results that are worse than the gate allows, and that were accepted: who did it, why, and until when.
# `harness gate --accept` adds an entry. Review it like code. One that has expired fails; renew it or take it away.
"""


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError("must be a day, as in 2026-12-31") from None


class AcceptanceBlock(Block):
    """One entry."""

    metric: MetricName
    endpoint: Words | None = None
    workload: Words | None = None
    up_to: int | float | str | None = None
    why: Words
    who: Words
    until: Annotated[str, AfterValidator(_day)]

    @model_validator(mode="after")
    def _agrees(self) -> AcceptanceBlock:
        if self.up_to is not None:
            try:
                quantity.margin(self.up_to, METRICS[self.metric].unit)
            except ValueError as error:
                raise ValueError(f"up_to {error}") from None
        return self


class FileBlock(Block):
    """The whole file."""

    format: Literal[1] = 1
    acceptances: Annotated[list[AcceptanceBlock], Field(max_length=1000)] = Field(default=[])


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One result that may be worse for a while."""

    metric: str
    endpoint: str | None
    """None: any."""
    workload: str | None
    """None: any."""
    up_to: str | None
    """As much worse as is accepted, as in ``25%``; None: any amount."""
    why: str
    who: str
    until: str
    """The last day on which it holds, ISO."""

    def covers(self, metric: str, endpoint: str, workload: str) -> bool:
        """Whether it is about this result."""
        return self.metric == metric and self.endpoint in (None, endpoint) and self.workload in (None, workload)

    def expired(self, today: date) -> bool:
        """Whether its last day is over."""
        return today > date.fromisoformat(self.until)

    def ends_soon(self, today: date) -> bool:
        """Whether it has to be looked at within ``SOON_DAYS``."""
        return not self.expired(today) and (date.fromisoformat(self.until) - today).days < SOON_DAYS

    @property
    def most(self) -> float | None:
        """The accepted worsening: a part of the base, or a difference of shares; None: any amount."""
        return None if self.up_to is None else quantity.margin(self.up_to, METRICS[self.metric].unit).amount

    @property
    def text(self) -> str:
        """What it says, in one line."""
        return f"accepted by {self.who} until {self.until}: {self.why}"


def read(path: Path) -> list[Acceptance]:
    """The acceptances of a file, none where there is no file; ConfigError as ``file:line: field: what is wrong``."""
    if not path.exists():
        return []
    return list(read_document(path, _understand, empty="the file is empty; harness gate --accept writes an entry"))


def add(path: Path, one: Acceptance) -> None:
    """Write one more entry, in the place of one about the same; comments in the file are lost.

    Errors: as ``read``; StoreError when the file cannot be written.
    """
    about = (one.metric, one.endpoint, one.workload)
    kept = [each for each in read(path) if (each.metric, each.endpoint, each.workload) != about]
    write(path, [*kept, one])


def write(path: Path, entries: Sequence[Acceptance]) -> None:
    """Write a file of acceptances; StoreError when it cannot be written."""
    body: JsonObject = {"format": FORMAT, "acceptances": [as_mapping(one) for one in entries]}
    write_atomic(path, (_HEAD + as_text(body)).encode())


def as_mapping(one: Acceptance) -> JsonObject:
    """An entry as its file has it."""
    return {name: value for name, value in asdict(one).items() if value is not None}


def of_mapping(value: object) -> Acceptance:
    """The entry that a mapping is; ValueError when it is none."""
    return _entry(AcceptanceBlock.model_validate(value))


def _understand(document: object) -> tuple[Acceptance, ...] | list[tuple[FieldPath, str]]:
    try:
        block = FileBlock.model_validate(document)
    except ValidationError as error:
        return problems(error, _beside)
    return tuple(map(_entry, block.acceptances))


def _entry(one: AcceptanceBlock) -> Acceptance:
    return Acceptance(
        **{name: getattr(one, name) for name in ("metric", "endpoint", "workload", "why", "who", "until")},
        up_to=None if one.up_to is None else str(one.up_to),
    )


def _beside(path: FieldPath) -> list[str]:
    return list((FileBlock if len(path) <= 1 else AcceptanceBlock).model_fields)
