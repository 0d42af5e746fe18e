"""A file of the user's own prompts as a task: columns, templates, choices, and what goes wrong in it."""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made import catalog, endpoint, reply

from harness.errors import HarnessError, TaskError
from harness.prompts import choices, columns, template
from harness.prompts.filed import Filed, file_named, name_of
from harness.prompts.task import task_of
from harness.run.planning.plan import Plan, make
from harness.run.planning.samples import samples_of
from harness.run.selecting.selection import Selection
from harness.types import Sample


def filed(path: Path, **about: Any) -> Filed:
    """A file with what was said about it; scored by ``exact`` where nothing else was said."""
    return Filed("mine", str(path.resolve()), **{"scorer": "exact", **about})


def samples(path: Path, **about: Any) -> tuple[Sample, ...]:
    """Its samples, checked as before a run."""
    return samples_of(task_of(filed(path, **about)), None, None)


def jsonl(folder: Path, *rows: Any) -> Path:
    """A JSONL file of these rows; a string is a line as it stands."""
    path = folder / "mine.jsonl"
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def text(sample: Sample) -> str:
    """What the user says last."""
    return str(sample.messages[-1]["content"])


# --- columns ---------------------------------------------------------------------------------------------

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
TOOL = {"name": "f", "parameters": {"type": "object"}}


@pytest.mark.parametrize("asked", ["prompt", "question", "input"])
@pytest.mark.parametrize("target", ["target", "answer", "expected", "ideal"])
def test_a_question_and_an_answer_are_enough(tmp_path: Path, asked: str, target: str) -> None:
    """Under any usual name; ids are the numbers of the rows, what else there is becomes metadata."""
    (sample,) = samples(jsonl(tmp_path, {asked: "2 + 2?", target: "4", "level": 1}))
    assert (sample.id, sample.messages) == ("0001", ({"role": "user", "content": "2 + 2?"},))
    assert (sample.target, sample.metadata) == ("4", {"level": 1})
    assert sample.params == {"temperature": 0.0, "max_tokens": 512}
    assert sample.place.endswith("mine.jsonl line 1")


def test_every_column_is_taken(tmp_path: Path) -> None:
    """Id, system, tools in either form, parameters over the usual ones, turns, metadata."""
    row = {
        "id": 7,
        "system": "Be brief.",
        "question": "Hi",
        "target": "a",
        "tools": [TOOL, {"type": "function", "function": TOOL}],
        "params": {"temperature": None, "max_completion_tokens": 9, "tool_choice": "auto"},
        "turns": ["And?"],
        "metadata": {"level": 1},
        "other": True,
    }
    (sample,) = samples(jsonl(tmp_path, row))
    assert sample.id == "7"
    assert sample.messages == tuple(CHAT)
    assert sample.tools == ({"type": "function", "function": TOOL},) * 2
    assert sample.params == {"max_completion_tokens": 9, "tool_choice": "auto"}
    assert (sample.turns, sample.metadata) == (("And?",), {"level": 1, "other": True})
    assert task_of(filed(jsonl(tmp_path, row))).kind == "tools"


def test_rows_of_openai_evals_are_read(tmp_path: Path) -> None:
    """Messages as the input, one or several ideal answers."""
    path = jsonl(tmp_path, {"input": CHAT, "ideal": ["Hello", "Hi"]}, {"input": "Say no", "ideal": "no"})
    first, second = samples(path, scorer="includes:start")
    assert (first.messages, first.target) == (tuple(CHAT), ["Hello", "Hi"])
    assert (text(second), second.target) == ("Say no", "no")


def test_a_system_message_goes_before_rows_without_one(tmp_path: Path) -> None:
    """The row's own comes first."""
    path = jsonl(tmp_path, {"messages": CHAT, "target": ""}, {"messages": CHAT[1:], "target": "a"})
    one, other = samples(path, system="Speak French.")
    assert [message["content"] for message in (*one.messages, *other.messages)] == [
        "Be brief.",
        "Hi",
        "Speak French.",
        "Hi",
    ]
    path = jsonl(tmp_path, {"question": "Hi", "system": "Own", "target": "a"})
    assert samples(path, system="Speak French.")[0].messages[0]["content"] == "Own"


def test_a_table_of_text_holds_lists_and_objects_as_json(tmp_path: Path) -> None:
    """Empty cells are no values, numbers are texts, bars part choices; it may be packed."""
    path = tmp_path / "mine.csv.gz"
    rows = (
        "id,question,answer,tools,params,choices",
        'a,Weather?,"[{""name"": ""f""}]","[{""name"": ""f""}]","{""seed"": 1}",',
        ",Colour?,[2],,,",
    )
    path.write_bytes(gzip.compress("\n".join(rows).encode()))
    first, second = task_of(filed(path, scorer="regex:.")).load(None)
    assert (first.id, first.target, first.params["seed"]) == ("a", [{"name": "f"}], 1)
    assert (second.id, second.target, second.tools) == ("0002", "[2]", ())
    path = tmp_path / "choices.csv"
    path.write_text("question,answer,choices\nWhich?,blue,red | blue\n")
    (sample,) = samples(path, scorer="choice:AB")
    assert (sample.target, text(sample)) == ("B", "Which?\n\nA. red\nB. blue\nAnswer with the letter only.")


