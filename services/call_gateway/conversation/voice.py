"""Voice: one turn as it is spoken, with its words, its sound, and the place of each word in the sound.

Offsets count Unicode code points of the turn's text as sent. Samples count from the turn's first, at the leg's rate. A
word is heard when its last sample has been played, never sooner: the agent must not take a word for said that the
caller may have missed.
"""

from bisect import bisect_right
from dataclasses import dataclass

from services.audio.pcm import AudioFormat, TornSample
from services.call_gateway.conversation.events import VoiceAudio, VoiceMark
from services.language.words import word_ends

CODE_POINTS_PER_S = 15  # of ordinary speech
MAX_GAP_MS = 1000  # a longer hole in the sound is no hole but an error
KEPT_BEHIND_MS = 10_000  # played sound kept for going back to the start of a word


@dataclass(frozen=True, slots=True)
class Mark:
    """The first `offset` code points end at `sample`."""

    offset: int
    sample: int


START = Mark(0, 0)


class Voice:
    """The words and sound of one turn. `position` is the next sample to be given to the line."""

    def __init__(self, turn_id: int, audio_format: AudioFormat, *, max_held_ms: int) -> None:
        self.turn_id = turn_id
        self.text = ""
        self.position = 0
        self.furthest = 0  # the highest position so far: going back unsays nothing
        self.is_complete = False  # no more sound will come
        self.dropped_chunks = 0  # late, overlapping, torn or beyond the bound
        self._format = audio_format
        self._max_held = max_held_ms * audio_format.sample_rate_hertz // 1000
        self._marks: list[Mark] = [START]
        self._base = START  # where a fresh TTS stream took over
        self._sound = bytearray()
        self._forgotten = 0  # samples cut off the front of _sound
        self._is_full = False
        self._is_measured = True  # by the latest mark

    # -- filling -------------------------------------------------------------------------------------------------------

    def write(self, text: str) -> None:
        """More words of the turn."""
        self.text += text

    def mark(self, news: VoiceMark) -> None:
        """Words that end at a sample. A mark that goes back is dropped."""
        mark = Mark(news.text_end_offset, self._base.sample + news.end_sample)
        last = self._marks[-1]
        if mark.offset < last.offset or mark.sample < last.sample or mark.offset > len(self.text):
            self.dropped_chunks += 1
            return
        self._marks.append(mark)
        self._is_measured = news.is_measured

    def add_audio(self, news: VoiceAudio) -> bool:
        """More sound of the turn. False when it cannot be used: late, torn, or beyond the bound."""
        try:
            n_samples = self._format.samples_in(news.content)
        except TornSample:
            n_samples = 0
        gap = self._base.sample + news.start_sample - self.received
        is_placed = -n_samples < gap <= MAX_GAP_MS * self._format.sample_rate_hertz // 1000
        if n_samples == 0 or self.is_complete or self._is_full or not is_placed:
            self.dropped_chunks += 1
            return False
        if self.received + gap + n_samples - self.position > self._max_held:
            self._is_full = True  # what follows would not join on
            self.dropped_chunks += 1
            return False
        if gap > 0:
            self._sound += self._format.silence(gap)
        self._sound += news.content[max(0, -gap) * self._format.bytes_per_sample :]
        return True

    def complete(self) -> None:
        """All sound of the turn has come; the words end where it ends."""
        if not self.is_complete:
            self.is_complete = True
            self._marks.append(Mark(len(self.text), max(self.received, self._marks[-1].sample)))

    def cut(self, sample: int) -> None:
        """Stop the playout at that sample."""
        keep = max(sample, self.position) - self._forgotten
        del self._sound[keep * self._format.bytes_per_sample :]
        self.is_complete = True

    def go_on_from(self, offset: int) -> None:
        """A fresh TTS stream speaks on from that offset: its samples join on to what has been played."""
        self._sound.clear()
        self._forgotten = self.position = self.furthest
        self._base = Mark(offset, self.position)
        self._marks = [mark for mark in self._marks if mark.offset <= offset and mark.sample <= self.position]
        self._marks.append(self._base)
        self.is_complete = self._is_full = False

    @property
    def start_offset(self) -> int:
        """The code point of the text at which the TTS stream in use began."""
        return self._base.offset

    @property
    def marked_offset(self) -> int:
        """Return how many code points of the text the sound that has come reaches."""
        return self._marks[-1].offset

    # -- playing -------------------------------------------------------------------------------------------------------

    @property
    def received(self) -> int:
        """Samples that have come, from the turn's first."""
        return self._forgotten + len(self._sound) // self._format.bytes_per_sample

    @property
    def is_spent(self) -> bool:
        """Everything has been given to the line."""
        return self.is_complete and self.position >= self.received

    def pull(self, n_samples: int) -> bytes | None:
        """The next frame, `n_samples` long, in the call's audio format; padded with silence when it is the last.

        None when too little has come.
        """
        available = min(self.received - self.position, n_samples)
        if available <= 0 or (available < n_samples and not self.is_complete):
            return None
        start = (self.position - self._forgotten) * self._format.bytes_per_sample
        frame = bytes(self._sound[start : start + available * self._format.bytes_per_sample])
        self.position += available
        self.furthest = max(self.furthest, self.position)
        self._forget()
        return frame + self._format.silence(n_samples - available)

    def _forget(self) -> None:
        kept = KEPT_BEHIND_MS * self._format.sample_rate_hertz // 1000
        spare = self.position - self._forgotten - 2 * kept
        if spare > 0:  # now and then, not with every frame
            del self._sound[: (spare + kept) * self._format.bytes_per_sample]
            self._forgotten += spare + kept

    def rewind(self, sample: int) -> None:
        """Play again from an earlier sample, as far as it is kept."""
        self.position = max(self._forgotten, min(sample, self.position))

    # -- hearing -------------------------------------------------------------------------------------------------------

    def offset_at(self, sample: int) -> int:
        """Return how many code points have been heard when everything before `sample` has been played."""
        before, after = self._around(sample)
        if after.sample <= before.sample:
            return before.offset
        span = after.offset - before.offset
        reach = before.offset + (sample - before.sample) * span // (after.sample - before.sample)
        ends = word_ends(self.text[before.offset : after.offset])
        whole = [before.offset + end for end in ends if before.offset + end <= reach]
        return whole[-1] if whole else before.offset

    def word_start(self, sample: int) -> int:
        """The sample at which the word spoken at `sample` begins; both count from the first of this voice."""
        before, after = self._around(sample)
        behind = self.offset_at(sample) - before.offset
        if behind == 0:
            return min(before.sample, sample)
        span = after.offset - before.offset
        return before.sample + -(-behind * (after.sample - before.sample) // span)

    def word_end(self, sample: int) -> int:
        """The sample at which the word spoken at `sample` ends; both count from the first of this voice."""
        before, after = self._around(sample)
        if after.sample <= before.sample:
            return sample
        span = after.offset - before.offset
        ends = word_ends(self.text[before.offset : after.offset])
        places = (before.sample + -(-end * (after.sample - before.sample) // span) for end in ends)
        return next((place for place in places if place >= sample), after.sample)

    def _around(self, sample: int) -> tuple[Mark, Mark]:
        """The marks a sample lies between. A mark comes before the sound that holds its last sample: while the next has
        not come, no measured word has ended; where marks are no measurements, words are guessed from an ordinary pace.
        """
        index = bisect_right(self._marks, sample, key=lambda mark: mark.sample)
        before = self._marks[index - 1]
        if index < len(self._marks):
            return before, self._marks[index]
        if self.is_complete or self._is_measured:
            return before, before
        rest = len(self.text) - before.offset
        pace = rest * self._format.sample_rate_hertz // CODE_POINTS_PER_S
        return before, Mark(len(self.text), max(before.sample + pace, self.received + 1))
