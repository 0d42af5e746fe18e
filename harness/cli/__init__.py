"""The command line: each command is one file here, imported only when it is called."""

from __future__ import annotations

import importlib
import os
import re
import select
import sys
from typing import Any

import click
from click.shell_completion import CompletionItem

from harness import __version__
from harness.errors import EXIT_CODES, HarnessError, UnknownName
from harness.secrets import hidden

COMMANDS = {
    "demo": "A real local model and two simulated vendors, in three minutes.",
    "run": "Run a suite of tasks, probes and loads on endpoints.",
    "suite": "List, show and run suites.",
    "watch": "Run a suite on a schedule, without CI.",
    "eval": "Run quality and tool tasks on endpoints.",
    "load": "Put streaming load on endpoints: sweeps, SLO search, soak.",
    "probe": "What an endpoint supports: verdicts with evidence, a lockfile.",
    "resume": "Finish a run that was broken off.",
    "score": "Judge a finished run again with today's scorers and probes.",
    "report": "What runs found: tables, one HTML file, Markdown, JUnit.",
    "gate": "Judge a run by limits, margins, features and a budget.",
    "verify": "Whether vendors serve the same model as a reference.",
    "compare": "What one endpoint or run adds to another, pair by pair.",
    "trend": "How nightly figures went, and since when they changed.",
    "dashboard": "Look at the results in the browser.",
    "runs": "List and show runs.",
    "push": "Copy runs into a team's store.",
    "pull": "Copy runs of a team's store onto this machine.",
    "sync": "Push and pull: runs, annotations and acceptances.",
    "purge": "Take requests and answers out of runs, and keep their figures.",
    "sql": "Ask the results in SQL, read-only.",
    "export": "Send a run to an OpenTelemetry collector.",
    "db": "Rebuild and describe the results database.",
    "providers": "List, show, check and set up providers.",
    "tasks": "List and show tasks, loads, suites and scorers.",
    "task": "Make a task of your own from a template.",
    "plugins": "What installed packages add, and whether it loads.",
    "models": "Fetch and list the small local models.",
    "simulate": "Serve a simulated endpoint of known timing, answers and faults.",
    "doctor": "Whether this machine can measure, and how to mend what it lacks.",
    "completion": "Complete commands and options in bash, zsh or fish.",
    "worker": "One worker of a run, on any machine.",
    "k8s": "Render the workers of a run for Kubernetes.",
    "gather": "Make one run of what workers on other machines journalled.",
}

GROUPS = {
    "Begin": ("demo", "doctor", "providers", "dashboard"),
    "Ask endpoints": ("run", "eval", "load", "probe", "verify"),
    "Again and again": ("suite", "watch", "gate", "trend"),
    "Look at runs": ("report", "compare", "runs", "sql", "export"),
    "Mend and judge again": ("resume", "score", "db", "purge"),
    "What is asked, and of whom": ("tasks", "task", "models", "simulate", "completion"),
}
"""The commands as a newcomer looks for them; those that stand in none are named below without a word."""
_EXIT_CODES = ", ".join(f"{code} {re.split('[,:;]', text)[0]}" for code, text in EXIT_CODES.items())


class LazyGroup(click.Group):
    """A group that knows its commands' names and one-line helps, and imports a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names in the order a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command object of ``harness/cli/<name>.py``; None when there is none."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"harness.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but a mistyped command is answered with the nearest names."""
        asked_by_shell = ctx.resilient_parsing
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not asked_by_shell:
            raise UnknownName("command", args[0], COMMANDS, where="See harness --help")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """List the commands in their groups without importing them."""
        width = max(map(len, COMMANDS))
        formatter.write_paragraph()
        for title, names in GROUPS.items():
            formatter.write(f"{title}:\n")
            formatter.indent()
            formatter.write_dl([(name.ljust(width), COMMANDS[name]) for name in names])
            formatter.dedent()
        grouped = {name for group in GROUPS.values() for name in group}
        if others := [name for name in COMMANDS if name not in grouped]:
            formatter.write_text(f"Others: {', '.join(others)}")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Commands alone: of options there are --version and --help, and the whole must fit a screen."""
        self.format_commands(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's signature
        """The commands that begin so, without importing them."""
        return [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, epilog=f"Exit codes: {_EXIT_CODES}."
)
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """Compare OpenAI-compatible endpoints: quality, tools, features, speed, cost.

    \b
    harness demo                     everything, on this machine, without a key
    harness run demo -e groq/MODEL   the same on an endpoint of your own
    harness COMMAND --help           what a command does, with examples
    """


def main(argv: list[str] | None = None) -> Any:
    """Run the command line; a user's mistake is one line on stderr and a documented exit code.

    Nothing that is printed holds a secret, whoever said it.
    """
    hidden.hide_in_tracebacks()
    with hidden.veiled():
        code = _run(argv)
    sys.exit(code)


def _run(argv: list[str] | None) -> int:
    """The exit code."""
    code: Any
    try:
        code = cli.main(args=argv, prog_name="harness", standalone_mode=False)
    except HarnessError as error:
        click.echo(f"harness: {error}", err=True)
        code = error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = error.exit_code
    except click.ClickException as error:
        click.echo(f"harness: {_one_line(error)}", err=True)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("harness: interrupted", err=True)
        code = 130
    except (BrokenPipeError, SystemExit) as error:
        if getattr(error, "code", 1) != 1 or not _reader_gone(error):
            raise
        code = 0
    return code if isinstance(code, int) else 0


def _reader_gone(error: BaseException) -> bool:
    """Whether this ends the command because the reader of a pipe has seen enough (`harness report | head -1`).

    click and rich each turn the broken pipe into an exit of 1, and rich has put the null device in its place by then.
    """
    gone = isinstance(error, SystemExit) and isinstance(error.__context__, BrokenPipeError)
    for stream in (sys.stdout, sys.stderr):
        try:
            descriptor = stream.fileno()
        except (AttributeError, OSError, ValueError):
            continue
        poll = select.poll()
        poll.register(descriptor, 0)
        if any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0)):
            gone = True
            # What is still buffered would fail once more when Python ends.
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, descriptor)
            os.close(null)
    return gone


def _one_line(error: click.ClickException) -> str:
    """What click has to say, in the form of our own errors."""
    text = " ".join(error.format_message().split())
    text = text[:1].lower() + text[1:]
    ended = text if text.endswith((".", "?")) else f"{text}."
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{ended} See {context.command_path} --help" if context else ended
