"""A catalogue of annotations and acceptances in a real Postgres, started for the test under a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli import cli
from harness.errors import HarnessError, StoreError, UsageError
from harness.gates.acceptances import Acceptance
from harness.team import remarks
from harness.team.catalogue import Postgres

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed: the extra postgres brings it")


def _program(name: str) -> str | None:
    """A program of Postgres: on the PATH, or where Debian puts it."""
    newest = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return str(newest[0]) if newest else shutil.which(name)


INITDB, PG_CTL = _program("initdb"), _program("pg_ctl")
pytestmark = pytest.mark.skipif(
    INITDB is None or PG_CTL is None, reason="no Postgres on this machine: apt-get install postgresql"
)
PASSWORD = "a-password-of-a-test"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Address of a database on a loopback port; Postgres refuses to be run by root, who lends it to nobody."""
    nobody = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="harness-pg-") as home:
        secret = Path(home) / "password"
        secret.write_text(PASSWORD)
        if nobody is not None:
            os.chown(home, nobody, -1)
            os.chown(secret, nobody, -1)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        data = f"{home}/data"

        def run(*argv: str | None) -> None:
            done = subprocess.run(
                [str(one) for one in argv], user=nobody, cwd=home, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr

        run(INITDB, "-D", data, "-U", "me", "-A", "scram-sha-256", f"--pwfile={secret}", "-N", "--no-instructions")
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off"
        run(PG_CTL, "-D", data, "-w", "-l", f"{home}/log", "-o", options, "start")
        try:
            yield f"postgresql://me@127.0.0.1:{port}/postgres"
        finally:
            run(PG_CTL, "-D", data, "-m", "immediate", "stop")


def test_ten_write_at_once_and_all_have_everything(address: str) -> None:
    """Ten that make the table and add the same and other entries at the same moment: each is there once."""
    alike = Acceptance("ttft_p50_ms", None, None, "25%", "longer prompts", "ada", "2026-12-31")
    barrier = threading.Barrier(10)
    wrong: list[HarnessError] = []

    def work(n: int) -> None:
        barrier.wait()
        try:
            shelf = Postgres(address, PASSWORD)
            own = Acceptance("tpot_p50_ms", f"p/{n}", None, None, "why", "who", "2026-12-31")
            shelf.add([remarks.of_acceptance(alike), remarks.of_acceptance(own)])
        except HarnessError as error:
            wrong.append(error)

    ten = [threading.Thread(target=work, args=(n,)) for n in range(10)]
    for one in ten:
        one.start()
    for one in ten:
        one.join()
    assert wrong == []
    shelf = Postgres(address, PASSWORD)
    found = [remarks.acceptance(one) for one in shelf.take("acceptances", shelf.names("acceptances"))]
    assert len(found) == 11
    assert alike in found


def test_two_people_share_notes_and_no_password_is_shown(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`harness sync --catalogue` alone gives and takes; mistakes are one line without the password."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEAM_DB_PASSWORD", PASSWORD)
    monkeypatch.delenv("HARNESS_STORE", raising=False)
    for name in ("ada", "bob"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "annotations.yaml").write_text(f"annotations: [{{date: 2026-01-01, text: {name} was here}}]")

    def sync(name: str, *argv: str) -> Result:
        return CliRunner().invoke(cli, ["sync", "--results", name, "--catalogue", *argv])

    for name in ("ada", "bob", "ada"):
        assert sync(name, address, "--password-env", "TEAM_DB_PASSWORD").exit_code == 0
    for name in ("ada", "bob"):
        assert "bob was here" in (tmp_path / name / "team-annotations.yaml").read_text()
    within = sync("ada", address.replace("me@", f"me:{PASSWORD}@")).exception
    assert isinstance(within, UsageError)
    assert "holds a password" in str(within)
    refused = sync("ada", address).exception
    assert isinstance(refused, StoreError)
    assert str(refused).startswith("postgres 127.0.0.1/postgres: ")
    assert PASSWORD not in f"{within} {refused}"
