"""Checks of the sound, its clock and its gaps, for an STT service."""

import grpc
import numpy as np
from voice.stt.v1.stt_pb2 import MediaIdle, Transcript, UtteranceSettled
from voice.type.v1 import audio_pb2

from clients.conformance.hearing import (
    BEGIN,
    EDGE_TOLERANCE,
    END,
    RATE,
    SILENCE,
    SPEECH_END,
    SPEECH_START,
    activities,
    example,
    example_samples,
    play,
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
