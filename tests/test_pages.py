"""The pages in docs/ say what the code says."""

from __future__ import annotations

import pytest
from pages import DOCS, parts, renewed

PARTS = parts()


@pytest.mark.parametrize("page", sorted(PARTS), ids="-".join)
def test_a_page_is_up_to_date(page: tuple[str, str]) -> None:
    """What stands between its comments is what `make pages` would write."""
    text = (DOCS / page[0]).read_text("utf-8")
    assert renewed(text, page[1], PARTS[page]) == text, "run: make pages"
