"""What a run remembers of each process that carried out a share of it, in its manifest under ``shards``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from harness.run.observers.wall import Anchor
from harness.run.workers.clocks import Offset, here
from harness.store.sharded import of_manifest
from harness.types import JsonObject


@dataclass(slots=True)
class Shard:
    """One process in one sitting."""

    shard: int
    of: int
    host: str = "?"
    pid: int = 0
    session: int = 0
    """Which opening of its journal this was."""
    clock: str | None = None
    """Which monotonic clock it read, as in ``clocks.here``; None: not known."""
    offset_ns: int | None = None
    """What its clock was ahead of the conductor's, by measurement; None: it was not measured."""
    bound_ns: int | None = None
    """The most by which that is wrong at any time: half the best round trip, and what it moved from the first
    measurement to a later one."""
    probes: int = 0
    lost: str | None = None
    """How it was lost; None: it came to the end of its share, or was told to stop."""
    lost_at: str | None = None
    """When that was noticed, UTC."""

    def measured(self, found: Offset) -> None:
        """Note one more measurement of its clock; the offset stays that of the first."""
        if self.offset_ns is None or self.bound_ns is None:
            self.offset_ns, self.bound_ns, self.probes = found
            return
        self.bound_ns = max(self.bound_ns, found.bound_ns + abs(found.offset_ns - self.offset_ns))
        self.probes += found.probes


def rows(manifest: Mapping[str, object], shards: Sequence[Shard], anchor: Anchor) -> list[JsonObject]:
    """What the manifest has of the processes of this sitting, behind those of earlier ones.

    ``anchor`` is a moment on the conductor's two clocks: with the offsets it gives every time of a journal its moment.
    """
    before = of_manifest(manifest)
    sitting = 1 + max((one["sitting"] for one in before), default=0)
    conductor = {"wall": anchor.wall.isoformat(timespec="microseconds"), "mono_ns": anchor.mono_ns}
    conductor |= {"clock": here()["clock"]}
    return [*before, *({"sitting": sitting, **asdict(one), "conductor": conductor} for one in shards)]
