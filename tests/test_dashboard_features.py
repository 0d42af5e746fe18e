"""Page Features: the matrix, its filters, and the drawer with what proves a verdict."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from drawn import HOSTILE, open_page, said
from made import harness
from published import make_run, manifest, verdict
from simulated import KEY, simulator

from dashboard import evidence_drawer, plain
from harness.report.conformance import figures as conformance
from harness.report.conformance import matrix
from harness.store.index import publish

PAGE = "views/features.py"
PROVIDERS = """providers:
  good:
    kind: simulated
    base_url: {url}
    api_key_env: SIM_KEY
    models: {{sim-small: sim-small}}
  bad:
    kind: simulated
    base_url: {url}
    api_key_env: SIM_KEY
    headers: {{x-sim: "mutants=flat_error,ignore_stop"}}
    declared: {{unsupported: [error.unknown_model], source: "<b>own</b> pages"}}
    models: {{sim-small: sim-small}}
"""


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Results of one run of probes on a good and on a bad endpoint."""
    folder = tmp_path_factory.mktemp("features")
    with pytest.MonkeyPatch.context() as patch, simulator() as endpoint:
        patch.setenv("SIM_KEY", KEY)
        (folder / "providers.yaml").write_text(PROVIDERS.format(url=endpoint.provider.base_url))
        done = harness(folder, "probe", "-e", "good/sim-small", "-e", "bad/sim-small", "--profile", "smoke")
        assert done.returncode == 0, done.stderr
        patch.chdir(folder)  # the dashboard finds the same providers as the command
        yield folder / "results"


def rows(results: Path, monkeypatch: pytest.MonkeyPatch, **query: str) -> list[str]:
    """The probes of the matrix in their order."""
    app = open_page(results, PAGE, monkeypatch, **query)
    return [str(row) for frame in app.dataframe for row in frame.value["probe"]]


