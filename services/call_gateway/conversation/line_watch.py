"""Line watch: finds callers who say nothing, lines without packets, and lines whose sound is no conversation.

A caller who says nothing is asked twice whether they are there, then wished goodbye. No packet for some seconds is a
fault that the operator must look for, so it is reported, once for each likely cause. Sound that goes on without a word
is music on hold or a fax. Such a line is not asked whether the caller is still there, and the call is ended when the
sound has gone on for minutes.
"""

from collections import Counter, deque
from difflib import SequenceMatcher
from enum import Enum
from typing import Final

from services.call_gateway.conversation.actions import close, hang_up_soon
from services.call_gateway.conversation.call import Call, say
from services.call_gateway.conversation.commands import LineCause, LineTroubled
from services.call_gateway.conversation.floor import Decisions, Floor
from services.call_gateway.conversation.keys import Keypad
from services.call_gateway.conversation.user_turn import TurnPhase
from services.call_gateway.line import EndCause, IdleReason, LineMeasured, PacketsMissing
from services.call_gateway.media_clock import MediaClock
from services.call_gateway.prompts.book import PromptKind
from services.language.words import normalise

GAP_MS: Final = 4000  # a calling fax beeps for half a second in 3.5 (ITU-T T.30 section 4.1.1); music has pauses

KEPT: Final = 600  # measurements, ten a second: announcements longer than a minute do not exist
MOSTLY: Final = 0.6  # of a stretch
BEFORE_MS: Final = 5000  # music before words lies in this stretch
NEAR_MS: Final = 1000  # and comes as near to the words as this; a person who takes up a receiver needs longer
BACKGROUND: Final = 0.35  # as a factor of the words' level: a radio in the caller's room is fainter
AFTER_MS: Final = 100  # from the last word: a syllable may still ring
ONE_TONE: Final = 0.9  # of the sound has its peak at the same place
ONE_LEVEL: Final = 1.4  # as a factor: what a machine sends is neither loud nor faint
ONE_TONE_HERTZ: Final = 60  # to either side: a frame of 20 ms tells no finer

KEPT_TEXTS: Final = 20
ALIKE: Final = 0.8  # of 1; a recogniser writes the same announcement a little differently each time
LEAST_CHARS: Final = 8  # every caller repeats shorter words
LETTER_MS: Final = 150  # of slow speech; what an utterance lasts longer was music that the STT stage took for speech
PAUSE_MS: Final = 500  # within words
MAX_QUESTIONS: Final = 2  # a call
ANSWER_MS: Final = 10_000  # within which the question is answered; announcements come at longer intervals


class Origin(Enum):
    """The probable speaker of some words."""

    PERSON = "person"
    DOUBT = "doubt"  # ask whether a person is there
    RECORDING = "recording"


class LineSound:
    """The last minute of a line."""

    def __init__(self, clock: MediaClock) -> None:
        self._clock = clock
        self._looks: deque[LineMeasured] = deque(maxlen=KEPT)

    def on_measured(self, measured: LineMeasured) -> None:
        """The line was measured."""
        self._looks.append(measured)

    def is_music_around(self, began_sample: int, end_sample: int, *, not_before: int) -> bool:
        """Return whether words between two samples of the caller's clock came out of music as loud as themselves, as an
        announcement does. Sound up to `not_before` were words too.
        """
        since = max(not_before, began_sample - self._clock.samples(BEFORE_MS))
        before = [look for look in self._looks if since < look.sample <= began_sample]
        music = [look for look in before if look.is_sound]
        is_long = began_sample - since >= MOSTLY * self._clock.samples(BEFORE_MS)
        if not is_long or not music or len(music) < MOSTLY * len(before):
            return False
        if began_sample - music[-1].sample > self._clock.samples(NEAR_MS):
            return False
        words = [look for look in self._looks if began_sample < look.sample <= end_sample]
        return _loudness(music) >= BACKGROUND * _loudness(words)

    def sounds_since(self, end_sample: int) -> bool:
        """Return whether the line has been sounding since words ended there."""
        since = end_sample + self._clock.samples(AFTER_MS)
        after = [look.is_sound for look in self._looks if look.sample > since]
        after = after or [look.is_sound for look in list(self._looks)[-1:]]
        return sum(after) >= MOSTLY * max(1, len(after))

    def is_one_tone(self, since_sample: int) -> bool:
        """Return whether all that has been heard since then is the same tone: a machine's."""
        looks = [look for look in self._looks if look.is_sound and look.sample > since_sample]
        if not looks:
            return False
        levels = [look.level for look in looks]
        low, high = _percentile(levels, 25), _percentile(levels, 75)
        if high > ONE_LEVEL * low:
            return False
        peaks = [look.peak_hertz for look in looks]
        common = Counter(peaks).most_common(1)[0][0]
        return sum(abs(peak - common) <= ONE_TONE_HERTZ for peak in peaks) >= ONE_TONE * len(peaks)


