"""Every example is run as it stands, in a folder of its own, as a reader would."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from made import WAIT_S, environment

EXAMPLES = Path(__file__).parents[1] / "examples"
SAYS = {
    "choose_a_vendor.py": ("vendor-b/small", "quality of vendor-b/small: -0.", "worse"),
    "nightly_regression.py": ("is judged pass",),
    "dashboard.py": ("arithmetic-logic", "probe"),
    "load_test.py": ("kept the promise up to c", "The client was"),
}
WRITES = {"choose_a_vendor.py": ["report.html"], "nightly_regression.py": ["night.xml"]}
WRITES |= {"dashboard.py": ["arithmetic-logic.html", "probe.html"]}


def in_one_loop(codes: Sequence[str]) -> dict[str, Any]:
    """The names that pieces of code leave, which may await, run one after the other as a notebook runs its cells."""
    names: dict[str, Any] = {}

    async def notebook() -> None:
        for number, code in enumerate(codes):
            compiled = compile(code, f"cell {number}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            found = eval(compiled, names)
            if inspect.isawaitable(found):
                await found

    asyncio.run(notebook())
    return names


def test_every_example_has_its_line() -> None:
    """The page of the examples names each script and notebook, and each script says what it does."""
    there = {path.name for path in EXAMPLES.glob("*") if path.suffix in (".py", ".ipynb")}
    page = (EXAMPLES / "README.md").read_text()
    assert there == set(re.findall(r"\]\((\w+\.(?:py|ipynb))\)", page)) == {*SAYS, "explore.ipynb"}
    assert all(ast.get_docstring(ast.parse((EXAMPLES / name).read_text())) for name in SAYS)


@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs(name: str, tmp_path: Path) -> None:
    """It ends well, says what it found, and leaves its files."""
    root = str(EXAMPLES.parent)
    command = [sys.executable, str(EXAMPLES / name), *(["--prepare"] if name == "dashboard.py" else [])]
    env = environment(PYTHONPATH=root)
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=WAIT_S)
    assert done.returncode == 0, done.stderr
    assert [word for word in SAYS[name] if word not in done.stdout] == [], done.stdout
    assert [file for file in WRITES.get(name, ()) if not (tmp_path / file).stat().st_size] == []


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells, which hold no output, run one after the other in one loop that goes on, as in a notebook."""
    cells = json.loads((EXAMPLES / "explore.ipynb").read_text())["cells"]
    codes = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells if "outputs" in cell)
    (tmp_path / "providers.yaml").write_bytes((EXAMPLES / "providers.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    names = in_one_loop(codes)
    assert names["run"].status == "finished"
    assert set(names["scores"].columns) == set(names["VENDORS"])
    assert [path.name for path in (tmp_path / "results" / "runs").iterdir()] == [names["run"].id]


def test_the_page_on_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block of docs/python-api.md, one after the other as in a notebook, on vendors that answer at once."""
    page = (EXAMPLES.parent / "docs" / "python-api.md").read_text()
    serve = {"engine": "simulator", "profile": "steady-vendor", "ttft_ms": 0, "itl_ms": 0}
    block = {"kind": "simulated", "models": {"sim-small": "sim-small"}, "serve": serve}
    blocks = {"steady-vendor": block, "flaky-vendor": block | {"serve": serve | {"accuracy": 0.5}}}
    (tmp_path / "providers.yaml").write_text(json.dumps({"providers": blocks}))
    monkeypatch.chdir(tmp_path)
    names = in_one_loop(re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    assert names["run"].verdicts()["verdict"].tolist() == ["supported"]
    assert len(list((tmp_path / "results" / "runs").iterdir())) == 5
    assert (tmp_path / "report.html").is_file()
