"""`harness providers init`: questions in, a providers.yaml out that loads, and nothing where it is broken off."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from test_cli_providers import without_keys

from harness import config
from harness.cli import providers_init
from harness.cli.providers import command
from harness.errors import HarnessError, UnknownName, UsageError
from harness.preflight.local import Running
from harness.preflight.providers_text import Choice, name_of, text_of
from harness.provider import About, Auth, Provider

KEY = "correct-horse-battery"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, no keys, and no engine on this machine."""
    monkeypatch.chdir(tmp_path)
    without_keys(monkeypatch)
    runs(monkeypatch)


def runs(monkeypatch: pytest.MonkeyPatch, **models: tuple[str, ...]) -> None:
    """These presets run here, and list these models; the hosted ones give no list."""
    known = config.shipped_providers()

    async def running(_: object) -> list[Running]:
        return [Running(known[name], known=True, models=ids) for name, ids in models.items()]

    monkeypatch.setattr(providers_init, "running", running)
    monkeypatch.setattr(providers_init, "_ids", lambda _: [])


def init(*args: str, answers: str | None = None) -> Result:
    """Call it; None: standard input is empty."""
    return CliRunner().invoke(command, ["init", *args], input=answers)


def test_without_questions(tmp_path: Path) -> None:
    """--use with --yes writes blocks that say `use`, with comments, and they load as the presets."""
    result = init("--use", "groq", "--use", "vllm", "--yes")
    assert result.exit_code == 0
    text = (tmp_path / "providers.yaml").read_text()
    assert "  groq:\n    use: groq\n" in text
    assert "# key: in the environment variable GROQ_API_KEY, to be had at https://console.groq.com/keys" in text
    assert "# start: vllm serve" in text
    shipped, now = config.shipped_providers(), config.load_providers()
    assert now["groq"].base_url == shipped["groq"].base_url
    assert {name for name, one in now.items() if one.yours} == {"groq", "vllm"}


def test_what_is_found_is_taken_with_yes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --yes alone: engines that run, with the few models they list, and whoever's key is set; no key."""
    runs(monkeypatch, vllm=("meta-llama/Llama-3.3-70B-Instruct",))
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    assert init("--yes").exit_code == 0
    now = config.load_providers()
    assert {name for name, one in now.items() if one.yours} == {"groq", "vllm"}
    assert now["vllm"].models == {"llama-3.3-70b": "meta-llama/Llama-3.3-70B-Instruct"}
    assert KEY not in (tmp_path / "providers.yaml").read_text()


def test_nothing_found_is_told() -> None:
    """Without an engine, a key or a name there is nothing to write."""
    error = init("--yes").exception
    assert isinstance(error, UsageError)
    assert "--use" in str(error)
    assert not Path("providers.yaml").exists()


def test_a_dialogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offers are agreed to or not, a mistyped name and a wrong model are answered with the nearest, limits are kept."""
    runs(monkeypatch, vllm=("meta-llama/Llama-3.3-70B-Instruct", "Qwen/Qwen2.5-7B"), ollama=("a", "b"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    answers = [
        *("y", "n", "maybe", "n"),  # vllm, not ollama, not openai
        *("gorq", "Groq", "groq", ""),
        *("llama-3.3-70b-instuct", "meta-llama/Llama-3.3-70B-Instruct", "8", "x", ""),
        *("gpt-oss-120b, some/other-model", "", "30"),
    ]
    result = init(answers="\n".join(answers) + "\n")
    assert result.exit_code == 0, result.output
    for told in (
        "Did you mean groq?",
        "Did you mean meta-llama/Llama-3.3-70B-Instruct?",
        "answer y or n",
        "a whole number above 0",
        "groq is taken already",
        "set GROQ_API_KEY before you ask it",
    ):
        assert told in result.stderr
    now = config.load_providers()
    assert {name for name, one in now.items() if one.yours} == {"groq", "vllm"}
    assert now["vllm"].models == {"llama-3.3-70b": "meta-llama/Llama-3.3-70B-Instruct"}
    assert now["vllm"].limits.concurrency == 8
    assert now["groq"].limits.requests_per_minute == 30
    assert now["groq"].models["some/other-model"] == "some/other-model"
    assert "llama-3.1-8b" in now["groq"].models, "what the preset maps stays"


def test_an_engine_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A local engine that does not run here is asked for its address, which is checked before it is taken."""
    answers = "vllm\n\nhttp://10.0.0.7:8000\nhttp://10.0.0.7:8000/v1\n\n\n\n"
    result = init(answers=answers)
    assert result.exit_code == 0, result.output
    assert "ends with the host" in result.stderr
    assert config.load_providers()["vllm"].base_url == "http://10.0.0.7:8000/v1"


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    """It is refused to overwrite before anything is asked; --force replaces it, --file writes elsewhere."""
    mine = tmp_path / "providers.yaml"
    mine.write_text("providers: {}\n")
    result = init("--use", "groq", "--yes")
    assert isinstance(result.exception, UsageError)
    assert "--force" in str(result.exception)
    assert mine.read_text() == "providers: {}\n"
    assert "--providers other.yaml" in init("--use", "groq", "--yes", "--file", "other.yaml").stderr
    assert config.load_providers(Path("other.yaml"))["groq"].yours
    assert init("--use", "vllm", "--yes", "--force").exit_code == 0
    assert "use: vllm" in mine.read_text()


