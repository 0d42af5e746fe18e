"""The processes of a run on the nodes of a Ray cluster: the only door to Ray.

On each node an actor starts the same command that a run on one machine starts, and passes on what is said. Nothing that
was measured travels through Ray: a worker journals in a folder that all nodes share, or sends parcels to an object
store.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.config import FILE_NAME
from harness.engines.child import last_lines
from harness.errors import CannotMeasure, HarnessError, UsageError
from harness.place import open_place
from harness.record.folder import RunFolder
from harness.run.workers import handed, parcels
from harness.run.workers.executor import Where, argv_of
from harness.run.workers.parcels import Parcels
from harness.types import JsonObject

_STORE_BYTES = 150_000_000
"""Of the object store of a cluster of our own; the smallest that Ray takes is half of it, and we store nothing."""
_PLACED_S = 60.0
_HEAR_S = 1.0
_SEEN = ".seen-"


def connect(where: Where, providers_file: Path | None) -> OnRay:
    """Join a cluster, or begin one on this machine where no address is given.

    Errors: UsageError when Ray is not installed; CannotMeasure when there is no cluster at the address.
    """
    # Ray tells its makers of every cluster unless it is told not to, before it is loaded.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray  # noqa: PLC0415 - only who has a cluster needs it, and it takes a second
    except ImportError:
        raise UsageError("--executor ray: Ray is not installed", hint="pip install 'endpoint-harness[ray]'") from None
    quiet = {"log_to_driver": False, "configure_logging": False}
    try:
        if where.address is None:
            ray.init(
                "local", num_cpus=where.processes, include_dashboard=False, object_store_memory=_STORE_BYTES, **quiet
            )
        else:
            ray.init(where.address, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise CannotMeasure(
            f"no Ray cluster at {where.address or 'this machine'}: {said}", hint="See ray status"
        ) from None
    return OnRay(ray, providers_file, where.out)


class Node:
    """An actor: one worker on the node that it was placed on."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._said: deque[str] = deque()
        self._news = threading.Condition()
        self._over = False
        self._log = Path()
        self._stack = ExitStack()

    def sees(self, path: str) -> bool:
        """Whether a file of the conductor's is there under the same path."""
        return Path(path).is_file()

    def begin(
        self, folder: str | None, share: tuple[int, int], files: Mapping[str, bytes], run: str, out: str | None
    ) -> None:
        """Start the worker; ``folder`` is the run's where it can be reached, None: the files make one here."""
        number, of = share
        own = Path(tempfile.mkdtemp(prefix=f"{run}-{number}-"))
        if folder is not None:  # else what is journalled stays here too
            self._stack.callback(shutil.rmtree, own, ignore_errors=True)
        for name, content in files.items():
            (own / name).write_bytes(content)
        there = RunFolder(own if folder is None else Path(folder))
        if folder is None:
            assert out is not None
            sent = Parcels(there, open_place(out), number)
            sent.take_up()
            self._stack.enter_context(sent.going())
        providers = own / FILE_NAME if FILE_NAME in files else None
        self._log = there.root / f"worker-{number}.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                argv_of(there.root, number, of, providers, apart=True),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        threading.Thread(target=self._listen, name="listen", daemon=True).start()

    def tell(self, line: str) -> None:
        """Say something to the worker."""
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):  # it is gone, which is told elsewhere
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def hear(self) -> list[str] | None:
        """What the worker has said since, waited for a moment; None: it is gone and has said all."""
        with self._news:
            self._news.wait_for(lambda: self._said or self._over, timeout=_HEAR_S)
            said = list(self._said)
            self._said.clear()
            return None if self._over and not said else said

    def now_ns(self) -> int:
        """The monotonic clock of this node."""
        return time.perf_counter_ns()

    def end(self, within_s: float) -> str:
        """Tell the worker that nothing more comes, wait until it is gone, and send what it has left; how it ended."""
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
        try:
            self._stack.close()
        except HarnessError as error:
            return f"what it journalled last could not be sent: {error}"
        code = self._process.wait()
        words = last_lines(self._log, 1) if code else ""
        return f"exit code {code}{': ' if words else ''}{words}"

    def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self._said.append(line.decode())
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()


