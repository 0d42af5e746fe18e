"""Any bytes at all before the readers: what a search found before, and what hypothesis thinks of meanwhile.

The search itself is ``make fuzz``; its targets are used here.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from fuzz.seeds import SEEDS
from fuzz.targets import TARGETS
from hypothesis import given, settings
from hypothesis import strategies as st
from test_journal import SIMPLE, numbered

from harness.errors import StoreError
from harness.record.folder import RunFolder, create
from harness.record.journal import Journal, from_line, read_attempts, to_line
from harness.store.index import publish
from harness.store.query import rows
from harness.store.seal import seal

GZIP = b"HTTP/1.1 751\r\ncontent-encoding: gzip\r\n\r\n\x1f\x8b\x08\x00\x00\x00SSSSSSSSSSSS\xf3\xf3\xff\xf3\x9b\x00\x00"
FOUND = {
    "a key that is no field, and holds a line end": (
        "line",
        b'{"v":1,"type":"attempt","job":{"id":"a","\\ndpoint":1}}',
    ),
    "depth without end": ("line", b'{"v":1,"job":' + b"[" * 200_000),
    "an error whose compression is damaged": ("response", b"\x00" + GZIP),
}
"""What broke a reader, or the search's idea of one, before it was mended."""


@pytest.mark.parametrize(("target", "data"), FOUND.values(), ids=FOUND)
def test_what_was_found_stays_mended(target: str, data: bytes) -> None:
    """No case that was found once breaks anything again."""
    TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
def test_what_a_search_begins_with_holds(target: str) -> None:
    """The good and the nasty input that is known already."""
    for seed in SEEDS[target]():
        TARGETS[target](seed)


@pytest.mark.parametrize("target", TARGETS)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_what_is_changed_a_little_holds(target: str, data: st.DataObject) -> None:
    """Good input with some bytes changed, taken out or put in breaks nothing either."""
    whole = bytearray(data.draw(st.sampled_from(SEEDS[target]())))
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(whole)))
        whole[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    TARGETS[target](bytes(whole))


# --- journals that are not as they were written ----------------------------------------------------------


@pytest.fixture
def written(tmp_path: Path) -> RunFolder:
    """A journal of ten attempts."""
    run = create(tmp_path, "made")
    with Journal(run) as journal:
        for number in range(10):
            journal.append(numbered(number))
    return run


@pytest.mark.parametrize("seed", range(4))
def test_no_flipped_bit_is_read_as_something_else(seed: int, written: RunFolder) -> None:
    """A journal with a bit flipped anywhere gives the attempts that were written, or is refused with file and line."""
    path = written.journal_path(0)
    whole, draw = path.read_bytes(), random.Random(seed)
    good, refused = list(read_attempts(written)), 0
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        try:
            found = list(read_attempts(written))
        except StoreError as error:
            refused += 1
            told = str(error)
            assert f"{path}:" in told
            assert "\n" not in told
        else:
            assert found == good[: len(found)]
            assert len(found) >= len(good) - 1, "but for the end of the last line, which looks like a torn one"
    assert refused > 140


def test_a_truncated_journal_is_what_was_written_before(written: RunFolder) -> None:
    """Cut off anywhere it gives the attempts whose lines are whole, in their order."""
    path = written.journal_path(0)
    whole, good = path.read_bytes(), list(read_attempts(written))
    for size in range(0, len(whole), 37):
        path.write_bytes(whole[:size])
        assert list(read_attempts(written)) == good[: max(0, whole[:size].count(b"\n") - 1)]


FOREIGN = {
    "a picture": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) + b"\n",
    "zeros": bytes(4096) + b"\n",
    "another JSON": b'{"hello": "world"}\n',
    "a newer version": to_line(SIMPLE).rpartition(b',"crc":')[0].replace(b'"v":2', b'"v":99', 1) + b"}\n",
    "lines without a session": to_line(SIMPLE),
    "one long line": b"[" * 1_000_000 + b"\n",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_journal_costs_its_own_run_alone(name: str, tmp_path: Path) -> None:
    """It is refused in one line, which is what its run is marked with; the other runs are read."""
    good, bad = create(tmp_path, "good"), create(tmp_path, "bad")
    for run in (good, bad):
        run.write_manifest({"schema_version": 1, "id": run.id, "status": "finished", "endpoints": []})
    with Journal(good) as journal:
        journal.append(SIMPLE)
    seal(good)
    bad.journal_path(0).write_bytes(FOREIGN[name])
    with pytest.raises(StoreError, match=r"journal-0\.jsonl:1: ") as caught:
        seal(bad)
    assert "\n" not in str(caught.value)
    assert [run for run, _ in publish(tmp_path).problems] == [bad.id]
    assert rows(tmp_path, "select run_id, count(*) as n from attempts group by 1") == [{"run_id": good.id, "n": 1}]


def test_a_line_of_before_there_were_checksums_is_read() -> None:
    """Old journals stay readable; a checksum that does not fit is told as what it is."""
    line = to_line(SIMPLE)
    assert from_line(line.rpartition(b',"crc":')[0].replace(b'"v":2', b'"v":1', 1) + b"}\n") == SIMPLE
    with pytest.raises(StoreError, match="damaged"):
        from_line(line.replace(b'"number":0', b'"number":1'))
