"""Audio track of one turn as it goes on the wire: clauses joined, marked and cut into chunks. Sans-IO."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from services.audio.leveller import Leveller
from services.audio.pcm import AudioFormat, Samples, encode
from services.audio.polyphase import PolyphaseResampler
from services.audio.speech_level import SpeechLevelMeter
from services.language.reading.spoken import Spoken
from services.tts.engine import Speech
from services.tts.marks import ClauseMarks
from services.tts.ready import Mark, ReadyClause
from services.tts.sentences import Clause
from services.tts.silence import SilenceTrimmer

SHORTEST_CHUNK_MS = 10
FIRST_GUESS_CHARS_A_SECOND = 15.0


@dataclass(frozen=True, slots=True)
class Chunk:
    """Sound for the wire."""

    start_sample: int  # from the turn's first
    content: bytes
    n_samples: int


@dataclass(frozen=True, slots=True)
class ChunkLengths:
    """Lengths of chunks, in milliseconds."""

    first_ms: int
    later_ms: int  # sent as soon as so much is made
    longest_ms: int = 0  # where more is made already; never less than later_ms


class Track:
    """Takes one clause after the other; gives chunks, each mark before the chunk that holds its last sample.

    Every clause begins and ends in silence and is sent to its last sample before the next one begins, so that a word is
    never held back for text that is still to come.
    """

    def __init__(self, audio_format: AudioFormat, lengths: ChunkLengths) -> None:
        self._format = audio_format
        self._later_samples = self._samples(lengths.later_ms)
        self._longest_samples = max(self._later_samples, self._samples(lengths.longest_ms))
        self._first_samples = self._samples(lengths.first_ms)
        self._ready: deque[Samples] = deque()
        self._n_ready = 0
        self._n_sent = 0
        self._n_padding = 0  # silence at the end of what was sent, which counts as part of a pause
        self._last_offset = 0
        self._clause: _ClauseSound | None = None
        self._last: _ClauseSound | None = None
        self._seconds_per_char = 1 / FIRST_GUESS_CHARS_A_SECOND

    @property
    def n_samples(self) -> int:
        """Samples made so far."""
        return self._n_sent + self._n_ready

    def begin_clause(
        self,
        clause: Clause,
        spoken: Spoken,
        *,
        sample_rate_hertz: int,
        measures_words: bool,
        pause_ms: int,
        expected_dbov: float | None = None,
    ) -> None:
        """Open a clause: `pause_ms` of silence lies before it, if there is sound before that.

        `expected_dbov`: the active speech level of the engine's own sound, where it is known.
        """
        if self.n_samples:
            self._add(np.zeros(max(0, self._samples(pause_ms) - self._n_padding), dtype=np.int16))
        marks = ClauseMarks(clause, spoken)
        if not measures_words:
            marks.spread(self._seconds_per_char * sample_rate_hertz / clause.parameters.rate)
        rates = (sample_rate_hertz, self._format.sample_rate_hertz)
        self._clause = _ClauseSound(
            clause,
            marks,
            rates,
            start_sample=self.n_samples,
            n_chars=len(spoken.text),
            measures_words=measures_words,
            expected_dbov=expected_dbov,
        )

    def push(self, speech: Speech) -> list[Mark | Chunk]:
        """Take a piece of the open clause's sound."""
        sound = self._open_clause()
        self._add(sound.push(speech))
        return self._cut()

    def measured(self) -> tuple[float, float] | None:
        """Level in dBov and seconds of speech of the clause spoken last, before levelling; None when it had no
        sound.
        """
        return self._last.measured() if self._last else None

    def ready(self) -> ReadyClause | None:
        """The clause spoken last, as it went out; None when there was none."""
        return self._last.ready() if self._last else None

    def end_clause(self) -> list[Mark | Chunk]:
        """Close the clause and send all of it."""
        sound = self._open_clause()
        self._add(sound.finish())
        if self.n_samples == sound.start_sample:
            self._add(self._shortest())  # silence all through: its words still need a place
        end = self.n_samples
        out = self._cut()
        out += [self._mark(mark) for mark in sound.take_marks(end) if mark.text_end_offset > self._last_offset]
        out.append(self._mark(Mark(sound.clause.end_offset, end, is_measured=True)))
        out += self._send_rest()
        self._learn(sound, end)
        self._last, self._clause = sound, None
        return out

    def finish(self, text_end_offset: int) -> list[Mark | Chunk]:
        """Say that the text is whole: what follows the last clause has no sound, and is marked behind it."""
        if text_end_offset <= self._last_offset:
            return []
        self._add(self._shortest())
        mark = self._mark(Mark(text_end_offset, self.n_samples, is_measured=False))
        return [mark, *self._send_rest()]

    def _cut(self) -> list[Mark | Chunk]:
        out: list[Mark | Chunk] = []
        while self._n_ready > (shortest := self._shortest_samples()):
            n_samples = (self._n_ready - 1) // shortest * shortest if self._n_sent else shortest
            n_samples = min(n_samples, self._longest_samples)
            out += self._marks_until(self._n_sent + n_samples)
            out.append(self._chunk(n_samples))
        return out

    def _shortest_samples(self) -> int:
        return self._later_samples if self._n_sent else self._first_samples

    def _send_rest(self) -> list[Mark | Chunk]:
        out: list[Mark | Chunk] = []
        self._n_padding = max(0, self._samples(SHORTEST_CHUNK_MS) - self._n_ready) if self._n_ready else 0
        self._add(np.zeros(self._n_padding, dtype=np.int16))
        while self._n_ready:
            out.append(self._chunk(min(self._n_ready, self._longest_samples if self._n_sent else self._first_samples)))
        return out

    def _marks_until(self, sample: int) -> list[Mark | Chunk]:
        if self._clause is None:
            return []
        return [self._mark(mark) for mark in self._clause.take_marks(sample)]

    def _mark(self, mark: Mark) -> Mark:
        self._last_offset = mark.text_end_offset
        return mark

    def _chunk(self, n_samples: int) -> Chunk:
        joined = np.concatenate(self._ready) if len(self._ready) > 1 else self._ready[0]
        self._ready = deque([joined[n_samples:]])
        chunk = Chunk(self._n_sent, encode(self._format, joined[:n_samples]), n_samples)
        self._n_ready -= n_samples
        self._n_sent += n_samples
        return chunk

    def _add(self, samples: Samples) -> None:
        if len(samples):
            self._ready.append(samples)
            self._n_ready += len(samples)

    def _learn(self, sound: "_ClauseSound", end: int) -> None:
        """Learn how fast this voice speaks, for the next clause whose places are guessed."""
        seconds = (end - sound.start_sample) / self._format.sample_rate_hertz * sound.clause.parameters.rate
        self._seconds_per_char = seconds / max(1, sound.n_chars)

    def _open_clause(self) -> "_ClauseSound":
        if self._clause is None:
            raise RuntimeError("begin_clause() first")
        return self._clause

    def _shortest(self) -> Samples:
        return np.zeros(self._samples(SHORTEST_CHUNK_MS), dtype=np.int16)

    def _samples(self, milliseconds: int) -> int:
        return self._format.sample_rate_hertz * milliseconds // 1000


