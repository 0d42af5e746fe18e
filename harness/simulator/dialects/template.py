"""JSON with placeholders: ``"{prompt}"`` becomes a number, ``"req-{request_id}"`` a text with it inside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_PLACE = re.compile(r"\{([a-z_]+)\}")


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """The template with its placeholders filled in; a text that is nothing else keeps the type of the value.

    Keys are left as they are. A name that ``values`` does not hold stays as it stands.
    """
    if isinstance(template, str):
        whole = _PLACE.fullmatch(template)
        if whole is not None:
            return values.get(whole[1], template)
        return _PLACE.sub(lambda found: str(values.get(found[1], found[0])), template)
    if isinstance(template, Mapping):
        return {key: fill(value, values) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [fill(value, values) for value in template]
    return template


def names(template: Any) -> Iterator[str]:
    """The placeholders of a template, as often as they occur."""
    if isinstance(template, str):
        yield from _PLACE.findall(template)
    elif isinstance(template, Mapping):
        for value in template.values():
            yield from names(value)
    elif isinstance(template, list | tuple):
        for value in template:
            yield from names(value)


def put(target: dict[str, Any], path: str, value: Any) -> None:
    """Set ``a.b.c`` of nested objects, which are made where they are missing."""
    *outer, last = path.split(".")
    for name in outer:
        target = target.setdefault(name, {})
    target[last] = value
