"""Errors that reach a user, each with its exit code; what a server does wrong is a Failure, not an error.

HarnessError
+- UsageError       2  the command line or a user's file is wrong
|  +- ConfigError   2  providers.yaml (file, line and field), or a key or variable that it names is not set
|  +- UnknownName   2  no such provider, model, task...: offers the nearest names
|  +- TaskError     2  a task file is wrong
+- CannotMeasure    3  nothing could be measured: target down, network gone
|  +- EngineError   3  a local server would not start, or ended by itself
+- StoreError       5  results are busy, read-only, full or corrupt
+- Interrupted    130  broken off while a run was judged
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

EXIT_CODES: Mapping[int, str] = {
    0: "done",
    1: "a gate failed, or something drifted, or `harness doctor` found what has to be mended",
    2: "usage or configuration, a missing key too: one line says what, where and how to mend it",
    3: "could not measure: target down, a worker lost, a server that is started for the run would not start, or ended "
    "by itself",
    4: "inconclusive: what was asked could not be told (0 with `--lenient`)",
    5: "results cannot be read or written: busy, unwritable, full or corrupt",
    130: "ended early: before its plan or its judging, by Ctrl-C or a budget (`--max-cost`, `--max-total-tokens`, "
    "`--max-requests`, `--max-duration`); what was there is sealed",
}
"""What every exit code of the command line means; help and documentation are made of it."""
_LISTED = 24
"""Names that one line can hold."""


class HarnessError(Exception):
    """A problem that is told to the user in one line and ends the command with ``exit_code``."""

    exit_code = 1

    def __init__(self, what: str, *, hint: str = "") -> None:
        """``what`` says what is wrong and where; ``hint`` says how to mend it."""
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        """What is wrong and how to mend it, on one line."""
        return f"{self.what}. {self.hint}" if self.hint else self.what


class UsageError(HarnessError):
    """The command line or a user's file is wrong."""

    exit_code = 2


class ConfigError(UsageError):
    """A field of ``providers.yaml`` is wrong."""


class TaskError(UsageError):
    """A task file or its data is wrong."""


class UnknownName(UsageError):  # noqa: N818 - reads as what it is
    """A name that is not known, with the nearest ones that are."""

    def __init__(self, noun: str, name: str, known: Iterable[str], *, where: str = "") -> None:
        """``noun`` is the kind of thing; ``where`` tells where the list of known names can be seen."""
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        listed = f"Known: {', '.join(names[:_LISTED])}{more}." if names else ""
        hint = f"Did you mean {' or '.join(near)}?" if near else listed
        super().__init__(f"unknown {noun} {name!r}", hint=" ".join(part for part in (hint, where) if part))
        self.near = near


class CannotMeasure(HarnessError):  # noqa: N818 - reads as what it is
    """Nothing could be measured: the target is down, the network is gone, a cloud gives no token."""

    exit_code = 3


class EngineError(CannotMeasure):
    """A local server could not be started, or ended by itself."""


class StoreError(HarnessError):
    """Results are busy, read-only, full or corrupt."""

    exit_code = 5


class Interrupted(HarnessError):  # noqa: N818 - reads as what it is
    """The user broke off what can be taken up again."""

    exit_code = 130