def test_what_is_read_is_told(tmp_path: Path) -> None:
    """In one line: which column asks, which is the target, what else is read or kept."""
    path = jsonl(tmp_path, {"question": "a", "answer": "b", "id": "1", "level": 1})
    told = task_of(filed(path, temperature=0.5, max_tokens=9)).description
    read = "asks the column question; target: answer; also read: id; kept as metadata: level"
    assert told.endswith(f"{read}; temperature 0.5, max_tokens 9")


# --- templates -------------------------------------------------------------------------------------------


def test_a_template_asks_with_any_columns(tmp_path: Path) -> None:
    """Doubled braces are text, values are put in once, lettered choices stand where they are named."""
    row = {"word": "{x}", "n": 2, "target": "A", "choices": ["a", "b"]}
    (sample,) = samples(jsonl(tmp_path, row), prompt="{{{word}}} {n}: {choices}", scorer="choice")
    assert text(sample) == "{{x}} 2: A. a\nB. b"
    (sample,) = samples(jsonl(tmp_path, row), prompt="{word}", scorer="choice")
    assert text(sample) == "{x}\n\nA. a\nB. b"


@given(st.text(alphabet="{}a %#.!|0_"), st.text(alphabet="{}ab"))
def test_a_template_is_filled_in_or_refused(text: str, value: str) -> None:
    """Nothing is carried out: whatever stands there, the value arrives as it is or one line says why not."""
    for fill in (template.fill, template.fill_double):
        try:
            filled = fill(text, {"a": value})
        except HarnessError as error:
            filled = str(error)
        assert len(filled.replace(value, "").splitlines()) <= 1
    assert template.fill("<{a}>", {"a": value}) == template.fill_double("<{{ a }}>", {"a": value}) == f"<{value}>"


def test_doubled_braces_name_parts_of_values() -> None:
    """Values are looked up, never computed."""
    values = {"user": {"name": "Ann", "tags": [1]}, "a.b": "dotted"}
    assert template.fill_double("{{user.name}} {{ user.tags }} {{a.b}} {{-user.name-}}", values) == "Ann [1] dotted Ann"
    for text_ in ("{{ user | upper }}", "{% if user %}", "{# note #}", "{{ 1 + 1 }}", "{{ user.name() }}", "{{}}"):
        with pytest.raises(TaskError, match="would need a template engine"):
            template.fill_double(text_, values)
    for text_ in ("{{ env.HOME }}", "{{ user.nme }}", "{{ user.name.x }}"):
        with pytest.raises(HarnessError, match="unknown field"):
            template.fill_double(text_, values)


# --- choices ---------------------------------------------------------------------------------------------

LETTERS = (
    ("B", ["x", "y"], "B"),
    ("b", ["x", "y"], "B"),
    ("y", ["x", "y"], "B"),
    (1, ["x", "y"], "B"),
    ("1", ["x", "y"], "B"),
    ("A", ["A", "B"], "A"),
    (2, ["0", "1", "2"], "C"),
)


@pytest.mark.parametrize(("target", "offered", "letter"), LETTERS)
def test_a_target_is_a_letter_a_text_or_an_index(target: Any, offered: list[str], letter: str) -> None:
    """Whatever it is, it means one of the options."""
    assert choices.letter(target, offered, "here") == letter


@pytest.mark.parametrize(
    ("target", "offered", "words"),
    [
        ("A", ["B", "A"], "could be A as the letter or B as the text"),
        (2, ["2", "3", "4"], "could be A as the text or C as the index"),
        ("C", ["x", "y"], "none of the 2 choices"),
        (7, ["x", "y"], "none of the 2 choices"),
        (True, ["x", "y"], "none of the 2 choices"),
        (None, ["x", "y"], "none of the 2 choices"),
    ],
)
def test_a_target_that_means_none_or_two_is_told(target: Any, offered: list[str], words: str) -> None:
    """It is not guessed at."""
    with pytest.raises(TaskError, match=words):
        choices.letter(target, offered, "here")


# --- what goes wrong -------------------------------------------------------------------------------------

