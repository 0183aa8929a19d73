"""The clock of one call: which of its readings stand still on hold and on a pause, and what an illegal move does."""

import pytest

from services.call_gateway.conversation.call import CallClock
from services.call_gateway.conversation.effects import EFFECTS
from services.call_gateway.conversation.floor import RULES, Decision, Effect, Floor, Move
from tests.unit.call_gateway.conversation.driver import Call


@pytest.mark.parametrize(
    ("floor", "now", "waiting"),
    [(Floor.SPEAKING, 13.0, 13.0), (Floor.PAUSED, 13.0, 10.0), (Floor.HELD, 10.0, 10.0)],
)
def test_the_clock_stands_still_while_neither_side_can_act(floor: Floor, now: float, waiting: float):
    clock = CallClock(8000)
    clock.set(10.0)
    clock.follow(floor)
    clock.set(13.0)
    assert (clock.wall, clock.now, clock.waiting) == (13.0, now, waiting)
    clock.follow(Floor.SPEAKING)
    assert clock.wall_of(now + 5) == 18.0
    assert clock.wall_of_waiting(waiting + 5) == 18.0
    clock.set(18.0)
    assert (clock.now, clock.waiting) == (now + 5, waiting + 5)


def test_every_effect_is_named_by_a_rule_and_has_its_function():
    assert set(EFFECTS) == set(Effect) == {rule.effect for rule in RULES.values()}


@pytest.mark.parametrize("move", [move for move in Move if (Floor.LISTENING, move) not in RULES])
def test_an_illegal_move_is_counted_and_does_nothing(move: Move):
    call = Call().greeted()
    before = call.conversation.history
    call.conversation._apply([Decision(move)])
    assert call.conversation.counters[f"illegal_{move.value}"] == 1
    assert call.floor is Floor.LISTENING
    assert call.conversation.history == before
    assert not call.wait(100)
