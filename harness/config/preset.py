"""``use: PRESET``: a preset's block, with what a user's block says differently laid over it.

Plain values in, plain values out: what comes of it is checked like a block that says everything itself.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, NamedTuple

from harness.config.schema import FieldPath
from harness.types import JsonObject

_EITHER = (("base_url", "serve"), ("auth", "api_key_env"))
"""Fields of which a block has one: the user's takes the place of the preset's other one."""
_PLACES = frozenset({"env", "env_alt", "file", "keyring"})
"""Where ``auth`` says that the key is: a user's place takes the place of the preset's."""


class Used(NamedTuple):
    """A document without ``use``."""

    document: object
    presets: dict[str, str]
    """Which preset each block builds on."""


def expand(document: object, presets: Mapping[str, JsonObject]) -> Used | list[tuple[FieldPath, str]]:
    """Put presets in the place of ``use``; or what is wrong with it: (path, words) pairs."""
    blocks = document.get("providers") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(blocks, dict):
        return Used(document, {})
    wrong: list[tuple[FieldPath, str]] = []
    whole, used = dict(blocks), {}
    for name, block in blocks.items():
        if not isinstance(block, dict) or "use" not in block:
            continue
        preset = block["use"]
        if not isinstance(preset, str) or preset not in presets:
            wrong.append((("providers", name, "use"), _unknown(preset, presets)))
            continue
        used[name] = preset
        whole[name] = _over(presets[preset], {key: value for key, value in block.items() if key != "use"})
    return wrong or Used({**document, "providers": whole}, used)


def _unknown(preset: object, presets: Mapping[str, JsonObject]) -> str:
    near = difflib.get_close_matches(str(preset).lower().replace("_", "-"), presets, n=3, cutoff=0.5)
    return f"there is no preset {preset!r}. " + (
        f"Did you mean {' or '.join(near)}?" if near else "See harness providers list"
    )


def _over(preset: JsonObject, users: JsonObject) -> JsonObject:
    """The user's fields over the preset's: mappings are merged name by name, all else is replaced."""
    kept = dict(preset)
    for one, other in _EITHER:
        for mine, theirs in ((one, other), (other, one)):
            if mine in users:
                kept.pop(theirs, None)
    if (
        isinstance(auth := kept.get("auth"), dict)
        and isinstance(users.get("auth"), dict)
        and _PLACES & set(users["auth"])
    ):
        kept["auth"] = {name: value for name, value in auth.items() if name not in _PLACES}
    return _merged(kept, users)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> JsonObject:
    both = dict(below)
    for key, value in above.items():
        under = both.get(key)
        both[key] = _merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return both
