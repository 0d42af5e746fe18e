"""What dealing a load out costs: ``python tests/bench/shards.py [--quick] [--ray]``.

The same plan by 1, 2 and 4 processes: processor time for each read, memory, time until the first request, latencies.
Then one process with more and more streams: what a stream takes. All against the simulator on this machine, which takes
a processor of its own. ``--ray``: the processes are on a Ray cluster of two nodes on this machine, for which Ray must
be installed. Not a test: nothing here is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))
from ray_nodes import two_nodes

from harness.record.folder import RunFolder, list_runs
from harness.stats.intervals import quantile
from harness.stats.shift import median_shift
from harness.store.query import rows

ENV = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "RAY_USAGE_STATS_ENABLED": "0"}
_ITL_MS, _TTFT_MS = 20, 60
_WORKERS = (1, 2, 4)


class Seen(NamedTuple):
    """What one load took."""

    workers: int
    n: int
    reads_per_s: float
    cpu_us: float
    """Processor time of all measuring processes for each read, microseconds."""
    share: float
    """Processors that all measuring processes took."""
    rss_mb: float
    """Most memory of one measuring process."""
    conductor_mb: float
    """Most memory of the process that conducts; of one process it is the same."""
    begun_s: float
    """From the making of the run's folder to the first request."""
    ttft_ms: dict[str, float]
    """By job."""

    def cost(self, first: Seen) -> str:
        """A row of the first table."""
        return (
            f"| {self.workers} | {self.n} | {self.reads_per_s:,.0f} | {self.cpu_us:.1f} | {self.share:.3f} | "
            f"{first.cpu_us / self.cpu_us:.0%} | {self.rss_mb:.0f} | {self.conductor_mb:.0f} | {self.begun_s:.1f} |"
        )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="A tenth of the requests: shows that it runs.")
    parser.add_argument("--only", nargs="+", choices=_MEASURES, default=list(_MEASURES), help="Some of it.")
    parser.add_argument("--ray", action="store_true", help="On a Ray cluster of two nodes on this machine.")
    asked = parser.parse_args()
    many = 1 if asked.quick else 10
    with tempfile.TemporaryDirectory(prefix="harness-shards-") as name, ExitStack() as stack:
        folder = Path(name)
        stack.enter_context(_served(folder))
        where: tuple[str, ...] = ()
        if asked.ray:
            where = ("--executor", f"ray:{stack.enter_context(two_nodes(ENV)).address}")
        for which in asked.only:
            _MEASURES[which](folder, where, many)
            print()


def _cost(folder: Path, where: Sequence[str], many: int) -> None:
    """One plan by more and more processes, under a load that is heavy here."""
    columns = ("workers", "requests", "reads/s", "CPU µs a read", "processors", "efficiency", "MB a worker")
    _head(*columns, "MB conductor", "s to first request")
    first = None
    for workers in _WORKERS:
        seen = _load(folder, workers, ("--concurrency", "64", "-n", str(128 * many), "--output-tokens", "64"), where)
        first = first or seen
        print(seen.cost(first), flush=True)


def _latency(folder: Path, where: Sequence[str], many: int) -> None:
    """One plan by more and more processes, by turns, under a light load: the same request is compared with itself."""
    seen: dict[int, list[Seen]] = {workers: [] for workers in _WORKERS}
    for order in (_WORKERS, _WORKERS[::-1], _WORKERS):
        for workers in order:
            law = ("--rate", "10", "-n", str(10 * many), "--output-tokens", "8")
            seen[workers].append(_load(folder, workers, law, where))
    _head("workers", "requests", "TTFT p50 ms", "p95 ms", "the same request against 1 worker: median, ms [95 %]")
    alone = seen[_WORKERS[0]]
    for workers, runs in seen.items():
        pairs = [
            (before.ttft_ms[job], after.ttft_ms[job])
            for before, after in zip(alone, runs, strict=True)
            for job in before.ttft_ms
            if job in after.ttft_ms
        ]
        shift = median_shift([one for one, _ in pairs], [other for _, other in pairs])
        p50, p95 = (quantile([other for _, other in pairs], q) or 0.0 for q in (0.5, 0.95))
        told = f"{shift.difference:+.2f} [{shift.low:+.2f}, {shift.high:+.2f}]" if workers > 1 else ""
        print(f"| {workers} | {len(pairs)} | {p50:.1f} | {p95:.1f} | {told} |", flush=True)


