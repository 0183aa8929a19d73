"""The history of a call that the model is shown: heard words, corrections, earlier streams."""

from services.nlu.history import Entry
from services.nlu.inputs import (
    Cancellation,
    Config,
    Open,
    PlayoutReport,
    TranscriptCorrection,
    UserTurn,
)
from services.nlu.outputs import (
    ReplyText,
)
from tests.unit.nlu.rig import opened, say
from tests.unit.nlu.virtual_time import run


def test_only_what_was_heard_is_shown_to_the_model() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "One, please."), wait_s=5)
            await rig.send(say(2, "Two, please."), wait_s=5)
        assert rig.prompt() == ["user: One, please.", "user: Two, please."]

    run(main())


def test_a_correction_changes_what_later_turns_see() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "One, peas."), wait_s=5)
            await rig.send(TranscriptCorrection(1, "One, please."), say(2, "Two."), wait_s=5)
        assert rig.prompt()[0] == "user: One, please."

    run(main())


def test_the_words_of_the_gateway_are_shown_to_the_model() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "say fail"), wait_s=5)
            await rig.send(PlayoutReport(1, 30, "I'm sorry, one moment."), say(2, "Well?"), wait_s=5)
        assert rig.prompt() == ["user: say fail", "assistant: I'm sorry, one moment.", "user: Well?"]

    run(main())


def test_a_turn_that_continues_another_has_its_words() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "I would like"), wait_s=0.1)
            await rig.send(Cancellation(1), say(2, "I would like a cleaning", continues_turn_id=1), wait_s=5)
        assert rig.prompt() == ["user: I would like a cleaning"]

    run(main())


def test_a_stream_opened_in_mid_call_goes_on() -> None:
    async def main() -> None:
        async with opened() as first:
            await first.send(say(1, "Phòng khám ở đâu?", language_code="vi"), wait_s=5)
        state = first.end(1).state
        assert len(state) < 16 * 1024
        history = (Entry(1, "Phòng khám ở đâu?", "Sure,"),)
        config = Config(instructions="Be brief.", history=history, state=state)
        async with opened(config=config) as second:
            await second.send(UserTurn(2, Open()), say(3, "Alo"), wait_s=5)
        assert second.prompt()[:2] == ["user: Phòng khám ở đâu?", "assistant: Sure,"]
        assert second.of(ReplyText, 3)[0].language_code == "vi"

    run(main())