class _ClauseSound:
    """One clause between the engine's samples and the wire's."""

    def __init__(
        self,
        clause: Clause,
        marks: ClauseMarks,
        rates: tuple[int, int],
        *,
        start_sample: int,
        n_chars: int,
        measures_words: bool,
        expected_dbov: float | None,
    ) -> None:
        self.clause = clause
        self.start_sample = start_sample
        self.n_chars = n_chars
        self._measures_words = measures_words
        self._marks = marks
        self._from_hertz, self._to_hertz = rates
        self._is_level_known = expected_dbov is not None
        self._trimmer = SilenceTrimmer(self._from_hertz, level_dbov=expected_dbov)
        self._resampler = PolyphaseResampler(*rates)
        self._leveller = Leveller(self._to_hertz, expected_dbov=expected_dbov)
        self._made: list[Samples] = []
        self._given: list[Mark] = []
        self._ready: ReadyClause | None = None
        self._n_ready_marks = 0

    def push(self, speech: Speech) -> Samples:
        if speech.ready is not None:
            self._ready = speech.ready
            return speech.ready.samples
        self._marks.add(speech.word_ends)
        if speech.level_dbov is not None:
            self._trimmer = SilenceTrimmer(self._from_hertz, level_dbov=speech.level_dbov)
            self._leveller = Leveller(self._to_hertz, level_dbov=speech.level_dbov)
        elif speech.is_whole and not self._is_level_known:
            meter = SpeechLevelMeter(self._from_hertz)
            meter.push(speech.samples)
            self._trimmer = SilenceTrimmer(self._from_hertz, level_dbov=meter.level_dbov)
        trimmed = self._trimmer.push(speech.samples)
        if speech.is_whole and not self._measures_words:  # the guess is spread over the sound there is
            cut = self._trimmer.cut_samples
            self._marks.spread((len(speech.samples) - cut) / max(1, self.n_chars), first_sample=cut)
        ready = self._resampler.push(trimmed)
        return self._note(self._leveller.push(ready, is_whole=speech.is_whole))

    def finish(self) -> Samples:
        if self._ready is not None:
            return self._ready.samples[:0]
        tail = self._resampler.push(self._trimmer.finish())
        return self._note(self._leveller.push(np.concatenate((tail, self._resampler.finish()))))

    def _note(self, samples: Samples) -> Samples:
        self._made.append(samples)
        return samples

    def measured(self) -> tuple[float, float] | None:
        return self._ready.measured if self._ready is not None else self._leveller.measured()

    def ready(self) -> ReadyClause | None:
        """The whole clause, once it has ended; None when there was no sound."""
        if self._ready is not None:
            return self._ready
        if not any(map(len, self._made)):
            return None
        marks = tuple(
            Mark(mark.text_end_offset - self.clause.start_offset, mark.end_sample - self.start_sample, mark.is_measured)
            for mark in self._given
        )
        return ReadyClause(np.concatenate(self._made), marks, self.measured())

    def _take_ready_marks(self, ready: ReadyClause, sample: int) -> list[Mark]:
        begin = self._n_ready_marks
        while (
            self._n_ready_marks < len(ready.marks)
            and ready.marks[self._n_ready_marks].end_sample + self.start_sample <= sample
        ):
            self._n_ready_marks += 1
        return [
            Mark(mark.text_end_offset + self.clause.start_offset, mark.end_sample + self.start_sample, mark.is_measured)
            for mark in ready.marks[begin : self._n_ready_marks]
        ]

    def take_marks(self, sample: int) -> list[Mark]:
        """The marks at or before a sample of the turn."""
        if self._ready is not None:
            return self._take_ready_marks(self._ready, sample)
        if not self._trimmer.has_begun:
            return []
        cut = self._trimmer.cut_samples
        own = (sample - self.start_sample + 1) * self._from_hertz // self._to_hertz + cut
        marks = []
        for mark in self._marks.take_until(own):
            place = self.start_sample + max(1, (mark.sample - cut) * self._to_hertz // self._from_hertz)
            marks.append(Mark(mark.text_end_offset, min(place, sample), mark.is_measured))
        self._given += marks
        return marks
