"""What is done once for a whole process."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from harness.wire.loop import run

SCRIPT = """
import resource
from harness.wire.loop import allow_open_files
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
print(allow_open_files(100), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
print(allow_open_files(50), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
print(allow_open_files(10**9), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit of open files")
def test_open_files() -> None:
    """The soft limit goes up to what is wanted, or to the hard limit, and never down; it is told what it is now."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["100 100", "100 100", "200 200 200"]


def test_garbage_collection_is_as_before() -> None:
    """What was spared from the garbage collector while the loop ran is given back, also after an error."""

    async def fail() -> None:
        assert gc.get_freeze_count() > 1000
        raise KeyError

    with pytest.raises(KeyError):
        run(fail())
    assert gc.get_freeze_count() == 0