def _loudness(looks: list[LineMeasured]) -> float:
    return _percentile([look.level for look in looks], 75) if looks else 0.0


def _percentile(values: list[float], percent: int) -> float:
    """Between the two nearest ranks, linearly. Raises IndexError when there are no values."""
    ranked = sorted(values)
    rank, part = divmod((len(ranked) - 1) * percent, 100)
    return ranked[rank] + (ranked[min(rank + 1, len(ranked) - 1)] - ranked[rank]) * part / 100


class Recordings:
    """Counts sound without a word, and tells the words of announcements in hold music from those of a person.

    Sound that has gone on without a word is no conversation, and an announcement in it does not make it one. Words that
    come out of such sound and are followed by it, or that were heard before, are not answered. Since a person may speak
    over music too, the gateway first asks, twice a call, whether a person is there; words that answer this are a
    person's. Words after which the line is quiet, or that come out of quiet, are a person's.
    """

    def __init__(self, call: Call, sound: LineSound) -> None:
        self._call = call
        self._sound = sound
        self._texts: deque[str] = deque(maxlen=KEPT_TEXTS)
        self._words_end = 0  # of the last words, in samples
        self._n_asked = 0
        self._asked_at: int | None = None  # in samples
        self.wordless_samples = 0

    @property
    def is_wordless(self) -> bool:
        """The sound has been no conversation for so long that no person is taken to be on the line."""
        return self.wordless_samples >= self._call.clock.samples(self._call.settings.wordless_limit_ms)

    @property
    def is_asking(self) -> bool:
        """The caller was asked whether a person is there, and has time left to answer."""
        asked_at, clock = self._asked_at, self._call.clock
        return asked_at is not None and clock.sample - asked_at <= clock.samples(ANSWER_MS)

    def is_left_alone(self, end_sample: int) -> bool:
        """Sound that is no conversation goes on behind an utterance that ended there."""
        return self.is_wordless and self._sound.sounds_since(end_sample)

    def reset(self) -> None:
        """Reset the count: the line is quiet, or a person is there."""
        self.wordless_samples = 0

    def judge(self, text: str, began_sample: int, end_sample: int) -> Origin:
        """Judge who said a turn's words, which lie there in the caller's sound."""
        longest_ms = PAUSE_MS + len(_letters(text)) * LETTER_MS
        began_sample = max(began_sample, end_sample - self._call.clock.samples(longest_ms))
        is_out_of_music = self._sound.is_music_around(began_sample, end_sample, not_before=self._words_end)
        self._words_end = end_sample
        if not is_out_of_music:
            self.reset()
            return Origin.PERSON
        was_heard = self._was_heard(text)
        self._texts.append(_letters(text))
        if not self.is_wordless:
            return Origin.PERSON  # and counting of the sound goes on
        if was_heard:
            return Origin.RECORDING
        if self._is_answer(began_sample) or not self._sound.sounds_since(end_sample):
            self.reset()
            return Origin.PERSON
        if self._n_asked >= MAX_QUESTIONS:
            return Origin.RECORDING
        self._n_asked += 1
        self._asked_at = self._call.clock.sample
        return Origin.DOUBT

    def _is_answer(self, began_sample: int) -> bool:
        asked_at, self._asked_at = self._asked_at, None
        return asked_at is not None and began_sample - asked_at <= self._call.clock.samples(ANSWER_MS)

    def _was_heard(self, text: str) -> bool:
        letters = _letters(text)
        return len(letters) >= LEAST_CHARS and any(
            SequenceMatcher(None, letters, before, autojunk=False).ratio() >= ALIKE for before in self._texts
        )


def _letters(text: str) -> str:
    return "".join(normalise(text))


