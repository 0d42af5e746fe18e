"""The child process that holds a llama.cpp server: ``python -m harness.engines.llama_cpp_server --model FILE``.

It prints one line of JSON when the server answers, logs to standard error, listens on loopback only, and ends on
SIGTERM or when its standard input is closed, which happens when the process that started it ends, however it ends.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from harness.engines.ports import HOST


def main(argv: list[str] | None = None) -> int:
    """Serve a model until standard input is closed; 3 when the server does not start."""
    asked = _arguments(argv)
    try:
        import xllamacpp  # noqa: PLC0415 - an optional dependency, and a large library
    except ImportError as error:
        print(f"xllamacpp cannot be loaded: {error}", file=sys.stderr)  # noqa: T201 - a child's last words
        return 3
    params = xllamacpp.CommonParams()
    _fill(params, asked)
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        print(f"llama.cpp did not start with {asked.model.name}: {error}", file=sys.stderr)  # noqa: T201 - last words
        return 3
    ready = {
        "base_url": f"{server.listening_address}/v1",
        "version": f"xllamacpp {metadata.version('xllamacpp')}",
        "pid": os.getpid(),
    }
    print(json.dumps(ready), flush=True)  # noqa: T201 - the line that the parent waits for
    with contextlib.suppress(KeyboardInterrupt):
        sys.stdin.buffer.read()
    # Without waiting for answers under way, which nobody reads any more.
    os._exit(0)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m harness.engines.llama_cpp_server", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="a .gguf file")
    parser.add_argument("--alias", required=True, help="what /v1/models calls it")
    parser.add_argument("--template", type=Path, help="a Jinja chat template; default: the model's own")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--parallel", type=int, default=8, help="requests answered at once")
    parser.add_argument("--context", type=int, default=2048, help="tokens of one request, prompt and answer")
    parser.add_argument(
        "--embeddings", action="store_true", help="answer embeddings too, the mean over a text's tokens"
    )
    parser.add_argument("--threads", type=int, default=_threads(), help="default: all processors but one, at most 8")
    return parser.parse_args(argv)


def _threads() -> int:
    """Leave one processor to the client that measures.

    llama.cpp's threads wait for each other by spinning. On two processors, beside a process that takes 30 % of one, two
    threads gave 8 to 10 tokens/s and one thread 39 to 49; with nothing beside them it was 92 to 104 and 48 to 52.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(8, usable - 1))


def _fill(params: Any, asked: argparse.Namespace) -> None:
    """Set what differs from llama.cpp's own defaults."""
    params.model.path = str(asked.model)
    params.model_alias = {asked.alias}
    params.hostnames = [HOST]
    params.port = asked.port
    params.n_parallel = asked.parallel
    params.n_ctx = asked.context * asked.parallel  # llama.cpp divides it by the number of slots
    params.cpuparams.n_threads = asked.threads
    params.cpuparams_batch.n_threads = asked.threads
    params.endpoint_metrics = True
    params.ui = False
    # The default keeps up to 8 GiB of old prompts: memory would grow with a run, and answers depend on what was before.
    params.cache_ram_mib = 0
    params.cache_idle_slots = False
    if asked.embeddings:
        import xllamacpp  # noqa: PLC0415 - as above

        params.embedding = True
        # With a cache for each slot texts of several lengths are decoded in pieces, and a vector is the mean over the
        # last piece alone: the same text then has another one beside other texts.
        params.kv_unified = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    if asked.template is not None:
        params.chat_template = asked.template.read_text("utf-8")


if __name__ == "__main__":
    sys.exit(main())