GOOD = {"question": "a", "answer": "b"}
WRONG: dict[str, tuple[tuple[Any, ...], dict[str, Any], str]] = {
    "not JSON": ((GOOD, '{"question": '), {}, "mine.jsonl line 2: not JSON"),
    "no object": ((GOOD, "[1]"), {}, "mine.jsonl line 2: a row is a JSON object, this is a list"),
    "no rows": ((), {}, "mine.jsonl: no rows"),
    "no question": (({"qestion": "a", "answer": "b"},), {}, "line 1: no column with a question"),
    "the nearest": (({"qestion": "a", "answer": "b"},), {}, "Is qestion meant for question?"),
    "two questions": (({**GOOD, "input": "c"},), {}, "the columns question and input could each be a question"),
    "two targets": (({**GOOD, "ideal": "c"},), {}, "the columns answer and ideal could each be a target"),
    "a question lacks": ((GOOD, {"questoin": "a", "answer": "b"}), {}, "line 2: no column 'question'. Did you mean"),
    "an empty question": ((GOOD, {"question": " ", "answer": "b"}), {}, "line 2: there is nothing to ask"),
    "an unknown field": (
        (GOOD,),
        {"prompt": "{qestion}"},
        "unknown field of the template 'qestion'. Did you mean question",
    ),
    "a field lacks": (({**GOOD, "x": 1}, GOOD), {"prompt": "{x}"}, "line 2: no column 'x'"),
    "no field": ((GOOD,), {"prompt": "Say it."}, "the template 'Say it.' names no column, as in '{question}'"),
    "an empty template": ((GOOD,), {"prompt": ""}, "the template '' names no column"),
    "a lone brace": ((GOOD,), {"prompt": '{"a": {question}'}, "a lone {. Write {{"),
    "no target": ((GOOD, {"question": "a"}), {}, "line 2: the scorer exact needs a target: the column answer is empty"),
    "no target column": (({"question": "a", "anwser": "b"},), {}, "line 1: the scorer exact needs a target: no column"),
    "a wrong target": ((GOOD,), {"scorer": "numeric"}, "line 1: sample 0001: the target 'b' of scorer numeric"),
    "a number as a text": (
        ({**GOOD, "answer": 42},),
        {},
        "the target of exact is a string or a list of strings, not 42",
    ),
    "another target": ((GOOD,), {"target": "answr"}, "no column 'answr'. Did you mean answer?"),
    "an id twice": (({**GOOD, "id": 1}, {**GOOD, "id": "1"}), {}, "the id '1': "),
    "both lines": (({**GOOD, "id": 1}, {**GOOD, "id": "1"}), {}, "mine.jsonl line 1 and "),
    "an id of two lines": (({**GOOD, "id": "a\nb"},), {}, "line 1: column 'id' is a text of one line"),
    "an id that is a list": (({**GOOD, "id": [1]},), {}, "line 1: column 'id' is a text of one line"),
    "an endless id": (({**GOOD, "id": "a" * 999},), {}, "column 'id' has 999 characters"),
    "no messages": (({"messages": [], "answer": "b"},), {}, "column 'messages' is a list of messages, not []"),
    "a message without a role": (
        ({"messages": [{"content": "a"}], "answer": "b"},),
        {},
        "messages[0] is a message with",
    ),
    "a message without content": (
        ({"messages": [{"role": "user"}], "answer": "b"},),
        {},
        "messages[0] has no 'content'",
    ),
    "two system messages": (
        ({"messages": CHAT, "system": "x", "answer": "b"},),
        {},
        "column 'system', and the messages",
    ),
    "tools that are none": (({**GOOD, "tools": "search"},), {}, "column 'tools' is not JSON"),
    "a tool without a name": (({**GOOD, "tools": [{"description": "a"}]},), {}, "tools[0] has no name"),
    "params that are none": (({**GOOD, "params": [1]},), {}, "column 'params' is a JSON object"),
    "turns that are none": (({**GOOD, "turns": [1]},), {}, "column 'turns' is a list of texts"),
    "a choice of one": (({**GOOD, "choices": ["b"]},), {}, "column 'choices' is a list of 2 to 26"),
    "no such choice": (
        ({**GOOD, "answer": "e", "choices": ["c", "d"]},),
        {},
        'line 1: the target "e" is none of the 2 choices',
    ),
    "nobody scores": ((GOOD,), {"scorer": None}, "nobody says how it is to be scored. Give --scorer NAME"),
    "an unknown scorer": (
        ({**GOOD, "scorer": "exct"},),
        {"scorer": None},
        "line 1: column 'scorer': unknown scorer 'exct'",
    ),
    "a judge among others": (
        ({**GOOD, "scorer": "exact"}, {**GOOD, "scorer": "judge:polite"}),
        {"scorer": None},
        'mixes "judge:polite" with others',
    ),
    "a row without its scorer": (
        ({**GOOD, "scorer": "exact"}, GOOD),
        {"scorer": None},
        "line 2: column 'scorer' names no",
    ),
    "nested too deep": (("[" * 100_000,), {}, "not JSON"),
}


