"""The rules of turns: growing ids, one committed turn, one draft, fences, one end each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.errors import TurnIdNotIncreasing
from services.runtime.turns import MAX_SINGLE_FENCES, TurnLedger


def test_a_turn_is_live_until_its_end() -> None:
    turns = TurnLedger()
    assert turns.begin(1) == []
    assert turns.is_live(1)
    assert turns.end(1)
    assert not turns.is_live(1)


def test_a_turn_ends_once() -> None:
    turns = TurnLedger()
    turns.begin(1)
    assert [turns.end(1), turns.end(1)] == [True, False]


def test_a_turn_that_never_began_has_no_end() -> None:
    assert not TurnLedger().end(7)


@pytest.mark.parametrize("turn_id", [3, 2, 0, -1])
def test_ids_strictly_increase(turn_id: int) -> None:
    turns = TurnLedger()
    turns.begin(3)
    turns.end(3)
    with pytest.raises(TurnIdNotIncreasing) as raised:
        turns.begin(turn_id)
    assert raised.value.field == "turn_id"


def test_the_first_turn_may_have_any_id() -> None:
    assert TurnLedger().begin(41) == []


def test_a_new_turn_supersedes_the_old_one() -> None:
    turns = TurnLedger()
    turns.begin(1)
    assert turns.begin(2) == [1]
    assert turns.is_fenced(1)
    assert turns.end(1), "the superseded turn still gets its end"


def test_a_draft_does_not_disturb_a_committed_turn() -> None:
    turns = TurnLedger()
    turns.begin(1)
    assert turns.begin(2, is_draft=True) == []
    assert turns.live == [1, 2]
    assert not turns.is_fenced(1)


def test_a_newer_draft_replaces_the_older_draft_only() -> None:
    turns = TurnLedger()
    turns.begin(1)
    turns.begin(2, is_draft=True)
    assert turns.begin(3, is_draft=True) == [2]
    assert not turns.is_fenced(1)


def test_a_turn_begun_beside_another_replaces_the_younger_only() -> None:
    turns = TurnLedger()
    assert turns.begin_beside(1) == []
    assert turns.begin_beside(2) == []
    assert turns.begin_beside(3) == [2]
    assert not turns.is_fenced(1)
    turns.cancel(1, is_only=True)
    assert turns.begin_beside(4) == [], "the third is the elder now"
    with pytest.raises(TurnIdNotIncreasing):
        turns.begin_beside(4)


def test_the_commit_supersedes_the_committed_turn() -> None:
    turns = TurnLedger()
    turns.begin(1)
    turns.begin(2, is_draft=True)
    assert turns.commit(2) == [1]
    assert not turns.is_draft(2)
    assert turns.is_fenced(1)


def test_a_commit_with_nothing_before_it_supersedes_nothing() -> None:
    turns = TurnLedger()
    turns.begin(2, is_draft=True)
    assert turns.commit(2) == []


def test_a_committed_turn_voids_an_open_draft() -> None:
    turns = TurnLedger()
    turns.begin(1, is_draft=True)
    assert turns.begin(2) == [1]
    assert turns.commit(1) is None


@pytest.mark.parametrize("how", ["unknown", "not a draft", "ended", "cancelled", "committed before"])
def test_a_commit_that_crosses_an_end_is_ignored(how: str) -> None:
    turns = TurnLedger()
    if how != "unknown":
        turns.begin(1, is_draft=how != "not a draft")
    if how == "ended":
        turns.end(1)
    if how == "cancelled":
        turns.cancel(1)
    if how == "committed before":
        turns.commit(1)
    assert turns.commit(1) is None


def test_a_cancellation_reaches_all_turns_before() -> None:
    turns = TurnLedger()
    turns.begin(1)
    turns.begin(2, is_draft=True)
    assert turns.cancel(2) == [1, 2]


def test_a_cancellation_reaches_through_all_before_it() -> None:
    turns = TurnLedger()
    turns.begin(1)
    turns.begin(2, is_draft=True)
    assert turns.cancel(2) == [1, 2]


def test_a_cancellation_of_one_turn_leaves_the_others() -> None:
    turns = TurnLedger()
    turns.begin(1)
    turns.begin(2, is_draft=True)
    assert turns.cancel(2, is_only=True) == [2]
    assert not turns.is_fenced(1)


def test_a_turn_is_stopped_once() -> None:
    turns = TurnLedger()
    turns.begin(1)
    assert [turns.cancel(1), turns.cancel(1), turns.cancel(1, is_only=True)] == [[1], [], []]


@pytest.mark.parametrize("is_only", [True, False])
def test_cancelling_a_turn_not_begun_fences_its_id(*, is_only: bool) -> None:
    turns = TurnLedger()
    assert turns.cancel(5, is_only=is_only) == []
    assert turns.drops(5)


def test_through_fences_what_came_before_and_not_what_comes_after() -> None:
    turns = TurnLedger()
    turns.cancel(5)
    assert [turns.is_fenced(turn_id) for turn_id in (1, 5, 6)] == [True, True, False]


def test_an_earlier_cancellation_does_not_lift_a_later_fence() -> None:
    turns = TurnLedger()
    turns.cancel(5)
    turns.cancel(2)
    assert turns.is_fenced(4)


def test_dropped_messages_are_counted() -> None:
    counted: list[int] = []
    turns = TurnLedger(on_dropped=lambda: counted.append(1))
    turns.cancel(5)
    assert [turns.drops(4), turns.drops(5), turns.drops(6)] == [True, True, False]
    assert len(counted) == 2


def test_what_still_comes_for_a_failed_turn_is_dropped() -> None:
    turns = TurnLedger()
    turns.begin(1)
    turns.end(1, is_failed=True)
    assert turns.drops(1)


def test_a_completed_turn_is_not_fenced() -> None:
    turns = TurnLedger()
    turns.begin(1)
    turns.end(1)
    assert not turns.drops(1)


def test_a_peer_cannot_make_the_fences_grow_without_bound() -> None:
    turns = TurnLedger()
    for turn_id in range(MAX_SINGLE_FENCES + 10):
        turns.cancel(turn_id, is_only=True)
    assert [turns.is_fenced(turn_id) for turn_id in (9, 10, MAX_SINGLE_FENCES + 9)] == [False, True, True]


MOVES = st.lists(st.tuples(st.sampled_from(["begin", "draft", "commit", "only", "through", "end"]), st.integers(1, 12)))


@given(MOVES)
def test_whatever_happens_at_most_two_turns_live_and_each_ends_once(moves: list[tuple[str, int]]) -> None:
    turns = TurnLedger()
    begun: list[int] = []
    ended: list[int] = []

    def stop(stopped: list[int] | None) -> None:
        ended.extend(turn_id for turn_id in stopped or [] if turns.end(turn_id))

    for move, turn_id in moves:
        if move in ("begin", "draft") and not turns.is_fenced(turn_id) and turn_id > max(begun, default=0):
            begun.append(turn_id)
            stop(turns.begin(turn_id, is_draft=move == "draft"))
        elif move == "commit":
            stop(turns.commit(turn_id))
        elif move in ("only", "through"):
            stop(turns.cancel(turn_id, is_only=move == "only"))
        elif move == "end":
            stop([turn_id])
        assert sum(not turns.is_draft(live) for live in turns.live) <= 1
        assert sum(turns.is_draft(live) for live in turns.live) <= 1
    assert sorted(ended + turns.live) == sorted(begun)
