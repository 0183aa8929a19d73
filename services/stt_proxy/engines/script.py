"""Engine `script`: gives texts from a file when speech is detected. For tests, load and capacity work.

Every call begins with the first text, or with text number 12 when its id ends in "#12"; each utterance takes the next,
and the last is followed by the first. The ends of speech come from the same detector and endpointing as for every
engine. One text a line; empty lines and those that begin with # are passed over:

    I would like to book | a cleaning          the part behind | is said after a pause inside the utterance, or by the
                                               next one when that follows within two seconds
    uh => uh-huh                               settled as "uh", corrected to "uh-huh" a second after the end
    @silence                                   speech without words, as a cough
    @fail                                      the engine cannot tell what was said
    @stall                                     the engine never answers
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from services.audio.pcm import Samples
from services.runtime.errors import StartupError
from services.stt_proxy.engine import Corrected, Heard, Hints, Report, Speech, Unheard
from services.stt_proxy.recording import Recording
from services.stt_proxy.settings import SttSettings

PART_PAUSE_MS = 150  # a pause inside an utterance that brings its next part: one of 300 ms is seen as some 180
LONGEST_PAUSE_MS = 2000  # after a longer one the next line begins, whatever of the last was not said
CORRECTION_LAG_MS = 1000
FRAME_MS = 10
QUIET_RATIO = 0.01  # a frame this much weaker than the loudest is no speech: -40 dB


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance."""

    parts: tuple[str, ...]
    correction: str = ""
    order: str = ""  # silence, fail, stall


def parse_script(text: str) -> tuple[Line, ...]:
    """Read the lines. Raises StartupError."""
    lines = tuple(
        _line(line.strip()) for line in text.splitlines() if line.strip() and not line.strip().startswith("#")
    )
    if not lines:
        raise StartupError("the script holds no text: put one utterance a line into STT_SCRIPT_FILE")
    return lines


def first_line(call_id: str) -> int:
    """Return the text that the call begins with, counted from 0: the call id may end in "#" and a number, 1 being the
    first.
    """
    number = call_id.rpartition("#")[2]
    return int(number) - 1 if "#" in call_id and number.isdecimal() and len(number) < 10 else 0


def _line(line: str) -> Line:
    if line.startswith("@"):
        order = line[1:].strip()
        if order not in ("silence", "fail", "stall"):
            raise StartupError(f"the script orders {line!r}: use @silence, @fail or @stall")
        return Line(("",), order=order)
    said, _, correction = line.partition("=>")
    return Line(tuple(part.strip() for part in said.split("|")), correction.strip())


class ScriptEngine:
    """Engine with the texts of a script."""

    name = "script"
    model = "script"
    language_codes: tuple[str, ...] = ()
    features = ("corrected",)

    def __init__(self, settings: SttSettings) -> None:
        self._settings = settings
        self._lines: tuple[Line, ...] = ()

    async def load(self) -> None:
        file = self._settings.script_file
        if file is None:
            self._lines = parse_script(self._settings.script_texts.replace("\\n", "\n"))
            return
        try:
            text = file.read_text(encoding="utf-8")  # once, before any call
        except OSError as error:
            raise StartupError(f"STT_SCRIPT_FILE={file} cannot be read: {error.strerror}") from error
        self._lines = parse_script(text)

    def listen(
        self,
        *,
        call_id: str,
        recording: Recording,
        sample_rate_hertz: int,
        hints: Hints,
        report: Callable[[Report], None],
    ) -> "ScriptCall":
        return ScriptCall(
            self._lines,
            sample_rate_hertz,
            self._settings.script_lag_ms,
            hints,
            report,
            first_line=first_line(call_id) % len(self._lines),
        )

    async def close(self) -> None:
        """Do nothing: there is nothing to release."""


@dataclass(frozen=True, slots=True)
class _Due:
    """A report that is due at a sample of the call's clock."""

    sample: int
    report: Report


