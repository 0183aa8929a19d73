"""Steps of one call, in order: sound, gaps, and the client's messages."""

from dataclasses import dataclass, replace

from services.stt_proxy.engine import ExpectedKind, Hints
from services.stt_proxy.intake import Break, Silence, Skip, Window


@dataclass(frozen=True, slots=True)
class EndOfUtterance:
    """The client judged the turn over."""

    end_sample: int
    sent_sample: int  # the end of the sound that had been sent by then
    arrived_ns: int


@dataclass(frozen=True, slots=True)
class Discard:
    """The client says that a stretch was no speech."""

    from_sample: int
    to_sample: int


@dataclass(frozen=True, slots=True)
class HintsUpdate:
    """A change of the settings. None changes nothing."""

    effective_sample: int = 0
    language_codes: tuple[str, ...] | None = None
    phrases: tuple[str, ...] | None = None
    expected_kind: ExpectedKind | None = None
    expected_length: int = 0
    agent_is_speaking: bool | None = None
    region: str | None = None

    def apply(self, hints: Hints) -> Hints:
        """The hints with this change in them."""
        if self.language_codes is not None:
            hints = replace(hints, language_codes=self.language_codes)
        if self.phrases is not None:
            hints = replace(hints, phrases=self.phrases)
        if self.expected_kind is not None:
            hints = replace(hints, expected_kind=self.expected_kind, expected_length=self.expected_length)
        if self.agent_is_speaking is not None:
            hints = replace(hints, agent_is_speaking=self.agent_is_speaking)
        if self.region is not None:
            hints = replace(hints, region=self.region)
        return hints


@dataclass(frozen=True, slots=True)
class EndOfSound:
    """The client sends no more."""

    arrived_ns: int


@dataclass(frozen=True, slots=True)
class HeardWindow:
    """A window, and when the sound that completed it arrived."""

    window: Window
    arrived_ns: int


Step = HeardWindow | Silence | Skip | Break | EndOfUtterance | Discard | HintsUpdate | EndOfSound
