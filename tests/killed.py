"""A process that carries out runs in children of its own, which a test may kill at any moment.

``python killed.py URL``; each line of its input is JSON: ``start`` or ``resume``, the results folder, and null or a
number: no file may then grow beyond so many bytes. It answers ``pid N``, then ``ack JOB NUMBER`` for each attempt that
was journalled, ``sealing``, ``told LINE`` for an error, and ``ended CODE``, with the exit code a command would have, or
-9. It forks: Python starts once, not for each kill.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import traceback
from pathlib import Path

from made import Watcher, catalog, endpoint, load, plan, sample, task

from harness.errors import HarnessError
from harness.exchange import Outcome
from harness.record.folder import list_runs
from harness.run import sitting
from harness.run.arrivals import Closed
from harness.run.conduct import Company
from harness.store import query  # noqa: F401 - so that no child imports it anew, nor the SDK
from harness.types import Attempt
from harness.wire import sdk  # noqa: F401

THINGS = [task("sums", [sample(f"s{number}") for number in range(24)]), load("chat", Closed(2), n=12)]
PLANNED = 36


def say(line: str) -> None:
    """One write: a killed process says a line whole or not at all."""
    os.write(1, f"{line}\n".encode())


class Acknowledging(Watcher):
    """Says what the runner says, the moment it says it."""

    def finished(self, attempt: Attempt, outcome: Outcome, *, again: bool) -> None:
        """An attempt is in the journal."""
        say(f"ack {attempt.job.id} {attempt.number}")


def carry_out(word: str, results: Path, url: str) -> int:
    """One sitting; its exit code."""
    ends = [endpoint("p/m", url)]
    company = Company(Acknowledging(), announce=lambda what: say("sealing") if what == "sealing" else None)
    try:
        if word == "start":
            sitting.start(plan(THINGS, ends, concurrency=2), results=results, company=company)
        else:
            providers = {one.provider.id: one.provider for one in ends}
            known = catalog(*THINGS)
            begun = [run for run in list_runs(results) if run.manifest_path.exists()]
            sitting.resume(begun[-1], catalog=known, providers=providers, company=company)
    except HarnessError as error:
        say(f"told {error}")
        return error.exit_code
    except BaseException:  # noqa: BLE001 - a child of a fork must not go on as its parent
        say(f"told {traceback.format_exc()!r}")
        return 70
    return 0


def main() -> None:
    """Serve until the input ends."""
    url = sys.argv[1]
    for line in sys.stdin:
        word, results, bound = json.loads(line)
        child = os.fork()
        if child == 0:
            if bound is not None:
                sys.dont_write_bytecode = True  # it would keep the beginning of it, and trip over that ever after
                resource.setrlimit(resource.RLIMIT_FSIZE, (bound, bound))
            os._exit(carry_out(word, Path(results), url))
        say(f"pid {child}")
        say(f"ended {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}")


if __name__ == "__main__":
    main()
