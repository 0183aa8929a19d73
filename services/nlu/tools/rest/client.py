"""One system of one tenant, asked over HTTP: limits of time and size, retries, a breaker, renewed tokens."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import aiohttp

from services.nlu.tools.rest.answers import Answer, Fault, failure_of, without_secrets
from services.nlu.tools.rest.credentials import Credentials, secrets_of
from services.nlu.tools.rest.failures import (
    BadAnswer,
    BrokenOff,
    CallFailed,
    CredentialsRefused,
    NoToken,
    Resting,
    TooSlow,
    Unreachable,
)
from services.runtime.breaker import Breaker, BreakerPolicy, ErrorClass
from services.runtime.logs import get_logger

log = get_logger(__name__)

Cursor = TypeVar("Cursor")
Given = TypeVar("Given")

MAX_BYTES = 1 << 20
MAX_PAGES = 10
MAX_ITEMS = 1000
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PROPFIND", "REPORT"})
"""Methods that may be sent again whatever became of the first (RFC 9110, 9.2.2; RFC 4918; RFC 3253)."""

_MOST_RENEWALS = 2  # the first may take a token of another process that is refused too
_POLICY = BreakerPolicy(least_failures=4, slow_s=6.0)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits on a request's time, in seconds, and on its answer, in bytes."""

    whole_s: float = 8.0  # with all its tries and the waits between them
    try_s: float = 5.0
    n_tries: int = 3
    first_wait_s: float = 0.2
    max_bytes: int = MAX_BYTES


@dataclass(frozen=True, slots=True)
class _Wanted:
    method: str
    url: str
    is_repeatable: bool
    expected: frozenset[int]
    arguments: Mapping[str, Any]
    headers: Mapping[str, str]
    wants_json: bool


