"""The vendors of the experiments: one model, served as it is or with one thing done wrong."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from between import Change, between
from real_servers import SERVERS, TEMPLATE, home, weights

from harness.engines import start
from harness.provider import Serve

MODEL = "smollm2"
CONTEXT = 4096
SYSTEM = "You are the assistant of a bank. Never speak of anything but banking."
_WINDOW = 400
"""Words of a message that the vendor with the silent cut hands on; about 500 tokens."""
_QUANTISE = """
import sys
import llama_cpp
source, target, kind = sys.argv[1:]
wanted = llama_cpp.llama_model_quantize_default_params()
wanted.ftype, wanted.nthread, wanted.allow_requantize = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}"), 1, True
sys.exit(llama_cpp.llama_model_quantize(source.encode(), target.encode(), wanted))
"""


@dataclass(frozen=True)
class Vendor:
    """One server, and what stands before it."""

    name: str
    says: str
    """How it differs from the reference, in a few words."""
    engine: str
    options: Callable[[Path], Mapping[str, Any]]
    """Of the engine, from a folder for files that are made."""
    change: Change | None = None
    """What a proxy does to each request; None: there is none."""
    block: Mapping[str, Any] = field(default_factory=dict)
    """Of its block of the providers file, beside the address."""
    model: Callable[[], str] = lambda: MODEL
    """What the server calls the model."""


@contextmanager
def serving(vendors: list[Vendor], folder: Path) -> Iterator[dict[str, dict[str, Any]]]:
    """Start them; gives the blocks of a providers file."""
    with ExitStack() as stack:
        blocks: dict[str, dict[str, Any]] = {}
        for vendor in vendors:
            running = start(Serve(vendor.engine, vendor.options(folder)), log_dir=folder / "logs" / vendor.name)
            stack.callback(running.stop)
            address = running.base_url
            if vendor.change is not None:
                address = stack.enter_context(between(address, vendor.change))
            blocks[vendor.name] = {
                "kind": "local",
                "base_url": address,
                "models": {MODEL: vendor.model()},
                "deadlines": {"first_byte_s": 300, "idle_s": 120, "total_s": 600},
                **vendor.block,
            }
        yield blocks


# --- llama.cpp's own server ------------------------------------------------------------------------------


def _llama(**changes: Any) -> Callable[[Path], Mapping[str, Any]]:
    plain = {"model": str(weights()), "alias": MODEL, "threads": 1, "parallel": 4, "context": CONTEXT}
    return lambda _: {**plain, "chat_template": str(TEMPLATE), **changes}


def _requantised(kind: str) -> Callable[[Path], Mapping[str, Any]]:
    """The same weights in a coarser type, made with llama.cpp's quantise where they are not there yet."""

    def options(folder: Path) -> Mapping[str, Any]:
        made = folder / f"smollm2-{kind.lower()}.gguf"
        if not made.is_file():
            SERVERS["llama-cpp-python"].install()
            part = made.with_suffix(".part")
            python = SERVERS["llama-cpp-python"].python
            with (folder / "quantise.log").open("w") as log:
                command = [python, "-c", _QUANTISE, weights(), part, kind]
                subprocess.run(command, check=True, stdout=log, stderr=subprocess.STDOUT)
            part.rename(made)
        return _llama(model=str(made))(folder)

    return options


def _wrong_template(folder: Path) -> Mapping[str, Any]:
    """The turns marked as for another model, all else as it is."""
    made = folder / "wrong.jinja"
    made.write_text(TEMPLATE.read_text("utf-8").replace("<|im_start|>", "### ").replace("<|im_end|>", "</s>"), "utf-8")
    return _llama(chat_template=str(made))(folder)


def _own_template(folder: Path) -> Mapping[str, Any]:
    """The model's own template, which knows no tools: llama.cpp then drops them without a word."""
    return {name: value for name, value in _llama()(folder).items() if name != "chat_template"}


# --- what proxies do -------------------------------------------------------------------------------------


def _no_temperature(body: dict[str, Any]) -> None:
    body.pop("temperature", None)
    body.pop("top_p", None)


def _injected(body: dict[str, Any]) -> None:
    messages = body.get("messages") or []
    if messages and messages[0].get("role") == "system":
        messages[0] = {**messages[0], "content": f"{SYSTEM}\n{messages[0]['content']}"}
    elif messages:
        messages.insert(0, {"role": "system", "content": SYSTEM})


def _shortened(body: dict[str, Any]) -> None:
    for message in body.get("messages") or []:
        words = str(message.get("content") or "").split(" ")
        if len(words) > _WINDOW:
            message["content"] = " ".join(words[-_WINDOW:])


# --- all of them -----------------------------------------------------------------------------------------

_PLAIN = {"repeat_penalty": 1.0}
_SAMPLING = json.dumps({"do_sample": True, "top_k": 40, "min_p": 0.05, "eos_token_id": 2, "pad_token_id": 2})
"""What llama.cpp does by default, in the words of transformers."""


def _other(name: str, says: str, more: Mapping[str, Any] | None = None) -> Vendor:
    """Another engine, one request at a time; with fields added to each request it is called so-and-so alike."""
    quirks = {"max_tokens_field": "max_tokens", **({"extra_body": more} if more else {})}
    return Vendor(
        f"{name}-alike" if more else name,
        says,
        name.replace("-", "_") if name != "transformers" else "transformers_serve",
        _of(name),
        block={"limits": {"concurrency": 1}, "quirks": quirks},
        model=SERVERS[name].model,
    )


def _of(name: str) -> Callable[[Path], Mapping[str, Any]]:
    """A server of the matrix as it is started there."""

    def options(_: Path) -> Mapping[str, Any]:
        SERVERS[name].install()
        return {key: value for key, value in SERVERS[name].provider()["serve"].items() if key != "engine"}

    return options


VENDORS = {
    vendor.name: vendor
    for vendor in (
        Vendor("reference", "llama.cpp, the embedded engine", "llama_cpp", _llama()),
        Vendor("same", "a second process of the same engine with the same weights", "llama_cpp", _llama()),
        Vendor("q3", "the weights requantised to Q3_K_M", "llama_cpp", _requantised("Q3_K_M")),
        Vendor("q2", "the weights requantised to Q2_K", "llama_cpp", _requantised("Q2_K")),
        Vendor("template", "turns marked as for another model", "llama_cpp", _wrong_template),
        Vendor("context", "a window of 512 tokens, which refuses more", "llama_cpp", _llama(context=512)),
        Vendor("cut", "hands on the last 400 words of a message", "llama_cpp", _llama(), change=_shortened),
        Vendor("temperature", "temperature and top_p ignored", "llama_cpp", _llama(), change=_no_temperature),
        Vendor("prompt", "a system prompt injected", "llama_cpp", _llama(), change=_injected),
        Vendor("tools", "tools dropped: a template without them", "llama_cpp", _own_template),
        _other("llama-cpp-python", "the same weights in llama-cpp-python"),
        _other("llama-cpp-python", "the same, told to punish no repeats", _PLAIN),
        _other("transformers", "the same weights in transformers serve, as bfloat16"),
        _other("transformers", "the same, told to sample as the reference does", {"generation_config": _SAMPLING}),
    )
}
"""By name; the first is the reference."""

__all__ = ["MODEL", "VENDORS", "Vendor", "home", "serving"]
