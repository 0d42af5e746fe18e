"""Annotations and acceptances on their way through a store: merged by union, each entry as it was written."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import StoreError
from harness.gates import acceptances
from harness.gates.acceptances import Acceptance
from harness.place import open_place
from harness.report.nights import annotations
from harness.report.nights.annotations import Annotation, notes
from harness.team import remarks
from harness.team.exchange import Desk, give, take
from harness.team.remarks import Files, Remark

TODAY = date(2026, 6, 15)


def accepted(metric: str = "ttft_p50_ms", until: str = "2026-07-01", **changes: str | None) -> Acceptance:
    """An entry that somebody else could have written."""
    about: dict[str, str | None] = {"endpoint": None, "workload": None, "up_to": "25%", "why": "x", "who": "ada"}
    return Acceptance(metric=metric, until=until, **(about | changes))  # type: ignore[arg-type]


@pytest.fixture
def shelf() -> Files:
    """An empty one."""
    return Files(open_place(f"memory://{uuid.uuid4()}"))


@pytest.fixture
def desks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Desk, Desk]:
    """Two people with their folders."""
    (tmp_path / "nowhere").mkdir()
    monkeypatch.chdir(tmp_path / "nowhere")
    found = []
    for name in ("ada", "bob"):
        (tmp_path / name).mkdir()
        found.append(Desk(tmp_path / name, tmp_path / name / "acceptances.yaml"))
    return found[0], found[1]


def wrote(desk: Desk, *texts: str) -> None:
    """Annotate the first days of the year."""
    lines = [f"  - {{date: 2026-01-0{n}, text: {text}}}" for n, text in enumerate(texts, 1)]
    (desk.results / annotations.FILE_NAME).write_text("\n".join(["annotations:", *lines]) + "\n")


def test_both_have_everything_and_keep_their_own_files(shelf: Files, desks: tuple[Desk, Desk]) -> None:
    """After two rounds both see the same notes and acceptances; what a person wrote by hand is not touched."""
    ada, bob = desks
    wrote(ada, "rebuilt", "the same")
    wrote(bob, "'incident # not a comment'", "the same")
    assert ada.acceptances is not None
    assert bob.acceptances is not None
    acceptances.write(ada.acceptances, [accepted(until="2999-01-01")])
    acceptances.write(bob.acceptances, [accepted("tpot_p50_ms", until="2999-01-01", endpoint="p/m")])
    by_hand = (ada.results / annotations.FILE_NAME).read_text()
    assert [give(desk, [shelf]).sent for desk in (ada, bob, ada)] == [3, 2, 0]
    assert [take(desk, [shelf]).taken for desk in (ada, bob, ada)] == [2, 2, 0]
    assert notes(ada.results) == notes(bob.results)
    assert [one.text for one in notes(ada.results)] == ["incident # not a comment", "rebuilt", "the same"]
    assert (ada.results / annotations.FILE_NAME).read_text() == by_hand
    assert set(acceptances.read(ada.acceptances)) == set(acceptances.read(bob.acceptances))
    assert give(ada, [shelf]).sent == 0  # what came from others is not sent as one's own


def test_a_note_that_is_taken_out_of_the_store_is_gone_for_all(shelf: Files, desks: tuple[Desk, Desk]) -> None:
    """The file of others' notes is the store's, each time: what somebody withdrew there does not linger."""
    ada, bob = desks
    wrote(ada, "wrong")
    give(ada, [shelf])
    assert take(bob, [shelf]).taken == 1
    for name in shelf.names("annotations"):
        shelf._place.remove(f"annotations/{name}.json")
    take(bob, [shelf])
    assert notes(bob.results) == []


def test_a_dry_run_writes_nothing(shelf: Files, desks: tuple[Desk, Desk]) -> None:
    """It counts what would be sent and taken."""
    ada, bob = desks
    wrote(ada, "rebuilt")
    assert give(ada, [shelf], dry_run=True).sent == 1
    assert shelf.names("annotations") == set()
    give(ada, [shelf])
    assert take(bob, [shelf], dry_run=True).taken == 1
    assert list(bob.results.iterdir()) == []


@pytest.mark.parametrize(
    ("mine", "theirs", "after"),
    [
        ([], [], []),
        ([accepted()], [], [accepted()]),
        ([], [accepted()], [accepted()]),
        ([accepted()], [accepted()], [accepted()]),
        # Another result: both hold.
        ([accepted()], [accepted(endpoint="p/m")], [accepted(), accepted(endpoint="p/m")]),
        # The same result: who ends last counts; on one day, mine.
        ([accepted()], [accepted(until="2026-08-01", who="bob")], [accepted(until="2026-08-01", who="bob")]),
        ([accepted(until="2026-08-01")], [accepted(who="bob")], [accepted(until="2026-08-01")]),
        ([accepted()], [accepted(who="bob")], [accepted()]),
        # What is over would fail every gate: it is not taken in, and mine, which I must see, stays.
        ([], [accepted(until="2026-06-14")], []),
        ([], [accepted(until="2026-06-15")], [accepted(until="2026-06-15")]),
        ([accepted(until="2026-01-01")], [], [accepted(until="2026-01-01")]),
        ([accepted(until="2026-01-01")], [accepted(who="bob")], [accepted(who="bob")]),
    ],
)
def test_acceptances_are_merged_by_what_they_are_about(
    mine: list[Acceptance], theirs: list[Acceptance], after: list[Acceptance]
) -> None:
    """One entry for each result, the one that ends last, and a second merge changes nothing."""
    assert remarks.merged(mine, theirs, TODAY) == after
    assert remarks.merged(after, theirs, TODAY) == after


@settings(max_examples=20)
@given(st.permutations([accepted(until=f"2026-07-0{n % 3 + 1}", who=str(n), endpoint=f"p/{n % 2}") for n in range(8)]))
def test_the_order_in_which_others_wrote_is_no_matter(theirs: list[Acceptance]) -> None:
    """Whoever takes in the same entries has the same file."""
    assert remarks.merged([], theirs, TODAY) == remarks.merged([], sorted(theirs, key=lambda one: one.who), TODAY)


@settings(max_examples=40)
@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - as the store keeps moments
    st.text(min_size=1, max_size=40).filter(lambda text: text.strip() == text),
    st.none() | st.text(max_size=9),
)
def test_a_note_is_the_same_on_the_other_side(at: datetime, text: str, endpoint: str | None) -> None:
    """Whatever it says, and to the microsecond; the same note has the same name everywhere."""
    one = Annotation(at, text, endpoint)
    remark = remarks.of_annotation(one)
    assert remarks.annotation(remark) == one
    assert remarks.of_annotation(remarks.annotation(remark)) == remark


def test_an_acceptance_is_the_same_on_the_other_side() -> None:
    """With and without what may be left out."""
    for one in (accepted(), accepted(up_to=None, endpoint="p/m", workload="sums")):
        assert remarks.acceptance(remarks.of_acceptance(one)) == one


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"v":2,"date":"2026-01-01","text":"x"}',
        b'{"v":1,"date":"2026-01-01","text":""}',
        b'{"v":1,"date":"yesterday","text":"x"}',
        b'{"v":1,"date":"2026-01-01","text":"x","endpoint":3}',
        b'{"v":1,"date":"2026-01-01","text":"' + b"x" * 501 + b'"}',
        b"[" * 10_000,
        b"\xff",
    ],
)
def test_what_says_nothing_is_named_and_left_out(content: bytes, shelf: Files, desks: tuple[Desk, Desk]) -> None:
    """One bad file in the store costs nobody the others, and never reaches a file of ours."""
    ada, bob = desks
    wrote(ada, "good")
    give(ada, [shelf])
    shelf.add([Remark("annotations", content), Remark("acceptances", content)])
    found = take(bob, [shelf])
    assert len(found.problems) == 2
    assert all("is left out" in problem for problem in found.problems)
    assert [one.text for one in notes(bob.results)] == ["good"]


def test_a_changed_remark_is_refused_by_name(shelf: Files, desks: tuple[Desk, Desk]) -> None:
    """Its name is the hash of what was written; files of other names are nobody's."""
    _, bob = desks
    shelf._place.create("annotations/README.md", b"x", lambda n: None)
    shelf._place.create("annotations/" + "0" * 32 + ".json", b"{}", lambda n: None)
    with pytest.raises(StoreError, match=r"annotations/0{32}\.json is not as it was written"):
        take(bob, [shelf])
