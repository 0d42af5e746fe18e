"""lm-evaluation-harness: a task of ours in its YAML, its local-chat-completions model."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from truth import MODEL

from evaltools import CONCURRENCY, LEFT, TOKENS, EvalTool, EvalWork, Questions, Scored, lines, newest


def command(work: EvalWork, root: str, questions: Questions, folder: Path, bin_: Path) -> list[str | Path]:
    """Its settings are YAML, of which JSON is a part; without ``tokenized_requests=False`` it wants a tokenizer."""
    asked = lines(folder / "questions.jsonl", map(asdict, questions.each))
    number = {"function": "regex", "regex_pattern": r"(-?\d[\d,]*(?:\.\d+)?)", "group_select": -1}
    task = {
        "task": "questions",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(asked)}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{prompt}}",
        "doc_to_target": "{{target}}",
        "generation_kwargs": {"max_gen_toks": TOKENS, "until": [], "do_sample": False, "temperature": 0.0},
        "filter_list": [{"name": "number", "filter": [number, {"function": "take_first"}]}],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }
    (folder / "task").mkdir()
    (folder / "task" / "questions.yaml").write_text(json.dumps(task))
    model = f"model={MODEL},base_url={root}/v1/chat/completions,num_concurrent={CONCURRENCY},tokenized_requests=False"
    return [
        *("env", f"HF_HOME={folder / LEFT / 'hf'}"),
        *(bin_ / "lm_eval", "run", "--model", "local-chat-completions"),
        *("--model_args", f"{model},max_retries=10" if work.stubborn else model),
        *("--tasks", "questions", "--include_path", folder / "task", "--limit", str(work.requests)),
        *("--apply_chat_template", "--log_samples", "--output_path", folder / LEFT / "out"),
    ]


def read(folder: Path) -> Scored:
    """One line for each sample, which has a score; a run that failed leaves none."""
    rows = newest(folder, "samples_*.jsonl").read_text().splitlines()
    return Scored(sum("exact_match" in json.loads(row) for row in rows), 0)


TOOL = EvalTool(
    "lm-eval",
    "0.4.13",
    command,
    read,
    packages=("lm-eval[api]==0.4.13", "datasets==5.2.0"),
    environment={"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OPENAI_API_KEY": "none"},
    stubborn="max_retries=10",
)
