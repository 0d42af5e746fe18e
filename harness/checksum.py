"""A line of a file that grows, with a checksum at its end: what a disk has changed since is told, and not read.

The sum is the last key of the line's JSON object, ``,"crc32":N}``, over all bytes before it. Lines without one, as they
were written before there were any, are taken as they are.
"""

from __future__ import annotations

import zlib

from harness.errors import StoreError

_KEY = b',"crc32":'
_LONGEST = len(_KEY) + len(b"4294967295}\n")


def summed(line: bytes) -> bytes:
    """The line of one JSON object, which ends in ``}`` and a line end, with its checksum."""
    start = line[:-2]
    return b"%b%b%d}\n" % (start, _KEY, zlib.crc32(start))


def check(line: bytes) -> None:
    """Raise StoreError where the line is not what was written; do nothing where it has no checksum."""
    place = line.rfind(_KEY, max(0, len(line) - _LONGEST))
    if place < 0:
        return
    told = line[place + len(_KEY) :].rstrip(b"}\n")
    if not told.isdigit() or int(told) != zlib.crc32(line[:place]):
        raise StoreError("journal line is damaged: its checksum does not fit", hint="Bring back a copy of the file")
