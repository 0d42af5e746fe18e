"""What a check works out: names that mean one model, clocks, limits, and what is to be done about a failure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.exchange import Failure, FailureKind, WireMarks
from harness.preflight import clock, limits
from harness.preflight.mend import mend
from harness.preflight.names import likeness, nearest, words_of
from harness.provider import About, Auth, Provider, RateLimit

SPELLINGS = (
    "llama-3.3-70b",
    "meta-llama/Llama-3.3-70B",
    "accounts/fireworks/models/llama-v3p3-70b",
    "llama3.3:70b",
    "Llama_3.3_70B",
)
LISTED = (
    "meta-llama/Llama-3.3-70B-Instruct-Turbo",
    "meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo",
    "meta-llama/Llama-3.2-3B-Instruct",
    "meta-llama/Llama-Guard-3-8B",
    "deepseek-ai/DeepSeek-R1-Distill-Llama-70B",
    "Qwen/Qwen2.5-72B-Instruct-Turbo",
    "openai/gpt-oss-120b",
    "openai/gpt-oss-20b",
)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_one_model_has_one_set_of_words(spelling: str) -> None:
    """Vendor, case and punctuation do not tell names of one model apart."""
    assert words_of(spelling) == ("llama", "3", "3", "70b")


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        *((spelling, LISTED[0]) for spelling in SPELLINGS),
        ("llama-3.1-70b", LISTED[1]),
        ("gpt-oss-120b", LISTED[6]),
        ("gpt-oss-20", LISTED[7]),
        ("gpt-os-120b", LISTED[6]),
        ("qwen-2.5-72b", LISTED[5]),
    ],
)
def test_the_nearest_of_a_list_is_what_was_meant(wanted: str, meant: str) -> None:
    """A logical name, another host's spelling or a slip of the hand finds the id of the same weights first."""
    assert nearest(wanted, LISTED)[0] == meant


def test_what_is_not_like_any_finds_nothing() -> None:
    """A name that resembles none is not answered with a guess."""
    assert nearest("whisper-large-v3", LISTED) == []
    assert nearest("", LISTED) == []


@given(st.text(max_size=80), st.lists(st.text(max_size=80), max_size=20))
def test_any_names_can_be_compared(wanted: str, names: list[str]) -> None:
    """Whatever a server lists: at most three of its names come back, and likeness stays between 0 and 2."""
    found = nearest(wanted, names)
    assert len(found) <= 3
    assert set(found) <= set(names)
    assert all(0 <= likeness(wanted, name) <= 2 for name in names)


# --- clocks ----------------------------------------------------------------------------------------------

SENT = datetime(2026, 11, 26, 12, 0, 0, 400_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("date", "trip_s", "bounds", "off"),
    [
        ("Thu, 26 Nov 2026 12:00:00 GMT", 0.2, (-0.6, 0.6), False),
        ("Thu, 26 Nov 2026 12:00:00 GMT", 3.0, (-3.4, 0.6), False),
        ("Thu, 26 Nov 2026 12:00:07 GMT", 0.2, (6.4, 7.6), True),
        ("Thu, 26 Nov 2026 11:59:00 GMT", 0.2, (-60.6, -59.4), True),
        ("Thu, 26 Nov 2026 12:00:07 GMT", 3.0, (3.6, 7.6), False),
        ("Thu, 26 Nov 2026 13:00:00 +0100", 0.2, (-0.6, 0.6), False),
    ],
)
def test_a_date_bounds_the_difference_of_clocks(
    date: str, trip_s: float, bounds: tuple[float, float], *, off: bool
) -> None:
    """The header holds whole seconds and was written somewhere on the round trip: both widen the bounds."""
    found = clock.ahead([("date", date)], SENT, SENT + timedelta(seconds=trip_s))
    assert found == pytest.approx(bounds)
    assert clock.surely_off(bounds) is off


@pytest.mark.parametrize("headers", [[], [("date", "soon")], [("date", "")], [("date", "Thu, 99 Nov 2026 12:00:00")]])
def test_no_date_bounds_nothing(headers: list[tuple[str, str]]) -> None:
    """A missing or a broken date is None, never 0."""
    assert clock.ahead(headers, SENT, SENT) is None


@given(st.floats(-5000, 5000), st.floats(0, 30), st.floats(0, 1))
def test_the_true_difference_lies_within_the_bounds(ahead_s: float, trip_s: float, share: float) -> None:
    """Wherever on the round trip the server wrote its date, the bounds hold the difference of the clocks."""
    received = SENT + timedelta(seconds=trip_s)
    written = (SENT + timedelta(seconds=trip_s * share + ahead_s)).replace(microsecond=0)
    found = clock.ahead([("date", written.strftime("%a, %d %b %Y %H:%M:%S GMT"))], SENT, received)
    assert found is not None
    assert found[0] - 1e-3 <= ahead_s <= found[1] + 1e-3


