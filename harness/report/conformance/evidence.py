"""The evidence of one verdict: what was required, what was sent and what came, and a command that does it again."""

from __future__ import annotations

import base64
import os
import shlex
from collections.abc import Iterator
from typing import NamedTuple

from harness.conformance.capture import Capture
from harness.conformance.official import official
from harness.conformance.probe import Probe
from harness.errors import UsageError
from harness.provider import Provider
from harness.record.folder import RunFolder
from harness.record.journal import attempts_of
from harness.report.words import plain
from harness.secrets.clouds import AWS_BEARER, ENTRA_SCOPE, aws_service
from harness.types import Attempt, JsonObject, KeySent
from harness.wire.assemble import assemble

_MOST_BYTES = 20_000
"""Of a body that is shown; a number says what was left out."""
_LONGEST_WORD = 100_000
"""Bytes of a body that a command line can hold."""
_TOKENS = {
    "google_adc": "$(gcloud auth application-default print-access-token)",
    "entra": "$(az account get-access-token --scope {scope} --query accessToken --output tsv)",
}
"""What gives a token of today in a shell."""
_SIGNED = (
    "--aws-sigv4",
    '"aws:amz:$AWS_REGION:SERVICE"',
    "--user",
    '"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"',
    "-H",
    '"x-amz-security-token: $AWS_SESSION_TOKEN"',
)
"""Has curl sign; it sends no header whose variable is empty."""


class Exhibit(NamedTuple):
    """One exchange that a verdict rests on, in lines to be read; all that came from elsewhere is made plain."""

    job: str
    number: int
    """0 for the first try of its job."""
    title: str
    """Scenario and repeat."""
    exchange: tuple[str, ...]
    """Request, response, and each read with its time."""
    official: tuple[str, ...]
    """What the official client makes of it."""
    curl: str
    """Sends the same again; without any key."""


def exhibits(folder: RunFolder, about: JsonObject, cell: JsonObject, provider: Provider | None) -> list[Exhibit]:
    """The exchanges that a verdict rests on.

    Args:
        folder: of the run.
        about: the endpoint's row of ``conformance``.
        cell: the probe's cell of that endpoint.
        provider: as it is configured now, for the names of headers and variables; None: it no longer is.

    Errors: as ``evidence``.
    """
    return [
        Exhibit(
            job=attempt.job.id,
            number=attempt.number,
            title=f"{attempt.job.sample}, repeat {attempt.job.repeat}",
            exchange=tuple(exchange_lines(attempt)),
            official=tuple(official_client(attempt)),
            curl=curl(attempt, about["base_url"] or "http://127.0.0.1:PORT/v1", provider),
        )
        for attempt in evidence(folder, cell["evidence"])
    ]


def evidence(folder: RunFolder, jobs: list[str]) -> list[Attempt]:
    """The last attempt of each of these jobs, in their order.

    StoreError when the journal cannot be read; UsageError when their texts were purged.
    """
    last = {attempt.job.id: attempt for attempt in attempts_of(folder, set(jobs))}
    if any(attempt.exchange.purged for attempt in last.values()):
        raise UsageError(f"the texts of run {folder.id} were purged, and with them this evidence")
    return [last[job] for job in jobs if job in last]


def requirement(probe: Probe) -> Iterator[str]:
    """What a probe requires, and where that is written down."""
    yield f"{probe.id}  {probe.title}"
    yield f"requires  {probe.criterion}"
    yield f"source    {probe.spec} ({probe.basis})"
    if probe.threads:
        yield f"threads   {', '.join(probe.threads)}"


def verdict_lines(cell: JsonObject) -> Iterator[str]:
    """What was found."""
    samples = f"  ({cell['agree']} of {cell['samples']} samples)" if (cell.get("samples") or 1) > 1 else ""
    yield f"verdict   {cell['verdict']}{samples}"
    for name, key in (("why", "reason"), ("expected", "expected"), ("actual", "actual")):
        if cell.get(key):
            yield f"{name:<9} {plain(str(cell[key]))}"


def engine_lines(about: JsonObject) -> Iterator[str]:
    """That a server which was started for the run is gone by now; nothing of one that runs by itself."""
    if about.get("engine"):
        yield f"note      {about['engine']} was started for the run: start it again to send anything once more"


def exchange_lines(attempt: Attempt) -> Iterator[str]:
    """One request and its response as they were on the wire, each read with its time after the sending."""
    request, exchange = attempt.request, attempt.exchange
    yield f"> {request.method} {request.path}"
    yield from (f"> {name}: {value}" for name, value in request.headers.items())
    if request.body is not None:
        yield from (f"> {line}" for line in _shown(request.body).split("\n"))
    if exchange.status is not None:
        yield f"< {exchange.status}"
    yield from (f"< {plain(name)}: {plain(value)}" for name, value in exchange.headers)
    start, shown = exchange.marks.send0_ns, 0
    for read in exchange.reads:
        if shown > _MOST_BYTES:
            yield f"  … {sum(len(each.data) for each in exchange.reads) - shown} bytes more"
            break
        shown += len(read.data)
        at = f"{(read.at_ns - start) / 1e6:9.1f} ms" if start is not None else " " * 12
        yield from (f"{at} | {line}" for line in _shown(read.data).rstrip("\n").split("\n"))
    if exchange.failure is not None:
        yield f"! {exchange.failure.kind}: {plain(exchange.failure.detail)}"


