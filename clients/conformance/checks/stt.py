"""Checks of the sound's clock and of recognition, for an STT service."""

import asyncio
import time

import grpc
import numpy as np
from voice.stt.v1.stt_pb2 import LineEvent, MediaIdle, SpeechActivity, Transcript, UtteranceSettled
from voice.type.v1 import audio_pb2

from clients.conformance.hearing import (
    CHUNK,
    RATE,
    SILENCE,
    SPEECH_END,
    SPEECH_START,
    activities,
    evidence,
    example,
    example_samples,
    play,
    pressed,
    progress,
    settle,
    transcripts,
)
from clients.conformance.kit import Target, approx, check
from clients.conformance.stages import LINEAR16_16K, STT
from clients.conformance.streams import kind_of, kinds
from services.audio.pcm import AudioFormat, Encoding, encode
from services.audio.resample import Resampler

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
EDGE_TOLERANCE = RATE // 4  # of a detector's edge, against where the speaker's sound begins and ends
BEGIN, END = SpeechActivity.KIND_BEGIN, SpeechActivity.KIND_END


@check(STT, 20, 21)
async def speech_is_heard_where_it_is_and_settled_once(stt: Target) -> None:
    async with stt.opened() as stream:
        end = await play(stream, example())
        settled = await settle(stream, end)
        rest = await stream.rest()
    assert (settled.outcome, settled.utterance_id) == (UtteranceSettled.OUTCOME_OK, 1)
    assert [edge.kind for edge in activities(stream)] == [BEGIN, END]
    assert [edge.sample for edge in activities(stream)] == [
        approx(SPEECH_START, abs=EDGE_TOLERANCE),
        approx(SPEECH_END, abs=EDGE_TOLERANCE),
    ]
    [text] = transcripts(stream, Transcript.STAGE_SETTLED)
    assert stt.word in text.text
    assert text.language_code.startswith(stt.stage.config_fields["language_codes"][0].split("-")[0])
    assert "utterance_settled" not in kinds(rest)


@check(STT, 21)
async def a_text_comes_before_the_word_that_it_is_settled(stt: Target) -> None:
    async with stt.opened() as stream:
        await settle(stream, await play(stream, example()))
    order = [kind_of(one) for one in stream.heard if kind_of(one) in ("transcript", "utterance_settled")]
    assert order[-1] == "utterance_settled"
    assert {text.utterance_id for text in transcripts(stream)} == {1}


@check(STT, 20, needs=("turn_prediction",))
async def the_stt_stage_says_how_likely_the_caller_has_finished(stt: Target) -> None:
    async with stt.opened() as stream:
        await settle(stream, await play(stream, example()))
    predictions = [one.turn_prediction for one in stream.heard if kind_of(one) == "turn_prediction"]
    assert predictions
    for prediction in predictions:
        assert 0 <= prediction.probability <= 1
        assert prediction.wait_ms > 0
        assert prediction.reason.isupper()
        assert prediction.end_sample == approx(SPEECH_END, abs=EDGE_TOLERANCE)


@check(STT, 20, needs=("line_event",))
async def keys_in_the_sound_are_told_once_and_are_no_speech(stt: Target) -> None:
    async with stt.opened() as stream:
        await settle(stream, await play(stream, pressed("4711#")))
        await stream.rest()
    told = [one.line_event for one in stream.heard if kind_of(one) == "line_event"]
    assert "".join(one.key for one in told if one.kind == LineEvent.KIND_DTMF) == "4711#"
    assert all(0 <= one.start_sample < one.end_sample for one in told)
    assert "speech_activity" not in kinds(stream.heard)
    assert "".join(text.text for text in transcripts(stream)) == ""


@check(STT, 20)
async def settled_text_says_where_the_time_went_and_in_which_trace(stt: Target) -> None:
    async with stt.opened() as stream:
        await settle(stream, await play(stream, example()))
    [text] = transcripts(stream, Transcript.STAGE_SETTLED)
    assert text.HasField("timing")
    assert text.trace_context.traceparent.startswith("00-")


