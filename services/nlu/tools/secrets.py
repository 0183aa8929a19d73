"""Credentials of tenants, from a folder as secrets are mounted or from one variable. They enter no prompt and no log.

`NLU_TENANT_SECRETS_DIR/<tenant>/<name>/<field>` holds one value; `NLU_TENANT_SECRETS` holds them all as JSON:
{"<tenant>": {"<name>": {"<field>": "<value>"}}}. The tenant of calls that name none is `_`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from services.runtime.errors import NotServing
from services.runtime.exposure import ALLOW_INSECURE, WARN_EVERY_S, is_plain_and_far, without_userinfo
from services.runtime.json_text import read_json
from services.runtime.logs import get_logger

log = get_logger(__name__)

NO_TENANT = "_"
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MAX_BYTES = 1 << 16


def _is_tenant(name: str) -> bool:
    return name == NO_TENANT or bool(_TENANT.fullmatch(name))  # not the hidden folders of a mounted secret


class NoSecrets(Exception):
    """A tenant has no credentials there, or some of them are missing; the message names fields and no values."""


class SecretFields(BaseModel):
    """The fields of one package's credentials: its messages hold no value."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True, hide_input_in_errors=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"

    __str__ = __repr__

    def exposures(self) -> list[str]:
        """Return what would go to another machine in plain text, each with what mends it. A package adds its own."""
        fields = {name: value for name, value in self.model_dump().items() if isinstance(value, str)}
        fields.pop("redirect_uri", None)  # nothing is sent there
        return plain_urls(**fields)


def plain_urls(**urls: str) -> list[str]:
    """Return those of the URLs, by their fields' names, to which credentials and callers' words would go unencrypted.
    Their paths are not told: a secret may stand there.
    """
    return [
        f"{name} {_place(url)}: what goes there goes over plain text: use https"
        for name, url in urls.items()
        if url.lower().startswith("http://") and is_plain_and_far(url)
    ]


def _place(url: str) -> str:
    scheme, _, rest = without_userinfo(url).partition("://")
    return f"{scheme}://{re.split('[/?#]', rest, maxsplit=1)[0]}"


Fields = TypeVar("Fields", bound=SecretFields)


class TenantSecrets:
    """Reads files at each use, so that renewed ones hold without a restart. Blocking."""

    def __init__(
        self,
        folder: Path | None = None,
        values: Mapping[str, Mapping[str, Mapping[str, str]]] | None = None,
        *,
        allow_insecure: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`allow_insecure`: credentials may go to other machines in plain text; it is warned of. `clock`: seconds."""
        self._folder, self._values = folder, values or {}
        self._allow_insecure, self._clock = allow_insecure, clock
        self._warned: dict[str, float] = {}

    def tenants(self, name: str) -> tuple[str, ...]:
        """Return the tenants that have something under this name; "" is the tenant of calls that name none."""
        found = {tenant for tenant, names in self._values.items() if name in names}
        if self._folder is not None and self._folder.is_dir():
            found |= {path.name for path in self._folder.iterdir() if _is_tenant(path.name) and (path / name).is_dir()}
        return tuple(sorted("" if tenant == NO_TENANT else tenant for tenant in found))

    def read(self, tenant_id: str, name: str, kind: type[Fields]) -> Fields:
        """Raises NoSecrets."""
        who = f"{name} of tenant {tenant_id!r}" if tenant_id else name
        if not _NAME.fullmatch(name) or not (tenant_id == "" or _TENANT.fullmatch(tenant_id)):
            raise NoSecrets(f"{who}: there are no credentials")
        tenant = tenant_id or NO_TENANT
        found = {**self._values.get(tenant, {}).get(name, {}), **self._files(tenant, name)}
        if not found:
            raise NoSecrets(f"{who}: there are no credentials: {self._where(tenant, name)}")
        try:
            read = kind.model_validate(found)
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            what = ".".join(str(part) for part in first["loc"])
            why = first["msg"].removeprefix("Value error, ")
            raise NoSecrets(f"{who}: {what + ': ' if what else ''}{why}: {self._where(tenant, name)}") from None
        try:
            self.refuse_plain(who, read.exposures())
        except NotServing as refused:
            raise NoSecrets(str(refused)) from None
        return read

    def refuse_plain(self, who: str, exposures: list[str]) -> None:
        """Raises NotServing where there are any; where the operator allows them they are warned of each minute, as long
        as they are used.
        """
        if exposures and not self._allow_insecure:
            raise NotServing(f"{who}: {'; '.join(exposures)}; or set {ALLOW_INSECURE}=1 on a net of your own")
        now = self._clock()
        for exposure in exposures:
            if now - self._warned.get(exposure, float("-inf")) >= WARN_EVERY_S:
                self._warned[exposure] = now
                log.warning("insecure", exposure=f"{who}: {exposure}", allowed_by=ALLOW_INSECURE)

    def _where(self, tenant: str, name: str) -> str:
        if self._folder is not None:
            return f"put its fields into {self._folder / tenant / name}"
        return "set NLU_TENANT_SECRETS_DIR"

    def _files(self, tenant: str, name: str) -> dict[str, str]:
        if self._folder is None:
            return {}
        found = {}
        try:
            for path in sorted((self._folder / tenant / name).iterdir()):
                if not path.name.startswith(".") and path.is_file() and path.stat().st_size <= _MAX_BYTES:
                    found[path.name] = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return found
        return found


def open_secrets(folder: Path | None, text: str, *, allow_insecure: bool = False) -> TenantSecrets:
    """`text` is the JSON of NLU_TENANT_SECRETS; empty: there is none. Raises NotServing."""
    if not text:
        return TenantSecrets(folder, allow_insecure=allow_insecure)
    try:
        values = read_json(text)
        read = {
            str(tenant): {str(name): {str(k): str(v) for k, v in fields.items()} for name, fields in names.items()}
            for tenant, names in values.items()
        }
    except (ValueError, AttributeError):
        raise NotServing('NLU_TENANT_SECRETS is no JSON of {"tenant": {"name": {"field": "value"}}}') from None
    return TenantSecrets(folder, read, allow_insecure=allow_insecure)
