"""Suites: a YAML file -> Suite, with one clear line, of file and place, for every mistake in it.

A suite's name is the stem of its file, so that what there is can be listed without reading any.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from harness.config.file import Document, read_plain
from harness.config.schema import FieldPath, problems
from harness.errors import ConfigError
from harness.types import Suite

EMPTY = "the suite is empty; it says tasks:, probes: or loads:"


def _words(value: Any) -> Any:
    """The notation of the command line: numbers are their digits, and a list of them goes between commas."""
    single = isinstance(value, int | float) and not isinstance(value, bool)
    several = isinstance(value, list) and value and all(isinstance(one, int | float) for one in value)
    return f"{value:g}" if single else ",".join(f"{one:g}" for one in value) if several else value


def _once(value: list[str]) -> list[str]:
    if twice := next((one for place, one in enumerate(value) if one in value[:place]), None):
        raise ValueError(f"{twice!r} is named twice")
    return value


def _by_name(value: Any) -> Any:
    """Loads as a list of names are loads without options, and so is a name with nothing behind it."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return {name: {} for name in _once(value)}
    if isinstance(value, dict):
        return {name: {} if options is None else options for name, options in value.items()}
    raise ValueError("must be a list of names, or a mapping (name: options)")


def _gate(value: Any) -> Any:
    if (isinstance(value, str) and value) or (isinstance(value, dict) and value):
        return value
    raise ValueError("must be a gate (a mapping), or the path of a gate's file")


Words = Annotated[str, BeforeValidator(_words), Field(min_length=1, max_length=1000)]
Count = Annotated[int, Field(gt=0)]
Name = Annotated[str, Field(min_length=1)]
Names = Annotated[list[Name], AfterValidator(_once)]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LoadBlock(_Block):
    """The options of one load, in the words of ``harness load``; None: as the load's own file says."""

    concurrency: Words | None = None
    rate: Words | None = None
    arrival: Words | None = None
    ramp: Words | None = None
    steps: Words | None = None
    burst: Count | None = None
    trace: Name | None = None
    speed: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    requests: Count | None = None
    duration: Words | None = None
    warmup: Annotated[int, Field(ge=0)] | None = None
    cooldown: Annotated[int, Field(ge=0)] | None = None
    repeats: Annotated[int, Field(ge=1, le=100)] | None = None
    slo: Words | None = None
    input_tokens: Words | None = None
    output_tokens: Words | None = None
    prefix: Words | None = None
    batch: Annotated[int, Field(ge=1, le=2048)] | None = None
    turns: Words | None = None
    think: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    kind: Literal["chat", "tools", "schema"] | None = None
    prompts: Name | None = None
    give_up: Words | None = None
    nonce: Literal["request", "run", "none"] | None = None
    tokenizer: Name | None = None


class SuiteBlock(_Block):
    """The whole file."""

    description: str = ""
    tasks: Names = []
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    probes: Name | None = None
    loads: Annotated[dict[Name, LoadBlock], BeforeValidator(_by_name)] = {}
    endpoints: Names = []
    judges: Names = []
    gate: Annotated[Any, BeforeValidator(_gate)] = None


def read(path: Path) -> Suite:
    """Read a suite.

    Raises:
        ConfigError: the file cannot be read, or something in it is wrong: ``file:line: field: what``.
    """
    document = read_plain(path, empty=EMPTY, ours=True)
    try:
        block = SuiteBlock.model_validate(document.value)
    except ValidationError as error:
        where, words = _first(document, problems(error, _beside))
        raise ConfigError(f"{document.place(*where)}: {words}") from None
    if not (block.tasks or block.probes or block.loads):
        raise ConfigError(f"{document.place()}: {EMPTY}")
    return Suite(
        name=path.stem,
        description=block.description,
        file=path,
        place=document.place,
        tasks=tuple(block.tasks),
        probes=block.probes,
        loads={name: options.model_dump(exclude_none=True) for name, options in block.loads.items()},
        repeats=block.repeats,
        endpoints=tuple(block.endpoints),
        judges=tuple(block.judges),
        gate=block.gate,
    )


def _first(document: Document, found: list[tuple[FieldPath, str]]) -> tuple[FieldPath, str]:
    """The mistake that stands first in the file."""
    return min(found, key=lambda one: (document.line(*one[0]), not one[1].startswith("unknown field")))


def _beside(path: FieldPath) -> list[str]:
    return list((SuiteBlock if len(path) <= 1 else LoadBlock).model_fields)
