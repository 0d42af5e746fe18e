"""Tasks whose samples take several requests: what is said in each, when a session is over, and what it counts for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from loopback import Loopback, sized
from made import Watcher, catalog, endpoint, plan, task

from harness.errors import TaskError
from harness.exchange import Completion, StreamMarks, ToolCall
from harness.record.folder import RunFolder
from harness.record.journal import read_attempts
from harness.run import session, sitting
from harness.run.conduct import Company
from harness.run.sitting import Sitting
from harness.run.tally import Budget
from harness.store.query import rows
from harness.types import JsonObject, Sample, Score, Scorer, Task
from harness.wire.assemble import assemble
from harness.world import World


class Tallying:
    """A world that counts; every call but ``add`` is unknown to it."""

    def __init__(self, sample: Sample) -> None:
        self.n = 0

    def call(self, name: str, arguments: str) -> str:
        """Add the number in the arguments."""
        try:
            self.n += json.loads(arguments)["by"] if name == "add" else 0
        except (ValueError, TypeError, KeyError):
            return "error: by is a number"
        return f"n is {self.n}"

    def state(self) -> JsonObject:
        """The count."""
        return {"n": self.n}


def reached(sample: Sample, said: Sequence[Completion]) -> Score:
    """Right where the count is the target."""
    world = Tallying(sample)
    for one in said:
        for call in one.tool_calls:
            world.call(call.name, call.arguments)
    return Score(float(world.n == sample.target), str(world.n), f"{len(said)} answers", "reached", 1)


def last(sample: Sample, completion: Completion) -> Score:
    """Right where the last text is the target."""
    return Score(float(completion.text == sample.target), completion.text, "", "last", 1)


SAMPLE = Sample("a", ({"role": "user", "content": "Add 2, then 3."},), target=5)
TALK = Sample("a", ({"role": "user", "content": "Hello."},), target="Bye.", turns=("How are you?",))
COUNTING = Scorer("reached", 1, lambda sample, one: reached(sample, (one,)), reached)


def counting(*samples: Sample, steps: int | None = 4, **changes: Any) -> Task:
    """A task with the world that counts."""
    fields = {"kind": "tools", "scorer": COUNTING, "world": Tallying, "steps": steps, "stream": False}
    return task("counting", samples or [SAMPLE], **{**fields, **changes})


def talking(*samples: Sample, **changes: Any) -> Task:
    """A task whose users say something twice."""
    return task("talking", samples or [TALK], scorer=Scorer("last", 1, last), stream=False, **changes)


def said(text: str = "", *calls: tuple[str, str, str]) -> Completion:
    """An answer: its text, and its calls by id, name and arguments."""
    made = tuple(ToolCall(*call) for call in calls)
    return Completion(text, "", "", made, "tool_calls" if made else "stop", None, StreamMarks())


def reply(text: str | None = None, *calls: tuple[str, str, str]) -> bytes:
    """The same as a whole response over HTTP."""
    message: JsonObject = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {"id": name, "type": "function", "function": {"name": function, "arguments": arguments}}
            for name, function, arguments in calls
        ]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    return sized(json.dumps(body).encode(), "200 OK", "content-type: application/json")


ADD = ("id-1", "add", '{"by": 2}')


# --- what is said ----------------------------------------------------------------------------------------


def at(sample: Sample, *answers: Completion) -> list[JsonObject]:
    """The messages that stand there after these answers."""
    carried = [session.answer(one) for one in answers]
    return list(session.at_turn(sample, len(answers), carried, Tallying).messages)


def test_results_of_calls_go_into_the_next_request() -> None:
    """Each call has its result right behind the answer, in order, out of a world that lives through all of them."""
    two = said("", ("x", "add", '{"by": 3}'), ("y", "add", '{"by": 4}'))
    messages = at(SAMPLE, said("Well:", ADD), two)
    assert [one["role"] for one in messages] == ["user", "assistant", "tool", "assistant", "tool", "tool"]
    assert [one["content"] for one in messages[2::2]] == ["n is 2", "n is 5"]
    assert messages[5] == {"role": "tool", "tool_call_id": "y", "content": "n is 9"}
    assert messages[1]["content"] == "Well:"


def test_the_user_goes_on_when_nothing_more_is_called() -> None:
    """The next words come behind the first answer without a call, and the world is still the same."""
    sample = replace(SAMPLE, turns=("And 1 more.", "Thanks."))
    messages = at(sample, said("", ADD), said("Done."), said("", ("z", "add", '{"by": 1}')), said("Done."))
    assert [one["content"] for one in messages if one["role"] == "user"] == ["Add 2, then 3.", "And 1 more.", "Thanks."]
    assert [one["content"] for one in messages if one["role"] == "tool"] == ["n is 2", "n is 3"]
    assert messages[-1] == {"role": "user", "content": "Thanks."}


@pytest.mark.parametrize(
    ("arguments", "carried", "result"),
    [
        ('{"by": 2', "{}", "error: by is a number"),
        ("[2]", "{}", "error: by is a number"),
        ("", "{}", "error: by is a number"),
        ('{"by":  2}', '{"by":  2}', "n is 2"),
    ],
)
def test_broken_arguments_are_answered_and_not_carried_on(arguments: str, carried: str, result: str) -> None:
    """The world sees what the model wrote, the next request holds an object, as servers demand."""
    _, answer, tool = at(SAMPLE, said("", ("x", "add", arguments)))
    assert answer["tool_calls"][0]["function"]["arguments"] == carried
    assert tool["content"] == result


def test_each_call_has_an_id_of_its_own() -> None:
    """Where ids are missing or given twice, the results can still be told apart."""
    calls = [(name, "add", '{"by": 1}') for name in ("", "a", "a", "call_0", "")]
    messages = at(SAMPLE, said("", *calls))
    ids = [call["id"] for call in messages[1]["tool_calls"]]
    assert ids == [one["tool_call_id"] for one in messages[2:]]
    assert len(set(ids)) == 5
    assert ids[1] == "a"


@pytest.mark.parametrize(
    ("turns", "answers", "expected"),
    [
        ((), [], False),
        ((), ["call"], False),
        ((), ["call", "text"], True),
        (("more",), ["text"], False),
        (("more",), ["text", "call"], False),
        (("more",), ["text", "call", "text"], True),
    ],
)
def test_when_a_session_is_over(turns: tuple[str, ...], answers: list[str], expected: bool) -> None:
    """When the model calls no more and the user has nothing more to say."""
    made = [session.answer(said("", ADD) if one == "call" else said("ok")) for one in answers]
    assert session.over(replace(SAMPLE, turns=turns), made) is expected


# --- the plan --------------------------------------------------------------------------------------------


def test_the_most_requests_are_planned_side_by_side() -> None:
    """A sample with a world has as many jobs as there are steps, one with turns one more than those, others one."""
    made = plan(
        [counting(steps=3), talking(), task("plain", [replace(TALK, target="Bye.", turns=())])],
        [endpoint("p/m"), endpoint("q/m")],
    )
    ids = [job.id for job in made.jobs]
    assert len(ids) == len(set(ids)) == 2 * (3 + 2 + 1)
    assert [name.rpartition("/")[2] for name in ids if "counting/p" in name] == ["0", "0~1", "0~2"]
    first, second, third = (made.request(job) for job in made.stages[0].lanes[0])
    assert first.body == second.body == third.body
    once, twice = (json.loads(made.request(job).body or b"")["messages"] for job in made.stages[1].lanes[0])
    assert [one["content"] for one in twice] == [*(one["content"] for one in once), "How are you?"]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: counting(steps=None), r"at least 1 request\(s\), and steps is None"),
        (lambda: counting(replace(SAMPLE, turns=("x", "y")), steps=2), r"at least 3 request\(s\), and steps is 2"),
        (lambda: counting(world=None), "steps go with a world"),
        (lambda: counting(world=lambda sample: sample.metadata["start"]), "sample a: its world: KeyError: 'start'"),
        (lambda: talking(replace(TALK, turns=("x", 7))), r"sample a: turns must be a tuple of strings"),  # type: ignore[arg-type]
    ],
)
def test_a_session_that_cannot_be_is_told_before_anything_is_sent(made: Callable[[], Task], words: str) -> None:
    """One line names the task, the sample and what is wrong."""
    with pytest.raises(TaskError, match=words):
        plan([made()], [endpoint()])


# --- carried out -----------------------------------------------------------------------------------------


def carry_out(made: Task, results: Path, *answers: bytes, **company: Any) -> tuple[Sitting, list[JsonObject]]:
    """Carry out a task on a server that gives these answers in turn; gives the bodies that it was sent too."""
    with Loopback(*([one] for one in answers)) as server:
        where = endpoint("p/m", f"http://127.0.0.1:{server.port}/v1")
        begun = plan([made], [where], concurrency=1)
        sat = sitting.start(begun, results=results, company=Company(Watcher(), **company))
        return sat, bodies(server)


def bodies(server: Loopback) -> list[JsonObject]:
    """What a server was sent, in order."""
    return [json.loads(one.partition(b"\r\n\r\n")[2]) for one in server.requests]


def kinds(run: RunFolder) -> list[tuple[int, str | None]]:
    """Turn and failure kind of each attempt, in the order of the journal."""
    outcomes = [(one, assemble(one.exchange, stream=one.request.stream)) for one in read_attempts(run)]
    return [(one.job.turn, outcome.failure.kind if outcome.failure else None) for one, outcome in outcomes]


def scored(results: Path) -> list[dict[str, Any]]:
    """The scores of all runs."""
    return rows(results, "select job_id, value, answer, explanation from scores order by all")


def counted(results: Path) -> tuple[int, ...]:
    """What the only task of the only endpoint counts for."""
    names = ("n_planned", "n_scored", "n_failed", "n_invalid", "n_correct")
    (row,) = rows(results, f"select {', '.join(names)} from quality_summary")
    return tuple(row[name] for name in names)


STORY = (reply(None, ADD), reply(None, ("id-2", "add", '{"by": 3}')), reply("It is 5."))


def test_an_episode_ends_when_the_model_calls_no_more(tmp_path: Path) -> None:
    """Each request holds all results so far, the one that is left is unneeded, and there is one score of one sample."""
    sat, sent = carry_out(counting(), tmp_path, *STORY)
    assert sat.status == "finished"
    assert [len(one["messages"]) for one in sent] == [1, 3, 5]
    assert [one["content"] for one in sent[2]["messages"][2::2]] == ["n is 2", "n is 5"]
    assert kinds(sat.folder) == [(0, None), (1, None), (2, None), (3, "unneeded")]
    assert [tuple(row.values()) for row in scored(tmp_path)] == [("tools.counting/p/m/a/0", 1.0, "5", "3 answers")]
    assert counted(tmp_path) == (1, 1, 0, 0, 1)
    assert (sat.tally.jobs, sat.tally.failed) == (4, 0)
    assert rows(tmp_path, "select * from error_summary") == []
    (row,) = rows(tmp_path, "select n, n_ok, n_failed, quality_mean, quality_n from endpoint_summary")
    assert row == {"n": 3, "n_ok": 3, "n_failed": 0, "quality_mean": 1.0, "quality_n": 1}


def test_an_episode_may_use_up_its_requests(tmp_path: Path) -> None:
    """It is scored by what was reached, with all that was called."""
    sat, sent = carry_out(counting(steps=2), tmp_path, *STORY[:2])
    assert len(sent) == 2
    assert kinds(sat.folder) == [(0, None), (1, None)]
    assert [row["answer"] for row in scored(tmp_path)] == ["5"]


def test_a_failure_in_the_middle_is_no_wrong_answer(tmp_path: Path) -> None:
    """The sample is unscored with that failure's kind, counted once, and what is left of it is not asked."""
    refused = sized(b'{"error": {"message": "no", "type": "invalid_request_error"}}', "400 Bad Request")
    sat, sent = carry_out(counting(), tmp_path, STORY[0], refused)
    assert len(sent) == 2
    assert kinds(sat.folder) == [(0, None), (1, "http_4xx"), (2, "unasked"), (3, "unasked")]
    assert scored(tmp_path) == []
    assert counted(tmp_path) == (1, 0, 1, 0, 0)
    assert sat.tally.failed == 1


