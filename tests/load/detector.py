"""The number of calls that one core can listen to: `python -m tests.load.detector [--streams 100] [--seconds 20]`.

Calls of the listening part with the real voice detector and no recogniser (engine `script`), fed with speech and
silence 20 ms at a time, all in step as calls in real time are. Printed are the CPU seconds a second of all calls, which
must be below 1 for one core, and the memory a call adds.
"""

import argparse
import asyncio
import resource
import time
from pathlib import Path

import numpy as np

from services.audio.pcm import AudioFormat, Encoding
from services.runtime.models import model_dir
from services.stt_proxy.call_profile import CallProfile
from services.stt_proxy.end_of_turn.sound import NoModel
from services.stt_proxy.engine import Hints, make_engine
from services.stt_proxy.events import Evidence
from services.stt_proxy.listening import Listening
from services.stt_proxy.settings import SttSettings
from services.stt_proxy.utterance import Endpointing
from services.stt_proxy.voice_activity import SileroDetector
from tests.load.clips import load_clips

RATE, FRAME = 8000, 160
FORMAT = AudioFormat(Encoding.MULAW, RATE)
SILENCE = b"\xff" * FRAME
LONGEST_WAIT_S = 0.05


def resident_kb() -> int:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() // 1024


async def measure(n_streams: int, seconds: int) -> tuple[float, float]:
    """CPU seconds a second of all calls together, and kilobytes a call."""
    settings = SttSettings(_env_file=None, engine="script")
    engine = make_engine(settings)
    await engine.load()
    detector = SileroDetector(n_slots=n_streams, batch_wait_s=settings.vad_batch_ms / 1000)
    await detector.load(model_dir(settings.models_dir, settings.vad_model) / "silero_vad.onnx")
    frames = [frame for clip in load_clips() for frame in (*clip.frames, *[SILENCE] * 75)]  # 1.5 s between sentences
    told: list[Evidence] = []
    failures: list[Exception] = []
    profile = CallProfile("load", FORMAT, 0, Hints(("en-US",)), Endpointing(), settings.draft_pause_ms, 1000, 120, 60.0)
    before_kb = resident_kb()
    calls = [
        Listening(
            profile, detector=detector, engine=engine, end_of_turn=NoModel(settings), tell=told.append,
            fail=failures.append,
        )
        for _ in range(n_streams)
    ]  # fmt: skip
    offsets = np.random.default_rng(1).integers(0, len(frames), n_streams)
    began_cpu_s = time.process_time()
    for number in range(seconds * RATE // FRAME):
        for call, offset in zip(calls, offsets, strict=True):
            call.take_audio(number * FRAME, frames[(number + int(offset)) % len(frames)])
        while (busy := next((call for call in calls if call._steps), None)) is not None:
            await busy.moved(limit_s=LONGEST_WAIT_S)  # a loop that turned meanwhile would be counted too
    cpu_s = time.process_time() - began_cpu_s
    a_call_kb = (resident_kb() - before_kb) / n_streams
    for call in calls:
        call.close()
    detector.close()
    await engine.close()
    if failures:
        raise failures[0]
    return cpu_s / seconds, a_call_kb


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load.detector", description=__doc__)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=20)
    asked = parser.parse_args()
    cpu, a_call_kb = asyncio.run(measure(asked.streams, asked.seconds))
    print(f"{asked.streams} calls: {cpu:.2f} CPU seconds a second, {a_call_kb / 1024:.2f} MB a call")


if __name__ == "__main__":
    main()
