"""Combines Asterisk's events with the caller's packets: keys that leave holes, holds whose event was lost. Sans-IO.

Asterisk reports a key once it is let go of, and until then no packets come. Asterisk reports a hold by an event alone,
which is lost when it falls into a gap between two connections.
"""

from dataclasses import replace
from typing import Final

from services.audio.pcm import AudioFormat
from services.call_gateway.line import CallerAudio, IdleReason, KeyPressed, LegEvent, MediaIdle

KEY_LIMIT_MS: Final = 500  # a key is seldom held down for longer
KEY_TAIL_MS: Final = 100  # from the news of a key to the first packet after it
SILENCE_SUPPRESSED_AFTER: Final = 2  # unexplained holes; then the line is one that falls silent by itself
DOUBT_AFTER_MS: Final = 3000
LONGEST_LIMIT_MS: Final = 60_000


class KeyHoles:
    """Holds a hole back until it is known whether a key made it: such a hole never counts as silence.

    On a line that suppresses silence holes are told at once, and so the wait of a turn does not grow there.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._at_sample = 0
        self._hole_from: int | None = None  # of the hole that is held back
        self._key_until_sample = -1
        self._n_unexplained = 0
        self._is_unexplained = False  # the hole that goes on now was told, and counted

    def on_event(self, event: LegEvent) -> list[LegEvent]:
        """The events to pass on, in order."""
        match event:
            case CallerAudio(start_sample, content):
                held_back = self._let_go(IdleReason.DTMF)
                self._at_sample = start_sample + self._format.samples_in(content)
                self._is_unexplained = False
                return [*held_back, event]
            case MediaIdle(reason=IdleReason.UNKNOWN):
                return self._on_idle(event)
            case MediaIdle():
                held_back = self._let_go(event.reason)
                self._at_sample = event.to_sample
                return [*held_back, event]
            case KeyPressed():
                held_back = self._let_go(IdleReason.DTMF)
                self._key_until_sample = self._at_sample + self._samples(KEY_TAIL_MS)
                if self._is_unexplained:
                    self._n_unexplained -= 1
                    self._is_unexplained = False
                return [*held_back, event]
        return [event]

    def _on_idle(self, hole: MediaIdle) -> list[LegEvent]:
        self._at_sample = hole.to_sample
        if hole.from_sample < self._key_until_sample:
            return [replace(hole, reason=IdleReason.DTMF)]
        if self._is_unexplained or self._n_unexplained >= SILENCE_SUPPRESSED_AFTER:
            return [hole]
        if self._hole_from is None:
            self._hole_from = hole.from_sample
        if hole.to_sample - self._hole_from < self._samples(KEY_LIMIT_MS):
            return []
        self._n_unexplained += 1
        self._is_unexplained = True
        return self._let_go(IdleReason.UNKNOWN)

    def _let_go(self, reason: IdleReason) -> list[LegEvent]:
        if self._hole_from is None:
            return []
        hole, self._hole_from = MediaIdle(self._hole_from, self._at_sample, reason), None
        return [hole]

    def _samples(self, milliseconds: int) -> int:
        return milliseconds * self._format.sample_rate_hertz // 1000


class HoldDoubt:
    """Compares what comes with what is believed of the hold: sound from a held caller, or nothing from another."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self.is_held = False
        """The state of the hold that is believed now."""
        self._against_ms = 0.0
        self._limit_ms = DOUBT_AFTER_MS

    def believe(self, *, is_held: bool) -> bool:
        """Asterisk says so. Returns whether it is news."""
        is_news, self.is_held = is_held != self.is_held, is_held
        self._against_ms = 0.0
        if is_news:
            self._limit_ms = DOUBT_AFTER_MS
        return is_news

    def observe(self, event: LegEvent) -> bool:
        """Return whether Asterisk should be asked now: for three seconds what came has spoken against what is
        believed.
        """
        match event:
            case CallerAudio(_, content):
                speaks_against, n_samples = self.is_held, self._format.samples_in(content)
            case MediaIdle(from_sample, to_sample):
                speaks_against, n_samples = not self.is_held, to_sample - from_sample
            case _:
                return False
        if not speaks_against:
            self._against_ms = 0.0
            if not self.is_held:
                self._limit_ms = DOUBT_AFTER_MS
            return False
        self._against_ms += n_samples * 1000 / self._format.sample_rate_hertz
        if self._against_ms < self._limit_ms:
            return False
        self._against_ms = 0.0
        self._limit_ms = min(2 * self._limit_ms, LONGEST_LIMIT_MS)
        return True
