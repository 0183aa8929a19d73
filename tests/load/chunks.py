"""The worth of the chunk policy towards the STT stage: `python -m tests.load.chunks`.

Each labelled clip of the bench is a turn of a call: the caller's words, then five seconds in which the agent speaks and
the line has noise. Three ways to cut it are compared: the gateway's policy; chunks of 40 ms, of 20 ms while the STT
stage hears a voice or judges its pause; chunks of 20 ms. Printed are the messages a minute, and how long the windows in
which the STT stage's detector finds a beginning or a pause of speech wait in the gateway; both follow from the sound
alone. The CPU time of a message, both sides of a gRPC stream, and of the energy detector is measured beside them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import grpc
import numpy as np
from voice.stt.v1 import stt_pb2
from voice.type.v1 import audio_pb2

from services.audio.g711 import decode_mulaw, encode_mulaw
from services.audio.pcm import AudioFormat, Encoding
from services.call_gateway.line import CallerAudio
from services.call_gateway.sound.chunks import Chunk, Chunker
from services.call_gateway.sound.energy_detector import EnergyDetector
from services.call_gateway.sound.track import Frame, Track
from services.stt_proxy.detector_level import WINDOW_SAMPLES, DetectorLevel
from services.stt_proxy.engine import Hints
from services.stt_proxy.quiet_line import QuietLine
from services.stt_proxy.speech_gate import GateThresholds, SpeechBegan, SpeechGate
from tests.load.clips import CLIPS_DIR, Clip, load_clips
from tests.load.onsets import network
from tests.load.report import percentile

RATE = 8000
FORMAT = AudioFormat(Encoding.MULAW, RATE)
FRAME = RATE // 50
PER_MS = RATE // 1000
BEHIND_MS = 5000  # from the caller's last word to their next: the agent speaks
NOISE_RMS = 20.0  # -64 dBFS
WORDS_MS = 100  # from a pause to the draft of its words, which judges it
ANSWER_LAG_MS = 400  # from the caller's last word to the agent's first
LEAD_MS = 200  # of each clip, before its words
STEP_MS = WINDOW_SAMPLES // PER_MS  # of the STT stage
N_MESSAGES = 4000
PATH = "/chunks/Take"

Cut = Callable[[Sequence[Frame], bool, bool, bool], Chunk | None]
"""Cuts the next frames. The flags: the agent speaks, the STT stage hears a voice, it wants short chunks."""
Way = Callable[[], tuple[Cut, Callable[[], None]]]
"""Begins a call: returns the cut, and what tells it that the STT stage has judged a pause."""


@dataclass(slots=True)
class Counts:
    """Messages, CPU time and waits of one way of cutting, over all clips."""

    n_messages: int = 0
    seconds: float = 0.0
    onset_waits_ms: list[float] = field(default_factory=list)
    pause_waits_ms: list[float] = field(default_factory=list)


def by_policy() -> tuple[Cut, Callable[[], None]]:
    """The gateway's own policy, and what tells it that a pause is judged."""
    chunker = Chunker(FORMAT)
    chunker.follow_steps(STEP_MS)

    def cut(frames: Sequence[Frame], agent_speaks: bool, is_voice_heard: bool, _wants_short: bool) -> Chunk | None:
        return chunker.feed(frames, is_agent_speaking=agent_speaks, is_voice_heard=is_voice_heard)

    return cut, chunker.on_pause_judged


def by_length(long_ms: int, short_ms: int) -> tuple[Cut, Callable[[], None]]:
    """Chunks of one length, and of another while the STT stage wants them short."""
    held: list[Frame] = []

    def cut(frames: Sequence[Frame], _agent_speaks: bool, _is_voice_heard: bool, wants_short: bool) -> Chunk | None:
        held.extend(frames)
        first, end = held[0].start_sample, held[-1].end_sample
        if (end - first) < (short_ms if wants_short else long_ms) * PER_MS:
            return None
        held.clear()
        return Chunk(first, end)

    return cut, lambda: None


WAYS = {
    "policy of the gateway": by_policy,
    "40 ms, 20 ms on request": lambda: by_length(40, 20),
    "20 ms": lambda: by_length(20, 20),
}


def call_of(clips: Sequence[Clip]) -> tuple[bytes, list[tuple[int, int]]]:
    """A call of all clips, each followed by the line's noise while the agent speaks; and the samples at which the
    caller's words begin and end.
    """
    chance = np.random.default_rng(1)
    sound, words = bytearray(), list[tuple[int, int]]()
    for clip in clips:
        words.append((len(sound) + clip.speech_start_sample, len(sound) + clip.speech_end_sample))
        sound += b"".join(clip.frames)
        sound += encode_mulaw(chance.normal(0, NOISE_RMS, BEHIND_MS * PER_MS).astype(np.int16))
    return bytes(sound), words


@dataclass(frozen=True, slots=True)
class Edge:
    """A beginning or a pause of speech, as the STT stage's detector finds it."""

    window_end: int  # of the window that decided it
    is_begin: bool