def curl(attempt: Attempt, base_url: str, provider: Provider | None) -> str:
    """A command that sends the same again; what is secret is named by its place, never written."""
    request = attempt.request
    parts = ["curl", "-sS", "-N", "-i", "-X", request.method, _url(base_url + request.path, provider)]
    given = {name.lower() for name in request.headers}
    if request.body is not None and "content-type" not in given:
        parts += ["-H", "'content-type: application/json'"]
    parts += _key(request.auth, given, base_url, provider)
    for name, variable in provider.env_headers.items() if provider else ():
        if name.lower() not in given:
            parts += ["-H", f'"{name}: ${variable}"']
            given.add(name.lower())
    plainly = {name: text for name, text in (provider.headers if provider else {}).items() if name.lower() not in given}
    for name, value in {**plainly, **request.headers}.items():
        parts += ["-H", shlex.quote(f"{name}: {value}")]
    if attempt.job.give_up_s is not None:
        parts += ["--max-time", f"{attempt.job.give_up_s:g}"]
    if request.body is None:
        return " ".join(parts)
    if len(request.body) > _LONGEST_WORD:
        return " ".join([*parts, f"--data-binary @BODY  # of {len(request.body):,} bytes; the run's journal has it"])
    if _is_plain(request.body):
        return " ".join([*parts, "--data-binary", shlex.quote(request.body.decode())])
    # No shell passes every byte on in a word.
    encoded = base64.b64encode(request.body).decode()
    return f"echo {encoded} | base64 -d | {' '.join([*parts, '--data-binary', '@-'])}"


def official_client(attempt: Attempt) -> Iterator[str]:
    """What the official client makes of the recorded bytes: how much a deviation matters to its users."""
    theirs, sent = official(Capture(attempt, assemble(attempt.exchange, stream=attempt.request.stream)))
    found = theirs.beside(None, sent)
    if attempt.request.path.endswith("/chat/completions") and attempt.exchange.status == 200:
        ours = assemble(attempt.exchange, stream=attempt.request.stream).completion
        found = theirs.beside(ours, sent)
    yield from (f"the official client {plain(line)}" for line in found or ("gets all there is",))


def _key(auth: KeySent, given: set[str], base_url: str, provider: Provider | None) -> list[str]:
    """The header that carries the key, as the request sent it; where it was signed, what has curl sign it."""
    scheme = provider.auth if provider else None
    carrier = (scheme.header if scheme and scheme.scheme == "header" and scheme.header else "authorization").lower()
    if auth == "none" or carrier in given or scheme is None or (scheme.scheme == "none" and auth == "provider"):
        return []
    variable = scheme.env or (AWS_BEARER if scheme.scheme == "aws" else "API_KEY")
    from_cloud = scheme.from_cloud and not os.environ.get(variable)
    if from_cloud and scheme.scheme == "aws" and auth == "provider":
        return [part.replace("SERVICE", aws_service(base_url)) for part in _SIGNED]
    key = f"${variable}"
    if scheme.file is not None:
        key = f"$(cat {scheme.file})"
    elif scheme.keyring is not None:
        service, _, user = scheme.keyring.rpartition("/")
        key = f"$(keyring get {service} {user})"
    if auth == "wrong":
        key = "a-made-up-key"
    elif from_cloud and scheme.scheme in _TOKENS:
        key = _TOKENS[scheme.scheme].format(scope=scheme.scope or ENTRA_SCOPE)
    if auth == "api_key":
        return ["-H", f'"api-key: {key}"', "-H", f'"x-api-key: {key}"']
    word = "bearer" if auth == "lower" else "Bearer"
    return ["-H", f'"{carrier}: {key}"' if carrier != "authorization" else f'"authorization: {word} {key}"']


def _url(url: str, provider: Provider | None) -> str:
    """The URL with the provider's query, as a shell takes it; ``${NAME}`` is left to the shell."""
    query = "&".join(f"{name}={text}" for name, text in (provider.query if provider else {}).items())
    if not query:
        return shlex.quote(url)
    whole = f"{url}{'&' if '?' in url else '?'}{query}"
    return f'"{whole}"' if "${" in query and '"' not in url and "$" not in url else shlex.quote(whole)


def _is_plain(body: bytes) -> bool:
    try:
        return all(char.isprintable() for char in body.decode())
    except UnicodeDecodeError:
        return False


def _shown(data: bytes) -> str:
    text = data[:_MOST_BYTES].decode(errors="backslashreplace").replace("\r", "\\r")
    more = f"… {len(data) - _MOST_BYTES} bytes more" if len(data) > _MOST_BYTES else ""
    return plain(text) + more
