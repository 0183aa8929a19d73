"""One call's sound: each packet of the line goes in here, and what was measured in it comes out as events."""

from services.audio.pcm import AudioFormat
from services.call_gateway.line import CallerAudio, MediaIdle, PacketsMissing, SoundEvent
from services.call_gateway.sound.echo import EchoGuard
from services.call_gateway.sound.energy_detector import EnergyDetector
from services.call_gateway.sound.line_monitor import LineMonitor
from services.call_gateway.sound.track import Frame, Track


class CallSound:
    """The track of one call and everything that listens to it. A recorder of the call's sound reads the same track."""

    def __init__(self, audio_format: AudioFormat) -> None:
        """`audio_format` is the leg's, both ways; its rate is a multiple of 8 kHz."""
        self.track = Track(audio_format)
        self._echo = EchoGuard(self.track)
        self._energy = EnergyDetector(audio_format.sample_rate_hertz)
        self._line = LineMonitor(audio_format)

    def on_audio(self, audio: CallerAudio) -> tuple[tuple[Frame, ...], list[SoundEvent]]:
        """Take a packet of the caller's; returns its frames and what was found in them, in order."""
        frames = self.track.add_received(audio)
        events: list[SoundEvent] = []
        for frame in frames:
            found = self._energy.observe(frame)
            if found is not None:
                events.append(found)
            measured = self._line.observe(frame)
            if measured is not None:
                events.append(measured)
        return frames, events

    def on_idle(self, idle: MediaIdle) -> PacketsMissing:
        """The caller's clock went on without packets."""
        return self._line.on_idle(idle)

    def on_sent(self, content: bytes | None) -> None:
        """Take a frame that went out to the caller, in the call's audio format; None: comfort silence."""
        self.track.add_sent(content)

    def is_echo(self, from_sample: int, to_sample: int) -> bool:
        """Return whether what came from the caller between those samples is the agent's own voice alone."""
        return self._echo.is_echo(from_sample, to_sample)

    def speech_end(self, sample: int) -> int:
        """The sample of the caller's clock at which speech that the STT stage heard up to `sample` really ended."""
        return self.track.speech_end(sample)
