"""What is worth remembering from one run to the next: small files in the user's cache folder, never a secret.

Everything here can be lost at any time. ``HARNESS_NO_CACHE=1`` does without it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

MAX_FILES = 256
"""Of one kind; beyond it the oldest quarter goes."""


def folder(kind: str) -> Path | None:
    """Where things of a kind are kept; None: nowhere. It need not be there yet."""
    if os.environ.get("HARNESS_NO_CACHE", "0") not in ("", "0"):
        return None
    try:
        cache = os.environ.get("XDG_CACHE_HOME", "")
        # Source: XDG base directory specification 0.8: a relative path is to be ignored.
        root = Path(cache) if Path(cache).is_absolute() else Path.home() / ".cache"
    except RuntimeError:  # no home
        return None
    return root / "endpoint-harness" / kind


def recall(kind: str, name: str, max_bytes: int) -> bytes | None:
    """What was remembered under a name, at most so many bytes of it; None: nothing."""
    kept = folder(kind)
    if kept is None:
        return None
    try:
        with (kept / name).open("rb") as file:
            return file.read(max_bytes)
    except OSError:
        return None


def remember(kind: str, name: str, data: bytes) -> None:
    """Keep something, if there is a place for it; readers see all of it or nothing."""
    kept = folder(kind)
    if kept is None:
        return
    with contextlib.suppress(OSError):
        kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        _forget_oldest(kept)
        with tempfile.NamedTemporaryFile(dir=kept, suffix=".new", delete=False) as file:
            file.write(data)
        Path(file.name).replace(kept / name)


def _forget_oldest(kept: Path) -> None:
    files = list(kept.iterdir())
    if len(files) >= MAX_FILES:
        for file in sorted(files, key=lambda file: file.stat().st_mtime)[: MAX_FILES // 4]:
            file.unlink(missing_ok=True)