def test_turns_without_a_world_are_all_said(tmp_path: Path) -> None:
    """The second request holds the first answer and the user's next words; a scorer of one answer gets the last."""
    sat, sent = carry_out(talking(), tmp_path, reply("Hi."), reply("Bye."))
    assert [one["content"] for one in sent[1]["messages"]] == ["Hello.", "Hi.", "How are you?"]
    assert kinds(sat.folder) == [(0, None), (1, None)]
    assert [(row["value"], row["answer"]) for row in scored(tmp_path)] == [(1.0, "Bye.")]
    assert counted(tmp_path) == (1, 1, 0, 0, 1)


def test_samples_and_repeats_are_sessions_of_their_own(tmp_path: Path) -> None:
    """Each session has its world, and one score."""
    samples = [replace(SAMPLE, id=name, target=2) for name in "ab"]
    with Loopback([STORY[0]], [STORY[2]], *([STORY[0]], [STORY[2]]) * 3) as server:
        where = endpoint("p/m", f"http://127.0.0.1:{server.port}/v1")
        begun = plan([counting(*samples, steps=6)], [where], concurrency=1, repeats=2)
        sat = sitting.start(begun, results=tmp_path, company=Company(Watcher()))
        assert [one["messages"][-1]["content"] for one in bodies(server)] == ["Add 2, then 3.", "n is 2"] * 4
    assert counted(tmp_path) == (4, 4, 0, 0, 4)
    assert Counter(kind for _, kind in kinds(sat.folder)) == {None: 8, "unneeded": 16}


