"""Synthesis of one turn: text in, marked and paced chunks out."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from services.audio.pcm import AudioFormat
from services.language.reading.normalizer import Normalizer
from services.language.reading.spoken import Rewrite, Spoken
from services.tts.chain import TurnVoice
from services.tts.engine import EngineDescription, Line
from services.tts.levels import VoiceLevels
from services.tts.line_length import lines_of
from services.tts.ready import Mark
from services.tts.router import Router
from services.tts.say_as import read_as
from services.tts.sentences import Clause
from services.tts.speech_cache import CallCache
from services.tts.track import Chunk, ChunkLengths, Track
from services.tts.turn import Turn

WAITS_S = 60.0
"""Limit on the time for which calls go before sound that is made ahead."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """The silence between two clauses by how the first one ends, in milliseconds at rate 1.0."""

    sentence_ms: int
    phrase_ms: int
    joint_ms: int

    def after(self, clause: Clause) -> int:
        """The pause behind a clause."""
        ending = clause.text.rstrip().rstrip("\"'”’»)]」』）")[-1:]
        pause_ms = self.joint_ms
        if ending and ending in ".!?…。！？":
            pause_ms = self.sentence_ms
        elif ending and ending in ",;:—–，；：、":
            pause_ms = self.phrase_ms
        return round(pause_ms / clause.parameters.rate)


class Pacer:
    """Pacer: holds a turn's audio to at most `max_lead_ms` ahead of real time. Sans-IO.

    The listener is taken to begin with the first chunk and never to wait: where the voice falls behind, the clock goes
    on from the next chunk.
    """

    def __init__(self, max_lead_ms: int) -> None:
        """`max_lead_ms`: 0 for no limit."""
        self._max_lead_s = max_lead_ms / 1000
        self._played_out_at: float | None = None  # when a listener has heard all that was sent

    def wait_s(self, chunk_s: float, *, now: float) -> float:
        """Return for how many seconds the next chunk of `chunk_s` seconds must wait. `now`: seconds, monotonic."""
        if not self._max_lead_s or self._played_out_at is None:
            return 0.0
        return max(0.0, self._played_out_at + chunk_s - now - self._max_lead_s)

    def sent(self, chunk_s: float, *, now: float) -> None:
        """A chunk of `chunk_s` seconds has gone out."""
        self._played_out_at = max(now, self._played_out_at or now) + chunk_s

    def due_s(self, *, asked_s: float) -> float:
        """Return when the listener needs the sound that was asked for at `asked_s`: once all that was sent has been
        heard.
        """
        return max(asked_s, self._played_out_at or asked_s)


class TurnSpeaker:
    """Speaks the turns of one call."""

    def __init__(
        self,
        router: Router,
        normalizer: Normalizer,
        audio_format: AudioFormat,
        *,
        lengths: ChunkLengths,
        pauses: Pauses,
        max_lead_ms: int,
        first_audio_limit_s: float = 1.5,
        levels: VoiceLevels | None = None,
        cache: CallCache | None = None,
        is_awaited: bool = True,
        call: str = "",
    ) -> None:
        """`levels`: what all calls have learnt of the voices. `cache`: the speech that is kept for the call.
        `is_awaited`: the caller listens; turns of calls that listen go before others. `call`: unique.
        """
        self._router = router
        self._normalizer = normalizer
        self._format = audio_format
        self._lengths = lengths
        self._pauses = pauses
        self._max_lead_ms = max_lead_ms
        self._first_audio_limit_s = first_audio_limit_s
        self._levels = levels or VoiceLevels()
        self._cache = cache
        self._is_awaited, self._call = is_awaited, call

    async def speak(self, turn: Turn) -> AsyncGenerator[Mark | Chunk, None]:
        """Yield the chunks of a turn, no earlier than the lead allows. Closing the iterator stops the engine.

        The stopwatch of the turn's text gets what the engine waited and worked. Raises NothingToSpeak, EngineFailed.
        """
        track = Track(self._format, self._lengths)
        choice = TurnVoice(
            self._router,
            first_audio_limit_s=self._first_audio_limit_s if self._is_awaited else None,
            cache=self._cache,
        )
        pacer = Pacer(self._max_lead_ms)
        after_ms = 0
        async for whole in turn.text.clauses():
            with turn.text.stopwatch.computing():
                lines = lines_of(whole, self._read)
            for clause, spoken in lines:
                pause_ms = after_ms if clause.pause_ms is None else clause.pause_ms
                async with aclosing(
                    self._speak_clause(clause, spoken, turn, track, pacer, pause_ms=pause_ms, choice=choice)
                ) as outputs:
                    async for output in outputs:
                        await self._keep_pace(pacer, output)
                        yield output
                after_ms = self._pauses.after(clause)
        for output in track.finish(turn.text.end_offset):
            await self._keep_pace(pacer, output)
            yield output
        turn.engine = choice.used

    async def _speak_clause(
        self,
        clause: Clause,
        spoken: Spoken,
        turn: Turn,
        track: Track,
        pacer: Pacer,
        *,
        pause_ms: int,
        choice: TurnVoice,
    ) -> AsyncGenerator[Mark | Chunk, None]:
        parameters, stopwatch = clause.parameters, turn.text.stopwatch
        line = Line(
            spoken.text,
            parameters.language_code,
            parameters.voice,
            parameters.rate,
            turn.turn_id,
            is_first=not track.n_samples,
            due_s=partial(pacer.due_s, asked_s=time.monotonic())
            if self._is_awaited
            else lambda: time.monotonic() + WAITS_S,
            call=self._call,
            pitch=parameters.pitch,
            stretches=spoken.stretches,
        )

        spoken_by: list[tuple[EngineDescription, str]] = []

        def begin(description: EngineDescription, voice: str) -> None:
            spoken_by[:] = [(description, voice)]
            track.begin_clause(
                clause,
                spoken,
                sample_rate_hertz=description.sample_rate_hertz,
                measures_words=description.measures_words,
                pause_ms=pause_ms,
                expected_dbov=self._levels.expected(description, voice, parameters.language_code),
            )

        kept: object = None
        wire = (self._format.sample_rate_hertz, clause.text)
        async with aclosing(choice.synthesize(line, begin, parameters.caching, wire)) as speech:
            async for piece in speech:
                kept = kept or piece.kept
                stopwatch.add_queue(piece.queue_us * 1000)
                stopwatch.add_compute(piece.compute_us * 1000)
                for output in track.push(piece):
                    yield output
        for output in track.end_clause():
            yield output
        if kept is not None and self._cache is not None:
            self._cache.keep_ready(kept, track.ready())
            self._cache.keep_reading(self._reading_key(clause), spoken)
        for description, voice in spoken_by:
            self._levels.learn(description, voice, parameters.language_code, track.measured())

    def _read(self, clause: Clause) -> Spoken:
        """Return the reading of a clause."""
        parameters = clause.parameters
        if self._cache is not None and (spoken := self._cache.reading(self._reading_key(clause))) is not None:
            return spoken
        if parameters.ipa:
            return with_sounds(clause.text, parameters.ipa)
        language_code, say_as = parameters.language_code, parameters.say_as
        found = read_as(clause.text, language_code, say_as, self._normalizer) if say_as else None
        return found or self._normalizer.speak(clause.text, language_code)

    def _reading_key(self, clause: Clause) -> object:
        parameters = clause.parameters
        return self._normalizer.lexicon, clause.text, parameters.language_code, parameters.say_as, parameters.ipa

    async def _keep_pace(self, pacer: Pacer, output: Mark | Chunk) -> None:
        if isinstance(output, Mark):
            return
        chunk_s = output.n_samples / self._format.sample_rate_hertz
        wait_s = pacer.wait_s(chunk_s, now=time.monotonic())
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        pacer.sent(chunk_s, now=time.monotonic())


def with_sounds(text: str, ipa: str) -> Spoken:
    """A text whose words sound as `ipa`; marks around them stay."""
    places = [at for at, character in enumerate(text) if character.isalnum()]
    if not places:
        return Spoken(text, ())
    start, end = places[0], places[-1] + 1
    return Spoken(text, [Rewrite(start, end, text[start:end], ipa=ipa)])
