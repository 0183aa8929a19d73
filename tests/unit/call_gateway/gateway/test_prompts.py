"""Prompts: the gateway's words when every stage is down."""

import asyncio
import threading

import grpc
import pytest
from voice.tts.v1.tts_pb2 import SYNTHESIS_PURPOSE_AHEAD as AHEAD

from services.audio.pcm import TELEPHONE, AudioFormat, Encoding, decode
from services.call_gateway.profile import AgentProfile, AgentPrompt, FixedText
from services.call_gateway.prompts.book import PromptKind
from services.call_gateway.prompts.library import PromptLibrary
from services.call_gateway.prompts.recorded import recordings, rendered
from services.call_gateway.stages.rendering import NotRendered

LANGUAGES = ("en", "vi", "ru", "zh")


def test_every_prompt_is_recorded_in_every_language():
    assert {(recording.kind, recording.language_code) for recording in recordings()} == {
        (kind, language) for kind in PromptKind for language in LANGUAGES
    }


@pytest.mark.parametrize("recording", recordings(), ids=lambda each: f"{each.language_code}-{each.kind.value}")
def test_a_recording_is_audible_and_short(recording):
    samples = decode(TELEPHONE, recording.content)
    assert 0.9 < len(samples) / 8000 < 7.0
    assert abs(samples.astype(int)).max() > 3000


@pytest.mark.parametrize("rate", [16_000, 24_000, 48_000])
def test_a_recording_lasts_as_long_in_another_format(rate: int):
    recording = recordings()[0]
    audio_format = AudioFormat(Encoding.LINEAR16, rate)
    prompt = rendered(recording, audio_format)
    assert len(prompt.content) / 2 / rate == pytest.approx(len(recording.content) / 8000, abs=0.02)


async def test_one_prompt_that_cannot_be_spoken_stops_no_other_and_is_not_tried_again(monkeypatch):
    asked = []

    async def speak(_stub: object, text: str, _language: str, _profile: object) -> bytes:
        asked.append(text)
        if text == "***":
            raise NotRendered("NOTHING_SPOKEN", is_retryable=False)
        return b"\x10" * 800

    monkeypatch.setattr("services.call_gateway.prompts.library.render", speak)
    prompts = (AgentPrompt(PromptKind.APOLOGY, "en", "***"), AgentPrompt(PromptKind.GOODBYE, "en", "So long."))
    library = PromptLibrary(grpc.aio.insecure_channel("127.0.0.1:1"))
    linear = AudioFormat(Encoding.LINEAR16, 16_000)
    books = [library.book("agent", audio_format) for audio_format in (TELEPHONE, linear)]
    running = asyncio.create_task(library.run())
    async with asyncio.timeout(5):
        for _ in range(2):
            library.learn("agent", AgentProfile(agent_id="agent", prompts=prompts))
            while any(book.find(PromptKind.GOODBYE, "en").text != "So long." for book in books):
                await asyncio.sleep(0.01)
    running.cancel()
    assert asked == ["***", "So long."]
    assert len(books[1].find(PromptKind.GOODBYE, "en").content) == pytest.approx(3200, abs=20)


async def test_a_prompt_that_breaks_the_rendering_stops_neither_the_others_nor_the_process(monkeypatch):
    async def speak(_stub: object, text: str, _language: str, _profile: object) -> bytes:
        if text == "***":
            raise RuntimeError("a bug")
        return b"\x10" * 800

    monkeypatch.setattr("services.call_gateway.prompts.library.render", speak)
    prompts = (AgentPrompt(PromptKind.APOLOGY, "en", "***"), AgentPrompt(PromptKind.GOODBYE, "en", "So long."))
    library = PromptLibrary(grpc.aio.insecure_channel("127.0.0.1:1"))
    book = library.book("agent", TELEPHONE)
    running = asyncio.create_task(library.run())
    library.learn("agent", AgentProfile(agent_id="agent", prompts=prompts))
    try:
        async with asyncio.timeout(5):
            while not running.done() and book.find(PromptKind.GOODBYE, "en").text != "So long.":
                await asyncio.sleep(0.01)
        assert not running.done()
    finally:
        running.cancel()


async def test_no_prompt_is_resampled_on_the_event_loop(monkeypatch):
    library = PromptLibrary(grpc.aio.insecure_channel("127.0.0.1:1"))
    converted_in = []
    monkeypatch.setattr(
        "services.call_gateway.prompts.recorded.converted",
        lambda content, _format: converted_in.append(threading.current_thread()) or content,
    )
    for rate in (8_000, 16_000, 24_000, 48_000):
        assert library.book("agent", AudioFormat(Encoding.LINEAR16, rate)).find(PromptKind.APOLOGY, "vi") is not None
    assert threading.current_thread() not in converted_in


async def test_what_an_agent_says_in_every_call_is_synthesised_ahead_once_and_again_when_it_changes(monkeypatch):
    asked = []

    async def speak(_stub: object, text: str, language: str, _profile: object, *, purpose: int = 0) -> bytes:
        if text == "Good day." and ("refused" not in asked):
            asked.append("refused")
            raise NotRendered("NO_RESPONSE", is_retryable=True)
        asked.append((text, language, purpose))
        return b"\x10" * 800

    monkeypatch.setattr("services.call_gateway.prompts.library.render", speak)
    monkeypatch.setattr("services.call_gateway.prompts.library.RETRY_S", 0.01)
    library = PromptLibrary(grpc.aio.insecure_channel("127.0.0.1:1"))
    running = asyncio.create_task(library.run())
    async with asyncio.timeout(5):
        for text, n_asked in (("Hello.", 1), ("Hello.", 1), ("Good day.", 3)):
            library.learn("agent", AgentProfile(agent_id="agent", fixed_texts=(FixedText("en", text),)))
            while len(asked) < n_asked:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
    running.cancel()
    assert asked == [("Hello.", "en", AHEAD), "refused", ("Good day.", "en", AHEAD)]
