"""What the benchmark reads: reports of the peers, recorded from runs on spoilt answers, and the logs of the truth."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import table
from environments import NotHereError
from tools import Reading, Tool, aiperf, evalscope, guidellm, inference_perf, ours
from truth import _RECORD, Truth, read_c, read_simulator
from works import FAULTY, SHEET, WORKS, figures, named

SAMPLES = Path(__file__).with_name("samples")
BAD = {"drop": 19, "reset": 7, "http 429": 10, "http 500": 5, "malformed": 9, "error event": 20, "empty": 4}


@pytest.mark.parametrize(
    ("tool", "sample", "place", "ok_failed_kinds"),
    [
        (guidellm.TOOL, "guidellm.json", "guidellm.json", (326, 74, 0)),  # the sample keeps two errors of a kind
        (aiperf.TOOL, "aiperf.json", "aiperf/profile_export_aiperf.json", (355, 45, 5)),
        (inference_perf.TOOL, "inference-perf.json", "inference-perf/summary_lifecycle_metrics.json", (359, 41, 4)),
    ],
    ids=lambda value: value.name if isinstance(value, Tool) else None,
)
def test_reports_of_peers_are_read(
    tmp_path: Path, tool: Tool, sample: str, place: str, ok_failed_kinds: tuple[int, int, int]
) -> None:
    """Counts, milliseconds and failures by name are the ones of the recorded report."""
    (tmp_path / place).parent.mkdir(exist_ok=True)
    shutil.copy(SAMPLES / sample, tmp_path / place)
    reading = tool.read(tmp_path)
    assert (reading.n_ok, reading.n_failed, named(BAD, reading.failures)) == ok_failed_kinds
    assert 10 < reading.ms["ttft", 0.5] < reading.ms["ttft", 0.99] < 100
    assert reading.ms["e2e", 0.5] > reading.ms["ttft", 0.5]
    assert {metric for metric, _ in reading.ms} >= {"ttft", "e2e", "itl_mean" if tool is guidellm.TOOL else "itl"}


def test_kinds_of_guidellm_do_not_depend_on_the_request() -> None:
    """Two errors of a kind have one name, and the seven kinds have seven."""
    rows = json.loads((SAMPLES / "guidellm.json").read_text())["benchmarks"][0]["requests"]["errored"]
    assert len({guidellm._kind(row["info"]["error"]) for row in rows}) == 7


def test_evalscope_is_read(tmp_path: Path) -> None:
    """Its two files give counts and milliseconds; a run that left none is told."""
    folder = tmp_path / "evalscope" / "truth" / "parallel_16_number_400"
    folder.mkdir(parents=True)
    with pytest.raises(NotHereError):
        evalscope.read(tmp_path)
    for name, content in json.loads((SAMPLES / "evalscope.json").read_text()).items():
        (folder / f"benchmark_{name}.json").write_text(json.dumps(content))
    reading = evalscope.read(tmp_path)
    assert (reading.n_ok, reading.n_failed) == (339, 61)
    assert 10 < reading.ms["ttft", 0.5] < reading.ms["e2e", 0.5] < 1000


def test_gaps_inside_a_read_are_zero(tmp_path: Path) -> None:
    """Three events in one read are two gaps of 0 beside the gap to the read before."""
    streams = [{"at_ns": [5_000_000, 9_000_000], "events": [1, 3]}]
    (tmp_path / "wire.json").write_text(json.dumps({"streams": streams, "failures": {}}))
    reading = ours.read_wire(tmp_path)
    assert reading.ms["itl", 0.5] == 0
    assert reading.ms["itl", 0.99] == pytest.approx(3.92)
    assert (reading.ms["ttft", 0.5], reading.ms["e2e", 0.5]) == (5, 9)


def test_both_logs_tell_the_same(tmp_path: Path) -> None:
    """A good answer of three tokens and one that was cut off, as the C server and as the simulator log them."""
    rows = np.zeros(2, _RECORD)
    rows["id"], rows["n"], rows["fault"], rows["read"] = [0, 1], [3, 1], [0, 1], [1000, 2000]
    rows["first"], rows["end"] = [1500, 2500], [1900, 0]
    rows.tofile(tmp_path / "truth.log")
    writes = np.array([(0, 1500), (1, 2500), (0, 1600), (0, 1800)], [("id", "<u8"), ("at", "<i8")])
    writes.tofile(tmp_path / "chunks.log")
    times: list[dict[str, Any]] = [
        {"read_ns": 1000, "first_ns": 1500, "end_ns": 1900, "chunks_ns": [1500, 1600, 1800], "sent": 3},
        {"read_ns": 2000, "first_ns": 2500, "end_ns": None, "chunks_ns": [2500], "sent": 1, "fault": "cut"},
    ]
    lines = [{"type": "start"}, *({"type": "request", "path": "/v1/chat/completions", **row} for row in times)]
    lines.append({"type": "request", "path": "/v1/models"})
    (tmp_path / "sends.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for truth in (read_c(tmp_path / "truth.log", tmp_path / "chunks.log"), read_simulator(tmp_path / "sends.jsonl")):
        found = truth.latencies()
        assert truth.bad() == {"drop": 1}
        assert [list(found[name] * 1e6) for name in ("ttft", "itl", "e2e")] == [[500], [100, 200], [900]]
        assert list(truth.longer_than(1).tokens) == [3]


def test_slip_is_lateness_behind_the_least_late() -> None:
    """Requests due every 10 ms of which one came 4 ms late."""
    read = np.array([0, 10, 24, 30]) * 1_000_000
    truth = Truth(read, read, read, np.ones(4), [""] * 4, [])
    assert list(truth.slips_ms(100)) == [0, 0, 4, 0]


def test_the_table_shows_what_is_missing_and_why(tmp_path: Path) -> None:
    """Figures stand in their tool's column, CPU net of its start; reasons stand below; the prose is left alone."""
    read = np.array([0, 1_000_000_000])
    truth = Truth(read, read, read + 10, np.array([500_000, 500_000]), ["", ""], [])
    works = {work.name: work for work in WORKS}
    runs: list[dict[str, Any]] = []
    for name, cpu_s in (("start", 1.0), ("long", 4.0)):
        drawn = figures(ours.TOOL, works[name], truth, Reading(2, 0, {}), {"cpu_s": cpu_s, "wall_s": 2.0})
        runs.append({"tool": "ours", "work": name, "requests": 2, "figures": drawn})
    runs.append({"tool": "aiperf", "work": "long", "requests": 2, "reason": "was not through"})
    on = table.machine() | {"server": "made"}
    absent = {"guidellm": "needs more"}
    results = {"machine": on, "repeats": 1, "quick": False, "absent": absent, "runs": runs}
    text = table.render(results, [ours.TOOL, aiperf.TOOL], SHEET)
    assert "CPU s per million chunks | 3 | – |" in text
    assert "- aiperf, long: was not through" in text
    assert "- guidellm: needs more" in text
    document = tmp_path / "page.md"
    document.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    table.write(document, text)
    assert document.read_text() == f"before\n{table.BEGIN}\n\n{text}\n\n{table.END}\nafter\n"


def test_seven_ways_can_be_told_apart_by_their_numbers() -> None:
    """Every fault is asked for, and no two happen equally often."""
    assert FAULTY.keys() == BAD.keys()
    assert len(set(BAD.values())) == 7
    assert sum(BAD.values()) == 74
