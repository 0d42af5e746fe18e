"""Reference pages made of the code: the command line, exit codes, the schema, and the list of decisions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from harness.cli import COMMANDS, GROUPS, cli
from harness.errors import EXIT_CODES
from harness.store import dictionary

WIDTH = 100


def commands() -> str:
    """What `--help` prints of every command and subcommand, group by group."""
    grouped = [name for names in GROUPS.values() for name in names]
    groups = {**GROUPS, "Others": tuple(name for name in COMMANDS if name not in grouped)}
    lines: list[str] = []
    for title, names in groups.items():
        if names:
            lines.append(f"## {title}\n")
        for name in names:
            found = cli.get_command(click.Context(cli), name)
            assert found is not None
            for path, command in _walk(("harness", name), found):
                level = "#" * (1 + len(path))
                lines += [f"{level} {' '.join(path)}\n", "```text", _help(path, command), "```\n"]
    return "\n".join(lines).rstrip()


def _walk(path: tuple[str, ...], command: click.Command) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from _walk((*path, name), one)


def _help(path: tuple[str, ...], command: click.Command) -> str:
    context = click.Context(command, info_name=" ".join(path), terminal_width=WIDTH, max_content_width=WIDTH)
    return "\n".join(line.rstrip() for line in command.get_help(context).splitlines())


def exit_codes() -> str:
    """A table of the exit codes."""
    return "\n".join(["| code | means |", "|---|---|", *(f"| {code} | {text} |" for code, text in EXIT_CODES.items())])


def schema() -> str:
    """Every table, view and macro, with its columns, types, units and meaning of NULL."""
    about, macros, columns = dictionary.describe_tables(), dictionary.describe_macros(), dictionary.describe()
    lines: list[str] = []
    for name, comment in about.items():
        mine = [one for one in columns if one.table == name]
        lines += [f"## {name}\n", f"{'A view. ' if mine[0].is_view else ''}{_text(comment)}\n"]
        lines += _table(mine)
    lines.append("## Macros\n")
    for macro in macros.values():
        lines += [f"### {macro.call}\n", f"{_text(macro.comment)}\n", *_table(macro.columns)]
    return "\n".join(lines).rstrip()


def _table(columns: tuple[dictionary.Column, ...] | list[dictionary.Column]) -> list[str]:
    rows = [f"| `{one.name}` | `{one.type}` | {_text(one.comment).replace('|', chr(92) + '|')} |" for one in columns]
    return ["| column | type | is |", "|---|---|---|", *rows, ""]


def _text(comment: str) -> str:
    """A comment of the schema as Markdown: nothing in it is markup."""
    return re.sub(r"([<>*_\[\]])", r"\\\1", comment)


def decisions(docs: Path) -> str:
    """A line for each decision, by its own heading."""
    lines = []
    for path in sorted((docs / "decisions").glob("[0-9]*.md")):
        number, _, title = path.read_text("utf-8").splitlines()[0].removeprefix("# ").partition(". ")
        lines.append(f"{number}. [{title}]({path.name})")
    return "\n".join(lines)
