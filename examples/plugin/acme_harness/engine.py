"""An engine: a server that is started for a run, here the simulator with settings of ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.engines import Running, Tell, simulator


def start(options: Mapping[str, Any], log_dir: Path | None, tell: Tell) -> Running:
    """Start it and wait until it answers; options are those of the simulator."""
    return simulator.start({"profile": "steady-vendor", "ttft_ms": 5, "itl_ms": 0, **options}, log_dir, tell)
