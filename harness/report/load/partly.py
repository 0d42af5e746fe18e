"""What a run lacks of which a worker was lost, and what its load was then, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.report.words import plain
from harness.store.sharded import lost, of_manifest, order_ms


def told(manifest: Mapping[str, Any]) -> str:
    """Which workers were lost, how and when; empty: none."""
    gone = lost(manifest)
    if not gone:
        return ""
    names = "; ".join(
        plain(f"shard {one['shard']} on {one['host']} at {one['lost_at']} ({one['lost']})") for one in gone
    )
    return f"{len(gone)} of {gone[0]['of']} workers lost: {names}"


def lines(manifest: Mapping[str, Any], journalled: int | None) -> list[str]:
    """What a reader of the figures must know of a run that was dealt out; none: nothing.

    ``journalled``: planned requests that have a record; None: not known.
    """
    found = []
    if gone := lost(manifest):
        share = f"{(gone[0]['of'] - len(gone))}/{gone[0]['of']}"
        asked = "" if journalled is None else f" {journalled} of {manifest['planned']} planned requests have a record:"
        found.append(
            f"partial: {told(manifest)}.{asked} rates and counts here are of what was asked; without them about "
            f"{share} of the planned load was on"
        )
    within = order_ms(manifest)
    if within is not None:
        hosts = len({one["host"] for one in of_manifest(manifest) if one["pid"]})
        where = f"{hosts} hosts" if hosts > 1 else "several clocks"
        how = (
            "how their clocks stand was not measured: moments of different hosts are in no certain order"
            if math.isinf(within)
            else f"moments of different hosts are in no certain order within {within:.3g} ms"
        )
        found.append(f"{where} asked; {how}. Durations are each of one host's clock and are not touched by it")
    return found
