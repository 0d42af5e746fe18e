"""``harness simulate``: an endpoint with known timing, answers and faults."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.simulator.serving.serve import Listen, serve
from harness.simulator.settings import profile_of, with_settings
from harness.types import JsonObject

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(context_settings={"show_default": True})
@click.argument("profile")
@click.option("--host", default="127.0.0.1", help="Address to listen on; anything but loopback is open to others.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0: a free one.")
@click.option("--seed", type=int, default=0, help="Same seed, same answers and faults.")
@click.option("--dialect", metavar="NAME", default=None, help="Speak as the documents of one provider say it does.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a field of the profile.")
@click.option("--log", type=_FILE, default=None, help="Append a line of JSON for each request: its own send times.")
@click.option("--log-chunks", is_flag=True, help="Log the time of every token write too.")
@click.option("--tls-cert", type=_FILE, default=None, help="Certificate (PEM): serve HTTPS.")
@click.option("--tls-key", type=_FILE, default=None, help="Key of the certificate.")
@click.option("--watch-stdin", is_flag=True, hidden=True, help="End when standard input ends.")
def command(
    profile: str,
    host: str,
    port: int,
    seed: int,
    dialect: str | None,
    settings: tuple[str, ...],
    log: Path | None,
    log_chunks: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
    watch_stdin: bool,
) -> None:
    """Serve a simulated endpoint whose timing, answers and faults are known.

    Profiles: steady-vendor, flaky-vendor, vllm-like (a batch, with metrics), gateway (coalesced chunks), bad-day (seven
    faults), truth (TTFT 200 ms, ITL 20 ms, exact), null (no delays), or a YAML file with fields of a profile.

    \b
      harness simulate truth --port 8000 --set ttft_ms=50 --log sends.jsonl
      harness simulate null --set mutants=ignore_stop,no_done --set http_500=0.1
      harness simulate my-vendor.yaml
      harness simulate truth --dialect groq

    All fields, faults and the way a request sets them for itself are in docs/simulator.md.
    One line of JSON with the base URL is printed when it is ready; Ctrl-C or SIGTERM ends it.
    Any key is accepted unless HARNESS_SIM_KEY holds the right one (or the variable named by --set key_env=NAME).
    """
    spoken = () if dialect is None else (f"dialect={dialect}",)
    chosen = with_settings(profile_of(profile), (*settings, *spoken))
    serve(chosen, Listen(host, port, seed, log, log_chunks, tls_cert, tls_key, watch_stdin), _tell)


def _tell(ready: JsonObject) -> None:
    click.echo(json.dumps(ready))
