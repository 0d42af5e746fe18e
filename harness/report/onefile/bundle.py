"""The script that draws the charts: a small part of plotly.js kept beside this file, or the whole one of plotly."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import NamedTuple

_VERSION = re.compile(r"plotly\.js \([a-z-]+ - minified\) v(\d+\.\d+\.\d+)")
_HEAD = 400
"""Characters of a bundle in which it says what it is."""


class Bundle(NamedTuple):
    """A script that defines ``Plotly``."""

    text: str
    version: str
    """Empty: it does not say."""
    whole: bool
    """Whether it is all of plotly.js, three times as large."""


def bundle() -> Bundle:
    """What goes into a report: the small script, where it is there and of the version that figures are made for."""
    # plotly reads its version from a file of its own; no chart is made in vain.
    from plotly.offline import get_plotlyjs, get_plotlyjs_version  # noqa: PLC0415 - heavy

    made_for = get_plotlyjs_version()
    kept = files("harness.report.onefile").joinpath("vendor/plotly-cartesian.min.js")
    if kept.is_file():
        text = kept.read_text("utf-8")
        version = version_of(text)
        if version.partition(".")[0] == made_for.partition(".")[0]:
            return Bundle(text, version, whole=False)
    return Bundle(get_plotlyjs(), made_for, whole=True)


def version_of(text: str) -> str:
    """What a bundle says of itself in its first lines."""
    found = _VERSION.search(text[:_HEAD])
    return found[1] if found else ""
