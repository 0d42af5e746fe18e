"""A folder in which shown commands can be carried out: their endpoints, files and runs, all on this machine."""

from __future__ import annotations

import gzip
import json
import re
import shlex
import shutil
from collections.abc import Iterable
from pathlib import Path

from made import harness
from pages_read import ROOT

DATA = ROOT.parent / "shared" / "data"
"""Public data sets; what is missing is made below, with the same columns."""
ANSWERED = (
    "groq/gpt-oss-120b",
    "mine/llama",
    "direct/llama",
    "gateway/llama",
    "local/smollm2",
    "local/smollm2-q4",
    "vendor/llama",
)
"""Who was asked in the runs that are there before a command: whoever the pages compare."""
_OPTION = re.compile(r"(?:-e|--endpoint|--reference|--candidate|--judge) +([a-z0-9-]+)/([\w.-]+)")
_ALONE = ("openrouter", "together", "ollama")
"""Providers that are named without a model."""
_GATE = """\
gates:
  - {metric: ttft_p50_ms, max: 60 s}
  - {metric: error_rate, max: 99 %}
"""
_SUITE = """\
description: A little of everything, so that each report has something to say.
tasks: ["arithmetic:6", "assistant:2"]
loads: {short_chat: {requests: 12, concurrency: 2}}
probes: smoke
"""
_QUESTION = {"question": "What is 2 + 3?", "answer": "2 + 3 = 5\n#### 5"}
_HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'def two() -> int:\n    """Give 2."""\n',
    "entry_point": "two",
    "canonical_solution": "    return 2\n",
    "test": "def check(candidate):\n    assert candidate() == 2\n",
}
_TURNS = {"question_id": 81, "category": "writing", "turns": ["Say hello.", "Say it again."]}


def build(folder: Path, base_url: str, shown: Iterable[str]) -> list[str]:
    """Write what the commands ``shown`` speak of, and carry out two runs; their ids, the older first."""
    models: dict[str, set[str]] = {name: {"llama-3.3-70b"} for name in _ALONE}
    for provider, model in (
        found for text in (*shown, *(f"-e {one}" for one in ANSWERED)) for found in _OPTION.findall(text)
    ):
        models.setdefault(provider, set()).add(model)
    blocks = {
        name: {
            "kind": "simulated",
            "base_url": base_url,
            "models": dict.fromkeys(sorted(own), "sim-small"),
            "prices": {one: {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0} for one in sorted(own)},
        }
        for name, own in models.items()
    }
    (folder / "providers.yaml").write_text(json.dumps({"providers": blocks}))  # JSON is YAML
    _write(folder)
    ids = []
    for _ in range(2):
        argv = ["run", "little", *(word for one in ANSWERED for word in ("-e", one)), "--json"]
        done = harness(folder, *argv)
        assert done.returncode == 0, done.stderr
        ids.append(json.loads(done.stdout)["run"]["id"])
    done = harness(folder, "probe", "-e", "mine/llama", "--lock", "conformance.lock.yaml", "--results", "locked")
    assert done.returncode == 0, done.stderr
    return ids


def _write(folder: Path) -> None:
    (folder / "tasks" / "suites").mkdir(parents=True)
    (folder / "tasks" / "suites" / "little.yaml").write_text(_SUITE)
    (folder / "gate.yaml").write_text(_GATE)
    (folder / "acceptances.yaml").write_text("acceptances: []\n")
    (folder / "my-vendor.yaml").write_text("ttft_ms: 5\n")
    rows = [json.dumps({"prompt": f"What is {n} + 1?", "target": str(n + 1)}) for n in range(4)]
    for name in ("my.jsonl", "questions.jsonl"):
        (folder / name).write_text("\n".join(rows))
    (folder / "question.jsonl").write_text(json.dumps(_TURNS))
    (folder / "gsm8k").mkdir()
    (folder / "gsm8k" / "test.jsonl").write_text("\n".join([json.dumps(_QUESTION)] * 3))
    (folder / "HumanEval.jsonl.gz").write_bytes(gzip.compress(json.dumps(_HUMANEVAL).encode(), mtime=0))
    if DATA.is_dir():
        (folder / "bfcl_eval").mkdir()
        shutil.copytree(DATA / "bfcl_v4", folder / "bfcl_eval" / "data")


# --- from a page to this folder --------------------------------------------------------------------------

_HERE = (
    # What a shell would take.
    (r"\s[|#]\s.*$", ""),
    # Places, files and runs.
    (r"s3://bucket/loads/1(?! --secret)|/mnt/team/store", "elsewhere"),
    (r"\b20261120t0900\b|\b20261101\b|(?<=diff )RUN\b", "OLDER"),
    (r"\b20261121t1103\b|\[RUN\.\.\.\]|\bRUN\b", "NEWER"),
    (r"\bTABLE --out FILE\b", "runs --out runs.parquet"),
    (r"(?<=init )--use", "--file made.yaml --use"),
    (r"--port \d+", "--port 0"),
    (r"--until \d{4}", "--until 2999"),
    # Names that a sentence leaves open.
    (r"\bPROBE\b", "tools.required"),
    (r"\bJOB\b", "-"),
    (r"compare A B", "compare groq mine"),
    (r"(?<=eval )NAME$", "arithmetic:2 -e mine/llama"),
    (r"(?<=eval )NAME -e PROVIDER/MODEL", "arithmetic:2 -e mine/llama"),
    (r"(?<=load )NAME$", "short_chat -e mine/llama -n 4"),
    (r"load (\.\.\. )?--repeats N", "load short_chat -e mine/llama -n 4 --repeats 2"),
    (r"(?<=tasks show )NAME", "arithmetic"),
    (r"(?<=simulate )--dialect NAME", "null --dialect groq"),
    (r"\bNAME\b", "groq"),
    (r"\bPROFILE\b", "null"),
    (r"\bvllm\|aiperf\|guidellm\b", "vllm"),
    # Data sets that a hub would give.
    (r"eval humaneval", "eval humaneval --data HumanEval.jsonl.gz"),
    (r"eval mt_bench(?! --data)", "eval mt_bench --data question.jsonl"),
    (r"eval gsm8k(?!.*--data)", "eval gsm8k --data gsm8k/test.jsonl"),
    (r"--suite nightly", "--suite little"),
    # Sizes: as many requests and processes as two cores carry out in a moment.
    (r"-n \d{3,}", "-n 24"),
    (r"--requests \d+", "--requests 4"),
    (r"--duration \d+m", "--duration 2s"),
    (r"--rate \d+\b", "--rate 40"),
    (r"--search rate", "--search rate --from 20 --to 40 -n 60"),
    (r"--concurrency 4000", "--concurrency 8"),
    (r"--workers \d+", "--workers 2"),
    (r"--repeats \d+", "--repeats 2"),
)


def here(command: str, older: str, newer: str) -> list[str]:
    """The words of a shown command with this folder's places, names and runs, and with sizes for a test."""
    for pattern, meant in _HERE:
        command = re.sub(pattern, meant, command)
    return shlex.split(command.replace("OLDER", older).replace("NEWER", newer))[1:]
