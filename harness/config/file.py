"""The only reader of YAML: ``providers.yaml`` -> Provider, with one clear line for every mistake in it.

The file is a stranger's until it has been read: its size, depth, number of nodes and tags are bounded before anything
is built from it, and a value that looks like a key is refused without being repeated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import yaml

from harness.config.block import as_block
from harness.config.preset import expand
from harness.config.schema import Content, FieldPath, parse
from harness.errors import ConfigError
from harness.provider import Provider
from harness.types import JsonObject

MAX_BYTES = 1_000_000
MAX_DEPTH = 24
MAX_NODES = 50_000
MAX_SCALAR = 100
"""Longest number: PyYAML's base-60 integers take quadratic time."""

Parsed = TypeVar("Parsed")
"""What a document means to the one who asked for it; never a list."""

_SECRET_NAMES = frozenset({"key", "token", "secret", "password", "passwd", "authorization", "bearer", "credentials"})
_SECRET_ENDS = ("apikey", "accesskey", "secretkey", "accesstoken", "authtoken", "secret", "password", "authorization")
_SECRET_VALUE = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:sk|rk)-[A-Za-z0-9_-]{6,}"
    r"|(?:gsk|ghp|tgp|r8|hf|fw)_[A-Za-z0-9_-]{16,}"
    r"|(?:xai|csk|pplx|nvapi)-[A-Za-z0-9_-]{16,}"
    r"|AIza[A-Za-z0-9_-]{16,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}"
    r"|[Bb]earer\s+\S+)"
)


def as_yaml(provider: Provider) -> str:
    """Give the provider as YAML text that can be pasted into a ``providers.yaml``."""
    return as_text({"providers": {provider.id: as_block(provider)}})


def as_text(value: JsonObject) -> str:
    """Plain values as YAML text, in their order."""
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    return text


# --- reading the file ------------------------------------------------------------------------------------


class _Mistake(Exception):  # noqa: N818 - becomes a ConfigError once file and line are known
    """Something wrong at one place of the document."""

    def __init__(self, line: int, path: FieldPath, words: str) -> None:
        super().__init__(words)
        self.line = line
        self.path = path


