"""The floor: every legal move, every illegal one, and what a pause or a hold covers."""

import itertools

import pytest

from services.call_gateway.conversation.turn import TRANSITIONS, Covered, Floor, Move, TurnTaking

PATHS: dict[Floor, tuple[Move, ...]] = {
    Floor.LISTENING: (),
    Floor.THINKING: (Move.TURN_ENDED,),
    Floor.SPEAKING: (Move.TURN_ENDED, Move.ANSWER_BEGAN),
    Floor.PAUSED: (Move.TURN_ENDED, Move.ANSWER_BEGAN, Move.CALLER_SOUNDED),
    Floor.HELD: (Move.PUT_ON_HOLD,),
    Floor.CLOSING: (Move.CLOSED,),
}


def standing_at(floor: Floor) -> TurnTaking:
    taking = TurnTaking()
    for move in PATHS[floor]:
        taking.handle(move)
    assert taking.floor is floor
    return taking


@pytest.mark.parametrize(("floor", "move"), list(itertools.product(Floor, Move)))
def test_the_floor_changes_only_as_the_table_says(floor: Floor, move: Move):
    taking = standing_at(floor)
    covered = taking.covered
    change = taking.handle(move)
    after = TRANSITIONS.get((floor, move))
    if after is None:
        assert change is None
        assert taking.floor is floor
    else:
        expected = covered if after is Covered.FLOOR else after
        assert change is not None
        assert (change.before, change.after, taking.floor) == (floor, expected, expected)


def test_every_floor_can_be_closed_and_nothing_follows_it():
    assert {floor for floor, move in TRANSITIONS if move is Move.CLOSED} == set(Floor) - {Floor.CLOSING}
    assert not [floor for floor, _ in TRANSITIONS if floor is Floor.CLOSING]


@pytest.mark.parametrize("floor", [Floor.LISTENING, Floor.THINKING, Floor.SPEAKING])
def test_a_hold_leads_back_to_where_it_came_from(floor: Floor):
    taking = standing_at(floor)
    taking.handle(Move.PUT_ON_HOLD)
    taking.handle(Move.TAKEN_BACK)
    assert taking.floor is floor


@pytest.mark.parametrize("floor", [Floor.THINKING, Floor.SPEAKING])
def test_a_false_alarm_leads_back_to_where_it_came_from(floor: Floor):
    taking = standing_at(floor)
    taking.handle(Move.CALLER_SOUNDED)
    taking.handle(Move.FALSE_ALARM)
    assert taking.floor is floor


def test_a_hold_of_a_pause_leads_back_to_what_the_pause_covered():
    taking = standing_at(Floor.PAUSED)
    taking.handle(Move.PUT_ON_HOLD)
    taking.handle(Move.TAKEN_BACK)
    assert taking.floor is Floor.SPEAKING


def test_an_answer_that_ends_during_a_hold_leaves_the_caller_listening_to_nothing():
    taking = standing_at(Floor.SPEAKING)
    taking.handle(Move.PUT_ON_HOLD)
    assert taking.handle(Move.ANSWER_DONE) is None
    taking.handle(Move.TAKEN_BACK)
    assert taking.floor is Floor.LISTENING


def test_a_move_beneath_a_hold_never_pauses_or_closes_by_stealth():
    taking = standing_at(Floor.SPEAKING)
    taking.handle(Move.PUT_ON_HOLD)
    taking.handle(Move.CALLER_SOUNDED)
    taking.handle(Move.TAKEN_BACK)
    assert taking.floor is Floor.SPEAKING
