"""Decides how long the chunks towards the STT stage are: short where a voice may begin or end, long elsewhere."""

from enum import Enum
from math import log2
from typing import Final

from services.call_gateway.sound.track import Frame

# Levels are compared on a logarithmic scale that flattens out below -48 dBFS, where differences mean nothing.
_FLATTENED_BELOW: Final = 132.0  # root mean square of 16-bit samples
_DB_PER_DOUBLING: Final = 6.02
_CHANGE_DB: Final = 2.2  # between this frame and the mean of those before it
_QUIET_DB: Final = 2.2  # about -58 dBFS: no word is so soft
_FLOOR_RISE_DB: Final = 0.019  # a frame, about 1 dB a second: what stays is the line's noise
_NOISE_DB: Final = 3.8  # by so much a steady noise comes and goes above its softest
_MEMORY: Final = 0.25  # weight of the newest frame in the mean
_LOUD_DB: Final = 12.0  # what is no softer than that below the voice's peaks is the voice going on
_PEAK_DECAY: Final = 0.02  # of the way down to the newest frame, each frame: a second or so

ONSET_MS: Final = 100  # after a rise of the level a voice may begin; once the STT stage hears it, that is no news
DIP_MS: Final = 60  # a voice that is low for no longer goes on: no detector takes two windows of 32 ms for less
END_MS: Final = 300  # after a longer one, or a fall, until the voice comes back or the pause is judged: a turn may end


class ChunkLimit(Enum):
    """The longest chunk, in ms, that a frame may wait for on its way to the STT stage."""

    AT_ONCE = 0
    SOON = 40
    VOICE_GOES_ON = 100
    QUIET = 200


class ChunkPolicy:
    """Follows the level of one call's sound, and what the STT stage hears in it."""

    def __init__(self, sample_rate_hertz: int) -> None:
        per_ms = sample_rate_hertz / 1000
        self._onset_samples, self._end_samples = int(ONSET_MS * per_ms), int(END_MS * per_ms)
        self._dip_samples = DIP_MS * per_ms
        self._mean_db: float | None = None
        self._peak_db = 0.0
        self._floor_db = 0.0  # the softest the line has lately been
        self._low_samples = 0  # for so long the line has been softer than a voice that goes on
        self._was_voice_heard = False
        self._is_pause_judged = False
        self._onset_until = 0  # samples of the caller's clock, as the next
        self._end_until = 0

    def observe(self, frame: Frame, *, is_voice_heard: bool, is_agent_speaking: bool) -> ChunkLimit:
        """Take the next frame. `is_voice_heard`: the STT stage has said that it hears a voice. While the agent
        speaks any sound may be an interruption.
        """
        level_db = _DB_PER_DOUBLING * log2(1 + frame.level / _FLATTENED_BELOW)
        difference = 0.0 if self._mean_db is None else level_db - self._mean_db
        self._mean_db = level_db if self._mean_db is None else self._mean_db + _MEMORY * difference
        self._peak_db = max(level_db, self._peak_db + _PEAK_DECAY * (level_db - self._peak_db))
        self._floor_db = min(level_db, self._floor_db + _FLOOR_RISE_DB)
        is_low = level_db < self._peak_db - _LOUD_DB
        has_fallen = is_low and difference < -_CHANGE_DB
        was_away = self._low_samples > self._dip_samples
        self._low_samples = self._low_samples + frame.end_sample - frame.start_sample if is_low else 0
        voice_goes_on = is_voice_heard and self._low_samples <= self._dip_samples
        has_begun = is_voice_heard and not self._was_voice_heard
        self._was_voice_heard = is_voice_heard
        if voice_goes_on:
            self._on_voice(frame.end_sample, was_away=was_away, has_begun=has_begun)
        elif difference > _CHANGE_DB:
            self._is_pause_judged = False
            self._onset_until = frame.end_sample + self._onset_samples
        elif (is_voice_heard or has_fallen) and not self._is_pause_judged:
            # A voice much softer than the one before it, or than the agent's own that came back, is low all the time.
            fell = frame.end_sample if has_fallen else frame.end_sample - self._low_samples
            self._end_until = max(self._end_until, fell + self._end_samples)
        is_quiet = level_db < max(_QUIET_DB, self._floor_db + _NOISE_DB)
        if frame.end_sample < max(self._onset_until, self._end_until) or (is_agent_speaking and not is_quiet):
            return ChunkLimit.AT_ONCE
        if voice_goes_on:
            return ChunkLimit.VOICE_GOES_ON
        return ChunkLimit.QUIET if is_quiet and not is_voice_heard else ChunkLimit.SOON

    def _on_voice(self, end_sample: int, *, was_away: bool, has_begun: bool) -> None:
        self._is_pause_judged, self._end_until = False, 0
        if was_away:  # the STT stage may have told its end, and that is on the way
            self._onset_until = end_sample + self._onset_samples
        elif has_begun:
            self._onset_until = 0

    def on_pause_judged(self) -> None:
        """The STT stage has found the end of the voice and its words: the silence behind it is not urgent."""
        self._end_until = 0
        self._is_pause_judged = True
