"""The steps of a CI file, taken out of it and run here under bash, as a runner would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from made import environment

ROOT = Path(__file__).parents[1]
SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
"""Source: docs.github.com, workflow syntax: what ``shell: bash`` stands for."""


def read(path: Path) -> dict[str, Any]:
    """A CI file as plain values; YAML 1.1 takes the name ``on`` for True."""
    found: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if name is True else name: value for name, value in found.items()}


def steps() -> dict[str, dict[str, Any]]:
    """The steps of our action, by name."""
    found = read(ROOT / "action.yml")["runs"]["steps"]
    return {step["name"]: step for step in found}


def scripts() -> dict[str, str]:
    """What those of them that are scripts do."""
    return {name: step["run"] for name, step in steps().items() if "run" in step}


@dataclass
class Runner:
    """A runner with its files, in a folder."""

    folder: Path
    event: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        binaries = self.folder / ".bin"
        binaries.mkdir()
        for name, module in (("python", ""), ("harness", " -m harness")):
            path = binaries / name
            path.write_text(f'#!/bin/sh\nexec "{sys.executable}"{module} "$@"\n')
            path.chmod(0o755)

    def file(self, name: str) -> Path:
        """One of the files that a step writes to."""
        return self.folder / f".{name}"

    def run(self, script: str, shell: tuple[str, ...] = SHELL, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a script in a file, as a runner does."""
        for name in ("output", "summary", "path"):
            self.file(name).touch()
        self.file("event").write_text(json.dumps(self.event))
        path = self.file("step.sh")
        path.write_text(script)
        given = {
            "GITHUB_OUTPUT": str(self.file("output")),
            "GITHUB_STEP_SUMMARY": str(self.file("summary")),
            "GITHUB_PATH": str(self.file("path")),
            "GITHUB_EVENT_PATH": str(self.file("event")),
            "RUNNER_TEMP": str(self.folder / ".temp"),
            "PATH": f"{self.folder / '.bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        }
        return subprocess.run(
            [*shell, str(path)],
            cwd=self.folder,
            env=environment(**given, **self.env, **env),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    @property
    def outputs(self) -> dict[str, str]:
        """What steps gave to later ones; the last word counts."""
        lines = self.file("output").read_text().splitlines()
        return dict(line.partition("=")[::2] for line in lines)  # type: ignore[misc]  # three parts, every second


def defaults(step: str, **said: str) -> Mapping[str, str]:
    """The environment that our action gives to a step: its inputs by their defaults, but for what is ``said``."""
    inputs = read(ROOT / "action.yml")["inputs"]
    found = {}
    for name, value in (steps()[step].get("env") or {}).items():
        key = str(value).removeprefix("${{ inputs.").removesuffix(" }}")
        found[name] = inputs[key]["default"] if key in inputs else ""
    return found | said
