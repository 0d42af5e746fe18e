"""The nouns of who serves: provider, endpoint, and what is declared of them; frozen records, standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

ProviderKind = Literal["hosted", "gateway", "local", "simulated"]
AuthScheme = Literal["bearer", "header", "none", "google_adc", "entra", "aws"]
"""The last three take a token or a signature from a cloud's own credentials, anew whenever the old one ends."""


@dataclass(frozen=True, slots=True)
class Auth:
    """How a provider wants its key; the key itself is only ever named by the place that holds it."""

    scheme: AuthScheme = "bearer"
    env: str | None = None
    """Name of the environment variable that holds the key; None: no key is sent, or a cloud's credentials give it."""
    header: str | None = None
    """Header name when ``scheme`` is ``header``, for example ``api-key``."""
    env_alt: tuple[str, ...] = ()
    """Other variables that may hold it; the first that is set counts."""
    scope: str | None = None
    """What a token of ``google_adc`` or ``entra`` is asked for; None: what its cloud's models need."""
    file: str | None = None
    """File that holds the key and that its owner alone may read, in place of ``env``."""
    keyring: str | None = None
    """``SERVICE/USER``: the entry of the system's keyring that holds the key, in place of ``env``."""

    @property
    def holds_key(self) -> bool:
        """Whether it names a place that holds a key."""
        return self.env is not None or self.kept

    @property
    def kept(self) -> bool:
        """Whether the key is in a file or in the keyring, and in no environment variable."""
        return self.file is not None or self.keyring is not None

    @property
    def from_cloud(self) -> bool:
        """Whether a cloud's own credentials let requests in where no key is set."""
        return self.scheme not in ("bearer", "header", "none")


@dataclass(frozen=True, slots=True)
class Limits:
    """What the user allows us to send to one provider; None: no such limit. A day is UTC's, over all runs."""

    requests_per_second: int | None = None
    requests_per_minute: int | None = None
    requests_per_day: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None


_NOTHING: Mapping[str, str] = {}


class Naming(NamedTuple):
    """Where answers tell of the server behind the address that was asked; headers in lower case."""

    backend_field: str | None = None
    """Field of the body, or of a chunk; dots lead into objects. None: none does."""
    backend_headers: tuple[str, ...] = ()
    version_headers: tuple[str, ...] = ()
    """Headers that tell software or its version, beside those that any server may send."""
    server_timing: Mapping[str, str] = _NOTHING
    """What the server measures itself, in milliseconds -> where it stands: see ``Quirks.server_timing``."""


@dataclass(frozen=True, slots=True)
class Quirks:
    """Declared differences of a provider.

    What changes a request is applied in ``harness.request`` alone, and to no probe. The rest says how answers are read
    and paid for, which model embeds, and how much room thinking needs.
    """

    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_completion_tokens"
    stream_usage: bool = True
    """Whether ``stream_options.include_usage`` may be sent."""
    drop: tuple[str, ...] = ()
    """Body fields that this provider refuses; they are not sent."""
    rename: Mapping[str, str] = field(default_factory=dict)
    """Body field -> what this provider calls it."""
    clamp: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Body field -> least and largest number that it takes; what lies outside is sent as the nearer of them."""
    ignored: tuple[str, ...] = ()
    """Body fields that it says have no effect; they are sent all the same."""
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    """Fields added to every body, for example a routing pin."""
    reasoning_tokens: int = 0
    """Tokens that its models may think before they speak; probes that need visible text allow as many more."""
    embedding_model: str | None = None
    """Id of the model that its embeddings are asked of, which is seldom one that chats; None: the endpoint's own."""
    cost_header: str | None = None
    """Response header in which it tells what an answer cost, in USD; None: in none.
    What ``usage`` tells is read in any case."""
    reasoning_in_completion: bool = True
    """Whether its ``completion_tokens`` hold the reasoning tokens."""
    backend_field: str | None = None
    """Field of its answers in which a gateway names the backend it chose, for example ``provider``; None: in none."""
    backend_headers: tuple[str, ...] = ()
    """Response headers in which it names that backend, in any case of letters."""
    version_headers: tuple[str, ...] = ()
    """Response headers of its own that tell its software or version."""
    server_timing: Mapping[str, str] = field(default_factory=dict)
    """What it measures itself, as a name that ends in ``_ms`` -> where that stands: a path in the body or a chunk of
    it, or ``header:NAME``, and by what it is multiplied, for example ``usage.queue_time * 1000``."""

    @property
    def naming(self) -> Naming:
        """Where its answers tell of the server behind it."""
        backends, versions = (tuple(map(str.lower, names)) for names in (self.backend_headers, self.version_headers))
        return Naming(self.backend_field, backends, versions, self.server_timing)


