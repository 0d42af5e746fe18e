"""What the fields of a gate's files have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from harness.errors import UnknownName
from harness.report.nights.metrics import metric_named


def _metric(name: str) -> str:
    try:
        return metric_named(name).name
    except UnknownName as error:
        raise ValueError(str(error)) from None


class Block(BaseModel):
    """A mapping that holds nothing but its fields."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


MetricName = Annotated[str, AfterValidator(_metric)]
Words = Annotated[str, Field(min_length=1, max_length=2000)]
