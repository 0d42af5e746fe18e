"""Signed requests, recomputed by the published algorithm (AWS Signature Version 4) on what reached the server."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from made import environment, harness, told
from test_clouds import QUICK, needs
from test_transport import request
from tokens import Cloud, Seen

from harness.config import keys
from harness.provider import Auth, Deadlines, Provider
from harness.record.folder import open_run
from harness.record.journal import read_attempts
from harness.secrets.credentials import Credentials
from harness.types import WRONG_KEY, Request
from harness.wire.loop import run
from harness.wire.pool import Pool
from harness.wire.transport import Client

EXAMPLE_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
"""Of the specification's examples."""
SECRETS = {"AWS_ACCESS_KEY_ID": "AKIDOFTHETEST", "AWS_SECRET_ACCESS_KEY": "secret-of-the-test/+x"}
_AUTHORIZATION = re.compile(r"AWS4-HMAC-SHA256 Credential=(\S+), ?SignedHeaders=(\S+), ?Signature=([0-9a-f]{64})")


def signature(
    secret: str, method: str, target: str, headers: Mapping[str, str], signed: str, body_sha256: str, scope: str
) -> str:
    """The signature of a request with these headers, by lower-case name.

    Source: AWS, "Create a signed AWS API request" (Signature Version 4): canonical request, string to sign, key.
    """
    url = urlsplit(target)
    pairs = sorted((_escaped(name), _escaped(value)) for name, value in parse_qsl(url.query, keep_blank_values=True))
    canonical = "\n".join(
        [
            method,
            quote(url.path or "/", safe="/-_.~"),  # a service other than S3 escapes the path of the wire once more
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{' '.join(headers[name].split())}" for name in signed.split(";")),
            "",
            signed,
            body_sha256,
        ]
    )
    to_sign = "\n".join(
        ["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()]
    )
    key = b"AWS4" + secret.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, to_sign.encode(), "sha256").hexdigest()


def _escaped(text: str) -> str:
    return quote(text, safe="-_.~")


