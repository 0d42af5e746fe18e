"""What all tests share: a cache folder of their own, so that none reads or writes the developer's."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator

import pytest

from harness.secrets import hidden

_CACHE = tempfile.mkdtemp(prefix="harness-cache-")
atexit.register(shutil.rmtree, _CACHE, ignore_errors=True)
os.environ["XDG_CACHE_HOME"] = _CACHE


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests() -> Iterator[None]:
    """A key of one test is a word of another one: what a process has read is forgotten between them."""
    yield
    hidden._NOTED.clear()