class _Loader(yaml.SafeLoader):
    """YAML's safe subset without dates: ``2026-01-01`` is text here, as it is in JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_all(presets: Sequence[Path], ours: Sequence[Path], users: Path | None = None) -> dict[str, Provider]:
    """Read the presets and the files that lie over them, each over the one before, the user's over all of them.

    ConfigError as for ``read_file``.
    """
    read = {path.stem: read_preset(path) for path in presets}
    blocks = {name: block for name, (block, _) in read.items()}
    providers = {name: provider for name, (_, provider) in read.items()}
    for path in [*ours, *([users] if users else [])]:
        content = read_file(path, blocks, providers)
        mine = path is users
        providers.update({name: replace(one, yours=mine) for name, one in content.providers.items()})
        for model, ids in content.models.items():
            for name, model_id in ids.items():
                known = providers[name]
                providers[name] = replace(known, models={**known.models, model: model_id})
    return providers


def read_file(
    path: Path, presets: Mapping[str, JsonObject] = MappingProxyType({}), known: Collection[str] = ()
) -> Content:
    """Read one file of providers; ConfigError as ``file:line: field: what is wrong``.

    ``presets``: the blocks that ``use`` may name; ``known``: the providers that there are besides those of the file.
    """

    def understand(document: object) -> Content | list[tuple[FieldPath, str]]:
        used = expand(document, presets)
        return used if isinstance(used, list) else parse(used.document, used.presets, known)

    return read_document(path, understand, empty="the file is empty; it should begin with providers:")


def read_preset(path: Path) -> tuple[JsonObject, Provider]:
    """Read the file of one preset: its block as it stands there, and what it means; errors as for ``read_file``."""
    name = path.stem
    block: JsonObject = {}

    def understand(document: object) -> Content | list[tuple[FieldPath, str]]:
        parsed = parse({"providers": {name: document}}, {name: name})
        if isinstance(parsed, list):
            return [(where[2:], words) for where, words in parsed]
        block.update(document)  # type: ignore[call-overload]  # what was parsed is a mapping
        return parsed

    content = read_document(path, understand, empty="the preset is empty")
    return block, content.providers[name]


def read_document(
    path: Path, understand: Callable[[object], Parsed | list[tuple[FieldPath, str]]], *, empty: str
) -> Parsed:
    """Read a user's YAML file within the bounds of this module, and have its plain values understood.

    ``understand`` gives what they mean, which is no list, or a list of (path, what is wrong) of which the first in the
    file is told; ``empty`` is told of a file without a value. ConfigError as ``file:line: field: what is wrong``.
    """
    data = _content(path)
    try:
        document, lines = _load(_decode(data), empty)
        parsed = understand(document)
        if not isinstance(parsed, list):
            return parsed
        found = [(_line(lines, where), where, words) for where, words in parsed]
        # A mistyped field is also a missing one: the typing error is the one to tell.
        raise _Mistake(*min(found, key=lambda one: (one[0], not one[2].startswith("unknown field"))))
    except _Mistake as mistake:
        raise _told(path, mistake) from None


class Document(NamedTuple):
    """The plain values of a YAML file, and where each stands in it."""

    path: Path
    value: object
    lines: Mapping[FieldPath, int]

    def line(self, *where: str | int) -> int:
        """The line of a field, or of what is around it."""
        return _line(self.lines, where)

    def place(self, *where: str | int) -> str:
        """The place of a field, or of what is around it: ``file:line: field``."""
        return _place(self.path, self.line(*where), where)


def read_plain(path: Path, *, empty: str, ours: bool = False) -> Document:
    """Read a YAML file within the same bounds, with the lines of what it says.

    ``ours``: it is configuration of ours, in which no text may be a key; otherwise its texts may look like anything.
    ConfigError as ``file:line: field: what is wrong``.
    """
    try:
        return Document(path, *_load(_decode(_content(path)), empty, ours=ours))
    except _Mistake as mistake:
        raise _told(path, mistake) from None


def _content(path: Path) -> bytes:
    shown = _shown(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{shown}: there is no such file") from None
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{shown}: larger than {MAX_BYTES:,} bytes")
    return data


def _told(path: Path, mistake: _Mistake) -> ConfigError:
    return ConfigError(_printable(f"{_place(path, mistake.line, mistake.path)}: {mistake}"))


def _place(path: Path, line: int, where: FieldPath) -> str:
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).lstrip(".")
    return _printable(f"{_shown(path)}:{line}: {field}" if field else f"{_shown(path)}:{line}")


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def _shown(path: Path) -> str:
    """Print a path below the working folder relative to it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _Mistake(data.count(b"\n", 0, error.start) + 1, (), "is not UTF-8 text") from None


def _load(text: str, empty: str, *, ours: bool = True) -> tuple[object, dict[FieldPath, int]]:
    """The document as plain values, and the line of every field in it; in one of ``ours`` no text may be a key."""
    try:
        _refuse_bombs(text)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        # Never the snippet of the file that str(error) holds: it may be a line with a key.
        mark = error.problem_mark or error.context_mark
        raise _Mistake(mark.line + 1 if mark else 1, (), f"not valid YAML: {error.problem or error.context}") from None
    except yaml.reader.ReaderError as error:
        raise _Mistake(text.count("\n", 0, error.position) + 1, (), "holds a character YAML does not allow") from None
    if node is None:
        raise _Mistake(1, (), empty)
    lines: dict[FieldPath, int] = {(): 1}
    reader = _Reader(lines, ours=ours)
    return reader.value(node, (), 0), lines


