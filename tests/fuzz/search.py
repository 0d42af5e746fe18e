"""A coverage-guided search for bytes that break a target: ``python -m fuzz.search TARGET CORPUS [OPTION...]``.

The corpus is a folder; it begins with the streams of ``tests/streams`` and a line of a journal. What is found is
written to ``crash-*`` and becomes a case of the table in ``tests/test_fuzz.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["harness"]):
    from fuzz.seeds import SEEDS
    from fuzz.targets import TARGETS


def main() -> None:
    """Fill the corpus where it is empty, and search until the options say that it is enough."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]()):
        (folder / f"seed-{number}").write_bytes(seed)
    target = TARGETS[name]
    atheris.Setup([sys.argv[0], str(folder), *sys.argv[3:]], target)
    atheris.Fuzz()


main()
