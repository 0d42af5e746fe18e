"""Recorded arrivals and the prompts made of them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.errors import TaskError, UsageError
from harness.workload import trace, words
from harness.workload.trace import Traced

DATA = Path(__file__).parents[1] / "tasks" / "data"
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


def made(tmp_path: Path, *rows: Mapping[str, object]) -> Path:
    """A JSONL file of these rows."""
    path = tmp_path / "made.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_shipped_examples_are_read() -> None:
    """One of each format: fifty requests that begin at 0, some of Mooncake's with a common beginning."""
    mooncake, azure = (trace.read(DATA / name) for name in ("mooncake_example.jsonl", "azure_example.csv"))
    for one in (mooncake, azure):
        assert len(one) == 50
        assert one.times_ns[0] == 0
        assert all(a <= b for a, b in itertools.pairwise(one.times_ns))
        assert {len(column) for column in (one.input_tokens, one.output_tokens, one.hash_ids)} == {50}
    assert all(-(-n // 512) == len(ids) for n, ids in zip(mooncake.input_tokens, mooncake.hash_ids, strict=True))
    assert len({ids[0] for ids in mooncake.hash_ids}) < 30
    assert set(azure.hash_ids) == {()}
    assert (mooncake.name, azure.name) == ("mooncake_example", "azure_example")


def test_mooncake_times_are_milliseconds(tmp_path: Path) -> None:
    """They count from the first request, and speed divides them; extra fields are passed over."""
    rows = [{"timestamp": at, "input_length": 9, "output_length": 2, "hash_ids": [0]} for at in (1000, 1000, 3052.5)]
    path = made(tmp_path, *rows, {"timestamp": 9000, "input_length": 5, "output_length": 0, "session_id": "s"})
    assert trace.read(path).times_ns == (0, 0, 2_052_500_000, 8_000_000_000)
    assert trace.read(path, speed=2.0, limit=3).times_ns == (0, 0, 1_026_250_000)
    assert trace.read(path).hash_ids == ((0,), (0,), (0,), ())


def test_azure_times_are_read_to_the_hundred_nanoseconds(tmp_path: Path) -> None:
    """With seven digits or none, with a zone or without, in CSV or JSONL, with columns in any order."""
    path = tmp_path / "azure.csv"
    path.write_text(AZURE + "2023-11-16 18:15:46.6805901,374,44\n2023-11-16 18:15:47,396,109\n")
    assert trace.read(path).times_ns == (0, 319_409_900)
    assert (trace.read(path).input_tokens, trace.read(path).output_tokens) == ((374, 396), (44, 109))
    path.write_text("GeneratedTokens,TIMESTAMP,ContextTokens\n1,2024-05-10 00:00:00.009930+00:00,2\n")
    assert trace.read(path).input_tokens == (2,)
    zones = ("2024-05-10T02:00:00+02:00", "2024-05-10 00:00:01Z", "2024-05-10 00:00:01.000000001")
    rows = [{"TIMESTAMP": at, "ContextTokens": 5, "GeneratedTokens": 6} for at in zones]
    assert trace.read(made(tmp_path, *rows)).times_ns == (0, 1_000_000_000, 1_000_000_001)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"made\.txt: no rows"),
        (AZURE, "no rows below the header"),
        ("a,b\n1,2\n", "line 1: no known trace, it has: a, b. Known are mooncake: timestamp"),
        ('{"time": 1}\n', "line 1: no known trace, it has: time"),
        ('{"timestamp": 1, "input_length": 5}\n', "no known trace, it has: timestamp, input_length"),
        (AZURE + "2023-11-16 18:15:46,1,1\n2023-11-16 18:15:45,1,1\n", "line 3: time runs back, from .*:46 to .*:45"),
        (AZURE + "yesterday,1,1\n", "line 2: field 'TIMESTAMP' must be a time, as in .*, not 'yesterday'"),
        (AZURE + "2023-13-16 18:15:46,1,1\n", "line 2: field 'TIMESTAMP' must be a time"),
        (
            AZURE + "2023-11-16 18:15:46,-1,1\n",
            "line 2: field 'ContextTokens' must be a whole number from 0 on, not '-1'",
        ),
        (AZURE + "2023-11-16 18:15:46,1\n", "line 2: field 'GeneratedTokens' must be .*, not None"),
        ('{"timestamp": 1, "input_length": 5, "output_length": -2}\n', "line 1: field 'output_length' must be"),
        ('{"timestamp": "1", "input_length": 5, "output_length": 2}\n', "field 'timestamp' must be a number"),
        ('{"timestamp": NaN, "input_length": 5, "output_length": 2}\n', "field 'timestamp' must be a number"),
        ('{"timestamp": 1, "input_length": 5, "output_length": 2, "hash_ids": 3}\n', "field 'hash_ids' must be a list"),
        ('{"timestamp": 1, "input_length": 5, "output_length": 2}\n{\n', "line 2: not JSON"),
    ],
)
def test_a_bad_trace_is_told_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    """The line names file, line and field, and where time runs back both times."""
    path = tmp_path / "made.txt"
    path.write_text(text)
    with pytest.raises(TaskError, match=message) as caught:
        trace.read(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_time_running_back_is_told_with_both_values(tmp_path: Path) -> None:
    """Mooncake's milliseconds are shown as they stand in the file."""
    rows = [{"timestamp": at, "input_length": 1, "output_length": 1} for at in (5, 9, 7)]
    with pytest.raises(TaskError, match="line 3: time runs back, from 9 ms to 7 ms"):
        trace.read(made(tmp_path, *rows))


@pytest.mark.parametrize(("speed", "limit"), [(0.0, None), (float("nan"), None), (-1.0, None), (1.0, 0)])
def test_a_wrong_speed_or_limit_is_told(speed: float, limit: int | None) -> None:
    """Neither can be nought."""
    with pytest.raises(UsageError, match="must be"):
        trace.read(DATA / "azure_example.csv", speed=speed, limit=limit)


def test_equal_hash_ids_are_equal_leading_text(tmp_path: Path) -> None:
    """Two prompts have exactly the common text that their ids say, in blocks of 512 tokens, and the length recorded."""
    ids = ([7, 8, 9], [7, 8, 10], [7, 11, 9], [12])
    lengths = (1400, 1536, 1100, 300)
    rows = [
        {"timestamp": 0, "input_length": n, "output_length": 20, "hash_ids": one}
        for n, one in zip(lengths, ids, strict=True)
    ]
    workload = Traced(trace.read(made(tmp_path, *rows)))
    samples = [workload(0, index) for index in range(4)]
    texts = [sample.messages[-1]["content"].split() for sample in samples]
    assert [sum(words.count(message["content"]) for message in sample.messages) for sample in samples] == list(lengths)

    def common(one: int, other: int) -> int:
        pairs = zip(texts[one], texts[other], strict=False)
        return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))

    # Two texts that part can still have a word or two in common by chance.
    assert 0 <= common(0, 1) - 1024 < 4
    assert 0 <= common(0, 2) - 512 < 4
    assert common(0, 3) < 4
    assert len({sample.messages[0]["content"] for sample in samples}) == 1
    assert workload(1, 0).messages[-1] != samples[0].messages[-1]


