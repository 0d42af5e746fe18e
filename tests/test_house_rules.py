"""The house's rules, measured on the tree."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from harness.cli import COMMANDS, cli

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for folder in ("harness", "tasks", "dashboard") for path in (ROOT / folder).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
TEXTS = [
    path
    for pattern in (
        "*.md",
        "*.toml",
        "*.txt",
        "*.yaml",
        "*.yml",
        "docs/ci/*.yml",
        "Makefile",
        "docs/**/*.md",
        "harness/**/*",
        "tasks/**/*",
        "dashboard/**/*",
        ".ci/*",
    )
    for path in ROOT.glob(pattern)
    if path.is_file()
    and path.suffix in {"", ".md", ".toml", ".txt", ".yaml", ".yml", ".py", ".sql", ".jinja", ".jsonl"}
]
HEAVY = (
    "duckdb",
    "streamlit",
    "datasets",
    "openai",
    "pandas",
    "plotly",
    "pyarrow",
    "ray",
    "uvloop",
    "genai_prices",
    "pydantic",
)


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_can_be_read_in_a_sitting(path: Path) -> None:
    """No module is longer than 400 lines and no function longer than 60."""
    assert len(path.read_text().splitlines()) <= 400
    too_long = [node.name for node in _functions(path) if (node.end_lineno or 0) - node.lineno > 60]
    assert too_long == []


def test_no_drawers() -> None:
    """No file or folder has a name that says nothing."""
    said = {"utils", "util", "helpers", "common", "base", "manager", "core", "misc"}
    assert [path for path in SOURCES if path.stem in said or path.parent.name in said] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_our_own_modules_are_imported_at_the_top(path: Path) -> None:
    """What a module needs of ours is seen in its first lines: there are no imports of it inside functions."""
    inside = [
        f"{function.name}: {node.lineno}"
        for function in _functions(path)
        for node in ast.walk(function)
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "harness")
        or (isinstance(node, ast.Import) and any(name.name.split(".")[0] == "harness" for name in node.names))
    ]
    assert inside == []


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_every_test_says_what_must_be_true(path: Path) -> None:
    """Each test has a docstring."""
    assert [
        node.name for node in _functions(path) if node.name.startswith("test_") and not ast.get_docstring(node)
    ] == []


@pytest.mark.parametrize("module", ["harness", "harness.types", "harness.cli"])
def test_nothing_heavy_is_imported_at_start(module: str) -> None:
    """Importing the nouns or the command line loads none of the large libraries."""
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_of_the_whole_is_quick() -> None:
    """`harness --help` lists every command without importing one of them."""
    code = (
        "import sys\nfrom harness.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        "print([name for name in sys.modules if name.startswith('harness.cli.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    """A newcomer finds a line to copy under --help, in the command itself or in each of its subcommands."""
    shown = CliRunner().invoke(cli, [name, "--help"])
    assert shown.exit_code == 0
    assert re.search(r"harness \w+", shown.output.split("Usage:", 1)[1].split("\n", 1)[1])


def test_a_mistyped_command_is_answered_with_the_nearest() -> None:
    """`harness reprot` says: did you mean report, in one line, with exit code 2."""
    done = subprocess.run([sys.executable, "-m", "harness", "reprot"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Did you mean report" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_nothing_speaks_of_one_machine() -> None:
    """No tracked text holds an absolute path of a machine or the address of a package registry."""
    machine = r"(^|[\s\"'=(])/(work|root|home|farm)/[a-z.]"
    index = r"index.url|find.links|://\S*(/simple\b|pythonhosted|pypi|npmjs)"
    private = re.compile(f"{machine}|{index}")
    assert [str(path.relative_to(ROOT)) for path in TEXTS if private.search(path.read_text(errors="replace"))] == []


def test_make_help_lists_every_target() -> None:
    """Each that may be called has a line behind its name."""
    text = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", text, re.M)
    assert set(phony.split()) - {"help"} == set(re.findall(r"^([a-z-]+):.*## ", text, re.M))


def test_hooks_and_templates_are_sound() -> None:
    """Hooks before a commit fetch nothing and run what the environment has; every form of an issue has a body."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [one["repo"] for one in hooks] == ["local"]
    assert all(hook["entry"].startswith(".venv/bin/") and hook["language"] == "system" for hook in hooks[0]["hooks"])
    forms = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert len(forms) >= 3
    for form in forms:
        said = yaml.safe_load(form.read_text())
        assert form.name == "config.yml" or {"name", "description", "body"} <= set(said)


def test_every_dependency_has_its_reason_and_its_pin() -> None:
    """Each package of pyproject.toml has a reason in the decision on dependencies and, but for ray, an exact pin."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    reasons = (ROOT / "docs/decisions/0002-dependencies.md").read_text()
    pins = (ROOT / "constraints.txt").read_text().lower()
    wanted = [
        *project["dependencies"],
        *project["optional-dependencies"]["local"],
        *project["optional-dependencies"]["ray"],
    ]
    for requirement in wanted:
        name = re.split(r"[<>=;\[ ]", requirement)[0]
        assert re.search(rf"\b{name}\b", reasons), f"{name} has no reason"
        assert name == "ray" or re.search(rf"^{name}==\S+$", pins, re.M), f"{name} has no pin"
    for requirement in project["optional-dependencies"]["dev"]:
        name = re.split(r"[<>=;\[ ]", requirement)[0]
        assert re.search(rf"^{name}==\S+$", pins, re.M), f"{name} has no pin"
