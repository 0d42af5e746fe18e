"""The shape of a gate's file: Pydantic models that refuse unknown fields, and what they mean once they are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from harness.config.schema import FieldPath, problems
from harness.gates import quantity
from harness.gates.fields import Block, MetricName
from harness.gates.terms import Budget, Gate, GateFile, History
from harness.report.nights.metrics import METRICS, NightlyMetric
from harness.stats.gating import Mode
from harness.stats.nights import FEWEST_NIGHTS
from harness.types import JsonObject

Problems = list[tuple[FieldPath, str]]
EMPTY = "the gate is empty; it says gates:, conformance:, fidelity: or budget:"


def _in_one_run(metric: NightlyMetric) -> bool:
    """Whether two endpoints of a run can be tested against each other: by the blocks of a load, or by questions."""
    return metric.name == "quality" or any(source.view == "load_summary" for source in metric.sources)


COMPARED = frozenset(name for name, metric in METRICS.items() if _in_one_run(metric))


def _once(value: list[str]) -> list[str]:
    if twice := next((one for place, one in enumerate(value) if one in value[:place]), None):
        raise ValueError(f"{twice!r} is named twice")
    return value


Name = Annotated[str, Field(min_length=1, max_length=500)]
Names = Annotated[list[Name], AfterValidator(_once)]
Alpha = Annotated[float, Field(gt=0, le=0.2)]
Amount = int | float | str
FidelityTest = Literal["prompt_tokens", "greedy", "answers", "border"]


class GateBlock(Block):
    """One entry of ``gates:``."""

    metric: MetricName
    max: Amount | None = None
    min: Amount | None = None
    worse_by: Amount | None = None
    mode: Mode | None = None
    endpoints: Names = Field(default=[])
    tasks: Names = Field(default=[])
    stages: Names = Field(default=[])

    @model_validator(mode="after")
    def _agrees(self) -> GateBlock:
        metric = METRICS[self.metric]
        if self.max is None and self.min is None and self.worse_by is None:
            raise ValueError("says no limit: give max, min or worse_by")
        if self.mode is not None and self.worse_by is None:
            raise ValueError("mode goes with worse_by: a fixed limit is compared with nothing")
        wrong, right = ("min", "max") if metric.better == "lower" else ("max", "min")
        if getattr(self, wrong) is not None:
            raise ValueError(f"{wrong} makes no sense, since {self.metric} is better the {metric.better}: use {right}")
        for field, read in (("max", quantity.amount), ("min", quantity.amount), ("worse_by", quantity.margin)):
            if (value := getattr(self, field)) is not None:
                try:
                    read(value, metric.unit)
                except ValueError as error:
                    raise ValueError(f"{field} {error}") from None
        loss = metric.scale == "ratio" and metric.better == "higher" and self.worse_by is not None
        if loss and quantity.margin(self.worse_by, metric.unit).amount >= 1:
            raise ValueError("worse_by must be below 100%: nothing can lose more than all")
        return self


class BudgetBlock(Block):
    """``budget:`` of the whole run."""

    cost_usd: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    requests: Annotated[int, Field(gt=0)] | None = None
    duration: Amount | None = None

    @model_validator(mode="after")
    def _agrees(self) -> BudgetBlock:
        if self.duration is not None:
            try:
                quantity.seconds(self.duration)
            except ValueError as error:
                raise ValueError(f"duration {error}") from None
        return self


class HistoryBlock(Block):
    """``history:``."""

    nights: Annotated[int, Field(ge=FEWEST_NIGHTS, le=365)] = History().nights
    confirm: bool = History().confirm


class FileBlock(Block):
    """The whole file."""

    mode: Mode | None = None
    base: Name | None = None
    endpoints: Names = Field(default=[])
    alpha: Alpha | None = None
    history: HistoryBlock = HistoryBlock()
    gates: Annotated[list[GateBlock], Field(max_length=100)] = Field(default=[])
    conformance: Name | None = None
    fidelity: Annotated[list[FidelityTest], AfterValidator(_once)] | Literal["all"] | None = None
    budget: BudgetBlock | None = None
    baseline: Name = "baseline.yaml"
    acceptances: Name = "acceptances.yaml"


_BLOCKS: Mapping[str, type[Block]] = {"gates": GateBlock, "budget": BudgetBlock, "history": HistoryBlock}


def understand(document: object, file: str, folder: Path) -> GateFile | Problems:
    """What a loaded gate means, or what is wrong with it.

    ``file`` is how it is called in messages; paths in it begin at ``folder``.
    """
    try:
        block = FileBlock.model_validate(document)
    except ValidationError as error:
        return problems(error, _beside)
    if not (block.gates or block.conformance or block.fidelity or block.budget):
        return [((), EMPTY)]
    unfit = [
        number
        for number, one in enumerate(block.gates)
        if (one.mode or block.mode) != "history" and one.worse_by is not None and one.metric not in COMPARED
    ]
    if unfit:
        metric = block.gates[unfit[0]].metric
        words = f"{metric} has no blocks that could be compared in one run: use mode: history, or a limit"
        return [(("gates", unfit[0], "metric"), words)]
    lacking = [
        number for number, one in enumerate(block.gates) if one.worse_by is not None and not (one.mode or block.mode)
    ]
    if lacking:
        words = "worse_by needs a mode, here or for the whole file: paired, history or release"
        return [(("gates", lacking[0], "worse_by"), words)]
    budget = block.budget
    return GateFile(
        file=file,
        folder=folder,
        base=block.base,
        endpoints=tuple(block.endpoints),
        alpha=block.alpha,
        history=History(block.history.nights, block.history.confirm),
        gates=tuple(one for number, row in enumerate(block.gates) for one in _gates(row, number, block.mode)),
        conformance=folder / block.conformance if block.conformance else None,
        budget=None
        if budget is None
        else Budget(
            budget.cost_usd, budget.requests, None if budget.duration is None else quantity.seconds(budget.duration)
        ),
        baseline=folder / block.baseline,
        acceptances=folder / block.acceptances,
        fidelity=("all",) if block.fidelity == "all" else tuple(block.fidelity or ()),
    )


def _gates(row: GateBlock, number: int, mode: Mode | None) -> Iterator[Gate]:
    """The tests of one entry: a limit and a margin are two."""
    unit = METRICS[row.metric].unit
    where: JsonObject = {
        "metric": row.metric,
        "number": number,
        **{name: tuple(getattr(row, name)) for name in ("endpoints", "tasks", "stages")},
    }
    for side in ("max", "min"):
        if (value := getattr(row, side)) is not None:
            yield Gate(**where, limit=quantity.amount(value, unit))
    if row.worse_by is not None:
        yield Gate(**where, margin=quantity.margin(row.worse_by, unit), mode=row.mode or mode)


def _beside(path: FieldPath) -> list[str]:
    """The names a field could have had at this place."""
    return list((FileBlock if len(path) <= 1 else _BLOCKS.get(str(path[0]), FileBlock)).model_fields)