def test_prompts_without_ids_share_nothing() -> None:
    """Azure's requests have the lengths recorded and texts of their own, also when the trace goes round again."""
    azure = trace.read(DATA / "azure_example.csv")
    workload = Traced(azure, ignore_eos=True)
    samples = [workload(0, index) for index in range(60)]
    assert [sample.metadata["input_tokens"] for sample in samples[:50]] == list(azure.input_tokens)
    assert [sample.params["max_tokens"] for sample in samples[50:]] == list(azure.output_tokens[:10])
    assert all(sample.params["ignore_eos"] for sample in samples)
    for sample in samples:
        assert sum(words.count(one["content"]) for one in sample.messages) == sample.metadata["input_tokens"]
    long = [sample.messages[-1]["content"] for sample in samples if sample.metadata["input_tokens"] > 100]
    assert len({text[:40] for text in long}) == len(long)
    assert workload(0, 3) == workload(0, 3)


def test_a_request_of_no_tokens_is_asked_for_one(tmp_path: Path) -> None:
    """No endpoint takes an empty prompt or an answer of none."""
    sample = Traced(trace.read(made(tmp_path, {"timestamp": 0, "input_length": 0, "output_length": 0})))(0, 0)
    assert sample.params["max_tokens"] == 1
    assert len(sample.messages[0]["content"].split()) == 1
