"""REST client of every adapter: retries, pauses that are asked for, tokens, the breaker, bounds."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from services.nlu.tools.rest.client import Limits, RestClient, all_pages
from services.nlu.tools.rest.credentials import FixedHeaders, Grant, OAuthTokens
from services.nlu.tools.rest.failures import (
    BadAnswer,
    CallFailed,
    CredentialsRefused,
    NoToken,
    Refused,
    Resting,
    ServerFailed,
    TooBusy,
    TooSlow,
    Unreachable,
)
from services.nlu.tools.rest.token_file import KeptToken, TokenFile
from tests.integration.tools.rest_server import CUT_JSON, DOWN, HTML_502, SLOW, Reply, RestServer, Seen, serving

LIMITS = Limits(whole_s=3.0, try_s=1.0, first_wait_s=0.02)


def fine(seen: Seen) -> Reply:
    return Reply({"ok": True})


@asynccontextmanager
async def client(handle: Any = fine, **options: Any) -> AsyncIterator[tuple[RestServer, RestClient]]:
    async with serving(handle) as server:
        made = RestClient("the system", FixedHeaders(), **{"limits": LIMITS, **options})
        try:
            yield server, made
        finally:
            await made.close()


def busy_until(seconds: float) -> Reply:
    return Reply({}, 429, {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)})


RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.3s"}


@pytest.mark.parametrize(
    ("fault", "least_s"),
    [
        (Reply({}, 429, {"Retry-After": "0.3"}), 0.3),
        (Reply({}, 503, {"Retry-After": "0.3"}), 0.3),
        (Reply({"error": {"code": 429, "details": [RETRY_INFO]}}, 429), 0.3),
        (DOWN, 0.0),
    ],
)
async def test_a_pause_that_is_asked_for_is_kept(fault: Reply, least_s: float) -> None:
    async with client() as (server, rest):
        server.faults = [fault]
        began = asyncio.get_running_loop().time()
        assert (await rest.ask("GET", server.url)).json() == {"ok": True}
        assert asyncio.get_running_loop().time() - began >= least_s
        assert len(server.seen) == 2


@pytest.mark.parametrize("pause", [lambda: Reply({}, 429, {"Retry-After": "60"}), lambda: busy_until(60)])
async def test_a_pause_that_is_too_long_is_told_at_once_and_nothing_is_asked_meanwhile(
    pause: Callable[[], Reply],
) -> None:
    async with client() as (server, rest):
        server.faults = [pause()]  # the moment is counted from now, not from when the tests were collected
        with pytest.raises(TooBusy) as busy:
            await rest.ask("GET", server.url)
        assert busy.value.retry_after_s > 50
        with pytest.raises(Resting):
            await rest.ask("GET", server.url)
        assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("fault", "kind", "n_asked"),
    [(DOWN, ServerFailed, 1), (CUT_JSON, BadAnswer, 1), (SLOW, TooSlow, 1), (HTML_502, ServerFailed, 1)],
)
async def test_what_may_be_done_already_is_not_sent_again(fault: Reply, kind: type[CallFailed], n_asked: int) -> None:
    async with client() as (server, rest):
        server.faults = [fault]
        with pytest.raises(kind) as failed:
            await rest.ask("POST", server.url, json={})
        assert not failed.value.is_untouched
        assert len(server.seen) == n_asked


async def test_no_connection_is_known_to_have_done_nothing() -> None:
    rest = RestClient("the system", FixedHeaders(), limits=LIMITS)
    with pytest.raises(Unreachable) as failed:
        await rest.ask("POST", "http://127.0.0.1:9/s3cret", json={})
    assert failed.value.is_untouched
    assert "s3cret" not in str(failed.value)
    await rest.close()


async def test_the_whole_of_a_request_is_bounded() -> None:
    async with client(limits=Limits(whole_s=0.5, try_s=5.0)) as (server, rest):
        server.faults = [SLOW] * 3
        began = asyncio.get_running_loop().time()
        with pytest.raises(TooSlow):
            await rest.ask("GET", server.url)
        assert asyncio.get_running_loop().time() - began < 3.0


async def test_a_request_at_fault_says_nothing_of_the_system() -> None:
    async with client(lambda seen: Reply({"message": "no such thing"}, 404)) as (server, rest):
        for _ in range(8):
            with pytest.raises(Refused, match="no such thing"):
                await rest.ask("GET", server.url)
        assert len(server.seen) == 8


async def test_a_redirect_carries_nothing_away() -> None:
    async with client() as (elsewhere, _), client() as (server, rest):
        server.faults = [Reply({}, 307, {"Location": elsewhere.url})]
        with pytest.raises(Refused, match="redirect"):
            await rest.ask("GET", server.url)
        assert elsewhere.seen == []


class Tokens:
    """A server whose refresh tokens hold once; it may fail first."""

    def __init__(self, *failures: Reply) -> None:
        self.failures, self.n_given, self.refresh = list(failures), 0, "r0"

    def __call__(self, seen: Seen) -> Reply:
        if "token" not in seen.path:
            is_known = seen.token == f"Bearer a{self.n_given}"
            return Reply({"ok": True}) if is_known else Reply({}, 401)
        if self.failures:
            return self.failures.pop(0)
        if seen.form["refresh_token"] != self.refresh:
            return Reply({"error": "invalid_grant"}, 400)
        self.n_given += 1
        self.refresh = f"r{self.n_given}"
        return Reply({"access_token": f"a{self.n_given}", "refresh_token": self.refresh, "expires_in": 3600})


def by_token(url: str, file: TokenFile | None = None) -> RestClient:
    tokens = OAuthTokens("the system", lambda: Grant(f"{url}/token", {}, "r0"), file=file)
    return RestClient("the system", tokens, limits=LIMITS)


@pytest.mark.parametrize("failure", [DOWN, CUT_JSON, HTML_502, Reply({}, 429, {"Retry-After": "0.05"}), Reply([])])
async def test_a_failure_of_the_tokens_server_passes_and_has_touched_nothing(failure: Reply) -> None:
    async with serving(Tokens(failure)) as server:
        rest = by_token(server.url)
        assert (await rest.ask("POST", f"{server.url}/x", json={})).json() == {"ok": True}
        await rest.close()
    async with serving(Tokens(*[failure] * 9)) as server:
        rest = by_token(server.url)
        with pytest.raises(NoToken) as failed:
            await rest.ask("POST", f"{server.url}/x", json={})
        assert failed.value.is_untouched
        assert server.of("POST", "/x") == []
        await rest.close()


async def test_two_processes_share_a_refresh_token_that_holds_once(tmp_path: Path) -> None:
    tokens = Tokens()
    async with serving(tokens) as server:
        file = TokenFile(tmp_path / "t" / "x.json")
        one, other = by_token(server.url, file), by_token(server.url, file)
        for rest in (one, other, one):
            assert (await rest.ask("GET", f"{server.url}/x")).json() == {"ok": True}
        assert tokens.n_given == 1
        tokens.n_given += 1  # the session has ended: neither knows the token yet
        for rest in (one, other):
            assert (await rest.ask("GET", f"{server.url}/x")).json() == {"ok": True}
        assert tokens.n_given == 3
        await one.close()
        await other.close()


async def test_a_refused_refresh_token_is_a_matter_for_the_operator() -> None:
    tokens = Tokens()
    tokens.refresh = "another one"
    async with serving(tokens) as server:
        rest = by_token(server.url)
        with pytest.raises(CredentialsRefused, match="renewed by the operator"):
            await rest.ask("GET", f"{server.url}/x")
        assert server.of("GET") == []
        await rest.close()


def test_a_new_first_refresh_token_takes_the_kept_ones_place(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / "x.json")
    file.write("r0", KeptToken("a", "r5", 1.0))
    assert file.read("r0").refresh == "r5"
    assert file.read("new one").refresh == "new one"
    (tmp_path / "x.json").write_text("{")
    assert file.read("r0") == KeptToken(refresh="r0")


async def test_pages_without_an_end_are_ended() -> None:
    async def page(number: int) -> tuple[list[int], int]:
        return [number], number + 1

    assert await all_pages(1, page) == list(range(1, 11))