# --- broken off ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [1, 2, 3])
def test_a_broken_off_episode_goes_on_where_it_was(lines: int, tmp_path: Path) -> None:
    """Only the rest is asked, with all that was said before, and the world is as it was."""
    sat, _ = carry_out(counting(), tmp_path, *STORY)
    _forget(sat.folder, lines)
    with Loopback(*([one] for one in STORY[lines:] or STORY[2:])) as server:
        _resume(sat.folder, server)
        sent = bodies(server)
    assert [len(one["messages"]) for one in sent] == [1, 3, 5][lines:]
    assert all(one["messages"][2]["content"] == "n is 2" for one in sent)
    assert kinds(sat.folder) == [(0, None), (1, None), (2, None), (3, "unneeded")]
    assert [row["answer"] for row in scored(tmp_path)] == ["5"]
    assert counted(tmp_path) == (1, 1, 0, 0, 1)


def test_a_bound_ends_an_episode_in_the_middle_and_it_can_be_taken_up(tmp_path: Path) -> None:
    """After the bound nothing is asked and nothing is scored; nobody says that the rest is not needed."""
    sat, sent = carry_out(counting(), tmp_path, *STORY, budget=Budget(max_requests=1))
    assert (sat.status, len(sent)) == ("interrupted", 1)
    assert kinds(sat.folder) == [(0, None)]
    assert counted(tmp_path) == (1, 0, 0, 0, 0)
    with Loopback(*([one] for one in STORY[1:])) as server:
        assert _resume(sat.folder, server).status == "finished"
    assert counted(tmp_path) == (1, 1, 0, 0, 1)