def _refuse_bombs(text: str) -> None:
    """Bound depth and number of events before PyYAML, which recurses, builds anything."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise _Mistake(_at(event), (), f"nested deeper than {MAX_DEPTH} levels")
        if count > MAX_NODES:
            raise _Mistake(_at(event), (), f"holds more than {MAX_NODES:,} values")


def _at(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


class _Reader:
    """Turns YAML nodes into plain values; aliases are followed, and what they expand to is counted."""

    def __init__(self, lines: dict[FieldPath, int], *, ours: bool) -> None:
        self._lines = lines
        self._ours = ours
        self._nodes = 0
        self._scalars = yaml.constructor.SafeConstructor()

    def value(self, node: yaml.Node, path: FieldPath, depth: int) -> Any:
        """The value at ``path``; everything below it included."""
        line = node.start_mark.line + 1
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            raise _Mistake(line, path, "its aliases expand to too much")
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return {key: self.value(child, (*path, key), depth + 1) for key, child in self._items(node, path)}
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            items = []
            for index, child in enumerate(node.value):
                self._lines[(*path, index)] = child.start_mark.line + 1
                items.append(self.value(child, (*path, index), depth + 1))
            return items
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path, line)
        raise _Mistake(line, path, "only plain mappings, lists and values are read; take the !tag away")

    def _items(self, node: yaml.MappingNode, path: FieldPath) -> Iterator[tuple[str, yaml.Node]]:
        seen: dict[str, int] = {}
        for key_node, child in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == "tag:yaml.org,2002:merge":
                raise _Mistake(line, path, "a name must be plain text; merge keys (<<) are not read")
            key = key_node.value
            if self._ours and _SECRET_VALUE.search(key):
                raise _Mistake(line, path, "holds what looks like a key; keep keys in environment variables")
            where = (*path, key)
            if key_node.tag != "tag:yaml.org,2002:str":
                raise _Mistake(line, where, "a name must be text; put it in quotes")
            if key in seen:
                raise _Mistake(line, where, f"is given twice, first on line {seen[key]}")
            seen[key] = self._lines[where] = line
            if self._ours and _names_a_secret(where):
                raise _Mistake(line, where, "keys do not belong in this file. Use api_key_env: NAME_OF_THE_VARIABLE")
            yield key, child

    def _scalar(self, node: yaml.ScalarNode, path: FieldPath, line: int) -> Any:
        if node.tag == "tag:yaml.org,2002:str":
            if not self._ours:
                return node.value
            if _SECRET_VALUE.search(node.value):
                words = "looks like a key; keep it in an environment variable. Use api_key_env: NAME_OF_THE_VARIABLE"
                raise _Mistake(line, path, words)
            if "${" in node.value and path[-1:] != ("base_url",) and path[-2:-1] != ("query",):
                raise _Mistake(line, path, "${NAME} is filled in only in base_url and query")
            return node.value
        if node.tag.rpartition(":")[2] not in ("null", "bool", "int", "float") or len(node.value) > MAX_SCALAR:
            raise _Mistake(line, path, "only plain text, numbers, true, false and null are read; put it in quotes")
        try:
            value = self._scalars.construct_object(node)
        except (ValueError, yaml.YAMLError):
            raise _Mistake(line, path, "is not a valid value; put it in quotes if it is text") from None
        if isinstance(value, float) and not math.isfinite(value):
            raise _Mistake(line, path, "must be a finite number")
        return value


def _names_a_secret(path: FieldPath) -> bool:
    """Whether a field of this name would hold a key; names of models, and headers from the environment, may be any."""
    if len(path) < 3 or (len(path) == 4 and path[2] in ("models", "prices", "env_headers")):
        return False
    plain = re.sub(r"[^a-z]", "", str(path[-1]).lower())
    return plain in _SECRET_NAMES or plain.endswith(_SECRET_ENDS)


def _line(lines: Mapping[FieldPath, int], path: FieldPath) -> int:
    """The line of a field, or of the nearest one around it that is in the file."""
    while path not in lines:
        path = path[:-1]
    return lines[path]
