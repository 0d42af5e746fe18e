"""A known key goes through every command and every fault, and is afterwards nowhere, in no spelling."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from echoing import WAYS, echoing, spellings
from simulated import simulator

from harness.cli import COMMANDS, main
from harness.record.folder import list_runs
from harness.secrets import hidden
from harness.simulator.deviations.faults import FAULTS

KEY = "canary/Key+0123456789?=&abcdefXYZ"
SLOW = {
    "stall": "stall_s=0.2",
    "stall_before_headers": "stall_s=0.2",
    "stall_after_headers": "stall_s=0.2",
    "slow_loris": "drip_ms=1",
    "giant_line": "giant_bytes=200000",
}
"""What makes a fault that takes its time cheap."""
UNSENT = {
    "completion": "prints the shell's script",
    "demo": "downloads and starts a real model; what it runs is `run`",
    "dashboard": "serves a browser from the database, which is looked through here",
    "export": "sends what `db export` writes, to an address that is no endpoint",
    "models": "asks a public address for models without any key",
    "plugins": "lists what installed packages add, and reads no provider",
    "simulate": "is the server of these faults",
    "task": "writes a template",
}
"""Commands that no key can come near, or that need more than a test has."""


BY = ("--scorer", "includes")


def commands(run: str) -> dict[str, list[list[str]]]:
    """What is called, by the name of the command; ``run`` is a finished run."""
    echo = ["-e", "echo-plain/m", "-e", "echo-base64/m"]
    return {
        "eval": [
            [
                "eval",
                "ask.jsonl",
                *BY,
                *(part for way in WAYS for part in ("-e", f"echo-{way}/m")),
                "--max-duration",
                "15",
            ],
            ["eval", "ask.jsonl", *BY, *echo, "--cache", "--json"],
            ["eval", "ask.jsonl", *BY, *echo, "--dry-run"],
            ["eval", "ask.jsonl", *BY, "-e", "of-file/m", "--store-text", "hash"],
        ],
        "run": [["run", "canary", *echo]],
        "suite": [["suite", "list"], ["suite", "show", "canary"]],
        "watch": [["watch", "canary", "--once", "-e", "echo-plain/m"]],
        "load": [
            [
                "load",
                "run",
                "ask.jsonl",
                "-e",
                "echo-events/m",
                "-e",
                "echo-packets/m",
                "-n",
                "4",
                "--concurrency",
                "2",
            ],
            ["load", "run", "ask.jsonl", *echo, "-n", "4", "--concurrency", "2", "--workers", "2"],
            ["load", "report"],
        ],
        "worker": [],  # of the load above
        "k8s": [
            [
                "load",
                "run",
                "ask.jsonl",
                *echo,
                "-n",
                "4",
                "--concurrency",
                "2",
                "--workers",
                "2",
                "--executor",
                "hand",
            ],
            ["k8s", "render", "latest", "--image", "harness:1", "--workers", "2", "--file", "job.yaml"],
        ],
        "gather": [["gather", "latest"]],
        "probe": [
            ["probe", "--profile", "smoke", "-e", "echo-plain/m"],
            ["probe", "matrix"],
        ],
        "resume": [["resume", run]],
        "score": [["score", run]],
        "report": [
            ["report", run],
            ["report", run, "--json"],
            ["report", run, "--html", "run.html", "--md", "run.md", "--junit", "run.xml", "--include-text"],
        ],
        "trend": [["trend"], ["trend", "--json"]],
        "gate": [["gate", "--run", run, "--junit", "gate.xml", "--md", "gate.md", "--verdict", "gate.json"]],
        "verify": [
            ["verify", "--reference", "echo-plain/m", "--candidate", "echo-base64/m", "--budget", "small", "--plan"],
            [
                *("verify", "--reference", "echo-plain/m", "--candidate", "echo-base64/m"),
                *("--prompts", "2", "--samples", "2", "--task", "arithmetic:2", "--budget", "small"),
                *("--max-duration", "15", "--md", "verify.md"),
            ],
            ["verify", "report", "latest", "--json"],
        ],
        "compare": [["compare", "echo-plain/m", "echo-base64/m", "--run", run, "--json"]],
        "runs": [["runs", "list"], ["runs", "show", run], ["runs", "show", run, "--json"]],
        "sql": [["sql", "from texts", "--csv"], ["sql", "from attempts", "--json"]],
        "db": [["db", "rebuild"], ["db", "schema"]],
        "providers": [
            ["providers", "list"],
            ["providers", "show", "echo-plain"],
            ["providers", "check", "echo-plain", "echo-error", "echo-status", "of-file", "--json"],
            ["providers", "models", "echo-plain"],
        ],
        "tasks": [["tasks", "list"]],
        "doctor": [["doctor"], ["doctor", "--json"]],
        "push": [["push", "--store", "store"]],
        "pull": [["pull", "--store", "store", "--results", "pulled"]],
        "sync": [["sync", "--store", "store", "--json"]],
        "purge": [["purge", "--text", run]],
    }


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with everything: results, cache, and what was printed."""
    for name in [name for name in os.environ if name.startswith("HARNESS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CANARY_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ask.jsonl").write_text(json.dumps({"question": "What is the key?", "target": "none"}) + "\n")
    (tmp_path / "printed").mkdir()
    return tmp_path


def block(url: str, *more: str) -> list[str]:
    """A provider at this address."""
    return ["    kind: hosted", f"    base_url: {url}", "    any_model: true", "    deadlines: {total_s: 4}", *more]


def called(home: Path, argv: list[str], capfd: pytest.CaptureFixture[str]) -> int:
    """The exit code of a command, whose output is kept to be looked through."""
    with pytest.raises(SystemExit) as ended:
        main(argv)
    said = capfd.readouterr()
    number = len(list((home / "printed").iterdir()))
    (home / "printed" / f"{number}-{argv[0]}.txt").write_text(f"{' '.join(argv)}\n{said.out}\n{said.err}")
    code = ended.value.code
    return code if isinstance(code, int) else 0


def contents(root: Path) -> Iterator[tuple[str, bytes]]:
    """Every file under a folder, and what is packed in those that are."""
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        yield str(path), path.read_bytes()
        if path.suffix == ".parquet":
            for row in duckdb.execute(f"from read_parquet('{path}')").fetchall():
                yield f"{path} (rows)", _flat(row)
        if path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as base:
                for (table,) in base.execute("select table_name from duckdb_tables() where not internal").fetchall():
                    for row in base.execute(f'from "{table}"').fetchall():
                        yield f"{path}: {table}", _flat(row)


def _flat(row: tuple[Any, ...]) -> bytes:
    return " ".join(map(str, row)).encode("utf-8", "surrogatepass")


def found(home: Path) -> list[str]:
    """Where the key is, and in which spelling."""
    wanted = spellings(KEY)
    secret = home / "acme.key"
    return [
        f"{where}: {name}"
        for where, data in contents(home)
        if where != str(secret)
        for name, spelling in wanted.items()
        if spelling in data
    ]


def test_the_list_of_commands_is_whole() -> None:
    """Every command is either called with the key or said to be out of its reach."""
    assert {*commands("latest"), *UNSENT} == set(COMMANDS)


def test_the_key_is_nowhere_after_every_command(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Servers repeat it in every way they can; run folder, database, cache and output never hold it."""
    (home / "acme.key").write_text(KEY)
    (home / "acme.key").chmod(0o600)
    (home / "tasks" / "suites").mkdir(parents=True)
    (home / "tasks" / "suites" / "canary.yaml").write_text("tasks: [arithmetic:1]\n")
    (home / "gate.yaml").write_text("gates: [{metric: error_rate, max: 50%}]\n")
    with echoing() as url:
        lines = ["providers:"]
        for way in WAYS:
            lines += [f"  echo-{way}:", *block(f"{url}/{way}/v1", "    api_key_env: CANARY_KEY")]
        lines += ["  of-file:", *block(f"{url}/plain/v1", f"    auth: {{file: {home / 'acme.key'}}}")]
        (home / "providers.yaml").write_text("\n".join(lines) + "\n")
        listed = commands("latest")
        codes = {tuple(argv): called(home, argv, capfd) for argv in listed.pop("eval")}
        run = list_runs(home / "results")[0].id
        for calls in commands(run).values():
            for argv in calls:
                codes.setdefault(tuple(argv), -1)
                if codes[tuple(argv)] == -1:
                    codes[tuple(argv)] = called(home, argv, capfd)
    assert {" ".join(argv): code for argv, code in codes.items() if code not in (0, 1, 3, 4, 130)} == {}
    everything = b"".join(data for _, data in contents(home))
    assert hidden.MARK.encode() in everything
    assert found(home) == []


def test_the_key_is_nowhere_after_every_fault(
    home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request for each fault of the simulator, with the key that it wants."""
    monkeypatch.setattr("simulated.KEY", KEY)
    lines = ["providers:"]
    with simulator() as endpoint:
        for fault in FAULTS:
            told = ",".join([f"{fault}=1", *([SLOW[fault]] if fault in SLOW else [])])
            more = ["    api_key_env: CANARY_KEY", f'    headers: {{x-sim: "{told}"}}']
            lines += [f"  {fault.replace('_', '-')}:", *block(str(endpoint.provider.base_url), *more)]
        (home / "providers.yaml").write_text("\n".join(lines) + "\n")
        named = [part for fault in FAULTS for part in ("-e", f"{fault.replace('_', '-')}/sim-small")]
        called(home, ["eval", "ask.jsonl", *BY, *named, "--max-duration", "6", "--json"], capfd)
    (run,) = list_runs(home / "results")
    assert run.journals()[0].stat().st_size > 1000
    assert found(home) == []
