import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from services.audio.pcm import TELEPHONE
from services.language.reading.normalizer import Normalizer
from services.runtime.errors import TurnIdNotIncreasing
from services.runtime.metrics import StageMetrics
from services.tts.call_voice import CallVoice, Output, TextPiece, TurnEnded, TurnSound
from services.tts.engine import Voice
from services.tts.errors import BadTurnId, NothingToSpeak, TextAfterTextEnd
from services.tts.router import Router
from services.tts.speaker import Pauses, TurnSpeaker
from services.tts.track import ChunkLengths
from services.tts.turn import Outcome, TextLimits
from services.tts.voice_selection import VoiceSelection
from tests.unit.tts.voices import PlainEngine


@dataclass
class Call:
    """A call's voice, and what came out of it."""

    voice: CallVoice
    engine: PlainEngine
    heard: list[Output] = field(default_factory=list)

    async def say(self, turn_id: int, text: str, *, is_whole: bool = True, **options: object) -> None:
        await self.voice.say(TextPiece(turn_id, text, **options))  # type: ignore[arg-type]
        if is_whole:
            await self.voice.end_text(turn_id)

    async def settle(self) -> None:
        for _ in range(200):
            await asyncio.sleep(0)

    def ends(self) -> dict[int, Outcome]:
        return {one.turn_id: one.outcome for one in self.heard if isinstance(one, TurnEnded)}

    def end_of(self, turn_id: int) -> TurnEnded:
        [end] = [one for one in self.heard if isinstance(one, TurnEnded) and one.turn_id == turn_id]
        return end


@asynccontextmanager
async def calling(engine: PlainEngine | None = None, *, fail_on_turn_failure: bool = False) -> AsyncIterator[Call]:
    engine = engine or PlainEngine(voices=(Voice("plain", ("en-US",)), Voice("other", ("en-US",))))
    router = Router({"en": engine})
    speaker = TurnSpeaker(
        router,
        Normalizer(),
        TELEPHONE,
        lengths=ChunkLengths(20, 60),
        pauses=Pauses(200, 100, 0),
        max_lead_ms=0,
    )
    heard: list[Output] = []

    async def emit(output: Output) -> None:
        heard.append(output)

    async with asyncio.TaskGroup() as tasks:
        voice = CallVoice(
            tasks,
            VoiceSelection(router, language_codes=["en-US"], voice="", rate=0.0),
            speaker,
            emit,
            limits=TextLimits(turn_chars=100, clause_chars=80),
            metrics=StageMetrics("tts"),
            fail_on_turn_failure=fail_on_turn_failure,
        )
        yield Call(voice, engine, heard)
        voice.end_all_text()
    assert len([one for one in heard if isinstance(one, TurnEnded)]) == len({one.turn_id for one in heard})


async def test_a_turn_is_spoken_and_ends_completed() -> None:
    async with calling() as call:
        await call.say(1, "Hello there. How are you?")
    assert call.ends() == {1: Outcome.COMPLETED}
    assert isinstance(call.heard[-1], TurnEnded)
    sounds = [one for one in call.heard if isinstance(one, TurnSound)]
    assert sounds[0].timing is not None
    assert all(sound.timing is None for sound in sounds[1:])
    offsets = [mark.text_end_offset for sound in sounds for mark in sound.marks]
    assert offsets == [5, 13, 16, 20, 25]


async def test_the_first_clause_is_spoken_before_the_text_is_whole() -> None:
    async with calling() as call:
        await call.say(1, "Sure, I will", is_whole=False)
        await call.settle()
        assert [line.text for line in call.engine.lines] == ["Sure, "]
        assert any(isinstance(one, TurnSound) for one in call.heard)


async def test_a_later_clause_is_due_when_the_sound_before_it_runs_out() -> None:
    async with calling() as call:
        began_s = time.monotonic()
        await call.say(1, "Hello there. How are you?")
        await call.settle()
    dues_s = [due_s - began_s for due_s in call.engine.dues_s]
    assert dues_s[:1] == [pytest.approx(0.0, abs=0.1)]
    assert dues_s[2] == pytest.approx(0.24, abs=0.1), "the first clause has 12 characters of 20 ms, made in two pieces"


async def test_the_end_of_input_ends_the_text() -> None:
    async with calling() as call:
        await call.say(1, "No mark at all", is_whole=False)
    assert call.ends() == {1: Outcome.COMPLETED}


async def test_a_cancelled_turn_stops_the_engine_and_ends_once() -> None:
    async with calling() as call:
        call.engine.gate.clear()
        await call.say(1, "Hello there.")
        await call.settle()
        call.voice.cancel(1)
        call.voice.cancel(1)
        await call.settle()
        assert call.ends() == {1: Outcome.CANCELLED}
        assert call.engine.n_closed == 1
        await call.say(1, "More.", is_whole=False)
    assert call.engine.n_pieces == 0


async def test_a_turn_cancelled_in_the_same_breath_still_ends() -> None:
    async with calling() as call:
        await call.say(1, "Hello there.")
        call.voice.cancel(1)
    assert call.ends() == {1: Outcome.CANCELLED}


