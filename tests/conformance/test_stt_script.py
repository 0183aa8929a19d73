"""Rules of hearing that only a scripted engine can be made to show: failures, and a better text that comes late."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from voice.stt.v1.stt_pb2 import Transcript, UtteranceSettled

from clients.conformance.hearing import RATE, SILENCE, SPEECH_END, example, play, settle, transcripts
from clients.conformance.stages import STT
from clients.conformance.streams import kind_of, opened
from tests.conformance.servers import Server, running


@pytest.fixture
def stt(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """An STT server with a script of its own."""
    script = tmp_path / "script.txt"
    script.write_text(request.param, encoding="utf-8")
    with running(STT, "script", tmp_path, settings={"STT_SCRIPT_FILE": str(script)}) as server:
        yield server


@pytest.mark.parametrize("stt", ["@fail\nHello again."], indirect=True)
async def test_an_utterance_that_fails_leaves_the_stream(stt: Server) -> None:
    async with opened(STT, stt.target) as stream:
        end = await play(stream, example())
        failed = await settle(stream, end)
        assert failed.outcome == UtteranceSettled.OUTCOME_FAILED
        assert failed.reason.isupper()
        assert failed.message
        settled = await settle(stream, await play(stream, example(), end))
        assert settled.outcome == UtteranceSettled.OUTCOME_OK
        assert transcripts(stream, Transcript.STAGE_SETTLED)[-1].text == "Hello again."


@pytest.mark.parametrize("stt", ["@fail"], indirect=True)
async def test_a_failed_utterance_fails_the_stream_where_that_is_asked_for(stt: Server) -> None:
    async with opened(STT, stt.target, fail_stream_on_turn_failure=True) as stream:
        end = await play(stream, example())
        await stream.send(utterance_end={"end_sample": end})
        failure = await stream.failure()
    assert failure.code is grpc.StatusCode.INTERNAL
    assert failure.reason == "UTTERANCE_FAILED"


@pytest.mark.parametrize("stt", ["@silence"], indirect=True)
async def test_a_cough_settles_without_words(stt: Server) -> None:
    async with opened(STT, stt.target) as stream:
        settled = await settle(stream, await play(stream, example()))
    assert settled.outcome == UtteranceSettled.OUTCOME_OK
    assert "".join(text.text for text in transcripts(stream, Transcript.STAGE_SETTLED)) == ""


@pytest.mark.parametrize("stt", ["uh => uh-huh"], indirect=True)
async def test_a_better_text_comes_after_the_settled_one(stt: Server) -> None:
    async with opened(STT, stt.target) as stream:
        end = await play(stream, example()[: SPEECH_END + RATE // 2])
        await settle(stream, end)
        await play(stream, SILENCE * 2 * RATE, end)
        response = await stream.until(
            lambda one: kind_of(one) == "transcript" and one.transcript.stage == Transcript.STAGE_CORRECTED
        )
    [settled] = transcripts(stream, Transcript.STAGE_SETTLED)
    assert (settled.text, response.transcript.text) == ("uh", "uh-huh")
    assert response.transcript.utterance_id == settled.utterance_id