class LineWatch:
    """The policy of lines without packets or words, in the caller's time. Hold and the agent's speech do not count."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._sound = LineSound(call.clock)
        self.recordings = Recordings(call, self._sound)
        self._measured_sample = 0  # where the last measurement lies
        self._sounding_until_sample = 0  # sound is taken to go on up to here
        self._told: set[LineCause] = set()

    def on_measured(self, measured: LineMeasured) -> None:
        """The line was measured, ten times a second."""
        call = self._call
        self._sound.on_measured(measured)
        if call.user_turn.evidence.is_sounding or measured.is_sound:
            self._sounding_until_sample = measured.sample + call.clock.samples(GAP_MS)
        passed, self._measured_sample = measured.sample - self._measured_sample, measured.sample
        if measured.sample > self._sounding_until_sample:
            self.recordings.reset()
        elif call.floor is Floor.LISTENING and not call.is_gateway_speaking and not call.user_turn.has_words:
            self.recordings.wordless_samples += passed
            if self.recordings.is_wordless:
                self._leave_alone(self.recordings.wordless_samples)

    def on_packets_missing(self, missing: PacketsMissing) -> None:
        """The line's clock went on, and no packet came."""
        call = self._call
        if missing.to_sample > self._sounding_until_sample:
            self.recordings.reset()
        if missing.n_samples < call.clock.samples(call.settings.no_sound_limit_ms):
            return
        if call.floor is Floor.HELD or missing.reason is IdleReason.HOLD:
            cause = LineCause.HOLD
        else:
            cause = LineCause.STOPPED if missing.has_packet_come else LineCause.NEVER_CAME
        self._tell(cause, missing.n_samples)

    def _leave_alone(self, wordless_samples: int) -> None:
        """End a call without a person: after the limit goodbye is said. A caller who speaks meanwhile is answered."""
        call = self._call
        is_tone = self._sound.is_one_tone(self._measured_sample - wordless_samples)
        if not self._told & {LineCause.TONE, LineCause.NO_CONVERSATION}:
            self._tell(LineCause.TONE if is_tone else LineCause.NO_CONVERSATION, wordless_samples)
        limit_ms = call.settings.wordless_end_ms
        is_over = limit_ms and wordless_samples >= call.clock.samples(limit_ms)
        if is_over and call.hang_up is None and not self.recordings.is_asking:
            likely = "a fax or modem" if is_tone else "music on hold or voicemail"
            message = f"{limit_ms // 1000} s of sound without a word: {likely}"
            say(call, PromptKind.SILENCE_GOODBYE)
            hang_up_soon(call, EndCause.SILENCE, message=message)

    def _tell(self, cause: LineCause, n_samples: int) -> None:
        if cause not in self._told:
            self._told.add(cause)
            self._call.command(LineTroubled(cause, n_samples * 1000 // self._call.clock.sample_rate_hertz))


class SilenceWatch:
    """The policy of silence: the agent is done, and the caller makes no sound."""

    def __init__(self, call: Call, keypad: Keypad, recordings: Recordings) -> None:
        self._call = call
        self._keypad = keypad
        self._recordings = recordings
        self._n_asked = 0
        self._left_at_sample: int | None = None
        self.deadline: float | None = None  # by the wall: when it has lasted long enough; None: no silence

    def on_caller_left(self) -> None:
        """A program caller closed its half: it will say nothing more, and hears the reply to what it said."""
        self._left_at_sample = self._call.clock.sample

    def review(self) -> Decisions:
        """After every event: does the caller or the agent still do something?"""
        call = self._call
        if call.reply is not None and not call.reply.is_greeting:
            self._n_asked = 0  # the caller took part
        if not self._is_quiet():
            self.deadline = None
        elif self._left_at_sample is not None and call.user_turn.evidence.heard_sample >= self._left_at_sample:
            yield close(EndCause.CALLER, None)
        elif self.deadline is None:
            self.deadline = call.clock.wall + call.settings.silence_prompt_ms / 1000

    def _is_quiet(self) -> bool:
        call = self._call
        return call.floor is Floor.LISTENING and not (
            call.is_gateway_speaking
            or call.hang_up is not None
            or call.user_turn.phase is not TurnPhase.SILENT
            or self._keypad.is_waiting
            or self._recordings.is_wordless  # music or a fax: there is no person to ask
        )

    def on_timer(self) -> Decisions:
        """The silence may have lasted long enough."""
        call = self._call
        if self.deadline is None or call.clock.wall < self.deadline:
            return
        self.deadline = None
        if self._left_at_sample is not None:
            yield close(EndCause.CALLER, None)
        elif self._n_asked < call.settings.silence_prompts:
            self._n_asked += 1
            say(call, PromptKind.STILL_THERE)
        else:
            say(call, PromptKind.SILENCE_GOODBYE)
            hang_up_soon(call, EndCause.SILENCE)