async def test_a_second_turn_does_not_disturb_the_first() -> None:
    async with calling() as call:
        await call.say(1, "Hello there.", is_whole=False)
        await call.say(2, "How are you?")
        await call.settle()
        assert call.ends() == {2: Outcome.COMPLETED}
    assert call.ends() == {2: Outcome.COMPLETED, 1: Outcome.COMPLETED}


async def test_a_third_turn_replaces_the_younger_of_two() -> None:
    async with calling() as call:
        call.engine.gate.clear()
        for turn_id in (1, 2, 3):
            await call.say(turn_id, "Hello there.")
        await call.settle()
        assert call.ends() == {2: Outcome.CANCELLED}
        call.engine.gate.set()
    assert call.ends() == {2: Outcome.CANCELLED, 1: Outcome.COMPLETED, 3: Outcome.COMPLETED}


async def test_once_the_elder_has_ended_the_younger_is_no_longer_replaced() -> None:
    async with calling() as call:
        call.engine.gate.clear()
        await call.say(1, "One.")
        await call.say(2, "Two.")
        call.voice.cancel(1, is_only=True)
        await call.settle()
        await call.say(3, "Three.")
        await call.settle()
        assert call.ends() == {1: Outcome.CANCELLED}
        call.engine.gate.set()


async def test_a_third_turn_right_behind_the_cancellation_of_the_elder_replaces_none() -> None:
    async with calling() as call:
        call.engine.gate.clear()
        await call.say(1, "One.")
        await call.say(2, "Two.")
        call.voice.cancel(1, is_only=True)
        await call.say(3, "Three.")
        await call.settle()
        assert call.ends() == {1: Outcome.CANCELLED}
        call.engine.gate.set()
    assert call.ends() == {1: Outcome.CANCELLED, 2: Outcome.COMPLETED, 3: Outcome.COMPLETED}


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("word " * 30, {}, "TEXT_TOO_LONG"),
        ("Hello\x07", {}, "CONTROL_CHARACTERS"),
        ("", {}, "EMPTY_TEXT"),
        ("... 🙂", {}, "NOTHING_TO_SPEAK"),
        ("Hello", {"voice": "nobody"}, "UNKNOWN_VOICE"),
        ("Hello", {"language_code": "vi"}, "UNKNOWN_LANGUAGE"),
        ("Hello", {"rate": 3.0}, "RATE_OUT_OF_RANGE"),
        ("Hello", {"start_offset": -1}, "BAD_START_OFFSET"),
    ],
)
async def test_a_turn_that_cannot_be_spoken_fails_and_the_next_one_is(
    text: str, options: dict[str, object], reason: str
) -> None:
    async with calling() as call:
        await call.say(1, text, **options)
        await call.settle()
        await call.say(2, "Hello.")
    end = call.end_of(1)
    assert (end.outcome, end.is_retryable) == (Outcome.FAILED, False)
    assert end.failure is not None
    assert end.failure.reason == reason
    assert end.failure.field.startswith("text.")
    assert end.failure.field.split(".")[1] in end.failure.message
    assert call.ends()[2] is Outcome.COMPLETED


async def test_an_engine_that_breaks_fails_the_turn_which_may_be_tried_again() -> None:
    async with calling() as call:
        await call.say(1, "This is broken.")
    end = call.end_of(1)
    assert (end.outcome, end.is_retryable) == (Outcome.FAILED, True)


async def test_more_text_of_a_failed_turn_is_dropped() -> None:
    async with calling() as call:
        await call.say(1, "Hello\x07", is_whole=False)
        await call.settle()
        await call.say(1, "Hello.")
    assert call.ends() == {1: Outcome.FAILED}


async def test_the_voice_a_piece_asks_for_holds_for_the_rest_of_the_turn() -> None:
    async with calling() as call:
        await call.say(1, "Hello. ", is_whole=False, voice="other")
        await call.say(1, "Again.")
        await call.settle()
        await call.say(2, "Hello.")
    assert [line.voice for line in call.engine.lines] == ["other", "other", "plain"]


async def test_text_after_its_end_is_refused() -> None:
    async with calling() as call:
        call.engine.gate.clear()
        await call.say(1, "Hello.")
        with pytest.raises(TextAfterTextEnd):
            await call.say(1, "More.")
        call.engine.gate.set()


@pytest.mark.parametrize(("turn_id", "error"), [(4, TurnIdNotIncreasing), (5, TextAfterTextEnd), (0, BadTurnId)])
async def test_a_turn_id_that_does_not_rise_is_refused(turn_id: int, error: type[Exception]) -> None:
    async with calling() as call:
        await call.say(5, "Hello.")
        await call.settle()
        with pytest.raises(error):
            await call.say(turn_id, "Hello.")


async def test_an_end_without_text_fails_the_turn() -> None:
    async with calling() as call:
        await call.voice.end_text(1)
    assert call.ends() == {1: Outcome.FAILED}


async def test_a_failed_turn_fails_the_stream_where_that_is_asked_for() -> None:
    async def fail() -> None:
        async with calling(fail_on_turn_failure=True) as call:
            await call.say(1, "...")

    with pytest.raises(ExceptionGroup) as caught:
        await fail()
    assert caught.group_contains(NothingToSpeak)
