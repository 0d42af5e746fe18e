"""Options of a ``serve`` block: which there are, what each must be, and the arguments and environment they become."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import ConfigError, EngineError, UnknownName


class Kind(NamedTuple):
    """What an option must be."""

    words: str
    fits: Callable[[Any], bool]


def whole(least: int, largest: int) -> Kind:
    """A whole number of a range."""
    return Kind(f"from {least} to {largest}", lambda value: type(value) is int and least <= value <= largest)


TEXT = Kind("a text", lambda value: isinstance(value, str) and value != "" and value.isprintable())
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
PATH = Kind("a path that begins with /", lambda value: TEXT.fits(value) and value.startswith("/"))
TEXTS = Kind(
    "a list of texts and numbers", lambda value: isinstance(value, list | tuple) and all(_plain(one) for one in value)
)
NAMED = Kind(
    "a mapping of names to texts and numbers",
    lambda value: (
        isinstance(value, Mapping)
        and all(TEXT.fits(name) and "=" not in name and _plain(one) for name, one in value.items())
    ),
)
SECONDS = Kind("seconds, from 1 to 86400", lambda value: type(value) in (int, float) and 1 <= value <= 86_400)

ANY_PROGRAM: Mapping[str, Kind] = {"port": whole(0, 65535), "ready_s": SECONDS, "args": TEXTS, "env": NAMED}
"""Options that every outside program has."""
ANY_PYTHON: Mapping[str, Kind] = {**ANY_PROGRAM, "python": TEXT}
"""Those of a program that is installed in a Python environment of its own."""


def checked(
    engine: str, options: Mapping[str, Any], known: Mapping[str, Kind], needed: Collection[str] = ()
) -> Mapping[str, Any]:
    """The options, all of them known and as they must be.

    Raises UnknownName with the nearest name, ConfigError for a wrong value or one that is missing.
    """
    for name, value in options.items():
        if name not in known:
            raise UnknownName(f"option of the engine {engine}", str(name), known)
        if not known[name].fits(value):
            raise ConfigError(f"serve.{name} of the engine {engine} is {value!r}, and must be {known[name].words}")
    for name in needed:
        if name not in options:
            raise ConfigError(f"the engine {engine} needs serve.{name}", hint=f"It is {known[name].words}")
    return options


def flags(options: Mapping[str, Any], named: Mapping[str, str]) -> list[str]:
    """Arguments of a command line: the options that are given under the names that the program has for them."""
    return [word for name, flag in named.items() if name in options for word in (flag, str(options[name]))]


def texts(options: Mapping[str, Any], name: str) -> list[str]:
    """A list of texts; empty where it is not given."""
    return [str(one) for one in options.get(name, ())]


def named(options: Mapping[str, Any], name: str) -> dict[str, str]:
    """A mapping of texts; empty where it is not given."""
    return {key: str(value) for key, value in options.get(name, {}).items()}


def file_of(options: Mapping[str, Any], name: str) -> list[str]:
    """The path of an option that names a file, none where it is not given; EngineError: there is no such file."""
    if name not in options:
        return []
    path = Path(options[name]).expanduser()
    if not path.is_file():
        raise EngineError(f"there is no file {options[name]}", hint=f"serve.{name} is a path")
    return [str(path)]


def _plain(value: Any) -> bool:
    return type(value) in (int, float) or (isinstance(value, str) and "\0" not in value)
