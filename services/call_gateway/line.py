"""Events of a caller's line, the same for every edge, and of its sound. Samples count on the caller's media clock."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class IdleReason(Enum):
    """The reason why the media clock went on without packets."""

    UNKNOWN = "unknown"
    LOSS = "loss"
    DTMF = "dtmf"
    HOLD = "hold"


class EndCause(Enum):
    """The cause of a call's end."""

    CALLER = "caller"
    AGENT = "agent"
    TRANSFER = "transfer"
    FAILURE = "failure"
    SILENCE = "silence"
    MAX_DURATION = "max_duration"
    OPERATOR = "operator"


class CallerAudio(NamedTuple):
    """The caller's sound, contiguous with what came before on the call's media clock."""

    start_sample: int  # from the call's first sample, at the leg's rate
    content: bytes  # in the leg's format
    concealed_samples: int = 0  # how many of them were invented to hide a loss


@dataclass(frozen=True, slots=True)
class MediaIdle:
    """The media clock went on and nothing arrived. The next CallerAudio begins at `to_sample`."""

    from_sample: int
    to_sample: int
    reason: IdleReason


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """A key was let go of (RFC 4733 section 3.2)."""

    digit: str  # one of 0-9, A-D, * and #
    duration_ms: int  # 0 when not known
    is_in_band: bool = False  # heard in the sound, not told by the line


@dataclass(frozen=True, slots=True)
class HoldChanged:
    """The call was put on hold or taken back."""

    is_held: bool
    was_missed: bool = False  # the event of the change was missed: the state was found by asking


@dataclass(frozen=True, slots=True)
class PlayedUpTo:
    """The far side reports how far it has played. Without such events, what was sent counts as played."""

    sample: int  # from the first frame pulled on this call


@dataclass(frozen=True, slots=True)
class CallerStaysSilent:
    """A program caller closed its half: it listens to the reply of what it sent, and the call ends after it."""


@dataclass(frozen=True, slots=True)
class LegEnded:
    """The line is gone. The last event of a leg, sent exactly once."""

    cause: EndCause
    message: str = ""


@dataclass(frozen=True, slots=True)
class EnergyRose:
    """Loud sound, perhaps speech, began. Found by energy alone, without the STT stage."""

    sample: int


@dataclass(frozen=True, slots=True)
class EnergyFell:
    """The end of sound on the line."""

    sample: int


class LineMeasured(NamedTuple):
    """The level and kind of one frame on the line, measured ten times a second."""

    sample: int  # where the frame ends
    level: float  # root mean square of 16-bit samples
    is_sound: bool  # music, a tone or a voice; not the steady noise of a street
    peak_hertz: int  # where the most energy lies; 0 where the frame is not loud


@dataclass(frozen=True, slots=True)
class PacketsMissing:
    """The media clock went on and no packet came. Follows each MediaIdle."""

    to_sample: int
    n_samples: int  # since the last packet
    has_packet_come: bool  # ever, on this call
    reason: IdleReason


SoundEvent = EnergyRose | EnergyFell | LineMeasured | PacketsMissing
LineEvent = MediaIdle | KeyPressed | HoldChanged | PlayedUpTo | CallerStaysSilent | LegEnded
LegEvent = CallerAudio | LineEvent
