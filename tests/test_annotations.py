"""What people write about their nights, and what is told of their mistakes."""

from datetime import datetime
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.report.nights.annotations import notes, read

GOOD = """annotations:
  - {date: 2026-01-20T12:00+02:00, text: New hardware, endpoint: p/m}
  - date: 2026-01-05
    text: " The machine was rebuilt "
  - {date: 2026-01-06, text: An incident, endpoint: p}
"""


def test_both_files_are_read_by_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of the results and that of the project together, the oldest first, in UTC; a file twice is read once."""
    results = tmp_path / "results"
    results.mkdir()
    (results / "annotations.yaml").write_text(GOOD)
    (tmp_path / "annotations.yaml").write_text("annotations: [{date: 2026-01-07, text: ours}]")
    monkeypatch.chdir(tmp_path)
    found = notes(results)
    assert [one.text for one in found] == ["The machine was rebuilt", "An incident", "ours", "New hardware"]
    assert found[-1].at == datetime(2026, 1, 20, 10)  # noqa: DTZ001 - as the store keeps moments
    assert len(notes(tmp_path)) == 1
    assert [[one.is_about(name) for name in ("p/m", "p/n", "q/m")] for one in found] == [
        [True, True, True],
        [True, True, False],
        [True, True, True],
        [True, False, False],
    ]


def test_no_file_is_no_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who writes none has none."""
    monkeypatch.chdir(tmp_path)
    assert notes(tmp_path / "results") == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ":1: the file is empty"),
        ("notes: []", ":1: should have one field, annotations:"),
        ("annotations: {}", ":1: annotations: should be a list"),
        ("annotations: [x]", ":1: annotations[0]: should have the fields"),
        (
            "annotations:\n- {date: 2026-01-01, txt: a}",
            ":2: annotations[0].txt: unknown field 'txt'. Did you mean text?",
        ),
        ("annotations:\n- {date: 2026-01-01}", ":2: annotations[0]: lacks text"),
        ("annotations:\n- {date: yesterday, text: a}", ":2: annotations[0].date: should be a date such as 2026-11-05"),
        ("annotations:\n- {date: 5, text: a}", ":2: annotations[0].date: should be a date"),
        ("annotations:\n- {date: 2026-01-01, text: ''}", ":2: annotations[0].text: should be a text of 1 to 500"),
        ("annotations:\n- {date: 2026-01-01, text: a, endpoint: 3}", ":2: annotations[0].endpoint: should be PROVIDER"),
        ("annotations: [", ":1: not valid YAML"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, told: str, tmp_path: Path) -> None:
    """File, line, field, what is wrong and how it should be."""
    path = tmp_path / "annotations.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as failed:
        read(path)
    assert f"annotations.yaml{told}" in str(failed.value)
