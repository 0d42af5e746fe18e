"""Servers that stream on a schedule and know when they sent what: the truth that every client is held against.

The C server of ``../shared/truthserver`` is used where it is found, else our own simulator. Both stamp the monotonic
clock right before each write.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
SOURCE = ROOT.parent / "shared" / "truthserver"
MODEL = "truth"

FAULTS = {
    "drop": ("drop", "cut"),
    "reset": ("reset", "reset"),
    "http 429": ("e429", "http_429"),
    "http 500": ("e500", "http_500"),
    "malformed": ("malformed", "malformed"),
    "error event": ("sseerr", "inband_error"),
    "empty": ("empty", "empty"),
}
"""What we call a fault -> what the C server calls it, and what the simulator does."""
_CODES = ("", "drop", "reset", "http 429", "http 500", "malformed", "error event", "stall", "empty")
_RECORD = np.dtype(
    [("id", "<u8"), *((name, "<u4") for name in ("conn", "n", "fault", "flags"))]
    + [(name, "<i8") for name in ("accept", "read", "headers", "first", "last", "end")]
    + [("body", "<u4"), ("port", "<u4")]
)


@dataclass(frozen=True)
class Shape:
    """How a server answers: milliseconds, tokens, and shares of requests in percent."""

    ttft_ms: float = 0.0
    itl_ms: float = 0.0
    tokens: int = 64
    limited: bool = True
    """Whether a request may ask for another number of tokens than that; the simulator never gives more."""
    faults: Mapping[str, float] = field(default_factory=dict)


@dataclass
class Truth:
    """What the server saw and did, one entry a request, in nanoseconds; ``fault`` is empty where it answered well."""

    read: np.ndarray
    first: np.ndarray
    end: np.ndarray
    tokens: np.ndarray
    fault: list[str]
    gaps: list[np.ndarray]
    """Between the token writes of each request that was answered well."""

    def longer_than(self, tokens: int) -> Truth:
        """Only the answers of more tokens than that."""
        keep = self.tokens > tokens
        gaps = [each for each in self.gaps if len(each) >= tokens]
        fault = [name for name, kept in zip(self.fault, keep, strict=True) if kept]
        return Truth(self.read[keep], self.first[keep], self.end[keep], self.tokens[keep], fault, gaps)

    def latencies(self) -> dict[str, np.ndarray]:
        """TTFT, every ITL, the mean ITL of each request, and E2E of the good answers, in milliseconds."""
        good = np.array([not fault for fault in self.fault], dtype=bool)
        gaps = [each for each in self.gaps if len(each)]
        return {
            "ttft": (self.first - self.read)[good] / 1e6,
            "itl": np.concatenate(gaps) / 1e6 if gaps else np.array([]),
            "itl_mean": np.array([each.mean() for each in gaps]) / 1e6,
            "e2e": (self.end - self.read)[good] / 1e6,
        }

    def bad(self) -> Counter[str]:
        """How many requests met which fault."""
        return Counter(fault for fault in self.fault if fault)

    def seconds(self) -> float:
        """From the first request to the end of the last answer."""
        return float(max(self.end.max(), self.read.max()) - self.read.min()) / 1e9

    def slips_ms(self, rate: float) -> np.ndarray:
        """How far behind an even schedule each request came, whose zero is set by the least late of them."""
        at = np.sort(self.read) / 1e6
        late = at - np.arange(len(at)) * (1000 / rate)
        return late - late.min()


@dataclass
class Server:
    """A running server; ``truth`` is there once the block that served it has ended."""

    root: str
    """Without ``/v1``."""
    name: str
    truth: Truth | None = None


@contextlib.contextmanager
def serve(
    shape: Shape, folder: Path, *, tls: tuple[Path, Path] | None = None, simulated: bool = False
) -> Iterator[Server]:
    """Serve ``shape`` while the block runs; ``tls`` is a certificate and its key, which only the simulator takes.

    ``simulated``: by the simulator in any case; it alone spoils answers that are not streamed in every way.
    """
    native = None if tls or simulated else _built()
    log = folder / "truth.log"
    if native is None:
        argv = [sys.executable, "-m", "harness", "simulate", "null", "--log", str(log), "--log-chunks"]
        argv += [word for key, value in _settings(shape).items() for word in ("--set", f"{key}={value}")]
        argv += ["--tls-cert", str(tls[0]), "--tls-key", str(tls[1])] if tls else []
    else:
        port = _free_port()
        argv = [str(native), "--port", str(port), "--log", str(log), "--chunk-log", str(folder / "chunks.log")]
        argv += ["--ttft-ms", str(shape.ttft_ms), "--itl-ms", str(shape.itl_ms), "--tokens", str(shape.tokens)]
        argv += [] if shape.limited else ["--ignore-max-tokens"]
        argv += [word for name, share in shape.faults.items() for word in (f"--{FAULTS[name][0]}-pct", str(share))]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    if native:
        _first_in_line(process.pid)
    try:
        assert process.stdout is not None
        if native is None:
            root = str(json.loads(process.stdout.readline())["base_url"]).removesuffix("/v1")
        else:
            root = f"http://127.0.0.1:{port}"
            _wait_for(port)
        server = Server(root, "truthserver" if native else "harness simulate")
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    server.truth = read_c(log, folder / "chunks.log") if native else read_simulator(log)


def read_c(log: Path, chunks: Path) -> Truth:
    """The two binary logs of the C server."""
    rows = np.sort(np.fromfile(log, _RECORD), order="id")
    writes = np.fromfile(chunks, np.dtype([("id", "<u8"), ("at", "<i8")]))
    writes = writes[np.argsort(writes["id"], kind="stable")]
    good = rows["fault"] == 0
    bounds = (np.searchsorted(writes["id"], rows["id"][good], side) for side in ("left", "right"))
    gaps = [np.diff(writes["at"][start:stop]) for start, stop in zip(*bounds, strict=True)]
    fault = [_CODES[code] for code in rows["fault"]]
    return Truth(rows["read"], rows["first"], rows["end"], rows["n"], fault, gaps)


def read_simulator(log: Path) -> Truth:
    """The log of ``harness simulate``, one line of JSON a request; what is no completion is left out."""
    names = {theirs: ours for ours, (_, theirs) in FAULTS.items()}
    lines: list[dict[str, Any]] = [json.loads(line) for line in log.read_text().splitlines()]
    rows = [line for line in lines if line["type"] == "request" and line["path"].endswith("completions")]
    fault = [names.get(row.get("fault") or "", row.get("fault") or "") for row in rows]
    times = (np.array([row.get(name) or 0 for row in rows], dtype="i8") for name in ("read_ns", "first_ns", "end_ns"))
    gaps = [np.diff(row.get("chunks_ns") or [0]) for row, bad in zip(rows, fault, strict=True) if not bad]
    return Truth(*times, np.array([row["sent"] for row in rows]), fault, gaps)


def _settings(shape: Shape) -> dict[str, object]:
    faults = {FAULTS[name][1]: share / 100 for name, share in shape.faults.items()}
    return {"models": MODEL, "ttft_ms": shape.ttft_ms, "itl_ms": shape.itl_ms, "tokens": shape.tokens, **faults}


def _built() -> Path | None:
    """The C server, built in a folder of this machine's cache; None: no source or no compiler."""
    if not (SOURCE / "truthserver.c").is_file() or shutil.which("make") is None:
        return None
    folder = Path.home() / ".cache" / "endpoint-harness-bench" / "truthserver"
    shutil.copytree(SOURCE, folder, dirs_exist_ok=True)
    subprocess.run(["make", "-s", "-C", folder, "truthserver"], check=True)
    return folder / "truthserver"


def _first_in_line(pid: int) -> None:
    """Have the C server run whenever it has something to do, where the system lets us.

    Its truth begins when it reads a request, so while it waits for a core that the client keeps, its own delay would be
    told as an error of the client's clock. The simulator knows when requests arrived, and needs too much of a core.
    """
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_for(port: int) -> None:
    until = time.perf_counter_ns() + 10_000_000_000
    while time.perf_counter_ns() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise TimeoutError("the truth server did not come up")
