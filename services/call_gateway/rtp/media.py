"""What an RTP receiver tells: the caller's sound on one clock that starts at 0 and never stops or goes back."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class HoleCause(Enum):
    """Why no packets came."""

    UNKNOWN = "unknown"  # silence suppression, a dead line, or a loss nobody can see yet
    LOSS = "loss"  # later packets say that some are missing
    DTMF = "dtmf"
    HOLD = "hold"


class Sound(NamedTuple):
    """Consecutive samples, at most 100 ms."""

    start_sample: int  # from the call's first, at the rate of the codec's audio format
    content: bytes  # in the codec's audio format
    concealed_samples: int = 0  # all or none of them


@dataclass(frozen=True, slots=True)
class Hole:
    """The clock went on without packets. What follows begins at `to_sample`."""

    from_sample: int
    to_sample: int
    cause: HoleCause


@dataclass(frozen=True, slots=True)
class KeySound:
    """A key was let go of (RFC 4733)."""

    digit: str
    duration_ms: int


MediaEvent = Sound | Hole | KeySound
