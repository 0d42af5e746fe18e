"""What travels in the wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from this tree, unpacked as an installer would."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def _run(unpacked: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The installed harness, away from the checkout."""
    environment = {**os.environ, "PYTHONPATH": str(unpacked), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-m", "harness", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_tasks_dashboard_and_providers_travel(unpacked: Path) -> None:
    """Every tracked file of tasks/ and dashboard/ and the default providers.yaml is in the wheel, and no cache is."""
    shipped = unpacked / "harness" / "shipped"
    for folder in ("tasks", "dashboard"):
        here = {
            path.relative_to(ROOT)
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        there = {path.relative_to(shipped) for path in (shipped / folder).rglob("*") if path.is_file()}
        assert there == here
    assert (shipped / "providers.yaml").read_bytes() == (ROOT / "providers.yaml").read_bytes()


def test_a_wheel_finds_what_it_ships(unpacked: Path, tmp_path: Path) -> None:
    """Installed, away from any checkout, it lists its tasks and its providers, and reads its data."""
    shown = _run(unpacked, tmp_path, "tasks", "show", "arithmetic", "--json")
    assert shown.returncode == 0, shown.stderr
    assert "messages" in shown.stdout
    listed = _run(unpacked, tmp_path, "providers", "list")
    assert listed.returncode == 0, listed.stderr
    assert "steady-vendor" in listed.stdout


def test_a_wheel_runs(unpacked: Path, tmp_path: Path) -> None:
    """Installed, it starts a simulated vendor from its own files and evaluates it."""
    done = _run(unpacked, tmp_path, "eval", "arithmetic", "--limit", "3", "-e", "steady-vendor/sim-small")
    assert done.returncode == 0, done.stderr
    assert "steady-vendor/sim-small" in done.stdout
    assert (tmp_path / "results" / "harness.duckdb").is_file()


def test_what_a_report_is_made_of_travels(unpacked: Path) -> None:
    """The script that draws charts is in the wheel with its licence and origin, and so are the page's own files."""
    home = Path("harness/report/onefile")
    for name in ("vendor/plotly-cartesian.min.js", "vendor/LICENSE", "vendor/ORIGIN.md", "page.css", "page.js"):
        assert (unpacked / home / name).read_bytes() == (ROOT / home / name).read_bytes()
