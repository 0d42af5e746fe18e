"""A document as one HTML file: everything in it, nothing fetched, no script but our own two.

The page's own rules (Content-Security-Policy) forbid every address, and every script but those whose sums they name:
even text that became markup by a mistake of ours could neither run nor ask for anything.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from itertools import count, groupby

from harness.report.charts.marks import Marks, colour, glyph
from harness.report.decision import cards_html
from harness.report.document import Block, Cards, Chart, Document, Grid, Note, Part, Said
from harness.report.inert import markup
from harness.report.onefile.bundle import Bundle

_OUTSIDE = "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
_UNSAFE = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}
"""What could end a script or begin a comment inside of one."""
_LONG = 28
"""Characters from which on a number with its interval may be broken into lines."""


def as_json(value: object) -> str:
    """JSON that can stand inside a script element whatever it holds."""
    return json.dumps(value, separators=(",", ":"), default=str).translate(_UNSAFE)


def _sum(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def _packed(script: str) -> str:
    """The large script in a third of its size; the page unpacks it, and its sum is that of what was packed."""
    return base64.b64encode(gzip.compress(script.encode(), mtime=0)).decode()


def _own(name: str) -> str:
    return files("harness.report.onefile").joinpath(name).read_text("utf-8")


def _kind(block: Block) -> str:
    """What stands together: charts side by side, lines of one weight as a list; empty: nothing."""
    return "chart" if isinstance(block, Chart) else block.weight if isinstance(block, Note) else ""


class Page:
    """Writes documents; ``marks`` gives endpoints their look."""

    def __init__(self, marks: Marks, script: Bundle) -> None:
        self._marks = marks
        self._script = script
        self._figures: dict[int, str] = {}
        self._numbers = count(1)

    def html(self, document: Document) -> str:
        """The whole file."""
        self._numbers = count(1)
        return "".join(self._lines(document))

    def _lines(self, document: Document) -> Iterator[str]:
        script = self._script
        own = _own("page.js")
        allowed = f"{_sum(script.text)} {_sum(own)}"
        policy = f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; {_OUTSIDE}"
        title = markup(document.title)
        yield '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        yield f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">'
        yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
        yield f"<title>{title}</title><style>{_own('page.css')}</style>{cards_html.STYLE}</head>\n<body>"
        yield '<a class="skip" href="#report">Skip to the report</a>'
        yield f"<header><h1>{title}</h1>{''.join(map(self._note, document.about))}</header>"
        anchors = [f"s{place}" for place in range(1, len(document.parts) + 1)]
        links = (
            f'<li><a href="#{anchor}">{markup(part.title)}</a></li>'
            for anchor, part in zip(anchors, document.parts, strict=True)
        )
        yield f'<nav aria-label="Contents"><ol>{"".join(links)}</ol></nav>\n<main id="report" tabindex="-1">'
        yield '<p class="unscripted">Charts need scripts and a browser of 2023 or newer; the tables do not.</p>'
        for anchor, part in zip(anchors, document.parts, strict=True):
            yield from self._part(part, 2, anchor)
        yield f"</main>\n<footer>{''.join(map(self._note, document.foot))}</footer>\n"
        yield f'<script type="application/json" id="numbers">{as_json(document.numbers)}</script>\n'
        yield f'<script type="application/gzip" id="drawing">{_packed(script.text)}</script>\n'
        yield f"<script>{own}</script>\n"
        yield "</body></html>\n"

    def _part(self, part: Part, level: int, anchor: str) -> Iterator[str]:
        head = f'<h{level} id="{anchor}">{markup(part.title)}</h{level}>'
        deeper = min(level + 1, 5)
        if part.folded:
            yield f"<details><summary>{head}</summary>"
        else:
            yield f'<section aria-labelledby="{anchor}">{head}'
        for kind, run in groupby(part.blocks, _kind):
            blocks = list(run)
            if kind == "chart":
                yield f'<div class="charts">{"".join(map(self._chart, blocks))}</div>'
                continue
            if kind not in ("", "command") and len(blocks) > 1:
                lines = "".join(f"<li>{markup(block.text)}</li>" for block in blocks if isinstance(block, Note))
                yield f'<ul class="{kind}">{lines}</ul>'
                continue
            for block in blocks:
                yield from self._block(block, deeper)
        yield "</details>\n" if part.folded else "</section>\n"

    def _block(self, block: Block, level: int) -> Iterator[str]:
        if isinstance(block, Part):
            yield from self._part(block, level, f"p{next(self._numbers)}")
        elif isinstance(block, Grid):
            yield self._grid(block)
        elif isinstance(block, Note):
            yield self._note(block)
        elif isinstance(block, Cards):
            yield cards_html.as_html(block.cards, self._marks)
        elif isinstance(block, Said):
            yield f'<p class="strong">{markup(block.title)}</p><pre tabindex="0" dir="auto">{markup(block.text)}</pre>'

    def _note(self, note: Note) -> str:
        if note.weight == "command":
            return f'<pre tabindex="0">{markup(note.text)}</pre>\n'
        kind = "" if note.weight == "plain" else f' class="{note.weight}"'
        return f"<p{kind}>{markup(note.text)}</p>\n"

    def _chart(self, block: Block) -> str:
        assert isinstance(block, Chart)
        height = block.figure.layout.height or 380
        notes = "".join(f'<p class="quiet">{markup(text)}</p>' for text in block.notes)
        numbers = f"<details><summary>Numbers of this chart</summary>{self._grid(block.numbers)}</details>"
        return (
            f"<figure><figcaption>{markup(block.title)}</figcaption>"
            f'<div class="plot" role="img" aria-label="{markup(block.says)}" style="height:{height:g}px"></div>'
            f'<script type="application/json">{self._figure(block)}</script>{notes}{numbers}</figure>\n'
        )

    def _figure(self, block: Chart) -> str:
        """What plotly.js draws, as text; a document that is written again in a smaller form has the same ones."""
        if id(block.figure) not in self._figures:
            figure = json.loads(block.figure.to_json())
            # Without it plotly.js has its own plain look; the page gives colours of text and rules.
            figure["layout"].pop("template", None)
            self._figures[id(block.figure)] = as_json(figure)
        return self._figures[id(block.figure)]

    def _grid(self, grid: Grid) -> str:
        kinds = ["w" if place < grid.words_first else "n" for place in range(len(grid.columns))]
        marked = grid.columns.index("endpoint") if "endpoint" in grid.columns else None
        head = "".join(
            f'<th scope="col" class="{kind}">{markup(name)}</th>'
            for kind, name in zip(kinds, grid.columns, strict=True)
        )
        body = "".join(f"<tr>{''.join(self._cells(row, kinds, marked))}</tr>" for row in grid.rows)
        title = markup(grid.title)
        return (
            f'<div class="scroll" tabindex="0" role="group" aria-label="{title}"><table><caption>{title}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>\n"
        )

    def _cells(self, row: Sequence[str], kinds: Sequence[str], marked: int | None) -> Iterator[str]:
        for place, (cell, kind) in enumerate(zip(row, kinds, strict=True)):
            tag, scope = ("th", ' scope="row"') if place == 0 else ("td", "")
            mark = self._mark(cell) if place == marked and cell in self._marks else ""
            look = f"{kind} long" if kind == "n" and len(cell) > _LONG else kind
            look = f"{look} e" if place == marked else look
            yield f'<{tag}{scope} class="{look}">{mark}{markup(cell)}</{tag}>'

    def _mark(self, endpoint: str) -> str:
        """The shape and colour of this endpoint in the charts."""
        mark = self._marks[endpoint]
        return f'<span class="mark" aria-hidden="true" style="color:{colour(mark)}">{glyph(mark)}</span>'
