"""One call on a streaming recogniser: opens its streams, feeds them, joins their words.

A stream is opened when speech begins, with the sound of a moment before, and finished when the utterance ends or the
caller is silent for long; a caller who says nothing costs nothing. Before a stream grows too old the next one begins at
a pause. When a stream breaks, another one recognises again from the end of the last settled word: the sound comes from
the call's replay ring, and the words before are kept.
"""

import asyncio
from collections.abc import Callable, Sequence

from services.audio.pcm import Samples
from services.runtime.logs import get_logger
from services.stt_proxy.engine import Hints, Listened, Lost, Report, Segment, Speech, Unheard
from services.stt_proxy.following import stream as streams
from services.stt_proxy.following.answers import Answers
from services.stt_proxy.following.feeding import QUIET_SEARCH_MS, Feeder, Hole, TooOld
from services.stt_proxy.following.retrying import Retrying
from services.stt_proxy.following.stalls import StallWatch
from services.stt_proxy.following.state import FollowedState, Hearing
from services.stt_proxy.following.stretch import Stretch
from services.stt_proxy.metrics import STREAMS_TOTAL
from services.stt_proxy.recording import Recording

LEAD_IN_MS = 300  # sound before the detector's onset that belongs to the first word
REST_AFTER_MS = 1500  # of silence: the stream is finished, the next speech opens another
REMEMBERED_UTTERANCES = 4  # whose late words may still correct them

log = get_logger(__name__)


