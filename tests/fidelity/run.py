"""Vendors that differ as is known, verified for real: starts them on loopback, asks them, writes docs/fidelity.md.

Run as a program: ``python tests/fidelity/run.py --markdown docs/fidelity.md`` (make fidelity). What each experiment
found is kept beside its run, so that ``--again`` judges and writes without a request.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
import experiments_page  # noqa: E402 - found beside this file
from real_servers import ROOT  # noqa: E402 - as above
from vendors import MODEL, VENDORS, serving  # noqa: E402 - as above

from harness.report.fidelity.planned import SIZES  # noqa: E402 - as above

REFERENCE = "reference"


@dataclass(frozen=True)
class Experiment:
    """One verification."""

    says: str
    candidates: Mapping[str, frozenset[str]]
    """Vendor -> the tests that have to call it different; empty: it has to come out equivalent."""
    asked: Sequence[str]
    """How much: arguments of ``harness verify``."""


def _by(*tests: str) -> frozenset[str]:
    return frozenset(tests)


EXPERIMENTS: Mapping[str, Experiment] = {
    "identical": Experiment(
        "Two processes of one engine with the same weights.",
        {"same": _by()},
        ("--budget", "small", "--prompts", "25", "--samples", "10"),
    ),
    "vendors": Experiment(
        "Six vendors, each with one thing done wrong, against one reference.",
        {
            "q3": _by("distribution"),
            "q2": _by("distribution"),
            "template": _by("distribution", "prompt tokens"),
            "temperature": _by("temperature"),
            "prompt": _by("prompt tokens"),
            "tools": _by("tool triggers"),
        },
        ("--budget", "small", "--task", "arithmetic:20", "--task", "assistant:6"),
    ),
    "weights": Experiment(
        "The slighter of the two requantisations again, with as many answers as identical servers were asked for.",
        {"q3": _by("distribution")},
        ("--budget", "small", "--prompts", "25", "--samples", "10", "--calls", "2", "--task", "arithmetic:20"),
    ),
    "tools": Experiment(
        "The same server with a template that drops tools without a word.",
        {"tools": _by("tool triggers")},
        ("--budget", "small", "--prompts", "4", "--samples", "2", "--task", "assistant"),
    ),
    "engines": Experiment(
        "The same weights in two other engines by their own template, without tools: each with its own defaults, "
        "and asked to sample as the reference does.",
        {
            "llama-cpp-python": _by("distribution", "prompt tokens"),
            "llama-cpp-python-alike": _by("prompt tokens"),
            "transformers": _by("distribution", "prompt tokens", "temperature"),
            "transformers-alike": _by("prompt tokens"),
        },
        ("--budget", "small", "--calls", "2", "--task", "arithmetic:20"),
    ),
    "context": Experiment(
        "A window of 512 tokens that says so, and one that cuts without a word.",
        {"context": _by("context"), "cut": _by("context")},
        (
            *("--budget", "small", "--prompts", "4", "--samples", "2", "--calls", "2", "--task", "arithmetic:20"),
            *("--context", "1k", "--context", "2k"),
        ),
    ),
}


def main() -> None:
    """Carry out what was asked for, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(EXPERIMENTS))
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "fidelity")
    parser.add_argument("--again", action="store_true", help="judge the stored runs, send nothing")
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    given.results.mkdir(parents=True, exist_ok=True)
    names = given.only.split(",")
    for name in [] if given.again else names:
        carried(name, given.results)
    if given.markdown:
        known = [name for name in EXPERIMENTS if record_of(given.results, name).is_file()]
        if not known:
            raise SystemExit(f"{given.results} holds no experiment")
        told = [found(name, given.results) for name in known]
        plans = {size: planned(size, known[0], given.results) for size in SIZES}
        experiments_page.into(given.markdown, head(), told, plans)


def record_of(results: Path, name: str) -> Path:
    """Where it is noted which run an experiment was."""
    return results / f"{name}.json"


def carried(name: str, results: Path) -> None:
    """Carry out one experiment and note its run."""
    experiment = EXPERIMENTS[name]
    vendors = [VENDORS[one] for one in (REFERENCE, *experiment.candidates)]
    with serving(vendors, results) as blocks:
        providers = results / f"{name}.yaml"
        providers.write_text(json.dumps({"providers": blocks}))  # JSON is YAML
        arguments = command(experiment)
        print("harness", *arguments, flush=True)
        given = ["--results", str(results), "--providers", str(providers)]
        began = time.monotonic()
        done = harness(*arguments, *given, "--json")
        seconds = time.monotonic() - began
        run = json.loads(done)["run"]
        # What was asked, not what would be asked today.
        record = {"run": run, "asked": arguments, "seconds": seconds, "at": str(datetime.now(UTC))}
        record_of(results, name).write_text(json.dumps(record))


def command(experiment: Experiment) -> list[str]:
    """The words of the command, but for where files are."""
    candidates = [word for one in experiment.candidates for word in ("--candidate", f"{one}/{MODEL}")]
    return ["verify", "--reference", f"{REFERENCE}/{MODEL}", *candidates, *experiment.asked]


def harness(*arguments: str) -> str:
    """What the command prints; its progress is seen."""
    whole = [sys.executable, "-m", "harness", *arguments]
    return subprocess.run(whole, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT).stdout


def planned(size: str, name: str, results: Path) -> Mapping[str, Any]:
    """What a budget takes and finds of one candidate of an experiment, whose servers need not be there."""
    candidate = f"{next(iter(EXPERIMENTS[name].candidates))}/{MODEL}"
    asked = ["--reference", f"{REFERENCE}/{MODEL}", "--candidate", candidate, "--budget", size, "--plan", "--json"]
    places = ["--results", str(results), "--providers", str(results / f"{name}.yaml")]
    plan: Mapping[str, Any] = json.loads(harness("verify", *asked, *places))
    return plan


_COST = """
select endpoint, task, count(*) as requests, count(*) filter (where ok) as answered,
    count(*) filter (where ok and prompt_tokens is null) as unstated,
    sum(prompt_tokens) as prompt_tokens, sum(output_tokens) as output_tokens
from attempt_metrics where run_id = '{run}' group by all order by task
"""


def found(name: str, results: Path) -> experiments_page.Told:
    """What came of an experiment, judged anew from its stored run."""
    record = json.loads(record_of(results, name).read_text())
    run, place = record["run"], ["--results", str(results)]
    judged = json.loads(harness("verify", "report", run, *place, "--json"))
    cost = json.loads(harness("sql", _COST.format(run=run), *place, "--json"))
    experiment = EXPERIMENTS[name]
    first = f"{next(iter(experiment.candidates))}/{MODEL}"
    return experiments_page.Told(
        name=name,
        says=experiment.says,
        command=f"harness {' '.join(record['asked'])}",
        seconds=record["seconds"],
        cost=experiments_page.Cost.of(cost),
        by_task={row["task"]: experiments_page.Cost.of([row]) for row in cost if row["endpoint"] == first},
        judged=judged,
        vendors={one: VENDORS[one].says for one in experiment.candidates},
        expected=experiment.candidates,
    )


def head() -> Sequence[str]:
    """Where this was measured."""
    machine = f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return [
        f"Measured on {datetime.now(UTC).date()}: {machine}; SmolLM2-135M-Instruct, Q4_1, everywhere but where said."
    ]


if __name__ == "__main__":
    main()
