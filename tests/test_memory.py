"""What is remembered between runs may be lost at any time, holds no secret, and never changes what is true."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import config, memory
from harness.errors import ConfigError

FILE = """\
providers:
  acme:
    kind: hosted
    base_url: https://api.acme.test/v1
    api_key_env: ACME_KEY
    models: {a: b}
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HARNESS_NO_CACHE", raising=False)


def test_what_was_remembered_is_recalled_whole_or_not_at_all() -> None:
    """Bytes come back as they were kept, cut at the bound; what was never kept is None."""
    memory.remember("things", "one", b"abc")
    assert memory.recall("things", "one", 99) == b"abc"
    assert memory.recall("things", "one", 2) == b"ab"
    assert memory.recall("things", "two", 99) is None


def test_nothing_is_remembered_where_the_user_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With HARNESS_NO_CACHE nothing is written and nothing is read."""
    monkeypatch.setenv("HARNESS_NO_CACHE", "1")
    memory.remember("things", "one", b"abc")
    assert memory.recall("things", "one", 99) is None
    assert not (tmp_path / "cache").exists()


def test_providers_from_memory_are_those_of_the_file(tmp_path: Path) -> None:
    """All providers, read twice, are equal; a changed file is read anew; a broken memory is passed over."""
    path = tmp_path / "providers.yaml"
    path.write_text(FILE)
    first = config.load_providers(path)
    assert config.load_providers(path) == first
    for kept in (tmp_path / "cache/endpoint-harness/providers").iterdir():
        kept.write_bytes(b'[{"id": "acme"}]')
    assert config.load_providers(path) == first
    path.write_text(FILE.replace("acme.test", "acme.example"))
    assert config.load_providers(path)["acme"].base_url == "https://api.acme.example/v1"


def test_a_mistake_is_told_every_time(tmp_path: Path) -> None:
    """A file that is wrong is never remembered as right."""
    path = tmp_path / "providers.yaml"
    path.write_text(FILE.replace("kind: hosted", "kind: hosten"))
    for _ in range(2):
        with pytest.raises(ConfigError, match="kind"):
            config.load_providers(path)
