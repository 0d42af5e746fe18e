"""The answer is one JSON value that fits a schema."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from harness.errors import TaskError
from harness.exchange import Completion
from harness.scorers.strict_json import clipped, parse, shown, unfenced
from harness.types import JsonObject, Sample, Score, Scorer

VERSION = 1
EXAMPLE = "json_schema"
_NAME = "json_schema"


def json_schema(schema: JsonObject | None = None) -> Scorer:
    """Full marks when the visible text is JSON and valid under the schema; None: the target is the schema.

    One code fence around the whole text is taken off, and the explanation says so. The dialect is the schema's
    ``$schema``, Draft 2020-12 without one; ``format`` is not asserted; references to other documents are not
    fetched. TaskError for a schema that is none.
    """
    fixed = None if schema is None else validator_of(schema, "the schema given to json_schema")

    def score(sample: Sample, completion: Completion) -> Score:
        where = f"sample {sample.id}: the target of {_NAME}"
        validator = fixed or validator_of(sample.target, where)
        text, fenced = unfenced(completion.text)
        note = " (inside a code fence)" if fenced else ""
        try:
            value = parse(text)
        except ValueError as error:
            return Score(0.0, None, f"not JSON{note}: {error}", _NAME, VERSION)
        fault = schema_fault(validator, value, where)
        explanation = f"breaks the schema{note}: {fault}" if fault else f"fits the schema{note}"
        return Score(float(fault is None), shown(value, 1000), explanation, _NAME, VERSION)

    return Scorer(_NAME, VERSION, score)


def validator_of(schema: Any, where: str) -> Validator:
    """What checks values against a schema without asking anybody for others; TaskError, at ``where``, for no schema."""
    if not isinstance(schema, dict):
        raise TaskError(f"{where} is not a JSON Schema: {shown(schema)}")
    dialect = validator_for(schema, default=Draft202012Validator)
    if fault := _fault_of(dialect, json.dumps(schema)):
        raise TaskError(f"{where} is not a JSON Schema: {fault}")
    # An empty registry: the default one would fetch remote references over the network.
    return dialect(schema, registry=Registry())


@lru_cache(maxsize=256)
def _fault_of(dialect: type[Validator], schema: str) -> str | None:
    """What is wrong with a schema by its dialect; remembered, for the tools of many answers are the same ones."""
    try:
        dialect.check_schema(json.loads(schema))
    except SchemaError as error:
        return f"{error.message} at {error.json_path}"
    return None


def schema_fault(validator: Validator, value: Any, where: str) -> str | None:
    """What breaks the schema most, in one line; None: nothing does."""
    try:
        error = best_match(validator.iter_errors(value))
    except (RecursionError, OverflowError) as hostile:
        return f"could not be checked ({type(hostile).__name__})"
    except Unresolvable as error:
        raise TaskError(f"{where} refers to {error.ref!r}, which it does not hold") from None
    return None if error is None else f"{clipped(error.message, 200)} at {clipped(error.json_path, 100)}"