@check(STT, 21, cases={"nothing at all": b"", "silence": SILENCE * 8000})
async def an_end_is_answered_even_when_nothing_was_said(stt: Target, sound: bytes) -> None:
    async with stt.opened() as stream:
        end = await play(stream, sound)
        settled = await settle(stream, end)
        await stream.rest()
    assert settled.outcome == UtteranceSettled.OUTCOME_OK
    assert "".join(text.text for text in transcripts(stream)) == ""


@check(STT, 21)
async def each_end_is_answered_by_one(stt: Target) -> None:
    async with stt.opened() as stream:
        end = await play(stream, example())
        await stream.send(utterance_end={"end_sample": end})
        end = await play(stream, SILENCE * 4000, end)
        await stream.send(utterance_end={"end_sample": end})
        end = await play(stream, example(), end)
        await stream.send(utterance_end={"end_sample": end})
        await stream.rest()
    settled = [one.utterance_settled for one in stream.heard if kind_of(one) == "utterance_settled"]
    assert [one.end_sample for one in settled] == sorted({one.end_sample for one in settled})
    assert len(settled) == 3


@check(STT, 3)
async def half_close_settles_what_is_open(stt: Target) -> None:
    async with stt.opened() as stream:
        await play(stream, example())
        await stream.rest()
    [text] = transcripts(stream, Transcript.STAGE_SETTLED)
    assert stt.word in text.text


@check(STT, 24)
async def the_stt_stage_shows_it_is_alive_every_500_ms(stt: Target) -> None:
    async with stt.opened() as stream:
        end = await play(stream, example() + SILENCE * 3 * RATE)
        await stream.rest()
    heard = [0, *progress(stream)]
    assert heard == sorted(heard)
    assert max(np.diff(heard)) <= RATE // 2
    assert end - heard[-1] <= RATE // 2


@check(STT, 12)
async def a_file_is_heard_as_a_call_is(stt: Target) -> None:
    sound = example()
    async with stt.opened() as file:
        await settle(file, await play(file, sound))
    async with stt.opened() as call:
        began = time.monotonic()
        for offset in range(0, len(sound), CHUNK):
            await asyncio.sleep(max(0.0, began + offset / RATE - time.monotonic()))
            await play(call, sound[offset : offset + CHUNK], offset)
        await settle(call, len(sound))
    as_call, as_file = (evidence(stream, has_words=bool(stt.word)) for stream in (call, file))
    assert as_call == as_file, f"as a call: {as_call}; as a file: {as_file}"