def test_an_old_run_is_judged_again_from_its_journal(tmp_path: Path) -> None:
    """Also where it was killed right after its last answer; the world is made anew."""
    sat, _ = carry_out(counting(), tmp_path, *STORY)
    _forget(sat.folder, 3)
    provider = endpoint("p/m", "http://127.0.0.1:9/v1").provider
    sitting.rejudge(sat.folder, catalog=catalog(counting()), providers={"p": provider})
    assert [row["answer"] for row in scored(tmp_path)] == ["5"]
    _forget(sat.folder, 2)
    sitting.rejudge(sat.folder, catalog=catalog(counting()), providers={"p": provider})
    assert scored(tmp_path) == []


def _forget(run: RunFolder, lines: int) -> None:
    """Leave of the journal what a process that was killed after so many attempts would have left."""
    (path,) = run.root.glob("journal-*.jsonl")
    head, *attempts = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([head, *attempts[:lines]]))
    manifest = run.read_manifest()
    manifest.pop("sealed", None)
    run.write_manifest(manifest)


def _resume(run: RunFolder, server: Loopback) -> Sitting:
    """Go on at another address, as a server that was started anew has one."""
    url = f"http://127.0.0.1:{server.port}/v1"
    stored = run.read_manifest()
    where = endpoint("p/m", url)
    stored["endpoints"][0]["config_sha256"] = sitting.manifest.config_sha256(where)
    run.write_manifest(stored)
    providers = {"p": where.provider}
    return sitting.resume(run, catalog=catalog(counting()), providers=providers, company=Company(Watcher()))


def test_the_worlds_that_count_are_worlds() -> None:
    """What this file tests with keeps the contract."""
    made: World = Tallying(SAMPLE)
    assert made.call("add", "nonsense") == "error: by is a number"
