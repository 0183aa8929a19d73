"""Answers of a streaming recogniser: when the words of an utterance answer a request, and what is reported unasked."""

import asyncio

from services.language.script import script_of
from services.stt_proxy.engine import Corrected, Heard, Partial, Segment, Speech, Unheard
from services.stt_proxy.following.state import Asked, FollowedState
from services.stt_proxy.following.stretch import Stretch

COVERED_MS = 60  # words that reach so near to the end of speech reach it
NEAR_MS = 120  # open words that reach as near as this and are ...
SURE_STABILITY = 0.8  # ... as stable as this are not waited for any longer


class Answers:
    """Requests of one call and the words that answer them."""

    def __init__(self, state: FollowedState) -> None:
        self._state = state

    def ask(self, speech: Speech, *, is_final: bool) -> None:
        """Have a Speech answered when its words are known. The request replaces drafts of the same utterance."""
        for request_id in [one for one, asked in self._state.asked.items() if self._is_replaced(asked, speech)]:
            self.drop(request_id)
            self._state.report(Unheard(request_id, "SUPERSEDED", "newer speech of the same utterance is asked for"))
        self._state.asked[speech.request_id] = Asked(speech, is_final)

    def drop(self, request_id: int) -> None:
        """Forget a request: its answer is not awaited any more."""
        asked = self._state.asked.pop(request_id, None)
        for timer in asked.timers if asked is not None else ():
            timer.cancel()

    def answer_ready(self) -> None:
        """Answer the requests that can be answered; begin the wait for those whose sound the recogniser has taken
        whole.
        """
        for request_id, asked in list(self._state.asked.items()):
            if request_id not in self._state.asked:
                continue
            if self._is_ready(asked):
                self._answer(request_id)
            elif not asked.timers and self._is_taken(asked):
                self._limit_wait(asked)

    def tell_change(self, utterance_id: int) -> None:
        """Report words that came unasked: a partial text while the caller speaks, else a better text."""
        text = self.text_of(utterance_id)
        stretches = [hearing.stretch for hearing in self._state.of(utterance_id)]
        is_open = utterance_id == self._state.utterance_id
        if is_open and self._state.is_speaking and text:
            last = stretches[-1]
            end = last.open_end or (last.fed_to if last.open_text else last.settled_to)
            self._state.report(Partial(text, end, self._language_of(stretches), last.open_confidence))
            return
        said = self._state.said.get(utterance_id)
        if said is None or said == text or self._state.is_awaited(utterance_id):
            return
        is_whole = all(one.is_ended for one in stretches) or not any(one.open_text for one in stretches)
        if is_open or is_whole:
            self._state.said[utterance_id] = text
            confidences = [one.confidence for stretch in stretches for one in stretch.settled]
            known = [one for one in confidences if one is not None]
            self._state.report(
                Corrected(utterance_id, text, self._language_of(stretches), min(known) if known and is_whole else None)
            )

    def text_of(self, utterance_id: int) -> str:
        """Return all words recognised of an utterance so far."""
        texts = [text for hearing in self._state.of(utterance_id) for text in hearing.stretch.texts]
        language = self._language_of([hearing.stretch for hearing in self._state.of(utterance_id)])
        gap = " " if script_of(language).is_spaced else ""
        return gap.join(text.strip() for text in texts if text.strip())

    def _is_taken(self, asked: Asked) -> bool:
        """Return whether the recogniser has taken all the sound: from then on the wait for its words counts."""
        hearings = self._state.of(asked.speech.utterance_id)
        return all(
            hearing.stretch.is_ended
            or (
                hearing.stream is not None
                and hearing.stretch.listened_to >= min(asked.speech.end_sample, self._state.now)
            )
            or hearing.is_finishing
            for hearing in hearings
        )

    def _limit_wait(self, asked: Asked) -> None:
        loop, request_id = asyncio.get_running_loop(), asked.speech.request_id
        wait_ms = self._state.limits.settle_wait_ms if asked.is_final else self._state.limits.draft_wait_ms
        if wait_ms:
            asked.timers.append(loop.call_later(wait_ms / 1000, self._answer_overdue, request_id, False))
        if self._state.limits.silent_wait_ms:
            wait_s = self._state.limits.silent_wait_ms / 1000
            asked.timers.append(loop.call_later(wait_s, self._answer_overdue, request_id, True))

    def _is_ready(self, asked: Asked) -> bool:
        hearings = self._state.of(asked.speech.utterance_id)
        if not hearings:
            return True
        text = self.text_of(asked.speech.utterance_id)
        if asked.is_overdue and text and self._is_taken(asked):
            return True
        tolerance = COVERED_MS * self._state.per_ms if text else 0
        if all(hearing.stretch.covers(asked.speech.end_sample, tolerance) for hearing in hearings):
            return True
        last = hearings[-1].stretch
        return (
            (last.open_stability or 0.0) >= SURE_STABILITY
            and last.covers(asked.speech.end_sample, NEAR_MS * self._state.per_ms)
            and all(hearing.stretch.covers(asked.speech.end_sample, tolerance) for hearing in hearings[:-1])
        )

    def _answer_overdue(self, request_id: int, is_empty_enough: bool) -> None:
        """Answer a request whose wait is over with the words there are."""
        asked = self._state.asked.get(request_id)
        if asked is None:
            return
        if not self._is_taken(asked):
            asked.timers.clear()  # another stream is recognising the stretch again
            return
        loop = asyncio.get_running_loop()
        wait_s = (self._state.limits.settle_wait_ms if asked.is_final else self._state.limits.draft_wait_ms) / 1000
        said_at = max((hearing.said_at for hearing in self._state.of(asked.speech.utterance_id)), default=0.0)
        if (left_s := said_at + wait_s - loop.time()) > 0:  # the recogniser still sends more words
            asked.timers.append(loop.call_later(left_s, self._answer_overdue, request_id, is_empty_enough))
            return
        asked.is_overdue = True
        if self.text_of(asked.speech.utterance_id) or is_empty_enough:
            self._answer(request_id)

    def _answer(self, request_id: int) -> None:
        speech = self._state.asked[request_id].speech
        self.drop(request_id)
        stretches = [hearing.stretch for hearing in self._state.of(speech.utterance_id)]
        text = self.text_of(speech.utterance_id)
        self._state.said[speech.utterance_id] = text
        segments = _segments(stretches, speech)
        confidences = [one.confidence for one in segments if one.confidence is not None]
        self._state.report(
            Heard(
                speech.request_id,
                text,
                self._language_of(stretches),
                min(confidences) if confidences and len(confidences) == len(segments) else None,
                segments,
                compute_us=stretches[-1].compute_us if stretches else 0,
            )
        )

    def _language_of(self, stretches: list[Stretch]) -> str:
        said = next((one.language_code for one in reversed(stretches) if one.language_code), "")
        return said or (self._state.hints.language_codes[0] if self._state.hints.language_codes else "")

    def _is_replaced(self, asked: Asked, newer: Speech) -> bool:
        return asked.speech.utterance_id == newer.utterance_id and not asked.is_final


def _segments(stretches: list[Stretch], speech: Speech) -> tuple[Segment, ...]:
    """The words with their places: those of open words are the sound behind the settled ones."""
    segments: list[Segment] = []
    for stretch in stretches:
        segments += stretch.settled
        if stretch.open_text:
            start = max(stretch.settled_to, speech.spans[0].start_sample)
            end = max(start, min(stretch.open_end or speech.end_sample, speech.end_sample))
            segments.append(Segment(stretch.open_text, start, end, stretch.open_confidence))
    return tuple(segments)
