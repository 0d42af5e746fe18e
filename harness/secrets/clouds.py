"""Tokens and signatures from a cloud's own credentials, by its own library, which is loaded only where it is wanted.

Every problem is told in one line that names what was tried. What a library says of a problem is not repeated: it may
hold what was sent.
"""

from __future__ import annotations

import importlib
import logging
import os
import re
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, Literal, NamedTuple

from harness.errors import CannotMeasure, ConfigError
from harness.provider import Provider
from harness.secrets.credentials import Signer, Source, Token

GOOGLE_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
ENTRA_SCOPE = "https://cognitiveservices.azure.com/.default"
AWS_BEARER = "AWS_BEARER_TOKEN_BEDROCK"
_TIMEOUT_S = 20.0
_UNTOLD_S = 600.0
"""A token whose end is not told is replaced after some minutes."""
_CODES = re.compile(
    r"\b(?:invalid_(?:request|client|grant|scope)|unauthorized_client|access_denied|unsupported_grant_type|AADSTS\d+)\b"
)
"""What a token server answers where it refuses (RFC 6749, section 5.2), and Entra's own numbers."""
_REGION = re.compile(r"\bbedrock-(?:runtime|runtime-fips|mantle)\.([a-z]{2,8}(?:-[a-z0-9]+)+-\d+)\.")


class _Cloud(NamedTuple):
    """How it is spoken of."""

    has: str
    """What one has there."""
    extra: str
    tried: str


_GOOGLE = _Cloud(
    "Application Default Credentials",
    "google",
    "the file in GOOGLE_APPLICATION_CREDENTIALS, the file of `gcloud auth application-default login`, the metadata "
    "server of this machine",
)
_ENTRA = _Cloud(
    "logins of Microsoft Entra ID",
    "azure",
    "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, a workload or managed identity, the logins of az, azd "
    "and Azure PowerShell",
)
_AWS = _Cloud(
    "AWS credentials",
    "aws",
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, the files in ~/.aws, the role of this machine",
)


def google_adc(provider: Provider) -> tuple[Source, dict[str, str]]:
    """Tokens of Application Default Credentials, and the header that names the project whose quota is used, if any.

    ConfigError where there are no such credentials or their library is missing.
    """
    auth = _load("google.auth", provider, _GOOGLE)
    errors = _load("google.auth.exceptions", provider, _GOOGLE)
    transport = _load("google.auth.transport.requests", provider, _GOOGLE)
    ask = transport.Request()

    def in_time(*args: Any, **named: Any) -> Any:
        return ask(*args, **{**named, "timeout": min(named.get("timeout") or _TIMEOUT_S, _TIMEOUT_S)})

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about accounts without a project for quotas, on standard error
            credentials, _ = auth.default(scopes=[provider.auth.scope or GOOGLE_SCOPE], request=in_time)
    except errors.GoogleAuthError as error:
        raise _none(provider, _GOOGLE, error) from None

    def token() -> Token:
        try:
            credentials.refresh(in_time)
        except errors.GoogleAuthError as error:
            raise _refused(provider, _GOOGLE, error) from None
        ends = credentials.expiry  # in UTC, though it does not say so
        return Token(credentials.token, _left_s(ends.replace(tzinfo=UTC).timestamp()) if ends else _UNTOLD_S)

    project = getattr(credentials, "quota_project_id", None)
    return token, {"x-goog-user-project": project} if project else {}


def entra(provider: Provider) -> Source:
    """Tokens of Microsoft Entra ID, by the default chain; ConfigError where its library is missing."""
    identity = _load("azure.identity", provider, _ENTRA)
    errors = _load("azure.core.exceptions", provider, _ENTRA)
    credential = identity.DefaultAzureCredential(connection_timeout=_TIMEOUT_S, read_timeout=_TIMEOUT_S)
    scope = provider.auth.scope or ENTRA_SCOPE

    def token() -> Token:
        try:
            got = credential.get_token(scope)
        except errors.ClientAuthenticationError as error:
            # The chain says the same of one who is refused and of one who is not logged in at all.
            raise (_refused if _CODES.search(str(error)) else _none)(provider, _ENTRA, error) from None
        except (errors.AzureError, ValueError) as error:
            raise _refused(provider, _ENTRA, error) from None
        return Token(got.token, _left_s(got.expires_on))

    return token


def aws(provider: Provider, hide: Callable[..., None]) -> Signer:
    """What signs requests by AWS Signature Version 4; ``hide`` is told each secret before it is used.

    ConfigError where there are no credentials or no region, or their library is missing.
    """
    sessions = _load("botocore.session", provider, _AWS)
    errors = _load("botocore.exceptions", provider, _AWS)
    try:
        session = sessions.Session()
        region = _region(provider) or session.get_config_variable("region")
        credentials = session.get_credentials()
    except errors.BotoCoreError as error:
        raise _none(provider, _AWS, error) from None
    if credentials is None:
        raise _none(provider, _AWS, None)
    if not region:
        raise ConfigError(
            f"provider {provider.id}: requests are signed for a region of AWS, and none is set",
            hint="export AWS_REGION=...",
        )

    def current() -> object:
        frozen = credentials.get_frozen_credentials()  # asks for others where these are about to end
        hide(frozen.access_key, frozen.secret_key, frozen.token)
        return frozen

    try:
        current()
    except errors.BotoCoreError as error:
        raise _refused(provider, _AWS, error) from None
    return Signer(region, aws_service(provider.base_url or ""), current)


def aws_service(base_url: str) -> Literal["bedrock", "bedrock-mantle"]:
    """The service of AWS for which requests to an address are signed."""
    return "bedrock" if "bedrock-runtime" in base_url else "bedrock-mantle"


def _region(provider: Provider) -> str | None:
    """The region of the host that is asked, else that of the environment."""
    if found := _REGION.search(provider.base_url or ""):
        return found[1]
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")


def _load(module: str, provider: Provider, cloud: _Cloud) -> ModuleType:
    """A part of the cloud's library, which logs nothing to standard error."""
    try:
        loaded = importlib.import_module(module)
    except ImportError:
        raise ConfigError(
            f"provider {provider.id} needs the library for {cloud.has}, which is not installed",
            hint=f"pip install 'endpoint-harness[{cloud.extra}]'{_or_key(provider)}",
        ) from None
    logger = logging.getLogger(module.partition(".")[0])
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return loaded


def _none(provider: Provider, cloud: _Cloud, error: Exception | None) -> ConfigError:
    return ConfigError(
        f"provider {provider.id}: {cloud.has}: none found{_code(error)}; tried {cloud.tried}",
        hint=f"Set up one of them{_or_key(provider)}",
    )


def _refused(provider: Provider, cloud: _Cloud, error: Exception) -> CannotMeasure:
    return CannotMeasure(
        f"provider {provider.id}: {cloud.has} gave no token{_code(error)}; tried {cloud.tried}",
        hint="Log in again, or check the network",
    )


def _code(error: Exception | None) -> str:
    if error is None:
        return ""
    codes = dict.fromkeys(_CODES.findall(str(error)[:10_000]))
    return f" ({', '.join([type(error).__name__, *codes][:4])})"


def _or_key(provider: Provider) -> str:
    return f", or export {provider.auth.env}=..." if provider.auth.env else ""


def _left_s(ends_s: float) -> float:
    """Seconds until a time of the wall clock, which is what clouds tell."""
    return ends_s - datetime.now(UTC).timestamp()
