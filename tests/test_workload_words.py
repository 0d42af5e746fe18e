"""Words as tokens: how many there are, on a vocabulary of our own and on a real model."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import engines
from harness.engines import Running, weights
from harness.errors import EngineError, UsageError
from harness.provider import Serve
from harness.types import JsonObject
from harness.workload import words

SIZES = (10, 20, 50, 100, 200, 350, 500)


def test_the_words_are_plain_and_distinct() -> None:
    """At least 400 of them, of small letters alone."""
    assert len(set(words.WORDS)) == len(words.WORDS) >= 400
    assert all(word.isascii() and word.isalpha() and word.islower() for word in words.WORDS)


def test_a_text_has_as_many_words_as_tokens_were_asked_for() -> None:
    """The same for the same seed, another for another."""
    for size in SIZES:
        assert len(words.text(random.Random("0/1"), size).split()) == words.count(words.text(random.Random(1), size))
        assert words.text(random.Random("0/1"), size) == words.text(random.Random("0/1"), size)
        assert words.text(random.Random("0/1"), size) != words.text(random.Random("0/2"), size)
    assert words.text(random.Random(1), 0) == ""


def test_what_is_asked_for_stands_at_the_end_and_counts() -> None:
    """The whole has the size asked for; where there is no room, the words alone are sent."""
    for size in (1, 5, 9, 10, 11, 200):
        text = words.asking(random.Random(1), size, "Write a long story with these words.")
        assert words.count(text) == size
        assert text.endswith("Write a long story with these words.") == (size > 8)
        assert text.split()[0] in words.WORDS


# --- a tokenizer file ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level BPE vocabulary that knows some of our words and cuts the others to pieces."""
    if importlib.util.find_spec("tokenizers") is None:
        pytest.skip("tokenizers is not installed: pip install 'endpoint-harness[tokenizer]'")
    library: Any = importlib.import_module("tokenizers")
    made = library.ByteLevelBPETokenizer()
    made.train_from_iterator([" " + " ".join(words.WORDS[:300] * 5)], vocab_size=900, show_progress=False)
    path = tmp_path_factory.mktemp("vocabulary") / "tokenizer.json"
    made.save(str(path))
    return path


def test_a_tokenizer_file_makes_the_length_exact(tokenizer: Path) -> None:
    """Whatever its vocabulary holds, the text has exactly the tokens asked for, by that vocabulary's own count."""
    loaded = importlib.import_module("tokenizers").Tokenizer.from_file(str(tokenizer))
    assert any(len(loaded.encode(f" {word}").ids) > 1 for word in words.WORDS)
    for size in SIZES:
        text = words.text(random.Random(f"0/{size}"), size, tokenizer)
        assert len(loaded.encode(text, add_special_tokens=False).ids) == size
        asking = words.asking(random.Random(1), size, "Write a story.", tokenizer)
        assert len(loaded.encode(asking, add_special_tokens=False).ids) == size


def test_a_file_that_is_no_tokenizer_is_told(tmp_path: Path, tokenizer: Path) -> None:
    """A missing file and one of other content end in one line each."""
    with pytest.raises(UsageError, match="no such tokenizer file"):
        words.count("a", tmp_path / "tokenizer.json")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(UsageError, match=r"other\.json is no tokenizer file.*Give the tokenizer.json") as caught:
        words.count("a", tmp_path / "other.json")
    assert "\n" not in str(caught.value)


def test_a_missing_package_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line names the extra that brings it."""
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UsageError, match=r"endpoint-harness\[tokenizer\]"):
        words.count("a", tmp_path / "another.json")


# --- the real model --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A real server with the real model; what needs it is skipped where its weights cannot be had."""
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("xllamacpp is not installed: pip install 'endpoint-harness[local]'")
    try:
        weights.pull("smollm2")
    except EngineError as error:
        pytest.skip(str(error))
    server = engines.start(Serve("llama_cpp", {"model": "smollm2"}), log_dir=tmp_path_factory.mktemp("log"))
    yield server
    server.stop()


def ask(url: str, body: JsonObject) -> JsonObject:
    """The JSON that a POST is answered with."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as response:
        answer: JsonObject = json.loads(response.read())
    return answer


@pytest.mark.model
def test_a_real_model_counts_one_token_for_each_word(running: Running) -> None:
    """usage.prompt_tokens less what the chat template adds is the number of words, to one token and 1 %."""

    def prompt_tokens(text: str) -> int:
        body = {"model": "smollm2-135m-instruct", "messages": [{"role": "user", "content": text}], "max_tokens": 1}
        counted: int = ask(f"{running.base_url}/chat/completions", body)["usage"]["prompt_tokens"]
        return counted

    around = prompt_tokens("the") - 1
    for size in (10, 100, 500):
        counted = prompt_tokens(words.text(random.Random(f"0/{size}"), size)) - around
        assert abs(counted - size) <= 1 + size / 100, f"{size} words are {counted} tokens"
    asking = words.asking(random.Random("0/1"), 60, "Write a long story with many of these words.")
    assert abs(prompt_tokens(asking) - around - 60) <= 1


@pytest.mark.model
def test_every_word_is_one_token_of_a_real_model(running: Running) -> None:
    """Each word with the space before it, by the model's own tokenizer."""
    root = running.base_url.removesuffix("/v1")
    tokens = ask(f"{root}/tokenize", {"content": "".join(f" {word}" for word in words.WORDS), "with_pieces": True})
    assert [one["piece"].strip() for one in tokens["tokens"]] == list(words.WORDS)
