"""What the words of the command line, and of a suite, say of a load: arrival laws and other changes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.provider import Endpoint
from harness.run.arrivals import (
    Burst,
    Law,
    law_json,
    parse_concurrency,
    parse_ramp,
    parse_rates,
    parse_steps,
)
from harness.run.conduct import OWN_KINDS
from harness.run.selecting.selection import Changes
from harness.stats.slo import parse

FILES = ("prompts", "trace", "tokenizer")
"""Options that name a file."""
_SAME = (
    *("requests", "warmup", "cooldown", "input_tokens", "output_tokens", "prefix", "turns", "kind", "speed", "batch"),
    *("slo", "give_up", "nonce", "think_s", "duration_s"),
)
"""Options that are a change of the same name."""
_WHEN = ("concurrency", "rate", "ramp", "steps", "burst", "trace", "search")


def duration(text: str) -> float:
    """Seconds of ``90``, ``90s``, ``10m`` or ``2h``; UsageError for anything else, and for no time at all."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smh]?)", text)
    if found is None or float(found[1]) <= 0:
        raise UsageError(f"{text!r} is no time above 0", hint="Give seconds, or 90s, 10m, 2h")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


def changes(said: Mapping[str, Any], files: Mapping[str, Path | None]) -> Changes:
    """The changes of a load that were asked for.

    Args:
        said: options by name, None or left out: not said; ``think_s`` and ``duration_s`` in seconds.
        files: of those of ``FILES`` that were said, the paths.

    Raises:
        UsageError: an option cannot be read, or two do not go together.
    """
    levels = laws(said)
    if said.get("slo"):
        parse(said["slo"])
    given: dict[str, Any] = {name: said.get(name) for name in _SAME}
    given |= {name: str(path.resolve()) for name, path in files.items() if path is not None}
    return Changes(levels=tuple(law_json(law) for law in levels) if levels else None, **given)


def paired(endpoints: Sequence[Endpoint], *, asked: bool | None, blocks: int) -> bool:
    """Several endpoints are asked at the same time, but in blocks, and servers that would take each other's processor.

    Blocks go by turns: each endpoint is then alone with this client, and still asked in the same hour as the others.
    ``asked`` is what the user said; None: nothing.
    """
    if asked is not None or blocks > 1:
        return bool(asked)
    here = sum(one.provider.kind in OWN_KINDS or one.provider.serve is not None for one in endpoints)
    return len(endpoints) > 1 and here <= 1


def laws(said: Mapping[str, Any]) -> list[Law]:
    """The arrival laws that were asked for; none: those of the load. UsageError where two do not go together."""
    kinds = [name for name in _WHEN if said.get(name)]
    if len(kinds) > 1:
        raise UsageError(f"--{kinds[0]} and --{kinds[1]} cannot go together", hint="Each says when requests are sent")
    arrival = said.get("arrival") or "poisson"
    if said.get("arrival") and not {"rate", "ramp", "steps", "search"} & set(kinds):
        raise UsageError("--arrival goes with a rate", hint="Give --rate, --ramp or --steps too")
    match kinds:
        case ["concurrency"]:
            return list(parse_concurrency(said["concurrency"]))
        case ["rate"]:
            return list(parse_rates(said["rate"], arrival))
        case ["ramp"]:
            return [parse_ramp(said["ramp"], arrival)]
        case ["steps"]:
            return [parse_steps(said["steps"], arrival)]
        case ["burst"]:
            return [Burst(said["burst"])]
    return []
