"""Texts that harm whoever stores or shows them: kept, or flagged, and never fatal, from the wire to the report."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from echoing import echoing
from hypothesis import given
from hypothesis import strategies as st
from test_canary import called

from harness.cli import tables
from harness.store import query


def whole(content: bytes) -> bytes:
    """An answer that is not streamed, with this between the quotes of its text."""
    return (
        b'{"id":"1","object":"chat.completion","model":"m","choices":[{"index":0,"finish_reason":"stop",'
        b'"message":{"role":"assistant","content":"' + content + b'"}}]}'
    )


ANSWERS = {
    "surrogate": whole(rb"a \ud800 b"),
    "nul": whole(rb"a \u0000 b"),
    "raw-nul": whole(b"a \x00 b"),
    "latin": whole(b"caf\xe9"),
    "escapes": whole(rb"\u001b[31mred\u001b]0;title\u0007 \u202eright"),
    "formula": whole(rb"=cmd|' /C calc'!A0"),
    "long": whole(b"x" * 10_000_000),
    "long-garbage": b"y" * 10_000_000,
    "surrogate-model": whole(b"fine").replace(b'"model":"m"', rb'"model":"\udfff"'),
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_RESULTS", str(tmp_path / "results"))
    (tmp_path / "ask.jsonl").write_text(json.dumps({"question": "=1+1 \ud800?", "target": "fine"}) + "\n")
    (tmp_path / "printed").mkdir()
    return tmp_path


def test_hostile_answers_go_all_the_way(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Asked, journalled, scored, sealed, published, reported, exported: each answer is there or its failure is."""
    with echoing(bodies=ANSWERS) as url:
        lines = ["providers:"]
        for way in ANSWERS:
            lines += [f"  {way}:", "    kind: hosted", f"    base_url: {url}/{way}/v1", "    any_model: true"]
        (home / "providers.yaml").write_text("\n".join(lines) + "\n")
        named = [part for way in ANSWERS for part in ("-e", f"{way}/m")]
        argv = ["eval", "ask.jsonl", "--scorer", "includes", *named, "--max-duration", "30"]
        assert called(home, argv, capfd) == 0
    rows = {
        row["endpoint"].removesuffix("/m"): row
        for row in query.rows(
            home / "results",
            "select a.endpoint, a.failure_kind, t.text, a.text_lossy or t.text_lossy as lossy from attempts a "
            "join texts t using (run_id, job_id, number)",
        )
    }
    assert set(rows) == set(ANSWERS)
    told = {way: (row["text"], row["lossy"]) for way, row in rows.items() if row["failure_kind"] is None}
    assert told["surrogate"] == ("a � b", True)
    assert told["nul"] == ("a \0 b", False)
    assert told["escapes"][0].startswith("\x1b[31mred")
    assert told["long"] == ("x" * 10_000_000, False)
    assert told["latin"][1]
    assert rows["long-garbage"]["failure_kind"] is not None
    export = ["sql", "select left(text, 99) as t from texts", "--csv"]
    for argv in (["report"], ["report", "--json"], ["score", "latest"], export):
        assert called(home, argv, capfd) == 0
    printed = "".join(path.read_text() for path in (home / "printed").iterdir())
    assert "\x1b[31m" not in printed
    assert "'=cmd|' /C calc'!A0" in printed


@given(st.text(max_size=30))
def test_no_field_of_csv_is_a_formula_or_moves_a_cursor(text: str) -> None:
    """It is read back as a text without controls that no spreadsheet computes."""
    (field,) = next(csv.reader(io.StringIO(tables.as_csv(["c"], [[text]]).split("\n", 1)[1])), [""])
    assert not field.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert not any(ord(char) < 32 and char != "\n" for char in field)
    assert not text.isalnum() or field == text


def test_numbers_of_csv_stay_numbers() -> None:
    """What is below zero is no formula; lists and texts in them are spelt as JSON."""
    assert tables.as_csv(["=a", "b"], [[-1, -0.5], [None, ["=x"]]]) == '\'=a,b\n-1,-0.5\n,"[""=x""]"\n'
