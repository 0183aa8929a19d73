"""One turn of a conversation: clauses, timing, greeting, silence, keys and goodbye, in virtual time."""

import pytest

from services.nlu.inputs import (
    Dtmf,
    Open,
    Silence,
    UserTurn,
)
from services.nlu.outputs import (
    CallAction,
    HangUp,
    Outcome,
    ReplyText,
)
from tests.unit.nlu.rig import SURE, opened, say, script_settings
from tests.unit.nlu.virtual_time import run


def test_a_turn_is_clauses_and_one_end() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1))
        assert rig.said(1) == SURE
        assert rig.end(1).outcome is Outcome.COMPLETED
        assert rig.outputs[-1] == rig.end(1)

    run(main())


@pytest.mark.parametrize(
    ("first_phrase_words", "clause", "tokens"),
    [(0, "We have a free chair on Tuesday at ten,", 9), (4, "We have a free chair ", 6)],
)
def test_the_first_clause_leaves_when_its_last_token_is_there(
    first_phrase_words: int, clause: str, tokens: int
) -> None:
    async def main() -> float:
        async with opened(script_settings(first_phrase_words=first_phrase_words)) as rig:
            await rig.send(say(1, "say nine"), wait_s=5)
        assert rig.of(ReplyText)[0].text == clause
        return rig.timed[0][0]

    assert run(main()) == pytest.approx(0.080 + (tokens - 1) * 0.020)


def test_the_reply_called_sure_takes_80_ms() -> None:
    async def main() -> float:
        async with opened() as rig:
            await rig.send(say(1), wait_s=5)
        return rig.timed[0][0]

    assert run(main()) == pytest.approx(0.080)


def test_only_the_first_clause_and_the_end_carry_timing() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1))
        assert [clause.timing is not None for clause in rig.of(ReplyText)] == [True, False, False, False]
        assert rig.end(1).timing is not None

    run(main())


def test_open_is_greeted_at_once_without_the_model() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(UserTurn(1, Open()), wait_s=0.001)
            assert rig.end(1).outcome is Outcome.COMPLETED
        assert rig.said(1) == "Sunrise Dental Clinic, this is Linh. How can I help you?"
        assert rig.engine.requests == []

    run(main())


def test_goodbye_hangs_up_after_the_last_word() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "Goodbye!"))
        (action,) = rig.of(CallAction)
        assert (action.act, action.is_now) == (HangUp(), False)
        assert rig.outputs.index(action) > rig.outputs.index(rig.of(ReplyText)[-1])

    run(main())


def test_the_third_silence_ends_the_call() -> None:
    async def main() -> None:
        async with opened() as rig:
            for turn_id in (1, 2, 3):
                await rig.send(UserTurn(turn_id, Silence(8000, turn_id)), wait_s=1)
        assert rig.said(1) == rig.said(2) == "Are you still there?"
        assert [action.turn_id for action in rig.of(CallAction)] == [3]

    run(main())


def test_keys_are_answered() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(UserTurn(1, Dtmf("1#")))
        assert rig.prompt() == ["user: (pressed the keys 1 #)"]
        assert rig.end(1).outcome is Outcome.COMPLETED

    run(main())
