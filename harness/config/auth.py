"""``auth:`` of a provider's block: where its key is, and how it is sent. Never the key itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.config.fields import KeyFile, KeyringEntry, Variable
from harness.provider import AuthScheme


class AuthBlock(BaseModel):
    """``auth:``."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    scheme: AuthScheme = "bearer"
    env: Variable | None = None
    env_alt: list[Variable] = []
    header: str | None = None
    scope: Annotated[str, Field(pattern=r"^https://[!-~]+$")] | None = None
    file: KeyFile | None = None
    keyring: KeyringEntry | None = None

    @model_validator(mode="after")
    def _agrees(self) -> AuthBlock:
        if self.scheme == "header" and not self.header:
            raise ValueError("scheme header needs the header's name, for example header: api-key")
        if self.scheme != "header" and self.header:
            raise ValueError("header is for scheme: header only")
        places = [name for name in ("env", "file", "keyring") if getattr(self, name)]
        if len(places) > 1:
            raise ValueError(f"has both {places[0]} and {places[1]}; a key has one place")
        if self.scheme == "none" and places:
            raise ValueError(f"scheme none sends no key; leave {places[0]} out")
        if places and places[0] != "env" and self.scheme not in ("bearer", "header"):
            raise ValueError(f"{places[0]} is for scheme: bearer and scheme: header only")
        if self.env_alt and not self.env:
            raise ValueError("env_alt needs env: the variable that is looked at first")
        if self.scope and self.scheme not in ("google_adc", "entra"):
            raise ValueError("scope is for scheme: google_adc and scheme: entra only")
        return self

    @property
    def sends(self) -> bool:
        """Whether a key or a token is sent."""
        return any((self.env, self.file, self.keyring)) or self.scheme not in ("bearer", "header", "none")
