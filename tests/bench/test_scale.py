"""The store at scale in small: what grows with a run and what does not; ``make bench-scale`` prints the figures."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from scale_made import load_run, quality_run

from harness.record.folder import RunFolder
from harness.run import sitting
from harness.store import dictionary, query
from harness.store.index import publish
from harness.store.kept import keep
from harness.store.seal import seal

pytestmark = pytest.mark.bench
_SEALER = """
import resource, sys
from pathlib import Path
from harness.record.folder import RunFolder
from harness.store.index import publish
from harness.store.seal import seal
run = RunFolder(Path(sys.argv[1]))
seal(run)
publish(run.root.parent.parent)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def _sealed(results: Path, n: int) -> RunFolder:
    run = load_run(results, n, 20)
    seal(run)
    return run


def _spent(work: Callable[[], object], turns: int = 3) -> float:
    """Processor time, the least of some turns: the machine may be shared."""
    taken = []
    for _ in range(turns):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def test_memory_to_seal_and_publish_does_not_grow_with_the_run(tmp_path: Path) -> None:
    """A run of ten times as many attempts is sealed and published in less than twice the memory."""

    def peak(n: int) -> int:
        run = load_run(tmp_path / str(n), n, 20)
        done = subprocess.run([sys.executable, "-c", _SEALER, run.root], check=True, capture_output=True, text=True)
        return int(done.stdout)

    few, many = peak(600), peak(6_000)
    print(f"\n600 attempts {few / 1024:.0f} MB, 6,000 {many / 1024:.0f} MB")
    assert many < 2 * few


def test_what_is_kept_of_a_large_run_is_what_its_views_say(tmp_path: Path) -> None:
    """Every table and view has the same columns, comments and rows, kept or computed anew; kept, it answers sooner."""
    _sealed(tmp_path, 3_000)
    publish(tmp_path)
    names = [name for name in dictionary.describe_tables() if name != "store"]  # which says when it was made

    def told() -> tuple[dict[str, Any], list[Any]]:
        with query.read_only(tmp_path) as connection:
            rows = {name: _rows(connection, name) for name in names}
            about = connection.execute(
                "select table_name, column_name, data_type, comment from duckdb_columns()"
                " where database_name = 'harness' and not internal order by all"
            ).fetchall()
        return rows, about

    computed, summed = told(), _spent(lambda: query.rows(tmp_path, "from load_summary"))
    publish_kept(tmp_path)
    assert told() == computed
    assert _spent(lambda: query.rows(tmp_path, "from load_summary")) < summed / 2


def publish_kept(results: Path) -> None:
    """Publish as if the run in it were large."""
    with mock.patch("harness.store.index.keep", lambda connection: keep(connection, attempts=1)):
        publish(results)


def _rows(connection: query.Connection, name: str) -> list[Any]:
    """In an order of their own; sums of fractions differ in their last digits by the order of adding."""
    table = query.fetch(connection, f"from {name}", ())
    return sorted(repr([_rounded(value) for value in row]) for row in table.rows)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.9g}")
    return [_rounded(one) for one in value] if isinstance(value, list) else value


def test_judging_again_costs_the_same_for_each_answer(tmp_path: Path) -> None:
    """Eight times as many answers take at most some twelve times as long to be judged again."""

    def spent(n: int) -> float:
        run, known, providers = quality_run(tmp_path / str(n), n)
        return _spent(lambda: sitting.rejudge(run, catalog=known, providers=providers), turns=2)

    few, many = spent(500), spent(4_000)
    print(f"\n500 answers {few / 500 * 1e6:.0f} us each, 4,000 {many / 4_000 * 1e6:.0f} us each")
    assert many < 12 * few
