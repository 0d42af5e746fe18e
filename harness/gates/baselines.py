"""Pinned baselines: a reviewed file that names the run which others are compared with, who pinned it and why.

A baseline holds for an endpoint as it was then. Where the endpoint is another one now, a comparison with it would be
one of two endpoints under one name; it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from harness.config.file import as_text, read_document
from harness.config.schema import FieldPath, problems
from harness.gates.fields import Block, Words
from harness.record.folder import write_atomic
from harness.types import JsonObject

FORMAT = 1
_HEAD = """# What later runs are compared with. `harness gate --set-baseline` writes it. Review it like code.
# Nights before the pinned run are not looked back on; questions are compared with its answers.
"""


def _moment(text: str) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a moment, as in 2026-11-21T11:03:00+00:00") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat()


class BaselineBlock(Block):
    """One entry."""

    endpoint: Words
    run: Words
    began: Annotated[str, AfterValidator(_moment)]
    why: Words
    who: Words
    pinned: Words
    work: dict[str, dict[str, str]] = Field(default={})


class FileBlock(Block):
    """The whole file."""

    format: Literal[1] = 1
    baselines: Annotated[list[BaselineBlock], Field(max_length=1000)] = Field(default=[])


@dataclass(frozen=True, slots=True)
class Baseline:
    """The run that an endpoint is compared with."""

    endpoint: str
    run: str
    began: str
    """When the run began, ISO; nights before it are not looked back on."""
    why: str
    who: str
    pinned: str
    """Day on which it was pinned, ISO."""
    work: Mapping[str, Mapping[str, str]]
    """Fingerprint of each piece of work, such as ``chat@c4``: what must be the same to be compared, by name."""


def read(path: Path) -> dict[str, Baseline]:
    """The baselines of a file by endpoint, none where there is no file; ConfigError as ``file:line: field: words``."""
    if not path.exists():
        return {}
    return read_document(path, _understand, empty="the file is empty; harness gate --set-baseline writes an entry")


def pin(path: Path, entries: Sequence[Baseline]) -> None:
    """Write entries, each in the place of the one of its endpoint; comments in the file are lost.

    Errors: as ``read``; StoreError when the file cannot be written.
    """
    kept = read(path) | {one.endpoint: one for one in entries}
    body: JsonObject = {"format": FORMAT, "baselines": [asdict(one) for one in kept.values()]}
    write_atomic(path, (_HEAD + as_text(body)).encode())


def _understand(document: object) -> dict[str, Baseline] | list[tuple[FieldPath, str]]:
    try:
        block = FileBlock.model_validate(document)
    except ValidationError as error:
        return problems(error, _beside)
    found: dict[str, Baseline] = {}
    for number, one in enumerate(block.baselines):
        if one.endpoint in found:
            return [(("baselines", number, "endpoint"), f"{one.endpoint} has a baseline already")]
        found[one.endpoint] = Baseline(**one.model_dump())
    return found


def _beside(path: FieldPath) -> list[str]:
    return list((FileBlock if len(path) <= 1 else BaselineBlock).model_fields)
