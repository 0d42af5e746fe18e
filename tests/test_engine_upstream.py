"""Servers before other servers: started behind first, shared, stopped in the reverse order, and only what can be."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from made import harness, told
from test_engine_programs import LITTLE

from harness import config
from harness.errors import ConfigError, EngineError, HarnessError, UnknownName
from harness.provider import Auth, Provider, Serve
from harness.run.manifest import config_sha256
from harness.run.servers import serving
from harness.store.query import rows


def provider(name: str, *given: str, **options: Any) -> Provider:
    """A provider with a little server of its own."""
    serve = Serve("command", {"argv": [sys.executable, LITTLE, "{port}", f"name={name}", *given], **options})
    return Provider(name, "local", None, Auth("none"), models={"m": f"{name}-m"}, serve=serve)


def gateway(name: str, upstream: str, *given: str, **options: Any) -> Provider:
    """One that asks another."""
    return provider(name, "to={upstream}", *given, upstream=upstream, upstream_model="m", **options)


def known(*providers: Provider) -> dict[str, Provider]:
    """By id."""
    return {one.id: one for one in providers}


def found(all_of_them: dict[str, Provider], *names: str) -> list[Provider]:
    """These providers as a run has them."""
    return [config.endpoint(all_of_them, f"{name}/m").provider for name in names]


def test_what_is_behind_starts_first_and_stops_last(tmp_path: Path) -> None:
    """Two gateways before one server that is under test as well make three servers, one behind the other."""
    note = f"note={tmp_path / 'note'}"
    all_of_them = known(provider("behind", note), gateway("front", "behind", note), gateway("far", "front", note))
    with serving(found(all_of_them, "far", "front", "behind"), tmp_path, lambda _: None) as servers:
        assert servers.base_urls.keys() == {"behind", "front", "far"}
        assert len(set(servers.base_urls.values())) == 3
        assert servers.look() is None
    lines = (tmp_path / "note").read_text().splitlines()
    assert lines == ["begin behind", "begin front", "begin far", "end far", "end front", "end behind"]


def test_a_server_behind_is_started_though_it_is_not_under_test(tmp_path: Path) -> None:
    """The gateway alone is asked for; it is told the address and the model's name there."""
    seen = {"A": "{upstream} {upstream_model}"}
    all_of_them = known(provider("behind"), gateway("front", "behind", env=seen))
    with serving(found(all_of_them, "front"), tmp_path, lambda _: None) as servers:
        with urllib.request.urlopen(servers.base_urls["front"].removesuffix("/v1") + "/env", timeout=20) as answer:
            env = json.load(answer)
        assert env["A"] == f"{servers.base_urls['behind']} behind-m"


def test_a_server_that_runs_already_is_taken_as_it_is(tmp_path: Path) -> None:
    """An upstream with a base_url is not started."""
    behind = Provider("behind", "local", "http://127.0.0.1:9/v1", Auth("none"), models={"m": "m"})
    all_of_them = known(behind, gateway("front", "behind"))
    with serving(found(all_of_them, "front"), tmp_path, lambda _: None) as servers:
        assert servers.base_urls.keys() == {"front"}


def test_where_one_does_not_start_those_before_it_are_stopped(tmp_path: Path) -> None:
    """The error of the one that failed is told, and nothing is left."""
    note = f"note={tmp_path / 'note'}"
    all_of_them = known(provider("behind", note), gateway("front", "behind", "late=600", ready_s=1))
    with (
        pytest.raises(EngineError, match="did not answer"),
        serving(found(all_of_them, "front"), tmp_path, lambda _: None),
    ):
        pass
    assert (tmp_path / "note").read_text().splitlines() == ["begin behind", "end behind"]


KEYED = Provider("keyed", "hosted", "https://there.example/v1", Auth(env="MADE_KEY"), models={"m": "m"})


@pytest.mark.parametrize(
    ("others", "error", "words"),
    [
        (
            [gateway("front", "behnid"), provider("behind")],
            UnknownName,
            "Did you mean behind?",
        ),
        ([gateway("front", "front")], ConfigError, "round in a circle: front -> front"),
        ([gateway("front", "b"), gateway("b", "c"), gateway("c", "b")], ConfigError, "front -> b -> c -> b"),
        ([gateway("front", "keyed"), KEYED], ConfigError, "keyed wants a key"),
        (
            [provider("front", upstream="behind", upstream_model="n"), provider("behind")],
            UnknownName,
            "unknown model of behind 'n'",
        ),
    ],
)
def test_an_upstream_that_cannot_be_is_told_before_anything_starts(
    others: list[Provider], error: type[HarnessError], words: str
) -> None:
    """In one line, with what to do."""
    with pytest.raises(error) as caught:
        config.endpoint(known(*others), "front/m")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_behind_is_part_of_what_a_run_was_made_with() -> None:
    """A run is not continued through another upstream, or another model of it."""

    def digest(*others: Provider) -> str:
        return config_sha256(config.endpoint(known(*others), "front/m"))

    one = digest(gateway("front", "behind"), provider("behind"))
    assert one == digest(provider("behind"), gateway("front", "behind"))
    assert one != digest(gateway("front", "behind"), provider("behind", "code=1"))
    assert one != digest(gateway("front", "behind", env={"A": "b"}), provider("behind"))


PROVIDERS = """
providers:
  behind:
    kind: local
    serve: {{engine: command, argv: [{python}, {little}, "{{port}}"]}}
    models: {{m: model-behind}}
  front:
    kind: gateway
    serve:
      engine: command
      argv: [{python}, {little}, "{{port}}", "to={{upstream}}"]
      upstream: behind
      upstream_model: m
    models: {{m: model-behind}}
"""


def test_one_command_compares_a_server_with_and_without_a_gateway(tmp_path: Path) -> None:
    """Both are measured in one run, through processes that are started and stopped for it."""
    (tmp_path / "providers.yaml").write_text(PROVIDERS.format(python=sys.executable, little=LITTLE))
    ends = ("-e", "behind/m", "-e", "front/m")
    done = harness(tmp_path, "load", "short_chat", *ends, "--requests", "4", "--concurrency", "1")
    assert done.returncode == 0, done.stderr
    starts = [line for line in done.stderr.splitlines() if line.startswith("starting")]
    assert [line.split(" for ")[1] for line in starts] == ["behind…", "front…"]
    got = rows(
        tmp_path / "results",
        "select endpoint, count(*) as n from attempts where failure_kind is null group by all order by all",
    )
    assert [row["endpoint"] for row in got] == ["behind/m", "front/m"]


def test_an_upstream_that_is_not_known_is_told_by_the_command(tmp_path: Path) -> None:
    """With exit code 2, and no run is made."""
    text = PROVIDERS.format(python=sys.executable, little=LITTLE).replace("upstream: behind", "upstream: behnid")
    (tmp_path / "providers.yaml").write_text(text)
    done = harness(tmp_path, "load", "short_chat", "-e", "front/m", "--requests", "4")
    told(done, 2, "unknown provider 'behnid'", "Did you mean behind", "upstream of front")
    assert not (tmp_path / "results").exists()