@check(STT, 10, cases=FORMATS)
async def every_format_is_heard_alike(stt: Target, audio_format: AudioFormat) -> None:
    encoding, rate = audio_format.encoding, audio_format.sample_rate_hertz
    wire = audio_pb2.AudioFormat(encoding=getattr(audio_pb2, f"AUDIO_ENCODING_{encoding.name}"), sample_rate_hertz=rate)
    resampler = Resampler(RATE, rate)
    samples = np.concatenate((resampler.push(example_samples()), resampler.finish()))
    content = encode(AudioFormat(encoding, rate), samples)
    chunk_samples = rate // 50
    chunk_bytes = chunk_samples * len(content) // len(samples)
    async with stt.opened(audio_format=wire) as stream:
        for number in range(-(-len(samples) // chunk_samples)):
            piece = content[number * chunk_bytes : (number + 1) * chunk_bytes]
            await stream.send(audio={"start_sample": number * chunk_samples, "content": piece})
        await settle(stream, len(samples))
    [text] = transcripts(stream, Transcript.STAGE_SETTLED)
    assert stt.word in text.text
    seconds = [edge.sample / rate for edge in activities(stream)]
    assert seconds == [approx(SPEECH_START / RATE, abs=0.25), approx(SPEECH_END / RATE, abs=0.25)]


@check(STT, 10, 33)
async def a_stream_may_begin_in_mid_call(stt: Target) -> None:
    start = 3600 * RATE
    async with stt.opened(start_sample=start) as stream:
        await settle(stream, await play(stream, example(), start))
    assert activities(stream)[0].sample == approx(start + SPEECH_START, abs=EDGE_TOLERANCE)
    assert min(progress(stream)) > start


@check(STT, 11)
async def a_short_gap_is_concealed(stt: Target) -> None:
    sound, hole = example(), slice(12_000, 12_480)
    async with stt.opened() as stream:
        await play(stream, sound[: hole.start])
        await play(stream, sound[hole.stop :], hole.stop)
        await settle(stream, len(sound))
    assert [edge.kind for edge in activities(stream)] == [BEGIN, END], "60 ms lost are no pause"


@check(STT, 11)
async def a_jump_of_years_is_a_reset_that_costs_nothing(stt: Target) -> None:
    later = 50 * 365 * 24 * 3600 * RATE
    async with stt.opened() as stream:
        await settle(stream, await play(stream, example()))
        before_kb = stt.resident_kb()
        end = await play(stream, example(), later)
        settled = await settle(stream, end)
        assert stt.resident_kb() - before_kb < 64_000
    assert settled.outcome == UtteranceSettled.OUTCOME_OK
    assert activities(stream)[-1].sample == approx(later + SPEECH_END, abs=EDGE_TOLERANCE)


@check(STT, 11)
async def overlapping_audio_ends_the_stream(stt: Target) -> None:
    async with stt.opened() as stream:
        await play(stream, SILENCE * 1600)
        await play(stream, SILENCE * 160, 1599)
        failure = await stream.failure()
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "AUDIO_OVERLAP")
    assert failure.field == "audio.start_sample"


@check(STT, 10)
async def half_a_sample_ends_the_stream(stt: Target) -> None:
    async with stt.opened(audio_format=LINEAR16_16K) as stream:
        await stream.send(audio={"start_sample": 0, "content": b"\x00" * 641})
        failure = await stream.failure()
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "TORN_AUDIO")
    assert failure.field == "audio.content"


@check(
    STT,
    10,
    cases={
        "utterance_end": {"utterance_end": {"end_sample": 1 << 61}},
        "update": {"update": {"effective_sample": 1 << 61}},
    },
)
async def a_place_far_ahead_of_the_sound_is_refused(stt: Target, request_fields: dict[str, object]) -> None:
    async with stt.opened() as stream:
        await play(stream, SILENCE * 4000)
        await stream.send(**request_fields)
        failure = await stream.failure()
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_SAMPLE")


@check(STT, 2)
async def an_unknown_language_is_refused_by_an_engine_that_names_its_own(stt: Target) -> None:
    async with stt.connected() as channel:
        described = await stt.start(channel).open()
        stream = stt.start(channel)
        await stream.send(stt.stage.config(language_codes=["tlh-KL"]))
        if not described.language_codes:
            assert await stream.receive() is not None
            return
        failure = await stream.failure()
    assert (failure.reason, failure.field) == ("UNKNOWN_LANGUAGE", "config.language_codes")


@check(STT, 12, needs=("media_idle",))
async def time_without_packets_counts_as_silence_after_100_ms(stt: Target) -> None:
    async with stt.opened() as stream:
        end = await play(stream, example()[:SPEECH_END])
        await stream.send(media_idle={"from_sample": end, "to_sample": end + 400})
        await stream.quiet(0.5)
        assert [edge.kind for edge in activities(stream)] == [BEGIN], "50 ms mean nothing"
        await stream.send(media_idle={"from_sample": end + 400, "to_sample": end + 8000})
        await stream.until(lambda one: kind_of(one) == "speech_activity" and one.speech_activity.kind == END)


