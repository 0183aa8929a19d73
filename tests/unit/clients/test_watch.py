"""The floor of a call, by the events that the gateway told."""

import pytest
from voice.call.v1 import call_pb2, record_pb2

from clients.phone.watch import CallWatch


def told(floor: record_pb2.Floor.ValueType) -> record_pb2.CallEvent:
    return record_pb2.CallEvent(floor_change=record_pb2.FloorChange(to=floor))


@pytest.mark.parametrize("floor", [record_pb2.FLOOR_THINKING, record_pb2.FLOOR_SPEAKING, record_pb2.FLOOR_PAUSED])
def test_an_agent_who_thinks_speaks_or_doubts_has_not_finished(floor: record_pb2.Floor.ValueType):
    watch = CallWatch()
    watch.events += [told(record_pb2.FLOOR_LISTENING), told(floor), record_pb2.CallEvent()]
    assert watch.has_agent_floor()


def test_an_agent_who_listens_has_finished():
    watch = CallWatch()
    assert not watch.has_agent_floor()
    watch.events += [told(record_pb2.FLOOR_SPEAKING), told(record_pb2.FLOOR_LISTENING)]
    assert not watch.has_agent_floor()


def news(call_id: str, **event: object) -> call_pb2.WatchCallsResponse:
    return call_pb2.WatchCallsResponse(event=record_pb2.CallEvent(call_id=call_id, **event))


def test_a_call_that_another_gateway_took_on_is_followed_under_its_new_name():
    watch = CallWatch()
    watch.take(news("first", began=record_pb2.CallBegan()))
    watch.take(news("other", floor_change=record_pb2.FloorChange(to=record_pb2.FLOOR_LISTENING)))
    assert [event.call_id for event in watch.events] == ["first"], "another call is not ours"
    watch.break_off()
    watch.take(news("second", floor_change=record_pb2.FloorChange(to=record_pb2.FLOOR_SPEAKING)))
    watch.take(news("third", began=record_pb2.CallBegan()))
    assert [event.call_id for event in watch.events] == ["first", "second"]
    assert watch.has_agent_floor()
