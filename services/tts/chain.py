"""Failover within a chain of engines: which engine speaks a turn.

An engine that fails before it has sounded in the turn hands over to the next of its chain. Once one has sounded, it
speaks whatever of the turn is asked of the same engine, whatever happens: another voice within an answer would be
another person. A text that names a voice of another engine gets that voice. The next turn chooses again, so an engine
comes back at a turn's border.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from services.runtime.breaker import Permit
from services.runtime.errors import EngineFailed, StartupError
from services.runtime.loading import first_to_pass
from services.runtime.logs import get_logger
from services.tts.engine import EngineDescription, Line, Speech, TtsEngine
from services.tts.router import Router, Speaker
from services.tts.sentences import Caching
from services.tts.speech_cache import CallCache, Recording

log = get_logger(__name__)


class TurnVoice:
    """The engines of one turn: one for each chain that its text needs."""

    def __init__(
        self,
        router: Router,
        *,
        first_audio_limit_s: float | None,
        clock: Callable[[], float] = time.monotonic,
        cache: CallCache | None = None,
    ) -> None:
        """`first_audio_limit_s`: None: no limit. `cache`: the speech that is kept for the call."""
        self._router, self._first_audio_limit_s, self._clock = router, first_audio_limit_s, clock
        self._cache = cache
        self._sounded: list[Speaker] = []
        self._speaks_for: dict[TtsEngine, TtsEngine] = {}  # by the engine whose voice was asked for

    @property
    def used(self) -> str:
        """The engines of chains that have sounded, in order, joined by ">"; empty: none is one of a chain."""
        return ">".join(dict.fromkeys(speaker.provider.name for speaker in self._sounded if speaker.provider))

    async def synthesize(
        self,
        line: Line,
        begin: Callable[[EngineDescription, str], None],
        caching: Caching = Caching.FREQUENT,
        wire: object = None,
    ) -> AsyncGenerator[Speech, None]:
        """Say a line; `begin` is called with the engine's description and the voice before each attempt. `wire`: as for
        SpeechCache.find.

        Raises EngineFailed, UnknownLanguage, UnknownVoice.
        """
        waiting = self._candidates(line)
        asked_for = waiting[0].engine
        while True:
            speaker, permit = self._admit(waiting)
            line = replace(line, voice=speaker.voice)
            kept, recording = await self._look_up(speaker, permit, line, caching, wire)
            try:
                begin(speaker.engine.describe(), speaker.voice)
            except BaseException:  # of an engine that has just been lost: nothing was asked of it
                if speaker.provider is not None and not kept:
                    speaker.provider.released(permit)
                raise
            if kept:
                self._has_sounded(speaker, asked_for)
                for piece in kept:
                    yield piece
                return
            has_sound = False
            try:
                async with aclosing(self._attempt(speaker, permit, line, waiting)) as pieces:
                    async for piece in pieces:
                        if len(piece.samples) and not has_sound:
                            has_sound = True
                            self._has_sounded(speaker, asked_for)
                        if recording is not None:
                            recording.add(piece)
                        yield piece
                if recording is not None and self._cache is not None:
                    self._cache.keep(recording)
                return
            except (EngineFailed, TimeoutError) as error:
                failure = error if isinstance(error, EngineFailed) else EngineFailed(f"no sound: {error}")
                if has_sound or not waiting or speaker in self._sounded:
                    raise failure from error
                if speaker.provider is not None and waiting[0].provider is not None:
                    speaker.provider.handed_over(waiting[0].provider, failure.message)

    async def _attempt(
        self, speaker: Speaker, permit: Permit | None, line: Line, waiting: list[Speaker]
    ) -> AsyncGenerator[Speech, None]:
        provider, asked_s = speaker.provider, self._clock()
        has_sound = is_settled = False
        try:
            async with aclosing(speaker.engine.synthesize(line)) as speech:
                while True:
                    limit_s = None if has_sound or not waiting else self._first_audio_limit_s
                    async with asyncio.timeout(limit_s):
                        piece = await anext(speech, None)
                    if piece is None:
                        break
                    if len(piece.samples) and not has_sound:
                        has_sound = True
                        if provider is not None:
                            is_settled = True
                            provider.succeeded(permit, took_s=self._clock() - asked_s)
                    yield piece
        except (EngineFailed, TimeoutError) as error:
            if provider is not None and not is_settled:
                is_settled = True
                provider.failed(permit, error)
            elif provider is not None:
                provider.failed(provider.admit(), error)
            raise
        except Exception as error:  # a fault of ours or of a library: another engine may still speak the turn
            log.exception("engine_broke", engine=speaker.engine.describe().name)
            if provider is not None and not is_settled:
                is_settled = True
                provider.failed(permit, error)
            raise EngineFailed("the engine broke; the server's log says more") from error
        finally:
            if provider is not None and not is_settled:
                provider.released(permit)

    async def _look_up(
        self, speaker: Speaker, permit: Permit | None, line: Line, caching: Caching, wire: object
    ) -> tuple[list[Speech], Recording | None]:
        """Return the line's sound from the cache, if any: the engine is then not asked, so its health stays as it is
        known.
        """
        if self._cache is None:
            return [], None
        is_asked = False
        try:
            kept, recording = await self._cache.find(speaker.engine.describe(), line, caching, wire)
            is_asked = not kept
        finally:
            if not is_asked and speaker.provider is not None:
                speaker.provider.released(permit)
        return kept, recording

    def _has_sounded(self, speaker: Speaker, asked_for: TtsEngine) -> None:
        for engine in (asked_for, speaker.engine):
            self._speaks_for.setdefault(engine, speaker.engine)
        if speaker not in self._sounded:
            self._sounded.append(speaker)

    def _candidates(self, line: Line) -> list[Speaker]:
        for speaker in self._sounded:
            is_lost = speaker.provider is not None and bool(speaker.provider.lost)
            if is_lost and self._router.has_in_chain(speaker.engine, line.language_code):
                raise EngineFailed("the engine whose voice the turn has is lost")
        candidates = self._router.candidates(line.language_code, line.voice)
        engine = self._speaks_for.get(candidates[0].engine)
        return [candidate for candidate in candidates if candidate.engine is engine] or candidates

    def _admit(self, waiting: list[Speaker]) -> tuple[Speaker, Permit | None]:
        """Take the first engine that may be asked, and all before it, out of the waiting ones; else the first of them
        all.
        """
        for number, speaker in enumerate(waiting):
            if speaker.provider is None:
                del waiting[: number + 1]
                return speaker, None
            if (permit := speaker.provider.admit()) is not None:
                del waiting[: number + 1]
                return speaker, permit
        return waiting.pop(0), None


def _on_lost(router: Router, engine: TtsEngine, why: str) -> bool:
    """A thread of an engine has ended or hangs. Return whether every chain still has an engine that speaks."""
    if (provider := router.provider(engine)) is None:
        return False
    provider.lose(why)
    serving = router.engines
    return all(any(one in serving for one in chain) for chain in router.chains)


async def load_engines(router: Router) -> None:
    """Load every engine. One that does not load is lost until the process starts again, where another of each of its
    chains has loaded. Raises StartupError.
    """
    failures: dict[int, StartupError] = {}
    for engine in router.every_engine:
        if (reports := getattr(engine, "report_lost", None)) is not None:
            reports(partial(_on_lost, router, engine))
    for engine in router.every_engine:
        try:
            await engine.load()
        except StartupError as failure:
            failures[id(engine)] = failure
    for chain in router.chains:
        if all(id(engine) in failures for engine in chain):
            raise first_to_pass([failures[id(engine)] for engine in chain])
    for engine in router.every_engine:
        provider = router.provider(engine)
        if provider is None:
            continue
        if (fault := failures.get(id(engine))) is not None:
            log.error("provider_lost", provider=provider.name, why=str(fault))
            provider.lose(str(fault))
        else:
            provider.model = engine.describe().model
