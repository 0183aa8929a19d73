"""The identity of callers: bearer tokens, the tenants and methods they stand for, and the checks a service makes with
them.
"""

import hashlib
import hmac
import time
import tomllib
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import grpc

from services.runtime.errors import PermissionDeniedError, StartupError, UnauthenticatedError
from services.runtime.logs import get_logger

ANY_TENANT = "*"
ANYBODY = "anybody"  # who calls where neither tokens nor clients' certificates are on

log = get_logger(__name__)


class Scope(StrEnum):
    """The rights of a token, beside asking what engine answers."""

    CONNECT = "connect"  # open the stream of a call
    WATCH = "watch"  # see the calls that are up, and what is said on them
    END = "end"  # hang a call up


class TokenExpired(UnauthenticatedError):
    """The token was good once."""

    reason = "TOKEN_EXPIRED"


class ScopeMissing(PermissionDeniedError):
    """The caller is known and this token is for something else."""

    reason = "SCOPE_MISSING"


@dataclass(frozen=True, slots=True)
class Identity:
    """A known caller."""

    name: str
    tenants: frozenset[str]
    scopes: frozenset[Scope] = frozenset(Scope)
    expires_at: float = float("inf")  # seconds since 1970

    def may_act_for(self, tenant_id: str) -> bool:
        """Return whether the tenant is one of the caller's."""
        return ANY_TENANT in self.tenants or tenant_id in self.tenants


_caller: ContextVar[Identity | None] = ContextVar("caller", default=None)
_caller_name: ContextVar[str] = ContextVar("caller_name", default=ANYBODY)


def set_caller(identity: Identity | None, *, certificate_name: str = "") -> None:
    """Say who the current call comes from; None where tokens are off: then the common name of the client's certificate
    says it, where there is one. For the server's own interceptor.
    """
    _caller.set(identity)
    _caller_name.set(identity.name if identity is not None else certificate_name or ANYBODY)


def caller_name() -> str:
    """Return who the current call comes from, for the log."""
    return _caller_name.get()


def caller_may_act_for(tenant_id: str) -> bool:
    """Return whether the current call may see or touch what belongs to the tenant. Always so where tokens are off."""
    identity = _caller.get()
    return identity is None or identity.may_act_for(tenant_id)


def check_tenant(
    context: "grpc.aio.ServicerContext[Any, Any]", tenant_id: str, *, field: str = "config.tenant_id"
) -> None:
    """Raise PermissionDeniedError, which names `field`, when tokens are on and the caller's is not for that tenant."""
    if not caller_may_act_for(tenant_id):
        log.warning("tenant_refused", tenant_id=tenant_id, who=caller_name(), peer=context.peer())
        raise PermissionDeniedError(f"this token is not for tenant {tenant_id!r}: use one of its tokens", field=field)


def check_every_tenant() -> None:
    """Raise PermissionDeniedError when tokens are on and the caller's is for some tenants only: what it asks for
    concerns all of them.
    """
    identity = _caller.get()
    if identity is not None and ANY_TENANT not in identity.tenants:
        raise PermissionDeniedError("this concerns every tenant: use a token for all of them")


def check_scope(scope: Scope | None) -> None:
    """Raise ScopeMissing when tokens are on and the caller's is not for that. None: any token will do."""
    identity = _caller.get()
    if scope is not None and identity is not None and scope not in identity.scopes:
        raise ScopeMissing(f"this token lacks the scope {scope.value!r}: use one that has it")


