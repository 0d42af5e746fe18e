"""Annotations and acceptances in a Postgres database, for a team that has one: the one door to psycopg."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from harness.errors import StoreError, UsageError
from harness.secrets import hidden
from harness.team.remarks import Kind, Remark

_WAIT_S = 10
_LOCK = 7_236_147
"""An advisory lock of ours, so that one of many that come first makes the table."""
_TABLE = """create table if not exists harness_remarks (
    kind text not null,
    digest text not null,
    content text not null,
    added_at timestamptz not null default now(),
    primary key (kind, digest)
)"""


class Postgres:
    """A shelf in a database: rows are only ever added."""

    def __init__(self, address: str, password: str | None = None) -> None:
        """``address`` is a libpq URL without a password, which is given apart or found by libpq (PGPASSWORD, pgpass).

        Errors: UsageError when psycopg is missing or the address is wrong or holds a password; StoreError when the
        database cannot be reached or refuses.
        """
        self._psycopg = _library()
        try:
            about = self._psycopg.conninfo.conninfo_to_dict(address)
        except self._psycopg.Error:
            raise UsageError("the address of the catalogue is none", hint="As in postgresql://me@host/team") from None
        if about.get("password"):
            hidden.note(str(about["password"]))
            raise UsageError(
                "the address of the catalogue holds a password",
                hint="Name the environment variable that holds it with --password-env, or use PGPASSWORD or ~/.pgpass",
            )
        self.shown = f"postgres {about.get('host', '')}/{about.get('dbname', '')}"
        self._about = {"connect_timeout": _WAIT_S, **about} | ({} if password is None else {"password": password})
        with self._open() as connection:
            if connection.execute("select to_regclass('harness_remarks')").fetchone()[0] is None:
                connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
                connection.execute(_TABLE)

    @contextmanager
    def _open(self) -> Iterator[Any]:
        """A connection whose work is kept if the block ends well."""
        try:
            with self._psycopg.connect(**self._about) as connection:
                yield connection
        except self._psycopg.Error as error:
            words = " ".join(hidden.shown(str(error)).split())[:200]
            raise StoreError(f"{self.shown}: {words}", hint="See docs/team.md for the catalogue") from None

    def names(self, kind: Kind) -> set[str]:
        """The digests of those that are there."""
        with self._open() as connection:
            return {row[0] for row in connection.execute("select digest from harness_remarks where kind = %s", [kind])}

    def add(self, remarks: Sequence[Remark]) -> None:
        """Lay them there."""
        rows = [(one.kind, one.digest, one.content.decode()) for one in remarks]
        with self._open() as connection, connection.cursor() as cursor:
            sql = "insert into harness_remarks (kind, digest, content) values (%s, %s, %s) on conflict do nothing"
            cursor.executemany(sql, rows)

    def take(self, kind: Kind, names: Iterable[str]) -> list[Remark]:
        """Those of these digests."""
        sql = "select digest, content from harness_remarks where kind = %s and digest = any(%s) order by digest"
        with self._open() as connection:
            rows = connection.execute(sql, [kind, list(names)]).fetchall()
        found = {digest: Remark(kind, content.encode()) for digest, content in rows}
        for digest, one in found.items():
            if one.digest != digest:
                raise StoreError(f"{self.shown}: {kind} {digest} is not as it was written", hint="Delete its row")
        return list(found.values())


def _library() -> Any:
    try:
        import psycopg  # noqa: PLC0415 - of use to those who have a catalogue
        import psycopg.conninfo  # noqa: PLC0415 - the same
    except ImportError:
        raise UsageError(
            "a catalogue needs psycopg, which is not installed", hint='pip install "endpoint-harness[postgres]"'
        ) from None
    return psycopg