def _streams(folder: Path, where: Sequence[str], many: int) -> None:
    """One worker with more and more streams."""
    _head("streams", "reads/s", "CPU µs a read", "processors", "MB of the process")
    for streams in (16, 64, 256) if many == 1 else (16, 64, 256, 1024):
        seen = _load(folder, 1, ("--concurrency", str(streams), "-n", str(streams * 4), "--output-tokens", "64"), where)
        print(
            f"| {streams} | {seen.reads_per_s:,.0f} | {seen.cpu_us:.1f} | {seen.share:.2f} | {seen.rss_mb:.0f} |",
            flush=True,
        )


_MEASURES = {"cost": _cost, "latency": _latency, "streams": _streams}


def _head(*columns: str) -> None:
    print("|", " | ".join(columns), "|\n|", "---|" * len(columns), sep="")


def _load(folder: Path, workers: int, law: Sequence[str], where: Sequence[str]) -> Seen:
    argv = [sys.executable, "-m", "harness", "load", "chat", "-e", "sim/m", *law]
    argv += ["--warmup", "0", "--nonce", "none", "--input-tokens", "50", "--no-calibrate", "--no-scrape"]
    argv += ["--workers", str(workers), *where]
    with subprocess.Popen(
        argv, cwd=folder, env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        sealing, peaks = threading.Event(), dict[int, int]()
        watching = threading.Thread(target=_watch, args=(process.pid, sealing, peaks))
        watching.start()
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("sealing"):
                sealing.set()
        sealing.set()
        watching.join()
    if process.returncode:
        raise SystemExit("".join(said))
    return _seen(list_runs(folder / "results")[-1], workers, peaks, process.pid)


def _seen(run: RunFolder, workers: int, peaks: dict[int, int], conductor: int) -> Seen:
    manifest = run.read_manifest()
    facts = manifest["facts"]
    seconds = max(one["ended_ns"] - one["began_ns"] for one in facts) / 1e9
    cpu_s, reads = sum(one["cpu_ns"] for one in facts) / 1e9, sum(one["reads"] for one in facts)
    found = rows(
        run.root.parents[1],
        "select job_id, ttft_ms, epoch_us(started_at) / 1e6 as sent_s from attempt_metrics where run_id = ? and ok",
        [run.id],
    )
    own = peaks.pop(conductor, 0)
    return Seen(
        *(workers, len(found), reads / seconds, cpu_s * 1e6 / reads, cpu_s / seconds),
        *(max(peaks.values(), default=own) / 1024, own / 1024),
        min(one["sent_s"] for one in found) - datetime.fromisoformat(manifest["created_at"]).timestamp(),
        {one["job_id"]: one["ttft_ms"] for one in found if one["ttft_ms"] is not None},
    )


def _watch(conductor: int, until: threading.Event, peaks: dict[int, int]) -> None:
    """Note the most memory of the conductor and of every measuring process, KiB, by process."""
    while not until.wait(0.1):
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, ValueError, StopIteration):
                number = int(path.name)
                if number == conductor or b"--told" in (path / "cmdline").read_bytes().split(b"\0"):
                    lines = (path / "status").read_text().splitlines()
                    kib = int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])
                    peaks[number] = max(peaks.get(number, 0), kib)


@contextmanager
def _served(folder: Path) -> Iterator[None]:
    """A simulator, and the providers file that names it."""
    argv = [sys.executable, "-m", "harness", "simulate", "null", "--port", "0"]
    argv += ["--set", f"ttft_ms={_TTFT_MS}", "--set", f"itl_ms={_ITL_MS}"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=ENV) as child:
        try:
            assert child.stdout is not None
            url = json.loads(child.stdout.readline())["base_url"]
            about = {"kind": "simulated", "base_url": url, "models": {"m": "sim-small"}}
            (folder / "providers.yaml").write_text(json.dumps({"providers": {"sim": about}}))
            yield
        finally:
            child.terminate()


if __name__ == "__main__":
    main()