class FollowedCall:
    """One call. `recording` is the call's replay ring, which the stage fills before it calls `feed`."""

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
        self._call_id = call_id
        self._state = FollowedState(recogniser.limits, sample_rate_hertz, hints, recording, report)
        self._answers = Answers(self._state)
        self._feeder = Feeder(self._state)
        self._is_ended: set[int] = set()  # utterances
        self._not_before = 0  # where the last utterance ended
        self._stalls = StallWatch(self._state, self._feeder, on_stalled=self._stalled, on_endless=self._give_up_waiting)
        self._lost: Lost | None = None
        self._is_closed = False

    @property
    def is_busy(self) -> bool:
        return bool(self._state.asked) or any(self._feeder.lags(hearing) for hearing in self._state.hearings)

    @property
    def listened_to(self) -> int | None:
        """Return the first sample that the recogniser has not processed; None: all sound is processed."""
        if self._lost is not None:
            return self._lost.listened_to
        behind = [hearing.stretch.listened_to for hearing in self._state.hearings if self._feeder.lags(hearing)]
        return min(behind, default=None)

    @property
    def wanted_from(self) -> int | None:
        """Return the first sample that may have to be recognised again; None: no sound before now."""
        unsettled = [
            hearing.stretch.settled_to - QUIET_SEARCH_MS * self._state.per_ms
            for hearing in self._state.hearings
            if not hearing.stretch.is_ended and not hearing.is_given_up
        ]
        return min(unsettled, default=None)

    def feed(self, start_sample: int, samples: Samples) -> None:
        """The sound is in the replay ring; it is fed when the detector has come so far."""

    def rest(self, to_sample: int) -> None:
        """A hole is found when the sound behind it is fed."""

    def reach(self, sample: int) -> None:
        self._state.now = max(self._state.now, sample)
        if self._state.hearings:
            self._rest_when_silent()
            self._feed_all()

    def speech(self, utterance_id: int, sample: int, *, is_begin: bool) -> None:
        if self._lost is not None:
            return
        self._state.utterance_id, self._state.is_speaking = utterance_id, is_begin
        if not is_begin:
            self._state.speech_ends.append(sample)
            current = self._state.current
            if current is not None and self._feeder.is_old(current):
                self._end_stretch(current, self._state.now, "limit")
                self._open(utterance_id, self._state.now)
            return
        current = self._state.current
        if current is not None and self._feeder.was_torn(current, sample):
            self._restart(current, "pause")
        elif current is None:
            earliest = max([self._not_before, *(hearing.stretch.end_sample or 0 for hearing in self._state.hearings)])
            self._open(utterance_id, max(earliest, sample - LEAD_IN_MS * self._state.per_ms))

    def end(self, utterance_id: int, end_sample: int) -> None:
        self._is_ended.add(utterance_id)
        self._not_before = max(self._not_before, end_sample)
        goes_on = self._state.is_speaking or self._state.paused_at > end_sample
        for hearing in self._state.of(utterance_id):
            stretch = hearing.stretch
            if stretch.end_sample is None or stretch.end_sample > end_sample:
                self._end_stretch(hearing, max(end_sample, stretch.start_sample), "utterance")
                if goes_on and stretch.fed_to > end_sample:  # the stream has words of the next utterance
                    stretch.forget_from(end_sample)
                    self._restart(hearing, "utterance")
        self._state.utterance_id = utterance_id + 1
        if goes_on and self._lost is None:
            self._open(utterance_id + 1, end_sample)
        self._forget_old()

    def recognize(self, speech: Speech, *, is_final: bool) -> None:
        if self._lost is not None:
            self._state.report(Unheard(speech.request_id, "ENGINE_LOST", self._lost.message))
            return
        self._answers.ask(speech, is_final=is_final)
        for hearing in self._state.of(speech.utterance_id):
            if hearing.stretch.end_sample is None:
                hearing.flush_at = self._state.now
                self._feed(hearing)
        asyncio.get_running_loop().call_soon(self._answers.answer_ready)  # never before this returns

    def prepare(self, speech: Speech) -> None:
        """Do nothing: the words are recognised as they come."""

    def cancel(self, request_id: int) -> None:
        self._answers.drop(request_id)

    def forget(self, from_sample: int, to_sample: int) -> None:
        """Drop the words of a stretch; the sound before and behind it is recognised apart."""
        for hearing in list(self._state.hearings):
            stretch = hearing.stretch
            end = stretch.end_sample if stretch.end_sample is not None else self._state.now
            if stretch.start_sample >= to_sample or end <= from_sample:
                continue
            goes_on = stretch.end_sample is None and self._state.is_speaking
            behind = [one for one in stretch.settled if one.start_sample >= to_sample]
            has_before = stretch.start_sample < from_sample - LEAD_IN_MS * self._state.per_ms
            if has_before:
                stretch.forget_from(from_sample)
                self._end_stretch(hearing, from_sample, "discard")
                self._restart(hearing, "discard")
            else:
                self._close_stream(hearing)
                self._state.hearings.remove(hearing)
            if to_sample < end or goes_on:
                self._open(stretch.utterance_id, to_sample, stretch.end_sample, behind)
        self._state.said.pop(self._state.utterance_id, None)

    def attend(self, hints: Hints) -> None:
        self._state.hints = hints

    def finish(self) -> None:
        for hearing in self._state.hearings:
            if hearing.stretch.end_sample is None:
                self._end_stretch(hearing, self._state.now, "finish")
        self._feed_all()

    def close(self) -> None:
        self._is_closed = True
        self._stalls.close()
        for request_id in list(self._state.asked):
            self._answers.drop(request_id)
        for hearing in self._state.hearings:
            self._close_stream(hearing)
        self._state.hearings.clear()

    def _open(
        self, utterance_id: int, start_sample: int, end_sample: int | None = None, settled: Sequence[Segment] = ()
    ) -> None:
        retrying = Retrying(self._state.limits.most_tries, self._state.limits.longest_wait_s)
        hearing = Hearing(Stretch(utterance_id, start_sample, end_sample, list(settled)), retrying)
        self._state.hearings.append(hearing)
        self._state.hearings.sort(key=lambda one: one.stretch.start_sample)
        self._stalls.watch()
        self._open_stream(hearing)
        self._feed_all()

    def _open_stream(self, hearing: Hearing) -> None:
        hearing.waits = None
        hearing.is_finishing = False
        hearing.flushed_at = None
        is_awaited = self._state.is_awaited(hearing.stretch.utterance_id)
        hearing.flush_at = self._state.now if is_awaited else None
        hearing.answered_to = hearing.stretch.fed_to
        hearing.moved_at = hearing.said_at = asyncio.get_running_loop().time()
        hearing.stream = self._recogniser.open(
            call_id=self._call_id,
            sample_rate_hertz=self._state.rate,
            hints=self._state.hints,
            report=lambda report: self._take(hearing, stream, report),
        )
        stream = hearing.stream

    def _close_stream(self, hearing: Hearing) -> None:
        if hearing.waits is not None:
            hearing.waits.cancel()
            hearing.waits = None
        if hearing.stream is not None:
            hearing.stream.close()
            hearing.stream = None

    def _end_stretch(self, hearing: Hearing, end_sample: int, why: str) -> None:
        """End a stretch at `end_sample`; its stream is finished once it was fed so far."""
        hearing.stretch.end_sample = end_sample
        STREAMS_TOTAL.labels(why).inc()
        self._feed(hearing)

    def _rest_when_silent(self) -> None:
        current = self._state.current
        if current is None or self._state.is_speaking:
            return
        if self._state.now - self._state.paused_at >= REST_AFTER_MS * self._state.per_ms:
            self._end_stretch(current, self._state.now, "silence")

    def _restart(self, hearing: Hearing, why: str) -> None:
        """Have another stream recognise the sound whose words are not settled."""
        self._close_stream(hearing)
        STREAMS_TOTAL.labels(why).inc()
        stretch = hearing.stretch
        stretch.begin_stream(
            self._feeder.quietest_near(stretch.settled_to) if stretch.settled else stretch.start_sample
        )
        self._open_stream(hearing)
        self._feed(hearing)

    def _break(self, hearing: Hearing, broken: streams.Broken) -> None:
        """A stream broke: open another one after a backoff, or give up."""
        self._close_stream(hearing)
        log.warning("recogniser_stream_broken", call_id=self._call_id, reason=broken.reason, error=broken.message)
        STREAMS_TOTAL.labels(broken.reason.lower()).inc()
        stretch = hearing.stretch
        fed_s = (stretch.fed_to - stretch.stream_start) / self._state.rate
        wait_s = hearing.retrying.next_wait_s(broken, settled_to=stretch.settled_to, fed_s=fed_s)
        if wait_s is None:
            self._lose(hearing, broken)
            return
        hearing.waits = asyncio.get_running_loop().call_later(wait_s, self._try_again, hearing)

    def _try_again(self, hearing: Hearing) -> None:
        hearing.waits = None
        self._restart(hearing, "break")

    def _lose(self, hearing: Hearing, broken: streams.Broken) -> None:
        """The engine cannot go on with this call."""
        hearing.is_given_up = True
        self._lost = Lost(
            hearing.stretch.settled_to, broken.reason, broken.message, broken.is_retryable, broken.retry_after_s
        )
        for one in self._state.hearings:
            self._close_stream(one)
        for request_id in list(self._state.asked):
            self._answers.drop(request_id)
            self._state.report(Unheard(request_id, "ENGINE_LOST", broken.message))
        self._state.report(self._lost)

    def _feed_all(self) -> None:
        for hearing in list(self._state.hearings):
            self._feed(hearing)

    def _take(self, hearing: Hearing, stream: streams.RecogniserStream, report: streams.StreamReport) -> None:
        """Take a report of a stream. Reports of a stream that was replaced do not count."""
        if self._is_closed or hearing.stream is not stream:
            return
        stretch = hearing.stretch
        if isinstance(report, streams.Broken):
            self._break(hearing, report)
            return
        if not isinstance(report, streams.Processed):
            hearing.answered_to = stretch.fed_to
            hearing.said_at = asyncio.get_running_loop().time()
        hearing.moved_at = asyncio.get_running_loop().time()
        has_changed = False
        match report:
            case streams.Processed(end_offset):
                stretch.listened(end_offset)
            case streams.Flushed(end_offset, compute_us):
                stretch.flushed(end_offset)
                stretch.compute_us = compute_us
            case streams.OpenWords():
                has_changed = stretch.on_open_words(report)
            case streams.SettledWords():
                has_changed = stretch.on_settled_words(report, self._state.speech_ends, self._state.per_ms)
            case streams.Ended():
                self._settle(hearing)
                has_changed = True
            case streams.SignOfLife():
                pass
        self._feed(hearing)
        self._answers.answer_ready()
        if has_changed:
            self._answers.tell_change(stretch.utterance_id)
        self._forget_old()
        self._state.report(Listened())

    def _settle(self, hearing: Hearing) -> None:
        """Settle the words of a stretch as they are."""
        hearing.stretch.settle()
        self._close_stream(hearing)

    def _stalled(self, hearing: Hearing, seconds: float) -> None:
        self._break(hearing, streams.Broken("STALLED", f"no answer for {seconds:.1f} s"))

    def _give_up_waiting(self, hearing: Hearing) -> None:
        """A stream does not end: recognise the stretch again where its words are awaited, else keep the words."""
        is_awaited = self._state.is_awaited(hearing.stretch.utterance_id)
        if is_awaited and not self._answers.text_of(hearing.stretch.utterance_id):
            self._break(hearing, streams.Broken("STALLED", "the stream does not end"))
            return
        self._settle(hearing)
        self._answers.answer_ready()
        self._forget_old()

    def _forget_old(self) -> None:
        """Drop utterances that are over: recognised to their end, or too old to be corrected."""
        awaited = {one.speech.utterance_id for one in self._state.asked.values()}
        oldest = self._state.utterance_id - REMEMBERED_UTTERANCES
        for utterance_id in self._is_ended - awaited:
            hearings = self._state.of(utterance_id)
            if utterance_id >= oldest and not all(hearing.stretch.is_ended for hearing in hearings):
                continue
            if utterance_id >= self._state.utterance_id - 1 and utterance_id not in self._state.said:
                continue  # the words of the utterance may yet be asked for
            for hearing in hearings:
                self._close_stream(hearing)
                self._state.hearings.remove(hearing)
        self._is_ended = {one for one in self._is_ended if one >= oldest}
        for known in [one for one in self._state.said if one < oldest]:
            del self._state.said[known]

    def _feed(self, hearing: Hearing) -> None:
        """Feed the stream as much as it may take; open another one where the stretch cannot go on in one stream."""
        match self._feeder.feed(hearing):
            case Hole(from_sample, to_sample):
                self._end_stretch(hearing, from_sample, "hole")
                self._open(hearing.stretch.utterance_id, to_sample)
            case TooOld():
                self._restart(hearing, "limit")