class RestClient:
    """Opens its session with the first request. Redirects are not followed: they could carry credentials away."""

    def __init__(
        self,
        who: str,
        credentials: Credentials,
        *,
        limits: Limits | None = None,
        fault: Fault = lambda answer: None,
        token_field: str = "",
        hidden: Sequence[str] = (),
        breaker: Breaker | None = None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`who` names the system and the tenant in messages; `fault` reads what the system says in its own way;
        `token_field` is where the token goes in the JSON body, for systems that want it there; `hidden` are secrets
        that no header holds, as one in a URL: they are taken out of answers, like those of the headers; `chance` gives
        a number from 0 to 1 for the jitter.
        """
        self._hidden = tuple(hidden)
        self.who, self.limits = who, limits or Limits()
        self._credentials, self._fault, self._clock, self._chance = credentials, fault, clock, chance
        self._token_field = token_field
        self.breaker = breaker or Breaker(_POLICY)
        self._session: aiohttp.ClientSession | None = None

    async def ask(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        is_repeatable: bool | None = None,
        expected: frozenset[int] = frozenset(),
        wants_json: bool = True,
    ) -> Answer:
        """The answer of a success, or of a status in `expected`. Raises CallFailed; BadAnswer where a success should be
        JSON and is not.

        A request that `is_repeatable` (left out: by its method) is sent again after any failure that may pass; another
        one only where nothing was done.
        """
        repeats = method in IDEMPOTENT if is_repeatable is None else is_repeatable
        arguments = {"params": params, "json": json, "data": form if form is not None else data}
        wanted = _Wanted(method, url, repeats, expected, arguments, headers or {}, wants_json)
        try:
            async with asyncio.timeout(self.limits.whole_s):
                return await self._tries(wanted)
        except TimeoutError as error:
            raise TooSlow(f"{self.who} gave no answer within {self.limits.whole_s:g} s") from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _tries(self, wanted: _Wanted) -> Answer:
        ends, n_renewed, n_failed = self._clock() + self.limits.whole_s, 0, 0
        while True:
            used: Mapping[str, str] = {}
            try:
                used = await self._token(self._credentials.current())
                return await self._try(wanted, used)
            except CredentialsRefused:
                if n_renewed >= _MOST_RENEWALS or not used or not await self._token(self._credentials.renew(used)):
                    raise
                n_renewed += 1
            except CallFailed as failure:
                n_failed += 1
                wait_s = self._wait_s(n_failed, failure)
                is_worthwhile = wanted.is_repeatable or failure.is_untouched
                if (
                    failure.is_settled
                    or isinstance(failure, Resting)
                    or not is_worthwhile
                    or n_failed >= self.limits.n_tries
                    or self._clock() + wait_s >= ends
                ):
                    raise
                await asyncio.sleep(wait_s)

    async def _token(self, asked: Awaitable[Given]) -> Given:
        """Await a token's renewal. An error of the renewal says that the request itself was not sent."""
        try:
            return await asked
        except CredentialsRefused:
            raise
        except CallFailed as failure:
            raise NoToken(str(failure), retry_after_s=failure.retry_after_s, status=failure.status) from failure

    def _wait_s(self, n_failed: int, failure: CallFailed) -> float:
        """The wait before the next try: as the system asked, else twice as long each time; with jitter on top."""
        wait_s = failure.retry_after_s or self.limits.first_wait_s * 2.0 ** (n_failed - 1)
        return wait_s * (1.0 + 0.5 * self._chance())

    async def _try(self, wanted: _Wanted, used: Mapping[str, str]) -> Answer:
        permit = self.breaker.admit(self._clock())
        if permit is None:
            rests_s = max(1, round(self.breaker.rests_for_s(self._clock())))
            raise Resting(f"{self.who} has failed often and is not asked for {rests_s} s: {self.breaker.cause}")
        began = self._clock()
        try:
            answer = await self._send(wanted, used)
            if failure := self._judged(answer, wanted):
                raise failure
        except CallFailed as failure:
            now = self._clock()
            # A token that has run out is renewed and says nothing of the system; so does a request at fault.
            kind = ErrorClass.REQUEST if isinstance(failure, CredentialsRefused) else failure.error_class
            if kind is ErrorClass.REQUEST:
                self.breaker.on_success(permit, now=now, took_s=now - began)
            else:
                cause = type(failure).__name__
                self.breaker.on_failure(permit, kind, now=now, cause=cause, retry_after_s=failure.retry_after_s)
            raise
        except BaseException:
            self.breaker.release(permit)
            raise
        self.breaker.on_success(permit, now=self._clock(), took_s=self._clock() - began)
        return answer

    def _judged(self, answer: Answer, wanted: _Wanted) -> CallFailed | None:
        if failure := self._fault(answer):
            return failure
        if 200 <= answer.status < 300:
            if wanted.wants_json and answer.body:
                answer.json()
            return None
        if answer.status in wanted.expected:
            return None
        return failure_of(answer, now=datetime.now(UTC))

    async def _send(self, wanted: _Wanted, used: Mapping[str, str]) -> Answer:
        """Messages hold no URL: in one a secret may stand."""
        arguments = dict(wanted.arguments)
        secrets = (*self._hidden, *secrets_of(used))
        if self._token_field:
            token = used.get("Authorization", "").rpartition(" ")[2]
            used, arguments["json"] = {}, {**(arguments["json"] or {}), self._token_field: token}
        own = {name.lower() for name in used}  # a header that shows who asks stands once
        asked = {name: value for name, value in wanted.headers.items() if name.lower() not in own}
        try:
            async with self._opened().request(
                wanted.method,
                wanted.url,
                headers={"Accept": "application/json", **asked, **used},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self.limits.try_s),
                **arguments,
            ) as response:
                body = without_secrets(await self._read(response), secrets)
                return Answer(self.who, response.status, response.headers, body)
        except aiohttp.ClientConnectorCertificateError as error:
            raise Unreachable(f"{self.who} shows a certificate that is not trusted") from error
        except aiohttp.ClientConnectorError as error:
            raise Unreachable(f"no connection to {self.who} came about") from error
        except aiohttp.InvalidURL as error:
            raise Unreachable(f"the URL of {self.who} is none") from error
        except TimeoutError as error:
            raise TooSlow(f"{self.who} gave no answer within {self.limits.try_s:g} s") from error
        except aiohttp.ClientError as error:
            raise BrokenOff(f"the connection to {self.who} broke: {type(error).__name__}") from error

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > self.limits.max_bytes:
                raise BadAnswer(f"{self.who} answered with more than {self.limits.max_bytes} bytes")
        return bytes(body)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self._session


async def all_pages(
    first: Cursor, page: Callable[[Cursor], Awaitable[tuple[Sequence[Any], Cursor | None]]]
) -> list[Any]:
    """The items of all pages, at most 10 pages and 1000 items. `page` gives the items of one, and where the next is;
    None: there is none.
    """
    found: list[Any] = []
    cursor: Cursor | None = first
    for _ in range(MAX_PAGES):
        if cursor is None or len(found) >= MAX_ITEMS:
            break
        items, cursor = await page(cursor)
        found += items
    return found[:MAX_ITEMS]
