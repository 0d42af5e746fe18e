"""Whether a task, scorer or load that somebody wrote has fields of the right kinds: a dataclass takes any."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any

from harness.errors import TaskError
from harness.types import Load, Scorer, Slo, Task

_KINDS = ("quality", "tools")
_NONCES = ("request", "run", "none")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
Check = Callable[[Any], bool]


def _is_whole(value: Any) -> bool:
    # Python holds True to be 1; a version that is True is a mistake.
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return value is None or (_is_whole(value) and value > 0)


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _is_objective(value: Any) -> bool:
    return value is None or _is_positive(value)


def _is_laws(value: Any) -> bool:
    # Arrival laws are a noun of harness.run, which is above this module: known here by their label alone.
    return isinstance(value, tuple | list) and all(isinstance(getattr(one, "label", None), str) for one in value)


_TEXT = ("a string", lambda value: isinstance(value, str))
_SWITCH = ("True or False", lambda value: isinstance(value, bool))
_WHOLE = ("a whole number", _is_whole)
_FUNCTION = ("a function", callable)
_OPTIONAL_FUNCTION = ("a function, or None", lambda value: value is None or callable(value))
_PLAIN = (
    "a name of letters, digits and _ . -",
    lambda value: isinstance(value, str) and _NAME.fullmatch(value) is not None,
)
_SECONDS = ("a number of seconds above 0, or None", _is_objective)
_OBJECTIVE = ("a number of milliseconds above 0, or None", _is_objective)

_FIELDS: Mapping[type, Mapping[str, tuple[str, Check]]] = {
    Task: {
        "name": _PLAIN,
        "version": _WHOLE,
        "kind": ("'quality' or 'tools'", lambda value: isinstance(value, str) and value in _KINDS),
        "description": _TEXT,
        "load": _FUNCTION,
        "scorer": ("a Scorer", lambda value: isinstance(value, Scorer)),
        "stream": _SWITCH,
        "licence": _TEXT,
        "source": _TEXT,
        "world": _OPTIONAL_FUNCTION,
        "steps": ("a whole number above 0, or None", _is_count),
    },
    # A scorer's name also tells its options, so it is any text.
    Scorer: {
        "name": ("a string that is not empty", lambda value: isinstance(value, str) and value != ""),
        "version": _WHOLE,
        "score": _FUNCTION,
        "episode": _OPTIONAL_FUNCTION,
        "judging": ("a string, or None", lambda value: value is None or isinstance(value, str)),
    },
    Load: {
        "name": _PLAIN,
        "version": _WHOLE,
        "description": _TEXT,
        "levels": ("a tuple of arrival laws, as in (Closed(1),)", _is_laws),
        "requests_per_level": ("a whole number above 0, or None", _is_count),
        "sample": _FUNCTION,
        "warmup": ("a whole number, 0 or more", lambda value: _is_whole(value) and value >= 0),
        "cooldown": ("a whole number, 0 or more", lambda value: _is_whole(value) and value >= 0),
        "slo": ("an Slo", lambda value: isinstance(value, Slo)),
        "nonce": ("'request', 'run' or 'none'", lambda value: isinstance(value, str) and value in _NONCES),
        "think_s": ("a number of seconds, 0 or more", lambda value: value == 0 or _is_positive(value)),
        "duration_s": _SECONDS,
        "give_up_share": ("a share from 0 to 1", lambda value: value == 0 or (_is_positive(value) and value <= 1)),
        "give_up_s": _SECONDS,
    },
    Slo: {"ttft_ms": _OBJECTIVE, "tpot_ms": _OBJECTIVE, "e2e_ms": _OBJECTIVE},
}
"""What each field must be, in words and as a check: a dataclass takes whatever it is given."""


def refuse_wrong_fields(thing: Any, where: str) -> None:
    """TaskError for the first field of a task, scorer or load that is of a wrong kind; ``where`` names the thing."""
    for field_name, (wanted, fits) in _FIELDS.get(type(thing), {}).items():
        value, label = getattr(thing, field_name), f"{where}.{field_name}"
        if not fits(value):
            raise _wrong_field(label, wanted, value)
        if type(value) in _FIELDS:
            refuse_wrong_fields(value, label)


def _wrong_field(label: str, wanted: str, value: Any) -> TaskError:
    if callable(value) and str(getattr(value, "__module__", "")).startswith("harness.scorers."):
        return TaskError(f"{label} must be {wanted}; write {value.__name__}() with its brackets")
    near = difflib.get_close_matches(value, _KINDS, n=1) if label.endswith(".kind") and isinstance(value, str) else []
    hint = f"Did you mean {near[0]}?" if near else ""
    return TaskError(f"{label} must be {wanted}, not {shown(value)}", hint=hint)


def shown(value: Any) -> str:
    """A value in a message: itself where it is short, otherwise its type."""
    if value is None or isinstance(value, str | int | float):
        text = repr(value)
        return text if len(text) <= 60 else text[:57] + "..."
    return f"a {type(value).__name__}"
