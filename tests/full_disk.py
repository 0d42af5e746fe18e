"""A disk that takes no more, without a disk: the kernel refuses to let any file of this process grow."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """Refuse every write beyond ``size`` bytes of a file with EFBIG, which is told like ENOSPC.

    Python keeps no byte code meanwhile: it would keep the beginning of it, and trip over that at every later start.
    """
    before, kept = resource.getrlimit(resource.RLIMIT_FSIZE), sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        sys.dont_write_bytecode = kept