@pytest.mark.parametrize(("rows", "about", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_in_one_line(
    tmp_path: Path, rows: tuple[Any, ...], about: dict[str, Any], words: str
) -> None:
    """With file, line and column, before anything is sent."""
    with pytest.raises(HarnessError) as told:
        samples(jsonl(tmp_path, *rows), **about)
    assert words in str(told.value)
    assert len(str(told.value).splitlines()) == 1


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content", "name", "a"]), inner)
    ),
    max_leaves=6,
)
COLUMNS = (*columns.ASKED[:2], *columns.TARGETS[:1], *columns.OTHERS, "other")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(COLUMNS), JSON_VALUES), st.sampled_from([None, "{other}", "{prompt} {choices}"]))
def test_any_row_is_a_sample_or_one_line(row: dict[str, Any], prompt: str | None) -> None:
    """Whatever JSON stands in whichever column, nothing but an error with its place comes of it."""
    about = Filed("mine", "/nowhere/mine.jsonl", "exact", prompt)
    try:
        told = columns.sample_of(row, "here", 1, columns.take(row, "here", about), about).place
    except HarnessError as error:
        told = str(error)
    assert told
    assert len(told.splitlines()) == 1


def test_rows_may_name_their_scorers(tmp_path: Path) -> None:
    """One for all of them, or each its own; the command line's wins."""
    one, other = {**GOOD, "scorer": "numeric", "answer": 4}, {**GOOD, "scorer": "exact:ignore_case"}
    assert task_of(filed(jsonl(tmp_path, one), scorer=None)).scorer.name == "numeric"
    assert task_of(filed(jsonl(tmp_path, one))).scorer.name == "exact"
    task = task_of(filed(jsonl(tmp_path, one, other), scorer=None))
    said = reply("B")
    scores = [task.scorer.score(sample, said) for sample in samples_of(task, None, None)]
    assert [(score.scorer, score.value) for score in scores] == [("numeric", 0.0), ("exact(ignore_case)", 1.0)]


@pytest.mark.parametrize("scorer", ["regex:^a", "json_schema:{}", r"regex:\d"])
def test_a_scorer_that_needs_no_target_does_without(tmp_path: Path, scorer: str) -> None:
    """The answer alone is looked at."""
    (sample,) = samples(jsonl(tmp_path, {"question": "a"}), scorer=scorer)
    assert sample.target is None


# --- names and paths -------------------------------------------------------------------------------------


def test_a_word_is_a_file_by_its_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A suffix of a data file or a slash; the nearest name answers a mistyped one."""
    monkeypatch.chdir(tmp_path)
    jsonl(tmp_path, GOOD)
    (tmp_path / "notes.txt").write_text("a")
    (tmp_path / "rows").mkdir()
    assert file_named("arithmetic") is None
    assert file_named("my.task") is None
    assert file_named("mine.jsonl") == Path("mine.jsonl")
    for word, words in (
        ("mien.jsonl", "Did you mean mine.jsonl"),
        ("./notes.txt", "not a known kind"),
        ("a/b", "no such"),
        ("./rows", "rows is a folder. Name the data files in it"),
    ):
        with pytest.raises(TaskError, match=words):
            file_named(word)


def test_a_task_is_named_after_its_file() -> None:
    """By its stem, with what a name may hold, and another one where that is taken."""
    assert name_of(Path("a/my file (1).jsonl.gz"), ()) == "my-file-1"
    assert name_of(Path("arithmetic.jsonl"), ("arithmetic",)) == "arithmetic.jsonl"
    assert name_of(Path("b/mine.csv"), ("mine", "mine.csv")) == "mine-2"
    assert name_of(Path("问.csv"), ()) == "prompts"


# --- in a plan -------------------------------------------------------------------------------------------


def plan(selection: Selection) -> Plan:
    """The plan of files alone."""
    return make(selection, catalog(), [endpoint()])


def test_a_selection_holds_all_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written as JSON and read again, from another folder, it gives the same plan; another file gives another."""
    path = jsonl(tmp_path, GOOD, {"question": "c", "answer": "d"})
    file = filed(path, prompt="Say {answer}", system="s", temperature=0.5)
    selection = Selection(suite="mine", endpoints=("p/m",), tasks=("mine:1",), files=(file,))
    lines = plan(selection).lines()
    assert len(lines.splitlines()) == 1
    monkeypatch.chdir("/")
    stored = json.loads(json.dumps(asdict(selection)))
    assert Selection.from_json(stored) == selection
    assert plan(Selection.from_json(stored)).lines() == lines
    jsonl(tmp_path, {"question": "a", "answer": "changed"})
    assert plan(selection).lines() != lines
