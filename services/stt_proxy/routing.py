"""Engines by language, and those that stand in for one another: which one hears a call, and how another takes over.

The call's language is the first that the client named until an utterance shows another one (language_choice.py). Each
utterance begins with the first engine of its language's chain that does well. An engine that is lost is followed by the
next one at once, within the utterance: that one hears everything behind the last settled utterance again, from the
replay ring, so that no word is lost and none comes twice. So does the engine of another language.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol, runtime_checkable

from services.audio.pcm import Samples
from services.runtime.breaker import BreakerPolicy, ErrorClass, Permit
from services.runtime.engine_chains import ANY, Chains
from services.runtime.errors import StartupError
from services.runtime.logs import get_logger
from services.runtime.metrics import StageMetrics
from services.runtime.providers import Provider, ProviderBoard, ProviderFailed
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
from services.stt_proxy.errors import EngineLost
from services.stt_proxy.following.ear import LEAD_IN_MS
from services.stt_proxy.following.stream import StreamLimits
from services.stt_proxy.language_choice import choose_language, may_change
from services.stt_proxy.recording import Recording

DETECTION_LIMIT_S = 0.4  # a draft waits no longer to learn in which language it was spoken
LOAD_WAIT_S = 10.0  # for the others, once each chain has an engine that serves
LOADING_S = 3600.0  # DescribeEngine says that it rests so long, or until it has loaded
STAND_IN_TRIES = 1  # of an engine that another one stands in for
STAND_IN_WAIT_S = 0.3
MOST_EARS = 3  # of a call: the one that hears it, and some that may yet correct what they heard
REMEMBERED_UTTERANCES = 8
POLICY = BreakerPolicy(least_failures=1, failure_rate=0.1)
"""A lost engine has been tried more than once already."""
FAILURES = ("DECODING_FAILED", "ENGINE_FAILED")
"""Why a Speech is Unheard where the engine is at fault, and another may do better."""

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


@dataclass(slots=True, eq=False)
class Member:
    """An engine of the chains, and what is known of it as a provider."""

    engine: SttEngine
    provider: Provider
    is_loaded: bool = False
    failure: Exception | None = None  # why it did not load


def make_routed(chains: Chains, engines: Mapping[str, SttEngine]) -> "RoutedEngine":
    """`engines` by the names that the chains use, not yet loaded."""
    return RoutedEngine(chains, engines, ProviderBoard(StageMetrics("stt"), POLICY))


class RoutedEngine:
    """Several engines as one."""

    def __init__(self, chains: Chains, engines: Mapping[str, SttEngine], board: ProviderBoard) -> None:
        self._chains = {language_of(language): chain for language, chain in chains.items()}
        self.board = board
        self._members = {name: Member(engine, board.add(name, engine.model)) for name, engine in engines.items()}
        for name in dict.fromkeys(name for chain in self._chains.values() for name in chain[:-1]):
            _hurry(engines[name])
        self._loading: set[asyncio.Task[None]] = set()
        self.name = "+".join(dict.fromkeys(">".join(chain) for chain in self._chains.values()))
        self.model = "+".join(engine.model for engine in engines.values())
        self.language_codes: tuple[str, ...] = ()
        self.features = tuple(dict.fromkeys(feature for engine in engines.values() for feature in engine.features))

    async def load(self) -> None:
        """One engine that serves is enough for each chain: others may come later, or never."""
        for member in self._members.values():
            member.provider.breaker.trip(now=member.provider.clock(), seconds=LOADING_S, cause="it is loading")
        self._loading = {asyncio.create_task(self._load(member)) for member in self._members.values()}
        pending = self._loading
        while pending and not self._serves():
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        if not self._serves():
            failures = [member.failure for member in self._members.values() if member.failure is not None]
            raise next((one for one in failures if isinstance(one, StartupError)), failures[0])
        if pending:
            _, self._loading = await asyncio.wait(pending, timeout=LOAD_WAIT_S)
        self.language_codes = self._languages()

    def members_for(self, language: str) -> list[Member]:
        """Those that understand it, in the order they are tried: the language's own chain first."""
        names = dict.fromkeys((*self._chains.get(language, ()), *self._chains.get(ANY, ())))
        found = [self._members[name] for name in names]
        return [one for one in found if _speaks(one.engine, language)] or found

    @property
    def detector(self) -> LanguageDetector | None:
        """The engine that tells languages apart, if there is one."""
        loaded = (member.engine for member in self._members.values() if member.is_loaded)
        return next((one for one in loaded if isinstance(one, LanguageDetector)), None)

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

        return RoutedEar(self, open_ear, hints, report, sample_rate_hertz=sample_rate_hertz)

    async def close(self) -> None:
        for task in self._loading:
            task.cancel()
        for member in self._members.values():
            await member.engine.close()

    async def _load(self, member: Member) -> None:
        try:
            await member.engine.load()
        except Exception as error:
            log.exception("provider_lost", provider=member.provider.name, why=str(error))
            member.failure = error
            member.provider.lose(str(error) or type(error).__name__)
            return
        member.provider.breaker.reset()
        member.is_loaded = True

    def _serves(self) -> bool:
        return all(any(self._members[name].is_loaded for name in chain) for chain in self._chains.values())

    def _languages(self) -> tuple[str, ...]:
        others = [self._members[name].engine.language_codes for name in self._chains.get(ANY, ())]
        if not all(others):
            return ()  # an engine takes every language
        own = [language for language in self._chains if language != ANY]
        return tuple(dict.fromkeys((*own, *(code for codes in others for code in codes))))


