"""Who calls: bearer tokens, the tenants they stand for, and the check a service makes with them."""

import hashlib
import hmac
import tomllib
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from services.runtime.errors import PermissionDeniedError, StartupError, UnauthenticatedError
from services.runtime.logs import get_logger

ANY_TENANT = "*"
MIN_TOKEN_CHARS = 16

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """A known caller."""

    name: str
    tenants: frozenset[str]

    def may_act_for(self, tenant_id: str) -> bool:
        """Whether the tenant is one of the caller's."""
        return ANY_TENANT in self.tenants or tenant_id in self.tenants


_caller: ContextVar[Identity | None] = ContextVar("caller", default=None)


def set_caller(identity: Identity | None) -> None:
    """Say who the current call comes from; None where tokens are off. For the server's own interceptor."""
    _caller.set(identity)


def caller_may_act_for(tenant_id: str) -> bool:
    """Whether the current call may see or touch what belongs to the tenant. Always so where tokens are off."""
    identity = _caller.get()
    return identity is None or identity.may_act_for(tenant_id)


def check_tenant(context: "grpc.aio.ServicerContext[Any, Any]", tenant_id: str) -> None:
    """Raise PermissionDeniedError when tokens are on and the caller's is not for that tenant."""
    if not caller_may_act_for(tenant_id):
        log.warning("tenant_refused", tenant_id=tenant_id, peer=context.peer())
        raise PermissionDeniedError(
            f"this token is not for tenant {tenant_id!r}: use one of its tokens", field="config.tenant_id"
        )


class Tokens:
    """The bearer tokens a server takes. Only digests are kept, and all are compared, each in constant time."""

    def __init__(self, identities: Iterable[tuple[str, Identity]]) -> None:
        """Pairs of a token and whose it is."""
        self._identities = [(_digest(token), identity) for token, identity in identities]

    def identify(self, authorization: str) -> Identity:
        """Whose an `authorization` header is. Raises UnauthenticatedError."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise UnauthenticatedError("send the header `authorization: Bearer TOKEN`")
        presented = _digest(token.strip())
        found = [identity for digest, identity in self._identities if hmac.compare_digest(digest, presented)]
        if not found:
            raise UnauthenticatedError("this token is not known here")
        return found[0]


def read_tokens(path: Path) -> Tokens:
    """Read a TOML file of tables `[[tokens]]` with `name`, `token` and `tenants`; tenant "*" is any.

    Raises StartupError naming the table at fault; the token itself is in no message.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("tokens", [])
    except (OSError, ValueError) as error:
        raise StartupError(f"auth_tokens_file {path}: {error}") from error
    if not isinstance(tables, list) or not tables:
        raise StartupError(f"auth_tokens_file {path}: no [[tokens]] table in it")
    return Tokens(_token(path, number, table) for number, table in enumerate(tables, start=1))


def _token(path: Path, number: int, table: object) -> tuple[str, Identity]:
    where = f"auth_tokens_file {path}: [[tokens]] number {number}"
    if not isinstance(table, dict):
        raise StartupError(f"{where} is no table")
    token, tenants = table.get("token"), table.get("tenants")
    if not isinstance(token, str) or len(token) < MIN_TOKEN_CHARS:
        raise StartupError(f"{where}: `token` must be a string of at least {MIN_TOKEN_CHARS} characters")
    if not isinstance(tenants, list) or not tenants or not all(isinstance(tenant, str) for tenant in tenants):
        raise StartupError(f'{where}: `tenants` must be a list of tenant ids, or ["*"]')
    return token, Identity(str(table.get("name", f"token-{number}")), frozenset(tenants))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
