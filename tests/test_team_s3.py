"""A team's store in a real S3-compatible server, through the library that the extra ``s3`` brings.

The server (moto) and the library lie in an environment of their own, ``~/.cache/endpoint-harness-s3`` or the one that
HARNESS_S3_ENV names, which ``make test-store`` installs. What the tests have installed themselves comes first.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from made import WAIT_S, environment

from harness.record.folder import list_runs

ROOT = Path(__file__).parents[1]
ENV = Path(os.environ.get("HARNESS_S3_ENV") or Path.home() / ".cache" / "endpoint-harness-s3")
PACKAGES = ENV / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
BESIDE = "import sys; sys.path.append(sys.argv.pop(1)); "
"""Begins a program that has that environment's packages too."""

pytestmark = pytest.mark.skipif(
    not ((ENV / "bin" / "moto_server").is_file() and (PACKAGES / "s3fs").is_dir()),
    reason=f"no S3-compatible server for this Python in {ENV}; make test-store installs it",
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of someone who has a bucket ``team`` on a server of this machine."""
    log = tmp_path / "server.log"
    with log.open("w") as file:
        argv = [str(ENV / "bin" / "moto_server"), "-H", "127.0.0.1", "-p", "0"]
        child = subprocess.Popen(argv, stdout=file, stderr=file, env=environment())
    try:
        url = _url(child, log)
        urllib.request.urlopen(urllib.request.Request(f"{url}/team", method="PUT"), timeout=30).close()
        keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing-secret"}
        where = {"AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": "us-east-1", "HARNESS_STORE": "s3://team/harness"}
        yield environment(PYTHONPATH=str(ROOT), **where, **keys)
    finally:
        child.kill()
        child.wait()


def _url(child: subprocess.Popen[bytes], log: Path) -> str:
    """Where the server says that it listens."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end and child.poll() is None:
        found = [word for word in log.read_text().split() if word.startswith("http://127.0.0.1:")]
        if found and _answers(found[0]):
            return found[0]
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=30).close()
    except urllib.error.URLError:
        return False
    return True


def called(folder: Path, env: dict[str, str], *argv: str) -> subprocess.CompletedProcess[str]:
    """The command line with that environment's packages."""
    command = [sys.executable, "-c", f"{BESIDE}from harness.cli import main; main()", str(PACKAGES), *argv]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=WAIT_S)


def test_a_bucket_is_a_store(server: dict[str, str], tmp_path: Path) -> None:
    """Pushed, pulled byte for byte, damaged there and refused by name; a bucket that is none is said."""
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    shutil.copytree(ROOT / "tests/stores/2/runs", mine / "runs")
    (mine / "annotations.yaml").write_text("annotations: [{date: 2026-01-01, text: rebuilt}]")
    done = called(tmp_path, server, "push", "--results", "mine", "--json")
    assert [run["what"] for run in json.loads(done.stdout)["runs"]] == ["pushed"] * 2, done.stderr
    assert "testing-secret" not in done.stdout + done.stderr
    assert "2 the same here and there" in called(tmp_path, server, "push", "--results", "mine").stdout
    bad, good = list_runs(mine)
    wrong = f"team/harness/runs/{bad.id}/texts.parquet", bytes((bad.root / "texts.parquet").stat().st_size)
    damage = f"{BESIDE}import s3fs; s3fs.S3FileSystem().pipe_file(*{wrong!r})"
    subprocess.run([sys.executable, "-c", damage, str(PACKAGES)], env=server, check=True)
    done = called(tmp_path, server, "pull", "--results", "theirs")
    assert done.returncode == 5
    assert f"s3://team/harness/runs/{bad.id}/texts.parquet is not as it was sealed" in done.stderr
    assert [run.id for run in list_runs(theirs)] == [good.id]
    for path in good.root.iterdir():
        assert (theirs / "runs" / good.id / path.name).read_bytes() == path.read_bytes()
    assert "rebuilt" in (theirs / "team-annotations.yaml").read_text()
    lost = called(tmp_path, server | {"HARNESS_STORE": "s3://no-such-bucket/x"}, "push", "--results", "mine")
    assert lost.returncode == 5
    assert "The specified bucket does not exist" in lost.stderr
    assert "Traceback" not in lost.stderr
