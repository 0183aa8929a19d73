"""Checks of recognition, for an STT service; those of the sound and its clock stand in `stt_sound`."""

import asyncio
import time
from typing import Any

import numpy as np
from voice.stt.v1.stt_pb2 import LineEvent, Transcript, UtteranceSettled

from clients.conformance.hearing import (
    BEGIN,
    CHUNK,
    EDGE_TOLERANCE,
    END,
    RATE,
    SILENCE,
    SPEECH_END,
    SPEECH_START,
    activities,
    evidence,
    example,
    play,
    pressed,
    progress,
    settle,
    transcripts,
)
from clients.conformance.kit import Target, approx, check
from clients.conformance.stages import STT
from clients.conformance.streams import Stream, kind_of, kinds


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
        await stream.rest()
    order = [kind_of(one) for one in stream.heard if kind_of(one) in ("transcript", "utterance_settled")]
    late = [one.stage for one in transcripts(stream) if one.stage == Transcript.STAGE_CORRECTED]
    assert order.index("utterance_settled") == len(order) - 1 - len(late)
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


@check(STT, 20, needs=("keyword",))
async def a_phrase_of_the_config_is_told_once_for_each_utterance_behind_its_text(stt: Target) -> None:
    never_said = "rhododendron"
    async with stt.opened(phrases=[stt.word or never_said, never_said]) as stream:
        end = await play(stream, example())
        await settle(stream, end)
        await settle(stream, await play(stream, example(), end))
        await stream.rest()
    text_of: dict[int, str] = {}
    told: list[int] = []
    for one in stream.heard:
        if kind_of(one) == "transcript":
            text_of[one.transcript.utterance_id] = one.transcript.text.lower()
        elif kind_of(one) == "keyword":
            assert one.keyword.phrase == stt.word
            assert stt.word.lower() in text_of.get(one.keyword.utterance_id, "")
            assert 0 < one.keyword.end_sample <= 2 * len(example())
            told.append(one.keyword.utterance_id)
    assert len(told) == len(set(told))
    assert set(told) >= {one for one, text in text_of.items() if stt.word and stt.word.lower() in text}


@check(STT, 20, needs=("drafts",))
async def a_draft_comes_at_a_pause_and_holds_the_whole_utterance(stt: Target) -> None:
    async with stt.opened() as stream:
        first = await draft_of(stream, 0)
        second = await draft_of(stream, len(example()))
    assert first.start_sample == approx(SPEECH_START, abs=EDGE_TOLERANCE)
    assert first.end_sample == approx(SPEECH_END, abs=EDGE_TOLERANCE)
    assert second.start_sample == approx(first.start_sample, abs=EDGE_TOLERANCE), "the client ended no utterance"
    assert second.end_sample == approx(len(example()) + SPEECH_END, abs=EDGE_TOLERANCE)
    assert second.text.count(stt.word) >= first.text.count(stt.word)


async def draft_of(stream: Stream, start_sample: int) -> Any:
    """Play the example from there on; returns the draft that comes at its end."""
    await play(stream, example(), start_sample)
    response = await stream.until(
        lambda one: (
            kind_of(one) == "transcript"
            and one.transcript.stage == Transcript.STAGE_DRAFT
            and one.transcript.end_sample >= start_sample + SPEECH_END - EDGE_TOLERANCE
        )
    )
    return response.transcript


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
