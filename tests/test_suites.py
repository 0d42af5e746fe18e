"""Files in promptfoo's form: prompts times tests, with their assertions, by plain substitution."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made import reply

from harness.errors import HarnessError
from harness.prompts.filed import Filed
from harness.prompts.task import task_of
from harness.run.planning.samples import samples_of
from harness.scorers.assertions import TYPES
from harness.types import Sample

ONE = "tests: [{vars: {x: a}, assert: [{type: contains, value: a}]}]\n"


def written(folder: Path, text: str, name: str = "promptfooconfig.yaml") -> Path:
    """A file of this text."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def samples(path: Path, **about: Any) -> tuple[Sample, ...]:
    """Its samples, checked as before a run."""
    return samples_of(task_of(Filed("suite", str(path.resolve()), **about)), None, None)


def text(sample: Sample) -> str:
    """What the user says last."""
    return str(sample.messages[-1]["content"])


WHOLE = """
description: Capitals
providers: [openai:gpt-x, {id: anthropic:y, config: {apiKey: sk-ant-not-a-real-one}}]
prompts:
  - 'Capital of {{country}}? {{ note }}'
  - - {role: system, content: 'You know {{country}}.'}
    - {role: user, content: 'Its capital?'}
  - raw: '[{"role": "user", "content": "Tell: {{country}}"}]'
    label: as JSON
defaultTest:
  vars: {note: Briefly.}
  threshold: 0.5
  assert:
    - {type: not-icontains, value: sorry}
tests:
  - description: France
    vars: {country: France, answer: Paris}
    assert:
      - {type: contains, value: '{{answer}}', weight: 2, metric: right}
      - type: regex
        value: ^\\w+$
  - vars: {country: [Italy, Spain]}
    options: {suffix: ' Now.', disableDefaultAsserts: true}
    threshold: 1
    assert: [{type: contains-any, value: [Rome, '{{country}}']}]
evaluateOptions: {repeat: 3}
"""


def test_prompts_times_tests(tmp_path: Path) -> None:
    """Texts, messages and messages as JSON; a list of values is as many tests; defaults go before a test's own."""
    rows = samples(written(tmp_path, WHOLE))
    assert [one.id for one in rows] == [f"p{prompt}.{test}" for prompt in (1, 2, 3) for test in ("t1", "t2.1", "t2.2")]
    assert [text(one) for one in rows[:3]] == [
        "Capital of France? Briefly.",
        "Capital of Italy? Briefly. Now.",
        "Capital of Spain? Briefly. Now.",
    ]
    assert rows[3].messages[0] == {"role": "system", "content": "You know France."}
    assert text(rows[6]) == "Tell: France"
    assert rows[0].target == {
        "assertions": [
            {"type": "not-icontains", "value": "sorry"},
            {"type": "contains", "value": "Paris", "weight": 2},
            {"type": "regex", "value": r"^\w+$"},
        ],
        "threshold": 0.5,
    }
    assert rows[1].target == {"assertions": [{"type": "contains-any", "value": ["Rome", "Italy"]}], "threshold": 1}
    assert rows[6].metadata == {"prompt": "as JSON", "test": "France"}
    assert rows[0].place.endswith("promptfooconfig.yaml:16: tests[0]")


def test_the_conditions_of_a_test_decide(tmp_path: Path) -> None:
    """The right answer is right, the wrong one wrong, and what failed is named."""
    task = task_of(Filed("suite", str(written(tmp_path, WHOLE))))
    first = next(iter(task.load(None)))
    said = [reply(one) for one in ("Paris", "Rome it is", "Sorry, Rome it is")]
    scores = [task.scorer.score(first, one) for one in said]
    assert [(one.value, one.details["share"]) for one in scores] == [(1.0, 1.0), (0.0, 0.25), (0.0, 0.0)]
    assert 'fails contains "Paris"' in scores[1].explanation
    assert task.description.endswith("temperature 0, max_tokens 512; its providers are not read")


def test_a_system_message_goes_before_prompts_without_one(tmp_path: Path) -> None:
    """And the usual parameters are the command line's."""
    rows = samples(written(tmp_path, WHOLE), system="Be kind.", max_tokens=9)
    assert [one.messages[0]["content"] for one in rows[::3]] == ["Be kind.", "You know France.", "Be kind."]
    assert {one.params["max_tokens"] for one in rows} == {9}


