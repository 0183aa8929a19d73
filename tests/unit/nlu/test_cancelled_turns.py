"""Cancelled and superseded turns, in virtual time."""

from services.nlu.inputs import (
    Cancellation,
    PlayoutReport,
)
from services.nlu.outputs import (
    Outcome,
    TurnEnd,
)
from tests.unit.nlu.rig import opened, say
from tests.unit.nlu.virtual_time import run


def test_a_cancelled_turn_ends_at_once_and_says_nothing_more() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1), wait_s=0.1)
            await rig.send(Cancellation(1))
            assert rig.outputs[-1] == rig.end(1)
            assert rig.end(1).outcome is Outcome.CANCELLED
            await rig.send(wait_s=5)
            assert rig.outputs[-1] == rig.end(1)
        assert rig.engine.closed == [1]

    run(main())


def test_cancelling_what_has_not_begun_fences_it() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(Cancellation(5), say(4), say(5), say(6), wait_s=5)
        assert [end.turn_id for end in rig.of(TurnEnd)] == [6]

    run(main())


def test_cancelling_one_turn_only_leaves_the_turn_before_it() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1), say(2, is_draft=True), Cancellation(2, is_only=True))
        assert rig.end(1).outcome is Outcome.COMPLETED
        assert rig.end(2).outcome is Outcome.CANCELLED

    run(main())


def test_a_turn_takes_the_place_of_the_one_before_it() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1), wait_s=0.1)
            await rig.send(say(2))
        assert rig.end(1).outcome is Outcome.CANCELLED

    run(main())


def test_what_was_heard_of_a_cancelled_turn_is_reported_after_its_end() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "One, please."), wait_s=0.5)
            await rig.send(Cancellation(1), PlayoutReport(1, 13, is_final=True), say(2, "Two, please."), wait_s=5)
        assert rig.prompt() == ["user: One, please.", "assistant: Sure, we have", "user: Two, please."]

    run(main())
