"""Worker process that runs XTTS: `python -m services.tts.clone.worker MODEL_DIR DEVICE`, by the Python of deploy/clone.

Reads requests from stdin and writes one reply to each to stdout, until stdin ends; frames as in
services/tts/espeak/worker.py. The process works only during a request:

    {"do": "load"}                 -> {"languages": ["en", ...], "sample_rate_hertz": 24000, "model": "xtts"}
    {"do": "learn", "voice": "clone-1", "files": ["/voices/00.wav", ...]}                    -> {"likeness": 0.93}
    {"do": "open", "line": "7", "voice": "clone-1", "files": [...], "text": "Hello.", "language": "en", "rate": 1.0}
    {"do": "next", "line": "7"}    -> {"is_last": false} and the next piece of sound, LINEAR16 mono
    {"do": "shut", "line": "7"}    -> {}

`likeness` is the least cosine between the speaker embeddings of two recordings. A request that fails is answered
{"error": "..."}. Nothing of this project but the standard library's part of it is imported.
"""

import contextlib
import os
import sys
import wave
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from TTS.tts.configs.xtts_config import XttsConfig
from TTS.tts.models.xtts import Xtts

from services.tts.espeak.worker import read_frame, write_frame

MOST_VOICES = 64  # whose latents are kept in memory
TOKENS_A_PIECE = 20  # of the first network, about a second of sound
REFERENCE_HERTZ, WARM_UP_SAMPLES = 22050, 44100
FILES = ("config.json", "model.pth", "vocab.json")


class Cloner:
    """XTTS, loaded once, and the lines that are under way."""

    def __init__(self, folder: Path, device: str) -> None:
        """Raises OSError, ValueError, RuntimeError where the folder holds no XTTS or the device does not work."""
        if missing := [name for name in FILES if not (folder / name).is_file()]:
            raise OSError(f"{folder} lacks {', '.join(missing)}")
        self._config = XttsConfig()
        self._config.load_json(str(folder / "config.json"))
        self._model = Xtts(self._config)
        self._model.load_checkpoint(self._config, checkpoint_dir=str(folder), eval=True)
        self._model.to(device if device != "auto" else "cuda:0" if torch.cuda.is_available() else "cpu")
        self._voices: OrderedDict[str, tuple[Any, Any, float]] = OrderedDict()
        self._lines: dict[str, Iterator[Any]] = {}
        self._warm_up()

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Do what a request asks. Raises ValueError, RuntimeError, OSError."""
        for line in request.get("shut", ()):
            self._lines.pop(line, None)
        do = request["do"]
        if do == "load":
            return {
                "languages": list(self._config.languages),
                "sample_rate_hertz": self._model.args.output_sample_rate,
                "model": str(self._config.model),
            }, b""
        if do == "learn":
            return {"likeness": self._latents(request["voice"], request["files"])[2]}, b""
        if do == "forget":
            self._voices.pop(request["voice"], None)
            return {}, b""
        if do == "open":
            self._lines[request["line"]] = self._speak(request)
            return {}, b""
        if do == "next":
            return self._next(request["line"])
        return {}, b""

    def _speak(self, request: dict[str, Any]) -> Iterator[Any]:
        gpt_latents, embedding, _ = self._latents(request["voice"], request["files"])
        config = self._config
        return iter(
            self._model.inference_stream(
                request["text"],
                request["language"],
                gpt_latents,
                embedding,
                stream_chunk_size=TOKENS_A_PIECE,
                temperature=config.temperature,
                length_penalty=config.length_penalty,
                repetition_penalty=config.repetition_penalty,
                top_k=config.top_k,
                top_p=config.top_p,
                speed=float(request["rate"]),
            )
        )

    def _warm_up(self) -> None:
        """One piece of a line in a voice of noise: memory is taken and kernels are chosen before the first call."""
        noise = 0.1 * torch.randn(1, WARM_UP_SAMPLES).to(self._model.device)
        with torch.inference_mode():
            embedding = self._model.get_speaker_embedding(noise, REFERENCE_HERTZ)
            latents = self._model.get_gpt_cond_latents(noise, REFERENCE_HERTZ)
        next(iter(self._model.inference_stream("hello.", "en", latents, embedding)), None)

    def _next(self, line: str) -> tuple[dict[str, Any], bytes]:
        piece = next(self._lines[line], None)
        if piece is None:
            del self._lines[line]
            return {"is_last": True}, b""
        samples = np.clip(piece.float().cpu().numpy().reshape(-1) * 32767, -32768, 32767)
        return {"is_last": False}, np.rint(samples).astype("<i2").tobytes()

    def _latents(self, voice: str, files: Sequence[str]) -> tuple[Any, Any, float]:
        """Return XTTS's latents of a voice for its first and its second network, and the likeness of the recordings."""
        with torch.inference_mode():
            return self._learn(voice, files)

    def _learn(self, voice: str, files: Sequence[str]) -> tuple[Any, Any, float]:
        if (known := self._voices.get(voice)) is not None:
            self._voices.move_to_end(voice)
            return known
        config = self._config
        sounds, embeddings = [], []
        for file in files:
            sound, rate = _read(Path(file))
            sound = sound[:, : int(rate * config.max_ref_len)].to(self._model.device)
            embeddings.append(self._model.get_speaker_embedding(sound, rate))
            sounds.append((sound, rate))
        rate = sounds[0][1]
        joined = torch.cat([_at(sound, own, rate) for sound, own in sounds], dim=-1)
        latents = self._model.get_gpt_cond_latents(
            joined, rate, length=config.gpt_cond_len, chunk_length=config.gpt_cond_chunk_len
        )
        flat = torch.nn.functional.normalize(torch.stack(embeddings).reshape(len(embeddings), -1), dim=1)
        known = latents, torch.stack(embeddings).mean(dim=0), float((flat @ flat.T).min())
        self._voices[voice] = known
        if len(self._voices) > MOST_VOICES:
            self._voices.popitem(last=False)
        return known


def _at(sound: Any, rate: int, wanted: int) -> Any:
    if rate == wanted:
        return sound
    import torchaudio  # noqa: PLC0415 - comes with XTTS

    return torchaudio.functional.resample(sound, rate, wanted)


def _read(path: Path) -> tuple[Any, int]:
    """A recording as XTTS takes it, (1, samples), and its rate in Hz."""
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float32) / 32768
        return torch.from_numpy(samples)[None, :], file.getframerate()


def _private_stdout() -> IO[bytes]:
    """Return the pipe to the parent process; what libraries print goes to stderr."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return replies


def main() -> None:
    """Serve until stdin ends."""
    replies = _private_stdout()
    try:
        cloner = Cloner(Path(sys.argv[1]), sys.argv[2])
    except Exception as error:  # torch, pickle and coqui raise many kinds of errors for a broken file
        write_frame(replies, {"error": f"{type(error).__name__}: {error}"})
        raise SystemExit(1) from None
    while (frame := read_frame(sys.stdin.buffer)) is not None:
        try:
            message, sound = cloner.answer(frame[0])
        except Exception as error:  # one bad line; the process lives
            with contextlib.suppress(KeyError):
                cloner._lines.pop(frame[0].get("line", ""), None)
            message, sound = {"error": f"{type(error).__name__}: {error}"}, b""
        write_frame(replies, message, sound)


if __name__ == "__main__":
    main()