@dataclass(slots=True)
class OnRay:
    """Workers on the nodes of a cluster."""

    ray: Any
    providers_file: Path | None
    out: str | None
    _brought: RunFolder | None = None

    @property
    def shared(self) -> bool:
        """Nodes have clocks and disks of their own."""
        return False

    async def start(self, folder: RunFolder, number: int, of: int) -> OnNode:
        """Place one of ``of`` workers, as evenly over the nodes as the cluster has room.

        Raises:
            CannotMeasure: the cluster has no room, or the node sees neither the run's folder nor an ``out``.
        """
        made = self.ray.remote(
            num_cpus=1,
            scheduling_strategy="SPREAD",
            max_restarts=0,
            concurrency_groups={"speak": 1, "listen": 1},  # what is said is heard in its order
        )(Node)
        node = made.remote()
        seen = folder.root.absolute() / f"{_SEEN}{secrets.token_hex(8)}"
        seen.write_bytes(b"")
        try:
            async with asyncio.timeout(_PLACED_S):
                shared = await _of(node.sees.remote(str(seen)))
        except TimeoutError:
            has = self.ray.cluster_resources().get("CPU", 0)
            raise CannotMeasure(
                f"the Ray cluster had no room for worker {number} of {of} within {_PLACED_S:g} s (it has {has:g} CPUs)",
                hint="Give fewer --workers",
            ) from None
        finally:
            seen.unlink()
        if not shared and self.out is None:
            raise CannotMeasure(
                f"worker {number} is on a node that does not see {folder.root.absolute()}",
                hint="Give --results on a disk that all nodes share, or --out s3://...",
            )
        files = {} if shared else handed.files(folder)
        own = self.providers_file or Path(FILE_NAME)
        if own.is_file():
            files[FILE_NAME] = own.read_bytes()
        self._brought = self._brought if shared else folder
        root = str(folder.root.absolute()) if shared else None
        await _of(node.begin.remote(root, (number, of), files, folder.id, self.out))
        return OnNode(number, f"{root or 'the folder of the run on its node'}/worker-{number}.log", node, self.ray)

    async def close(self) -> None:
        """Have the shards here, and leave the cluster; one of our own ends."""
        if self._brought is not None and self.out is not None:
            await asyncio.to_thread(parcels.bring, self._brought, open_place(self.out))
        await asyncio.to_thread(self.ray.shutdown)


@dataclass(slots=True)
class OnNode:
    """One worker on a node."""

    number: int
    log: str
    node: Any
    ray: Any
    _how: str | None = None

    def tell(self, **what: object) -> None:
        """Say something; who is gone hears nothing."""
        if self._how is None:
            self.node.tell.options(concurrency_group="speak").remote(json.dumps(what))

    async def lines(self) -> AsyncIterator[JsonObject]:
        """What the worker says, until it or its node is gone."""
        hear = self.node.hear.options(concurrency_group="listen")
        while True:
            try:
                said = await _of(hear.remote())
            except self.ray.exceptions.RayError as error:
                self._how = f"its node is gone: {type(error).__name__}"
                return
            if said is None:
                return
            for line in said:
                yield json.loads(line)

    async def now_ns(self) -> int:
        """The clock of its node."""
        try:
            now: int = await _of(self.node.now_ns.remote())
        except self.ray.exceptions.RayError as error:
            raise CannotMeasure(f"its node is gone: {type(error).__name__}") from None
        return now

    async def gone(self) -> str:
        """How it ended."""
        if self._how is None:
            await self.dismiss(_HEAR_S)
        return self._how or "?"

    async def dismiss(self, within_s: float) -> None:
        """End the worker, and its actor."""
        if self._how is not None:
            return
        try:
            async with asyncio.timeout(within_s + _PLACED_S):
                self._how = await _of(self.node.end.remote(within_s))
        except (TimeoutError, self.ray.exceptions.RayError) as error:
            self._how = f"its node is gone: {type(error).__name__}"
        with suppress(self.ray.exceptions.RayError):
            self.ray.kill(self.node)


async def _of(reference: Any) -> Any:
    """The value of a reference of Ray's, without holding up the loop."""
    return await asyncio.wrap_future(reference.future())
