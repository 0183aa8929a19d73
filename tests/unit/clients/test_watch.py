"""Whose turn it is, by what the gateway told."""

import pytest
from voice.call.v1 import record_pb2

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
