"""One session between a fake line and fake stages: the real session, real streams, real time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np

from services.audio.pcm import TELEPHONE, AudioFormat, encode
from services.call_gateway.conversation.commands import News, StageTroubled, TurnFinished
from services.call_gateway.conversation.record import TurnRecord
from services.call_gateway.conversation.settings import ConversationSettings
from services.call_gateway.edges.edge import IncomingCall
from services.call_gateway.line import EndCause, LegEnded
from services.call_gateway.profile import AgentProfile
from services.call_gateway.prompts.book import PromptBook, PromptKind, RenderedPrompt
from services.call_gateway.session import Session
from services.call_gateway.stages.stream import StreamLimits
from services.runtime.errors import ServiceError
from tests.fakes.line import FakeLeg
from tests.fakes.stage_servers import FakeStages, FakeStream, completed, fake_stages

QUIET_STEP = 8  # between two neighbours of the codes of mu-law around silence
"""The sounds of these calls are so quiet that no fade changes them where they begin and break off
(`services.audio.fades.QUIET`): every byte that is heard says what it belongs to."""
PROMPT_BYTE = encode(TELEPHONE, np.array([-QUIET_STEP], dtype=np.int16))[0]
PROMPT_SAMPLES = 1600
LIMIT_S = 5.0


def voice_of(turn_id: int, n_samples: int = 800) -> bytes:
    """Sound that tells which turn it belongs to, of 1 to 9, in mu-law."""
    levels = (0, 1, 2, 3, 4, 5, 6, 7, 8, -2)  # in steps
    return encode(TELEPHONE, np.full(n_samples, QUIET_STEP * levels[turn_id], dtype=np.int16))


def loud_hum(n_samples: int = 8000) -> bytes:
    """A voice that is cut wherever it breaks off, in mu-law: 190 Hz at -12 dBov."""
    wave = 8000 * np.sin(2 * np.pi * 190 * np.arange(n_samples) / TELEPHONE.sample_rate_hertz)
    return encode(TELEPHONE, np.rint(wave).astype(np.int16))


@dataclass(slots=True)
class FakeCall:
    """A call that is up, from every side."""

    stages: FakeStages
    leg: FakeLeg
    session: Session
    news: list[News] = field(default_factory=list)
    refusal: ServiceError | None = None
    handed_over: list[bytes] = field(default_factory=list)  # the NLU state at each transfer that began

    async def run(self) -> None:
        """The session, to its end."""
        try:
            await self.session.run()
        except ServiceError as refusal:
            self.refusal = refusal

    @property
    def turns(self) -> list[TurnRecord]:
        return [news.record for news in self.news if isinstance(news, TurnFinished)]

    @property
    def troubles(self) -> list[StageTroubled]:
        return [news for news in self.news if isinstance(news, StageTroubled)]

    async def until(self, is_so: object, limit_s: float = LIMIT_S) -> None:
        """Wait until a condition, a callable without arguments, holds."""
        assert callable(is_so)
        async with asyncio.timeout(limit_s):
            while not is_so():
                await asyncio.sleep(0.01)

    async def frames(self, number: int) -> None:
        """Let so many frames pass on the line."""
        until = len(self.leg.frames) + number
        await self.until(lambda: len(self.leg.frames) >= until, LIMIT_S + number / 50)

    async def reply(self, nlu: FakeStream, tts: FakeStream, turn_id: int, text: str) -> None:
        """The agent answers a turn in one clause, and the voice speaks it."""
        nlu.send(reply_text={"turn_id": turn_id, "text": text, "language_code": "en"})
        nlu.send(turn_end=completed(turn_id))
        await tts.expect("text", lambda asked: asked.turn_id == turn_id)
        await self.speak(tts, turn_id, text)

    async def speak(self, tts: FakeStream, turn_id: int, text: str, n_samples: int = 800) -> None:
        """The voice speaks a turn to its end."""
        tts.send(spoken_text={"turn_id": turn_id, "text_end_offset": len(text), "end_sample": n_samples})
        tts.send(audio={"turn_id": turn_id, "chunk": {"start_sample": 0, "content": voice_of(turn_id, n_samples)}})
        tts.send(turn_end=completed(turn_id))

    async def greet(self) -> tuple[FakeStream, FakeStream, FakeStream]:
        """The greeting is asked, made, heard and over. Returns the streams of STT, NLU and TTS stage."""
        stt, nlu, tts = await self.stages.stt.stream(), await self.stages.nlu.stream(), await self.stages.tts.stream()
        opened = await nlu.expect("user_turn")
        assert opened.HasField("open")
        await self.reply(nlu, tts, opened.turn_id, "Hello.")
        await self.until(lambda: self.turns)
        return stt, nlu, tts

    async def caller_says(self, stt: FakeStream, text: str, utterance_id: int = 1) -> None:
        """Half a second of speech, a draft at its pause, and the settled text when the turn is taken."""
        begin = self.leg.sample
        stt.send(speech_activity={"kind": "KIND_BEGIN", "sample": begin, "score": 0.9})
        await self.frames(25)
        end = self.leg.sample
        stt.send(speech_activity={"kind": "KIND_END", "sample": end, "score": 0.9})
        heard = {"utterance_id": utterance_id, "text": text, "start_sample": begin, "end_sample": end}
        stt.send(transcript={**heard, "stage": "STAGE_DRAFT", "confidence": 0.9})
        prediction = {"utterance_id": utterance_id, "end_sample": end, "wait_ms": 256, "reason": "COMPLETE"}
        stt.send(turn_prediction={**prediction, "probability": 0.9})
        taken = await stt.expect("utterance_end", lambda asked: asked.end_sample >= begin)
        stt.send(transcript={**heard, "stage": "STAGE_SETTLED", "confidence": 0.9})
        settled = {"utterance_id": utterance_id, "end_sample": taken.end_sample, "outcome": "OUTCOME_OK"}
        stt.send(utterance_settled=settled)


def prompt_book(audio_format: AudioFormat) -> PromptBook:
    """A fifth of a second for every prompt."""
    book = PromptBook()
    for kind in PromptKind:
        content = bytes([PROMPT_BYTE]) * PROMPT_SAMPLES * audio_format.bytes_per_sample
        book.add(kind, "en", RenderedPrompt(f"prompt {kind.value}", content))
    return book


@asynccontextmanager
async def fake_call(
    *,
    audio_format: AudioFormat = TELEPHONE,
    settings: ConversationSettings | None = None,
    limits: StreamLimits | None = None,
    stages: FakeStages | None = None,
    has_fallback: bool = False,
) -> AsyncIterator[FakeCall]:
    """A call that is up; hung up by the caller at the end when it still is."""
    if stages is None:
        async with (
            fake_stages() as own_stages,
            fake_call(
                audio_format=audio_format,
                settings=settings,
                limits=limits,
                stages=own_stages,
                has_fallback=has_fallback,
            ) as call,
        ):
            yield call
        return
    leg = FakeLeg(IncomingCall("call-1", "fake", language_codes=("en-US",), audio_format=audio_format))
    leg.has_fallback = has_fallback
    news: list[News] = []
    handed_over: list[bytes] = []
    session = Session(
        leg,
        leg.call,
        channels=stages.channels,
        settings=settings or ConversationSettings(),
        limits=limits or StreamLimits(),
        profile=AgentProfile(),
        prompts=prompt_book(audio_format),
        on_answered=lambda: None,
        on_profile=lambda _profile: None,
        on_news=news.append,
        on_transfer=lambda: handed_over.append(session.nlu_state),
    )
    async with asyncio.TaskGroup() as tasks:
        call = FakeCall(stages, leg, session, news)
        call.handed_over = handed_over
        running = tasks.create_task(call.run())
        line = tasks.create_task(leg.run())
        try:
            yield call
        finally:
            if leg.hung_up is None and leg.listener is not None:
                leg.hung_up = EndCause.CALLER
                leg.tell(LegEnded(EndCause.CALLER))
            await asyncio.wait([running], timeout=LIMIT_S)
            line.cancel()
            running.cancel()


def heard(call: FakeCall) -> bytes:
    """The sound that the caller heard, one letter a stretch: the turn's digit, or P for the gateway's own words."""
    names = {voice_of(turn_id, 1)[0]: str(turn_id).encode() for turn_id in range(1, 10)} | {PROMPT_BYTE: b"P"}
    story = b""
    for byte in call.leg.heard():
        name = names.get(byte, b"")
        story += name if name != story[-1:] else b""
    return story
