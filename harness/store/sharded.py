"""What a manifest says of the processes that a run was dealt out to: who was lost, and how their clocks stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from harness.record.journal import Session
from harness.types import JsonObject


def of_manifest(manifest: Mapping[str, object]) -> list[JsonObject]:
    """All processes of all sittings; none: the run was one process, or was made before they were noted."""
    found = manifest.get("shards")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def lost(manifest: Mapping[str, object]) -> list[JsonObject]:
    """The processes that were lost in the last sitting of a run that is ``partial``."""
    shards = of_manifest(manifest)
    last = max((one["sitting"] for one in shards), default=0)
    found = [one for one in shards if one["sitting"] == last and one.get("lost") is not None]
    return found if manifest.get("status") == "partial" else []


def order_ms(manifest: Mapping[str, object]) -> float | None:
    """Within how many ms the order of two events of different hosts is not known; None: there is one clock only.

    Infinite: how the clocks stand was not measured.
    """
    shards = [one for one in of_manifest(manifest) if one.get("pid")]  # who never came asked nothing
    clocks = {one.get("clock") or f"{one.get('host')}/{one.get('pid')}" for one in shards}
    if len(clocks) < 2:
        return None
    bounds = [one.get("bound_ns") for one in shards]
    known = [bound for bound in bounds if bound is not None]
    # Each of the two may be wrong by its own bound.
    return 2 * max(known) / 1e6 if known and len(known) == len(bounds) else float("inf")


def aligner(manifest: Mapping[str, object]) -> Callable[[Session], Session]:
    """Puts the sessions of all hosts on the conductor's calendar, by the offsets that were measured.

    Durations do not change: they are differences on one host's clock. Where nothing was measured a session keeps the
    calendar of its own host.
    """
    known = {(one["shard"], one["session"]): one for one in of_manifest(manifest) if one.get("offset_ns") is not None}

    def align(session: Session) -> Session:
        told = known.get((session.shard, session.session))
        if told is None:
            return session
        conductor = told["conductor"]
        # Of one and the same clock the truth is known: an estimate would only add its error.
        one = told["clock"] is not None and told["clock"] == conductor["clock"]
        since_ns = session.mono_ns - (0 if one else told["offset_ns"]) - conductor["mono_ns"]
        return session._replace(
            wall=datetime.fromisoformat(conductor["wall"]) + timedelta(microseconds=since_ns // 1000)
        )

    return align


def conductor(manifest: Mapping[str, object]) -> Session | None:
    """The clock of who conducted the first sitting on other hosts' processes; None: all was on one host."""
    first = next((one for one in of_manifest(manifest) if one.get("offset_ns") is not None), None)
    if first is None:
        return None
    told = first["conductor"]
    return Session(0, 1, told["mono_ns"], datetime.fromisoformat(told["wall"]), 0)
