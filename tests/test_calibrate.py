"""A calibration tells what the client can do, or why that could not be found out; it never ends a run."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import shutil
import sys

import pytest

from harness.run.observers.calibrate import Calibration, calibrate

KERNEL = pytest.mark.skipif(sys.platform != "linux", reason="kernel arrival stamps are Linux's")


def whole(found: Calibration) -> None:
    """Every figure is there, and none is absurd."""
    assert found.problem is None
    assert [name for name, value in dataclasses.asdict(found).items() if value is None] in (
        ["problem"],
        ["chunks_per_s", "problem"],
        ["limited_by", "problem"],
        ["chunks_per_s", "limited_by", "problem"],
    )
    assert found.streams >= found.concurrency
    assert found.chunks >= 8 * found.streams
    assert found.floor_ttft_error_ms_p50 is not None
    assert found.floor_ttft_error_ms_p99 is not None
    assert 0 <= found.floor_ttft_error_ms_p50 <= found.floor_ttft_error_ms_p99
    assert (
        (found.ceiling_chunks_per_s or 0) >= (found.pressed_chunks_per_s or 0) > (found.reached_chunks_per_s or 0) > 0
    )
    assert (found.cpu_s_per_million_chunks or 0) > 0


@KERNEL
@pytest.mark.parametrize(("concurrency", "rate"), [(1, None), (8, 400.0)])
def test_the_client_is_measured(concurrency: int, rate: float | None) -> None:
    """Floor, ceiling and cost come out of a calibration of a second, and the record is plain JSON."""
    found = calibrate(concurrency=concurrency, chunks_per_s=rate, budget_s=1.0)
    whole(found)
    assert (found.concurrency, found.chunks_per_s, found.tls) == (concurrency, rate, False)
    assert Calibration(**json.loads(json.dumps(dataclasses.asdict(found)))) == found


@KERNEL
@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command for a certificate")
def test_the_client_is_measured_under_tls() -> None:
    """The same over TLS."""
    found = calibrate(concurrency=4, chunks_per_s=None, tls=True, budget_s=1.0)
    whole(found)
    assert found.tls


def test_a_slow_rate_fits_into_the_time() -> None:
    """One chunk in ten seconds would never end: the streams are as slow as there is time for."""
    found = calibrate(concurrency=2, chunks_per_s=0.2, budget_s=0.5)
    assert found.problem is None
    assert found.streams >= 2
    assert found.took_s < 30


def test_what_went_wrong_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A calibration that cannot be made has its reason, and no figures."""
    monkeypatch.setenv("PATH", "")
    found = calibrate(concurrency=4, chunks_per_s=None, tls=True)
    assert found.problem == "a calibration with TLS needs the openssl command for a certificate"
    assert found.ceiling_chunks_per_s is None


def test_a_calibration_inside_a_loop_is_refused_and_one_in_a_thread_is_not() -> None:
    """It has a loop of its own, which cannot run inside another one; in a thread beside it, it can."""

    async def go() -> tuple[Calibration, Calibration]:
        inside = calibrate(concurrency=1, chunks_per_s=None)
        return inside, await asyncio.to_thread(calibrate, concurrency=1, chunks_per_s=None, budget_s=0.5)

    inside, beside = asyncio.run(go())
    assert inside.problem == "a calibration has an event loop of its own: call it in a thread"
    assert beside.problem is None
