"""Tokens of real cloud libraries, from a cloud on loopback: a run outlives many of them, and keeps none."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from made import environment, harness, told
from tokens import Cloud, Seen

from harness.config import keys
from harness.errors import CannotMeasure, ConfigError, HarnessError
from harness.provider import Auth, AuthScheme, Provider
from harness.record.folder import open_run
from harness.record.journal import read_attempts
from harness.secrets.clouds import ENTRA_SCOPE, GOOGLE_SCOPE

LIBRARIES: dict[AuthScheme, str] = {"google_adc": "google.auth", "entra": "azure.identity", "aws": "botocore"}
QUICK = ("--no-calibrate", "--output-tokens", "8", "--input-tokens", "20", "--warmup", "0", "--arrival", "constant")


def needs(*schemes: AuthScheme) -> pytest.MarkDecorator:
    """Skips where a cloud's library is missing."""
    missing = [LIBRARIES[one] for one in schemes if not _installed(LIBRARIES[one])]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


google, azure = needs("google_adc"), needs("entra")


def block(scheme: AuthScheme, url: str = "http://127.0.0.1:1/v1", **auth: Any) -> Provider:
    """A provider of a cloud."""
    return Provider("p", "hosted", url, Auth(scheme, **auth))


def variables(cloud: Cloud, home: Path) -> dict[str, str]:
    """What leads both libraries to the cloud on loopback, and to nothing of this machine's user."""
    return {
        "HOME": str(home),
        "GCE_METADATA_HOST": f"127.0.0.1:{cloud.port}",
        "GCE_METADATA_IP": f"127.0.0.1:{cloud.port}",
        "IDENTITY_ENDPOINT": f"{cloud.url}/entra/token",
        "IDENTITY_HEADER": "secret-of-the-host",
        "XDG_CACHE_HOME": str(home / "cache"),
        "ROUTE": "route-of-the-test",
    }


def provider_file(folder: Path, cloud: Cloud, auth: dict[str, Any]) -> None:
    """A providers file with a model behind the cloud's tokens."""
    about = {
        "kind": "hosted",
        "base_url": f"{cloud.url}/v1",
        "auth": auth,
        "query": {"api-version": "preview"},
        "env_headers": {"x-route": "ROUTE", "x-unset": "NEVER_SET"},
        "models": {"m": "m"},
    }
    (folder / "providers.yaml").write_text(json.dumps({"providers": {"p": about}}))


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("scheme", [pytest.param("google_adc", marks=google), pytest.param("entra", marks=azure)])
def test_a_load_outlives_its_tokens(scheme: AuthScheme, workers: str, tmp_path: Path) -> None:
    """Over five seconds with tokens that live for two, several are used, none is refused, and none is written."""
    with Cloud(life_s=2.0) as cloud:
        provider_file(tmp_path, cloud, {"scheme": scheme})
        argv = ("load", "chat", "-e", "p/m", "--rate", "20", "-n", "100", "--workers", workers, *QUICK)
        done = harness(tmp_path, *argv, env=environment(**variables(cloud, tmp_path)))
    assert done.returncode == 0, done.stderr
    attempts = list(read_attempts(open_run(tmp_path / "results", "latest")))
    assert [one.exchange.status for one in attempts] == [200] * 100
    assert {one.status for one in cloud.asked} == {200}
    assert len(cloud.used) >= 3 * int(workers)
    facts = open_run(tmp_path / "results", "latest").read_manifest()["facts"]
    renewals = [pair for one in facts for pair in one["renewals"]]
    assert len(renewals) >= 2 * int(workers)
    assert all(began < ended for began, ended in renewals)
    assert {one.headers.get("x-route") for one in cloud.asked} == {"route-of-the-test"}
    assert not any("x-unset" in one.headers for one in cloud.asked)
    assert {one.target.partition("?")[2] for one in cloud.asked} == {"api-version=preview"}
    secrets = [*cloud.issued, "secret-of-the-host", "route-of-the-test"]
    assert not [one for one in secrets if one in done.stdout + done.stderr]
    for path in tmp_path.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not [one for one in secrets if one.encode() in data], path


@google
def test_a_run_ends_when_there_are_no_more_tokens(tmp_path: Path) -> None:
    """A cloud that refuses in the middle of a run ends it in one line; what was measured is kept."""
    with Cloud(life_s=2.0) as cloud:
        lets_in = cloud.lets_in

        def breaking(seen: Seen) -> bool:
            cloud.broken = len(cloud.asked) >= 20
            return lets_in(seen)

        cloud.lets_in = breaking
        provider_file(tmp_path, cloud, {"scheme": "google_adc"})
        argv = ("load", "chat", "-e", "p/m", "--rate", "20", "-n", "400", *QUICK)
        done = harness(tmp_path, *argv, env=environment(**variables(cloud, tmp_path)))
    line = told(done, 3, "provider p", "Application Default Credentials gave no token", "invalid_grant")
    assert "secret words" not in line
    attempts = list(read_attempts(open_run(tmp_path / "results", "latest")))
    assert sum(one.exchange.status == 200 for one in attempts) >= 20
    assert {one.exchange.status for one in attempts} <= {200, None}