@dataclass(slots=True, eq=False)
class _Use:
    """An ear of the call on one engine."""

    member: Member
    ear: Ear
    permit: Permit | None


@dataclass(slots=True)
class _Utterance:
    """What another ear has to be told of it."""

    not_before: int  # where the one before it ended
    onset: int
    paused_at: int | None = None  # where its speech last ended; None: it goes on
    end_sample: int | None = None
    forgotten: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class _Asked:
    speech: Speech
    is_final: bool
    waits_for_language: bool
    answer: Heard | Unheard | None = None
    limit: asyncio.TimerHandle | None = None


class RoutedEar:
    """One call. One engine hears it at a time; those before it may still correct what they heard."""

    def __init__(
        self,
        routed: RoutedEngine,
        open_ear: Callable[[SttEngine, Hints, Callable[[Report], None]], Ear],
        hints: Hints,
        report: Callable[[Report], None],
        *,
        sample_rate_hertz: int,
    ) -> None:
        self._lead_in = LEAD_IN_MS * sample_rate_hertz // 1000
        self._routed = routed
        self._open_ear = open_ear
        self._hints = hints
        self._report = report
        self._uses: list[_Use] = []  # the last one hears the call
        self._lost: dict[int, Lost] = {}  # by the member's id: those that this utterance has lost
        self._refusing: dict[int, Lost] = {}  # those that will not hear this call at all
        self._language = language_of(hints.language_codes[0]) if hints.language_codes else ""
        self._judged_utterance = 0  # whose language is known
        self._detecting_utterance = 0
        self._asked: dict[int, _Asked] = {}
        self._utterances: dict[int, _Utterance] = {}
        self._utterance_id = 1
        self._last_end = 0
        self._reached = 0
        self._is_speaking = False
        self._is_finished = False
        self._is_closed = False
        if (chosen := self._admitted()) is None:
            raise EngineLost(f"no engine that understands {self._language} has loaded", retry_delay_ms=1000)
        self._take_up(*chosen)

    # -- what the stage says -------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        return bool(self._asked) or self._ear.is_busy

    @property
    def listened_to(self) -> int | None:
        return self._ear.listened_to

    @property
    def wanted_from(self) -> int | None:
        """Another engine may have to hear what is open, and what is owed."""
        wanted = [one for use in self._uses if (one := use.ear.wanted_from) is not None]
        wanted += [max(0, one.onset - self._lead_in) for one in self._wanted().values()]
        return min(wanted, default=None)

    def hear(self, start_sample: int, samples: Samples) -> None:
        for use in self._uses:
            use.ear.hear(start_sample, samples)

    def rest(self, to_sample: int) -> None:
        for use in self._uses:
            use.ear.rest(to_sample)

    def reach(self, sample: int) -> None:
        self._reached = max(self._reached, sample)
        for use in list(self._uses):
            use.ear.reach(sample)

    def speech(self, utterance_id: int, sample: int, *, is_begin: bool) -> None:
        self._utterance_id, self._is_speaking = utterance_id, is_begin
        known = self._utterances.get(utterance_id)
        if known is not None:
            known.paused_at = None if is_begin else sample
        elif is_begin:
            self._note(utterance_id, sample)
            if not self._asked:
                self._choose()
        self._ear.speech(utterance_id, sample, is_begin=is_begin)

    def end(self, utterance_id: int, end_sample: int) -> None:
        if (ended := self._utterances.get(utterance_id)) is not None:
            ended.end_sample = end_sample
        self._last_end = end_sample
        self._utterance_id = utterance_id + 1
        if self._is_speaking:
            self._note(utterance_id + 1, end_sample)
        for use in list(self._uses):
            use.ear.end(utterance_id, end_sample)

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
        self._ear.cancel(request_id)

    def forget(self, from_sample: int, to_sample: int) -> None:
        for utterance in self._utterances.values():
            utterance.forgotten.append((from_sample, to_sample))
        for use in self._uses:
            use.ear.forget(from_sample, to_sample)

    def attend(self, hints: Hints) -> None:
        codes = {language_of(code) for code in hints.language_codes}
        self._hints = hints
        if codes and self._language not in codes:
            self._switch(language_of(hints.language_codes[0]))
        self._ear.attend(self._own_hints)

    def finish(self) -> None:
        self._is_finished = True
        for use in list(self._uses):
            use.ear.finish()

    def close(self) -> None:
        self._is_closed = True
        for request_id in list(self._asked):
            self._drop(request_id)
        for use in self._uses:
            if use.permit is not None:
                use.member.provider.released(use.permit)
            use.ear.close()

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

    def _switch(self, language: str) -> None:
        """The utterance that is open is heard anew, as the other language."""
        self._language = language
        if (chosen := self._admitted()) is None:
            return
        member, permit = chosen
        if member is self._use.member:
            self._give_back(self._use)
            self._use.permit = permit
            self._ear.attend(self._own_hints)
            for asked in list(self._asked.values()):
                asked.answer = None
                self._ear.cancel(asked.speech.request_id)
                self._ear.recognize(asked.speech, is_final=asked.is_final)
            return
        for asked in self._asked.values():
            self._ear.cancel(asked.speech.request_id)
        self._take_up(member, permit)
        self._tell_all()

    # -- which engine --------------------------------------------------------------------------------------------------

    @property
    def _use(self) -> _Use:
        return self._uses[-1]

    @property
    def _ear(self) -> Ear:
        return self._use.ear

    def _admitted(self) -> tuple[Member, Permit | None] | None:
        """The first engine of the language that does well. Where all of them rest, the first is better than none."""
        usable = [
            member
            for member in self._routed.members_for(self._language)
            if member.is_loaded and id(member) not in self._lost and id(member) not in self._refusing
        ]
        for member in usable:
            if (permit := member.provider.admit()) is not None:
                return member, permit
        return (usable[0], None) if usable else None

    def _choose(self) -> None:
        """An utterance begins, and nothing is owed of those before: it is heard by the first engine that does well."""
        self._lost.clear()
        self._give_back(self._use)
        chosen = self._admitted()
        if chosen is None:
            return
        member, permit = chosen
        if member is self._use.member:
            self._use.permit = permit
            return
        self._take_up(member, permit)
        self._ear.reach(self._reached)
        if self._last_end:
            self._ear.end(self._utterance_id - 1, self._last_end)

    def _take_up(self, member: Member, permit: Permit | None) -> None:
        """From now on this engine hears the call, by an ear that knows nothing yet."""
        use = _Use(
            member, self._open_ear(member.engine, self._own_hints, lambda report: self._take(use, report)), permit
        )
        self._uses.append(use)
        while len(self._uses) > MOST_EARS:
            self._retire(self._uses[0])

    def _tell_all(self) -> None:
        """The ear that has just been taken up is told what is open and what is owed, in order."""
        ear = self._ear
        for number, (utterance_id, utterance) in enumerate(sorted(self._wanted().items())):
            end = utterance.end_sample
            ear.reach(self._reached if end is None else min(end, self._reached))
            if number == 0 and utterance.not_before:
                ear.end(utterance_id - 1, utterance.not_before)
            ear.speech(utterance_id, utterance.onset, is_begin=True)
            paused_at = end if utterance.paused_at is None else utterance.paused_at
            if paused_at is not None:
                ear.speech(utterance_id, paused_at, is_begin=False)
            for stretch in utterance.forgotten:
                ear.forget(*stretch)
            for asked in [one for one in self._asked.values() if one.speech.utterance_id == utterance_id]:
                asked.answer = None
                ear.recognize(asked.speech, is_final=asked.is_final)
            if end is not None:
                ear.end(utterance_id, end)
        ear.reach(self._reached)
        if self._is_finished:
            ear.finish()

    def _wanted(self) -> dict[int, _Utterance]:
        """The utterance that is open, and those whose words are awaited."""
        owed = {asked.speech.utterance_id for asked in self._asked.values()} | {self._utterance_id}
        return {one: self._utterances[one] for one in owed if one in self._utterances}

    def _note(self, utterance_id: int, onset: int) -> None:
        self._utterances[utterance_id] = _Utterance(self._last_end, onset)
        while len(self._utterances) > REMEMBERED_UTTERANCES:
            del self._utterances[min(self._utterances)]

    def _give_back(self, use: _Use) -> None:
        if use.permit is not None:
            use.member.provider.released(use.permit)
            use.permit = None

    def _retire(self, use: _Use) -> None:
        self._give_back(use)
        self._uses.remove(use)
        use.ear.close()

    # -- what the engines say ------------------------------------------------------------------------------------------

    def _take(self, use: _Use, report: Report) -> None:
        if self._is_closed or use not in self._uses:
            return
        is_current = use is self._use
        match report:
            case Lost():
                if is_current:
                    self._lose(use, report)
                else:
                    self._retire(use)
            case Heard() | Unheard():
                if is_current and report.request_id in self._asked:
                    self._answer(use, report)
            case Partial():
                if is_current:
                    self._report(report)
            case Corrected():
                if is_current or report.utterance_id < self._utterance_id:
                    self._report(report)
            case _:
                self._report(report)

    def _answer(self, use: _Use, report: Heard | Unheard) -> None:
        if isinstance(report, Unheard) and report.reason == "ENGINE_LOST":
            return  # Lost follows, and the next engine is asked
        if isinstance(report, Unheard) and report.reason in FAILURES and self._has_another(use.member):
            self._lose(use, Lost(self._last_end, report.reason, report.message, is_retryable=True))
            return
        if isinstance(report, Heard):
            if use.permit is not None:
                use.member.provider.succeeded(use.permit, took_s=0.0)
                use.permit = None
            report = replace(report, is_punctuated="punctuation" in use.member.engine.features)
        self._asked[report.request_id].answer = report
        self._release(report.request_id)

    def _lose(self, use: _Use, lost: Lost) -> None:
        """Another engine hears again what is open, and what is owed."""
        member = use.member
        permit, use.permit = use.permit or member.provider.admit(), None
        member.provider.failed(permit, _failure(lost))
        log.warning("engine_lost", engine=member.engine.name, reason=lost.reason, error=lost.message)
        self._lost[id(member)] = lost
        if not lost.is_retryable:
            self._refusing[id(member)] = lost
        if (chosen := self._admitted()) is None:
            self._report(lost)
            return
        member.provider.handed_over(chosen[0].provider, f"{lost.reason}: {lost.message}")
        self._take_up(*chosen)
        if use in self._uses:
            self._retire(use)
        self._tell_all()

    def _has_another(self, member: Member) -> bool:
        others = [one for one in self._routed.members_for(self._language) if one is not member and one.is_loaded]
        return any(id(one) not in self._lost and id(one) not in self._refusing for one in others)

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
    return not engine.language_codes or language in {language_of(code) for code in engine.language_codes}


def _hurry(engine: SttEngine) -> None:
    """Another engine stands in for it: it is not tried for long."""
    limits = getattr(engine, "limits", None)
    if isinstance(limits, StreamLimits):
        vars(engine)["limits"] = replace(limits, most_tries=STAND_IN_TRIES, longest_wait_s=STAND_IN_WAIT_S)


def _failure(lost: Lost) -> ProviderFailed:
    """What the loss says of the provider."""
    if lost.reason == "INVALID_ARGUMENT":
        error_class = ErrorClass.REQUEST
    elif not lost.is_retryable:
        error_class = ErrorClass.FATAL
    elif lost.retry_after_s:
        error_class = ErrorClass.OVERLOADED
    else:
        error_class = ErrorClass.TRANSIENT
    return ProviderFailed(lost.reason, lost.message, error_class, retry_after_s=lost.retry_after_s)
