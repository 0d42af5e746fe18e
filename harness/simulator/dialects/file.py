"""Reads ``dialects/<id>.yaml``, with one clear line for a mistake in it."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from harness.config.file import read_plain
from harness.errors import ConfigError
from harness.simulator.dialects import path_of
from harness.simulator.dialects.dialect import Dialect

_SUFFIXES = (".yaml", ".yml")


def dialect_of(text: str) -> Dialect:
    """The shipped dialect of that name, or that of the YAML file at that path.

    Raises UnknownName (no such dialect), ConfigError (``file:line: field: what is wrong``).
    """
    return read(Path(text) if text.endswith(_SUFFIXES) else path_of(text))


def read(path: Path) -> Dialect:
    """The dialect of a file; ConfigError as ``file:line: field: what is wrong``."""
    document = read_plain(path, empty="the file is empty; it should hold a dialect")
    try:
        return Dialect.model_validate(document.value)
    except ValidationError as error:
        told = [(tuple(one["loc"]), _words(dict(one))) for one in error.errors(include_url=False)]
    where, words = min(told, key=lambda one: not one[1].startswith("unknown field"))
    raise ConfigError(f"{document.place(*where)}: {words}")


def _words(error: dict[str, Any]) -> str:
    """What is wrong, for a person."""
    if error["type"] == "extra_forbidden":
        known = _fields_beside(tuple(error["loc"]))
        near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1, cutoff=0.5)
        return f"unknown field. {f'Did you mean {near[0]}?' if near else 'Known: ' + ', '.join(known)}"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if error["type"] == "missing":
        return "is missing"
    return str(error["msg"]).replace("Input should", "must")


def _fields_beside(where: tuple[str | int, ...]) -> list[str]:
    """The names that a field could have had at this place."""
    block: type[BaseModel] = Dialect
    for part in where[:-1]:
        found = next((one for name, one in block.model_fields.items() if part in (name, one.alias)), None)
        inner = _block_in(found.annotation) if found is not None else None
        block = inner or block
    return [field.alias or name for name, field in block.model_fields.items()]


def _block_in(hint: Any) -> type[BaseModel] | None:
    """The kind of block that a field holds, or holds many of; None: it holds none."""
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return hint
    return next((block for one in get_args(hint) if (block := _block_in(one)) is not None), None)
