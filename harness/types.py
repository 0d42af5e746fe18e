"""The nouns of the harness: frozen records, standard library only.

Every mark is an integer of nanoseconds on one monotonic clock (``time.perf_counter_ns``, which on Linux is
``CLOCK_MONOTONIC``); ``None`` means "did not happen" and is never replaced by 0. Durations are not stored:
they are views over marks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.exchange import Completion, Exchange
from harness.world import World

JsonObject = dict[str, Any]

Method = Literal["GET", "POST", "PUT", "DELETE", "OPTIONS"]
KeySent = Literal["provider", "lower", "api_key", "wrong", "none"]
"""The provider's own key, the same behind ``bearer`` in lower case, or in the headers ``api-key`` and ``x-api-key``
instead; a made-up key; or none."""
WRONG_KEY = "sk-this-key-is-made-up-and-must-be-refused"
Api = Literal["chat", "responses", "embeddings"]
"""Which interface of an endpoint is asked: chat completions, the Responses API, or embeddings."""
_API_ENDS: Mapping[str, Api] = {
    "/chat/completions": "chat",
    "/responses": "responses",
    "/embeddings": "embeddings",
}
JobKind = Literal["quality", "tools", "judge", "probe", "load"]
"""``judge``: a request to an endpoint that judges the answers of others."""
Phase = Literal["warmup", "measure", "cooldown"]

VerdictWord = Literal["supported", "partial", "ignored", "rejected", "broken", "untestable", "skipped"]
RunStatus = Literal["running", "interrupted", "partial", "finished", "failed"]
"""``partial``: one of several processes was lost, and with it a share of the plan; the others went on to its end."""


# --- what is asked ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sample:
    """One question, byte for byte the same for every endpoint."""

    id: str
    messages: tuple[JsonObject, ...]
    target: Any = None
    """What a right answer holds; its shape is the scorer's. None: nothing to compare with."""
    tools: tuple[JsonObject, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    """Body fields: temperature, max_tokens, tool_choice, response_format, stop, seed..."""
    place: str = ""
    """Where it stands, such as a file and a line, for who has to mend it; empty: its id says enough."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """``cluster`` names what it shares with other samples (a passage, a template, a set of tools) so that their scores
    are not independent; a subject is none. The rest is the task's own."""
    turns: tuple[str, ...] = ()
    """What the user says next, each after the answer to the one before: a session of ``1 + len(turns)`` requests. Where
    its task has a world, each once the model calls no more."""
    inputs: tuple[str, ...] = ()
    """Texts whose embeddings are asked for, in one request; it has then no messages. Empty: the messages are asked."""


@dataclass(frozen=True, slots=True)
class Score:
    """A judgement of one answer by one scorer."""

    value: float | None
    """0.0 (wrong) to 1.0 (right); None: it cannot be judged, and is neither right nor wrong. ``fault`` says why."""
    answer: str | None
    """What was read out of the completion; None: no answer could be found in it."""
    explanation: str
    scorer: str
    version: int
    fault: str = ""
    """Name of what keeps the answer from being judged, such as ``leaked_markup``; empty: it was judged."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Named parts of the judgement, such as the instructions of one prompt; must be JSON."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """A named, versioned pure function from a sample and its completion to a score."""

    name: str
    version: int
    score: Callable[[Sample, Completion], Score]
    """Of a session it is given the last answer."""
    episode: Callable[[Sample, Sequence[Completion]], Score] | None = None
    """Judges all answers of a session in their order, and then takes the place of ``score``; None: the last decides."""
    judging: str | None = None
    """Where another endpoint judges: what makes an answer good, empty for what makes any good. None: nobody judges."""
    waits: bool = False
    """Whether it waits for a process of its own: several answers are then judged at once, in threads."""

    def of_session(self, sample: Sample, said: Sequence[Completion]) -> Score:
        """The score of all answers of a session, in their order."""
        return self.score(sample, said[-1]) if self.episode is None else self.episode(sample, said)


@dataclass(frozen=True, slots=True)
class Task:
    """A set of samples and how they are scored; one file in ``tasks/quality`` or ``tasks/tools``."""

    name: str
    version: int
    kind: Literal["quality", "tools"]
    description: str
    load: Callable[[Path | None], Iterator[Sample]]
    """Yields the samples in a fixed order; the path is the user's ``--data``, None: the task's own source."""
    scorer: Scorer
    stream: bool = True
    licence: str = "Apache-2.0"
    source: str = ""
    world: Callable[[Sample], World] | None = None
    """Makes a sample's environment in its first state: calls are carried out in it, and the results go into the next
    request. None: nothing is carried out."""
    steps: int | None = None
    """Most requests of one sample; goes with ``world``, where the model decides how many there are."""


@dataclass(frozen=True, slots=True)
class Slo:
    """What a user calls good enough, in milliseconds; None: no such objective."""

    ttft_ms: float | None = None
    tpot_ms: float | None = None
    e2e_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """Streaming work under stated arrival laws; one file in ``tasks/loads``."""

    name: str
    version: int
    description: str
    levels: tuple[Any, ...]
    """Arrival laws of ``harness.run.arrivals``, one stage each, in the order of rising stress."""
    requests_per_level: int | None
    """Measured requests (sessions, where a sample has turns) of each level; None: as many as the law or the duration
    gives."""
    sample: Callable[[int, int], Sample]
    """``sample(seed, index)``: the index-th prompt or session. Its ``metadata`` may hold ``input_tokens`` and
    ``output_tokens``, the lengths it was made for."""
    warmup: int = 1
    """Requests sent before each level and kept out of every metric."""
    cooldown: int = 0
    """Requests that go on after the measured ones, so that those end under load; kept out of every metric."""
    slo: Slo = Slo()
    nonce: Literal["request", "run", "none"] = "request"
    """What is put before the first message so that no cache of an earlier run answers: a text of each request's own,
    one of the run (prefixes stay shared within it), or nothing."""
    think_s: float = 0.0
    """Mean of the exponential pause of a user before the next turn, and in a closed loop before the next session."""
    duration_s: float | None = None
    """When each level stops asking; None: when its requests are through."""
    give_up_share: float = 0.0
    """Share of requests, 0 to 1, whose user stops waiting after ``give_up_s``."""
    give_up_s: float | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """A named selection of tasks, probes and loads, and what must hold of them; one file in ``tasks/suites``."""

    name: str
    """The stem of its file."""
    description: str
    file: Path
    place: Callable[..., str]
    """``place("tasks", 0)``: file and line of what the file says there."""
    tasks: tuple[str, ...] = ()
    """``name`` or ``name:limit``, where the limit keeps the first so many samples; a data file's path likewise."""
    probes: str | None = None
    """Probe profile, for example ``smoke``; None: no probes."""
    loads: Mapping[str, JsonObject] = field(default_factory=dict)
    """Loads with the options of ``harness load`` that each is carried out with; none: as its own file says."""
    repeats: int = 1
    """How often each sample of a task is asked."""
    endpoints: tuple[str, ...] = ()
    """Who is asked when nobody else is named."""
    judges: tuple[str, ...] = ()
    """Who judges when nobody else is named."""
    gate: str | JsonObject | None = None
    """What must hold of a run: a gate in its place, or the path of its file; None: nothing is said."""


@dataclass(frozen=True, slots=True)
class Request:
    """The exact bytes that an endpoint is sent."""

    path: str
    """Below the base URL, for example ``/chat/completions``."""
    body: bytes | None
    """None for a GET, and where nothing was to be sent."""
    stream: bool
    workload_sha256: str
    """Of the canonical JSON of the body without ``model`` and the provider's quirks: equal hashes, equal question."""
    method: Method = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    """Added to what the SDK sends."""
    auth: KeySent = "provider"
    """Which key is sent, and how (probes of authentication)."""

    @property
    def api(self) -> Api | None:
        """The interface that the path is of; None: another one, such as the list of models."""
        path = self.path.partition("?")[0]
        return next((api for end, api in _API_ENDS.items() if path.endswith(end)), None)


# --- the work --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Job:
    """One planned request."""

    id: str
    """Unique in its run and stable for its plan: ``stage/endpoint/sample/repeat``."""
    endpoint: str
    kind: JobKind
    stage: str
    """Stage of the plan, for example ``quality.arithmetic`` or ``load.short_chat@c4``."""
    task: str
    """Name of the task, load, or probe scenario set."""
    sample: str
    repeat: int = 0
    phase: Phase = "measure"
    turn: int = 0
    """Place in its session; 0: the first request, or no session."""
    due_ns: int | None = None
    """Planned arrival since its stage began, under an open arrival law; None: as soon as a place is free."""
    give_up_s: float | None = None
    """When its user stops waiting; None: never."""
    input_tokens: int | None = None
    """Prompt tokens it was made for; None: nothing was asked for. What came is in the usage."""
    output_tokens: int | None = None
    """Output tokens it was made for; None: nothing was asked for."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that was sent, or failed to be: one line of the journal. A retry is another attempt."""

    job: Job
    number: int
    """0 for the first try of its job."""
    request: Request
    exchange: Exchange
    sched_ns: int
    """Planned arrival; in a closed loop the moment the slot became free."""
    admit_ns: int
    """When limits let it go; what it waited for them is admit - sched."""
    in_flight: int
    """Requests under way on this endpoint when it was sent, itself included."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a probe found out about one endpoint."""

    probe: str
    rev: int
    verdict: VerdictWord
    reason: str
    """One line."""
    expected: str = ""
    actual: str = ""
    evidence: tuple[str, ...] = ()
    """Job ids of the attempts it rests on; the one that shows it best comes first."""
    agree: int = 1
    """Samples that gave this verdict."""
    samples: int = 1
    """Samples that were judged; where fewer agree the endpoint is flaky here."""
