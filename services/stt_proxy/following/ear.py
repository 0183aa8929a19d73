"""The ear of a call on a recogniser that follows the sound: opens its streams, feeds them, joins their words.

A stream is opened when speech begins, with the sound of a moment before, and finished when the utterance ends or the
caller is silent for long; a caller who says nothing costs nothing. Before a stream grows too old the next one begins at
a pause. When a stream breaks, another one hears again from the end of the last settled word: the sound comes from the
call's replay ring, and the words before are kept.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from services.audio.pcm import Samples
from services.language.script import script_of
from services.runtime.logs import get_logger
from services.stt_proxy.engine import (
    Corrected,
    Heard,
    Hints,
    Listened,
    Lost,
    Partial,
    Report,
    Segment,
    Speech,
    Unheard,
)
from services.stt_proxy.following import stream as streams
from services.stt_proxy.following.retrying import Retrying
from services.stt_proxy.following.stretch import Stretch
from services.stt_proxy.metrics import STREAMS_TOTAL
from services.stt_proxy.recording import Recording

LEAD_IN_MS = 300  # sound before the detector's onset that belongs to the first word
PIECE_MS = 100  # the longest sound fed at once
REST_AFTER_MS = 1500  # of silence: the stream is finished, the next speech opens another
LONGEST_FILLED_MS = 1000  # a hole this long is fed as silence; behind a longer one a new stream begins
COVERED_MS = 60  # words that reach so near to the end of speech reach it
NEAR_MS = 120  # open words that reach as near as this and are ...
SURE_STABILITY = 0.8  # ... as stable as this are not waited for any longer
QUIET_SEARCH_MS = 60  # where a new stream takes over: the quietest place around the end of the last settled word
QUIET_FRAME_MS = 10
REMEMBERED_UTTERANCES = 4  # whose late words may still correct them
SHORT_PAUSE_MS = 400  # silence put into a shorter one tears the words around it apart
LOOK_S = 0.5  # between two looks for a stream that is dead

log = get_logger(__name__)


@dataclass(slots=True)
class _Hearing:
    """A stretch and the stream that hears it."""

    stretch: Stretch
    retrying: Retrying
    stream: streams.RecogniserStream | None = None
    is_finishing: bool = False
    is_given_up: bool = False
    flush_at: int | None = None  # its stream is to be hurried when it was fed so far
    flushed_at: int | None = None  # the sound fed when its stream was last hurried
    waits: asyncio.TimerHandle | None = None  # for another try
    answered_to: int = 0  # sound fed when the recogniser last said anything of it
    said_at: float = 0.0  # when it last said anything, on the loop's clock
    moved_at: float = 0.0  # when it last took sound, on the loop's clock
    finished_at: float = 0.0  # when it was told that no more comes


@dataclass(slots=True)
class _Asked:
    """A Speech whose words are awaited."""

    speech: Speech
    is_final: bool
    is_overdue: bool = False
    timers: list[asyncio.TimerHandle] = field(default_factory=list)


class FollowingEar:
    """One call. `recording` is the call's replay ring, which the stage fills before it calls `hear`."""

    def __init__(
        self,
        recogniser: streams.Recogniser,
        *,
        call_id: str,
        recording: Recording,
        sample_rate_hertz: int,
        hints: Hints,
        report: Callable[[Report], None],
    ) -> None:
        self._recogniser = recogniser
        self._limits = recogniser.limits
        self._call_id = call_id
        self._recording = recording
        self._rate = sample_rate_hertz
        self._per_ms = sample_rate_hertz // 1000
        self._hints = hints
        self._report = report
        self._hearings: list[_Hearing] = []  # in order; only the last one of an utterance goes on
        self._asked: dict[int, _Asked] = {}
        self._said: dict[int, str] = {}  # by utterance: the newest text that was told as more than a guess
        self._utterance_id = 1
        self._is_ended: set[int] = set()
        self._not_before = 0  # where the last utterance ended
        self._now = 0  # the call's clock
        self._is_speaking = False
        self._paused_at = 0  # where speech last ended
        self._look: asyncio.TimerHandle | None = None
        self._lost: Lost | None = None
        self._is_finished = False
        self._is_closed = False

    # -- what the stage says -------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        return bool(self._asked) or any(self._lag_of(hearing) for hearing in self._hearings)

    @property
    def listened_to(self) -> int | None:
        """How far the recogniser has come; None: as far as the sound."""
        if self._lost is not None:
            return self._lost.listened_to
        behind = [hearing.stretch.listened_to for hearing in self._hearings if self._lag_of(hearing)]
        return min(behind, default=None)

    @property
    def wanted_from(self) -> int | None:
        """The first sample that may have to be heard again; None: nothing before now."""
        unsettled = [
            hearing.stretch.settled_to - QUIET_SEARCH_MS * self._per_ms
            for hearing in self._hearings
            if not hearing.stretch.is_ended and not hearing.is_given_up
        ]
        return min(unsettled, default=None)

    def hear(self, start_sample: int, samples: Samples) -> None:
        """The sound is in the replay ring; it is fed when the detector has come so far."""

    def rest(self, to_sample: int) -> None:
        """A hole is found when the sound behind it is fed."""

    def reach(self, sample: int) -> None:
        self._now = max(self._now, sample)
        if self._hearings:
            self._rest_when_silent()
            self._feed_all()

    def speech(self, utterance_id: int, sample: int, *, is_begin: bool) -> None:
        if self._lost is not None:
            return
        self._utterance_id, self._is_speaking = utterance_id, is_begin
        if not is_begin:
            self._paused_at = sample
            current = self._current
            if current is not None and self._is_old(current):
                self._end_stretch(current, self._now, "limit")
                self._open(utterance_id, self._now)
            return
        current = self._current
        if current is not None and self._was_torn(current, sample):
            self._restart(current, "pause")
        elif current is None:
            earliest = max([self._not_before, *(hearing.stretch.end_sample or 0 for hearing in self._hearings)])
            self._open(utterance_id, max(earliest, sample - LEAD_IN_MS * self._per_ms))

    def end(self, utterance_id: int, end_sample: int) -> None:
        self._is_ended.add(utterance_id)
        self._not_before = max(self._not_before, end_sample)
        goes_on = self._is_speaking or self._paused_at > end_sample
        for hearing in self._of(utterance_id):
            stretch = hearing.stretch
            if stretch.end_sample is None or stretch.end_sample > end_sample:
                self._end_stretch(hearing, max(end_sample, stretch.start_sample), "utterance")
                if goes_on and stretch.fed_to > end_sample:  # it has heard words of the next utterance
                    stretch.forget_from(end_sample)
                    self._restart(hearing, "utterance")
        self._utterance_id = utterance_id + 1
        if goes_on and self._lost is None:
            self._open(utterance_id + 1, end_sample)
        self._forget_old()

    def recognize(self, speech: Speech, *, is_final: bool) -> None:
        if self._lost is not None:
            self._report(Unheard(speech.request_id, "ENGINE_LOST", self._lost.message))
            return
        for request_id in [one for one, asked in self._asked.items() if self._is_replaced(asked, speech)]:
            self._drop(request_id)
            self._report(Unheard(request_id, "SUPERSEDED", "newer speech of the same utterance is asked for"))
        self._asked[speech.request_id] = _Asked(speech, is_final)
        for hearing in self._of(speech.utterance_id):
            if hearing.stretch.end_sample is None:
                hearing.flush_at = self._now
                self._feed(hearing)
        asyncio.get_running_loop().call_soon(self._answer_ready)  # never before this returns

    def prepare(self, speech: Speech) -> None:
        """The words are followed as they come."""

    def cancel(self, request_id: int) -> None:
        self._drop(request_id)

    def forget(self, from_sample: int, to_sample: int) -> None:
        """What was heard of that stretch goes; what lay before and behind it is heard apart."""
        for hearing in list(self._hearings):
            stretch = hearing.stretch
            end = stretch.end_sample if stretch.end_sample is not None else self._now
            if stretch.start_sample >= to_sample or end <= from_sample:
                continue
            goes_on = stretch.end_sample is None and self._is_speaking
            behind = [one for one in stretch.settled if one.start_sample >= to_sample]
            has_before = stretch.start_sample < from_sample - LEAD_IN_MS * self._per_ms
            if has_before:
                stretch.forget_from(from_sample)
                self._end_stretch(hearing, from_sample, "discard")
                self._restart(hearing, "discard")
            else:
                self._close_stream(hearing)
                self._hearings.remove(hearing)
            if to_sample < end or goes_on:
                self._open(stretch.utterance_id, to_sample, stretch.end_sample, behind)
        self._said.pop(self._utterance_id, None)

    def attend(self, hints: Hints) -> None:
        self._hints = hints

    def finish(self) -> None:
        self._is_finished = True
        for hearing in self._hearings:
            if hearing.stretch.end_sample is None:
                self._end_stretch(hearing, self._now, "finish")
        self._feed_all()

    def close(self) -> None:
        self._is_closed = True
        if self._look is not None:
            self._look.cancel()
        for request_id in list(self._asked):
            self._drop(request_id)
        for hearing in self._hearings:
            self._close_stream(hearing)
        self._hearings.clear()

    # -- stretches and their streams -----------------------------------------------------------------------------------

    @property
    def _current(self) -> _Hearing | None:
        """The stretch that goes on, if any."""
        last = self._hearings[-1] if self._hearings else None
        return last if last is not None and last.stretch.end_sample is None else None

    def _of(self, utterance_id: int) -> list[_Hearing]:
        return [hearing for hearing in self._hearings if hearing.stretch.utterance_id == utterance_id]

    def _open(
        self, utterance_id: int, start_sample: int, end_sample: int | None = None, settled: Sequence[Segment] = ()
    ) -> None:
        retrying = Retrying(self._limits.most_tries, self._limits.longest_wait_s)
        hearing = _Hearing(Stretch(utterance_id, start_sample, end_sample, list(settled)), retrying)
        self._hearings.append(hearing)
        self._hearings.sort(key=lambda one: one.stretch.start_sample)
        if self._look is None and self._limits.stall_s:
            self._look = asyncio.get_running_loop().call_later(LOOK_S, self._look_for_stalls)
        self._open_stream(hearing)
        self._feed_all()

    def _open_stream(self, hearing: _Hearing) -> None:
        hearing.waits = None
        hearing.is_finishing = False
        hearing.flushed_at = None
        is_awaited = any(one.speech.utterance_id == hearing.stretch.utterance_id for one in self._asked.values())
        hearing.flush_at = self._now if is_awaited else None
        hearing.answered_to = hearing.stretch.fed_to
        hearing.moved_at = hearing.said_at = asyncio.get_running_loop().time()
        hearing.stream = self._recogniser.open(
            call_id=self._call_id,
            sample_rate_hertz=self._rate,
            hints=self._hints,
            report=lambda report: self._take(hearing, stream, report),
        )
        stream = hearing.stream

    def _close_stream(self, hearing: _Hearing) -> None:
        if hearing.waits is not None:
            hearing.waits.cancel()
            hearing.waits = None
        if hearing.stream is not None:
            hearing.stream.close()
            hearing.stream = None

    def _end_stretch(self, hearing: _Hearing, end_sample: int, why: str) -> None:
        """Nothing behind `end_sample` belongs to it; its stream is finished once it was fed so far."""
        hearing.stretch.end_sample = end_sample
        STREAMS_TOTAL.labels(why).inc()
        self._feed(hearing)

    def _is_old(self, hearing: _Hearing) -> bool:
        age = hearing.stretch.fed_to - hearing.stretch.stream_start
        return bool(self._limits.roll_over_s) and age >= self._limits.roll_over_s * self._rate

    def _was_torn(self, hearing: _Hearing, onset: int) -> bool:
        """Whether its stream was hurried in a pause so short that the words around it must be heard again."""
        stretch, flushed_at = hearing.stretch, hearing.flushed_at
        hearing.flushed_at = None
        if flushed_at is None or flushed_at < self._paused_at or not self._limits.most_reheard_s:
            return False
        is_short = onset - self._paused_at < SHORT_PAUSE_MS * self._per_ms
        return is_short and stretch.fed_to - stretch.stream_start <= self._limits.most_reheard_s * self._rate

    def _rest_when_silent(self) -> None:
        current = self._current
        if current is None or self._is_speaking:
            return
        if self._now - self._paused_at >= REST_AFTER_MS * self._per_ms:
            self._end_stretch(current, self._now, "silence")

    def _restart(self, hearing: _Hearing, why: str) -> None:
        """Another stream hears what is not settled."""
        self._close_stream(hearing)
        STREAMS_TOTAL.labels(why).inc()
        stretch = hearing.stretch
        stretch.begin_stream(self._quietest_near(stretch.settled_to) if stretch.settled else stretch.start_sample)
        self._open_stream(hearing)
        self._feed(hearing)

    def _quietest_near(self, sample: int) -> int:
        """The quietest 10 ms around the end of a word: recognisers place words to within some frames."""
        reach, length = QUIET_SEARCH_MS * self._per_ms, QUIET_FRAME_MS * self._per_ms
        clips = self._recording.cut(sample - reach, sample + reach)
        if len(clips) != 1 or len(clips[0].samples) < 2 * length:
            return sample
        n_frames = len(clips[0].samples) // length
        frames = clips[0].samples[: n_frames * length].reshape(n_frames, length).astype(np.int32)
        quietest = np.abs(frames).sum(axis=1)
        best = int(np.argmin(quietest))
        middle = (sample - clips[0].start_sample) // length
        if 0 <= middle < n_frames and quietest[middle] <= quietest[best]:
            return sample
        return clips[0].start_sample + best * length + length // 2

    def _break(self, hearing: _Hearing, broken: streams.Broken) -> None:
        """Its stream is gone: another one after a pause that grows, or none."""
        self._close_stream(hearing)
        log.warning("recogniser_stream_broken", call_id=self._call_id, reason=broken.reason, error=broken.message)
        STREAMS_TOTAL.labels(broken.reason.lower()).inc()
        stretch = hearing.stretch
        fed_s = (stretch.fed_to - stretch.stream_start) / self._rate
        wait_s = hearing.retrying.next_wait_s(broken, settled_to=stretch.settled_to, fed_s=fed_s)
        if wait_s is None:
            self._lose(hearing, broken)
            return
        hearing.waits = asyncio.get_running_loop().call_later(wait_s, self._try_again, hearing)

    def _try_again(self, hearing: _Hearing) -> None:
        hearing.waits = None
        self._restart(hearing, "break")

    def _lose(self, hearing: _Hearing, broken: streams.Broken) -> None:
        """The engine cannot go on with this call."""
        hearing.is_given_up = True
        self._lost = Lost(
            hearing.stretch.settled_to, broken.reason, broken.message, broken.is_retryable, broken.retry_after_s
        )
        for one in self._hearings:
            self._close_stream(one)
        for request_id in list(self._asked):
            self._drop(request_id)
            self._report(Unheard(request_id, "ENGINE_LOST", broken.message))
        self._report(self._lost)

    def _lag_of(self, hearing: _Hearing) -> bool:
        """Whether the recogniser has yet to take sound that is there."""
        stretch = hearing.stretch
        if stretch.is_ended or hearing.is_given_up:
            return False
        return stretch.listened_to < stretch.fed_to or not self._is_fed(stretch)

    # -- sound ---------------------------------------------------------------------------------------------------------

    def _feed_all(self) -> None:
        for hearing in list(self._hearings):
            self._feed(hearing)

    def _feed(self, hearing: _Hearing) -> None:
        """Give its stream what it may take."""
        stretch, stream = hearing.stretch, hearing.stream
        if stream is None or hearing.is_finishing or stretch.is_ended:
            return
        most_ahead = self._limits.most_ahead_ms * self._per_ms
        while stretch.fed_to - stretch.listened_to < most_ahead:
            end = stretch.end_sample if stretch.end_sample is not None else self._now
            left = min(end, self._now if hearing.flush_at is None else hearing.flush_at) - stretch.fed_to
            clip = self._recording.read(stretch.fed_to, min(left, PIECE_MS * self._per_ms)) if left > 0 else None
            if clip is not None and clip.start_sample >= self._now:
                clip = None
            if clip is None and hearing.flush_at is not None:
                hearing.flush_at, hearing.flushed_at = None, stretch.fed_to
                stream.flush()
                continue
            if clip is None:
                break
            hole = clip.start_sample - stretch.fed_to
            if hole > LONGEST_FILLED_MS * self._per_ms and stretch.end_sample is None:
                self._end_stretch(hearing, stretch.fed_to, "hole")
                self._open(stretch.utterance_id, clip.start_sample)
                return
            if hole > 0:
                stretch.fed_to += min(hole, left)
                stream.feed(np.zeros(min(hole, left), dtype=np.int16))
                continue
            stretch.fed_to += len(clip.samples)
            stream.feed(clip.samples)
            if self._is_too_old(hearing):
                return
        if stretch.end_sample is not None and stretch.end_sample <= self._now and self._is_fed(stretch):
            hearing.is_finishing = True
            hearing.finished_at = asyncio.get_running_loop().time()
            stream.finish()

    def _is_fed(self, stretch: Stretch) -> bool:
        """Whether it was fed all the sound there is; in a hole there is none."""
        end = self._now if stretch.end_sample is None else min(stretch.end_sample, self._now)
        left = end - stretch.fed_to
        clip = self._recording.read(stretch.fed_to, left) if left > 0 else None
        return clip is None or clip.start_sample >= end  # what lies behind waits for the detector

    def _is_too_old(self, hearing: _Hearing) -> bool:
        """No pause came before the provider's limit: another stream takes over behind the last settled word."""
        stretch = hearing.stretch
        longest = self._limits.longest_s * self._rate
        if not longest or stretch.fed_to - stretch.stream_start < longest:
            return False
        self._restart(hearing, "limit")
        return True

    # -- words ---------------------------------------------------------------------------------------------------------

    def _take(self, hearing: _Hearing, stream: streams.RecogniserStream, report: streams.StreamReport) -> None:
        """What a stream says. Of one that was replaced nothing counts."""
        if self._is_closed or hearing.stream is not stream:
            return
        stretch = hearing.stretch
        if isinstance(report, streams.Broken):
            self._break(hearing, report)
            return
        if not isinstance(report, streams.Listened):
            hearing.answered_to = stretch.fed_to
            hearing.said_at = asyncio.get_running_loop().time()
        hearing.moved_at = asyncio.get_running_loop().time()
        has_changed = False
        match report:
            case streams.Listened(end_offset):
                stretch.listened(end_offset)
            case streams.Flushed(end_offset, compute_us):
                stretch.flushed(end_offset)
                stretch.compute_us = compute_us
            case streams.OpenWords():
                has_changed = stretch.hear_open(report)
            case streams.SettledWords():
                has_changed = stretch.hear_settled(report)
            case streams.Ended():
                self._settle(hearing)
                has_changed = True
            case streams.SignOfLife():
                pass
        self._feed(hearing)
        self._answer_ready()
        if has_changed:
            self._tell_change(stretch.utterance_id)
        self._forget_old()
        self._report(Listened())

    def _settle(self, hearing: _Hearing) -> None:
        """Its words are what they are."""
        hearing.stretch.settle()
        self._close_stream(hearing)

    def _answer_ready(self) -> None:
        for request_id, asked in list(self._asked.items()):
            if request_id not in self._asked:
                continue
            if self._is_ready(asked):
                self._answer(request_id)
            elif not asked.timers and self._is_taken(asked):
                self._limit_wait(asked)

    def _is_taken(self, asked: _Asked) -> bool:
        """Whether the recogniser has all the sound: from then on its words are waited for."""
        hearings = self._of(asked.speech.utterance_id)
        return all(
            hearing.stretch.is_ended
            or (hearing.stream is not None and hearing.stretch.listened_to >= min(asked.speech.end_sample, self._now))
            or hearing.is_finishing
            for hearing in hearings
        )

    def _limit_wait(self, asked: _Asked) -> None:
        loop, request_id = asyncio.get_running_loop(), asked.speech.request_id
        wait_ms = self._limits.settle_wait_ms if asked.is_final else self._limits.draft_wait_ms
        if wait_ms:
            asked.timers.append(loop.call_later(wait_ms / 1000, self._answer_overdue, request_id, False))
        if self._limits.silent_wait_ms:
            wait_s = self._limits.silent_wait_ms / 1000
            asked.timers.append(loop.call_later(wait_s, self._answer_overdue, request_id, True))

    def _is_ready(self, asked: _Asked) -> bool:
        hearings = self._of(asked.speech.utterance_id)
        if not hearings:
            return True
        text = self._text_of(asked.speech.utterance_id)
        if asked.is_overdue and text and self._is_taken(asked):
            return True
        tolerance = COVERED_MS * self._per_ms if text else 0
        if all(hearing.stretch.covers(asked.speech.end_sample, tolerance) for hearing in hearings):
            return True
        last = hearings[-1].stretch
        return (
            (last.open_stability or 0.0) >= SURE_STABILITY
            and last.covers(asked.speech.end_sample, NEAR_MS * self._per_ms)
            and all(hearing.stretch.covers(asked.speech.end_sample, tolerance) for hearing in hearings[:-1])
        )

    def _answer_overdue(self, request_id: int, is_empty_enough: bool) -> None:
        """It was waited for long enough: the words are what there is."""
        asked = self._asked.get(request_id)
        if asked is None:
            return
        if not self._is_taken(asked):
            asked.timers.clear()  # it is heard again just now
            return
        loop = asyncio.get_running_loop()
        wait_s = (self._limits.settle_wait_ms if asked.is_final else self._limits.draft_wait_ms) / 1000
        said_at = max((hearing.said_at for hearing in self._of(asked.speech.utterance_id)), default=0.0)
        if (left_s := said_at + wait_s - loop.time()) > 0:  # it is still saying more
            asked.timers.append(loop.call_later(left_s, self._answer_overdue, request_id, is_empty_enough))
            return
        asked.is_overdue = True
        if self._text_of(asked.speech.utterance_id) or is_empty_enough:
            self._answer(request_id)

    def _answer(self, request_id: int) -> None:
        speech = self._asked[request_id].speech
        self._drop(request_id)
        stretches = [hearing.stretch for hearing in self._of(speech.utterance_id)]
        text = self._text_of(speech.utterance_id)
        self._said[speech.utterance_id] = text
        segments = _segments(stretches, speech)
        confidences = [one.confidence for one in segments if one.confidence is not None]
        self._report(
            Heard(
                speech.request_id,
                text,
                self._language_of(stretches),
                min(confidences) if confidences and len(confidences) == len(segments) else None,
                segments,
                compute_us=stretches[-1].compute_us if stretches else 0,
            )
        )

    def _tell_change(self, utterance_id: int) -> None:
        """Words came unasked: a guess while the caller speaks, else a better text."""
        text = self._text_of(utterance_id)
        stretches = [hearing.stretch for hearing in self._of(utterance_id)]
        is_open = utterance_id == self._utterance_id
        if is_open and self._is_speaking and text:
            last = stretches[-1]
            end = last.open_end or last.settled_to
            confidence = last.open_stability if last.open_confidence is None else last.open_confidence
            self._report(Partial(text, end, self._language_of(stretches), confidence))
            return
        said = self._said.get(utterance_id)
        if said is None or said == text or any(one.speech.utterance_id == utterance_id for one in self._asked.values()):
            return
        is_whole = all(one.is_ended for one in stretches) or not any(one.open_text for one in stretches)
        if is_open or is_whole:
            self._said[utterance_id] = text
            confidences = [one.confidence for stretch in stretches for one in stretch.settled]
            known = [one for one in confidences if one is not None]
            self._report(
                Corrected(utterance_id, text, self._language_of(stretches), min(known) if known and is_whole else None)
            )

    def _text_of(self, utterance_id: int) -> str:
        texts = [text for hearing in self._of(utterance_id) for text in hearing.stretch.texts]
        language = self._language_of([hearing.stretch for hearing in self._of(utterance_id)])
        gap = " " if script_of(language).is_spaced else ""
        return gap.join(text.strip() for text in texts if text.strip())

    def _language_of(self, stretches: list[Stretch]) -> str:
        said = next((one.language_code for one in reversed(stretches) if one.language_code), "")
        return said or (self._hints.language_codes[0] if self._hints.language_codes else "")

    # -- what is awaited -----------------------------------------------------------------------------------------------

    def _is_replaced(self, asked: _Asked, newer: Speech) -> bool:
        return asked.speech.utterance_id == newer.utterance_id and not asked.is_final

    def _drop(self, request_id: int) -> None:
        asked = self._asked.pop(request_id, None)
        for timer in asked.timers if asked is not None else ():
            timer.cancel()

    def _look_for_stalls(self) -> None:
        """A stream that takes no sound, or says nothing of speech for long, is taken for dead."""
        now = asyncio.get_running_loop().time()
        for hearing in list(self._hearings):
            stretch = hearing.stretch
            if hearing.stream is None or stretch.is_ended:
                continue
            if hearing.is_finishing:
                if now - hearing.finished_at >= self._limits.stall_s:
                    self._give_up_waiting(hearing)
                continue
            unheard_s = (stretch.fed_to - hearing.answered_to) / self._rate if self._is_speaking else 0.0
            unheard_s = min(unheard_s, now - hearing.said_at)
            unmoved_s = now - hearing.moved_at if self._lag_of(hearing) else 0.0
            if max(unheard_s, unmoved_s) >= self._limits.stall_s:
                self._break(hearing, streams.Broken("STALLED", f"no answer for {max(unheard_s, unmoved_s):.1f} s"))
        has_more = bool(self._hearings) and not self._is_closed
        self._look = asyncio.get_running_loop().call_later(LOOK_S, self._look_for_stalls) if has_more else None

    def _give_up_waiting(self, hearing: _Hearing) -> None:
        """It does not end: where its words are awaited it is heard again, else they stay as they are."""
        is_awaited = any(one.speech.utterance_id == hearing.stretch.utterance_id for one in self._asked.values())
        if is_awaited and not self._text_of(hearing.stretch.utterance_id):
            self._break(hearing, streams.Broken("STALLED", "the stream does not end"))
            return
        self._settle(hearing)
        self._answer_ready()
        self._forget_old()

    def _forget_old(self) -> None:
        """Utterances that are over: heard to their end, or so old that nobody corrects them any more."""
        awaited = {one.speech.utterance_id for one in self._asked.values()}
        oldest = self._utterance_id - REMEMBERED_UTTERANCES
        for utterance_id in self._is_ended - awaited:
            hearings = self._of(utterance_id)
            if utterance_id >= oldest and not all(hearing.stretch.is_ended for hearing in hearings):
                continue
            if utterance_id >= self._utterance_id - 1 and utterance_id not in self._said:
                continue  # its words may yet be asked for
            for hearing in hearings:
                self._close_stream(hearing)
                self._hearings.remove(hearing)
        self._is_ended = {one for one in self._is_ended if one >= oldest}
        for known in [one for one in self._said if one < oldest]:
            del self._said[known]


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
