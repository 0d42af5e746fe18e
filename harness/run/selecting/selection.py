"""What the user asked for: kept in ``run.json`` and enough, with the tasks' files, to plan the same run again."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.prompts.filed import Filed
from harness.types import JsonObject


def new_nonce() -> str:
    """A text that no earlier run has put before its prompts."""
    return secrets.token_hex(4)


@dataclass(frozen=True, slots=True)
class Changes:
    """What the user wants otherwise than a load's file says; None: as it says.

    Texts are in the notation of the command line, so that a manifest reads like the command that made it.
    """

    levels: tuple[JsonObject, ...] | None = None
    """Arrival laws in the form of ``harness.run.arrivals.law_json``."""
    requests: int | None = None
    duration_s: float | None = None
    warmup: int | None = None
    cooldown: int | None = None
    slo: str | None = None
    input_tokens: str | None = None
    output_tokens: str | None = None
    prefix: str | None = None
    turns: str | None = None
    kind: str | None = None
    prompts: str | None = None
    trace: str | None = None
    speed: float | None = None
    tokenizer: str | None = None
    think_s: float | None = None
    give_up: str | None = None
    nonce: Literal["request", "run", "none"] | None = None
    batch: int | None = None

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Changes:
        """The changes that ``dataclasses.asdict`` wrote into a manifest."""
        levels = stored.get("levels")
        return cls(**{**stored, "levels": None if levels is None else tuple(levels)})


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """How one load of a suite is carried out."""

    changes: Changes = Changes()
    blocks: int = 1
    """As in ``Selection``."""


@dataclass(frozen=True, slots=True)
class Search:
    """Levels that follow from what was measured: up to the highest that meets the objectives, or until saturation."""

    axis: Literal["concurrency", "rate"]
    low: float
    high: float
    resolution: float = 1.1
    """Stop once the lowest missed level is at most this many times the highest met one."""
    even: bool = False
    """Whether the arrivals of a rate are evenly spaced; otherwise Poisson."""
    sweep: tuple[float, ...] = ()
    """The levels of a sweep, rising; empty: search."""


@dataclass(frozen=True, slots=True)
class Level:
    """One level that the search of one endpoint decided to try."""

    endpoint: str
    at: float
    """Requests at once, or requests per second."""
    repeat: int
    """0 for the first look at this level."""
    requests: int


@dataclass(frozen=True, slots=True)
class Again:
    """A probe's scenario of which more samples are wanted, since the first one accused its endpoint."""

    endpoint: str
    scenario: str


@dataclass(frozen=True, slots=True)
class Busy:
    """Tasks that are asked alone and under a load of themselves, by turns.

    Each sample's even repeats are asked one at a time, the odd ones under the law; two repeats are a block.
    """

    law: JsonObject
    """In the form of ``harness.run.arrivals.law_json``."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked of whom."""

    suite: str
    endpoints: tuple[str, ...]
    tasks: tuple[str, ...] = ()
    """``name`` or ``name:limit``."""
    probes: str | None = None
    loads: tuple[str, ...] = ()
    data: str | None = None
    """Local file or folder read by the tasks in place of their own source; None: their own source."""
    data_of: Mapping[str, str] = field(default_factory=dict)
    """Task -> its own file or folder, where that is not ``data``."""
    repeats: int = 1
    often: Mapping[str, int] = field(default_factory=dict)
    """Task -> how often each of its samples is asked, where that is not ``repeats``."""
    twice: bool = False
    """Whether the first endpoint is asked twice as often as the others: as itself, and once more to be compared with
    itself. Its even repeats are the one, its odd ones the other."""
    busy: Busy | None = None
    """None: tasks are asked once through, at ``concurrency``."""
    blocks: int = 1
    """How often the levels of a load are gone through; from 2 on each time is a block, a stage of its own, and the
    endpoints change their order from block to block, so that drift in time falls on all of them alike."""
    concurrency: int = 4
    """Requests under way per endpoint in quality and tool tasks."""
    seed: int = 0
    max_requests: int | None = None
    nonce: str = ""
    """Text of this run alone that load prompts begin with; empty: only what tells the requests of a run apart."""
    changes: Changes = Changes()
    """Of every load that has no settings of its own."""
    settings: Mapping[str, LoadSettings] = field(default_factory=dict)
    """By load: what a suite says of it."""
    paired: bool = False
    """Whether loads ask all endpoints at the same time; otherwise one endpoint after the other."""
    owned: bool = False
    """Whether the user says that the endpoints are theirs: loads then go beyond the configured limits."""
    search: Search | None = None
    decided: tuple[Level, ...] = ()
    """Levels that the search has decided on so far, in its order."""
    again: tuple[Again, ...] = ()
    """What the probes look at a second time."""
    files: tuple[Filed, ...] = ()
    """Tasks of ``tasks`` that are files of the user's own prompts, by their names."""
    judges: tuple[str, ...] = ()
    """Endpoints that judge the answers of the tasks which are scored so."""
    pairwise: bool = False
    """Whether they also compare each endpoint's answers with those of the first one."""
    api: Literal["chat", "responses"] = "chat"
    """How tasks and loads are asked, but for those that want embeddings; judges and probes are not touched by it."""
    store_text: Literal["all", "sample", "hash", "none"] = "all"
    """What is kept of requests and answers once the run is finished and judged."""

    def repeats_of(self, task: str, endpoint: str) -> int:
        """How often each sample of a task is asked of an endpoint."""
        again = 2 if self.twice and endpoint == self.endpoints[0] else 1
        return self.often.get(task, self.repeats) * again

    def data_for(self, task: str) -> str | None:
        """The file or folder that a task reads; None: its own source."""
        return self.data_of.get(task, self.data)

    def of_load(self, name: str) -> LoadSettings:
        """How a load of that name is carried out."""
        return self.settings.get(name) or LoadSettings(self.changes, self.blocks)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Selection:
        """The selection that ``dataclasses.asdict`` wrote into a manifest."""
        given = dict(stored)
        for name in ("endpoints", "tasks", "loads", "judges"):
            given[name] = tuple(stored.get(name) or ())
        given["changes"] = Changes.from_json(given.get("changes") or {})
        given["settings"] = {
            name: LoadSettings(**{**one, "changes": Changes.from_json(one["changes"])})
            for name, one in (given.get("settings") or {}).items()
        }
        if given.get("search"):
            given["search"] = Search(**{**given["search"], "sweep": tuple(given["search"]["sweep"])})
        if given.get("busy"):
            given["busy"] = Busy(**given["busy"])
        given["decided"] = tuple(Level(**level) for level in given.get("decided") or ())
        given["again"] = tuple(Again(**one) for one in given.get("again") or ())
        given["files"] = tuple(Filed(**one) for one in given.get("files") or ())
        return cls(**given)