def edges_of(sound: bytes) -> list[Edge]:
    """The detector's edges in the sound, whose windows it hears one by one."""
    detector, samples, edges = network(), decode_mulaw(sound), list[Edge]()
    level, quiet, hints = DetectorLevel(), QuietLine(), Hints()
    gate = SpeechGate(pause_samples=2 * WINDOW_SAMPLES, thresholds=GateThresholds())
    for at in range(0, len(samples) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES):
        window, score = samples[at : at + WINDOW_SAMPLES], 0.0
        if not quiet.observe(window, is_fresh=at == 0) or gate.is_open:
            score = float(detector.score([0], [0] if at == 0 else [], [level.bring(window, hints)])[0])
        quiet.note(score)
        edge = gate.observe(at, at + WINDOW_SAMPLES, score)
        if edge is not None:
            edges.append(Edge(at + WINDOW_SAMPLES, isinstance(edge, SpeechBegan)))
    return edges


def count(sound: bytes, words: Sequence[tuple[int, int]], edges: Sequence[Edge], way: Way) -> Counts:
    """Cut a call in one of the ways."""
    counts, track = Counts(), Track(FORMAT)
    cut, on_pause_judged = way()
    at, turn, is_voice_heard, judged_at = 0, 0, False, 0
    waiting: list[Edge] = []  # edges whose windows have come and are not sent
    for start in range(0, len(sound) - FRAME + 1, FRAME):
        end = start + FRAME
        if turn + 1 < len(words) and start >= words[turn + 1][0] - LEAD_MS * PER_MS:
            turn += 1
        if judged_at and start >= judged_at:
            judged_at = 0
            on_pause_judged()
        while at < len(edges) and edges[at].window_end <= end:
            waiting.append(edges[at])
            at += 1
        frames = track.add_received(CallerAudio(start, sound[start:end]))
        agent_speaks = start > words[turn][1] + ANSWER_LAG_MS * PER_MS
        chunk = cut(frames, agent_speaks, is_voice_heard, is_voice_heard or judged_at > 0)
        if chunk is None:
            continue
        counts.n_messages += 1
        for edge in waiting:
            come = -(-edge.window_end // FRAME) * FRAME
            (counts.onset_waits_ms if edge.is_begin else counts.pause_waits_ms).append((end - come) / PER_MS)
            is_voice_heard = edge.is_begin
            judged_at = 0 if edge.is_begin else end + WORDS_MS * PER_MS
        waiting.clear()
    counts.seconds = len(sound) / RATE
    return counts


async def message_us() -> float:
    """The CPU time of one chunk of 40 ms, both sides together, in microseconds."""
    server = grpc.aio.server()

    async def take(requests: AsyncIterator[stt_pb2.StreamingRecognizeRequest], _: object) -> stt_pb2.UtteranceEnd:
        n_samples = 0
        async for request in requests:
            n_samples += len(request.audio.content)
        return stt_pb2.UtteranceEnd(end_sample=n_samples)

    handler = grpc.stream_unary_rpc_method_handler(
        take, stt_pb2.StreamingRecognizeRequest.FromString, stt_pb2.UtteranceEnd.SerializeToString
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("chunks", {"Take": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.stream_unary(
            PATH,
            request_serializer=stt_pb2.StreamingRecognizeRequest.SerializeToString,
            response_deserializer=stt_pb2.UtteranceEnd.FromString,
        )()
        await call.wait_for_connection()
        begun = time.process_time()
        for number in range(N_MESSAGES):
            audio = audio_pb2.AudioChunk(start_sample=number * 320, content=bytes(320))
            await call.write(stt_pb2.StreamingRecognizeRequest(audio=audio))
        await call.done_writing()
        await call
        took_s = time.process_time() - begun
    await server.stop(None)
    return took_s / N_MESSAGES * 1e6


def frame_us(sound: bytes, observe: Callable[[Frame], object]) -> float:
    """The CPU time of `observe` for a frame, in microseconds."""
    track = Track(FORMAT)
    frames = [
        frame
        for start in range(0, len(sound) - FRAME + 1, FRAME)
        for frame in track.add_received(CallerAudio(start, sound[start : start + FRAME]))
    ]
    begun = time.process_time()
    for frame in frames:
        observe(frame)
    return (time.process_time() - begun) / len(frames) * 1e6


def main() -> None:
    """Print a row a way, then the times."""
    sound, words = call_of(load_clips(CLIPS_DIR))
    edges = edges_of(sound)
    us = asyncio.run(message_us())
    print("| cut | messages a minute | CPU s a call-minute of them | wait of an onset p50 / p95 ms | of a pause |")
    print("|---|---:|---:|---:|---:|")
    for name, way in WAYS.items():
        counts = count(sound, words, edges, way)
        a_minute = counts.n_messages * 60 / counts.seconds
        waits = [
            f"{percentile(each, 0.5):.0f} / {percentile(each, 0.95):.0f}"
            for each in (counts.onset_waits_ms, counts.pause_waits_ms)
        ]
        print(f"| {name} | {a_minute:.0f} | {a_minute * us / 1e6:.2f} | {' | '.join(waits)} |")
    chunker = Chunker(FORMAT)
    policy_us = frame_us(sound, lambda frame: chunker.feed((frame,), is_agent_speaking=False))
    detector_us = frame_us(sound, EnergyDetector(RATE).observe)
    policy_s, detector_s = policy_us * 3000 / 1e6, detector_us * 3000 / 1e6  # a call-minute has 3000 frames
    print(f"{len(edges)} edges; a message costs {us:.0f} us, both sides")
    print(f"a frame costs {policy_us:.1f} us in the policy: {policy_s:.3f} s a call-minute")
    print(f"a frame costs {detector_us:.1f} us in the energy detector: {detector_s:.3f} s a call-minute")


if __name__ == "__main__":
    main()
