"""The LiteLLM proxy as a gateway under test before another server; it is never imported, nor run to be looked at."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.engines import Running, Tell, process
from harness.engines.installed import find
from harness.engines.options import ANY_PYTHON, TEXT, checked
from harness.engines.ports import HOST
from harness.errors import EngineError
from harness.record.folder import write_atomic

_KNOWN = {**ANY_PYTHON, "upstream": TEXT, "upstream_model": TEXT, "alias": TEXT}
_COMPROMISED = re.compile(r"1\.82\.[78]|1\.107\..*")
"""Releases whose files were not the project's: they read keys and sent them away."""
_ENV = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "DO_NOT_TRACK": "1"}
"""It asks nobody but its upstream."""


def start(options: Mapping[str, Any], log_dir: Path | None, tell: Tell) -> Running:
    """Start the gateway and wait until it answers.

    Options: ``upstream`` (required: the id of another provider, which is started first), ``upstream_model`` (required:
    a model of that provider), ``alias`` (what the gateway's clients call it; default: as ``upstream_model``),
    ``python``, ``port``, ``ready_s``, ``args``, ``env``. It runs with an empty home and without our environment, tries
    nothing again and never rests its upstream, so that what is measured is one request for one.
    Raises ConfigError or UnknownName for a wrong option, EngineError when it cannot start or is a release that is known
    to be compromised.

    Source: docs.litellm.ai/docs/proxy/health and /configs, read 2026-11-26; ``litellm --help`` of 1.100.5.
    """
    asked = checked("litellm_proxy", options, _KNOWN, needed=("upstream", "upstream_model"))
    place = find(asked, program="litellm", distributions=("litellm",), hint="pip install 'litellm[proxy]==1.100.5'")
    if _COMPROMISED.fullmatch(place.version):
        raise EngineError(
            f"litellm {place.version} in {place.folder.parent} is known to be compromised; it was not started",
            hint="Delete that environment, and change every key that this machine held",
        )
    port = process.port_of(asked)
    with ExitStack() as stack:
        folder = log_dir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="litellm-")))
        config = folder / f"litellm_proxy-{port}.json"
        write_atomic(config, json.dumps(_config(asked), indent=2).encode())
        argv = [place.program("litellm"), "--config", str(config), "--host", HOST, "--port", str(port)]
        program = process.Program(
            *("litellm_proxy", argv, port, f"litellm {place.version}", "/health/liveliness", asked),
            env=_ENV,
            bin=place.folder,
            bare=True,
        )
        running = process.run(program, folder, tell)
        stack.callback(running.stop)
        return replace(running, stop=stack.pop_all().close)


def _config(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Its configuration; JSON is YAML."""
    model = {"model": f"openai/{asked['upstream_model']}", "api_base": asked["upstream"], "api_key": "none"}
    name = asked.get("alias", asked["upstream_model"])
    return {
        "model_list": [{"model_name": name, "litellm_params": model}],
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
        "litellm_settings": {"num_retries": 0},
    }
