r"""Scorers by name, with their options in one small notation: ``numeric``, ``exact:ignore_case,ignore_punctuation``.

There is no list to edit: a file here whose function has the name of the file and gives a ``Scorer`` is one, and its
constant ``EXAMPLE`` is shown with it. Its options are the parameters of that function. Behind the colon stand, with
commas between them, a value for its first parameter and ``name=value`` for the others, where a bare name means true. A
function with a single parameter takes all that stands behind the colon: ``choice:ABCDE``, ``regex:^\d+, \d+$``.
Installed packages add scorers by entry points.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NamedTuple, Union, cast, get_args, get_origin

from harness.errors import HarnessError, TaskError, UnknownName, UsageError
from harness.plugins import Plugin, plugins
from harness.scorers.strict_json import shown
from harness.types import Scorer

_FOLDER = Path(__file__).parent
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LIST = "See: harness tasks scorers"


class Known(NamedTuple):
    """A scorer that can be named."""

    name: str
    summary: str
    example: str
    package: str
    """Who brings it; empty: this tool."""


def known() -> list[Known]:
    """All scorers that can be named, by name; nothing is imported for it."""
    found = {one.name: one for path in sorted(_FOLDER.glob("*.py")) if (one := _described(path))}
    for name, plugin in plugins("scorers").items():
        found.setdefault(name, Known(name, "", name, plugin.package))
    return sorted(found.values())


def scorer(spec: str) -> Scorer:
    """The scorer of a ``spec`` such as ``numeric:tolerance=0.01``.

    Raises:
        UnknownName: no scorer or no option is called so; with the nearest names.
        UsageError: an option has no such value.
        TaskError: the scorer itself refuses what it is given, or a plug-in is broken.
    """
    name, colon, text = spec.partition(":")
    factory = _factory(name)
    if isinstance(factory, Scorer):
        if colon:
            raise UsageError(f"the scorer {name} has no options", hint=f"Write {name}")
        return factory
    options = _options(name, factory, text) if colon else {}
    try:
        made = factory(**options)
    except HarnessError:
        raise
    except Exception as error:  # noqa: BLE001 - an outside package's factory may raise anything
        raise UsageError(f"scorer {spec!r}: {' '.join(str(error).split())[:200]}", hint=_LIST) from None
    if not isinstance(made, Scorer):
        raise TaskError(f"the scorer {name} gives a {type(made).__name__}, not a Scorer of harness.types")
    return made


def given(plugin: Plugin) -> Scorer | Callable[..., Any]:
    """What a plug-in gives: a scorer, or a function that makes one; TaskError for anything else."""
    found = plugin.load()
    if not callable(found) and not isinstance(found, Scorer):
        raise TaskError(f"{plugin.label} gives {shown(found)}, not a Scorer or a function that makes one")
    return cast("Scorer | Callable[..., Any]", found)


def _described(path: Path) -> Known | None:
    """What a file says of its scorer without being imported; None: it holds none that can be named."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    made = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == path.stem]
    if not made or not isinstance(made[0].returns, ast.Name) or made[0].returns.id != "Scorer":
        return None
    needed = made[0].args
    if len(needed.args) > len(needed.defaults) or None in needed.kw_defaults:
        return None
    examples = [
        one.value.value
        for one in tree.body
        if isinstance(one, ast.Assign)
        and isinstance(one.value, ast.Constant)
        and any(isinstance(target, ast.Name) and target.id == "EXAMPLE" for target in one.targets)
    ]
    summary = (ast.get_docstring(tree) or "").partition("\n")[0]
    return Known(path.stem, summary, str(examples[0]) if examples else path.stem, "")


def _factory(name: str) -> Any:
    path = _FOLDER / f"{name}.py"
    if _NAME.fullmatch(name) and path.is_file() and _described(path):
        return getattr(importlib.import_module(f"harness.scorers.{name}"), name)
    plugin = plugins("scorers").get(name)
    if plugin is None:
        raise UnknownName("scorer", name, [one.name for one in known()], where=_LIST)
    return given(plugin)


# --- options ---------------------------------------------------------------------------------------------


def _options(name: str, factory: Callable[..., Scorer], text: str) -> dict[str, Any]:
    try:
        parameters = inspect.signature(factory, eval_str=True).parameters
    except (TypeError, ValueError, NameError):
        parameters = inspect.signature(lambda: None).parameters
    if not parameters:
        raise UsageError(f"the scorer {name} has no options", hint=f"Write {name}")
    first = next(iter(parameters.values()))
    free = first.name if first.kind is not inspect.Parameter.KEYWORD_ONLY else None
    if free is not None and len(parameters) == 1:
        return {free: _value(name, free, first.annotation, text)}
    found: dict[str, Any] = {}
    for place, part in enumerate(text.split(",")):
        option, equals, value = (one.strip() for one in part.partition("="))
        if place == 0 and free is not None and not equals and option not in parameters:
            option, value = free, option
        if option not in parameters:
            raise UnknownName(f"option of the scorer {name}", option, parameters, where=_LIST)
        if option in found:
            raise UsageError(f"scorer {name}: {option} is given twice")
        found[option] = _value(name, option, parameters[option].annotation, value or ("" if equals else "true"))
    return found


def _value(name: str, option: str, annotation: Any, text: str) -> Any:
    """The text as a value of the parameter's type; UsageError when it is none."""
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    kinds = tuple(kind.__value__ if hasattr(kind, "__value__") else kind for kind in kinds)
    literal = next((kind for kind in kinds if get_origin(kind) is Literal), None)
    if literal is not None:
        if text not in get_args(literal):
            raise UnknownName(f"{option} of the scorer {name}", text, get_args(literal))
        return text
    if str in kinds or annotation is inspect.Parameter.empty:
        return text
    for kind in kinds:
        wanted, read = _READERS.get(get_origin(kind) or kind, ("", None))
        try:
            if read is not None:
                return read(text)
        except (ValueError, KeyError, RecursionError):
            raise UsageError(f"scorer {name}: {option} is {wanted}, not {shown(text)}", hint=_LIST) from None
    raise UsageError(f"scorer {name}: {option} cannot be given by name", hint="Write a task file")


def _json_object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(shown(value))  # noqa: TRY004 - what is wrong is the text
    return value


_READERS: Mapping[Any, tuple[str, Callable[[str], Any] | None]] = {
    bool: ("true or false", lambda text: {"true": True, "false": False}[text]),
    int: ("a whole number", int),
    float: ("a number", float),
    dict: ("a JSON object", _json_object),
}
