"""An engine for each language: which one hears a call, and how another takes over in mid-call.

The call's language is the first that the client named until an utterance shows another one (language_choice.py). The
engine of the old language has then heard the utterance for nothing; that of the new one hears it from the replay ring.
An engine that is lost is followed by the next one that understands the language, in the same way.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, runtime_checkable

from services.audio.pcm import Samples
from services.runtime.logs import get_logger
from services.stt_proxy.engine import (
    Corrected,
    Ear,
    Heard,
    Hints,
    Lost,
    Partial,
    Report,
    Speech,
    SttEngine,
    Unheard,
)
from services.stt_proxy.language_choice import choose_language, may_change
from services.stt_proxy.recording import Recording

ANY = "*"
DETECTION_LIMIT_S = 0.4  # a draft waits no longer to learn in which language it was spoken

log = get_logger(__name__)


@runtime_checkable
class LanguageDetector(Protocol):
    """An engine that can tell languages apart."""

    def detect(
        self, speech: Speech, languages: tuple[str, ...], deliver: Callable[[Mapping[str, float]], None]
    ) -> None:
        """How likely each of `languages` (first parts of tags) is; an empty mapping where it cannot tell. `deliver` is
        called on the event loop, once.
        """


def language_of(tag: str) -> str:
    """The first part of a tag: "vi" of "vi-VN"."""
    return tag.split("-", maxsplit=1)[0].lower()


def speech_s(speech: Speech) -> float:
    """How much speech there is, in seconds."""
    return sum(span.end_sample - span.start_sample for span in speech.spans) / speech.sample_rate_hertz


class RoutedEngine:
    """Several engines as one. `routes` maps a language, or `*` for every other one, to an engine."""

    def __init__(self, routes: Mapping[str, SttEngine]) -> None:
        self.routes = dict(routes)
        self._engines = list({id(engine): engine for engine in routes.values()}.values())
        self.name = "+".join(engine.name for engine in self._engines)
        self.model = "+".join(engine.model for engine in self._engines)
        self.language_codes: tuple[str, ...] = ()
        self.features = tuple(dict.fromkeys(feature for engine in self._engines for feature in engine.features))

    async def load(self) -> None:
        for engine in self._engines:
            await engine.load()
        any_engine = self.routes.get(ANY)
        if any_engine is not None and not any_engine.language_codes:
            return  # it takes every language
        others = any_engine.language_codes if any_engine is not None else ()
        self.language_codes = tuple(dict.fromkeys((*(one for one in self.routes if one != ANY), *others)))

    def engines_for(self, language: str) -> list[SttEngine]:
        """Those that understand it, the language's own first."""
        found = [self.routes[one] for one in (language, ANY) if one in self.routes]
        return [one for one in found if not one.language_codes or _speaks(one, language)] or found

    @property
    def detector(self) -> LanguageDetector | None:
        """The engine that tells languages apart, if there is one."""
        return next((one for one in self._engines if isinstance(one, LanguageDetector)), None)

    def listen(
        self,
        *,
        call_id: str,
        recording: Recording,
        sample_rate_hertz: int,
        hints: Hints,
        report: Callable[[Report], None],
    ) -> "RoutedEar":
        def open_ear(engine: SttEngine, hints: Hints, report: Callable[[Report], None]) -> Ear:
            return engine.listen(
                call_id=call_id,
                recording=recording,
                sample_rate_hertz=sample_rate_hertz,
                hints=hints,
                report=report,
            )

        return RoutedEar(self, open_ear, hints, report)

    async def close(self) -> None:
        for engine in self._engines:
            await engine.close()


@dataclass(slots=True)
class _Asked:
    speech: Speech
    is_final: bool
    waits_for_language: bool
    answer: Heard | Unheard | None = None
    limit: asyncio.TimerHandle | None = None