# --- limits ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "per", "told"),
    [
        (
            {"x-ratelimit-limit-requests": "14400", "x-ratelimit-remaining-requests": "14399"},
            ("day", "minute"),
            ("14,400 requests/day left 14,399",),
        ),
        (
            {"x-ratelimit-limit-tokens-minute": "60000", "x-ratelimit-remaining-tokens-minute": "59000"},
            (None, None),
            ("60,000 tokens/minute left 59,000",),
        ),
        ({"x-ratelimit-limit-requests": "60"}, (None, None), ("60 requests",)),
        ({"ratelimit-remaining": "3"}, (None, None), ("left 3",)),
        (
            {"anthropic-ratelimit-input-tokens-limit": "40000", "anthropic-ratelimit-input-tokens-remaining": "39,000"},
            (None, "minute"),
            ("40,000 input tokens/minute left 39,000",),
        ),
        ({"retry-after": "3", "x-ratelimit-reset-requests": "6m0s"}, ("day", None), ()),
    ],
)
def test_limits_in_words(headers: dict[str, str], per: tuple[str | None, str | None], told: tuple[str, ...]) -> None:
    """A limit and what is left of it are one phrase, with the window of the header's name or of the preset."""
    declared = RateLimit(tuple(headers), *per)  # type: ignore[arg-type]  # as a preset says it
    found = limits.told(headers.items(), declared)
    assert found == told


def test_a_limit_that_is_no_number_is_cut_and_printable() -> None:
    """A server may send anything there."""
    name = "x-ratelimit-limit-requests"
    (found,) = limits.told([(name, "\x1b[2J\u221e" * 40)], RateLimit((name,), "day"))
    assert found.isprintable()
    assert len(found) < 60


def test_only_headers_of_the_preset_are_read() -> None:
    """What a preset does not name is not guessed at."""
    assert limits.told([("x-ratelimit-limit-requests", "5")], RateLimit()) == ()


# --- what is to be done ----------------------------------------------------------------------------------

REACHED = WireMarks(dns_ns=1, conn_ns=2, send0_ns=3)
CERTIFICATE = "certificate of h is not trusted: "


@pytest.mark.parametrize(
    ("kind", "detail", "marks", "step", "words"),
    [
        ("dns", "h: Name or service not known", WireMarks(), "dns", "host name"),
        ("timeout_connect", "name not resolved within 5 s", WireMarks(), "dns", "host name"),
        ("connect", "1.2.3.4:1: Connection refused", WireMarks(dns_ns=1), "connect", "host and port"),
        ("timeout_connect", "no TCP connection", WireMarks(dns_ns=1), "connect", "--timeout"),
        ("connect", "proxy p:3128 cannot be reached: x", WireMarks(), "connect", "NO_PROXY"),
        ("timeout_connect", "TLS handshake not done", WireMarks(dns_ns=1, conn_ns=2), "tls", "http"),
        ("tls", f"{CERTIFICATE}certificate has expired", WireMarks(dns_ns=1, conn_ns=2), "tls", "renewed"),
        ("tls", f"{CERTIFICATE}certificate is not yet valid", WireMarks(dns_ns=1, conn_ns=2), "tls", "date"),
        ("tls", f"{CERTIFICATE}self-signed certificate", WireMarks(dns_ns=1, conn_ns=2), "tls", "SSL_CERT_FILE"),
        (
            "tls",
            f"{CERTIFICATE}unable to get local issuer certificate",
            WireMarks(dns_ns=1, conn_ns=2),
            "tls",
            "SSL_CERT_FILE",
        ),
        ("tls", f"{CERTIFICATE}Hostname mismatch, ...", WireMarks(dns_ns=1, conn_ns=2), "tls", "another name"),
        ("tls", "wrong version number (does the server speak TLS on this port?)", REACHED, "tls", "http://"),
        ("auth", "HTTP 401", REACHED, "auth", "MY_KEY"),
        ("reset", "Connection reset by peer", REACHED, None, "https"),
        ("timeout_first_byte", "no body byte", REACHED, None, "--timeout"),
        ("throttled", "HTTP 429", REACHED, None, "limits"),
        ("http_5xx", "HTTP 500", REACHED, None, "log"),
    ],
)
def test_each_failure_has_its_step_and_its_remedy(
    kind: FailureKind, detail: str, marks: WireMarks, step: str | None, words: str
) -> None:
    """DNS, connection and TLS are told apart by how far the connection came, and every one says what to do."""
    provider = Provider("p", "hosted", "https://h/v1", Auth(env="MY_KEY"), about=About(key_url="https://k"))
    found = mend(Failure(kind, detail), marks, provider)
    assert found.step == step
    assert words in found.next_step
    assert found.state
