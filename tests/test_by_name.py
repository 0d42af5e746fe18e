"""Scorers by name: the notation, what is offered, and what goes wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.errors import HarnessError
from harness.scorers import by_name
from harness.scorers.exact import exact
from harness.scorers.similarity import similarity

NAMED = {
    "numeric": "numeric",
    "numeric:tolerance=0.01": "numeric(tolerance=0.01)",
    "exact:ignore_case": "exact(ignore_case)",
    "exact:ignore_case, ignore_punctuation": "exact(ignore_case,ignore_punctuation)",
    "exact:ignore_case=false,ignore_punctuation=true": "exact(ignore_punctuation)",
    "choice:ABCDE": "choice(ABCDE)",
    r"regex:^\d+, a=b:c$": r"regex(^\d+, a=b:c$)",
    "includes:every,ignore_case": "includes(every,ignore_case)",
    'json_schema:{"type": "object", "required": ["a", "b"]}': "json_schema",
    "similarity:rouge_l,threshold=0.5": "similarity(rouge_l,threshold=0.5)",
    "similarity:metric=bleu": "similarity(bleu)",
    "tool_call": "tool_call",
}


@pytest.mark.parametrize("spec", NAMED)
def test_a_name_with_options_makes_its_scorer(spec: str) -> None:
    """Flags, values and the rest of the line for a scorer with one option."""
    assert by_name.scorer(spec).name == NAMED[spec]


WRONG = {
    "exct": "unknown scorer 'exct'. Did you mean exact? See: harness tasks scorers",
    "": "unknown scorer ''",
    "../exact": "unknown scorer",
    "strict_json": "unknown scorer 'strict_json'",
    "per_row": "unknown scorer 'per_row'",
    "exact:ignorecase": "unknown option of the scorer exact 'ignorecase'. Did you mean ignore_case",
    "exact:ignore_case=maybe": 'ignore_case is true or false, not "maybe"',
    "exact:ignore_case,ignore_case": "ignore_case is given twice",
    "numeric:0.01": "unknown option of the scorer numeric '0.01'. Known: tolerance",
    "numeric:tolerance=much": "the tolerance of numeric is a number, 0 or more, not 'much'",
    "numeric:tolerance=-1": "0 or more, not '-1'",
    "numeric:tolerance=nan": "0 or more, not 'nan'",
    "similarity:rouge": "Did you mean rouge_l?",
    "similarity:threshold=high": "threshold is a number",
    "json_schema:[]": "schema is a JSON object",
    "json_schema:{": "schema is a JSON object",
    'json_schema:{"type": "objct"}': "not a JSON Schema",
    "regex:(": "not a regular expression",
    "choice:A-": "distinct letters",
    "choice:": "distinct letters",
    "tool_call:x": "the scorer tool_call has no options",
}


@pytest.mark.parametrize("spec", WRONG)
def test_a_wrong_name_or_option_is_one_line(spec: str) -> None:
    """The nearest name is offered, and no traceback is."""
    with pytest.raises(HarnessError) as told:
        by_name.scorer(spec)
    assert WRONG[spec] in str(told.value)
    assert len(str(told.value).splitlines()) == 1


def test_every_scorer_that_is_offered_can_be_made_by_its_example() -> None:
    """Each has a line that says what it does, and its example works."""
    found = {one.name: one for one in by_name.known()}
    assert {"assertions", "choice", "exact", "includes", "json_schema", "numeric", "regex", "similarity"} <= set(found)
    for one in found.values():
        assert one.summary.endswith(".")
        assert by_name.scorer(one.example).version >= 1


def test_the_list_imports_no_scorer() -> None:
    """What a scorer needs is paid for when it is used."""
    code = (
        "import sys\nfrom harness.scorers import by_name\nassert by_name.known()\n"
        "heavy = ('jsonschema', 'regex', 'sacrebleu', 'harness.scorers.numeric')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_notation_and_the_function_give_the_same() -> None:
    """A task file and the command line name one scorer alike."""
    assert by_name.scorer("exact:ignore_case").name == exact(ignore_case=True).name
    assert by_name.scorer("similarity:ratio").name == similarity("ratio").name