def test_an_unknown_name_offers_the_nearest() -> None:
    """--use with a mistyped name writes nothing."""
    error = init("--use", "gorq", "--yes").exception
    assert isinstance(error, UnknownName)
    assert "groq" in str(error)
    assert not Path("providers.yaml").exists()


@pytest.mark.parametrize("answers", [None, "", "groq\n", "groq\n\nllama-3.3-70b\n", "groq\n\nllama-3.3-70b\n\n"])
def test_answers_that_end_too_soon_write_nothing(answers: str | None) -> None:
    """The end of standard input is told in one line, wherever it comes."""
    error = init(answers=answers).exception
    assert isinstance(error, HarnessError)
    assert "the answers ended before the questions did" in str(error)
    assert list(Path().iterdir()) == []


def _started(folder: Path, *args: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_TOKEN"))}
    return subprocess.Popen(
        [sys.executable, "-m", "harness", "providers", "init", *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[1])},
    )


def test_piped_answers_of_a_real_process(tmp_path: Path) -> None:
    """What a pipe says is taken as answers, and the file stands when the process ends."""
    process = _started(tmp_path, "--use", "groq")
    _, told = process.communicate("\n4\n\n", timeout=60)
    assert process.returncode == 0, told
    assert config.load_providers(tmp_path / "providers.yaml")["groq"].limits.concurrency == 4


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    """Broken off at a question it ends with 130, without a file, whole or in part."""
    process = _started(tmp_path, "--use", "groq")
    assert process.stderr is not None
    assert process.stderr.read(5) == "groq:"
    time.sleep(0.2)  # it is waiting for the answer now
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []


def test_check_runs_on_what_was_written(tmp_path: Path) -> None:
    """The written file is one that `harness providers check` works with."""
    assert init("--use", "vllm", "--yes").exit_code == 0
    result = CliRunner().invoke(command, ["check", "vllm/m", "--timeout", "1"])
    assert result.exit_code in (0, 3)
    assert result.stdout.splitlines()[1].startswith("vllm/m")


# --- the text --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model_id", "name"),
    [
        ("meta-llama/Llama-3.3-70B-Instruct", "llama-3.3-70b"),
        ("llama3.3:70b", "llama-3.3-70b"),
        ("llama-3.3-70b-versatile", "llama-3.3-70b-versatile"),
        ("meta-llama/Llama-3.1-70B-Instruct", "meta-llama/Llama-3.1-70B-Instruct"),
        ("openai/gpt-oss-20b", "gpt-oss-20b"),
    ],
)
def test_an_id_gets_the_logical_name_of_its_words_alone(model_id: str, name: str) -> None:
    """Another size, version or variant is another model and keeps its id for a name."""
    assert name_of(model_id, ["llama-3.3-70b", "gpt-oss-120b", "gpt-oss-20b"]) == name


STRANGE = "yes 1e3 0x10 @cf/meta/llama a:b ünï null -x #c {m} 2026-01-01 a#b 'q' [1] *a &b !c %d ~"


@pytest.mark.parametrize("model_id", STRANGE.split())
def test_any_id_survives_the_file(tmp_path: Path, model_id: str) -> None:
    """Whatever a server calls its models is text in the file, and the same after reading."""
    preset = config.shipped_providers()["vllm"]
    (tmp_path / "providers.yaml").write_text(text_of([Choice(preset, models={model_id: model_id})]))
    assert config.load_providers()["vllm"].models == {model_id: model_id}


def test_facts_of_a_preset_cannot_break_out_of_a_comment() -> None:
    """A fact with a line break stays a comment."""
    about = About(title="A\nB: {x: 1}", start="run\nme", key_url="https://k.example")
    preset = Provider(
        "vllm", "local", "http://127.0.0.1:1/v1", Auth(env="K"), about=about, preset="vllm", any_model=True
    )
    path = Path("providers.yaml")
    path.write_text(text_of([Choice(preset)]))
    assert config.load_providers()["vllm"].yours
