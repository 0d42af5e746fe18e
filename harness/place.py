"""A folder somewhere, by its address: on this machine, on a shared disk, or in an object store. The one door to fsspec.

Files are only ever created whole under their final name, never changed: on a disk through a temporary name and a link,
in an object store by one upload, which appears when it is complete.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from harness.errors import StoreError, UnknownName, UsageError

EXTRAS = {"s3": "s3", "gs": "gcs", "az": "azure-storage", "abfs": "azure-storage", "abfss": "azure-storage"}
"""Which extra brings the library of an object store."""
_KNOWN = ("file", "memory", *EXTRAS)
_BLOCK = 1 << 20
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
Told = Callable[[int], None]
"""Is told of so many bytes more."""


class Place(Protocol):
    """Files by names that are relative to an address, such as ``runs/x/run.json``.

    Errors of every method: StoreError of one line when the place cannot be reached, refuses, or does not answer.
    """

    shown: str
    """Its address as it is shown to people."""

    def sizes(self, under: str) -> dict[str, int]:
        """Bytes of every file below ``under``, by name, hidden files too; empty where there is no such folder."""

    def read(self, name: str) -> bytes | None:
        """A small file; None: there is none."""

    def blocks(self, name: str) -> Iterator[bytes]:
        """A file, piece by piece."""

    def create(self, name: str, source: Path | bytes, told: Told) -> bool:
        """Make a file that appears whole or not at all; False: there is one of that name, and it stays."""

    def remove(self, name: str) -> None:
        """Take a file away; one that is gone is no matter."""


def open_place(address: str) -> Place:
    """The place of an address: a path, ``file://``, ``memory://``, ``s3://``, ``gs://``, ``az://`` or ``abfs://``.

    Who may enter an object store is found by its own library in the environment, never in the address.
    Errors: UsageError when the address is of another kind, holds a password, or its library is not installed.
    """
    scheme, separator, rest = address.partition("://")
    if not separator:
        scheme, rest = "file", address
    scheme = scheme.lower()
    if scheme not in _KNOWN:
        raise UnknownName("kind of address", scheme, _KNOWN)
    if not rest.strip("/") and scheme != "memory":
        raise UsageError(f"the address {address!r} names no folder", hint="As in /mnt/team/store or s3://bucket/store")
    if scheme == "file":
        return _Folder(Path(rest).expanduser().absolute())
    if urlsplit(address).password is not None:
        raise UsageError(
            "the address of a store holds no password", hint="Its library finds it in the environment (docs/team.md)"
        )
    return _Remote(address)


class _Folder:
    """A folder of this machine, or of a disk that others share."""

    def __init__(self, root: Path) -> None:
        self.shown = str(root)
        self._root = root

    def sizes(self, under: str) -> dict[str, int]:
        found = {}
        with _told(self.shown):
            for folder, _, names in os.walk(self._root / under):
                for name in names:
                    path = Path(folder) / name
                    with suppress(FileNotFoundError):
                        found[path.relative_to(self._root).as_posix()] = path.stat().st_size
        return found

    def read(self, name: str) -> bytes | None:
        with _told(f"{self.shown}/{name}"):
            try:
                return (self._root / name).read_bytes()
            except FileNotFoundError:
                return None

    def blocks(self, name: str) -> Iterator[bytes]:
        with _told(f"{self.shown}/{name}"), (self._root / name).open("rb") as file:
            while block := file.read(_BLOCK):
                yield block

    def create(self, name: str, source: Path | bytes, told: Told) -> bool:
        path = self._root / name
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        with _told(f"{self.shown}/{name}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("xb") as file:
                    for block in _pieces(source):
                        file.write(block)
                        told(len(block))
                    file.flush()
                    os.fsync(file.fileno())
                return _put(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        with _told(f"{self.shown}/{name}"):
            (self._root / name).unlink(missing_ok=True)


def _put(temporary: Path, path: Path) -> bool:
    """Give a whole file its name, which only one of several that try at once can do; False: another did."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():  # a disk without links: two that come within this moment write the same or are refused later
            return False
        temporary.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # some shared disks have no way to flush a folder
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return True


class _Remote:
    """A folder of an object store, or of this process's memory."""

    def __init__(self, address: str) -> None:
        import fsspec  # noqa: PLC0415 - it and the store's library are of use to those who have a store

        self.shown = address.rstrip("/")
        scheme = address.partition("://")[0].lower()
        try:
            self._system, root = fsspec.core.url_to_fs(address)
        except ImportError as error:
            raise UsageError(
                f"{scheme}:// needs a package that is not installed ({error.name or type(error).__name__})",
                hint=f'pip install "endpoint-harness[{EXTRAS.get(scheme, scheme)}]"',
            ) from None
        except Exception as error:
            raise StoreError(f"{self.shown}: {_line(error)}") from error
        self._root = str(root).rstrip("/")

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def sizes(self, under: str) -> dict[str, int]:
        with _told(self.shown):
            self._system.invalidate_cache()  # others write
            try:
                found: dict[str, Any] = self._system.find(self._path(under), detail=True)
            except FileNotFoundError:
                return {}
        start = len(self._root) + 1
        return {path[start:]: int(about["size"]) for path, about in found.items() if about["type"] == "file"}

    def read(self, name: str) -> bytes | None:
        with _told(f"{self.shown}/{name}"):
            try:
                content: bytes = self._system.cat_file(self._path(name))
            except FileNotFoundError:
                return None
        return content

    def blocks(self, name: str) -> Iterator[bytes]:
        with _told(f"{self.shown}/{name}"), self._system.open(self._path(name), "rb", cache_type="readahead") as file:
            while block := file.read(_BLOCK):
                yield block

    def create(self, name: str, source: Path | bytes, told: Told) -> bool:
        path = self._path(name)
        with _told(f"{self.shown}/{name}"):
            self._system.invalidate_cache()
            if self._system.exists(path):
                return False
            try:
                if isinstance(source, bytes):
                    self._system.pipe_file(path, source, mode="create")
                else:
                    self._system.put_file(str(source), path, mode="create")
            except Exception:
                # Whoever came first has it: stores tell that each with an error of their own.
                self._system.invalidate_cache()
                if self._system.exists(path):
                    return False
                raise
        told(len(source) if isinstance(source, bytes) else source.stat().st_size)
        return True

    def remove(self, name: str) -> None:
        with _told(f"{self.shown}/{name}"), suppress(FileNotFoundError):
            self._system.rm_file(self._path(name))


def _pieces(source: Path | bytes) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with source.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn whatever a file system or its library raises into one line."""
    try:
        yield
    except (StoreError, UsageError, GeneratorExit):
        raise
    except Exception as error:
        raise StoreError(f"{what}: {_line(error)}", hint="See docs/team.md for how a store is reached") from error


def _line(error: Exception) -> str:
    """What went wrong, in one short line; of a library's own errors the name alone, for they may hold what was sent."""
    if not isinstance(error, OSError):
        return type(error).__name__
    words = error.strerror or str(error) or type(error).__name__
    return re.sub(r"\s+", " ", words)[:200]
