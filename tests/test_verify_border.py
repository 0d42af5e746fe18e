"""Border inputs from the search to the nightly check, on servers whose near ties fall one way or the other."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from made import Watcher
from test_verify import card, providers_of, serving

from harness import catalog, config
from harness.cli import cli
from harness.errors import TaskError, UsageError
from harness.fidelity.sampling import looped as loops
from harness.report.fidelity.judged import judged
from harness.report.fidelity.kept_borders import kept
from harness.run import sitting
from harness.run.conduct import Company
from harness.run.planning.plan import make
from harness.run.selecting.selection import Selection
from harness.simulator.model.sampler import looped, sampled


def test_a_wobbling_server_has_borders_and_a_moved_one_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An equal server flips as the reference does, one with other weights does not; kept, the borders tell at night.

    What is kept is asked alone, each answer is scored by whether it was given before, and a change is exit code 1.
    """
    monkeypatch.chdir(tmp_path)
    wobbling = {"reference": {}, "same": {}, "moved": {"noise": 2.0}}
    with serving({name: {"wobble": 0.4} | more for name, more in wobbling.items()}) as servers:
        selection = Selection(
            "verify", tuple(f"{name}/m" for name in servers), ("fidelity_border:60",), repeats=4, twice=True
        )
        plan = make(selection, catalog.discover([config.shipped("tasks")]), list(servers.values()))
        company = Company(Watcher(), scrape=False, calibrate=False)
        folder = sitting.start(plan, results=tmp_path / "results", company=company).folder
        found = judged(tmp_path / "results", folder)
        words = {name: card(found, name)["border inputs"]["word"] for name in ("same", "moved")}
        assert words == {"same": "equivalent", "moved": "different"}
        assert "times; the reference" in card(found, "moved")["border inputs"]["shown"][0]["why"]

        assert _harness("verify", "border", "find", "latest", "--out", "border.jsonl").exit_code == 0
        rows = [json.loads(line) for line in Path("border.jsonl").read_text().splitlines()]
        assert 5 <= len(rows) <= 20
        assert all(len(row["answers"]) > 1 and sum(row["answers"].values()) == 8 for row in rows)
        providers_of(servers, tmp_path)
        asked = [part for name in servers for part in ("-e", f"{name}/m")]
        done = _harness("eval", "fidelity_border", "--data", "border.jsonl", *asked, "--repeats", "8")
        assert done.exit_code == 0, done.output
    # The prompts were chosen by their first answers, so that these would say too much of them.
    assert _harness("verify", "border", "find", "latest", "--out", "border.jsonl").exit_code == 0
    same, moved = (
        _harness("verify", "border", "check", "--against", "border.jsonl", "-e", f"{name}/m") for name in words
    )
    assert (same.exit_code, moved.exit_code) == (0, 1), (same.output, moved.output)
    assert "same/m: same: total variation" in same.output
    told = _harness("verify", "border", "check", "--against", "border.jsonl", "-e", "moved/m", "--json")
    assert json.loads(told.output)["word"] == "changed"
    unknown = _harness("verify", "border", "check", "--against", "border.jsonl", "-e", "same/n")
    assert isinstance(unknown.exception, UsageError)


@pytest.mark.parametrize("row", ['{"prompt": "a"}', '{"prompt": "a", "answers": {"b": -1}}', "[]", '{"prompt": "a", '])
def test_a_file_that_was_not_kept_by_us_is_refused(tmp_path: Path, row: str) -> None:
    """A row without counts is told with its place."""
    file = tmp_path / "border.jsonl"
    file.write_text(f"{row}\n")
    with pytest.raises(TaskError, match=r"border\.jsonl"):
        kept(file)


def test_the_sampler_tells_what_it_draws_from() -> None:
    """Probabilities of a place add up to 1, what is said is among them, and at heat 0 it is the likeliest.

    Noise that is drawn anew changes them a little; a text that loops is found to loop, and is as long as before.
    """
    said = sampled(("user", "Hello"), 40, random.Random(1), heat=0)
    assert all(math.fsum(math.exp(value) for _, value in place) == pytest.approx(1, abs=1e-4) for place in said.ranked)
    assert said.text == "".join(place[0][0] for place in said.ranked)
    shaken = random.Random(2)
    other = sampled(("user", "Hello"), 40, random.Random(1), heat=0, shaken=lambda: shaken.gauss(0, 0.1))
    gaps = [
        abs(value - dict(before)[token])
        for before, now in zip(said.ranked, other.ranked, strict=True)
        for token, value in now
    ]
    assert 0 < max(gaps) < 1
    assert loops(said.text) is None
    assert loops(looped(said.text)) is not None
    assert len(looped(said.text).split()) == 40


def _harness(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))
