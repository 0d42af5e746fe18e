"""Any program that serves the dialect: its command line is the user's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.engines import Running, Tell, installed, process
from harness.engines.options import ANY_PROGRAM, PATH, TEXT, TEXTS, checked, named, texts
from harness.errors import ConfigError

_KNOWN = {
    **{name: kind for name, kind in ANY_PROGRAM.items() if name != "args"},
    "argv": TEXTS,
    "ready": PATH,
    "base_path": PATH,
    "version": TEXT,
    "upstream": TEXT,
    "upstream_model": TEXT,
}
_FILLED = ("port", "upstream", "upstream_model")


def start(options: Mapping[str, Any], log_dir: Path | None, tell: Tell) -> Running:
    """Start a server and wait until it answers.

    Options: ``argv`` (required: the command and its arguments; no shell reads it), ``ready`` (path that answers GET
    with 200, or 401, once requests are served; /v1/models), ``base_path`` (what follows the address in its base URL;
    /v1), ``version`` (as you want it on record), ``upstream`` (the id of another provider, which is started first) and
    ``upstream_model``, ``port``, ``ready_s``, ``env``. ``{port}``, ``{upstream}`` (a base URL) and ``{upstream_model}``
    are filled in, in ``argv`` and ``env``. It has to listen on 127.0.0.1.
    Raises ConfigError or UnknownName for a wrong option, EngineError when it cannot start.
    """
    asked = checked("command", options, _KNOWN, needed=("argv",))
    argv, env = texts(asked, "argv"), named(asked, "env")
    if not argv:
        raise ConfigError("serve.argv of the engine command is empty, and must begin with a program")
    if "port" not in asked and not any("{port}" in text for text in (*argv, *env.values())):
        raise ConfigError("nothing tells the program its port", hint="Write {port} in serve.argv or serve.env")
    program = installed.program({"program": argv[0]}, argv[0], hint="serve.argv begins with one")
    port = process.port_of(asked)
    values = {**asked, "port": port}
    command = process.Program(
        *("command", [program, *(_filled(word, values) for word in argv[1:])], port),
        version=asked.get("version", f"{Path(program).name}, version not told"),
        health=asked.get("ready", "/v1/models"),
        options={**asked, "env": {name: _filled(text, values) for name, text in env.items()}},
        up=(200, 401),
        base_path=asked.get("base_path", "/v1").rstrip("/"),
    )
    return process.run(command, log_dir, tell)


def _filled(text: str, values: Mapping[str, Any]) -> str:
    for name in _FILLED:
        if name in values:
            text = text.replace(f"{{{name}}}", str(values[name]))
    return text
