"""Finds tasks, loads, probes and suites below a folder ``tasks``.

A task, load or probe is a constant of a Python file anywhere below it, a suite a YAML file in its folder ``suites``.
The file is the entry; there is no list to edit. The working folder's ``tasks`` comes first, then the shipped one,
and a name found earlier is not replaced by a later one, so a user's own file wins.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple, TypeVar

from harness import config
from harness.catalog.sound import refuse_wrong_fields, shown
from harness.errors import TaskError, UnknownName, UsageError
from harness.plugins import Plugin, plugins
from harness.types import Load, Suite, Task

_CONSTANTS = ("TASK", "TASKS", "LOAD", "PROBES")
_OURS = re.compile(rb"^\s*(?:from|import)\s+harness\b|^(?:TASK|TASKS|LOAD|PROBES)\s*[:=]", re.MULTILINE)
"""A file without either is some other program's: a user's folder ``tasks`` may hold anything, and is not imported."""

_SUITES = "suites"
_SUITE_ENDS = (".yaml", ".yml")

Found = TypeVar("Found")
Group = Literal["tasks", "loads", "probes"]
"""What installed packages can add to a catalogue."""


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
    """What is wrong with plug-ins that give nothing of the kind that they should, one line each."""
    plugged: set[Group] = field(default_factory=set)
    """The groups whose plug-ins were asked for what they give; empty: none was needed yet."""

    def task(self, name: str) -> Task:
        """The task of that name, of a plug-in where no file has it; UnknownName with the nearest ones.

        UsageError for the name of a load or suite, which have commands of their own.
        """
        if name not in self.tasks:
            self.add_plugins("tasks")
            for kind, others, command in (("load", self.loads, "load"), ("suite", self.suites, "run")):
                if name in others and name not in self.tasks:
                    raise UsageError(f"{name} is a {kind}, not a task", hint=f"See: harness {command} {name}")
        return _named("task", name, self.tasks, "; ".join(self.broken))

    def add(self, *things: Any) -> None:
        """Add tasks, loads and probes that are in no file, each in the place of what had its name.

        TaskError for a field of a wrong type, with its name, and for anything else.
        """
        for thing in things:
            if isinstance(thing, Task | Load):
                refuse_wrong_fields(thing, f"{type(thing).__name__} {thing.name}")
            if isinstance(thing, Task):
                self.tasks[thing.name] = thing
            elif isinstance(thing, Load):
                self.loads[thing.name] = thing
            else:
                self.probes[_probe_id("it", thing, "what is given")] = thing

    def add_plugins(self, *groups: Group) -> None:
        """Add what installed packages give, once; what is broken is noted, and the others go on. None named: all."""
        for group in groups or _GROUPS:
            if group in self.plugged:
                continue
            self.plugged.add(group)
            for plugin in plugins(group).values():
                try:
                    self.plug_in(group, plugin)
                except TaskError as error:
                    self.broken.append(str(error))

    def plug_in(self, group: Group, plugin: Plugin) -> None:
        """Add what a plug-in gives: a thing of its group's kind, several, a folder of files, or a package that is one.

        TaskError for anything else, and for a field of a wrong type.
        """
        _plug_in(self, group, plugin)

    def named(self, kind: str) -> dict[str, Any]:
        """The tasks, loads or probes by name; ``kind`` is one of these words in the singular."""
        named: dict[str, dict[str, Any]] = {"task": self.tasks, "load": self.loads, "probe": self.probes}
        return named[kind]

    def load(self, name: str) -> Load:
        """The load of that name, of a plug-in where no file has it; UnknownName with the nearest ones."""
        if name not in self.loads:
            self.add_plugins("loads")
        return _named("load", name, self.loads, "; ".join(self.broken))

    def suite(self, name: str) -> Suite:
        """The suite of that name, or of the YAML file of that path.

        UnknownName with the nearest names; ConfigError with file, line and field for what is wrong in the file.
        """
        is_path = name not in self.suites and Path(name).suffix in _SUITE_ENDS
        path = Path(name) if is_path else _named("suite", name, self.suites, "See harness suite list")
        # Imported only now: reading YAML takes longer than starting, and most commands ask for no suite.
        suite: Suite = importlib.import_module("harness.catalog.suite").read(path)
        return suite

    def probe(self, name: str) -> Any:
        """The probe of that id, of a plug-in where no file has it; UnknownName with the nearest ones."""
        if name not in self.probes:
            self.add_plugins("probes")
        return _named("probe", name, self.probes, "; ".join(self.broken))


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
                refuse_wrong_fields(one, f"{path}: {constant}" + (f"[{index}]" if several else ""))
            yield constant, one


def _probe_id(constant: str, value: Any, where: Path | str) -> str:
    # Probes are a noun of harness.conformance, which is above this module: known here by their id alone.
    name = getattr(value, "id", None)
    if not isinstance(name, str):
        raise TaskError(f"{where}: {constant} holds a {type(value).__name__}, not a probe with an id")
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


def _plug_in(catalog: Catalog, group: Group, plugin: Plugin) -> None:
    """Add what a plug-in gives: one thing of its group's kind, several, a folder of files, or a package that is one."""
    kind, constants, one_of = _GROUPS[group]
    value = plugin.load()
    if isinstance(value, ModuleType):
        given = [getattr(value, constant) for constant in constants if hasattr(value, constant)]
        value = given[0] if given else Path(next(iter(getattr(value, "__path__", [])), ""))
    if isinstance(value, str | Path) and Path(value).is_dir():
        found = discover([Path(value)], only=constants)
        things = [(thing, found.files[kind, name]) for name, thing in found.named(kind).items()]
    else:
        several = value if isinstance(value, tuple | list) else (value,)
        if not several or not all(map(one_of, several)):
            noun = kind.capitalize()
            raise TaskError(
                f"{plugin.label} gives {shown(value)}, not a {noun}, a tuple of {noun}s or a folder of them"
            )
        things = [(thing, Path(plugin.label)) for thing in several]
    for thing, path in things:
        refuse_wrong_fields(thing, plugin.label)
        name = thing.id if kind == "probe" else thing.name
        # A file's thing of that name was there first; two plug-ins are no mistake of the user's either.
        _add(catalog, kind, catalog.named(kind), name, thing, path, Path(plugin.label) / "one of its own")


def _is_probe(value: Any) -> bool:
    # Probes are a noun of harness.conformance, which is above this module: known here by what they have.
    return isinstance(getattr(value, "id", None), str) and callable(getattr(value, "judge", None))


_GROUPS: Mapping[Group, tuple[str, tuple[str, ...], Callable[[Any], bool]]] = {
    "tasks": ("task", ("TASK", "TASKS"), lambda value: isinstance(value, Task)),
    "loads": ("load", ("LOAD",), lambda value: isinstance(value, Load)),
    "probes": ("probe", ("PROBES",), _is_probe),
}
"""The kind of thing of each group, the constants of files that hold it, and how it is known."""


def _named(kind: str, name: str, found: Mapping[str, Found], where: str = "") -> Found:
    try:
        return found[name]
    except KeyError:
        raise UnknownName(kind, name, found, where=where) from None