class ScriptCall:
    """One call. Time is the call's own: a text is ready when the sound after it has been heard."""

    is_busy = False  # nothing is ever worked on
    listened_to = wanted_from = None  # it listens to what it is asked of

    def __init__(
        self,
        lines: tuple[Line, ...],
        sample_rate_hertz: int,
        lag_ms: int,
        hints: Hints,
        report: Callable[[Report], None],
        *,
        first_line: int = 0,
    ) -> None:
        self._lines = lines
        self._per_ms = sample_rate_hertz // 1000
        self._lag_samples = lag_ms * self._per_ms
        self._hints = hints
        self._report = report
        self._heard_to = 0
        self._is_finished = False
        self._due: list[_Due] = []
        self._line_of: dict[int, tuple[int, int]] = {}  # by utterance: its line and the first of its parts
        self._next = (first_line, 0)  # the line and part the next utterance begins with
        self._spoken_to = 0  # where the last speech ended

    def feed(self, start_sample: int, samples: Samples) -> None:
        self.rest(start_sample + len(samples))

    def rest(self, to_sample: int) -> None:
        self._heard_to = to_sample
        if self._due:
            self._report_what_is_due()

    def reach(self, sample: int) -> None:
        """Do nothing: each Speech brings its own sound."""

    def speech(self, utterance_id: int, sample: int, *, is_begin: bool) -> None:
        """Do nothing: edges of speech are not used."""

    def end(self, utterance_id: int, end_sample: int) -> None:
        """Do nothing: an utterance needs no closing."""

    def recognize(self, speech: Speech, *, is_final: bool) -> None:
        if speech.utterance_id not in self._line_of:
            self._line_of[speech.utterance_id] = self._first_of(speech)
        line_number, first_part = self._line_of[speech.utterance_id]
        self._spoken_to = speech.spans[-1].end_sample
        line = self._lines[line_number]
        n_parts = min(len(line.parts) - first_part, 1 + _n_long_pauses(speech, PART_PAUSE_MS * self._per_ms))
        is_whole = first_part + n_parts == len(line.parts)
        self._next = ((line_number + 1) % len(self._lines), 0) if is_whole else (line_number, first_part + n_parts)
        if line.order == "stall":
            return
        ready = true_end(speech) + self._lag_samples
        if line.order == "fail":
            self._due.append(_Due(ready, Unheard(speech.request_id, "SCRIPTED_FAILURE", "the script says @fail")))
        else:
            text = " ".join(part for part in line.parts[first_part : first_part + n_parts] if part)
            self._due.append(_Due(ready, Heard(speech.request_id, text, self._language, confidence=1.0)))
        if line.correction:
            self._due = [due for due in self._due if not isinstance(due.report, Corrected)]
            at = speech.end_sample + CORRECTION_LAG_MS * self._per_ms
            self._due.append(_Due(at, Corrected(speech.utterance_id, line.correction, self._language)))
        self._report_what_is_due()

    def _first_of(self, speech: Speech) -> tuple[int, int]:
        """The line and part that an utterance begins with."""
        line_number, part = self._next
        is_late = speech.spans[0].start_sample - self._spoken_to > LONGEST_PAUSE_MS * self._per_ms
        return ((line_number + 1) % len(self._lines), 0) if part and is_late else (line_number, part)

    def prepare(self, speech: Speech) -> None:
        """Do nothing: the texts are known beforehand."""

    def cancel(self, request_id: int) -> None:
        self._due = [due for due in self._due if getattr(due.report, "request_id", 0) != request_id]

    def forget(self, from_sample: int, to_sample: int) -> None:
        """Do nothing: a text is never given to sound that was forgotten."""

    def attend(self, hints: Hints) -> None:
        self._hints = hints

    def finish(self) -> None:
        self._is_finished = True
        self._report_what_is_due()

    def close(self) -> None:
        self._due.clear()

    @property
    def _language(self) -> str:
        return self._hints.language_codes[0] if self._hints.language_codes else "en"

    def _report_what_is_due(self) -> None:
        ready = [due for due in self._due if self._is_finished or due.sample <= self._heard_to]
        self._due = [due for due in self._due if due not in ready]
        for due in ready:
            self._report(due.report)


def true_end(speech: Speech) -> int:
    """The last sample that is not quiet beside the loudest: the detector's own end lies some 50 ms behind it."""
    clip = speech.clips[-1] if speech.clips else None
    if clip is None:
        return speech.end_sample
    length = FRAME_MS * speech.sample_rate_hertz // 1000
    n_frames = len(clip.samples) // length
    levels = np.abs(clip.samples[: n_frames * length].reshape(n_frames, length)).max(axis=1).astype(np.int32)
    loud = np.flatnonzero(levels > QUIET_RATIO * levels.max(initial=0))
    if len(loud) == 0:
        return speech.end_sample
    return min(speech.end_sample, clip.start_sample + (int(loud[-1]) + 1) * length)


def _n_long_pauses(speech: Speech, pause_samples: int) -> int:
    spans = speech.spans
    return sum(1 for a, b in pairwise(spans) if b.start_sample - a.end_sample >= pause_samples)
