"""A load as its file says, with the user's changes: other levels, other prompts, other lengths, other objectives."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.run.arrivals import Burst, Law, Piecewise, Ramp, Replay, law_from_json, parse_give_up, replay
from harness.run.selecting.selection import Changes
from harness.stats.slo import parse, slo_of
from harness.types import Load, Sample
from harness.workload import trace
from harness.workload.lengths import Fixed, parse_length
from harness.workload.prompts import Prompts
from harness.workload.synthetic import Synthetic, parse_prefix
from harness.workload.trace import Traced

KEPT = 20_000
"""Prompts of a load, and its requests, that are kept in memory: making one takes as long as sending it."""
Workload = Callable[[int, int], Sample]

_FINITE = (Burst, Piecewise, Ramp, Replay)
"""Laws that say themselves how many requests there are."""
_INPUT, _OUTPUT = Fixed(256), Fixed(128)
"""Lengths of synthetic prompts where only one of the two is named, in tokens."""


def reshape(load: Load, changes: Changes) -> Load:
    """The load with every change that is not None.

    Raises:
        UsageError: a change cannot be read, or does not go with another one.
        TaskError: a file of prompts or a trace cannot be read (file, line, field).
    """
    recorded = _trace(changes)
    if recorded is not None and changes.batch is not None:
        raise UsageError("--batch cannot go with a trace, which is one of chats")
    levels = _levels(load, changes, recorded)
    counted = any(isinstance(law, _FINITE) for law in levels)
    give_up = parse_give_up(changes.give_up) if changes.give_up else None
    small: dict[str, Any] = {
        "warmup": changes.warmup,
        "cooldown": changes.cooldown,
        "think_s": changes.think_s,
        "nonce": changes.nonce,
        "duration_s": changes.duration_s,
        "give_up_share": give_up[0] if give_up else None,
        "give_up_s": give_up[1] if give_up else None,
        "slo": slo_of(parse(changes.slo)) if changes.slo else None,
    }
    requests = load.requests_per_level
    if changes.requests is not None or changes.duration_s is not None or counted:
        requests = changes.requests
    if changes.nonce is None and (changes.prefix or recorded is not None):
        # A text of each request's own before its prefix would make the shared ones differ.
        small["nonce"] = "run"
    if changes.warmup is None and counted:
        # A burst, a ramp or a trace is wanted whole, from its first arrival on.
        small["warmup"] = 0
    return dataclasses.replace(
        load,
        levels=levels,
        requests_per_level=requests,
        # A plan looks at each prompt twice: for its turns and lengths, and to build its request.
        sample=lru_cache(maxsize=KEPT)(_workload(load.sample, changes, recorded)),
        **{name: value for name, value in small.items() if value is not None},
    )


def _trace(changes: Changes) -> trace.Trace | None:
    if changes.trace is None:
        return None
    if changes.prompts:
        raise UsageError("--trace and --prompts cannot go together", hint="A trace says how long its prompts are")
    return trace.read(
        Path(changes.trace), speed=1.0 if changes.speed is None else changes.speed, limit=changes.requests
    )


def _levels(load: Load, changes: Changes, recorded: trace.Trace | None) -> tuple[Law, ...]:
    if changes.levels is not None:
        return tuple(law_from_json(level) for level in changes.levels)
    return (replay(recorded),) if recorded is not None else load.levels


def _workload(given: Workload, changes: Changes, recorded: trace.Trace | None) -> Workload:
    tokenizer = Path(changes.tokenizer) if changes.tokenizer else None
    if recorded is not None:
        return Traced(recorded, tokenizer=tokenizer)
    if _told(changes) and given(0, 0).inputs:
        return _embedded(given, changes, tokenizer)
    if changes.batch is not None:
        raise UsageError("--batch goes with a load that asks for embeddings", hint="As in harness load embeddings")
    output = parse_length(changes.output_tokens) if changes.output_tokens else None
    if changes.prompts:
        for name in ("input_tokens", "prefix", "turns", "kind"):
            if getattr(changes, name) is not None:
                raise UsageError(
                    f"--{name.replace('_', '-')} cannot go with --prompts", hint="Prompts are sent as written"
                )
        return Prompts(Path(changes.prompts), output=output, tokenizer=tokenizer)
    prefix = parse_prefix(changes.prefix) if changes.prefix else None
    wanted: dict[str, Any] = {
        "input": parse_length(changes.input_tokens) if changes.input_tokens else None,
        "output": output,
        "turns": parse_length(changes.turns) if changes.turns else None,
        "kind": changes.kind,
        "tokenizer": tokenizer,
        "prefix_tokens": prefix[0] if prefix else None,
        "prefixes": prefix[1] if prefix else None,
        "prefix_share": prefix[2] if prefix else None,
    }
    wanted = {name: value for name, value in wanted.items() if value is not None}
    if not wanted:
        return given
    if isinstance(given, Synthetic):
        return dataclasses.replace(given, **wanted)
    return Synthetic(**{"input": _INPUT, "output": _OUTPUT, **wanted})


_OF_PROMPTS = ("input_tokens", "output_tokens", "prefix", "turns", "kind", "prompts", "batch", "tokenizer")
"""Changes of what is asked."""
_OF_INPUTS = ("input_tokens", "batch", "tokenizer")
"""Those of them that go with embeddings."""


def _told(changes: Changes) -> list[str]:
    return [name for name in _OF_PROMPTS if getattr(changes, name) is not None]


def _embedded(given: Workload, changes: Changes, tokenizer: Path | None) -> Workload:
    """The workload of embeddings with other inputs."""
    for name in _told(changes):
        if name not in _OF_INPUTS:
            raise UsageError(f"--{name.replace('_', '-')} cannot go with embeddings", hint="They have inputs alone")
    made: Any = given
    if not hasattr(given, "batch"):
        raise UsageError("the inputs of this load are made by its own file, and cannot be changed")
    wanted: dict[str, Any] = {
        "input": parse_length(changes.input_tokens) if changes.input_tokens else None,
        "batch": changes.batch,
        "tokenizer": tokenizer,
    }
    changed: Workload = dataclasses.replace(
        made, **{name: value for name, value in wanted.items() if value is not None}
    )
    return changed
