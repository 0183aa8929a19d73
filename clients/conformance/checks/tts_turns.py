"""Checks of cancelled, failed and following turns, for a TTS service."""

import time
from math import ceil

import grpc
from voice.type.v1.turn_pb2 import Cancellation, TurnEnd

from clients.conformance.kit import Target, check
from clients.conformance.speech import LONG, SENTENCE, completed, is_audio_of, say, speak, spoken, turn_of
from clients.conformance.stages import TTS
from clients.conformance.streams import kind_of

TURNS_MADE_READY = 3  # while one is spoken: two, and as long again for a server that is not as quick every time
LEAST_LONG_S = 8.0  # that a quick voice speaks at LONG

UNSPEAKABLE = {
    "too long": "word " * 20_000,
    "control characters": "Hello\x00\x07\x1b[2Jthere.",
    "white space": "  \n\t ",
    "marks only": "… — !?",
}


@check(TTS, 17)
async def a_cancelled_turn_falls_silent_at_once(tts: Target) -> None:
    async with tts.opened(max_lead_ms=300) as stream:
        await say(stream, 1, LONG)
        await stream.until(lambda one: kind_of(one) == "audio")
        cancelled = time.monotonic()
        await stream.send(cancellation={"turn_id": 1})
        turn = await spoken(stream, 1)
        assert time.monotonic() - cancelled < 1.0
        assert turn.end.outcome == TurnEnd.OUTCOME_CANCELLED
        assert await stream.quiet(0.5) == []
        assert completed(await speak(stream, 2, "Yes?"))


@check(TTS, 17)
async def messages_of_a_fenced_turn_are_dropped(tts: Target) -> None:
    async with tts.opened() as stream:
        await stream.send(cancellation={"turn_id": 5})
        await say(stream, 4, "Too old.")
        await say(stream, 5, "Too late.")
        await speak(stream, 6, "Hello.")
        await stream.rest()
    assert {turn_of(one) for one in stream.heard} == {None, 6}


@check(TTS, 17)
async def late_text_of_a_cancelled_turn_is_dropped(tts: Target) -> None:
    async with tts.opened() as stream:
        await say(stream, 1, LONG, is_whole=False)
        await stream.send(cancellation={"turn_id": 1})
        await spoken(stream, 1)
        await say(stream, 1, "More of it.")
        assert completed(await speak(stream, 2, "Hello."))
        ends = [one.turn_end.turn_id for one in stream.heard if kind_of(one) == "turn_end"]
    assert ends == [1, 2]


@check(TTS, 17)
async def one_turn_is_cancelled_alone(tts: Target) -> None:
    async with tts.opened() as stream:
        await stream.send(cancellation={"turn_id": 3, "scope": Cancellation.SCOPE_ONLY})
        assert completed(await speak(stream, 2, "Hello."))
        await say(stream, 3, "Dropped.")
        assert completed(await speak(stream, 4, "Goodbye."))
        await stream.rest()
    assert {turn_of(one) for one in stream.heard} == {None, 2, 4}


@check(TTS, 17)
async def cancelling_what_is_unknown_is_no_error(tts: Target) -> None:
    async with tts.opened() as stream:
        await stream.send(cancellation={"turn_id": 99, "scope": Cancellation.SCOPE_ONLY})
        assert completed(await speak(stream, 1, "Hello."))
        await stream.send(cancellation={"turn_id": 1})
        assert await stream.rest() == []


@check(TTS, 15, needs=("concurrent_turns",))
async def the_next_turn_is_made_ready_while_one_is_spoken(tts: Target) -> None:
    async with tts.opened(max_lead_ms=300) as stream:
        began = time.monotonic()
        await say(stream, 1, SENTENCE)
        await stream.until(is_audio_of(1))
        began_after_s = time.monotonic() - began
        assert completed(await spoken(stream, 1))
        await say(stream, 2, *[LONG] * (1 + ceil(TURNS_MADE_READY * began_after_s / LEAST_LONG_S)))
        await stream.until(is_audio_of(2))
        for turn_id in (3, 4):
            await say(stream, turn_id, SENTENCE)
            await stream.until(is_audio_of(turn_id))
        assert (await spoken(stream, 3)).end.outcome == TurnEnd.OUTCOME_CANCELLED, "a third replaces the second"
        await stream.until(is_audio_of(2))
        await stream.send(cancellation={"turn_id": 2})
        assert completed(await spoken(stream, 4))


@check(TTS, 14)
async def a_turn_id_that_goes_back_ends_the_stream(tts: Target) -> None:
    async with tts.opened() as stream:
        await speak(stream, 5, "Hello.")
        await stream.send(text={"turn_id": 4, "text": "Hello again."})  # alone: a write behind it may lose the status
        failure = await stream.failure()
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "TURN_ID_NOT_INCREASING")
    assert failure.field == "text.turn_id"


@check(TTS, 25)
async def text_after_its_end_ends_the_stream(tts: Target) -> None:
    async with tts.opened() as stream:
        await say(stream, 1, "Hello.")
        await say(stream, 1, "And more.", is_whole=False)
        failure = await stream.failure()
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "TEXT_AFTER_TEXT_END")
    assert failure.field.startswith("text")


@check(TTS, 32, cases=UNSPEAKABLE)
async def a_turn_that_cannot_be_spoken_fails_and_the_stream_lives(tts: Target, text: str) -> None:
    async with tts.opened() as stream:
        turn = await speak(stream, 1, text)
        assert turn.end.outcome == TurnEnd.OUTCOME_FAILED
        assert turn.end.reason.isupper()
        assert "text" in turn.end.message
        assert not turn.end.is_retryable
        assert completed(await speak(stream, 2, "Hello."))


@check(TTS, 32)
async def an_unknown_voice_fails_the_turn(tts: Target) -> None:
    async with tts.opened() as stream:
        turn = await speak(stream, 1, "Hello.", voice="no-such-voice")
        assert (turn.end.outcome, turn.end.reason) == (TurnEnd.OUTCOME_FAILED, "UNKNOWN_VOICE")
        assert "voice" in turn.end.message
        assert completed(await speak(stream, 2, "Hello."))


@check(TTS, 32)
async def an_unknown_language_fails_the_turn(tts: Target) -> None:
    async with tts.opened() as stream:
        languages = stream.heard[0].engine.language_codes
        turn = await speak(stream, 1, "Hello.", language_code="tlh-KL")
        if languages:
            assert (turn.end.outcome, turn.end.reason) == (TurnEnd.OUTCOME_FAILED, "UNKNOWN_LANGUAGE")
            assert "language_code" in turn.end.message
        assert completed(await speak(stream, 2, "Hello."))


@check(TTS, 5)
async def a_failed_turn_fails_the_stream_where_that_is_asked_for(tts: Target) -> None:
    async with tts.opened(fail_stream_on_turn_failure=True) as stream:
        await say(stream, 1, "Hello.", voice="no-such-voice")
        failure = await stream.failure()
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_VOICE")
