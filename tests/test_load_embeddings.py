"""Embeddings in the figures of a load: what is counted a second, and what is not there to be measured."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from load_made import EPOCH, MS, RUN, fill, row_of
from published import manifest
from rich.console import Console

from harness.catalog import discover
from harness.errors import UsageError
from harness.record.folder import open_run
from harness.report.load.figures import load_report
from harness.report.load.terminal import show_load
from harness.run.planning.reshape import reshape
from harness.run.selecting.selection import Changes
from harness.run.session import nonced
from harness.store import query
from harness.types import Load
from harness.workload.inputs import Inputs
from harness.workload.lengths import Fixed, Uniform

SHIPPED = Path(__file__).parents[1] / "tasks" / "loads"
STAGE = "load.embeddings@c1"


def embedded(job: str, at: float, took: float, **changes: Any) -> dict[str, Any]:
    """An answer with four vectors for forty prompt tokens, ``took`` ms after its sending."""
    about = {"api": "embeddings", "stream": False, "stage": STAGE, "task": "embeddings", "vectors": 4, "dimensions": 8}
    row = row_of(job, at, eof_ns=round((at + took) * MS), prompt_tokens=40, **{**about, **changes})
    return row | {"started_at": EPOCH + timedelta(milliseconds=at)}


def summary(results: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The one row of ``load_summary``."""
    results.mkdir(exist_ok=True)
    fill(results, attempts=rows)
    (found,) = query.rows(results, "select * from load_summary")
    return found


def test_rates_are_over_the_whole_window(tmp_path: Path) -> None:
    """Five answers one after the other, 100 ms each: 0.5 s, 20 inputs and 200 tokens, so 40 and 400 a second."""
    found = summary(tmp_path, [embedded(str(n), 100 * n, 100) for n in range(5)])
    assert (found["api"], found["n_ok"], found["inputs_n"], found["prompt_tokens"]) == ("embeddings", 5, 20, 200)
    assert found["window_s"] == pytest.approx(0.5)
    assert (found["inputs_per_s"], found["prompt_tokens_per_s"]) == pytest.approx((40, 400))
    assert found["e2e_p50_ms"] == pytest.approx(100)
    assert [found[name] for name in ("ttft_p50_ms", "tpot_p50_ms", "output_tokens", "window_tokens_per_s")] == [
        None
    ] * 4
    assert (found["ttft_n"], found["tpot_n"]) == (0, 0)


def test_what_failed_embedded_nothing(tmp_path: Path) -> None:
    """Vectors of a failed answer are none; where one answer states no tokens, their sum is not known."""
    bad = {"failure_kind": "bad_vectors", "failure_detail": "x", "vectors": None, "dimensions": None}
    rows = [embedded("a", 0, 100), embedded("b", 100, 100, **bad), embedded("c", 200, 100)]
    assert summary(tmp_path / "one", rows)["inputs_n"] == 8
    rows[0].pop("prompt_tokens")
    found = summary(tmp_path / "two", rows)
    assert (found["prompt_tokens"], found["prompt_tokens_per_s"]) == (None, None)


def test_the_report_shows_no_first_token(tmp_path: Path) -> None:
    """Its table has latencies, answers, inputs and tokens, and never a column of first tokens."""
    (tmp_path / "runs" / RUN).mkdir(parents=True)
    run = open_run(tmp_path, RUN)
    row = {"id": "p/m", "provider": "p", "kind": "hosted", "model": "m", "model_id": "m", "base_url": None}
    loads = [{"name": "embeddings", "levels": [{"stage": STAGE, "law": "c1", "n": 1}]}]
    about = {"engine": None, "engine_version": None, "price": None}
    run.write_manifest(manifest(run, endpoints=[row | about], tasks=[], loads=loads))
    fill(tmp_path, attempts=[embedded(str(n), 100 * n, 100, endpoint="p/m") for n in range(30)])
    out = io.StringIO()
    show_load(load_report(tmp_path, RUN), Console(file=out, width=120))
    text = out.getvalue()
    assert "inputs/s" in text
    assert "TTFT" not in text, "embeddings have none"
    assert max(map(len, text.splitlines())) <= 120


# --- the workload ------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_inputs() -> None:
    """So many inputs, each of its own length, the same for the same two numbers and for nothing else."""
    made = Inputs(Uniform(5, 9), batch=3)
    found = made(1, 2)
    assert found == made(1, 2) != made(1, 3)
    assert found.messages == ()
    assert len(found.inputs) == 3
    assert all(5 <= len(text.split()) <= 9 for text in found.inputs)
    with pytest.raises(UsageError, match="batch"):
        Inputs(Fixed(5), batch=0)


def test_every_input_gets_the_nonce() -> None:
    """No vector of an earlier run is in any cache under the text that is sent."""
    found = nonced(Inputs(Fixed(3), batch=2)(0, 0), "request", "run", "7")
    assert all(text.startswith("[run-7] ") for text in found.inputs)


@pytest.fixture(scope="module")
def load() -> Load:
    """The shipped one."""
    return discover([SHIPPED.parent]).load("embeddings")


def test_inputs_are_reshaped(load: Load) -> None:
    """Batch and length are the user's; without changes the load is as its file says."""
    changed = reshape(load, Changes(batch=16, input_tokens="20")).sample(0, 0)
    assert [len(text.split()) for text in changed.inputs] == [20] * 16
    assert reshape(load, Changes()).sample(3, 4) == load.sample(3, 4)


@pytest.mark.parametrize("change", [{"turns": "2"}, {"kind": "tools"}, {"prefix": "9"}, {"output_tokens": "5"}])
def test_what_embeddings_do_not_have_cannot_be_changed(load: Load, change: dict[str, Any]) -> None:
    """One line names the option."""
    name = next(iter(change)).replace("_", "-")
    with pytest.raises(UsageError, match=f"--{name} cannot go with embeddings"):
        reshape(load, Changes(**change))


def test_a_file_that_makes_its_own_inputs_is_left_alone(load: Load) -> None:
    """Where nothing says how its inputs are made, their number is not ours to change."""
    own = replace(load, sample=lambda seed, index: replace(load.sample(seed, index), id="own"))
    with pytest.raises(UsageError, match="made by its own file"):
        reshape(own, Changes(batch=2))
