"""Options that several commands share, so that one name means one thing."""

from __future__ import annotations

from pathlib import Path

import click

results = click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    envvar="HARNESS_RESULTS",
    show_default=True,
    help="Folder of the results.",
)
providers = click.option(
    "--providers",
    "providers_file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Your providers file. Default: ./providers.yaml over the shipped one.",
)
endpoints = click.option(
    "--endpoint",
    "-e",
    "endpoint_names",
    multiple=True,
    required=True,
    metavar="PROVIDER/MODEL",
    help="What to test; repeat it to compare. The first one is the baseline.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
seed = click.option("--seed", type=int, default=0, show_default=True, help="Draws the order and the load prompts.")
max_cost = click.option(
    "--max-cost", type=float, default=None, metavar="USD", help="Stop asking once this much is spent."
)
max_requests = click.option(
    "--max-requests", type=int, default=None, help="Refuse a plan with more requests than this."
)
max_duration = click.option(
    "--max-duration", type=float, default=None, metavar="SECONDS", help="Stop asking after this time."
)
dry_run = click.option("--dry-run", is_flag=True, help="Print the plan and its most expensive cost, send nothing.")
