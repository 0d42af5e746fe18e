"""An address that depends on the model: every deployment of one resource is asked at its own, by every command."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from made import environment, harness
from test_clouds import QUICK
from tokens import Cloud

from harness.record.folder import open_run

KEY = "key-of-the-test"
VARIABLES = {"DEPLOYMENTS_KEY": KEY, "API_VERSION": "2024-10-21", "ROUTE": "route-of-the-test"}


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    """A resource with a deployment for each model, which lets in who brings its key."""
    made = Cloud(lets_in=lambda seen: seen.headers.get("api-key") == KEY)
    about = {
        "kind": "hosted",
        "base_url": f"{made.url}/openai/deployments/{{model}}",
        "auth": {"scheme": "header", "header": "api-key", "env": "DEPLOYMENTS_KEY"},
        "query": {"api-version": "${API_VERSION}"},
        "env_headers": {"x-route": "ROUTE"},
        "models": {"one": "dep-one", "two": "dep+two/2"},
    }
    (tmp_path / "providers.yaml").write_text(json.dumps({"providers": {"az": about}}))
    return made


def targets(cloud: Cloud) -> Counter[str]:
    """How often each target was asked, and that each was let in."""
    assert {one.status for one in cloud.asked} == {200}
    return Counter(one.target for one in cloud.asked)


def chat(deployment: str) -> str:
    """Where a deployment is asked."""
    return f"/openai/deployments/{deployment}/chat/completions?api-version=2024-10-21"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_two_deployments_in_one_load(cloud: Cloud, workers: str, tmp_path: Path) -> None:
    """Each model of one provider goes to its own URL, by any number of processes, and the run says which."""
    argv = ("load", "chat", "-e", "az/one", "-e", "az/two", "--rate", "20", "-n", "12", "--workers", workers, *QUICK)
    with cloud:
        done = harness(tmp_path, *argv, env=environment(**VARIABLES))
    assert done.returncode == 0, done.stderr
    assert targets(cloud) == {chat("dep-one"): 12, chat("dep%2Btwo%2F2"): 12}
    assert Counter(json.loads(one.body)["model"] for one in cloud.asked) == {"dep-one": 12, "dep+two/2": 12}
    told = {row["id"]: row["base_url"] for row in open_run(tmp_path / "results", "latest").read_manifest()["endpoints"]}
    assert told["az/one"].endswith("/dep-one")
    assert told["az/two"].endswith("/dep%2Btwo%2F2")


def test_two_deployments_in_one_evaluation(cloud: Cloud, tmp_path: Path) -> None:
    """A task and the answers kept for later runs keep the two apart as well."""
    argv = ("eval", "arithmetic:3", "-e", "az/one", "-e", "az/two", "--cache")
    with cloud:
        done = harness(tmp_path, *argv, env=environment(**VARIABLES, XDG_CACHE_HOME=str(tmp_path / "cache")))
        assert "Traceback" not in done.stderr, done.stderr
        assert targets(cloud) == {chat("dep-one"): 3, chat("dep%2Btwo%2F2"): 3}


def test_a_check_asks_the_deployment(cloud: Cloud, tmp_path: Path) -> None:
    """A checked endpoint is asked at its own URL, with the query and the secret header."""
    with cloud:
        done = harness(tmp_path, "providers", "check", "az/one", "az/two", env=environment(**VARIABLES))
    assert "Traceback" not in done.stderr, done.stderr
    assert {one.target for one in cloud.asked} == {
        f"/openai/deployments/{name}/{path}?api-version=2024-10-21"
        for name in ("dep-one", "dep%2Btwo%2F2")
        for path in ("models", "chat/completions")
    }
    assert {one.headers["x-route"] for one in cloud.asked} == {"route-of-the-test"}


def test_evidence_can_be_asked_again(cloud: Cloud, tmp_path: Path) -> None:
    """The curl line of a verdict has URL and query, and names what is secret by its variable."""
    with cloud:
        argv = ("probe", "-e", "az/one", "--profile", "chat.basic")
        done = harness(tmp_path, *argv, env=environment(**VARIABLES))
        assert done.returncode in (0, 1), done.stderr
        done = harness(tmp_path, "probe", "show", "latest", "chat.basic", env=environment(**VARIABLES))
    (line,) = {line for line in done.stdout.splitlines() if line.startswith("curl ")}
    assert f'"{cloud.url}/openai/deployments/dep-one/chat/completions?api-version=${{API_VERSION}}"' in line
    assert '-H "api-key: $DEPLOYMENTS_KEY"' in line
    assert '-H "x-route: $ROUTE"' in line
    assert not [one for one in (KEY, "route-of-the-test") if one in done.stdout]
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert not [one for one in (KEY, "route-of-the-test") if one.encode() in path.read_bytes()], path
