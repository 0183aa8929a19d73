"""The floor: every legal move, every illegal one, and what a pause or a hold covers."""

import itertools

import pytest

from services.call_gateway.conversation.floor import RULES, Covered, Effect, Floor, FloorTable, Move

PATHS: dict[Floor, tuple[Move, ...]] = {
    Floor.LISTENING: (),
    Floor.THINKING: (Move.TURN_ENDED,),
    Floor.SPEAKING: (Move.TURN_ENDED, Move.REPLY_BEGAN),
    Floor.PAUSED: (Move.TURN_ENDED, Move.REPLY_BEGAN, Move.CALLER_SPOKE),
    Floor.HELD: (Move.PUT_ON_HOLD,),
    Floor.CLOSING: (Move.CLOSED,),
}


def standing_at(floor: Floor) -> FloorTable:
    holder = FloorTable()
    for move in PATHS[floor]:
        holder.move(move)
    assert holder.floor is floor
    return holder


@pytest.mark.parametrize(("floor", "move"), list(itertools.product(Floor, Move)))
def test_the_floor_changes_only_as_the_table_says(floor: Floor, move: Move):
    holder = standing_at(floor)
    covered = holder.covered
    change = holder.move(move)
    rule = RULES.get((floor, move))
    if rule is None:
        assert change is None or change.before is change.after
        assert holder.floor is floor
    else:
        expected = covered if rule.after is Covered.FLOOR else rule.after
        assert change is not None
        assert change.effect is rule.effect
        assert (change.before, change.after, holder.floor) == (floor, expected, expected)


def test_every_floor_can_be_closed_and_nothing_follows_it():
    assert {floor for floor, move in RULES if move is Move.CLOSED} == set(Floor) - {Floor.CLOSING}
    assert {rule.after for (floor, _), rule in RULES.items() if floor is Floor.CLOSING} == {Floor.CLOSING}


@pytest.mark.parametrize("floor", [Floor.LISTENING, Floor.THINKING, Floor.SPEAKING])
def test_a_hold_leads_back_to_where_it_came_from(floor: Floor):
    holder = standing_at(floor)
    holder.move(Move.PUT_ON_HOLD)
    holder.move(Move.TAKEN_BACK)
    assert holder.floor is floor


@pytest.mark.parametrize("floor", [Floor.THINKING, Floor.SPEAKING])
def test_a_false_alarm_leads_back_to_where_it_came_from(floor: Floor):
    holder = standing_at(floor)
    holder.move(Move.CALLER_SPOKE)
    holder.move(Move.FALSE_ALARM)
    assert holder.floor is floor


def test_a_hold_of_a_pause_leads_back_to_what_the_pause_covered():
    holder = standing_at(Floor.PAUSED)
    holder.move(Move.PUT_ON_HOLD)
    holder.move(Move.TAKEN_BACK)
    assert holder.floor is Floor.SPEAKING


def test_an_answer_that_ends_during_a_hold_leaves_the_caller_listening_to_nothing():
    holder = standing_at(Floor.SPEAKING)
    holder.move(Move.PUT_ON_HOLD)
    change = holder.move(Move.REPLY_HEARD)
    assert change is not None
    assert (change.before, change.after, change.effect) == (Floor.HELD, Floor.HELD, Effect.FINISH_REPLY)
    holder.move(Move.TAKEN_BACK)
    assert holder.floor is Floor.LISTENING


def test_a_move_beneath_a_hold_never_pauses_or_closes_by_stealth():
    holder = standing_at(Floor.SPEAKING)
    holder.move(Move.PUT_ON_HOLD)
    holder.move(Move.CALLER_SPOKE)
    holder.move(Move.TAKEN_BACK)
    assert holder.floor is Floor.SPEAKING
