"""The pages as the site's generator reads them, and a look at what came of it: `make docs`.

``site_pages.py pages`` writes docs/ into build/docs with what is ours taken out of it; ``site_pages.py foreign`` fails
where a page of build/site would load something from another site.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
_NAMED = re.compile(r"^(`{3,}\w+) \S+$", re.MULTILINE)
"""A fence with the name of a file, by which tests find its content: the generator would take it for text."""
_LOADED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^\"' >]+")


def as_read(text: str) -> str:
    """A page without the names of files behind its fences."""
    return _NAMED.sub(r"\1", text)


def foreign(html: str) -> list[str]:
    """Scripts, styles and pictures that a page loads from elsewhere; links that a reader follows are none."""
    return _LOADED.findall(html)


def pages(source: Path, target: Path) -> None:
    """Write all pages and pictures anew."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    for path in target.rglob("*.md"):
        path.write_text(as_read(path.read_text("utf-8")), "utf-8")


def loaded(site: Path) -> Iterator[str]:
    """What any page of a built site loads from elsewhere."""
    for path in sorted(site.rglob("*.html")):
        yield from (f"{path.relative_to(site)}: {one}" for one in foreign(path.read_text("utf-8")))


def main() -> int:
    """See the module."""
    if sys.argv[1] == "pages":
        pages(ROOT / "docs", ROOT / "build" / "docs")
        return 0
    found = list(loaded(ROOT / "build" / "site"))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
