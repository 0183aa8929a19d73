"""Words that come out of hold music: an announcement, or somebody who is there after all?

Sound that has gone on without a word is no conversation, and an announcement in it does not make it one. Words that
come out of such sound and are followed by it, or that were heard before, are answered by nobody. Since a person may
speak over music too, new words are first asked, twice a call, whether anybody is there: whoever answers that is one.
Words after which the line is quiet, or that come out of quiet, are a person's.
"""

from collections import deque
from difflib import SequenceMatcher
from enum import Enum
from typing import Final

from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.line_sound import LineSound
from services.language.words import normalise

KEPT_TEXTS: Final = 20
ALIKE: Final = 0.8  # of 1; a recogniser writes the same announcement a little differently each time
LEAST_CHARS: Final = 8  # shorter words are said again by everybody
LETTER_MS: Final = 150  # of slow speech; what an utterance lasts longer was music that the ear took for speech
PAUSE_MS: Final = 500  # within words
MAX_QUESTIONS: Final = 2  # a call
ANSWER_MS: Final = 10_000  # within which the question is answered; announcements come at longer intervals


class Origin(Enum):
    """Who probably said something."""

    PERSON = "person"
    DOUBT = "doubt"  # ask whether anybody is there
    RECORDING = "recording"


class Recordings:
    """Counts sound without a word, and judges words that come out of it. In the caller's own time."""

    def __init__(self, state: CallState, sound: LineSound) -> None:
        self._state = state
        self._sound = sound
        self._texts: deque[str] = deque(maxlen=KEPT_TEXTS)
        self._words_end = 0  # of the last words, in samples
        self._n_asked = 0
        self._asked_at: int | None = None  # in samples
        self.wordless_samples = 0

    @property
    def is_wordless(self) -> bool:
        """What is heard has been no conversation for so long that nobody need be spoken to."""
        return self.wordless_samples >= self._state.clock.samples(self._state.settings.wordless_limit_ms)

    def is_left_alone(self, end_sample: int) -> bool:
        """Whether sound that is no conversation goes on behind an utterance that ended there."""
        return self.is_wordless and self._sound.sounds_since(end_sample)

    def forget_sound(self) -> None:
        """The line is quiet, or somebody is there: what was counted is void."""
        self.wordless_samples = 0

    def judge(self, text: str, began_sample: int, end_sample: int) -> Origin:
        """Who said a turn's words, which lie there in the caller's sound."""
        longest_ms = PAUSE_MS + len(_letters(text)) * LETTER_MS
        began_sample = max(began_sample, end_sample - self._state.clock.samples(longest_ms))
        is_out_of_music = self._sound.is_music_around(began_sample, end_sample, not_before=self._words_end)
        self._words_end = end_sample
        if not is_out_of_music:
            self.forget_sound()
            return Origin.PERSON
        was_heard = self._was_heard(text)
        self._texts.append(_letters(text))
        if not self.is_wordless:
            return Origin.PERSON  # and the sound is counted on
        if was_heard:
            return Origin.RECORDING
        if self._is_answer(began_sample) or not self._sound.sounds_since(end_sample):
            self.forget_sound()
            return Origin.PERSON
        if self._n_asked >= MAX_QUESTIONS:
            return Origin.RECORDING
        self._n_asked += 1
        self._asked_at = self._state.clock.sample
        return Origin.DOUBT

    def _is_answer(self, began_sample: int) -> bool:
        asked_at, self._asked_at = self._asked_at, None
        return asked_at is not None and began_sample - asked_at <= self._state.clock.samples(ANSWER_MS)

    def _was_heard(self, text: str) -> bool:
        letters = _letters(text)
        return len(letters) >= LEAST_CHARS and any(
            SequenceMatcher(None, letters, before, autojunk=False).ratio() >= ALIKE for before in self._texts
        )


def _letters(text: str) -> str:
    return "".join(normalise(text))
