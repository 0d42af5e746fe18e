"""Probes through the runner: requests made of answers, requests at once, hanging up, and going on after a break."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from made import harness
from simulated import KEY, simulator

from harness.record.folder import RunFolder

PROBES = '''"""Probes of the ways a scenario can be sent."""

from collections.abc import Iterator

from harness.conformance import Check, Seen, chat, check, next_turn, probe
from harness.conformance.plain import PLAIN

SAID = next_turn(PLAIN, "said", "what it said, and a question",
                 lambda seen: [seen.message, {"role": "user", "content": "Say it again: no"}])
NEVER = next_turn(PLAIN, "never", "made of what is not there", lambda seen: seen.message["nothing"])
NUMBERED = chat("numbered", "each its number", lambda number: f"Repeat exactly: nr-{number}", cap=16,
                send={"repeats": 6, "together": True})
LEFT = chat("left", "a long story that we leave", "Tell a 4000 word story.", cap=4000, stream=True,
            send={"hang_up_s": 0.3})


@probe("way.follows", title="F", sees=(PLAIN, SAID), spec="none", profile=("ways",))
def follows(seen: Seen) -> Iterator[Check]:
    """Its own answer stands before the last message."""
    sent = seen[SAID].sent["messages"]
    yield check("roles", [each["role"] for each in sent] == ["user", "assistant", "user"], "", sent)
    yield check("its words", sent[1]["content"] == seen[PLAIN].text, seen[PLAIN].text, sent[1])
    yield check("status", seen[SAID].status == 200)


@probe("way.never", title="N", sees=(NEVER,), spec="none", profile=("ways",))
def never(seen: Seen) -> Iterator[Check]:
    """It is never judged."""
    yield check("unreachable", False)


@probe("way.together", title="T", sees=(NUMBERED,), spec="none", profile=("ways",), over="all")
def together(seen: Seen) -> Iterator[Check]:
    """Each repeat asks its own and has company."""
    said = [capture.text for capture in seen.all(NUMBERED)]
    yield check("each its own", said == [f"nr-{number}" for number in range(6)], "", said)
    most = max(capture.attempt.in_flight for capture in seen.all(NUMBERED))
    yield check("at once", most == 6, 6, most)


@probe("way.left", title="L", sees=(LEFT,), spec="none", profile=("ways",))
def left(seen: Seen) -> Iterator[Check]:
    """We hung up in the middle."""
    failure = seen[LEFT].attempt.exchange.failure
    yield check("abandoned", failure is not None and failure.kind == "abandoned", "", str(failure))
    yield check("some came", bool(seen[LEFT].chunks))


PROBES = (follows, never, together, left)
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with these probes and a slow enough server."""
    folder = tmp_path_factory.mktemp("ways")
    (folder / "tasks" / "probes").mkdir(parents=True)
    (folder / "tasks" / "probes" / "ways.py").write_text(PROBES)
    with pytest.MonkeyPatch.context() as patch, simulator("--set", "itl_ms=2") as endpoint:
        patch.setenv("SIM_KEY", KEY)
        (folder / "providers.yaml").write_text(
            f"providers:\n  sim:\n    kind: simulated\n    base_url: {endpoint.provider.base_url}\n"
            "    api_key_env: SIM_KEY\n    models: {sim-small: sim-small}\n"
        )
        yield folder


def verdicts(folder: Path) -> dict[str, tuple[str, str]]:
    """What the last run says."""
    printed = harness(folder, "probe", "matrix", "latest", "--json").stdout
    return {
        row["probe"]: (row["cells"]["sim/sim-small"]["verdict"], row["cells"]["sim/sim-small"]["reason"])
        for row in json.loads(printed)["probes"]
    }


EXPECTED = {
    "way.follows": ("supported", "3 checks hold"),
    "way.never": (
        "untestable",
        "evidence: the answer that its request is made of did not come, or does not hold what it takes",
    ),
    "way.together": ("supported", "2 checks hold"),
    "way.left": ("supported", "2 checks hold"),
}


def test_every_way_of_sending_and_going_on(folder: Path) -> None:
    """A follow-up holds the answer before it, repeats go out at once, and a hung-up stream keeps what came.

    After a break the follow-up is made of the answer that the journal holds.
    """
    done = harness(folder, "probe", "-e", "sim/sim-small", "--profile", "ways")
    assert done.returncode == 0, done.stderr
    assert verdicts(folder) == EXPECTED
    run = sorted((folder / "results" / "runs").iterdir())[-1]
    lines = (run / "journal-0.jsonl").read_bytes().splitlines(keepends=True)
    (run / "journal-0.jsonl").write_bytes(b"".join(lines[:2]))  # the session and the first answer
    for name in ("attempts.parquet", "verdicts.jsonl"):
        (run / name).unlink()
    manifest = RunFolder(run).read_manifest() | {"status": "interrupted"}
    del manifest["sealed"]  # a run that was killed has not been sealed
    RunFolder(run).write_manifest(manifest)
    done = harness(folder, "resume", run.name)
    assert done.returncode == 0, done.stderr
    assert verdicts(folder) == EXPECTED


def test_an_endpoint_that_nobody_answers_at_is_given_up(tmp_path: Path) -> None:
    """After three probes in a row without any answer, and one more, the rest is not sent, and accuses nobody."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        (tmp_path / "providers.yaml").write_text(
            f"providers:\n  mute:\n    kind: local\n    base_url: {url}\n    models: {{m: m}}\n"
            "    deadlines: {first_byte_s: 0.3}\n"
        )
        done = harness(tmp_path, "probe", "-e", "mute/m", "--profile", "smoke")
    assert done.returncode == 3
    assert "nothing could be measured" in done.stderr
    printed = harness(tmp_path, "probe", "matrix", "--json").stdout
    cells = [row["cells"]["mute/m"] for row in json.loads(printed)["probes"]]
    assert {cell["verdict"] for cell in cells} == {"untestable"}
    reasons = [cell["reason"] for cell in cells]
    assert sum("timeout" in reason or "transient" in reason for reason in reasons) >= 3
    assert any("given up: 4 failures in a row" in reason for reason in reasons)
