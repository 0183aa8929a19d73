"""Checks of speech and its marks, for a TTS service; those of cancelled and failed turns stand in `tts_turns`."""

import time

import numpy as np
from voice.tts.v1.tts_pb2 import SpokenText
from voice.type.v1 import audio_pb2
from voice.type.v1.turn_pb2 import TurnEnd

from clients.conformance.kit import Target, approx, check
from clients.conformance.speech import LONG, SAMPLE_RATE, SENTENCE, completed, say, speak, spoken, turn_of
from clients.conformance.stages import TTS
from clients.conformance.streams import kind_of
from services.audio.pcm import AudioFormat, Encoding

FORMATS = {
    f"{encoding.name} {rate}": AudioFormat(encoding, rate)
    for encoding, rate in (
        (Encoding.ALAW, 8000),
        (Encoding.LINEAR16, 8000),
        (Encoding.LINEAR16, 16000),
        (Encoding.LINEAR16, 24000),
        (Encoding.LINEAR16, 48000),
    )
}
SILENCE_MS = 10
ONSET_MS = 20  # a soft consonant may take that long to pass the threshold
ONSET_LEVEL = 60


@check(TTS, 18, 25)
async def a_turn_is_spoken_and_ends_once(tts: Target) -> None:
    async with tts.opened() as stream:
        turn = await speak(stream, 1, SENTENCE)
        assert completed(turn)
        assert len(turn.samples()) > SAMPLE_RATE
        assert await stream.rest() == []


@check(TTS, 25)
async def the_first_audio_and_the_end_say_where_the_time_went(tts: Target) -> None:
    async with tts.opened() as stream:
        turn = await speak(stream, 1, SENTENCE)
    first, *others = turn.audio
    assert first.HasField("timing")
    assert not any(message.HasField("timing") for message in others)
    assert 0 < first.timing.since_trigger_us <= turn.end.timing.since_trigger_us


@check(TTS, 13)
async def chunks_last_10_to_100_ms(tts: Target) -> None:
    async with tts.opened() as stream:
        turn = await speak(stream, 1, SENTENCE)
    lengths_ms = [len(message.chunk.content) * 1000 / SAMPLE_RATE for message in turn.audio]
    assert max(lengths_ms) <= 100
    assert min(lengths_ms[:-1]) >= 10, "only the last chunk of a turn may be shorter"


@check(TTS, 10, cases=FORMATS)
async def every_format_holds_the_same_speech(tts: Target, audio_format: AudioFormat) -> None:
    encoding, rate = audio_format.encoding, audio_format.sample_rate_hertz
    wire = audio_pb2.AudioFormat(encoding=getattr(audio_pb2, f"AUDIO_ENCODING_{encoding.name}"), sample_rate_hertz=rate)
    async with tts.opened(audio_format=wire) as stream:
        samples = (await speak(stream, 1, SENTENCE)).samples(AudioFormat(encoding, rate))
    async with tts.opened() as stream:
        telephone = (await speak(stream, 1, SENTENCE)).samples()
    assert len(samples) / rate == approx(len(telephone) / SAMPLE_RATE, rel=0.1)
    assert np.abs(samples.astype(np.int32)).max() > 1000


@check(TTS, 27)
async def speech_begins_at_once(tts: Target) -> None:
    async with tts.opened() as stream:
        samples = (await speak(stream, 1, SENTENCE)).samples()
    onset = int(np.argmax(np.abs(samples.astype(np.int32)) > ONSET_LEVEL))
    assert onset * 1000 / SAMPLE_RATE <= SILENCE_MS + ONSET_MS


@check(TTS, 26, needs=("spoken_text",))
async def a_mark_leaves_before_the_chunk_that_holds_its_last_sample(tts: Target) -> None:
    async with tts.opened() as stream:
        turn = await speak(stream, 1, SENTENCE)
    sent = 0
    for response in turn.responses:
        if kind_of(response) == "audio":
            sent += len(response.audio.chunk.content)
        elif kind_of(response) == "spoken_text":
            assert response.spoken_text.end_sample > sent, "its last sample had left already"
            assert response.spoken_text.timing != SpokenText.MARK_TIMING_UNSPECIFIED
    assert sent >= turn.marks[-1].end_sample


@check(TTS, 26, needs=("spoken_text", "marks_in_audio"))
async def marks_go_in_their_chunk_where_the_client_asks_for_it(tts: Target) -> None:
    async with tts.opened() as stream:
        apart = await speak(stream, 1, SENTENCE)
    async with tts.opened(marks_in_audio=True, longest_chunk_ms=400) as stream:
        turn = await speak(stream, 1, SENTENCE)
    assert turn.marks == []
    at = 0
    for audio in turn.audio:
        end = at + len(audio.chunk.content)
        assert len(audio.chunk.content) <= SAMPLE_RATE * 400 // 1000
        assert all(at < mark.end_sample <= end and mark.turn_id == 0 for mark in audio.marks)
        at = end
    offsets = [mark.text_end_offset for audio in turn.audio for mark in audio.marks]
    assert offsets == [mark.text_end_offset for mark in apart.marks]
    assert len(turn.audio) < len(apart.audio)


@check(TTS, 13, needs=("longest_chunk_ms",))
async def no_chunk_takes_more_than_half_of_the_lead(tts: Target) -> None:
    async with tts.opened(max_lead_ms=400, longest_chunk_ms=1000) as stream:
        turn = await speak(stream, 1, SENTENCE)
    assert max(len(audio.chunk.content) for audio in turn.audio) <= SAMPLE_RATE * 200 // 1000


