"""What one test of a verification found of one candidate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, NamedTuple

from harness.fidelity.verdict import Gap
from harness.types import JsonObject

Word = Literal["equivalent", "different", "inconclusive", "not worse", "worse", "not applicable"]


class Shown(NamedTuple):
    """A request that shows a difference: the candidate's exchange, and the reference's to the same question."""

    candidate: str
    """Its job."""
    reference: str | None
    """None: it gave no answer to compare with. Another one of the candidate's own where ``beside`` says so."""
    why: str
    beside: str = "reference"
    """What the second exchange is, where it is not the reference's."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of a scorecard. Figures are None where the test has none of the kind."""

    test: str
    endpoint: str
    says: str
    """What was seen, in one line."""
    n: int
    """Independent units: prompts, questions, shapes."""
    word: Callable[[float | None], Word] = field(repr=False)
    """The verdict, by the p adjusted for all of the report; None where the test has no p."""
    unit: str = ""
    value: float | None = None
    """How far the candidate is from the reference."""
    low: float | None = None
    high: float | None = None
    ceiling: float | None = None
    """How far the reference is from itself."""
    mde: float | None = None
    """Smallest true difference that would probably have been found."""
    margin: float | None = None
    p: float | None = None
    shown: tuple[Shown, ...] = ()
    details: JsonObject = field(default_factory=dict)

    def as_json(self, adjusted: float | None) -> JsonObject:
        """The same as plain data, with its verdict."""
        fields = {name: getattr(self, name) for name in self.__slots__ if name not in ("word", "shown")}
        return {
            **fields,
            "p_adjusted": adjusted,
            "word": self.word(adjusted),
            "shown": [one._asdict() for one in self.shown],
        }


def of_gap(  # noqa: PLR0913 - the fields of a finding
    gap: Gap,
    margin: float,
    *,
    test: str,
    endpoint: str,
    says: str,
    unit: str,
    shown: tuple[Shown, ...],
    details: JsonObject,
    word: Callable[[float | None], Word] | None = None,
) -> Finding:
    """A finding with the figures of a gap; ``word`` None: the gap's own verdict."""
    return Finding(
        test=test,
        endpoint=endpoint,
        says=says,
        n=gap.prompts,
        word=word or partial(gap.word, margin),
        unit=unit,
        value=gap.value,
        low=gap.low,
        high=gap.high,
        ceiling=gap.ceiling,
        mde=gap.mde,
        margin=margin,
        p=gap.p_value,
        shown=shown,
        details=details,
    )


def always(word: Word) -> Callable[[float | None], Word]:
    """A verdict that rests on no p."""
    return lambda _adjusted: word
