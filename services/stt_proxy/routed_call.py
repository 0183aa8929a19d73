"""One call on chains of engines by language: one engine recognises it, another takes over within the utterance.

The engine that takes over recognises everything behind the last settled utterance again, from the replay ring, so that
no word is lost and none comes twice. So does the engine of another language. Those before may still correct what they
heard.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from services.audio.pcm import Samples
from services.runtime.breaker import Permit
from services.runtime.logs import get_logger
from services.stt_proxy.engine import (
    Corrected,
    EngineCall,
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
from services.stt_proxy.following.call import LEAD_IN_MS
from services.stt_proxy.language_choice import DetectedUtterances, choose_language, may_change
from services.stt_proxy.routed_members import CallMembers, Member, Routing, Use, hints_in, language_of, speech_s
from services.stt_proxy.routed_utterances import RoutedAsk, RoutedUtterances

DETECTION_LIMIT_S = 0.4  # a draft waits no longer to learn in which language it was spoken
MOST_ENGINES = 3  # of a call: the engine that recognises it, and some that may yet correct their words
FAILURES = ("DECODING_FAILED", "ENGINE_FAILED")
"""The reasons why a Speech is Unheard where the engine is at fault, and another may do better."""

log = get_logger(__name__)


class RoutedCall:
    """One call. One engine recognises it at a time; engines before it may still correct their words."""

    def __init__(
        self,
        routed: Routing,
        open_engine_call: Callable[[SttEngine, Hints, Callable[[Report], None]], EngineCall],
        hints: Hints,
        report: Callable[[Report], None],
        *,
        sample_rate_hertz: int,
    ) -> None:
        self._lead_in = LEAD_IN_MS * sample_rate_hertz // 1000
        self._routed = routed
        self._open_engine_call = open_engine_call
        self._hints = hints
        self._report = report
        self._uses: list[Use] = []  # the last one recognises the call
        self._members = CallMembers(routed)
        self._language = language_of(hints.language_codes[0]) if hints.language_codes else ""
        self._detections = DetectedUtterances()
        self._asked: dict[int, RoutedAsk] = {}
        self._utterances = RoutedUtterances()
        self._utterance_id = 1
        self._reached = 0
        self._is_speaking = False
        self._is_finished = False
        self._is_closed = False
        if (chosen := self._members.admitted(self._language)) is None:
            raise EngineLost(f"no engine that understands {self._language} has loaded", retry_delay_ms=1000)
        self._take_up(*chosen)
        self._give_back_if_idle()

    @property
    def is_busy(self) -> bool:
        return bool(self._asked) or self._engine_call.is_busy

    @property
    def listened_to(self) -> int | None:
        return self._engine_call.listened_to

    @property
    def wanted_from(self) -> int | None:
        """Return the first sample that another engine may have to recognise: of the open utterance, or of awaited
        words.
        """
        wanted = [one for use in self._uses if (one := use.engine_call.wanted_from) is not None]
        wanted += [
            max(0, one.onset - self._lead_in)
            for one in self._utterances.wanted(self._asked.values(), self._utterance_id).values()
        ]
        return min(wanted, default=None)

    @property
    def prepare_every_ms(self) -> int | None:
        """Return how often the first engine wants to guess while the caller speaks."""
        return getattr(self._engine_call, "prepare_every_ms", None)

    def feed(self, start_sample: int, samples: Samples) -> None:
        for use in self._uses:
            use.engine_call.feed(start_sample, samples)

    def rest(self, to_sample: int) -> None:
        for use in self._uses:
            use.engine_call.rest(to_sample)

    def reach(self, sample: int) -> None:
        self._reached = max(self._reached, sample)
        for use in list(self._uses):
            use.engine_call.reach(sample)

    def speech(self, utterance_id: int, sample: int, *, is_begin: bool) -> None:
        self._utterance_id, self._is_speaking = utterance_id, is_begin
        if self._utterances.edge(utterance_id, sample, is_begin=is_begin) and not self._asked:
            self._choose()
        self._engine_call.speech(utterance_id, sample, is_begin=is_begin)

    def end(self, utterance_id: int, end_sample: int) -> None:
        self._utterances.end(utterance_id, end_sample)
        self._utterance_id = utterance_id + 1
        if self._is_speaking:
            self._utterances.begin(utterance_id + 1, end_sample)
        for use in list(self._uses):
            use.engine_call.end(utterance_id, end_sample)
        self._give_back_if_idle()

    def recognize(self, speech: Speech, *, is_final: bool) -> None:
        waits = self._detect(speech)
        asked = self._asked[speech.request_id] = RoutedAsk(speech, is_final, waits)
        if waits:
            loop = asyncio.get_running_loop()
            asked.limit = loop.call_later(DETECTION_LIMIT_S, self._go_on_without, speech.request_id)
        self._engine_call.recognize(speech, is_final=is_final)

    def prepare(self, speech: Speech) -> None:
        self._detect(speech)
        self._engine_call.prepare(speech)

    def cancel(self, request_id: int) -> None:
        self._drop(request_id)
        self._engine_call.cancel(request_id)

    def forget(self, from_sample: int, to_sample: int) -> None:
        self._utterances.forget(from_sample, to_sample)
        for use in self._uses:
            use.engine_call.forget(from_sample, to_sample)
        self._give_back_if_idle()

    def attend(self, hints: Hints) -> None:
        codes = {language_of(code) for code in hints.language_codes}
        self._hints = hints
        if codes and self._language not in codes:
            self._switch(language_of(hints.language_codes[0]))
        self._engine_call.attend(hints_in(self._hints, self._language))
        self._give_back_if_idle()

    def finish(self) -> None:
        self._is_finished = True
        for use in list(self._uses):
            use.engine_call.finish()

    def close(self) -> None:
        self._is_closed = True
        for request_id in list(self._asked):
            self._drop(request_id)
        for use in self._uses:
            use.give_back()  # all of them first: an engine may break while it is closed
        for use in self._uses:
            use.engine_call.close()

    @property
    def _languages(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(language_of(code) for code in self._hints.language_codes))

    def _detect(self, speech: Speech) -> bool:
        """Have the language of the utterance detected, if it may be another one. True: it is not known yet."""
        detector = self._routed.detector
        if detector is None or len(self._languages) < 2 or not may_change(speech_s(speech)):
            return False
        if self._detections.begins(speech.utterance_id):
            detector.detect(speech, self._languages, partial(self._detected, speech))
        return self._detections.is_awaited(speech.utterance_id)

    def _detected(self, speech: Speech, probabilities: Mapping[str, float]) -> None:
        if self._is_closed:
            return
        self._detections.end(speech.utterance_id)
        language = choose_language(self._language, probabilities, speech_s(speech))
        if language != self._language and speech.utterance_id == self._utterance_id:
            log.info(
                "language_changed", language=language, speech_s=speech_s(speech), confidence=probabilities[language]
            )
            self._switch(language)
        for request_id, asked in list(self._asked.items()):
            if asked.waits_for_language and asked.speech.utterance_id == speech.utterance_id:
                self._go_on_without(request_id)

    def _go_on_without(self, request_id: int) -> None:
        """Give the answer without waiting for the language any more: it is known by now, or awaited too long."""
        if (asked := self._asked.get(request_id)) is not None:
            asked.waits_for_language = False
            self._release(request_id)

    def _switch(self, language: str) -> None:
        """Have the open utterance recognised again, in the other language."""
        self._language = language
        self._use.give_back()  # what it was asked is taken back: a probe that stayed here would keep others away
        if (chosen := self._members.admitted(self._language)) is None:
            return
        member, permit = chosen
        if member is self._use.member:
            self._use.permit = permit
            self._engine_call.attend(hints_in(self._hints, self._language))
            for asked in list(self._asked.values()):
                asked.answer = None
                self._engine_call.cancel(asked.speech.request_id)
                self._engine_call.recognize(asked.speech, is_final=asked.is_final)
            return
        for asked in self._asked.values():
            self._engine_call.cancel(asked.speech.request_id)
        self._take_up(member, permit)
        self._tell_all()

    @property
    def _use(self) -> Use:
        return self._uses[-1]

    @property
    def _engine_call(self) -> EngineCall:
        return self._use.engine_call

    def _choose(self) -> None:
        """An utterance begins and no words are awaited of those before: choose the first engine that does well."""
        self._members.begin_utterance()
        self._use.give_back()
        chosen = self._members.admitted(self._language)
        if chosen is None:
            return
        member, permit = chosen
        if member is self._use.member:
            self._use.permit = permit
            return
        self._take_up(member, permit)
        self._engine_call.reach(self._reached)
        if self._utterances.last_end:
            self._engine_call.end(self._utterance_id - 1, self._utterances.last_end)

    def _take_up(self, member: Member, permit: Permit | None) -> None:
        """Have this engine recognise the call from now on, on a fresh engine call."""
        try:
            engine_call = self._open_engine_call(
                member.engine, hints_in(self._hints, self._language), lambda report: self._take(use, report)
            )
        except BaseException:
            if permit is not None:
                member.provider.released(permit)
            raise
        use = Use(member, engine_call, permit)
        self._uses.append(use)
        while len(self._uses) > MOST_ENGINES:
            self._retire(self._uses[0])

    def _tell_all(self) -> None:
        """The engine that has just been taken up is told what is open and what is owed."""
        self._utterances.tell(self._engine_call, self._asked, self._utterance_id, self._reached)
        if self._is_finished:
            self._engine_call.finish()

    def _give_back_if_idle(self) -> None:
        """Nothing is asked of the engine until the caller speaks again: a probe kept so long keeps other calls away."""
        if not self._is_speaking and not self._asked:
            self._use.give_back()

    def _retire(self, use: Use) -> None:
        use.give_back()
        self._uses.remove(use)
        use.engine_call.close()

    def _take(self, use: Use, report: Report) -> None:
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

    def _answer(self, use: Use, report: Heard | Unheard) -> None:
        if isinstance(report, Unheard) and report.reason == "ENGINE_LOST":
            return  # Lost follows, and the next engine is asked
        if (
            isinstance(report, Unheard)
            and report.reason in FAILURES
            and self._members.has_another(self._language, use.member)
        ):
            self._lose(use, Lost(self._utterances.last_end, report.reason, report.message, is_retryable=True))
            return
        if isinstance(report, Heard):
            use.succeed()
            report = replace(report, is_punctuated="punctuation" in use.member.engine.features)
        self._asked[report.request_id].answer = report
        self._release(report.request_id)

    def _lose(self, use: Use, lost: Lost) -> None:
        """Have another engine recognise again the open utterance, and those whose words are awaited."""
        member = use.member
        use.fail(lost)
        log.warning("engine_lost", engine=member.engine.name, reason=lost.reason, error=lost.message)
        self._members.lose(member, lost)
        if (chosen := self._members.admitted(self._language)) is None:
            self._report(lost)
            return
        member.provider.handed_over(chosen[0].provider, f"{lost.reason}: {lost.message}")
        self._take_up(*chosen)
        if use in self._uses:
            self._retire(use)
        self._tell_all()

    def _release(self, request_id: int) -> None:
        """Give the answer, if it is there and in the right language."""
        asked = self._asked[request_id]
        if asked.answer is None or asked.waits_for_language:
            return
        self._drop(request_id)
        self._report(asked.answer)

    def _drop(self, request_id: int) -> None:
        asked = self._asked.pop(request_id, None)
        if asked is None:
            return
        if asked.limit is not None:
            asked.limit.cancel()
        if asked.is_final:
            self._give_back_if_idle()
