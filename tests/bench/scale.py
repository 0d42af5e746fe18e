"""The store at scale: ``python tests/bench/scale.py [--attempts N] [--folder F]``.

Prints what sealing, publishing, every view, opening, judging again and journalling cost. Journals are written by code.
Each step is a process of its own, so that its peak memory is its own; of what is short the best of several turns is
taken, for the machine may be shared. Not a test: nothing here is asserted.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from published import attempt as attempt_row
from published import make_run
from scale_made import attempt, load_run, quality_run, stream

from harness.record.folder import list_runs
from harness.record.journal import Journal
from harness.run import sitting
from harness.store import dictionary, query
from harness.store.index import publish
from harness.store.seal import seal
from harness.types import Job

_ROW_VIEWS = frozenset(
    {"answers", "attempt_lag", "attempt_metrics", "dialect_attempts", "load_attempts", "item_cost", "question_scores"}
)
"""Views with a row for each attempt or question: of these the largest of every column is asked, any other is read."""
_MACROS = {"chunk_gaps": "sum(gap_ms)", "itl": "sum(tokens)"}
"""What is asked of a macro with a row for each gap of a run; of one job all its rows are."""
_TURNS = 3


def main() -> None:
    """See the module."""
    asked = _parser().parse_args()
    if asked.step:
        told = _STEPS[asked.step](asked)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(told | {"peak_mb": round(peak)}))
        return
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="harness-scale-"))
    try:
        for step in asked.only or _STEPS:
            _show(step, _apart(asked, step, folder))
    finally:
        if asked.folder is None:
            shutil.rmtree(folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=1_000_000)
    parser.add_argument("--chunks", type=int, default=100)
    parser.add_argument("--answers", type=int, default=100_000, help="to be judged again")
    parser.add_argument("--runs", type=int, default=400, help="in the store that is opened")
    parser.add_argument("--folder", type=Path, help="kept; default: a temporary one")
    parser.add_argument("--only", nargs="*", choices=_STEPS)
    parser.add_argument("--step", choices=_STEPS, help=argparse.SUPPRESS)
    return parser


def _apart(asked: argparse.Namespace, step: str, folder: Path) -> dict[str, object]:
    """Carry out one step in a process of its own."""
    sizes = [f"--{name}={getattr(asked, name)}" for name in ("attempts", "chunks", "answers", "runs")]
    command = [sys.executable, __file__, "--step", step, "--folder", str(folder), *sizes]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return told


def _show(step: str, told: dict[str, object]) -> None:
    views = told.pop("views", None)
    print(f"{step:9} " + ", ".join(f"{name} {value}" for name, value in told.items()), flush=True)
    if isinstance(views, dict):
        for name, seconds in sorted(views.items(), key=lambda pair: -pair[1]):
            how = "  the largest of every column" if name in _ROW_VIEWS else ""
            print(f"          {seconds:7.3f} s  {name}{how}")


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


# --- steps -----------------------------------------------------------------------------------------------


def _write(asked: argparse.Namespace) -> dict[str, object]:
    seconds = _timed(lambda: load_run(asked.folder / "load", asked.attempts, asked.chunks))
    size = sum(path.stat().st_size for path in list_runs(asked.folder / "load")[-1].journals())
    return {"attempts": asked.attempts, "seconds": round(seconds, 1), "journal_mb": size // 1_000_000}


def _seal(asked: argparse.Namespace) -> dict[str, object]:
    run = list_runs(asked.folder / "load")[-1]
    seconds = _timed(lambda: seal(run))
    return {"seconds": round(seconds, 1), "us_an_attempt": round(seconds / asked.attempts * 1e6)}


def _publish(asked: argparse.Namespace) -> dict[str, object]:
    results = asked.folder / "load"
    seconds = _timed(lambda: publish(results))
    size = query.database_path(results).stat().st_size // 1_000_000
    return {"seconds": round(seconds, 1), "database_mb": size}


def _views(asked: argparse.Namespace) -> dict[str, object]:
    taken = view_seconds(asked.folder / "load", _TURNS)
    return {"n": len(taken), "slowest_s": max(taken.values()), "views": taken}


def view_seconds(results: Path, turns: int) -> dict[str, float]:
    """The best time of each view, seconds."""
    names = list(dict.fromkeys(column.table for column in dictionary.describe() if column.is_view))
    with query.read_only(results) as connection:
        taken = {}
        for name in names:
            columns = [column for (column, *_) in connection.execute(f"from {name} limit 0").description or ()]
            asked = ", ".join(f'max("{column}")' for column in columns if name in _ROW_VIEWS)
            taken[name] = _best(connection, f"select {asked or '*'} from {name}", [], turns)
    return taken


def _gaps(asked: argparse.Namespace) -> dict[str, object]:
    with query.read_only(asked.folder / "load") as connection:
        ((run, job),) = query.fetch(connection, "select run_id, max(job_id) from attempts group by run_id", ()).rows
        taken: dict[str, object] = {}
        for name, summed in _MACROS.items():
            taken[f"{name}_of_run_s"] = _best(connection, f"select {summed} from {name}(?)", [run], _TURNS)
            taken[f"{name}_of_job_s"] = _best(connection, f"from {name}(?, ?)", [run, job], _TURNS)
    return taken


def _best(connection: query.Connection, sql: str, params: list[str], turns: int) -> float:
    return round(min(_timed(lambda: query.fetch(connection, sql, params)) for _ in range(turns)), 3)


def _open(asked: argparse.Namespace) -> dict[str, object]:
    results = asked.folder / "many"
    for number in range(asked.runs - len(list_runs(results))):
        rows = [attempt_row(f"j{one}", ms={"send0": one, "tok1": one + 9, "tokn": one + 99}) for one in range(500)]
        make_run(results, f"r{number}", attempts=rows)
    published = _timed(lambda: publish(results))

    def opened() -> None:
        with query.read_only(results) as connection:
            query.fetch(connection, "select run_id, status, created_at from runs order by created_at", ())

    taken = min(_timed(opened) for _ in range(10))
    return {"runs": asked.runs, "publish_s": round(published, 2), "open_and_list_s": round(taken, 4)}


def _judge(asked: argparse.Namespace) -> dict[str, object]:
    results = asked.folder / "words"
    run, known, providers = quality_run(results, asked.answers)
    began = time.process_time()
    seconds = _timed(lambda: sitting.rejudge(run, catalog=known, providers=providers))
    busy = time.process_time() - began
    return {
        "answers": asked.answers,
        "seconds": round(seconds, 1),
        "processor_s": round(busy, 1),
        "answers_a_processor_second": round(asked.answers / busy),
    }


def _journal(asked: argparse.Namespace) -> dict[str, object]:
    wall, busy = journal_us(asked.folder, asked.chunks)
    return {"chunks": asked.chunks, "us_a_request": round(wall, 1), "processor_us": round(busy, 1)}


def journal_us(folder: Path, chunks: int) -> tuple[float, float]:
    """What appending an attempt takes of the loop, by wall and processor, microseconds: least means of 100."""
    run = quality_run(folder / "journal", 1)[0]
    ones = [
        attempt(Job(f"j{number}", "p/m", "load", "s", "chat", "0"), stream(chunks, number)) for number in range(100)
    ]
    with Journal(run, shard=1, secrets=["k" * 40]) as journal:

        def turn() -> None:
            for one in ones:
                journal.append(one)

        def busy() -> float:
            began = time.thread_time()
            turn()
            return time.thread_time() - began

        least = min(_timed(turn) for _ in range(50)), min(busy() for _ in range(50))
        return least[0] / len(ones) * 1e6, least[1] / len(ones) * 1e6


_STEPS = {
    "write": _write,
    "seal": _seal,
    "publish": _publish,
    "views": _views,
    "gaps": _gaps,
    "open": _open,
    "judge": _judge,
    "journal": _journal,
}

if __name__ == "__main__":
    main()
