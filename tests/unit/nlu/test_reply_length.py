"""The length of a reply, and thoughts that are left out of it."""

from pathlib import Path

from services.nlu.inputs import (
    Open,
    Silence,
    UserTurn,
)
from services.nlu.outputs import (
    Outcome,
)
from tests.unit.nlu.rig import opened, say, script_settings
from tests.unit.nlu.virtual_time import run


def test_a_reply_is_ended_after_its_sentences(tmp_path: Path) -> None:
    script = '[[reply]]\nname = "sure"\nparts = [{ text = "Yes. Sure. Well. Fine. Good." }]'

    async def main() -> None:
        async with opened(script_settings(tmp_path, script, max_reply_sentences=2)) as rig:
            await rig.send(say(1))
        assert rig.said(1).strip() == "Yes. Sure."
        assert rig.end(1).outcome is Outcome.COMPLETED

    run(main())


def test_a_fixed_text_is_said_whole_however_many_sentences_it_has() -> None:
    async def scene() -> None:
        async with opened(script_settings(max_reply_sentences=1)) as rig:
            await rig.send(UserTurn(1, Open()), wait_s=1)
            await rig.send(UserTurn(2, Silence(8000, 3)), wait_s=1)
        assert rig.said(1) == "Sunrise Dental Clinic, this is Linh. How can I help you?"
        assert rig.said(2) == "I can't hear you, so I'll hang up now. Please call again. Goodbye."

    run(scene())


def test_of_a_thought_without_a_beginning_nothing_unsent_is_said_and_the_answer_is_whole(tmp_path: Path) -> None:
    thought = "Okay the caller wants to know something</think>"
    answer = "Sure. All right. Of course."  # as many sentences as a reply may have
    script = f'[[reply]]\nname = "sure"\nparts = [{{ text = "{thought}" }}, {{ text = "{answer}" }}]'

    async def scene() -> None:
        async with opened(script_settings(tmp_path, script)) as rig:
            await rig.send(say(1), wait_s=5)
        assert rig.said(1).strip() == answer

    run(scene())


def test_a_turn_of_reasoning_alone_says_that_the_agent_does_not_know(tmp_path: Path) -> None:
    script = '[[reply]]\nname = "sure"\nparts = [{ text = "<think>What now?</think>" }]'

    async def scene() -> None:
        async with opened(script_settings(tmp_path, script)) as rig:
            await rig.send(say(1), wait_s=5)
        assert rig.said(1).startswith("I'm sorry, I don't know that.")
        assert rig.end(1).outcome is Outcome.COMPLETED

    run(scene())
