"""Secrets are taken out in every spelling: of texts, of what is printed, of tracebacks and of logs."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.run.hidden_logs import hide_in_logs
from harness.secrets import hidden

SECRET = "sk/secret+with?odd=signs&ä"
KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40)


@given(KEYS, st.binary(max_size=7), st.binary(max_size=7))
def test_no_spelling_is_left(key: str, before: bytes, behind: bytes) -> None:
    """As it is, in JSON, in URLs, and in base64 of both alphabets whatever stands around it."""
    known = hidden.known((key,))
    assert known is not None
    around = before + key.encode() + behind
    for encoded in (base64.b64encode(around), base64.urlsafe_b64encode(around)):
        start, end = -(-len(before) * 8 // 6), (len(before) + len(key)) * 8 // 6
        assert encoded[start:end] not in known.remove(encoded)
    for spelt in (key, json.dumps(key)[1:-1], quote(key), quote(key, safe="")):
        assert known.remove(b"<" + spelt.encode() + b">") == b"<[redacted]>"


@given(st.text(max_size=60))
def test_other_texts_stay(text: str) -> None:
    """What holds no secret is the same text."""
    hidden.note(SECRET)
    assert SECRET in text or hidden.shown(text) == text


def test_short_secrets_are_no_secrets() -> None:
    """Placeholders of local servers would maul answers."""
    assert hidden.known(("EMPTY", "none", "sk-1234")) is None


def test_what_is_printed_is_veiled(capsys: pytest.CaptureFixture[str]) -> None:
    """On both streams, and only inside the block."""
    hidden.note(SECRET)
    with hidden.veiled():
        print(f"it is {SECRET}")
        print(quote(SECRET, safe=""), file=sys.stderr)
        sys.stdout.writelines([SECRET])
    said = capsys.readouterr()
    assert said.out == "it is [redacted]\n[redacted]"
    assert said.err == "[redacted]\n"


@pytest.mark.parametrize("where", ["raise error", "t = threading.Thread(target=fail); t.start(); t.join()"])
def test_a_traceback_holds_no_secret(where: str) -> None:
    """What ends the program, or one of its threads, unforeseen is told without it."""
    code = (
        "import threading\nfrom harness.secrets import hidden\n"
        "hidden.note('sk-in-a-traceback')\nhidden.hide_in_tracebacks()\n"
        "error = RuntimeError('refused: ' + 'sk-in-a-' + 'traceback')\ndef fail(): raise error\n" + where
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert "refused: [redacted]" in done.stderr
    assert "sk-in-a-traceback" not in done.stderr.replace(code, "").replace("hidden.note('sk-in-a-traceback')", "")


def test_logs_are_freed_of_secrets(tmp_path: Path) -> None:
    """Of what engines printed, line by line; a log without one is not touched."""
    hidden.note(SECRET)
    log, other = tmp_path / "vllm-1.log", tmp_path / "worker-0.log"
    log.write_bytes(b"start\nauthorization: Bearer " + SECRET.encode() + b"\n\xff torn")
    other.write_bytes(b"all well\n")
    before = other.stat().st_mtime_ns, other.stat().st_ino
    hide_in_logs(tmp_path)
    assert log.read_bytes() == b"start\nauthorization: Bearer [redacted]\n\xff torn"
    assert (other.stat().st_mtime_ns, other.stat().st_ino) == before
