"""The headers that show who asks: fixed ones, or OAuth 2.0 access tokens (RFC 6749) with one renewal at a time."""

from __future__ import annotations

import asyncio
import base64
import binascii
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import aiohttp

from services.nlu.tools.rest.answers import Answer, failure_of, said_by, without_secrets
from services.nlu.tools.rest.failures import BadAnswer, BrokenOff, CredentialsRefused, Refused, TooSlow, Unreachable
from services.nlu.tools.rest.token_file import KeptToken, TokenFile

_EARLY_S = 60.0  # a token is renewed so long before its end
_LIMIT_S = 5.0
_MAX_BYTES = 1 << 16
_SECRET_FIELDS = frozenset({"client_secret", "refresh_token", "assertion"})
_ASSUMED_S = 3600.0  # of a token whose server does not say how long it lasts


class Credentials(Protocol):
    """The credentials that are sent with each request."""

    async def current(self) -> Mapping[str, str]:
        """The headers. Raises CallFailed where none can be had."""

    async def renew(self, used: Mapping[str, str]) -> bool:
        """Get other headers in place of refused ones. False: there are none."""


class FixedHeaders:
    """A key or a password that does not change."""

    def __init__(self, headers: Mapping[str, str] | None = None) -> None:
        self._headers = dict(headers or {})

    async def current(self) -> Mapping[str, str]:
        return self._headers

    async def renew(self, used: Mapping[str, str]) -> bool:
        del used
        return False


def bearer(token: str) -> FixedHeaders:
    return FixedHeaders({"Authorization": f"Bearer {token}"})


def basic(user: str, password: str) -> FixedHeaders:
    """RFC 7617, in UTF-8."""
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return FixedHeaders({"Authorization": f"Basic {pair}"})


def secrets_of(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The secrets in headers that show who asks: tokens, keys, and the password of a Basic pair."""
    found: list[str] = []
    for value in headers.values():
        scheme, _, token = value.rpartition(" ")
        found.append(token)
        if scheme.lower() == "basic":
            try:
                found.append(base64.b64decode(token).decode().partition(":")[2])
            except (binascii.Error, UnicodeDecodeError):
                continue
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Grant:
    """An OAuth grant. `form` holds the whole request but for the refresh token."""

    url: str
    form: Mapping[str, str]
    refresh_token: str = ""  # empty: a grant without one, as client_credentials
    sends_json: bool = False  # amoCRM wants JSON where RFC 6749 has a form


def _lasting_s(said: object) -> float:
    """Seconds that a server says its token lasts, some as text; what is no such number is as if it said nothing."""
    try:
        lasts_s = float(said) if isinstance(said, int | float | str) and not isinstance(said, bool) else _ASSUMED_S
    except (ValueError, OverflowError):
        return _ASSUMED_S
    return lasts_s if math.isfinite(lasts_s) else _ASSUMED_S


class OAuthTokens:
    """Access tokens of one grant. Many may want one at once: one request for all of them is made."""

    def __init__(
        self,
        who: str,
        grant: Callable[[], Grant],
        *,
        scheme: str = "Bearer",
        file: TokenFile | None = None,
        on_answer: Callable[[Mapping[str, Any]], None] = lambda answer: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`grant` is asked at each renewal, so that changed secrets are used. `scheme` stands before the token; `file`
        keeps refresh tokens that the server changes; `on_answer` sees each answer with a token.
        """
        self._who, self._grant, self._scheme, self._file = who, grant, scheme, file
        self._on_answer, self._clock = on_answer, clock
        self._token = KeptToken()
        self._lock = asyncio.Lock()

    async def current(self) -> Mapping[str, str]:
        if not self._token.access or self._clock() >= self._token.expires - _EARLY_S:
            await self.renew(self._headers())
        return self._headers()

    async def renew(self, used: Mapping[str, str]) -> bool:
        """Raises CallFailed where the token's server does not answer, CredentialsRefused where it refuses."""
        async with self._lock:
            if self._token.access and self._headers() != used:
                return True  # another request has renewed it meanwhile
            grant = self._grant()
            kept = await self._kept(grant)
            if kept.access and kept.access != self._token.access and self._clock() < kept.expires - _EARLY_S:
                self._token = kept  # another process has renewed it
                return True
            try:
                self._token = await self._fetch(grant, kept)
            except CredentialsRefused:
                again = await self._kept(grant)
                if again.refresh == kept.refresh:
                    raise
                self._token = await self._fetch(grant, again)  # another process was faster
            if self._file and grant.refresh_token:
                await asyncio.to_thread(self._file.write, grant.refresh_token, self._token)
            return True

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"{self._scheme} {self._token.access}"}

    async def _kept(self, grant: Grant) -> KeptToken:
        if not self._file or not grant.refresh_token:
            return KeptToken(refresh=grant.refresh_token)
        return await asyncio.to_thread(self._file.read, grant.refresh_token)

    async def _fetch(self, grant: Grant, kept: KeptToken) -> KeptToken:
        form = dict(grant.form)
        if grant.refresh_token:
            form["refresh_token"] = kept.refresh or grant.refresh_token
        answer = await self._ask(grant, form)
        if not 200 <= answer.status < 300:
            failure = failure_of(answer, now=datetime.now(UTC))
            if isinstance(failure, Refused):  # 400 invalid_grant, invalid_client (RFC 6749, 5.2)
                message = f"{self._who}: {failure}: its credentials have to be renewed by the operator"
                raise CredentialsRefused(message, status=answer.status)
            raise failure
        found = answer.object()
        access = found.get("access_token")
        if not isinstance(access, str) or not access:
            if "error" in found:  # Zoho says so with 200
                raise CredentialsRefused(f"{self._who}: no token: {said_by(answer)}: renew its credentials")
            raise BadAnswer(f"{self._who}: the answer to a token's renewal has no access_token")
        self._on_answer(found)
        expires = self._clock() + _lasting_s(found.get("expires_in"))
        return KeptToken(access, str(found.get("refresh_token") or form.get("refresh_token", "")), expires)

    async def _ask(self, grant: Grant, form: Mapping[str, str]) -> Answer:
        who = f"the token server of {self._who}"
        body: dict[str, Any] = {"json": form} if grant.sends_json else {"data": form}
        timeout = aiohttp.ClientTimeout(total=_LIMIT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(
                    grant.url, allow_redirects=False, headers={"Accept": "application/json"}, **body
                ) as response,
            ):
                content = bytearray()
                async for chunk in response.content.iter_any():
                    content += chunk
                    if len(content) > _MAX_BYTES:
                        raise BadAnswer(f"{who} answered with more than {_MAX_BYTES} bytes")
                said = bytes(content)
                if b'"access_token"' not in said:  # a refusal, in which some repeat what was sent to them
                    said = without_secrets(said, [value for name, value in form.items() if name in _SECRET_FIELDS])
                return Answer(who, response.status, response.headers, said)
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            raise Unreachable(f"no connection to {who} came about") from error
        except TimeoutError as error:
            raise TooSlow(f"{who} gave no answer within {_LIMIT_S:g} s") from error
        except aiohttp.ClientError as error:
            raise BrokenOff(f"the connection to {who} broke: {type(error).__name__}") from error