@check(STT, 12, needs=("media_idle",), cases={"hold": MediaIdle.REASON_HOLD, "dtmf": MediaIdle.REASON_DTMF})
async def time_on_hold_is_no_silence(stt: Target, reason: "MediaIdle.Reason.ValueType") -> None:
    minute = 60 * RATE
    async with stt.opened() as stream:
        end = await play(stream, example()[:SPEECH_END])
        await stream.send(media_idle={"from_sample": end, "to_sample": end + minute, "reason": reason})
        await stream.quiet(1.0)
        assert [edge.kind for edge in activities(stream)] == [BEGIN]
        assert "turn_prediction" not in kinds(stream.heard)
        await play(stream, SILENCE * RATE, end + minute)
        await stream.until(lambda one: kind_of(one) == "speech_activity" and one.speech_activity.kind == END)


@check(STT, 11, needs=("media_idle",))
async def lost_packets_are_concealed(stt: Target) -> None:
    sound = example()
    async with stt.opened() as stream:
        await play(stream, sound[:12_000])
        idle = {"from_sample": 12_000, "to_sample": 12_480, "reason": MediaIdle.REASON_LOSS}
        await stream.send(media_idle=idle)
        await play(stream, sound[12_480:], 12_480)
        await settle(stream, len(sound))
    assert [edge.kind for edge in activities(stream)] == [BEGIN, END]


@check(STT, 23, needs=("utterance_discard",))
async def discarded_sound_was_never_said(stt: Target) -> None:
    async with stt.opened() as stream:
        end = await play(stream, example())
        await stream.send(utterance_discard={"from_sample": 0, "to_sample": end})
        end = await play(stream, SILENCE * 4000, end)
        settled = await settle(stream, end)
    assert settled.outcome == UtteranceSettled.OUTCOME_OK
    assert "".join(text.text for text in transcripts(stream, Transcript.STAGE_SETTLED)) == ""


@check(STT, 23, needs=("update",))
async def the_stt_stage_can_be_changed_in_mid_call(stt: Target) -> None:
    async with stt.opened() as stream:
        languages = stt.stage.config_fields["language_codes"]
        update = {"language_codes": languages, "phrases": ["implant"], "agent_is_speaking": True}
        await stream.send(update=update)
        await stream.send(update={"expected_input": {"kind": "KIND_DIGITS", "length": 10}, "effective_sample": 8000})
        settled = await settle(stream, await play(stream, example()))
    assert settled.outcome == UtteranceSettled.OUTCOME_OK


@check(STT, 2)
async def two_streams_of_one_call_id_do_not_mix(stt: Target) -> None:
    async with stt.opened() as one, stt.opened() as other:
        sound = example()
        for offset in range(0, len(sound), 1600):
            await play(one, sound[offset : offset + 1600], offset)
            await play(other, SILENCE * len(sound[offset : offset + 1600]), offset)
        await settle(one, len(sound))
        await settle(other, len(sound))
    assert stt.word in transcripts(one, Transcript.STAGE_SETTLED)[-1].text
    assert activities(other) == []
    assert "".join(text.text for text in transcripts(other)) == ""


@check(STT, 34)
async def a_client_that_does_not_read_is_held_and_loses_nothing(stt: Target) -> None:
    sound = SILENCE * 60 * RATE
    async with stt.opened() as deaf:
        before_kb = stt.resident_kb()
        sending = asyncio.create_task(play(deaf, sound, chunk=800))
        await asyncio.sleep(1.0)
        async with stt.opened() as other:
            await settle(other, await play(other, example()))
        assert stt.resident_kb() - before_kb < 64_000
        deaf_rest = asyncio.create_task(deaf.until(lambda one: kind_of(one) == "utterance_settled"))
        await deaf.send(utterance_end={"end_sample": await sending})
        await deaf_rest
    heard = [0, *progress(deaf)]
    assert max(np.diff(heard)) <= RATE // 2
    assert heard[-1] > len(sound) - RATE
