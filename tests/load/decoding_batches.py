"""Cost of decoding several calls' speech as one batch: `python -m tests.load.decoding_batches`.

The engine faster_whisper decodes sentences of the endpointing set, one by one and in batches, on one thread. CPU
seconds are counted, which other work on the machine changes little. What a queue of as many texts waits for follows:
one by one the first is there after one decode, as a batch all are there when the last one is.
"""

import argparse
import time
from statistics import mean

import numpy as np

from services.audio.pcm import TELEPHONE, decode
from services.runtime.models import model_dir
from services.stt_proxy.engine import Span, Speech
from services.stt_proxy.recording import Clip
from services.stt_proxy.settings import SttSettings
from services.stt_proxy.whisper_decoding import ShortContextWhisper
from tests.load.clips import load_clips

MOST_S = 5.0
TEXTS = 8
TIMES = 2


def spoken() -> list[Speech]:
    """Sentences that fit the shortest context."""
    found = []
    for clip in load_clips():
        samples = decode(TELEPHONE, b"".join(clip.frames))[: round(MOST_S * TELEPHONE.sample_rate_hertz)]
        if clip.kind == "plain":
            found.append(Speech(1, 1, (Span(0, len(samples)),), (Clip(0, samples.astype(np.int16)),), 8000))
    return found[:TEXTS]


def decode_cpu_s(whisper: ShortContextWhisper, sentences: list[Speech], size: int) -> float:
    """CPU seconds of one batch of that size."""
    took_s = []
    for start in range(0, len(sentences), size):
        began_s = time.process_time()
        whisper.decode_together([(one, ("en",), (), "en") for one in sentences[start : start + size]])
        took_s.append(time.process_time() - began_s)
    return mean(took_s)


def main() -> None:
    argparse.ArgumentParser(prog="python -m tests.load.decoding_batches", description=__doc__).parse_args()
    settings = SttSettings(_env_file=None)
    whisper = ShortContextWhisper(model_dir(settings.models_dir, settings.whisper_model), n_workers=1)
    sentences = spoken()
    decode_cpu_s(whisper, sentences[:1], 1)
    alone_s = min(decode_cpu_s(whisper, sentences, 1) for _ in range(TIMES))
    print("batch | CPU ms a batch | a text | texts of the queue wait on average, one by one | as a batch")
    for size in (1, 2, 4, 8):
        batch_s = min(decode_cpu_s(whisper, sentences, size) for _ in range(TIMES))
        waited_s = alone_s * (size + 1) / 2
        row = (1000 * batch_s, 1000 * batch_s / size, 1000 * waited_s, 1000 * batch_s)
        print(f"{size:5d} | {row[0]:14.0f} | {row[1]:6.0f} | {row[2]:44.0f} | {row[3]:10.0f}", flush=True)


if __name__ == "__main__":
    main()