def verified(seen: Seen, service: str = "bedrock-mantle", token: str | None = None) -> bool:
    """Whether a request is signed for that service with the test's secret, with its very body and just now."""
    found = _AUTHORIZATION.fullmatch(seen.headers.get("authorization", ""))
    if found is None:
        return False
    key, _, scope = found[1].partition("/")
    day, region, named, end = scope.split("/")
    signed_at = datetime.strptime(seen.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    body_sha256 = hashlib.sha256(seen.body).hexdigest()
    return (
        key == SECRETS["AWS_ACCESS_KEY_ID"]
        and (region, named, end) == ("eu-west-1", service, "aws4_request")
        and seen.headers["x-amz-date"].startswith(day)
        and abs((datetime.now(UTC) - signed_at).total_seconds()) < 300
        and {"host", "x-amz-date"} <= set(found[2].split(";"))
        and seen.headers["x-amz-content-sha256"] == body_sha256
        and seen.headers.get("x-amz-security-token") == token
        and (token is None or "x-amz-security-token" in found[2].split(";"))
        and found[3]
        == signature(
            SECRETS["AWS_SECRET_ACCESS_KEY"], seen.method, seen.target, seen.headers, found[2], body_sha256, scope
        )
    )


_EMPTY = hashlib.sha256(b"").hexdigest()
_AT = "20150830T123600Z"
_VANILLA = {"host": "example.amazonaws.com", "x-amz-date": _AT}
_USERS = {
    "content-type": "application/x-www-form-urlencoded; charset=utf-8",
    "host": "iam.amazonaws.com",
    "x-amz-date": _AT,
}


@pytest.mark.parametrize(
    ("method", "target", "headers", "service", "expected"),
    [
        ("GET", "/", _VANILLA, "service", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "/", _VANILLA, "service", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            *("GET", "/?Action=ListUsers&Version=2010-05-08", _USERS, "iam"),
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        ),
    ],
)
def test_the_published_vectors(method: str, target: str, headers: Any, service: str, expected: str) -> None:
    """What recomputes the signatures gives those of the specification's examples.

    Source: the AWS SigV4 test suite (get-vanilla, post-vanilla) and the ListUsers example of the IAM documentation.
    """
    scope = f"20150830/us-east-1/{service}/aws4_request"
    assert signature(EXAMPLE_KEY, method, target, headers, ";".join(headers), _EMPTY, scope) == expected


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of somebody with keys of AWS, and of nothing else."""
    named = {
        **SECRETS,
        "AWS_REGION": "eu-west-1",
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name in ("AWS_BEARER_TOKEN_BEDROCK", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_BEDROCK_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    return named


def send(cloud: Cloud, *requests: Request, prepared: bool = True, **changes: Any) -> Credentials:
    """Send these to the cloud's models."""
    block = Provider("p", "hosted", f"{cloud.url}/openai/v1", Auth("aws"), deadlines=Deadlines(total_s=9), **changes)
    found = keys.keys_of([block], [])["p"]

    async def main() -> None:
        pool = Pool()
        client = Client(block, pool, key=found)
        for each in requests:
            exchange = await client.send(each, prepared=prepared)
            assert exchange.failure is None
        await client.aclose()
        await pool.aclose()

    run(main())
    return found


needs_aws = needs("aws")


@needs_aws
@pytest.mark.parametrize("prepared", [True, False])
def test_every_request_is_signed_for_itself(aws: dict[str, str], prepared: bool) -> None:
    """Bodies, queries, methods and headers of every kind arrive as they were signed."""
    kinds = [
        request(),
        request(body=b'{"a":"\xc3\xa9 ' + b"x" * 5000 + b'"}', stream=True),
        request(headers={"x-note": "a  note"}),
        request(path="/models?limit=2", method="GET", body=None),
        request(body=b""),
    ]
    with Cloud(lets_in=verified) as cloud:
        found = send(cloud, *kinds, prepared=prepared, query={"v": "a:b"}, headers={"X-Title": "t"})
        assert [one.status for one in cloud.asked] == [200] * len(kinds)
        assert {one.headers["accept-encoding"] for one in cloud.asked} == {"identity"}
        assert [one.target for one in cloud.asked][3] == "/openai/v1/models?limit=2&v=a%3Ab"
    assert set(found.secrets) == set(SECRETS.values())


@needs_aws
def test_session_tokens_are_signed_and_secret(aws: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporary credentials send their token, which is a secret as the key is."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session-token-of-the-test")
    with Cloud(lets_in=lambda seen: verified(seen, token="session-token-of-the-test")) as cloud:
        found = send(cloud, request())
        assert [one.status for one in cloud.asked] == [200]
    assert "session-token-of-the-test" in found.secrets


@needs_aws
def test_a_wrong_secret_is_refused(aws: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The server of these tests lets nobody in who signs with another secret."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    with Cloud(lets_in=verified) as cloud:
        send(cloud, request())
        assert [one.status for one in cloud.asked] == [401]


@needs_aws
def test_probes_without_a_right_key_are_not_signed(aws: dict[str, str]) -> None:
    """A request that is to bring a wrong key or none brings just that, and one that brings its own is left alone."""
    kinds = [request(auth="wrong"), request(auth="none"), request(headers={"Authorization": "Basic eA=="})]
    with Cloud(lets_in=verified) as cloud:
        send(cloud, *kinds)
        brought = [one.headers.get("authorization") for one in cloud.asked]
    assert brought == [f"Bearer {WRONG_KEY}", None, "Basic eA=="]


@needs_aws
def test_a_load_of_signed_requests(aws: dict[str, str], tmp_path: Path) -> None:
    """A whole load is let in, by several processes too, and neither key nor signature is written."""
    with Cloud(lets_in=verified) as cloud:
        about = {
            "kind": "hosted",
            "base_url": f"{cloud.url}/openai/v1",
            "auth": {"scheme": "aws"},
            "models": {"m": "m"},
        }
        (tmp_path / "providers.yaml").write_text(json.dumps({"providers": {"p": about}}))
        argv = ("load", "chat", "-e", "p/m", "--rate", "20", "-n", "30", "--workers", "2", *QUICK)
        done = harness(tmp_path, *argv, env=environment())
        assert done.returncode == 0, done.stderr
        assert [one.status for one in cloud.asked] == [200] * 30
    attempts = list(read_attempts(open_run(tmp_path / "results", "latest")))
    assert [one.exchange.status for one in attempts] == [200] * 30
    for path in tmp_path.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not [one for one in (*SECRETS.values(), "Signature=") if one.encode() in data], path


@needs_aws
def test_a_missing_region_is_told(aws: dict[str, str], tmp_path: Path) -> None:
    """Without a region nothing can be signed: one line names its variable, before anything is written."""
    about = {"kind": "hosted", "base_url": "http://127.0.0.1:9/v1", "auth": {"scheme": "aws"}, "models": {"m": "m"}}
    (tmp_path / "providers.yaml").write_text(json.dumps({"providers": {"p": about}}))
    env = environment()
    del env["AWS_REGION"]
    done = harness(tmp_path, "load", "chat", "-e", "p/m", "--rate", "5", "-n", "3", *QUICK, env=env)
    told(done, 2, "provider p", "AWS_REGION")
    assert not (tmp_path / "results" / "runs").exists()


@needs_aws
def test_the_host_names_the_region(aws: dict[str, str]) -> None:
    """A request to a region's own host is signed for that region, whatever the environment says."""
    url = "https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1"
    found = keys.credentials_of(Provider("p", "hosted", url, Auth("aws")))
    assert found.signer is not None
    assert found.signer.region == "us-west-2"

    async def main() -> bytes:
        client = Client(Provider("p", "hosted", url, Auth("aws")), Pool(), key=found)
        head = await client._built(request())
        await client.aclose()
        return head.render(7)

    assert b"/us-west-2/bedrock/aws4_request" in run(main())
