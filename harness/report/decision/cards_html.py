"""Verdict cards as HTML, for the page and for the one-file report; colours follow the text around them."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.charts.marks import Marks, colour, glyph
from harness.report.decision.told import Card
from harness.report.inert import markup

STYLE = """<style>
.eh-cards {display:grid; grid-template-columns:repeat(auto-fill,minmax(15rem,1fr)); gap:.7rem; margin:.2rem 0}
.eh-cards > div {border:1px solid rgba(128,128,128,.35); border-radius:.5rem; padding:.6rem .8rem;
  font-size:.875rem; line-height:1.4; overflow-wrap:anywhere}
.eh-cards .what {opacity:.75}
.eh-cards .best {font-weight:600; font-size:1rem}
.eh-cards .less {opacity:.75; font-size:.8125rem}
.eh-cards span {display:block}
.eh-cards .best i {font-style:normal; display:inline-block; width:1.3em}
.eh-answer {font-size:1.0625rem; line-height:1.5; margin:.1rem 0 .5rem; overflow-wrap:anywhere}
</style>"""
_SHOWN = 3
"""Names that are spelt out; the others are counted."""


def as_html(cards: Sequence[Card], marks: Marks) -> str:
    """The cards as one list."""
    return (
        f'<div class="eh-cards" role="list" aria-label="Verdicts">{"".join(_item(one, marks) for one in cards)}</div>'
    )


def answer_html(sentences: Sequence[str]) -> str:
    """The sentences that are read aloud."""
    return "".join(f'<p class="eh-answer">{markup(sentence)}</p>' for sentence in sentences)


def _item(card: Card, marks: Marks) -> str:
    lines = [f'<span class="what">{markup(card.title)}</span>']
    if card.best is None:
        lines.append(f'<span class="less">Not measured: {markup(card.said)}.</span>')
        return f'<div role="listitem">{"".join(lines)}</div>'
    mark = marks[card.best]
    shape = f'<i aria-hidden="true" style="color:{colour(mark)}">{glyph(mark)}</i>'
    lines.append(f'<span class="best">{shape}{markup(card.best)}</span><span>{markup(card.said)}</span>')
    lines.append(f"<span>{markup(f'{card.standing} {named(card.tied)}'.strip())}</span>")
    if card.missing:
        lines.append(f'<span class="less">not known of {markup(named(card.missing))}</span>')
    return f'<div role="listitem">{"".join(lines)}</div>'


def named(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = [f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return ", ".join([*names[:_SHOWN], *more])
