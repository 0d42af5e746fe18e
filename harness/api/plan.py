"""Plans, by the names of the commands that make the same ones; arguments have the names of the options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from harness import config
from harness.api.planned import Planned
from harness.api.sources import Own, Providers, Who, ids, scored_by, several, sources
from harness.conformance.probe import Probe
from harness.errors import UnknownName
from harness.report.fidelity.planned import SIZES, thousands, verify_selection
from harness.run.planning.refused import refuse_load
from harness.run.selecting.evals import eval_selection
from harness.run.selecting.load_words import FILES, duration
from harness.run.selecting.loads import load_selection
from harness.run.selecting.selection import Selection
from harness.run.selecting.suites import suite_selection
from harness.run.tally import Budget
from harness.types import Load, Scorer, Task

Keep = Literal["none", "hash", "sample", "all"]
"""What is kept of requests and answers once a run is finished."""
Api = Literal["chat", "responses"]


def eval(  # noqa: A001 - the command's name
    *tasks: str | Path | Task,
    endpoints: Who | Sequence[Who],
    scorer: str | Scorer | None = None,
    prompt: str | None = None,
    system: str | None = None,
    target: str | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    limit: int | None = None,
    data: str | Path | None = None,
    repeats: int = 1,
    concurrency: int = 4,
    judges: Sequence[Who] = (),
    pairwise: bool = False,
    api: Api = "chat",
    seed: int = 0,
    store_text: Keep = "all",
    providers: Providers = None,
) -> Planned:
    """Quality and tool tasks, as ``harness eval``: names, data files (either with ``:N``), or ``Task`` objects.

    A ``scorer`` that is a name scores data files; one that is a ``Scorer`` scores every task that is named here.

    Errors: as ``eval_selection`` and ``harness.run.planning.plan.make``.
    """
    own = [one for one in tasks if isinstance(one, Task)]
    found = sources(providers, (*several(endpoints), *judges), own, only=("TASK", "TASKS", "LOAD"))
    words = [one.name if isinstance(one, Task) else str(one) for one in tasks]
    about: dict[str, Any] = {"prompt": prompt, "system": system, "target": target}
    about |= {"max_tokens": max_tokens, "temperature": temperature}
    if isinstance(scorer, Scorer):
        words, about = scored_by(scorer, words, about, found.catalog), {}
    else:
        about["scorer"] = scorer
    selection = eval_selection(
        words,
        ids(endpoints),
        found.catalog,
        about,
        limit=limit,
        data=None if data is None else Path(data),
        repeats=repeats,
        concurrency=concurrency,
        judges=ids(judges),
        pairwise=pairwise,
        api=api,
        seed=seed,
        store_text=store_text,
    )
    return Planned("eval", selection, found)


class LoadOptions(TypedDict, total=False):
    """The options of ``harness load``, with their meaning and their notation; numbers may be numbers."""

    concurrency: int | str | Sequence[int]
    rate: float | str | Sequence[float]
    arrival: str
    ramp: str
    steps: str
    burst: int
    trace: str | Path
    speed: float
    search: Literal["concurrency", "rate"]
    low: float
    high: float
    requests: int
    duration: float | str
    warmup: int
    cooldown: int
    repeats: int
    all_levels: bool
    slo: str
    input_tokens: int | str
    output_tokens: int | str
    prefix: str
    batch: int
    turns: int | str
    think_s: float
    kind: Literal["chat", "tools", "schema"]
    prompts: str | Path
    give_up: str
    nonce: Literal["request", "run", "none"]
    tokenizer: str | Path
    paired: bool


def load(
    profile: str | Path | Load,
    *,
    endpoints: Who | Sequence[Who],
    i_own_this_endpoint: bool = False,
    api: Api = "chat",
    seed: int = 0,
    store_text: Keep = "all",
    providers: Providers = None,
    **options: Unpack[LoadOptions],
) -> Planned:
    """Streaming load, as ``harness load``: the name of a load, a file of prompts or of a trace, or a ``Load`` object.

    Errors: UnknownName for an option that there is not; as ``load_selection``, ``harness.run.planning.plan.make`` and
    ``harness.run.planning.refused.refuse_load``.
    """
    if strange := next((name for name in options if name not in LoadOptions.__annotations__), None):
        raise UnknownName("option of harness.plan.load", strange, LoadOptions.__annotations__)
    own = [profile] if isinstance(profile, Load) else []
    found = sources(providers, several(endpoints), own, only=("LOAD",))
    asked = [config.endpoint(found.providers, name) for name in ids(endpoints)]
    selection = load_selection(
        profile.name if isinstance(profile, Load) else str(profile),
        asked,
        found.catalog,
        {name: _said(name, value) for name, value in options.items()},
        owned=i_own_this_endpoint,
        api=api,
        seed=seed,
        store_text=store_text,
    )
    planned = Planned("load", selection, found)
    refuse_load(planned.plan, Budget())
    return planned


def _said(name: str, value: Any) -> Any:
    """An option in the notation of the command line."""
    if name == "duration":
        return duration(str(value))
    if name in FILES:
        return Path(value)
    if name in ("concurrency", "rate"):
        return ",".join(map(str, value)) if isinstance(value, list | tuple | range) else str(value)
    return str(value) if name in ("input_tokens", "output_tokens", "turns") else value


def probe(
    profile: str | Probe | Sequence[Probe] = "core",
    *,
    endpoints: Who | Sequence[Who],
    seed: int = 0,
    providers: Providers = None,
) -> Planned:
    """What endpoints support, as ``harness probe``: a profile, ids with commas between, or ``Probe`` objects.

    Errors: UnknownName; as ``harness.run.planning.plan.make``.
    """
    own = () if isinstance(profile, str) else (profile,) if isinstance(profile, Probe) else tuple(profile)
    found = sources(providers, several(endpoints), own, only=("PROBES",))
    chosen = profile if isinstance(profile, str) else ",".join(one.id for one in own)
    return Planned("probe", Selection(suite="probe", endpoints=ids(endpoints), probes=chosen, seed=seed), found)


def verify(
    reference: Who,
    candidates: Who | Sequence[Who],
    *,
    budget: Literal["small", "usual", "large"] = "usual",
    prompts: int | None = None,
    samples: int | None = None,
    calls: int | None = None,
    tasks: Sequence[str] = (),
    context: Sequence[str] = (),
    data: Mapping[str, str | Path] | None = None,
    concurrency: int = 4,
    seed: int = 0,
    providers: Providers = None,
) -> Planned:
    """Whether candidates serve the same model as a reference, as ``harness verify``; ``Run.verification`` judges it.

    Errors: as ``verify_selection`` and ``harness.run.planning.plan.make``.
    """
    found = sources(providers, (reference, *several(candidates)), only=("TASK", "TASKS"))
    (name,) = ids(reference)
    selection = verify_selection(
        name,
        ids(candidates),
        SIZES[budget].changed(prompts, samples, calls, tasks, thousands(context)),
        data={task: Path(path) for task, path in (data or {}).items()},
        concurrency=concurrency,
        seed=seed,
    )
    return Planned("verify", selection, found)


def suite(
    name: str | Path,
    *,
    endpoints: Who | Sequence[Who] = (),
    judges: Sequence[Who] = (),
    pairwise: bool = False,
    own: Sequence[Own] = (),
    seed: int = 0,
    store_text: Keep = "all",
    providers: Providers = None,
) -> Planned:
    """A suite, as ``harness run``: its name, or the path of its YAML file; its own endpoints where none are named.

    ``own`` are tasks, loads and probes of this process that its file names. Errors: as ``suite_selection``.
    """
    found = sources(providers, (*several(endpoints), *judges), own)
    wanted: dict[str, Any] = {"pairwise": pairwise, "store_text": store_text}
    if judges:
        wanted["judges"] = ids(judges)
    asked = found.catalog.suite(str(name))
    selection = suite_selection(asked, found.catalog, ids(endpoints), found.providers, seed=seed, **wanted)
    return Planned("suite", selection, found)
