"""A Ray cluster of two nodes on this machine, as a process: says its address, loses its second node when told to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STORE_BYTES = 150_000_000


class Nodes:
    """The cluster, spoken to."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.address: str = self._hear()["address"]

    def lose_one(self) -> None:
        """Kill the second node, with all that runs on it."""
        assert self._process.stdin is not None
        self._process.stdin.write("lose\n")
        self._process.stdin.flush()
        assert self._hear() == {"lost": True}

    def _hear(self) -> dict[str, object]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the cluster did not start"
        found: dict[str, object] = json.loads(line)
        return found


@contextmanager
def two_nodes(environment: dict[str, str], *, cpus: int = 2) -> Iterator[Nodes]:
    """A cluster of two nodes with so many places each, for the length of the block."""
    with subprocess.Popen(
        [sys.executable, str(Path(__file__)), str(cpus)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**environment, "RAY_USAGE_STATS_ENABLED": "0"},
    ) as process:
        try:
            yield Nodes(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(60)


def _main() -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Ray prints
    from ray.cluster_utils import Cluster

    about = {"num_cpus": int(sys.argv[1]), "object_store_memory": STORE_BYTES}
    cluster = Cluster(initialize_head=True, head_node_args={**about, "include_dashboard": False})
    try:
        second = cluster.add_node(**about)
        print(json.dumps({"address": cluster.address}), file=out, flush=True)
        for line in sys.stdin:
            if line.strip() == "lose":
                cluster.remove_node(second, allow_graceful=False)
                print(json.dumps({"lost": True}), file=out, flush=True)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    _main()
