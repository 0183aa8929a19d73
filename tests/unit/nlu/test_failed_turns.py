"""Bad turns, bad turn ids, and engines that fail or stall, in virtual time."""

import pytest

from services.nlu.errors import BadTurnId
from services.nlu.inputs import (
    Config,
    Dtmf,
    Silence,
    Text,
    UserTurn,
)
from services.nlu.outputs import (
    Outcome,
    TurnEnd,
)
from services.runtime.errors import RequestError, TurnIdNotIncreasing, root_cause
from tests.unit.nlu.rig import opened, say
from tests.unit.nlu.virtual_time import run


@pytest.mark.parametrize(
    ("bad", "reason", "field"),
    [
        (Text("x" * 100_000), "TEXT_TOO_LONG", "user_turn.text"),
        (Text("a\x00b"), "CONTROL_CHARACTERS", "user_turn.text"),
        (Text(" \n"), "EMPTY_TEXT", "user_turn.text"),
        (Dtmf("12x"), "BAD_DTMF", "user_turn.dtmf"),
        (Dtmf(""), "BAD_DTMF", "user_turn.dtmf"),
        (Silence(0, 0), "BAD_SILENCE", "user_turn.silence"),
        (None, "INPUT_MISSING", "user_turn.input"),
    ],
)
def test_a_bad_turn_fails_alone_and_names_its_field(bad: Text | Dtmf | Silence | None, reason: str, field: str) -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(UserTurn(1, bad), say(2))
        assert (rig.end(1).outcome, rig.end(1).reason) == (Outcome.FAILED, reason)
        assert rig.end(1).message.startswith(field)
        assert not rig.end(1).is_retryable
        assert rig.end(2).outcome is Outcome.COMPLETED

    run(main())


def test_a_turn_id_that_goes_back_ends_the_stream() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(2))
            await rig.send(say(1))

    with pytest.raises(ExceptionGroup) as raised:
        run(main())
    assert isinstance(root_cause(raised.value), TurnIdNotIncreasing)


def test_a_turn_id_below_one_ends_the_stream() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(0))

    with pytest.raises(ExceptionGroup) as raised:
        run(main())
    assert isinstance(root_cause(raised.value), BadTurnId)


def test_an_engine_that_fails_fails_the_turn_and_the_next_may_succeed() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "say late fail"), wait_s=5)
            await rig.send(say(2))
        end = rig.end(1)
        assert (end.outcome, end.reason, end.is_retryable) == (Outcome.FAILED, "ENGINE_FAILED", True)
        assert rig.end(2).outcome is Outcome.COMPLETED

    run(main())


def test_an_engine_that_stalls_fails_the_turn_in_time() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "say stall"), wait_s=19)
            assert rig.of(TurnEnd) == []
            await rig.send(wait_s=2)
            assert rig.end(1).reason == "TURN_TIMEOUT"

    run(main())


@pytest.mark.parametrize(("text", "error"), [("x" * 9999, RequestError), ("say fail", Exception)])
def test_a_failed_turn_fails_the_stream_when_the_config_wants_that(text: str, error: type[Exception]) -> None:
    async def main() -> None:
        config = Config(instructions="Be brief.", fails_stream_on_turn_failure=True)
        async with opened(config=config) as rig:
            await rig.send(say(1, text), wait_s=5)

    with pytest.raises(ExceptionGroup) as raised:
        run(main())
    assert isinstance(root_cause(raised.value), error)