class RoutedEar:
    """One call. Exactly one engine's ear hears it at a time."""

    def __init__(
        self,
        routed: RoutedEngine,
        open_ear: Callable[[SttEngine, Hints, Callable[[Report], None]], Ear],
        hints: Hints,
        report: Callable[[Report], None],
    ) -> None:
        self._routed = routed
        self._open_ear = open_ear
        self._hints = hints
        self._report = report
        self._ears: dict[int, Ear] = {}  # by the engine's id
        self._lost: dict[int, Lost] = {}
        self._language = language_of(hints.language_codes[0]) if hints.language_codes else ""
        self._judged_utterance = 0  # whose language is known
        self._detecting_utterance = 0
        self._asked: dict[int, _Asked] = {}
        self._edge: tuple[int, int] | None = None  # the utterance and the onset of the speech that is open in it
        self._is_speaking = False
        self._utterance_id = 1
        self._is_closed = False
        self._engine = self._routed.engines_for(self._language)[0]
        self._ear = self._ear_of(self._engine)

    @property
    def is_busy(self) -> bool:
        return bool(self._asked) or self._ear.is_busy

    @property
    def listened_to(self) -> int | None:
        return self._ear.listened_to

    @property
    def wanted_from(self) -> int | None:
        wanted = [one for ear in self._ears.values() if (one := ear.wanted_from) is not None]
        return min(wanted, default=None)

    def hear(self, start_sample: int, samples: Samples) -> None:
        for ear in self._ears.values():
            ear.hear(start_sample, samples)

    def rest(self, to_sample: int) -> None:
        for ear in self._ears.values():
            ear.rest(to_sample)

    def reach(self, sample: int) -> None:
        for ear in self._ears.values():
            ear.reach(sample)

    def speech(self, utterance_id: int, sample: int, *, is_begin: bool) -> None:
        self._utterance_id, self._is_speaking = utterance_id, is_begin
        if is_begin and (self._edge is None or self._edge[0] != utterance_id):
            self._edge = (utterance_id, sample)
        self._ear.speech(utterance_id, sample, is_begin=is_begin)

    def end(self, utterance_id: int, end_sample: int) -> None:
        for ear in self._ears.values():
            ear.end(utterance_id, end_sample)
        self._utterance_id = utterance_id + 1
        self._edge = (utterance_id + 1, end_sample) if self._is_speaking else None

    def recognize(self, speech: Speech, *, is_final: bool) -> None:
        waits = self._detect(speech)
        asked = self._asked[speech.request_id] = _Asked(speech, is_final, waits)
        if waits:
            loop = asyncio.get_running_loop()
            asked.limit = loop.call_later(DETECTION_LIMIT_S, self._go_on_without, speech.request_id)
        self._ear.recognize(speech, is_final=is_final)

    def prepare(self, speech: Speech) -> None:
        self._detect(speech)
        self._ear.prepare(speech)

    def cancel(self, request_id: int) -> None:
        self._drop(request_id)
        for ear in self._ears.values():
            ear.cancel(request_id)

    def forget(self, from_sample: int, to_sample: int) -> None:
        for ear in self._ears.values():
            ear.forget(from_sample, to_sample)

    def attend(self, hints: Hints) -> None:
        codes = {language_of(code) for code in hints.language_codes}
        self._hints = hints
        if codes and self._language not in codes:
            self._switch(language_of(hints.language_codes[0]))
        for ear in self._ears.values():
            ear.attend(self._own_hints)

    def finish(self) -> None:
        for ear in self._ears.values():
            ear.finish()

    def close(self) -> None:
        self._is_closed = True
        for request_id in list(self._asked):
            self._drop(request_id)
        for ear in self._ears.values():
            ear.close()

    # -- which language ------------------------------------------------------------------------------------------------

    @property
    def _languages(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(language_of(code) for code in self._hints.language_codes))

    @property
    def _own_hints(self) -> Hints:
        """The hints with only the language that is spoken, where it is known."""
        codes = tuple(code for code in self._hints.language_codes if language_of(code) == self._language)
        return replace(self._hints, language_codes=codes or ((self._language,) if self._language else ()))

    def _detect(self, speech: Speech) -> bool:
        """Have the language of the utterance found, if it may be another one. True: it is not known yet."""
        detector = self._routed.detector
        if detector is None or len(self._languages) < 2 or not may_change(speech_s(speech)):
            return False
        if self._judged_utterance >= speech.utterance_id:
            return False
        if self._detecting_utterance < speech.utterance_id:
            self._detecting_utterance = speech.utterance_id
            detector.detect(speech, self._languages, partial(self._detected, speech))
        return True

    def _detected(self, speech: Speech, probabilities: Mapping[str, float]) -> None:
        if self._is_closed:
            return
        self._judged_utterance = max(self._judged_utterance, speech.utterance_id)
        language = choose_language(self._language, probabilities, speech_s(speech))
        if language != self._language and speech.utterance_id == self._utterance_id:
            log.info(
                "language_changed", language=language, speech_s=speech_s(speech), confidence=probabilities[language]
            )
            self._switch(language)
        for request_id, asked in list(self._asked.items()):
            if asked.waits_for_language and asked.speech.utterance_id == speech.utterance_id:
                asked.waits_for_language = False
                self._release(request_id)

    def _go_on_without(self, request_id: int) -> None:
        if (asked := self._asked.get(request_id)) is not None:
            asked.waits_for_language = False
            self._release(request_id)

    # -- which engine --------------------------------------------------------------------------------------------------

    def _ear_of(self, engine: SttEngine) -> Ear:
        if id(engine) not in self._ears:
            self._ears[id(engine)] = self._open_ear(engine, self._own_hints, partial(self._take, engine))
        return self._ears[id(engine)]

    def _switch(self, language: str) -> None:
        self._language = language
        self._take_over(self._routed.engines_for(language))

    def _take_over(self, engines: list[SttEngine]) -> None:
        """The first of these that is not lost hears the call from the open utterance's beginning on."""
        engine = next((one for one in engines if id(one) not in self._lost), None)
        if engine is None:
            self._report(next(reversed(self._lost.values())))
            return
        is_same = engine is self._engine
        self._engine, self._ear = engine, self._ear_of(engine)
        self._ear.attend(self._own_hints)
        if not is_same and self._edge is not None:
            self._ear.speech(*self._edge, is_begin=True)
            if not self._is_speaking:
                self._ear.speech(self._edge[0], self._edge[1], is_begin=False)
        for asked in list(self._asked.values()):
            asked.answer = None
            for ear in self._ears.values():
                if ear is not self._ear:
                    ear.cancel(asked.speech.request_id)
            if is_same:
                self._ear.cancel(asked.speech.request_id)
            self._ear.recognize(asked.speech, is_final=asked.is_final)

    def _take(self, engine: SttEngine, report: Report) -> None:
        if self._is_closed:
            return
        match report:
            case Lost():
                self._lost[id(engine)] = report
                if engine is self._engine:
                    log.warning("engine_lost", engine=engine.name, reason=report.reason, error=report.message)
                    self._take_over(self._routed.engines_for(self._language))
            case Heard() | Unheard():
                asked = self._asked.get(report.request_id)
                if asked is None or engine is not self._engine:
                    return
                if isinstance(report, Unheard) and report.reason == "ENGINE_LOST":
                    return  # Lost follows, and the next engine is asked
                if isinstance(report, Heard):
                    report = replace(report, is_punctuated="punctuation" in engine.features)
                asked.answer = report
                self._release(report.request_id)
            case Partial() | Corrected() if engine is not self._engine:
                return
            case _:
                self._report(report)

    def _release(self, request_id: int) -> None:
        """Give the answer, if it is there and in the right language."""
        asked = self._asked[request_id]
        if asked.answer is None or asked.waits_for_language:
            return
        self._drop(request_id)
        self._report(asked.answer)

    def _drop(self, request_id: int) -> None:
        asked = self._asked.pop(request_id, None)
        if asked is not None and asked.limit is not None:
            asked.limit.cancel()


def _speaks(engine: SttEngine, language: str) -> bool:
    return language in {language_of(code) for code in engine.language_codes}
