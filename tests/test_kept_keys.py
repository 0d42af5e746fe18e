"""Keys by file or keyring: read from their place, refused where others may read it, and never in YAML."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from harness import config
from harness.errors import ConfigError
from harness.provider import Auth, Provider

KEY = "acme-key-0123456789"


def provider(auth: Auth) -> Provider:
    """One that is asked with this key."""
    return Provider("acme", "hosted", "https://acme.test/v1", auth=auth, any_model=True)


def from_yaml(tmp_path: Path, auth: str) -> Provider:
    """The provider of a block with this ``auth``."""
    path = tmp_path / "providers.yaml"
    text = (
        f"providers:\n  acme:\n    kind: hosted\n    base_url: https://acme.test/v1\n    any_model: true\n    {auth}\n"
    )
    path.write_text(text)
    return config.load_providers(path)["acme"]


def key_file(tmp_path: Path, text: str = f"{KEY}\n", mode: int = 0o600) -> Path:
    """A file with a key."""
    path = tmp_path / "acme.key"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_key_is_read_from_a_file(tmp_path: Path) -> None:
    """A block names the file, the key is what stands in it."""
    found = from_yaml(tmp_path, f"auth: {{file: {key_file(tmp_path)}}}")
    assert config.api_key(found) == KEY
    assert found.keyed


def test_a_home_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``~`` is the user's home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    key_file(tmp_path)
    assert config.api_key(from_yaml(tmp_path, "auth: {file: ~/acme.key}")) == KEY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    """Group and others have no right at all; the one line says what to do and does not hold the key."""
    path = key_file(tmp_path, mode=mode)
    with pytest.raises(ConfigError) as caught:
        config.api_key(provider(Auth(file=str(path))))
    said = str(caught.value)
    assert f"chmod 600 {path}" in said
    assert f"{mode:03o}" in said
    assert KEY not in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("x" * 70_000, "more than a key"),
        ("one\ntwo", "line break"),
        ("'quoted'", "quote"),
    ],
)
def test_what_is_no_key_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """One line, and never what the file holds."""
    with pytest.raises(ConfigError, match=words) as caught:
        config.api_key(provider(Auth(file=str(key_file(tmp_path, text)))))
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """Neither a folder nor a pipe is waited for, and a missing file is named."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, words in (("pipe", "no file"), ("missing", "No such file")):
        with pytest.raises(ConfigError, match=words):
            config.api_key(provider(Auth(file=str(tmp_path / name))))


@pytest.mark.parametrize(
    "auth",
    [
        f"auth: {{key: {KEY}}}",
        f"auth: {{file: {KEY}}}",
        f"auth: {{keyring: {KEY}}}",
        "auth: {file: /a, env: B}",
        "auth: {file: /a, keyring: b/c}",
        "auth: {scheme: none, file: /a}",
        "auth: {scheme: aws, file: /a}",
    ],
)
def test_a_block_names_one_place_and_no_key(tmp_path: Path, auth: str) -> None:
    """What looks like a key in the place of its name is refused without being repeated."""
    with pytest.raises(ConfigError) as caught:
        from_yaml(tmp_path, auth)
    assert KEY not in str(caught.value)


def test_a_users_place_takes_the_place_of_a_presets(tmp_path: Path) -> None:
    """``use`` with a file forgets the preset's variable, and keeps its header."""
    path = tmp_path / "providers.yaml"
    path.write_text(
        "providers:\n  anthropic: {use: anthropic, auth: {file: /k}}\n  groq: {use: groq, auth: {keyring: a/b}}\n"
    )
    found = config.load_providers(path)
    before = config.shipped_providers()["anthropic"].auth
    assert (found["anthropic"].auth.file, found["anthropic"].auth.env) == ("/k", None)
    assert (found["anthropic"].auth.scheme, found["anthropic"].auth.header) == (before.scheme, before.header)
    assert found["groq"].auth == Auth(keyring="a/b")


def test_a_key_is_read_from_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is asked for service and user; what it lacks, or refuses, is one line."""
    library = ModuleType("keyring")
    held = {("acme/team", "me"): KEY}
    library.get_password = lambda service, user: held.get((service, user))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", library)
    assert config.api_key(provider(Auth(keyring="acme/team/me"))) == KEY
    with pytest.raises(ConfigError, match="keyring set acme you"):
        config.api_key(provider(Auth(keyring="acme/you")))

    def locked(service: str, user: str) -> str:
        raise RuntimeError(KEY)

    library.get_password = locked  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match="RuntimeError") as caught:
        config.api_key(provider(Auth(keyring="acme/me")))
    assert KEY not in str(caught.value)


def test_without_the_library_a_keyring_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says which extra to install."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match=r"endpoint-harness\[keyring\]"):
        config.api_key(provider(Auth(keyring="acme/me")))
