"""``harness dashboard``: the results in the browser."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import click

from harness import config
from harness.cli import options
from harness.errors import CannotMeasure, StoreError
from harness.record.folder import list_runs

_DATABASE = "harness.duckdb"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command()
@options.results
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; anything else shows your results to others.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8501,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--called",
    "names",
    multiple=True,
    metavar="NAME",
    help="Answer only browsers that call it by this name; repeat it. [default: loopback's names, where --host is one]",
)
@click.option("--browser/--no-browser", default=False, help="Open a browser window.")
def command(results: Path, host: str, port: int, names: tuple[str, ...], browser: bool) -> None:
    """Look at the results in the browser: read-only, on this machine alone, without telemetry.

    \b
    Examples:
      harness dashboard
      harness dashboard --port 8600 --results nightly/results
    """
    if not (results / _DATABASE).is_file() and not list_runs(results):
        raise StoreError(
            f"there are no results in {results}",
            hint="Make some results with `harness demo`, or name their folder with --results",
        )
    port = _free(host, port)
    click.echo(f"Dashboard: http://{host}:{port}  (Ctrl-C ends it)")
    sys.stdout.flush()
    settings = {
        "server.address": host,
        "server.port": str(port),
        "server.headless": "false" if browser else "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "browser.serverAddress": host,
        "client.showErrorDetails": "none",
        "client.showErrorLinks": "false",
        "client.toolbarMode": "minimal",
        # Streamlit's own red is too faint a colour for letters on dark.
        "theme.light.primaryColor": "#00588A",
        "theme.dark.primaryColor": "#7CC4F0",
    }
    flags = [f"--{name}={value}" for name, value in settings.items()]
    # Another site's page could otherwise reach this server under a name of its own that resolves to its address.
    flags += [f"--server.allowedHosts={name}" for name in names or (_LOOPBACK if host in _LOOPBACK else ())]
    app = config.shipped("dashboard") / "app.py"
    # The server takes this process's place: one Ctrl-C, one process to end.
    arguments = [sys.executable, "-m", "streamlit", "run", str(app), *flags, "--", str(results.resolve())]
    os.execv(sys.executable, arguments)  # noqa: S606 - our own interpreter, no shell


def _free(host: str, port: int) -> int:
    """The port to listen on, or one line that says it is taken."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    except OSError as error:
        raise CannotMeasure(
            f"cannot listen on {host}:{port}: {error.strerror or error}", hint="Choose another with --port"
        ) from None
