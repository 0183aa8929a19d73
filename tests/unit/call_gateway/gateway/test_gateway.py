"""What the gateway tells of a call whose session breaks."""

import pytest

from services.call_gateway.edges.edge import IncomingCall
from services.call_gateway.gateway import Gateway
from services.call_gateway.line import EndCause
from services.call_gateway.session import Session
from services.call_gateway.settings import GatewaySettings
from services.call_gateway.watching import CallBegan, CallNews, CallOver
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
