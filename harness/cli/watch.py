"""``harness watch``: a suite on a schedule, on a machine without CI."""

from __future__ import annotations

import functools
import random
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from harness import catalog
from harness.cli import options
from harness.errors import UsageError
from harness.record.folder import only_one, storing
from harness.run.selecting.load_words import duration
from harness.types import Suite
from harness.watch import nights, webhook
from harness.watch.cron import parse
from harness.watch.keeper import Watch
from harness.watch.process import Child, refusal
from harness.watch.schedule import AtTimes, Every, Schedule

_LEAST_S = 60.0


@click.command()
@click.argument("suite")
@click.argument("run_options", nargs=-1, metavar="[-- OPTION OF HARNESS RUN]...", type=click.UNPROCESSED)
@options.endpoints_if_any
@click.option("--every", metavar="TIME", help="Run it so often, as in 90m or 6h.")
@click.option("--cron", metavar="FIELDS", help='Run it at these times of this machine, as in "0 3 * * *".')
@click.option("--once", is_flag=True, help="Run it now, and end with its exit code.")
@click.option("--jitter", metavar="TIME", help="Begin up to so much later, by chance.")
@click.option(
    "--webhook-env",
    metavar="VARIABLE",
    help="Tell what changed to the address that this environment variable holds (Slack-compatible JSON).",
)
@options.results
@options.providers
def command(
    suite: str,
    run_options: tuple[str, ...],
    endpoint_names: tuple[str, ...],
    every: str | None,
    cron: str | None,
    once: bool,
    jitter: str | None,
    webhook_env: str | None,
    results: Path,
    providers_file: Path | None,
) -> None:
    """Run SUITE again and again, as a CI would every night; what follows -- goes to `harness run`.

    Each night is a run like any other, judged by the suite's gate, and a line of results/watch/history.jsonl. Ctrl-C
    ends the run under way as it does elsewhere, then the watch (exit code 130).

    \b
    Examples:
      harness watch nightly --every 6h -e mine/llama
      harness watch nightly --cron "0 3 * * *" --jitter 20m -e mine/llama -- --max-cost 2
      harness watch nightly --once -e mine/llama --webhook-env CHAT_WEBHOOK
    """
    if (every is not None) + (cron is not None) + once != 1:
        raise UsageError("one of --every, --cron and --once says when", hint='As in --every 6h, or --cron "0 3 * * *"')
    schedule = _schedule(every, cron)
    latest = 0.0 if jitter is None else duration(jitter)
    url = None if webhook_env is None else webhook.address(webhook_env)
    found = catalog.discover_suites().suite(suite)
    where = ["--results", str(results), *(["--providers", str(providers_file)] if providers_file else [])]
    argv = [suite, *(part for name in endpoint_names for part in ("-e", name)), *where, *run_options]
    folder = nights.folder_of(results)
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder / ".lock", wait_s=0, what=f"{results} is watched"):
        _refuse_wrong(argv)
        child = Child(argv, results, gated=_gated(run_options, found))
        watch = Watch(
            suite=found.name,
            results=results,
            schedule=schedule,
            clock=child,
            run=child.run,
            say=_say,
            announce=functools.partial(_announce, url),
            jitter_s=lambda: random.uniform(0, latest),  # noqa: S311 - a delay, not a secret
        )
        with child.stopping():
            sys.exit(watch.once() if once else watch.keep())


def _schedule(every: str | None, cron: str | None) -> Schedule:
    if cron is not None:
        return AtTimes(parse(cron))
    seconds = _LEAST_S if every is None else duration(every)
    if seconds < _LEAST_S:
        raise UsageError(f"--every {every} is shorter than a minute")
    return Every(seconds)


def _say(line: str) -> None:
    click.echo(f"{datetime.now(UTC).astimezone().isoformat(sep=' ', timespec='seconds')} {line}")


def _announce(url: str | None, text: str) -> None:
    _say(f"changed: {text.splitlines()[0]}")
    if url is not None and (problem := webhook.post(url, text)) is not None:
        _say(problem)


def _refuse_wrong(argv: list[str]) -> None:
    """A mistake is told now, and not at three in the night."""
    code, words = refusal(argv)
    if code:
        click.echo(words, nl=False, err=True)
        sys.exit(code)


def _gated(run_options: tuple[str, ...], suite: Suite) -> bool:
    """Whether there will be a verdict."""
    named = any(one == "--gate" or one.startswith("--gate=") for one in run_options)
    return named or (suite.gate is not None and "--no-gate" not in run_options)
