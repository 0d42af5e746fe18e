"""What travels in the wheel, and what it does once it is installed where nothing else of this tree is."""

from __future__ import annotations

import importlib.util
import json
import site
import subprocess
import sys
import sysconfig
import time
import tomllib
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from made import WAIT_S, environment

from harness.engines import weights

ROOT = Path(__file__).parents[1]
QUICK = ("--limit", "3", "-e", "steady-vendor/sim-small")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own with a wheel built from this tree; its dependencies are those of this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    home = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True, capture_output=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(home / "bin" / "python")]
    done = subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--no-index", "--no-compile", str(wheel)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # A line of a .pth file adds a folder without the .pth files in it, and so without this tree.
    packages = [sysconfig.get_paths()["purelib"], *(path for path in site.getsitepackages() if path != str(home))]
    (_site(home) / "dependencies.pth").write_text("\n".join(dict.fromkeys(packages)) + "\n")
    return home


@pytest.fixture(scope="module")
def unpacked(installed: Path) -> Path:
    """Where an installer put the files of the wheel."""
    return _site(installed)


def _site(home: Path) -> Path:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return home / "lib" / version / "site-packages"


def _alone() -> dict[str, str]:
    """An environment that leads to no other folder of Python's."""
    return {name: value for name, value in environment().items() if name != "PYTHONPATH"}


def _begin(installed: Path, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the command that was installed, away from the checkout."""
    command = [str(installed / "bin" / "harness"), *arguments]
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=folder, env=_alone(), text=True, **pipes)


def _run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    with _begin(installed, folder, *arguments) as process:
        try:
            out, err = process.communicate(timeout=WAIT_S)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


@pytest.fixture(scope="module")
def evaluated(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that was empty before it evaluated a simulated vendor there."""
    folder = tmp_path_factory.mktemp("empty")
    done = _run(installed, folder, "eval", "arithmetic", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "steady-vendor/sim-small" in done.stdout
    return folder


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


def test_a_wheel_finds_what_it_ships(installed: Path, tmp_path: Path) -> None:
    """Installed, away from any checkout, it is the wheel that runs, and it reads its own tasks and their data."""
    code = "import harness; print(harness.__file__)"
    python = [str(installed / "bin" / "python"), "-c", code]
    where = subprocess.run(python, cwd=tmp_path, env=_alone(), capture_output=True, text=True, check=True)
    assert Path(where.stdout.strip()).is_relative_to(installed)
    shown = _run(installed, tmp_path, "tasks", "show", "arithmetic", "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["samples"]


def test_a_wheel_runs(evaluated: Path) -> None:
    """In an empty folder it starts a simulated vendor from its own files, evaluates it, and keeps the results there."""
    assert (evaluated / "results" / "harness.duckdb").is_file()


def test_a_wheel_writes_a_providers_file(installed: Path, tmp_path: Path) -> None:
    """`harness providers init` writes one from the presets that it ships, and reads it back."""
    done = _run(installed, tmp_path, "providers", "init", "--use", "groq", "--yes")
    assert done.returncode == 0, done.stderr
    assert "use: groq" in (tmp_path / "providers.yaml").read_text()
    assert "yours" in _run(installed, tmp_path, "providers", "list").stdout


def test_a_wheel_serves_its_dashboard(installed: Path, evaluated: Path) -> None:
    """The server answers on loopback, and the page that it ships is drawn over the run."""
    process = _begin(installed, evaluated, "dashboard", "--port", "0")
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        assert _answer(f"{url}/_stcore/health") == b"ok"
    finally:
        process.terminate()
        process.communicate(timeout=WAIT_S)
    app = installed_page(installed)
    code = (
        "import sys; from streamlit.testing.v1 import AppTest; sys.argv = ['app.py', 'results']\n"
        f"app = AppTest.from_file({str(app)!r}, default_timeout=60).run()\n"
        "print([one.value for one in app.exception], len(app.selectbox) + len(app.dataframe) > 0)"
    )
    python = [str(installed / "bin" / "python"), "-c", code]
    drawn = subprocess.run(python, cwd=evaluated, env=_alone(), capture_output=True, text=True, check=False)
    assert drawn.stdout.splitlines()[-1:] == ["[] True"], drawn.stderr


def installed_page(installed: Path) -> Path:
    """The dashboard's first file, as the command finds it."""
    return _site(installed) / "harness" / "shipped" / "dashboard" / "app.py"


def _answer(url: str) -> bytes:
    """What the server says once it is there."""
    for _ in range(int(WAIT_S * 10)):
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return bytes(answer.read())
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"nobody answered on {url}")


@pytest.mark.model
@pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="needs the extra local: xllamacpp")
@pytest.mark.skipif(weights.find(weights.lookup("smollm2")) is None, reason="needs: harness models pull smollm2")
def test_a_wheel_runs_the_demo(installed: Path, tmp_path: Path) -> None:
    """The real local model and both simulated vendors answer; a suite of that name of the user's keeps it short."""
    (tmp_path / "tasks" / "suites").mkdir(parents=True)
    (tmp_path / "tasks" / "suites" / "demo.yaml").write_text('tasks: ["arithmetic:2"]\n')
    done = _run(installed, tmp_path, "demo")
    assert done.returncode == 0, done.stderr
    names = ("local/smollm2", "steady-vendor/sim-small", "flaky-vendor/sim-small")
    assert [name for name in names if name not in done.stdout] == []


def test_the_metadata_name_the_pythons_that_it_runs_on(unpacked: Path) -> None:
    """3.11 to 3.14, and that of this test among them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (metadata,) = unpacked.glob("endpoint_harness-*.dist-info/METADATA")
    lines = metadata.read_text().splitlines()
    classified = "Classifier: Programming Language :: Python :: 3."
    named = [line.rpartition(" ")[2] for line in lines if line.startswith(classified)]
    assert named == ["3.11", "3.12", "3.13", "3.14"]
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in named
    assert f"Requires-Python: {project['requires-python']}" in lines


def test_what_a_report_is_made_of_travels(unpacked: Path) -> None:
    """The script that draws charts is in the wheel with its licence and origin, and so are the page's own files."""
    home = Path("harness/report/onefile")
    for name in ("vendor/plotly-cartesian.min.js", "vendor/LICENSE", "vendor/ORIGIN.md", "page.css", "page.js"):
        assert (unpacked / home / name).read_bytes() == (ROOT / home / name).read_bytes()
