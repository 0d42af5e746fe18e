"""What people know of their nights: a reviewed file of dates with a text each, such as a deployment or an incident.

``annotations.yaml`` in the results folder, and one in the working folder beside the rest of a project. What others
wrote stands in ``team-annotations.yaml``, which ``harness pull`` and ``harness sync`` write anew each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, NoReturn

from harness.config.file import Document, as_text, read_plain
from harness.errors import ConfigError, UnknownName
from harness.record.folder import write_atomic
from harness.types import JsonObject

FILE_NAME = "annotations.yaml"
TEAM_FILE_NAME = "team-annotations.yaml"
_FIELDS = ("date", "text", "endpoint")
LONGEST = 500
"""Characters of a text."""
_TEAM_HEAD = "# What others wrote, as the team's store has it. Each `harness pull` writes it anew.\n"


class Annotation(NamedTuple):
    """Something that happened."""

    at: datetime
    """UTC without a zone, as the store has it; a day is its beginning."""
    text: str
    endpoint: str | None
    """``provider/model``, or a provider's name for all of its; None: all endpoints."""

    def is_about(self, endpoint: str) -> bool:
        """Whether it concerns an endpoint."""
        return self.endpoint in (None, endpoint, endpoint.partition("/")[0])


def notes(results: Path) -> list[Annotation]:
    """Those of all files in the order of their dates, each once; empty where there is no file.

    Raises:
        ConfigError: a file has a mistake, told as ``file:line: field: what is wrong``.
    """
    team = results / TEAM_FILE_NAME
    found = [*own(results), *(read(team) if team.is_file() else ())]
    return sorted(dict.fromkeys(found), key=lambda one: (one.at, one.text, one.endpoint or ""))


def own(results: Path) -> list[Annotation]:
    """Those that were written here, not those of a team. Errors: as ``notes``."""
    paths = dict.fromkeys(path.resolve() for path in (results / FILE_NAME, Path(FILE_NAME)))
    return [one for path in paths if path.is_file() for one in read(path)]


def write_team(results: Path, annotations: Sequence[Annotation]) -> None:
    """Replace what others wrote; StoreError when the file cannot be written."""
    listed = [as_mapping(one) for one in annotations]
    write_atomic(results / TEAM_FILE_NAME, (_TEAM_HEAD + as_text({"annotations": listed})).encode())


def as_mapping(one: Annotation) -> JsonObject:
    """An annotation as its file has it."""
    about = {"date": one.at.isoformat(), "text": one.text}
    return about if one.endpoint is None else about | {"endpoint": one.endpoint}


def read(path: Path) -> list[Annotation]:
    """The annotations of one file, in its order. Errors: as ``notes``."""
    document = read_plain(path, empty="the file is empty; it should begin with annotations:")
    value = document.value
    if not isinstance(value, dict) or list(value) != ["annotations"]:
        _refuse(document, (), "should have one field, annotations:, a list of date, text and endpoint")
    listed = value["annotations"]
    if not isinstance(listed, list):
        _refuse(document, ("annotations",), "should be a list")
    return list(_each(document, listed))


def _each(document: Document, listed: Sequence[object]) -> Iterator[Annotation]:
    for place, one in enumerate(listed):
        where = ("annotations", place)
        if not isinstance(one, dict):
            _refuse(document, where, "should have the fields date and text, and may have endpoint")
        for name in one:
            if name not in _FIELDS:
                _refuse(document, (*where, name), str(UnknownName("field", name, _FIELDS)))
        for name in ("date", "text"):
            if name not in one:
                _refuse(document, where, f"lacks {name}")
        text, endpoint = one["text"], one.get("endpoint")
        if not isinstance(text, str) or not 0 < len(text.strip()) <= LONGEST:
            _refuse(document, (*where, "text"), f"should be a text of 1 to {LONGEST} characters")
        if endpoint is not None and not isinstance(endpoint, str):
            _refuse(document, (*where, "endpoint"), "should be PROVIDER/MODEL or the name of a provider")
        yield Annotation(_moment(document, (*where, "date"), one["date"]), text.strip(), endpoint)


def _moment(document: Document, where: tuple[str | int, ...], value: object) -> datetime:
    try:
        at = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        _refuse(document, where, "should be a date such as 2026-11-05 or 2026-11-05T14:30, in UTC unless it says more")
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at


def _refuse(document: Document, where: tuple[str | int, ...], words: str) -> NoReturn:
    raise ConfigError(f"{document.place(*where)}: {words}")