@check(TTS, 26, needs=("spoken_text",))
async def marks_only_go_forward_and_reach_the_end(tts: Target) -> None:
    async with tts.opened() as stream:
        turn = await speak(stream, 1, SENTENCE)
    places = [(mark.text_end_offset, mark.end_sample) for mark in turn.marks]
    assert places == sorted(places)
    assert places[-1][0] == len(SENTENCE)


@check(
    TTS,
    26,
    needs=("spoken_text",),
    cases={
        "combining": "Cafe\u0301 or café 👩\u200d👩\u200d👧, it costs $12.50.",
        "Vietnamese": "Xin chào, hẹn gặp bạn lúc 9 giờ 👋 sáng mai.",
    },
)
async def offsets_count_code_points_as_sent(tts: Target, text: str) -> None:
    async with tts.opened() as stream:
        turn = await speak(stream, 1, text)
    assert completed(turn)
    assert turn.marks[-1].text_end_offset == len(text)


@check(TTS, 25, needs=("spoken_text",))
async def pieces_may_split_words(tts: Target) -> None:
    async with tts.opened() as stream:
        whole = await speak(stream, 1, SENTENCE)
        pieces = await speak(stream, 2, *(SENTENCE[n : n + 3] for n in range(0, len(SENTENCE), 3)))
    assert pieces.marks[-1].text_end_offset == len(SENTENCE)
    assert len(pieces.samples()) == approx(len(whole.samples()), rel=0.25)


@check(TTS, 25)
async def a_clause_is_spoken_before_the_text_is_whole(tts: Target) -> None:
    async with tts.opened() as stream:
        await say(stream, 1, "Good morning. How can", is_whole=False)
        await stream.until(lambda one: kind_of(one) == "audio")
        await say(stream, 1, " I help you?")
        assert completed(await spoken(stream, 1))


@check(TTS, 25, needs=("flush",))
async def flush_speaks_what_is_held(tts: Target) -> None:
    async with tts.opened() as stream:
        await stream.send(text={"turn_id": 1, "text": "One moment", "flush": True})
        await stream.until(lambda one: kind_of(one) == "audio")


@check(TTS, 3)
async def half_close_implies_the_end_of_the_text(tts: Target) -> None:
    async with tts.opened() as stream:
        await say(stream, 1, SENTENCE, is_whole=False)
        rest = await stream.rest()
    assert rest[-1].turn_end.outcome == TurnEnd.OUTCOME_COMPLETED
    assert stream.heard[-2].audio.chunk.start_sample > 0


@check(TTS, 28, 33, needs=("start_offset",))
async def a_resumed_turn_counts_from_where_it_stands(tts: Target) -> None:
    async with tts.opened() as stream:
        turn = await speak(stream, 7, "How can I help you?", start_offset=100)
    assert turn.marks[0].text_end_offset > 100
    assert turn.marks[-1].text_end_offset == 100 + len("How can I help you?")


@check(TTS, 27, needs=("max_lead_ms",))
async def audio_runs_ahead_no_further_than_asked(tts: Target) -> None:
    lead_ms = 400
    async with tts.opened(max_lead_ms=lead_ms) as stream:
        await say(stream, 1, LONG)
        first = 0.0
        samples = 0
        while samples < 3 * SAMPLE_RATE:
            response = await stream.until(lambda one: kind_of(one) == "audio")
            now = time.monotonic()
            first = first or now
            samples += len(response.audio.chunk.content)
            assert samples / SAMPLE_RATE - (now - first) <= lead_ms / 1000 + 0.15
        await stream.send(cancellation={"turn_id": 1})
        turn = await spoken(stream, 1)
    assert turn.end.outcome == TurnEnd.OUTCOME_CANCELLED


@check(TTS, 27)
async def without_a_limit_speech_comes_faster_than_it_is_spoken(tts: Target) -> None:
    async with tts.opened(max_lead_ms=0) as stream:
        began = time.monotonic()
        turn = await speak(stream, 1, LONG)
        elapsed_s = time.monotonic() - began
    assert elapsed_s < len(turn.samples()) / SAMPLE_RATE


@check(TTS, 2)
async def two_streams_of_one_call_id_do_not_mix(tts: Target) -> None:
    async with tts.opened() as one, tts.opened() as other:
        await say(one, 1, "Hello.")
        await say(other, 1, LONG)
        await say(other, 2, "Hello.")
        short = await spoken(one, 1)
        await one.rest()
        long = await spoken(other, 2)
    assert {turn_of(response) for response in one.heard} == {None, 1}
    assert len(short.samples()) == approx(len(long.samples()), rel=0.25)


@check(TTS, 34)
async def a_client_that_does_not_read_costs_a_bounded_amount(tts: Target) -> None:
    async with tts.opened() as warm:
        await speak(warm, 1, LONG)  # whatever is allocated once is allocated
    async with tts.opened(max_lead_ms=0) as deaf:
        await speak(deaf, 1, "Hello.")
        before_kb = tts.resident_kb()
        for turn_id in range(2, 12):
            await say(deaf, turn_id, LONG)
        async with tts.opened() as other:
            assert completed(await speak(other, 1, LONG)), "the others are unharmed"
        assert tts.resident_kb() - before_kb < 64_000
