"""Events and counts of the gateway for a call whose session breaks, or that is not answered."""

from contextlib import suppress

import pytest
from prometheus_client import REGISTRY

from services.call_gateway.__main__ import define
from services.call_gateway.edges.edge import IncomingCall
from services.call_gateway.gateway import Gateway
from services.call_gateway.line import EndCause
from services.call_gateway.opening import CallRefused, StageAway
from services.call_gateway.session import Session
from services.call_gateway.settings import GatewaySettings
from services.call_gateway.watching import CallBegan, CallNews, CallOver
from services.runtime.errors import CapacityError, ServiceError
from services.runtime.lifecycle import Lifecycle
from tests.fakes.line import FakeLeg


@pytest.mark.parametrize("is_answered", [True, False])
async def test_a_session_that_raises_is_told_to_be_over_once(monkeypatch, is_answered: bool):
    async def run(session: Session) -> None:
        if is_answered:
            await leg.answer(session)
            session._on_answered()
        raise ExceptionGroup("tasks", [RuntimeError("a bug")])

    monkeypatch.setattr(Session, "run", run)
    gateway = Gateway(GatewaySettings(edges="program"), Lifecycle())
    await gateway.load()
    told: list[CallNews] = []
    gateway.news.subscribe(told.append)
    leg = FakeLeg(IncomingCall("a", "fake"))
    if not is_answered:
        monkeypatch.setattr(FakeLeg, "tell", lambda *_: None)
    await gateway.take_call(leg)
    news = [one.news for one in told]
    assert [type(one) for one in news] == ([CallBegan, CallOver] if is_answered else [CallOver])
    assert news[-1].cause is EndCause.FAILURE
    assert len(gateway.calls) == 0
    assert leg.hung_up is EndCause.FAILURE
    await gateway.close()


@pytest.mark.parametrize("breaks", ["listener", "analysis"])
async def test_a_call_is_told_to_be_over_whatever_else_breaks_at_its_end(
    monkeypatch: pytest.MonkeyPatch, breaks: str
) -> None:
    async def run(session: Session) -> None:
        session._on_answered()

    def raises(_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Session, "run", run)
    gateway = Gateway(GatewaySettings(edges="program"), Lifecycle())
    await gateway.load()
    told: list[CallNews] = []
    if breaks == "listener":
        gateway.news.subscribe(raises)
    else:
        monkeypatch.setattr(gateway.analyser, "submit", raises)
    gateway.news.subscribe(told.append)
    await gateway.take_call(FakeLeg(IncomingCall("a", "ari")))
    assert [type(one.news) for one in told] == [CallBegan, CallOver]
    await gateway.close()


def failed_calls() -> float:
    """The counter that the objective of failed calls looks at."""
    return REGISTRY.get_sample_value("voice_calls_total", {"cause": "failure"}) or 0.0


@pytest.mark.parametrize(
    ("edge", "failure", "counted"),
    [
        ("ari", StageAway("stt does not take the call: TOKEN_EXPIRED"), 1),
        ("program", StageAway("cannot be reached: stt"), 1),
        ("ari", CallRefused("nlu does not serve this call: UNKNOWN_AGENT"), 1),
        ("program", CallRefused("nlu does not serve this call: UNKNOWN_AGENT"), 0),
        ("ari", CapacityError("stt is full"), 0),
        ("ari", ExceptionGroup("tasks", [RuntimeError("a bug")]), 1),
        ("ari", None, 0),  # the caller hung up while it rang
    ],
)
async def test_a_call_that_we_could_not_answer_is_a_failed_one(
    monkeypatch: pytest.MonkeyPatch, edge: str, failure: Exception | None, counted: int
) -> None:
    async def run(_session: Session) -> None:
        if failure is not None:
            raise failure

    monkeypatch.setattr(Session, "run", run)
    monkeypatch.setattr(FakeLeg, "tell", lambda *_: None)
    gateway = Gateway(GatewaySettings(edges="program"), Lifecycle())
    await gateway.load()
    before = failed_calls()
    with suppress(ServiceError):
        await gateway.take_call(FakeLeg(IncomingCall("a", edge)))
    assert failed_calls() - before == counted
    await gateway.close()


async def test_a_session_that_breaks_before_the_answer_is_a_failed_call(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(session: Session) -> None:
        session._failure = RuntimeError("a bug")

    monkeypatch.setattr(Session, "run", run)
    gateway = Gateway(GatewaySettings(edges="program"), Lifecycle())
    await gateway.load()
    before = failed_calls()
    await gateway.take_call(FakeLeg(IncomingCall("a", "ari")))
    assert failed_calls() - before == 1
    await gateway.close()


async def test_an_answered_call_that_fails_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(session: Session) -> None:
        session._on_answered()
        raise ExceptionGroup("tasks", [RuntimeError("a bug")])

    monkeypatch.setattr(Session, "run", run)
    monkeypatch.setattr(FakeLeg, "tell", lambda *_: None)
    gateway = Gateway(GatewaySettings(edges="program"), Lifecycle())
    await gateway.load()
    before = failed_calls()
    await gateway.take_call(FakeLeg(IncomingCall("a", "ari")))
    assert failed_calls() - before == 1
    await gateway.close()


async def test_a_drain_waits_for_the_analysis_and_the_post_of_the_last_call(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway(GatewaySettings(edges="program", webhook_url="http://127.0.0.1:1/calls"), Lifecycle())
    await gateway.load()
    ended: list[str] = []
    webhook = gateway._webhook
    assert webhook is not None
    for owner, name in ((gateway.calls, "calls"), (gateway.analyser, "analyses"), (webhook, "posts")):

        async def emptied(name: str = name) -> None:
            ended.append(name)

        monkeypatch.setattr(owner, "emptied", emptied)
    settings = GatewaySettings(edges="program")
    monkeypatch.setattr("services.call_gateway.__main__.Gateway", lambda *_: gateway)
    await define(settings).drain()
    assert ended == ["calls", "analyses", "posts"]
    await gateway.close()
