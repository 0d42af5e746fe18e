"""evalscope: its own GSM8K over a local copy that holds our prompts."""

from __future__ import annotations

import json
from pathlib import Path

from truth import MODEL

from evaltools import CONCURRENCY, LEFT, TOKENS, EvalTool, EvalWork, Questions, Scored, lines, newest

_README = "---\nconfigs:\n- config_name: main\n  data_files:\n  - split: test\n    path: main/test.jsonl\n---\n"


def command(work: EvalWork, root: str, questions: Questions, folder: Path, bin_: Path) -> list[str | Path]:
    """A local data set is a folder whose README names its configurations."""
    data = folder / "data"
    (data / "main").mkdir(parents=True)
    (data / "README.md").write_text(_README)
    lines(data / "main" / "test.jsonl", ({"question": q.prompt, "answer": f"#### {q.target}"} for q in questions.each))
    settings = {"gsm8k": {"local_path": str(data), "few_shot_num": 0, "prompt_template": "{question}"}}
    return [
        *("env", f"HF_HOME={folder / LEFT / 'hf'}", f"MODELSCOPE_CACHE={folder / LEFT / 'modelscope'}"),
        *(bin_ / "evalscope", "eval", "--model", MODEL, "--api-url", f"{root}/v1", "--api-key", "none"),
        *("--eval-type", "openai_api", "--datasets", "gsm8k", "--dataset-args", json.dumps(settings)),
        *("--limit", str(work.requests), "--eval-batch-size", str(CONCURRENCY)),
        *("--generation-config", json.dumps({"max_tokens": TOKENS, "temperature": 0})),
        *("--work-dir", folder / LEFT / "out", "--no-timestamp"),
    ]


def read(folder: Path) -> Scored:
    """Its reviews, one line for each sample, with a score and whether that succeeded."""
    rows = newest(folder, "reviews/**/*.jsonl").read_text().splitlines()
    scores = [json.loads(row)["sample_score"]["score"] for row in rows]
    scored = sum(score["status"] == "success" and bool(score["value"]) for score in scores)
    return Scored(scored, len(rows) - scored)


TOOL = EvalTool(
    "evalscope",
    "1.14.1",
    command,
    read,
    packages=("evalscope==1.14.1",),
    environment={"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"},
)
