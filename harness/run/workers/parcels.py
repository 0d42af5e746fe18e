"""What a process journals travels to a place far away in parcels of whole lines, while it goes on.

Object stores cannot be appended to, so a file arrives as its pieces, each named by where in the file it begins:
``parcels/journal-3.jsonl/000000000000``. A machine that is lost takes with it what it journalled since the last parcel
that arrived: ``EVERY_S`` and the time an upload takes. The files stay on the machine's own disk too.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import HarnessError, StoreError
from harness.place import Place
from harness.record.folder import RunFolder, storing

EVERY_S = 1.0
_MOST = 32 << 20
"""Bytes of one parcel."""
_TOP = "parcels"


class Parcels:
    """The files of one shard on their way."""

    def __init__(self, folder: RunFolder, place: Place, shard: int) -> None:
        """Nothing is sent before ``send``."""
        self._place = place
        self._files = [folder.journal_path(shard), folder.vitals_path(shard)]
        self._sent = dict.fromkeys(self._files, 0)
        self.problem: HarnessError | None = None
        """Why nothing goes any more; None: it does."""

    def take_up(self) -> None:
        """Bring back what an earlier process of this shard sent, where this disk does not have it.

        Raises:
            StoreError: what is here is not what was sent.
        """
        for path in self._files:
            sent = content(self._place, path.name)
            kept = path.read_bytes() if path.exists() else b""
            if not kept.startswith(sent):
                if not sent.startswith(kept):
                    raise StoreError(
                        f"{path} is not what was sent to {self._place.shown}",
                        hint="Is another worker of this shard on?",
                    )
                with storing(path):
                    path.write_bytes(sent)
            self._sent[path] = len(sent)

    def send(self) -> None:
        """Send every whole line that is not there yet.

        Raises:
            StoreError: the place refuses, or somebody else sends the same shard.
        """
        for path in self._files:
            while lines := _lines(path, self._sent[path]):
                name = f"{_TOP}/{path.name}/{self._sent[path]:015d}"
                if not self._place.create(name, lines, lambda _: None):
                    raise StoreError(
                        f"{self._place.shown}/{name} is there already", hint="Another worker of this shard is on"
                    )
                self._sent[path] += len(lines)

    @contextmanager
    def going(self) -> Iterator[None]:
        """Send now and then within the block, and what is left at its end."""
        ended = threading.Event()

        def now_and_then() -> None:
            while not ended.wait(EVERY_S):
                try:
                    self.send()
                    self.problem = None
                except HarnessError as error:
                    self.problem = error  # the disk here has it; the next time may do better

        thread = threading.Thread(target=now_and_then, name="parcels", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self.send()


def files(place: Place) -> list[str]:
    """Names of the files that came in parcels."""
    return sorted({name.split("/")[1] for name in place.sizes(_TOP) if name.count("/") == 2})


def content(place: Place, name: str) -> bytes:
    """A file of which parcels have come, as far as they follow on each other; empty: none have."""
    whole = b""
    pieces = sorted(piece for piece in place.sizes(f"{_TOP}/{name}") if not piece.endswith(".part"))
    for piece in pieces:
        if int(piece.rpartition("/")[2]) != len(whole):
            break
        whole += place.read(piece) or b""
    return whole


def bring(folder: RunFolder, place: Place) -> None:
    """Have the files of all shards in the run's folder. Errors: StoreError."""
    for name in files(place):
        _put(folder.root / name, content(place, name))
    if "://" not in place.shown and Path(place.shown).resolve() != folder.root.resolve():
        there = RunFolder(Path(place.shown))
        for path in (*there.journals(), *there.vitals()):
            _put(folder.root / path.name, path.read_bytes())


def _put(path: Path, content: bytes) -> None:
    """Write what has come, unless more of it is here already."""
    if not path.exists() or path.stat().st_size < len(content):
        with storing(path):
            path.write_bytes(content)


def _lines(path: Path, start: int) -> bytes:
    """Whole lines of a file from a place on."""
    if not path.exists():
        return b""
    with storing(path), path.open("rb") as file:
        file.seek(start)
        found = file.read(_MOST)
    return found[: found.rfind(b"\n") + 1]
