"""Which of the caller's sound the ear should have at once: that with which a voice may begin or end."""

from typing import Final

from services.audio.pcm import AudioFormat
from services.call_gateway.stages.loudness import Loudness

ONSET_MS: Final = 100
"""After a rise of the level a voice may begin; once the ear hears it, that is no news."""
DIP_MS: Final = 60
"""A voice that is low for no longer goes on: no ear takes two windows of 32 ms for less."""
END_MS: Final = 300
"""After a longer one, or a fall, until the voice comes back or the ear has judged the pause: a turn may end."""


class Urgency:
    """Follows the level of one call's sound and what the ear makes of it."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self._per_ms = audio_format.sample_rate_hertz / 1000
        self._loudness = Loudness(audio_format)
        self._low_samples = 0  # for so long the line has been softer than a voice that goes on
        self._was_voice_heard = False
        self._is_pause_judged = False
        self._onset_until = 0  # samples of the caller's clock, as the next
        self._end_until = 0
        self.does_voice_go_on = False
        """The voice the ear hears is there still, as far as the level tells."""

    @property
    def is_quiet(self) -> bool:
        """No word is so soft."""
        return self._loudness.is_quiet

    def hear(self, content: bytes, start_sample: int, end_sample: int, *, is_voice_heard: bool) -> bool:
        """The next sound, and whether the ear hears a voice, as far as it has told. True: it is urgent."""
        level = self._loudness
        level.hear(content)
        was_away = self._low_samples > DIP_MS * self._per_ms
        self._low_samples = self._low_samples + end_sample - start_sample if level.is_low else 0
        has_begun = is_voice_heard and not self._was_voice_heard
        self._was_voice_heard = is_voice_heard
        self.does_voice_go_on = is_voice_heard and self._low_samples <= DIP_MS * self._per_ms
        if self.does_voice_go_on:
            self._is_pause_judged, self._end_until = False, 0
            if was_away:  # the ear may have told its end, and that is on the way
                self._onset_until = end_sample + int(ONSET_MS * self._per_ms)
            elif has_begun:
                self._onset_until = 0
        elif level.has_risen:
            self._is_pause_judged = False
            self._onset_until = end_sample + int(ONSET_MS * self._per_ms)
        elif (is_voice_heard or level.has_fallen) and not self._is_pause_judged:
            # A voice much softer than the one before it, or than our own that came back, is low all the time.
            fell = end_sample if level.has_fallen else end_sample - self._low_samples
            self._end_until = max(self._end_until, fell + int(END_MS * self._per_ms))
        return end_sample < max(self._onset_until, self._end_until)

    def pause_is_judged(self) -> None:
        """The ear has found the end of the voice and its words: nobody waits for the silence behind it."""
        self._end_until = 0
        self._is_pause_judged = True
