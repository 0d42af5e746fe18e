"""The score of an endpoint, worked out by hand from its verdicts; and what the matrix makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from published import make_run, verdict

from harness.errors import UsageError
from harness.report.conformance import figures as conformance
from harness.report.conformance import junit, matrix, matrix_html
from harness.store.index import publish
from harness.store.query import rows


def score(results: Path, *verdicts: dict[str, Any], profile: str = "full") -> dict[str, Any]:
    """The row of the view for a run with these verdicts."""
    run = make_run(results, about={"probes": {"profile": profile, "ids": []}}, verdicts=list(verdicts))
    publish(results)
    (row,) = rows(results, "select * from conformance_score where run_id = ?", [run.id])
    return row


def several(severity: str, *words: str, surface: str = "chat") -> list[dict[str, Any]]:
    """Verdicts of one severity."""
    names = (f"{surface}.{severity}{place}" for place in range(len(words)))
    return [verdict(name, word, severity=severity, surface=surface) for name, word in zip(names, words, strict=True)]


def test_support_honesty_and_evidence_by_hand(tmp_path: Path) -> None:
    """Weights 5, 3 and 1; worths 1, 0.6, 0.25 and 0; what was not judged is left out of all but the evidence."""
    row = score(
        tmp_path,
        *several("core", "supported", "partial", "untestable", "supported"),
        *several("common", "rejected", "ignored", "skipped"),
        *several("ext", "broken", "supported"),
    )
    # (5 + 5*0.6 + 5 + 3*0.25 + 0 + 0 + 1) of (5*3 + 3*2 + 1*2)
    assert row["support"] == pytest.approx(100 * 14.75 / 23)
    assert row["honesty"] == 0.5
    assert (row["probes_n"], row["judged_n"], row["broken_n"], row["broken_ext_n"]) == (9, 7, 1, 1)
    assert row["evidence"] == pytest.approx(7 / 8)
    assert row["core_evidence"] == pytest.approx(3 / 4)
    assert row["grade"] is None


GOOD = several("core", *["supported"] * 19)


@pytest.mark.parametrize(
    ("more", "grade"),
    [
        ([], "A"),
        (several("core", "supported", surface="tools"), "A"),
        (several("core", "ignored", surface="tools"), "B"),
        (several("core", "broken", surface="tools"), "C"),
        (several("core", *["partial"] * 8, surface="tools"), "B"),
        (several("core", *["rejected"] * 8, surface="tools"), "C"),
        (several("core", *["ignored"] * 15, surface="tools"), "D"),
        (several("core", *["ignored"] * 25, surface="tools"), "E"),
        (several("core", "broken", surface="isolation"), "F"),
        (several("core", *["untestable"] * 6, surface="tools"), None),
    ],
)
def test_grades_and_their_caps(tmp_path: Path, more: list[dict[str, Any]], grade: str | None) -> None:
    """A core feature ignored caps at B, one broken at C; leaks are F; without enough evidence there is no grade."""
    assert score(tmp_path, *GOOD, *more)["grade"] == grade


def test_no_grade_where_the_profile_lacks_core_probes(tmp_path: Path) -> None:
    """A dozen probes are no ground for a grade."""
    assert score(tmp_path, *GOOD, profile="smoke")["grade"] is None
    assert score(tmp_path, *GOOD, profile="smoke,core")["grade"] == "A"


def test_no_grade_where_no_chat_is_answered(tmp_path: Path) -> None:
    """What hangs on the chat is skipped then, and the little that is left is no ground for a grade."""
    mute = verdict("chat.basic", "rejected", severity="core", reason="the endpoint says no", actual="404 no such model")
    assert score(tmp_path, *GOOD, mute)["grade"] is None
    one = conformance.conformance(tmp_path, "latest")
    assert "p/m answers no chat" in matrix.mute_lines(one)[0]
    assert "404 no such model" in matrix.mute_lines(one)[0]


def test_an_optional_surface_that_is_absent_costs_nothing(tmp_path: Path) -> None:
    """Nobody has to offer embeddings: their refusal is no loss of support, and counts as honest."""
    row = score(tmp_path, *GOOD, *several("core", "rejected", surface="emb"))
    assert (row["support"], row["honesty"], row["grade"]) == (100, 1, "A")
    row = score(tmp_path, *GOOD, *several("core", "broken", surface="emb"))
    assert row["support"] == 95
    assert row["grade"] == "C"


def test_a_run_without_probes_has_no_matrix(tmp_path: Path) -> None:
    """It is told in one line how to make one that has."""
    make_run(tmp_path)
    publish(tmp_path)
    with pytest.raises(UsageError, match="has no probes"):
        conformance.conformance(tmp_path, "latest")


# --- the matrix ------------------------------------------------------------------------------------------

NASTY = "<script>alert(1)</script> | \x1b[2J\x00"


def found(tmp_path: Path) -> dict[str, Any]:
    """A run in which a server said nasty things."""
    verdicts = [
        verdict("chat.one", "supported", severity="core"),
        verdict("chat.two", "broken", severity="core", reason=NASTY, expected="a", actual=NASTY),
        verdict("tools.one", "untestable", severity="ext", surface="tools", reason="model: weak"),
        verdict("tools.two", "rejected", severity="ext", surface="tools", reason="no"),
    ]
    ids = [one["probe"] for one in verdicts]
    make_run(tmp_path, about={"probes": {"profile": "full", "ids": ids}}, verdicts=verdicts)
    publish(tmp_path)
    return conformance.conformance(tmp_path, "latest")


def test_what_a_server_said_stays_text(tmp_path: Path) -> None:
    """Neither HTML, Markdown nor XML can be broken out of, and no control character passes."""
    one = found(tmp_path)
    page, text, xml = matrix_html.html(one), matrix.markdown(one), junit.junit(one)
    assert "<script" not in page + text
    assert not [sign for sign in page + text + xml if ord(sign) < 32 and sign not in "\n\t"]
    assert all(line.count(" | ") == 3 for line in text.splitlines() if line.startswith("| `chat.two` | p/m"))
    assert 'tests="4" failures="1" skipped="1"' in xml


def test_every_form_tells_the_same(tmp_path: Path) -> None:
    """Each probe stands in each form with its verdict."""
    one = found(tmp_path)
    for text in (matrix_html.html(one), matrix.markdown(one), junit.junit(one)):
        assert all(row["probe"] in text for row in one["probes"])
    assert "B ✕" in matrix.markdown(one)
    assert "R ○" in matrix_html.html(one)


def test_a_declaration_is_held_against_the_measurement(tmp_path: Path) -> None:
    """Only where what was measured contradicts the provider's own words is it listed."""
    told = {"unsupported": ["tools.*", "chat.one"], "ignored": ["chat.two"], "source": "its pages"}
    run = make_run(
        tmp_path,
        about={"probes": {"profile": "full", "ids": []}},
        verdicts=[
            verdict("chat.one", "supported"),
            verdict("chat.two", "ignored"),
            verdict("tools.one", "rejected", surface="tools"),
            verdict("tools.two", "untestable", surface="tools"),
        ],
    )
    manifest = run.read_manifest()
    manifest["endpoints"][0]["declared"] = told
    run.write_manifest(manifest)
    publish(tmp_path)
    one = conformance.conformance(tmp_path, run.id)
    assert [(row["probe"], row["declared"], row["measured"]) for row in one["declared"]] == [
        ("chat.one", "unsupported", "supported")
    ]
    assert "p/m says of chat.one: unsupported; measured: supported (its pages)" in matrix.declared_lines(one)[0]
