"""The command line: each command is one file here, imported only when it is called."""

from __future__ import annotations

import importlib
import os
import select
import sys
from typing import Any

import click

from harness import __version__, hidden
from harness.errors import HarnessError, UnknownName

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
    "models": "Fetch and list the small local models.",
    "simulate": "Serve a simulated endpoint with known timing, answers and faults.",
    "worker": "One worker of a run, on any machine.",
    "k8s": "Render the workers of a run for Kubernetes.",
    "gather": "Make one run of what workers on other machines journalled.",
}


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
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise UnknownName("command", args[0], COMMANDS, where="See harness --help")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """Compare OpenAI-compatible endpoints: quality, tool calls, features, latency, cost.

    \b
    Start here:
      harness demo                                         everything, on this machine, without a key
      harness run demo --endpoint groq/gpt-oss-120b        the same on an endpoint of your own
      harness report                                       the table of the last run
      harness dashboard                                    the same in the browser

    Exit codes: 0 done, 1 a gate failed, 2 usage or configuration, 3 could not measure, 4 inconclusive,
    5 results busy, unwritable or corrupt, 130 interrupted (what was there is sealed).
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
    ended = text if text.endswith((".", "?", ")")) else f"{text}."
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{ended} See {context.command_path} --help" if context else ended
