"""The floor: every legal move, every illegal one, and what a pause or a hold covers."""

import itertools

import pytest

from services.call_gateway.conversation.turn import TRANSITIONS, Covered, Floor, FloorHolder, Move

PATHS: dict[Floor, tuple[Move, ...]] = {
    Floor.LISTENING: (),
    Floor.THINKING: (Move.TURN_ENDED,),
    Floor.SPEAKING: (Move.TURN_ENDED, Move.ANSWER_BEGAN),
    Floor.PAUSED: (Move.TURN_ENDED, Move.ANSWER_BEGAN, Move.CALLER_SOUNDED),
    Floor.HELD: (Move.PUT_ON_HOLD,),
    Floor.CLOSING: (Move.CLOSED,),
}


def standing_at(floor: Floor) -> FloorHolder:
    holder = FloorHolder()
    for move in PATHS[floor]:
        holder.handle(move)
    assert holder.floor is floor
    return holder


@pytest.mark.parametrize(("floor", "move"), list(itertools.product(Floor, Move)))
def test_the_floor_changes_only_as_the_table_says(floor: Floor, move: Move):
    holder = standing_at(floor)
    covered = holder.covered
    change = holder.handle(move)
    after = TRANSITIONS.get((floor, move))
    if after is None:
        assert change is None
        assert holder.floor is floor
    else:
        expected = covered if after is Covered.FLOOR else after
        assert change is not None
        assert (change.before, change.after, holder.floor) == (floor, expected, expected)


def test_every_floor_can_be_closed_and_nothing_follows_it():
    assert {floor for floor, move in TRANSITIONS if move is Move.CLOSED} == set(Floor) - {Floor.CLOSING}
    assert not [floor for floor, _ in TRANSITIONS if floor is Floor.CLOSING]


@pytest.mark.parametrize("floor", [Floor.LISTENING, Floor.THINKING, Floor.SPEAKING])
def test_a_hold_leads_back_to_where_it_came_from(floor: Floor):
    holder = standing_at(floor)
    holder.handle(Move.PUT_ON_HOLD)
    holder.handle(Move.TAKEN_BACK)
    assert holder.floor is floor


@pytest.mark.parametrize("floor", [Floor.THINKING, Floor.SPEAKING])
def test_a_false_alarm_leads_back_to_where_it_came_from(floor: Floor):
    holder = standing_at(floor)
    holder.handle(Move.CALLER_SOUNDED)
    holder.handle(Move.FALSE_ALARM)
    assert holder.floor is floor


def test_a_hold_of_a_pause_leads_back_to_what_the_pause_covered():
    holder = standing_at(Floor.PAUSED)
    holder.handle(Move.PUT_ON_HOLD)
    holder.handle(Move.TAKEN_BACK)
    assert holder.floor is Floor.SPEAKING


def test_an_answer_that_ends_during_a_hold_leaves_the_caller_listening_to_nothing():
    holder = standing_at(Floor.SPEAKING)
    holder.handle(Move.PUT_ON_HOLD)
    assert holder.handle(Move.ANSWER_DONE) is None
    holder.handle(Move.TAKEN_BACK)
    assert holder.floor is Floor.LISTENING


def test_a_move_beneath_a_hold_never_pauses_or_closes_by_stealth():
    holder = standing_at(Floor.SPEAKING)
    holder.handle(Move.PUT_ON_HOLD)
    holder.handle(Move.CALLER_SOUNDED)
    holder.handle(Move.TAKEN_BACK)
    assert holder.floor is Floor.SPEAKING
