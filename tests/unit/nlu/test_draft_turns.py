"""Draft turns and their commits, in virtual time."""

from services.nlu.inputs import (
    Commit,
    PlayoutReport,
)
from services.nlu.outputs import (
    CallAction,
    Outcome,
    TurnEnd,
)
from tests.unit.nlu.rig import SURE, opened, say
from tests.unit.nlu.virtual_time import run


def test_a_draft_speaks_at_once_and_ends_only_after_its_commit() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, is_draft=True), wait_s=5)
            assert rig.said(1) == SURE
            assert rig.of(TurnEnd) == []
            await rig.send(Commit(1), wait_s=0.001)
            assert rig.end(1).outcome is Outcome.COMPLETED

    run(main())


def test_a_draft_acts_only_after_its_commit() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "Bye bye.", is_draft=True), wait_s=1)
            assert rig.said(1) != ""
            assert rig.of(CallAction) == []
            await rig.send(Commit(1), wait_s=1)
            assert len(rig.of(CallAction)) == 1

    run(main())


def test_a_commit_in_the_middle_of_a_draft_lets_it_go_on() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, is_draft=True), wait_s=0.1)
            await rig.send(Commit(1))
        assert rig.said(1) == SURE

    run(main())


def test_a_newer_draft_takes_the_place_of_the_older_one_only() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "say slow"), say(2, is_draft=True), say(3, is_draft=True), wait_s=20)
            assert [(end.turn_id, end.outcome) for end in rig.of(TurnEnd)] == [
                (2, Outcome.CANCELLED),
                (1, Outcome.COMPLETED),
            ]

    run(main())


def test_the_commit_of_a_draft_ends_the_turn_before_it() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "say stall"), say(2, is_draft=True), wait_s=1)
            await rig.send(Commit(2))
        assert rig.end(1).outcome is Outcome.CANCELLED
        assert rig.end(2).outcome is Outcome.COMPLETED

    run(main())


def test_a_commit_of_an_ended_turn_is_ignored() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "say fail", is_draft=True), wait_s=1)
            await rig.send(Commit(1), Commit(9), wait_s=1)
        assert [end.outcome for end in rig.of(TurnEnd)] == [Outcome.FAILED]

    run(main())


def test_half_close_ends_an_uncommitted_draft_and_finishes_the_turn_that_stands() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1), say(2, is_draft=True))
        assert rig.end(1).outcome is Outcome.COMPLETED
        assert rig.end(2).outcome is Outcome.CANCELLED

    run(main())


def test_a_draft_that_is_never_committed_ends() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, is_draft=True), wait_s=60)
            assert rig.end(1).outcome is Outcome.CANCELLED

    run(main())


def test_an_uncommitted_draft_is_not_in_the_history() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "One, please.", is_draft=True), say(2, "Two, please."), wait_s=5)
        assert rig.prompt() == ["user: Two, please."]

    run(main())


def test_the_history_has_the_text_of_the_draft_as_it_stood() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "One, please.", is_draft=True), wait_s=5)
            await rig.send(Commit(1), PlayoutReport(1, 5), say(2, "Two, please."), wait_s=5)
        assert rig.prompt() == ["user: One, please.", "assistant: Sure,", "user: Two, please."]

    run(main())


def test_a_draft_sees_what_was_heard_provisionally() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "One, please."), wait_s=5)
            await rig.send(say(2, "Two.", is_draft=True, provisional_playout=PlayoutReport(1, 13)), wait_s=1)
            assert rig.prompt() == ["user: One, please.", "assistant: Sure, we have", "user: Two."]
            await rig.send(say(3, "Three.", is_draft=True), wait_s=1)
            assert rig.prompt() == ["user: One, please.", "user: Three."]

    run(main())
