"""Compares mathematical expressions, one JSON line in and one out, for as long as standard input is open.

A process of its own, since such a comparison may take for ever or all memory there is: ``9**9**9`` does both. The time
limits of math-verify itself rest on an alarm that only a main thread can have, so they are off, and whoever asks kills
this process. Run by path: it needs math-verify, and nothing of this package.
"""

from __future__ import annotations

import json
import logging
import resource
import signal
import sys
from contextlib import suppress

_ALARM_S = 60
"""Nobody waits so long: whoever asked is gone."""


def main() -> None:
    """Answer until nobody asks; argument: bytes of memory that may be used."""
    most = int(sys.argv[1])
    with suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.disable(logging.CRITICAL)
    from math_verify import parse, verify  # noqa: PLC0415 - under the limits that were just set

    def equal(gold: str, answer: str) -> bool:
        read = [parse(rf"\boxed{{{text}}}", parsing_timeout=None) for text in (gold, answer)]
        return bool(verify(*read, timeout_seconds=None))

    out, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    print(json.dumps({"ready": True}), file=out, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        signal.alarm(_ALARM_S)
        try:
            said: dict[str, bool | str] = {"equal": equal(asked["gold"], asked["answer"])}
        except Exception as error:  # noqa: BLE001 - a parser of anything may raise anything
            said = {"error": type(error).__name__}
        signal.alarm(0)
        print(json.dumps(said), file=out, flush=True)


if __name__ == "__main__":
    main()
