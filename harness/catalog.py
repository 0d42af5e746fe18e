"""Finds tasks, loads, probes and suites below a folder ``tasks``.

A task, load or probe is a constant of a Python file anywhere below it, a suite a YAML file in its folder ``suites``.
The file is the entry; there is no list to edit. The working folder's ``tasks`` comes first, then the shipped one,
and a name found earlier is not replaced by a later one, so a user's own file wins.
"""

from __future__ import annotations

import difflib
import importlib.util
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, TypeVar

from harness import config
from harness.errors import TaskError, UnknownName, UsageError
from harness.plugins import Plugin, plugins
from harness.types import Load, Scorer, Slo, Suite, Task

_CONSTANTS = ("TASK", "TASKS", "LOAD", "PROBES")
_OURS = re.compile(rb"^\s*(?:from|import)\s+harness\b|^(?:TASK|TASKS|LOAD|PROBES)\s*[:=]", re.MULTILINE)
"""A file without either is some other program's: a user's folder ``tasks`` may hold anything, and is not imported."""

_KINDS = ("quality", "tools")
_NONCES = ("request", "run", "none")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_SUITES = "suites"
_SUITE_ENDS = (".yaml", ".yml")

Found = TypeVar("Found")
Check = Callable[[Any], bool]


class Shadowed(NamedTuple):
    """A name that an earlier root took from a later one."""

    name: str
    used: Path
    unused: Path


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that can be asked, by name."""

    tasks: dict[str, Task] = field(default_factory=dict)
    loads: dict[str, Load] = field(default_factory=dict)
    suites: dict[str, Path] = field(default_factory=dict)
    """Their files, which are read when they are asked for."""
    probes: dict[str, Any] = field(default_factory=dict)
    """Probes of ``harness.conformance`` by id, in the order of the files."""
    files: dict[tuple[str, str], Path] = field(default_factory=dict)
    """Where each comes from, by kind (``task``, ``load``, ``probe``, ``suite``) and name."""
    shadowed: list[Shadowed] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """What is wrong with plug-ins that give no task, one line each."""
    plugged: list[str] = field(default_factory=list)
    """Labels of the plug-ins that were asked for their tasks; empty: none was needed yet."""

    def task(self, name: str) -> Task:
        """The task of that name, of a plug-in where no file has it; UnknownName with the nearest ones.

        UsageError for the name of a load or suite, which have commands of their own.
        """
        if name not in self.tasks:
            self.add_plugins()
            for kind, others, command in (("load", self.loads, "load"), ("suite", self.suites, "run")):
                if name in others and name not in self.tasks:
                    raise UsageError(f"{name} is a {kind}, not a task", hint=f"See: harness {command} {name}")
        return _named("task", name, self.tasks, "; ".join(self.broken))

    def add_plugins(self) -> None:
        """Add the tasks of installed packages, once; one that is broken is noted, and the others go on."""
        for plugin in () if self.plugged else plugins("tasks").values():
            self.plugged.append(plugin.label)
            try:
                _plug_in(self, plugin)
            except TaskError as error:
                self.broken.append(str(error))

    def load(self, name: str) -> Load:
        """The load of that name; UnknownName with the nearest ones."""
        return _named("load", name, self.loads)

    def suite(self, name: str) -> Suite:
        """The suite of that name, or of the YAML file of that path.

        UnknownName with the nearest names; ConfigError with file, line and field for what is wrong in the file.
        """
        is_path = name not in self.suites and Path(name).suffix in _SUITE_ENDS
        path = Path(name) if is_path else _named("suite", name, self.suites, "See harness suite list")
        # Imported only now: reading YAML takes longer than starting, and most commands ask for no suite.
        suite: Suite = importlib.import_module("harness.suite_file").read(path)
        return suite

    def probe(self, name: str) -> Any:
        """The probe of that id; UnknownName with the nearest ones."""
        return _named("probe", name, self.probes)


def discover(roots: Sequence[Path] | None = None, only: Sequence[str] = ()) -> Catalog:
    """Imports every task file below the roots, collects what it defines, and lists the suites.

    Args:
        roots: folders in falling precedence; None: ``./tasks`` of the working folder, if there, then the shipped one.
        only: constants that are wanted, empty: all; a file that names none of them is not imported, for a hundred
            files take a while.

    Raises:
        TaskError: a file cannot be imported or defines something of another type (names file and line), a field has
            a wrong type (names file and field), one root holds a name twice (names both files), or a root given is
            no folder.
    """
    catalog = Catalog()
    wanted = re.compile(rb"\b(?:" + "|".join(only).encode() + rb")\b")
    for index, root in enumerate(_folders(roots)):
        for path in sorted(root.rglob("*.py")):
            content = _content(path)
            if _OURS.search(content) and wanted.search(content):
                module = _imported(
                    path, f"harness_tasks_{index}." + ".".join(path.relative_to(root).with_suffix("").parts)
                )
                _collect(catalog, module, path, root)
        _add_suites(catalog, root)
    return catalog


def discover_suites() -> Catalog:
    """The suites of ``./tasks`` and the shipped ones, and nothing else; errors as ``discover``."""
    catalog = Catalog()
    for root in _folders(None):
        _add_suites(catalog, root)
    return catalog


def _add_suites(catalog: Catalog, root: Path) -> None:
    for path in sorted((root / _SUITES).glob("*")):
        if path.suffix in _SUITE_ENDS and path.is_file():
            _add(catalog, "suite", catalog.suites, path.stem, path, path, root)


def _folders(roots: Sequence[Path] | None) -> list[Path]:
    given = [Path("tasks"), config.shipped("tasks")] if roots is None else roots
    for root in given:
        if roots is not None and not root.is_dir():
            raise TaskError(f"no such folder of tasks: {root}")
    return list(dict.fromkeys(root.resolve() for root in given if root.is_dir()))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TaskError(f"{path}: {error.strerror}") from None


def _imported(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickling look the module up by its name while it is executed.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's file may raise anything
        del sys.modules[name]
        raise TaskError(f"{path}{_line(error, path)}: {type(error).__name__}: {_reason(error)}") from None
    return module


def _line(error: BaseException, path: Path) -> str:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f" line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f" line {lines[-1]}" if lines else ""


def _reason(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return (text.strip().splitlines() or ["no reason given"])[0]


def _collect(catalog: Catalog, module: ModuleType, path: Path, root: Path) -> None:
    for constant, value in _defined(module, path):
        if isinstance(value, Task):
            _add(catalog, "task", catalog.tasks, value.name, value, path, root)
        elif isinstance(value, Load):
            _add(catalog, "load", catalog.loads, value.name, value, path, root)
        else:
            _add(catalog, "probe", catalog.probes, _probe_id(constant, value, path), value, path, root)


def _defined(module: ModuleType, path: Path) -> Iterator[tuple[str, Any]]:
    wanted: Mapping[str, type] = {"TASK": Task, "TASKS": Task, "LOAD": Load}
    for constant in _CONSTANTS:
        if not hasattr(module, constant):
            continue
        value = getattr(module, constant)
        several = constant in ("TASKS", "PROBES")
        if several and not isinstance(value, tuple | list):
            raise TaskError(f"{path}: {constant} is a tuple, this is a {type(value).__name__}")
        for index, one in enumerate(value if several else (value,)):
            kind = wanted.get(constant)
            if kind is not None and not isinstance(one, kind):
                raise TaskError(
                    f"{path}: {constant} holds a {type(one).__name__}, not a {kind.__name__} of harness.types"
                )
            if kind is not None:
                _refuse_wrong_fields(one, f"{path}: {constant}" + (f"[{index}]" if several else ""))
            yield constant, one


def _is_whole(value: Any) -> bool:
    # Python holds True to be 1; a version that is True is a mistake.
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return value is None or (_is_whole(value) and value > 0)


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _is_objective(value: Any) -> bool:
    return value is None or _is_positive(value)


def _is_laws(value: Any) -> bool:
    # Arrival laws are a noun of harness.run, which is above this module: known here by their label alone.
    return isinstance(value, tuple | list) and all(isinstance(getattr(one, "label", None), str) for one in value)


_TEXT = ("a string", lambda value: isinstance(value, str))
_SWITCH = ("True or False", lambda value: isinstance(value, bool))
_WHOLE = ("a whole number", _is_whole)
_FUNCTION = ("a function", callable)
_OPTIONAL_FUNCTION = ("a function, or None", lambda value: value is None or callable(value))
_PLAIN = (
    "a name of letters, digits and _ . -",
    lambda value: isinstance(value, str) and _NAME.fullmatch(value) is not None,
)
_SECONDS = ("a number of seconds above 0, or None", _is_objective)
_OBJECTIVE = ("a number of milliseconds above 0, or None", _is_objective)

_FIELDS: Mapping[type, Mapping[str, tuple[str, Check]]] = {
    Task: {
        "name": _PLAIN,
        "version": _WHOLE,
        "kind": ("'quality' or 'tools'", lambda value: isinstance(value, str) and value in _KINDS),
        "description": _TEXT,
        "load": _FUNCTION,
        "scorer": ("a Scorer", lambda value: isinstance(value, Scorer)),
        "stream": _SWITCH,
        "licence": _TEXT,
        "source": _TEXT,
        "world": _OPTIONAL_FUNCTION,
        "steps": ("a whole number above 0, or None", _is_count),
    },
    # A scorer's name also tells its options, so it is any text.
    Scorer: {
        "name": ("a string that is not empty", lambda value: isinstance(value, str) and value != ""),
        "version": _WHOLE,
        "score": _FUNCTION,
        "episode": _OPTIONAL_FUNCTION,
        "judging": ("a string, or None", lambda value: value is None or isinstance(value, str)),
    },
    Load: {
        "name": _PLAIN,
        "version": _WHOLE,
        "description": _TEXT,
        "levels": ("a tuple of arrival laws, as in (Closed(1),)", _is_laws),
        "requests_per_level": ("a whole number above 0, or None", _is_count),
        "sample": _FUNCTION,
        "warmup": ("a whole number, 0 or more", lambda value: _is_whole(value) and value >= 0),
        "cooldown": ("a whole number, 0 or more", lambda value: _is_whole(value) and value >= 0),
        "slo": ("an Slo", lambda value: isinstance(value, Slo)),
        "nonce": ("'request', 'run' or 'none'", lambda value: isinstance(value, str) and value in _NONCES),
        "think_s": ("a number of seconds, 0 or more", lambda value: value == 0 or _is_positive(value)),
        "duration_s": _SECONDS,
        "give_up_share": ("a share from 0 to 1", lambda value: value == 0 or (_is_positive(value) and value <= 1)),
        "give_up_s": _SECONDS,
    },
    Slo: {"ttft_ms": _OBJECTIVE, "tpot_ms": _OBJECTIVE, "e2e_ms": _OBJECTIVE},
}
"""What each field must be, in words and as a check: a dataclass takes whatever it is given."""


def _refuse_wrong_fields(thing: Any, where: str) -> None:
    for field_name, (wanted, fits) in _FIELDS[type(thing)].items():
        value, label = getattr(thing, field_name), f"{where}.{field_name}"
        if not fits(value):
            raise _wrong_field(label, wanted, value)
        if type(value) in _FIELDS:
            _refuse_wrong_fields(value, label)


def _wrong_field(label: str, wanted: str, value: Any) -> TaskError:
    if callable(value) and str(getattr(value, "__module__", "")).startswith("harness.scorers."):
        return TaskError(f"{label} must be {wanted}; write {value.__name__}() with its brackets")
    near = difflib.get_close_matches(value, _KINDS, n=1) if label.endswith(".kind") and isinstance(value, str) else []
    hint = f"Did you mean {near[0]}?" if near else ""
    return TaskError(f"{label} must be {wanted}, not {_shown(value)}", hint=hint)


def _shown(value: Any) -> str:
    if value is None or isinstance(value, str | int | float):
        text = repr(value)
        return text if len(text) <= 60 else text[:57] + "..."
    return f"a {type(value).__name__}"


def _probe_id(constant: str, value: Any, path: Path) -> str:
    # Probes are a noun of harness.conformance, which is above this module: known here by their id alone.
    name = getattr(value, "id", None)
    if not isinstance(name, str):
        raise TaskError(f"{path}: {constant} holds a {type(value).__name__}, not a probe with an id")
    return name


def _add(catalog: Catalog, kind: str, found: dict[str, Found], name: str, value: Found, path: Path, root: Path) -> None:
    before = catalog.files.get((kind, name))
    if before is None:
        found[name] = value
        catalog.files[kind, name] = path
    elif before.is_relative_to(root):
        raise TaskError(f"two {kind}s are called {name!r}: {before} and {path}")
    else:
        catalog.shadowed.append(Shadowed(name, before, path))


def _plug_in(catalog: Catalog, plugin: Plugin) -> None:
    """Add what a plug-in gives: a task, several, a folder of task files, or a package that is one."""
    value = plugin.load()
    if isinstance(value, ModuleType):
        given = [getattr(value, constant) for constant in ("TASK", "TASKS") if hasattr(value, constant)]
        value = given[0] if given else Path(next(iter(getattr(value, "__path__", [])), ""))
    if isinstance(value, str | Path) and Path(value).is_dir():
        found = discover([Path(value)])
        tasks = [(task, found.files["task", name]) for name, task in found.tasks.items()]
    else:
        several = value if isinstance(value, tuple | list) else (value,)
        if not several or not all(isinstance(one, Task) for one in several):
            raise TaskError(f"{plugin.label} gives {_shown(value)}, not a Task, a tuple of Tasks or a folder of them")
        tasks = [(task, Path(plugin.label)) for task in several]
    for task, path in tasks:
        _refuse_wrong_fields(task, plugin.label)
        # A file's task of that name was there first; two plug-ins are no mistake of the user's either.
        _add(catalog, "task", catalog.tasks, task.name, task, path, Path(plugin.label) / "one of its own")


def _named(kind: str, name: str, found: Mapping[str, Found], where: str = "") -> Found:
    try:
        return found[name]
    except KeyError:
        raise UnknownName(kind, name, found, where=where) from None