@google
def test_a_service_account_is_asked_for_where_its_file_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of GOOGLE_APPLICATION_CREDENTIALS is used, and the project of its quota is named in a header."""
    made = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
    key = subprocess.run(made, check=True, capture_output=True, text=True).stdout
    with Cloud() as cloud:
        about = {
            "type": "service_account",
            "client_email": "me@example.invalid",
            "token_uri": f"{cloud.url}/oauth/token",
            "private_key": key,
            "project_id": "p",
        }
        (tmp_path / "key.json").write_text(json.dumps(about))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
        monkeypatch.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "q")
        found = keys.credentials_of(block("google_adc"))
        found.begin()
        assert [found.key] == list(cloud.issued)
        assert found.headers == {"x-goog-user-project": "q"}
        assert found.secrets == [found.key]
        cloud.broken = True
        with pytest.raises(CannotMeasure, match=r"gave no token \(RefreshError, invalid_grant\)") as caught:
            keys.keys_of([block("google_adc")], [])
    assert "secret words" not in str(caught.value)
    assert "PRIVATE KEY" not in str(caught.value)


@azure
def test_a_scope_may_be_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a token is asked for is the block's scope, else what the cloud's models need."""
    asked = []
    with Cloud() as cloud:
        answer = cloud._answer
        monkeypatch.setattr(cloud, "_answer", lambda seen: (asked.append(seen.target), answer(seen))[1])
        for name, value in variables(cloud, tmp_path).items():
            monkeypatch.setenv(name, value)
        keys.credentials_of(block("entra")).begin()
        keys.credentials_of(block("entra", scope="https://ai.example/.default")).begin()
    assert asked[0].endswith("resource=https://cognitiveservices.azure.com")
    assert asked[1].endswith("resource=https://ai.example")
    assert ENTRA_SCOPE.startswith("https://cognitiveservices.azure.com/")
    assert GOOGLE_SCOPE.endswith("/auth/cloud-platform")


EXTRAS: list[tuple[AuthScheme, str]] = [("google_adc", "google"), ("entra", "azure"), ("aws", "aws")]


@pytest.mark.parametrize(("scheme", "extra"), EXTRAS)
def test_a_missing_library_is_named(scheme: AuthScheme, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lacks a cloud's library is told which extra brings it, and which variable would do instead."""
    for module in ("google.auth", "azure.identity", "botocore.session"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
    with pytest.raises(ConfigError) as caught:
        keys.keys_of([block(scheme, env="NEVER_SET" if scheme != "aws" else None)], [])
    said = str(caught.value)
    assert f"pip install 'endpoint-harness[{extra}]'" in said
    assert f"export {'AWS_BEARER_TOKEN_BEDROCK' if scheme == 'aws' else 'NEVER_SET'}=" in said
    assert "provider p" in said


@pytest.mark.parametrize("scheme", [one for one, _ in EXTRAS])
def test_a_key_in_its_variable_needs_no_library(scheme: AuthScheme, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the block's variable is set, its value is sent, and nothing of the cloud is loaded."""
    for module in ("google.auth", "azure.identity", "botocore.session"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "key-of-the-test")
    noted: list[str] = []
    found = keys.keys_of([block(scheme, env=None if scheme == "aws" else "AWS_BEARER_TOKEN_BEDROCK")], noted)["p"]
    assert (found.key, found.signer, found.changing, noted) == ("key-of-the-test", None, False, ["key-of-the-test"])


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        pytest.param("google_adc", ("GOOGLE_APPLICATION_CREDENTIALS", "gcloud auth", "metadata server"), marks=google),
        pytest.param("entra", ("AZURE_CLIENT_SECRET", "managed identity"), marks=azure),
        pytest.param("aws", ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK"), marks=needs("aws")),
    ],
)
def test_what_was_tried_is_named(
    scheme: AuthScheme, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a cloud knows nobody here, one line names what was tried; nothing goes to standard error beside it."""
    for name, value in {
        "HOME": str(tmp_path),
        "NO_GCE_CHECK": "true",
        "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "AWS_BEARER_TOKEN_BEDROCK", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(HarnessError) as caught:
        keys.keys_of([block(scheme)], [])
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ConfigError)
    for word in words:
        assert word in str(caught.value)


@google
def test_a_check_takes_a_token_too(tmp_path: Path) -> None:
    """An endpoint is checked with a token of its cloud; one that is refused is not shown."""
    with Cloud() as cloud:
        provider_file(tmp_path, cloud, {"scheme": "google_adc"})
        env = environment(**variables(cloud, tmp_path))
        done = harness(tmp_path, "providers", "check", "p/m", env=env)
        assert done.returncode == 0, done.stdout
        assert {one.status for one in cloud.asked} == {200}
        assert len(cloud.used) == 1
        assert not [one for one in cloud.used if one in done.stdout + done.stderr]
        asked, cloud.broken = len(cloud.asked), True
        done = harness(tmp_path, "providers", "check", "p/m", env=env)
    assert "Traceback" not in done.stderr
    assert "invalid_grant" in done.stdout
    assert len(cloud.asked) == asked