def test_prompts_and_tests_are_read_from_files_beside_it(tmp_path: Path) -> None:
    """Text parted by lines of dashes, messages as JSON or YAML; tests as YAML, JSONL, and CSV with its own columns."""
    written(tmp_path, "Say {{x}}.\n---\nSing {{x}}.\n", "prompts/two.txt")
    written(tmp_path, json.dumps([{"role": "user", "content": 'Quote "{{x}}"'}]), "prompts/chat.json")
    written(tmp_path, "- {role: user, content: 'Hum {{x}}'}\n", "chat.yaml")
    written(tmp_path, "- {vars: {x: one}, assert: [{type: contains, value: '{{x}}'}]}\n", "tests/a.yaml")
    written(tmp_path, '{"vars": {"x": "say \\"two\\""}, "assert": [{"type": "is-json"}]}\n', "b.jsonl")
    table = (
        "x,__expected,__expected2,__description,__prefix,__threshold,__metadata:level",
        'three,three,"contains-any: a,b",third,Please: ,0.5,easy',
        "four,not-is-json,icontains:FOUR,,,,",
        "five,Note: it is five,,,,,",
    )
    written(tmp_path, "\n".join(table), "c.csv")
    prompts = "prompts: [file://prompts/two.txt, prompts/chat.json, chat.yaml]\n"
    rows = samples(written(tmp_path, prompts + "tests: [file://tests/a.yaml, b.jsonl, c.csv]\n"))
    assert [text(one) for one in rows[::5]] == ["Say one.", "Sing one.", 'Quote "one"', "Hum one"]
    assert text(rows[11]) == 'Quote "say "two""'
    assert text(rows[2]) == "Please: Say three."
    assert [one.target for one in rows[:5]] == [
        [{"type": "contains", "value": "one"}],
        [{"type": "is-json"}],
        {
            "assertions": [{"type": "equals", "value": "three"}, {"type": "contains-any", "value": "a,b"}],
            "threshold": 0.5,
        },
        [{"type": "not-is-json"}, {"type": "icontains", "value": "FOUR"}],
        [{"type": "equals", "value": "Note: it is five"}],
    ]
    assert (rows[2].metadata["level"], rows[2].metadata["test"]) == ("easy", "third")
    assert rows[3].place.endswith("c.csv line 3")


def test_tests_alone_ask_their_prompt(tmp_path: Path) -> None:
    """Without prompts a test's own variable is asked; a file may be the list of tests alone, or JSON."""
    tests = "- {vars: {prompt: Hi}, assert: [{type: equals, value: Hello}]}\n"
    assert [text(one) for one in samples(written(tmp_path, tests, "tests.yaml"))] == ["Hi"]
    as_json = json.dumps({"tests": [{"vars": {"prompt": "Hi"}, "assert": [{"type": "is-json"}]}]})
    assert [text(one) for one in samples(written(tmp_path, as_json, "promptfooconfig.json"))] == ["Hi"]


PROMPT = "prompts: ['{{x}}']\n"
WRONG = {
    "empty": ("", "promptfooconfig.yaml:1: the file is empty"),
    "no tests": ("prompts: [a]\n", "promptfooconfig.yaml:1: no field tests"),
    "a mistyped field": ("promtps: [a]\n" + ONE, ":1: promtps: unknown field 'promtps'. Did you mean prompts"),
    "not YAML": ("tests: [\n", "not valid YAML"),
    "a tag": ("tests: !!python/object:os.system []\n", "take the !tag away"),
    "a bomb": (
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(
            f"{one}: &{one} [{','.join([f'*{before}'] * 9)}]\n" for before, one in zip("abcd", "bcde", strict=True)
        ),
        "expand to too much",
    ),
    "no assertion": (PROMPT + "tests:\n  - vars: {x: a}\n", ":3: tests[0]: no assertion, so that every answer"),
    "javascript": (
        PROMPT + "tests:\n  - vars: {x: a}\n    assert:\n      - type: javascript\n        value: process.exit(1)\n",
        ':5: tests[0].assert[0].type: "javascript" is not checked here. Known: equals',
    ),
    "python": (PROMPT + "tests: [{assert: [{type: not-python, value: x}]}]\n", '"not-python" is not checked here'),
    "llm-rubric": (PROMPT + "tests: [{assert: [{type: llm-rubric, value: x}]}]\n", '"llm-rubric" is not checked here'),
    "a transform": (
        PROMPT + "tests: [{options: {transform: x}}]\n",
        "tests[0].options.transform: unknown field of options",
    ),
    "a provider of a test": (PROMPT + "tests: [{provider: x}]\n", "unknown field of a test 'provider'"),
    "a threshold of an assertion": (
        PROMPT + "tests: [{assert: [{type: equals, value: a, threshold: 1}]}]\n",
        "unknown field of an assertion 'threshold'",
    ),
    "a bad pattern": (
        PROMPT + "tests: [{vars: {x: a}, assert: [{type: regex, value: '('}]}]\n",
        "tests[0].assert[0]: the value of regex is not a regular expression",
    ),
    "a filter": ("prompts: ['{{x | upper}}']\n" + ONE, "would need a template engine"),
    "a condition": ("prompts: ['{% if x %}a{% endif %}']\n" + ONE, "{% would need a template engine"),
    "an unknown variable": ("prompts: ['{{y}}']\n" + ONE, "tests[0]: unknown field of the template 'y'"),
    "the environment": ("prompts: ['{{env.HOME}}']\n" + ONE, "unknown field of the template 'env.HOME'"),
    "a variable in a value": (PROMPT + "tests: [{vars: {x: a}, assert: [{type: equals, value: '{{y}}'}]}]\n", "'y'"),
    "a file outside": ("prompts: ['file://../../etc/passwd.txt']\n" + ONE, "lies outside of the file's own folder"),
    "an absolute file": ("prompts: ['file:///etc/passwd.txt']\n" + ONE, "lies outside of the file's own folder"),
    "tests outside": (PROMPT + "tests: file://../secret.yaml\n", "lies outside"),
    "a file in a variable": (
        PROMPT + "tests: [{vars: {x: 'file:///etc/passwd'}, assert: [{type: is-json}]}]\n",
        "is not read. Write its content here",
    ),
    "a file in a value": (
        PROMPT + "tests: [{vars: {x: a}, assert: [{type: is-json, value: 'file://schema.json'}]}]\n",
        "files are not read",
    ),
    "a script": ("prompts: [file://prompt.py]\n" + ONE, 'prompts[0]: prompts are not read from "file://prompt.py"'),
    "a command": ("prompts: ['exec:./generate.sh']\n" + ONE, "would have to be carried out or fetched"),
    "a stranger's prompt": ("prompts: ['langfuse://mine']\n" + ONE, "would have to be carried out or fetched"),
    "a script of tests": (PROMPT + "tests: file://tests.py:make\n", "tests are not read from"),
    "no such file": ("prompts: [file://gone.txt]\n" + ONE, "no such file"),
    "messages that are no JSON": (
        'prompts: [\'[{"role": "user", "content": {{x}}}]\']\n' + ONE,
        "looks like a list of",
    ),
    "no prompt": ("prompts: []\n" + ONE, "there is no prompt"),
    "no test": (PROMPT + "tests: []\n", "there is no test"),
    "tests that are none": (PROMPT + "tests: 7\n", "tests are a list, or the name of a file, not 7"),
    "a test that is none": (PROMPT + "tests: [7]\n", "tests[0]: a test is a mapping with vars and assert, not 7"),
    "too many": (
        PROMPT + f"tests: [{{vars: {{{', '.join(f'{name}: [1,2,3,4,5,6,7,8,9,0]' for name in 'xabcdef')}}}, "
        "assert: [{type: is-json}]}]\n",
        "the lists make more than 100,000 tests",
    ),
}


