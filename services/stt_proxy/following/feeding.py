"""Feeding of streams: the call's sound from the replay ring, as far ahead as the recogniser takes it."""

import asyncio
from dataclasses import dataclass

import numpy as np

from services.stt_proxy.following.state import FollowedState, Hearing
from services.stt_proxy.following.stretch import Stretch

PIECE_MS = 100  # the longest sound fed at once
LONGEST_FILLED_MS = 1000  # a hole this long is fed as silence; behind a longer one a new stream begins
QUIET_SEARCH_MS = 60  # where a new stream takes over: the quietest place around the end of the last settled word
QUIET_FRAME_MS = 10
SHORT_PAUSE_MS = 400  # silence put into a shorter one tears the words around it apart


@dataclass(frozen=True, slots=True)
class Hole:
    """A gap without sound, longer than is filled with silence: the sound behind it is another stretch."""

    from_sample: int
    to_sample: int


@dataclass(frozen=True, slots=True)
class TooOld:
    """The stream is too old: no pause came before the provider's limit, another stream goes on behind the last settled
    word.
    """


class Feeder:
    """Feeder of the streams of one call."""

    def __init__(self, state: FollowedState) -> None:
        self._state = state

    def feed(self, hearing: Hearing) -> Hole | TooOld | None:
        """Feed the stream as much as it may take; return why the stretch cannot go on in one stream, if it cannot."""
        stretch, stream = hearing.stretch, hearing.stream
        if stream is None or hearing.is_finishing or stretch.is_ended:
            return None
        most_ahead = self._state.limits.most_ahead_ms * self._state.per_ms
        while stretch.fed_to - stretch.listened_to < most_ahead:
            end = stretch.end_sample if stretch.end_sample is not None else self._state.now
            left = min(end, self._state.now if hearing.flush_at is None else hearing.flush_at) - stretch.fed_to
            clip = (
                self._state.recording.read(stretch.fed_to, min(left, PIECE_MS * self._state.per_ms))
                if left > 0
                else None
            )
            if clip is not None and clip.start_sample >= self._state.now:
                clip = None
            if clip is None and hearing.flush_at is not None:
                hearing.flush_at, hearing.flushed_at = None, stretch.fed_to
                stream.flush()
                continue
            if clip is None:
                break
            hole = clip.start_sample - stretch.fed_to
            if hole > LONGEST_FILLED_MS * self._state.per_ms and stretch.end_sample is None:
                return Hole(stretch.fed_to, clip.start_sample)
            if hole > 0:
                stretch.fed_to += min(hole, left)
                stream.feed(np.zeros(min(hole, left), dtype=np.int16))
                continue
            stretch.fed_to += len(clip.samples)
            stream.feed(clip.samples)
            if self._is_too_old(hearing):
                return TooOld()
        if stretch.end_sample is not None and stretch.end_sample <= self._state.now and self._is_fed(stretch):
            hearing.is_finishing = True
            hearing.finished_at = asyncio.get_running_loop().time()
            stream.finish()
        return None

    def lags(self, hearing: Hearing) -> bool:
        """Return whether the recogniser has yet to take sound that is there."""
        stretch = hearing.stretch
        if stretch.is_ended or hearing.is_given_up:
            return False
        return stretch.listened_to < stretch.fed_to or not self._is_fed(stretch)

    def quietest_near(self, sample: int) -> int:
        """The quietest 10 ms around the end of a word: recognisers place words to within some frames."""
        reach, length = QUIET_SEARCH_MS * self._state.per_ms, QUIET_FRAME_MS * self._state.per_ms
        clips = self._state.recording.cut(sample - reach, sample + reach)
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

    def is_old(self, hearing: Hearing) -> bool:
        """Return whether the next pause should open another stream, before the provider's limit ends this one."""
        age = hearing.stretch.fed_to - hearing.stretch.stream_start
        return bool(self._state.limits.roll_over_s) and age >= self._state.limits.roll_over_s * self._state.rate

    def was_torn(self, hearing: Hearing, onset: int) -> bool:
        """Return whether the stream was flushed in a pause so short that the words around it must be recognised
        again.
        """
        stretch, flushed_at = hearing.stretch, hearing.flushed_at
        hearing.flushed_at = None
        if flushed_at is None or flushed_at < self._state.paused_at or not self._state.limits.most_reheard_s:
            return False
        is_short = onset - self._state.paused_at < SHORT_PAUSE_MS * self._state.per_ms
        return (
            is_short and stretch.fed_to - stretch.stream_start <= self._state.limits.most_reheard_s * self._state.rate
        )

    def _is_fed(self, stretch: Stretch) -> bool:
        """Return whether the stream was fed all the sound there is; in a hole there is none."""
        end = self._state.now if stretch.end_sample is None else min(stretch.end_sample, self._state.now)
        left = end - stretch.fed_to
        clip = self._state.recording.read(stretch.fed_to, left) if left > 0 else None
        return clip is None or clip.start_sample >= end  # what lies behind waits for the detector

    def _is_too_old(self, hearing: Hearing) -> bool:
        stretch = hearing.stretch
        longest = self._state.limits.longest_s * self._state.rate
        return bool(longest) and stretch.fed_to - stretch.stream_start >= longest
