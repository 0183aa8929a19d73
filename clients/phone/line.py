"""The line of a caller, whatever carries it: say, hear, and the time of both."""

from typing import Protocol, runtime_checkable

from clients.phone.echo_path import EchoPath
from clients.phone.recording import Recording
from services.audio.pcm import Samples

RATE_HERTZ = 8000


class CallerLine(Protocol):
    """A call that is up, from the caller's side. Both recordings count seconds from the same moment."""

    said: Recording
    heard: Recording

    @property
    def is_over(self) -> bool:
        """Return whether either side hung up."""
        ...

    @property
    def is_saying(self) -> bool:
        """Return whether something that was given to `say` has not left yet."""
        ...

    def now_s(self) -> float:
        """Seconds since the call was answered."""
        ...

    def say(self, samples: Samples) -> None:
        """Speak, after what is being said. (n_samples,) int16 at 8 kHz."""
        ...

    def echo_through(self, path: EchoPath) -> None:
        """From now on, what is heard comes back through `path`, beside what is said."""
        ...

    async def press(self, digits: str) -> None:
        """Press keys, one after the other."""
        ...

    async def hang_up(self) -> None:
        """End the call. Does nothing when it is over."""
        ...


@runtime_checkable
class HoldingLine(CallerLine, Protocol):
    """A line that can be put on hold; a program's cannot."""

    async def hold(self) -> None:
        """Ask the far side to wait."""
        ...

    async def resume(self) -> None:
        """Take the call back."""
        ...
