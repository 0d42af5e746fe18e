"""Profiles as a user writes them: ``key=value`` texts, YAML files, and what a request changes for itself."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.config.file import read_document
from harness.config.schema import FieldPath
from harness.errors import UnknownName, UsageError
from harness.simulator.deviations.faults import FATES
from harness.simulator.profile import PER_REQUEST, PROFILES, Profile, checked, named

_HINTS = typing.get_type_hints(Profile)
_FIELDS = tuple(field.name for field in dataclasses.fields(Profile) if field.name != "name")
_FILES = (".yaml", ".yml")


def profile_of(text: str) -> Profile:
    """The shipped profile of that name, or that of the YAML file at that path.

    Raises UnknownName (no such profile), ConfigError (``file:line: field: what is wrong``).
    """
    return read_profile(Path(text)) if text.endswith(_FILES) else named(text)


def read_profile(path: Path) -> Profile:
    """The profile of a YAML file: fields of Profile, over those of the profile named by ``based_on``.

    Its name is ``name``, or else that of the file. ConfigError as ``file:line: field: what is wrong``.
    """

    def parse(document: object) -> Profile | list[tuple[FieldPath, str]]:
        return _parsed(document, path.stem)

    return read_document(path, parse, empty="the file is empty; it should hold fields of a profile")


def with_settings(profile: Profile, settings: Iterable[str]) -> Profile:
    """The profile with fields replaced by ``key=value`` texts.

    Lists are separated by commas, shares of ``faults`` are ``name:share``; ``none`` stands for None. The name of a
    fault is a key as well. Raises UnknownName (no such field, fault, mutant), UsageError (bad value).
    """
    pairs: list[tuple[str, object]] = []
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"{setting!r} is not key=value")
        pairs.append((key.strip(), text.strip()))
    return checked(_changed(profile, pairs))


def for_request(profile: Profile, header: str | None, body: object) -> Profile:
    """The profile of one request: the header ``x-sim: key=value,...``, and over it the body's object ``sim``.

    ``fault=name`` makes that fault certain, ``fault=none`` spares the request. Raises as ``with_settings`` does.
    """
    pairs: list[tuple[str, object]] = []
    for part in (header or "").split(","):
        key, equals, text = part.partition("=")
        if equals:
            pairs.append((key.strip(), text.strip()))
        elif pairs and part.strip():
            pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]},{part.strip()}")
        elif part.strip():
            raise UsageError(f"x-sim: {part.strip()!r} is not key=value")
    if not isinstance(body, Mapping | None):
        raise UsageError("sim must be an object")
    pairs += [(str(key), value) for key, value in (body or {}).items()]
    named_fault = [str(value) for key, value in pairs if key == "fault"]
    pairs = [(key, value) for key, value in pairs if key != "fault"]
    for key, _ in pairs:
        if key not in PER_REQUEST and key not in FATES:
            raise UnknownName("field of a request", key, ["fault", *PER_REQUEST])
    if named_fault:
        spared = named_fault[-1].lower() in ("none", "")
        pairs.append(("faults", {} if spared else {named_fault[-1]: 1.0}))
    return checked(_changed(profile, pairs))


def _parsed(document: object, stem: str) -> Profile | list[tuple[FieldPath, str]]:
    """The profile of a document, or what is wrong with it and where."""
    if not isinstance(document, dict):
        return [((), "must be a mapping (name: value)")]
    given: dict[str, Any] = dict(document)
    name, base = given.pop("name", stem), given.pop("based_on", None)
    if not isinstance(name, str) or not name:
        return [(("name",), "must be text")]
    if base is not None and base not in PROFILES:
        return [(("based_on",), str(UnknownName("profile", str(base), PROFILES)))]
    profile = Profile(name) if base is None else dataclasses.replace(PROFILES[base], name=name)
    problems: list[tuple[FieldPath, str]] = []
    for pair in given.items():
        try:
            profile = _changed(profile, [pair])
        except UsageError as error:
            problems.append(((pair[0],), str(error)))
    if problems:
        return problems
    try:
        return checked(profile)
    except UsageError as error:
        about = next((key for key in given if str(error).startswith(key)), None)
        return [((about,) if about else (), str(error))]


def _changed(profile: Profile, pairs: Iterable[tuple[str, object]]) -> Profile:
    changes: dict[str, Any] = {}
    faults = dict(profile.faults)
    for key, value in pairs:
        if key == "faults":
            faults = _shares(value)
        elif key in FATES:
            faults[key] = _value(key, float, value)
        elif key not in _FIELDS:
            raise UnknownName("profile field", key, ("based_on", *_FIELDS, *FATES))
        else:
            changes[key] = _value(key, _HINTS[key], value)
    # In one order, whatever the order they were given in, so that the same shares draw the same fates.
    changes["faults"] = {name: faults[name] for name in (*FATES, *faults) if name in faults}
    return dataclasses.replace(profile, **changes)


def _shares(value: object) -> dict[str, float]:
    """``name:share,...`` or a mapping of that."""
    if isinstance(value, str):
        parts = [part.partition(":") for part in value.split(",") if part.strip() and part.lower() != "none"]
        value = {name.strip(): share.strip() for name, _, share in parts}
    if not isinstance(value, Mapping | None):
        raise UsageError("faults must be a mapping of name: share")
    shares = {str(name): _value(str(name), float, share) for name, share in (value or {}).items()}
    for name in shares:
        if name not in FATES:
            raise UnknownName("fault", name, FATES)
    return shares


def _value(key: str, hint: object, value: object) -> Any:
    """A value as written, read as the type of a field."""
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    text = "" if value is None else str(value)
    if type(None) in options and text.lower() in {"none", "null", ""}:
        return None
    kind = next(option for option in options if option is not type(None))
    if kind == tuple[str, ...]:
        parts = value if isinstance(value, list | tuple) else text.split(",")
        return tuple(str(part).strip() for part in parts if str(part).strip())
    if isinstance(value, Mapping | list | tuple):
        raise UsageError(f"{key} must be one value")
    if kind is str:
        return text
    if kind is bool:
        if text.lower() not in {"true", "false", "yes", "no", "1", "0"}:
            raise UsageError(f"{key}: {text!r} is neither true nor false")
        return text.lower() in {"true", "yes", "1"}
    try:
        return int(text) if kind is int else float(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise UsageError(f"{key}: {text!r} is not {what}") from None
