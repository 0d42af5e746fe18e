"""``harness run``: a suite on endpoints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from harness import catalog, config
from harness.catalog import Catalog
from harness.cli import options
from harness.cli.asked import Asked, asked
from harness.cli.carry import Terms, carry_out, new_nonce
from harness.cli.gate import Files, outputs
from harness.cli.gated import Gating, carry_out_and_judge, gate_of
from harness.errors import ConfigError, UsageError
from harness.gates.context import refuse_strangers
from harness.gates.file import read as read_gate
from harness.run import load_words
from harness.run.executor import Where
from harness.run.plan import Plan
from harness.run.selection import LoadSettings, Selection
from harness.run.stored import replanner
from harness.run.tally import Budget
from harness.types import JsonObject, Suite

_gating = [
    click.option(
        "--gate",
        "gate_file",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Judge the run by this gate. Default: the suite's own.",
    ),
    click.option("--no-gate", is_flag=True, help="Judge it by none."),
    click.option(
        "--confirm/--no-confirm",
        default=True,
        show_default=True,
        help="Run once more where something is worse than in earlier runs, which decides it.",
    ),
    click.option(
        "--strict/--lenient", default=True, show_default=True, help="Whether inconclusive ends with 4, or with 0."
    ),
]


@click.command()
@click.argument("suite")
@options.endpoints_if_any
@options.allow_code_exec
@options.cache
@options.store_text
@options.several(_gating, outputs, options.judging, options.dealt, options.sending)
def command(
    suite: str,
    endpoint_names: tuple[str, ...],
    judges: tuple[str, ...],
    pairwise: bool,
    results: Path,
    providers_file: Path | None,
    seed: int,
    cache: bool,
    store_text: str,
    dry_run: bool,
    as_json: bool,
    budget: Budget,
    gate_file: Path | None,
    no_gate: bool,
    confirm: bool,
    strict: bool,
    where: Where,
    **to: Any,
) -> None:
    """Run a SUITE of tasks, probes and loads on one or more endpoints, and compare them.

    SUITE is a name of `harness suite list`, or the path of a YAML file (docs/nightly.md). Endpoints that are not named
    are those of its file. Where it has a gate, the run is judged by it, and the exit code is that of the verdict.

    \b
    Examples:
      harness run demo --endpoint groq/gpt-oss-120b --endpoint openrouter/meta-llama/llama-3.3-70b-instruct
      harness run demo -e local/smollm2 --dry-run
      harness run ci/nightly.yaml -e mine/llama --junit gate.xml
    """
    catalogue = catalog.discover()
    found = catalogue.suite(suite)
    gate = None if no_gate else gate_of(found) if gate_file is None else read_gate(gate_file)
    if gate is None and (asked_for := next((name for name, value in to.items() if value), None)):
        option = f"--{asked_for.removesuffix('_file')}"
        raise UsageError(f"{option} is of a gate's verdict, and {found.file} has no gate", hint="Give --gate FILE")
    wanted = {"pairwise": pairwise, "store_text": store_text, "max_requests": budget.max_requests}
    if judges:
        wanted["judges"] = tuple(dict.fromkeys(judges))
    again = replanner(catalogue, config.load_providers(providers_file))
    plan = again(select(found, catalogue, endpoint_names, providers_file, seed=seed, **wanted))
    if gate is not None:
        refuse_strangers(gate, plan.selection.endpoints)
    terms = Terms(results, providers_file, budget, dry_run=dry_run, as_json=as_json, cache=cache, where=where)
    if gate is None or dry_run:
        carry_out(plan, terms)
        return
    github = to.pop("github")
    files = Files(*(to[name] for name in ("verdict", "junit_file", "md", "comment_file", "badge_file")))
    carry_out_and_judge(plan, again, terms, Gating(gate, files, github=github, strict=strict, confirm=confirm))


def plan_suite(name: str, endpoint_names: tuple[str, ...], *, seed: int) -> Plan:
    """The plan of a suite on endpoints; errors as for ``select``."""
    catalogue = catalog.discover()
    selection = select(catalogue.suite(name), catalogue, endpoint_names, None, seed=seed)
    return replanner(catalogue, config.load_providers())(selection)


def select(
    suite: Suite,
    catalogue: Catalog,
    endpoint_names: tuple[str, ...],
    providers_file: Path | None,
    *,
    seed: int,
    **wanted: Any,
) -> Selection:
    """What a suite asks of endpoints, its own where none are named; ``wanted`` are further fields of the selection.

    Raises:
        UsageError: no endpoint is named anywhere, or one is not known.
        ConfigError: what the suite names is not there, or an option cannot be read (file, line, field).
    """
    if not (names := endpoint_names or suite.endpoints):
        raise UsageError(
            f"nobody is named to be asked: no --endpoint, no --model, and no endpoints: in {suite.file}",
            hint=f"As in: harness run {suite.name} --endpoint PROVIDER/MODEL",
        )
    tasks = _tasks(suite, catalogue)
    settings = {name: _settings(suite, name, catalogue) for name in suite.loads}
    providers = config.load_providers(providers_file)
    asked_ones = [config.endpoint(providers, name) for name in dict.fromkeys(names)]
    return Selection(
        **{
            "suite": suite.name,
            "endpoints": names,
            "tasks": tasks.tasks,
            "files": tasks.files,
            "repeats": suite.repeats,
            "probes": suite.probes,
            "loads": tuple(suite.loads),
            "settings": {name: one for name, one in settings.items() if one != LoadSettings()},
            "paired": load_words.paired(
                asked_ones, asked=None, blocks=max((one.blocks for one in settings.values()), default=1)
            ),
            "judges": suite.judges,
            "seed": seed,
            "nonce": new_nonce(),
            **wanted,
        }
    )


def _tasks(suite: Suite, catalogue: Catalog) -> Asked:
    """The tasks of a suite; a data file is looked for beside the suite's own."""
    words = [_beside(suite, word) for word in suite.tasks]
    for place, word in enumerate(words):
        with _placed(suite, "tasks", place):
            asked((word,), catalogue, {})
    return asked(words, catalogue, {})


def _beside(suite: Suite, word: str) -> str:
    path, colon, count = word.rpartition(":") if word.rpartition(":")[2].isdecimal() else (word, "", "")
    there = suite.file.parent / path
    return f"{there}{colon}{count}" if there.is_file() else word


def _settings(suite: Suite, name: str, catalogue: Catalog) -> LoadSettings:
    said: JsonObject = dict(suite.loads[name])
    with _placed(suite, "loads", name):
        catalogue.load(name)
        said["duration_s"] = load_words.duration(said["duration"]) if "duration" in said else None
        said["think_s"] = said.get("think")
        files = {file: suite.file.parent / said[file] for file in load_words.FILES if file in said}
        if missing := next((str(path) for path in files.values() if not path.is_file()), None):
            raise UsageError(f"there is no file {missing}")
        return LoadSettings(load_words.changes(said, files), said.get("repeats", 1))


@contextmanager
def _placed(suite: Suite, *where: str | int) -> Iterator[None]:
    """Say where in the suite's file the mistake stands."""
    try:
        yield
    except UsageError as error:
        raise ConfigError(f"{suite.place(*where)}: {error.what}", hint=error.hint) from None