@dataclass(frozen=True, slots=True)
class Declared:
    """What a provider itself says of the probed features; set beside what was measured, never believed."""

    unsupported: tuple[str, ...] = ()
    """Ids of probes that it says it refuses; ``surface.*`` names all of a surface."""
    ignored: tuple[str, ...] = ()
    """Ids of probes that it says have no effect."""
    source: str = ""
    """Where it says so."""


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens; None: unknown, and then every cost that needs it is None too."""

    input_usd_per_mtok: float | None
    output_usd_per_mtok: float | None
    cached_input_usd_per_mtok: float | None = None
    source: str = ""
    """Where the figure comes from: ``providers.yaml``, or ``genai-prices`` with its version."""
    cache_write_usd_per_mtok: float | None = None
    """Of prompt tokens that were written to a cache; None: the price of other prompt tokens."""
    cost_header: str | None = None
    """Name, in lower case, of the response header in which the server tells the cost in USD; None: in none."""
    reasoning_apart: bool = False
    """Whether reasoning tokens are counted beside the completion tokens, and so paid on top of them."""


@dataclass(frozen=True, slots=True)
class Serve:
    """A server the harness starts itself, for the length of a run, as a child process on loopback."""

    engine: str
    """Name of a file in ``harness/engines``, for example ``llama_cpp`` or ``simulator``."""
    options: Mapping[str, Any] = field(default_factory=dict)
    upstream: Provider | None = None
    """Who is asked by this server, which is only a gateway; None: it answers itself, or that is still to be looked up
    under the id in ``options["upstream"]``."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds after which an exchange is given up; each is a failure kind of its own."""

    connect_s: float = 10.0
    first_byte_s: float = 120.0
    idle_s: float = 60.0
    total_s: float = 600.0
    give_up_s: float | None = None
    """When a user of a load stops waiting, from the sending on; None: never. Its kind is ``abandoned``."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How a provider tells what is left of its limits; only shown, since no two mean the same."""

    headers: tuple[str, ...] = ()
    """Names in lower case."""
    requests_per: Literal["second", "minute", "day"] | None = None
    """The window of the headers about requests; None: not known."""
    tokens_per: Literal["second", "minute", "day"] | None = None
    reset: str = ""
    """How a reset is written, such as ``6m0s`` or ``seconds``; empty: not known."""


@dataclass(frozen=True, slots=True)
class About:
    """What a person wants to know of a provider, and where it is written; nothing here changes a request."""

    title: str = ""
    status: str = ""
    """What to know before using it, such as that it is in maintenance mode; empty: nothing."""
    key_url: str = ""
    """Where a key is to be had; empty: not known, or none is needed."""
    install: str = ""
    start: str = ""
    """Command that starts a server of one's own, with tool calling on."""
    port: int | None = None
    """Where such a server listens by default; None: it is not one's own."""
    identify: Mapping[str, str] = field(default_factory=dict)
    """Path on the server, without ``/v1`` -> a text that its answer holds, by which this program is known."""
    pin: str = ""
    """How one backend is measured and not whichever is chosen: the recipe for routers."""
    model_ids: str = ""
    """How its models are called."""
    reasoning: str = ""
    """Where the reasoning text stands; empty: not known, or there is none."""
    usage: str = ""
    """What is special about its token counts."""
    metrics: str = ""
    """Where and how it tells of itself, and what its metrics' names begin with; empty: nowhere."""
    rate_limit: RateLimit = RateLimit()
    notes: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    checked: str = ""
    """Day on which the sources were read."""
    verified: bool = False
    """Whether address, key and main differences were read in the sources; no endpoint need have been asked."""
    unverified: tuple[str, ...] = ()
    """What was not found in writing."""
    seen: str = ""
    """The real server that this preset was tried with: program, version, day; empty: none."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Who serves: one block of ``providers.yaml``."""

    id: str
    kind: ProviderKind
    base_url: str | None
    """Up to and including ``/v1`` where the provider has it; None while a ``serve`` block is not started. ``{model}``
    stands for the model's id."""
    auth: Auth = Auth()
    headers: Mapping[str, str] = field(default_factory=dict)
    env_headers: Mapping[str, str] = field(default_factory=dict)
    """Header -> environment variable that holds its value, which is as secret as a key; unset: it is not sent."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Added to the URL of every request; a value may be ``${NAME}``."""
    models: Mapping[str, str] = field(default_factory=dict)
    """Logical model name -> the id this provider wants in the body."""
    any_model: bool = False
    """Whether a model not named in ``models`` is sent as it is (gateways with thousands of models)."""
    discovery: bool = True
    """Whether ``GET /models`` lists what can be asked."""
    limits: Limits = Limits()
    deadlines: Deadlines = Deadlines()
    quirks: Quirks = Quirks()
    declared: Declared = Declared()
    prices: Mapping[str, Price] = field(default_factory=dict)
    """Overrides by logical model name."""
    price_provider: str | None = None
    """Id of this provider in genai-prices; None: look nothing up."""
    usd_per_hour: float | None = None
    """What a server of one's own costs while it runs, whatever it answers; None: it is paid by the token, or not
    known."""
    serve: Serve | None = None
    accept_encoding: str = "identity"
    """What the request allows the answer to be compressed with; compression bundles chunks and bends their times."""
    metrics_url: str | None = None
    """Where the server tells of itself in Prometheus' text; None: ``/metrics`` of a server of one's own."""
    allow_http: bool = False
    """Whether its key may be sent over plain HTTP to any host."""
    about: About = About()
    preset: str | None = None
    """Name of the preset it is or builds on; None: it says all itself."""
    yours: bool = False
    """Whether the user's own file has a block of this name."""

    @property
    def keyed(self) -> bool:
        """Whether a key, a token or another secret is sent."""
        return self.auth.holds_key or self.auth.from_cloud or bool(self.env_headers)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Provider x model: the thing under test."""

    provider: Provider
    model: str
    """Logical name, the same for every provider of one comparison where the user says so."""
    model_id: str
    """What is sent in the body's ``model`` field."""

    @property
    def id(self) -> str:
        """``provider/model``."""
        return f"{self.provider.id}/{self.model}"
