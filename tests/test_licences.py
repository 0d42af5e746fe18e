"""What a user installs binds them to nothing but notices; `make coverage` decides by lines and tells branches."""

from __future__ import annotations

import pytest
from covered import told
from licences import copyleft, listed


def test_no_package_of_a_user_is_copyleft() -> None:
    """Of all that are installed, with every extra but those of a checkout."""
    found = list(listed())
    assert len(found) > 40
    assert [one for one in found if copyleft(one[2])] == []


@pytest.mark.parametrize(
    ("licence", "bound"),
    [
        ("MIT", False),
        ("GNU General Public License v3 (GPLv3)", True),
        ("GPL-3.0-or-later", True),
        ("AGPL-3.0-only", True),
        ("GPL-2.0-only OR MIT", False),
        ("GNU Lesser General Public License v2 (LGPLv2)", False),
        ("MPL-2.0", False),
        ("not told", False),
    ],
)
def test_copyleft_is_told(licence: str, bound: bool) -> None:
    """By name; a choice that leaves a way out is none, and weak copyleft of a library is none."""
    assert copyleft(licence) is bound


@pytest.mark.parametrize(
    ("lines", "branches", "enough", "said"),
    [(92, 70, True, "lines 92.0 %, branches 70.0 %"), (91, 99, False, "lines 91.0 %, branches 99.0 %: under 92 %")],
)
def test_lines_decide_and_branches_are_told(lines: int, branches: int, enough: bool, said: str) -> None:
    """Of a hundred each."""
    totals = {"covered_lines": lines, "num_statements": 100, "covered_branches": branches, "num_branches": 100}
    assert told(totals, 92) == (enough, said)