def test_the_matrix_says_words_with_signs(probed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each verdict is a word with its sign, and the probes that nobody fails are left out until they are wanted."""
    app = open_page(probed, PAGE, monkeypatch)
    cells = app.dataframe[0].value
    found = cells[cells["probe"] == "error.unknown_model"].iloc[0]
    assert (found["good/sim-small"], found["bad/sim-small"]) == ("● supported", "✕ broken")
    assert len(rows(probed, monkeypatch, verdicts="all")) == 12 > len(cells)


@pytest.mark.parametrize(
    ("query", "some", "none"),
    [
        ({"verdicts": "all", "surface": "error"}, "error.unknown_model", "chat.basic"),
        ({"verdicts": "differences"}, "error.unknown_model", "chat.basic"),
        ({"verdicts": "all", "find": "UNKNOWN_model"}, "error.unknown_model", "chat.basic"),
        ({"verdicts": "all", "find": "flat"}, "", "chat.basic"),
    ],
)
def test_filters_of_the_address_hold(
    query: dict[str, str], some: str, none: str, probed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Surface, severity, differences and search narrow the matrix, and a link keeps them."""
    shown = rows(probed, monkeypatch, **query)
    assert none not in shown
    assert not some or some in shown


def test_severities_and_reasons_narrow() -> None:
    """Severity is held to, and the search looks into reasons too, whatever their case."""
    cell = {"verdict": "broken", "reason": "A Flat error", "expected": "", "actual": ""}
    made = [
        {"probe": f"chat.{name}", "surface": "chat", "severity": name, "title": "", "cells": {"p/m": cell}}
        for name in ("core", "ext")
    ]
    assert [row["severity"] for row in conformance.narrowed(made, severities=["ext"])] == ["ext"]
    assert len(conformance.narrowed(made, text=" flat ERROR ")) == 2
    assert conformance.narrowed(made, surfaces=["tools"]) == []


def test_no_probe_is_like_that(probed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter that lets nothing through is said in words, not shown as an empty table."""
    app = open_page(probed, PAGE, monkeypatch, find="no such word")
    assert "No probe is like that" in said(app)
    assert not app.dataframe


def test_a_link_opens_the_drawer(probed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``?probe=…&endpoint=…`` shows the requirement, the verdict, the exchange, the official client and a curl line."""
    app = open_page(probed, PAGE, monkeypatch, probe="error.unknown_model", endpoint="bad/sim-small")
    told = said(app)
    assert "Evidence" in [head.value for head in app.subheader]
    for part in (
        "requires  ",
        "verdict   ✕ broken",
        "expected ",
        "> POST /chat/completions",
        "ms | ",
        "the official client ",
        "curl -sS",
        "$SIM_KEY",
        "Its provider's words are `unsupported`",
    ):
        assert part in told
    assert KEY not in told
    (link,) = app.get("page_link")[:1]
    assert "job=" in link.proto.query_string


def test_the_drawer_says_what_the_command_says(probed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exchange and curl are those of ``harness probe show``, line by line."""
    told = said(open_page(probed, PAGE, monkeypatch, probe="chat.basic", endpoint="good/sim-small"))
    shown = harness(probed.parent, "probe", "show", "latest", "chat.basic", "-e", "good/sim-small")
    lines = [line for line in shown.stdout.splitlines() if line.startswith(("> ", "< ", "curl "))]
    assert len(lines) > 5
    for line in lines:
        assert line in told


def test_purged_evidence_is_said_to_be(probed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run without a journal has verdicts and no exchange: the drawer says so and the matrix stays."""
    run = make_run(tmp_path, verdicts=[verdict("chat.basic", "broken", evidence=["gone"])])
    run.write_manifest(manifest(run, probes={"profile": "core", "ids": ["chat.basic"]}))
    publish(tmp_path)
    app = open_page(tmp_path, PAGE, monkeypatch, probe="chat.basic", endpoint="p/m")
    assert "No exchange of it is recorded here." in said(app)
    assert len(app.dataframe) == 1


def test_a_stale_cell_is_told(probed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe or an endpoint that is not there is named in a warning, as plain letters."""
    app = open_page(probed, PAGE, monkeypatch, probe=HOSTILE, endpoint="gone/m", beside="gone")
    told = [block.value for block in app.warning]
    assert any(plain.code(HOSTILE) in line for line in told)
    assert any("`gone/m`" in line for line in told)


@pytest.mark.parametrize(
    ("cell", "chosen"),
    [
        ([1, "b/m"], {"probe": "q", "endpoint": "b/m"}),
        ([0, "severity"], {"probe": "p"}),
        ([7, "b/m"], {}),
    ],
)
def test_a_click_chooses_the_cell(cell: list[object], chosen: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A chosen cell fills both lists, one beside the verdicts names the probe, and a row that is gone does nothing."""
    state: dict[str, object] = {"matrix": {"selection": {"cells": [cell]}}}
    monkeypatch.setattr(evidence_drawer.st, "session_state", state)
    evidence_drawer.clicked("matrix", ["p", "q"], ["a/m", "b/m"])
    assert {name: state[name] for name in state if name != "matrix"} == chosen


def test_runs_stand_beside_one_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run's endpoints are further columns; one that is in both is told apart by its run."""
    ids = {"probes": {"profile": "core", "ids": ["chat.basic"]}}
    made = [make_run(tmp_path, slug, verdicts=[verdict("chat.basic", word)]) for slug, word in SIDES.items()]
    for run in made:
        run.write_manifest(manifest(run, **ids))
    publish(tmp_path)
    first, second = (run.id for run in made)
    app = open_page(tmp_path, PAGE, monkeypatch, run=first, beside=second, verdicts="differences")
    cells = app.dataframe[0].value
    assert list(cells.columns) == ["probe", "severity", f"p/m ({first})", f"p/m ({second})"]
    assert list(cells.iloc[0])[2:] == ["● supported", "✕ broken"]


SIDES = {"old": "supported", "new": "broken"}


def test_a_run_without_probes_names_those_that_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page of a run without probes says how to make some, and which runs have any."""
    has = make_run(tmp_path, "has", verdicts=[verdict("chat.basic", "supported")])
    none = make_run(tmp_path, "none")
    publish(tmp_path)
    app = open_page(tmp_path, PAGE, monkeypatch, run=none.id)
    assert "`harness probe -e PROVIDER/MODEL`" in app.info[0].value
    assert has.id in said(app)


def test_forty_endpoints_with_long_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of many endpoints has its row and column, in any script."""
    names = [f"{'sehr-langer-anbieter' * 4}-{place}/مدل-שלום-{'模型' * 8}" for place in range(40)]
    run = make_run(tmp_path, verdicts=[verdict("chat.basic", "broken", endpoint=name) for name in names])
    one = manifest(run)["endpoints"][0]
    ids = {"profile": "core", "ids": ["chat.basic"]}
    run.write_manifest(manifest(run, endpoints=[one | {"id": name} for name in names], probes=ids))
    publish(tmp_path)
    app = open_page(tmp_path, PAGE, monkeypatch)
    assert list(app.dataframe[0].value.columns)[2:] == names
    assert names[39] in said(app)


def test_support_of_a_surface_is_that_of_the_whole(tmp_path: Path) -> None:
    """Of a run with one surface, the surface's support is the endpoint's; a surface that is absent has none."""
    words = [verdict(f"chat.{n}", word) for n, word in enumerate(("supported", "partial", "broken", "skipped"))]
    run = make_run(tmp_path, verdicts=[*words, verdict("emb.basic", "rejected", surface="emb")])
    run.write_manifest(manifest(run, probes={"profile": "core", "ids": []}))
    publish(tmp_path)
    (row,) = conformance.conformance(tmp_path, run.id)["endpoints"]
    assert row["surfaces"]["chat"]["support"] == pytest.approx(row["support"])
    assert matrix.of_surface(row["surfaces"]["chat"]) == "53 % of 3, 1 broken"
    assert matrix.of_surface(row["surfaces"]["emb"]) == "none of 1 judged"
    assert matrix.of_surface(None) == "–"