class Tokens:
    """The bearer tokens a server takes. Only digests are known, and all are compared, each in constant time."""

    def __init__(self, identities: Iterable[tuple[bytes, Identity]]) -> None:
        """Pairs of a token's sha256 and whose it is."""
        self._identities = list(identities)

    def identify(self, authorization: str, *, now: float | None = None) -> Identity:
        """The owner of an `authorization` header. `now`: seconds since 1970. Raises UnauthenticatedError."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise UnauthenticatedError("send the header `authorization: Bearer TOKEN`")
        presented = digest_of(token.strip())
        found = [identity for digest, identity in self._identities if hmac.compare_digest(digest, presented)]
        if not found:
            raise UnauthenticatedError("this token is not known here")
        if found[0].expires_at <= (time.time() if now is None else now):
            raise TokenExpired("this token has expired: use a newer one")
        return found[0]


def read_tokens(path: Path) -> Tokens:
    """Read a TOML file of tables `[[tokens]]` with `name`, `sha256`, `tenants`, `scopes` and `expires`.

    Raises StartupError naming the table at fault; neither token nor digest is in a message.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("tokens", [])
    except (OSError, ValueError, RecursionError) as error:
        raise StartupError(f"auth_tokens_file {path}: {_without_content(error)}") from error
    if not isinstance(tables, list) or not tables:
        raise StartupError(f"auth_tokens_file {path}: no [[tokens]] table in it")
    tokens = [_token(path, number, table) for number, table in enumerate(tables, start=1)]
    for what, values in (
        ("name", [identity.name for _, identity in tokens]),
        ("sha256", [digest.hex() for digest, _ in tokens]),
    ):
        if len(set(values)) < len(values):
            raise StartupError(f"auth_tokens_file {path}: two [[tokens]] tables have the same `{what}`")
    return Tokens(tokens)


def _token(path: Path, number: int, table: object) -> tuple[bytes, Identity]:
    where = f"auth_tokens_file {path}: [[tokens]] number {number}"
    if not isinstance(table, dict):
        raise StartupError(f"{where} is no table")
    if "token" in table:
        raise StartupError(f"{where}: `token` is in clear: write the `sha256` that python -m deploy.new_token prints")
    name, tenants, scopes = table.get("name"), table.get("tenants"), table.get("scopes")
    if not isinstance(name, str) or not name.strip():
        raise StartupError(f"{where}: `name` must say whose it is; the log does")
    if not isinstance(tenants, list) or not tenants or not all(isinstance(tenant, str) for tenant in tenants):
        raise StartupError(f'{where}: `tenants` must be a list of tenant ids, or ["*"]')
    known = {scope.value for scope in Scope}
    if not isinstance(scopes, list) or not scopes or not known.issuperset(map(str, scopes)):
        raise StartupError(f"{where}: `scopes` must be a list of {', '.join(sorted(known))}")
    identity = Identity(
        name.strip(), frozenset(tenants), frozenset(map(Scope, scopes)), _expiry(where, table.get("expires"))
    )
    return _sha256(where, table.get("sha256")), identity


def _sha256(where: str, value: object) -> bytes:
    try:
        digest = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        digest = b""
    if len(digest) != hashlib.sha256().digest_size:
        raise StartupError(f"{where}: `sha256` must be the 64 hexadecimal digits of the token's hash")
    return digest


def _expiry(where: str, value: object) -> float:
    """Seconds since 1970; a day without a time lasts to its end. A time without an offset is UTC."""
    try:
        if isinstance(value, datetime):
            aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
            return aware.timestamp()
        if isinstance(value, date):
            return (datetime(value.year, value.month, value.day, tzinfo=UTC) + timedelta(days=1)).timestamp()
    except OverflowError:  # the last day of the calendar has no day after it
        return float("inf")
    raise StartupError(f"{where}: `expires` must be a date, as 2027-06-30, or a time, as 2027-06-30T12:00:00Z")


def _without_content(error: Exception) -> str:
    """The message of an error, without the content of the file."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, RecursionError):
        return "it nests too deeply"
    return f"no TOML: {error}" if isinstance(error, tomllib.TOMLDecodeError) else "it is not UTF-8"


def digest_of(token: str) -> bytes:
    """The sha256 by which a token is known."""
    return hashlib.sha256(token.encode()).digest()