@pytest.mark.parametrize(("config", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_or_not_read_is_told(tmp_path: Path, config: str, words: str) -> None:
    """By name, file and line, in one line; nothing is carried out and no file elsewhere is opened."""
    with pytest.raises(HarnessError) as told:
        samples(written(tmp_path, config))
    assert words in str(told.value)
    assert len(str(told.value).splitlines()) == 1


SOME_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(["{{x}}", "{{x|y}}", "file://a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "value", "weight", "vars", "assert", "x", "role", "content"]), inner)
        | st.fixed_dictionaries({"type": st.sampled_from([*TYPES, "not-regex", "python"]), "value": inner})
    ),
    max_leaves=4,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {
            "prompts": SOME_JSON,
            "tests": st.lists(st.fixed_dictionaries({"vars": SOME_JSON, "assert": SOME_JSON}), max_size=2),
        }
    )
)
def test_any_file_is_a_task_or_one_line(tmp_path_factory: pytest.TempPathFactory, given_file: dict[str, Any]) -> None:
    """Whatever stands where, it is read or refused in one line."""
    path = written(tmp_path_factory.mktemp("any"), json.dumps(given_file))
    try:
        told = samples(path)[0].place
    except HarnessError as error:
        told = str(error)
    assert len(told.splitlines()) == 1


def test_a_link_does_not_lead_outside(tmp_path: Path) -> None:
    """What is sent to others is what lies in the folder."""
    secret = written(tmp_path, "secret", "secret.txt")
    folder = tmp_path / "suite"
    folder.mkdir()
    (folder / "prompt.txt").symlink_to(secret)
    with pytest.raises(HarnessError, match="lies outside"):
        samples(written(folder, "prompts: [file://prompt.txt]\n" + ONE))


CSV_WRONG = {
    "x,__expected\na,javascript: true\n": '"javascript" is not checked here',
    "x,__expected\na,llm-rubric: nice\n": '"llm-rubric" is not checked here',
    "x,__config:__expected:threshold,__expected\na,1,b\n": "this column is not read",
    "x,__threshold,__expected\na,high,b\n": "a number is wanted",
    "x,__expected\na,\n": "c.csv line 2: no assertion",
}


@pytest.mark.parametrize(("table", "words"), CSV_WRONG.items())
def test_a_table_of_tests_is_read_as_strictly(tmp_path: Path, table: str, words: str) -> None:
    """With the line of the row."""
    written(tmp_path, table, "c.csv")
    with pytest.raises(HarnessError) as told:
        samples(written(tmp_path, PROMPT + "tests: c.csv\n"))
    assert words in str(told.value)
    assert "c.csv line 2" in str(told.value)
