"""A file in promptfoo's form, prompts times tests, as a task: each test is asked with every prompt.

Read are ``prompts``, ``tests`` and ``defaultTest`` with the deterministic assertions of ``harness.scorers.assertions``;
fields are filled in by plain substitution. What would have to be carried out (scripts, template expressions, other
models) is refused by name and line. ``providers`` and ``evaluateOptions`` are not read: the command line says whom to
ask.
Source: promptfoo, ``site/docs/configuration/{reference,prompts,test-cases}.md``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from harness.config.file import read_plain
from harness.errors import TaskError, UnknownName, UsageError
from harness.prompts.filed import Filed
from harness.prompts.suite_prompts import Prompt, Where, prompts_of
from harness.prompts.suite_tests import Test, test_of, tests_of
from harness.prompts.template import filled
from harness.scorers.assertions import assertions, condition
from harness.types import JsonObject, Sample, Task

_READ = ("prompts", "tests", "defaultTest")
_LEFT = (
    *("description", "tags", "providers", "targets", "outputPath", "evaluateOptions", "commandLineOptions", "sharing"),
    *("env", "metadata", "derivedMetrics", "tracing", "writeLatestResults"),
)
"""Names that do not change what is asked or how it is judged."""
_MOST = 100_000
_EMPTY = "the file is empty; it should hold prompts and tests"


def task_of(filed: Filed) -> Task:
    """The task of such a file; TaskError, with file, line and field, when it is malformed or holds what is not read."""
    prompts, tests = _read(filed.file)
    kinds = sorted({one["type"] for test in tests for _, one in test.conditions})
    return Task(
        name=filed.name,
        version=1,
        kind="quality",
        description=f"{filed.file}: {len(prompts)} prompt(s) x {len(tests)} test(s); assertions: {', '.join(kinds)}; "
        f"temperature {filed.temperature:g}, max_tokens {filed.max_tokens}; its providers are not read",
        load=lambda data: _samples(filed),  # noqa: ARG005 - the file is the data
        scorer=assertions(),
        licence="",
        source=str(filed.file),
    )


def _read(path: Path) -> tuple[list[Prompt], list[Test]]:
    document = read_plain(path, empty=_EMPTY)
    given = {"tests": document.value} if isinstance(document.value, list) else document.value
    where: Where = document.place if given is document.value else lambda *at: document.place(*at[1:])
    if not isinstance(given, dict):
        raise TaskError(f"{document.place()}: prompts and tests are wanted")
    for name in given:
        if name not in (*_READ, *_LEFT) and not name.startswith(("$", "x-", ".")):
            unknown = UnknownName("field", name, (*_READ, *_LEFT))
            raise TaskError(f"{document.place(name)}: {unknown.what}", hint=unknown.hint)
    if given.get("tests") is None:
        raise TaskError(f"{document.place()}: no field tests")
    prompts = prompts_of(given.get("prompts"), path.parent, where)
    usual = test_of(given.get("defaultTest") or {}, partial(where, "defaultTest"))
    tests = [one.over(usual) for one in tests_of(given["tests"], path.parent, partial(where, "tests"))]
    if not tests:
        raise TaskError(f"{document.place('tests')}: there is no test")
    for test in tests:
        if not test.conditions:
            raise TaskError(f"{test.where()}: no assertion, so that every answer would be right")
    return prompts, tests


def _samples(filed: Filed) -> Iterator[Sample]:
    prompts, tests = _read(filed.file)
    width = len(str(len(tests)))
    for (number, prompt), (place, test) in itertools.product(enumerate(prompts, 1), enumerate(tests, 1)):
        name = f"p{number}." * (len(prompts) > 1) + f"t{place:0{width}d}"
        several = _combinations(test)
        for index, values in enumerate(several, 1):
            yield _sample(f"{name}.{index}" if len(several) > 1 else name, prompt, test, values, filed)


def _combinations(test: Test) -> list[Mapping[str, Any]]:
    """The values of a test: a variable that is a list stands for one test with each of its items."""
    if test.options.get("disableVarExpansion"):
        return [test.variables]
    lists = {name: value for name, value in test.variables.items() if isinstance(value, list) and value}
    total = 1
    for value in lists.values():
        total *= len(value)
        if total > _MOST:
            raise TaskError(f"{test.where('vars')}: the lists make more than {_MOST:,} tests")
    return [{**test.variables, **dict(zip(lists, one, strict=True))} for one in itertools.product(*lists.values())]


def _sample(name: str, prompt: Prompt, test: Test, values: Mapping[str, Any], filed: Filed) -> Sample:
    place = test.where()
    prefix, suffix = (str(test.options.get(one) or "") for one in ("prefix", "suffix"))
    try:
        messages = prompt.messages(values, prefix, suffix)
        wanted: list[JsonObject] = [filled(one, values) for _, one in test.conditions]
    except UsageError as error:
        raise TaskError(f"{place}: {error.what}", hint=error.hint) from None
    for (stands, _), one in zip(test.conditions, wanted, strict=True):
        condition(one, stands)
    if filed.system and messages[0]["role"] not in ("system", "developer"):
        messages = [{"role": "system", "content": filed.system}, *messages]
    return Sample(
        id=name,
        messages=tuple(messages),
        target=wanted if test.threshold is None else {"assertions": wanted, "threshold": test.threshold},
        params={"temperature": filed.temperature, "max_tokens": filed.max_tokens},
        place=place,
        metadata={**test.metadata, "prompt": prompt.label, "test": test.description},
    )
