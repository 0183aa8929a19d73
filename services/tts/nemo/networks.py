"""Inference of FastPitch and its vocoders. The only module that imports torch, NeMo and BigVGAN: some 20 s, once."""

import contextlib
import copy
import hashlib
import io
import json
import math
import os
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("WANDB_MODE", "disabled")

import numpy as np
import torch
from nemo.collections.tts.models import FastPitchModel, HifiGanModel
from nemo.utils import logging as nemo_logging

from services.audio.pcm import Samples
from services.runtime.errors import NotServing
from services.runtime.loading import loading
from services.tts.nemo.device import Mel, Text
from services.tts.nemo.plan import Window

nemo_logging.setLevel(nemo_logging.ERROR)

GUARD = 1e-5  # NeMo takes log(mel + GUARD), BigVGAN log(max(mel, GUARD))
PROBE_FRAMES = 193  # for a margin of at most 96
SEMITONE = 2 ** (1 / 12)


@dataclass(frozen=True, slots=True)
class Pitch:
    """Pitch of a voice, in Hz: FastPitch predicts standard deviations from the mean."""

    mean: float
    deviation: float

    def shift(self, semitones: float) -> float:
        """Return what to add to a prediction so that the mean rises by so many semitones."""
        return self.mean * (math.pow(SEMITONE, semitones) - 1) / self.deviation


class Acoustic:
    """A FastPitch of one language: text to tokens on the processor, tokens to spectrograms on each device."""

    def __init__(self, language: str, model: Any) -> None:
        model.eval()
        self.language, self._model = language, model
        self.module = model.fastpitch
        self.n_speakers = int(model.cfg.get("n_speakers", 1) or 1)
        self.sample_rate_hertz = int(model.cfg.sample_rate)
        self.hop_samples = int(model.cfg.n_window_stride)
        self.pitch = Pitch(float(model.cfg.get("pitch_mean", 0) or 0), float(model.cfg.get("pitch_std", 1) or 1))
        self._space = getattr(getattr(model, "vocab", None), "space", None)
        self._lock = threading.Lock()  # a tokenizer has a state

    @property
    def pad(self) -> int:
        return int(self.module.encoder.padding_idx)

    def tokens(self, text: str) -> tuple[int, ...]:
        """Return a text's tokens; characters without a token are left out."""
        with self._lock, torch.inference_mode():
            return tuple(int(token) for token in self._model.parse(text, normalize=False)[0].tolist())

    def word_ends(self, text: str, tokens: Sequence[int], durations: np.ndarray[Any, Any]) -> list[tuple[int, int]]:
        """Return where each word ends: code points into the text, frames into the sound.

        Words are the runs of tokens between spaces. Where those are not as many as the text has words, for a model has
        no token for one, the words share the frames by their length.
        """
        words = list(re.finditer(r"\S+", text))
        ends: list[int] = []
        is_inside = False
        frames = np.cumsum(durations)
        for token, frame in zip(tokens, frames, strict=True):
            if token == self._space:
                is_inside = False
            elif is_inside:
                ends[-1] = int(frame)
            else:
                ends.append(int(frame))
                is_inside = True
        if len(ends) != len(words):
            total = int(frames[-1]) if len(frames) else 0
            ends = [total * word.end() // max(1, len(text)) for word in words]
        return [(word.end(), end) for word, end in zip(words, ends, strict=True)]


@dataclass(frozen=True, slots=True)
class Vocoder:
    """A generator: (batch, n_mels, n_frames) to (batch, 1, n_frames * hop)."""

    kind: str  # "bigvgan" or "hifigan"
    generator: Any
    sample_rate_hertz: int

    def input(self, mel: Any) -> Any:
        """NeMo's spectrogram as this vocoder learnt it."""
        if self.kind == "hifigan":
            return mel
        return torch.log(torch.clamp(torch.exp(mel) - GUARD, min=GUARD))

    def run(self, generator: Any, mel: Any) -> Any:
        """The sound of a spectrogram, (batch, n_samples) in -1..1."""
        sound = generator(x=mel) if self.kind == "hifigan" else generator(mel)
        return sound[:, 0]


def load_acoustic(language: str, name: str) -> Acoustic:
    """A FastPitch by path of a .nemo file, or by the name that NVIDIA publishes it under. Raises StartupError."""
    return Acoustic(language, _restore(FastPitchModel, name, "TTS_NEMO_ACOUSTIC"))


def load_vocoder(kind: str, name: str) -> Vocoder:
    """`bigvgan`: a folder with config.json and bigvgan_generator.pt, or a name on Hugging Face; `hifigan`: a .nemo
    file, or a name of NVIDIA's. Raises StartupError.
    """
    if kind == "hifigan":
        model = _restore(HifiGanModel, name, "TTS_NEMO_VOCODER")
        with contextlib.redirect_stdout(io.StringIO()):
            model.generator.remove_weight_norm()
        return Vocoder(kind, model.generator.eval(), int(model.cfg.preprocessor.sample_rate))
    folder = Path(name).expanduser()
    with loading(f"TTS_NEMO_VOCODER: {name} as a BigVGAN"):
        if not folder.is_dir():
            folder = _fetch(name)
        return _bigvgan(folder)


def receptive_field(vocoder: Vocoder, n_mels: int) -> tuple[int, int]:
    """Frames to either side that a frame's sound depends on, and samples a frame.

    Found with one frame that is no number: all that depends on it is none either. Raises NotServing where the field
    is wider than the probe.
    """
    device = next(vocoder.generator.parameters()).device
    mel = torch.zeros(1, n_mels, PROBE_FRAMES, device=device)
    middle = PROBE_FRAMES // 2
    mel[0, :, middle] = float("nan")
    with torch.inference_mode():
        sound = vocoder.run(vocoder.generator, mel)[0]
    hop = sound.numel() // PROBE_FRAMES
    reached = torch.isnan(sound).nonzero().flatten()
    left, right = int(reached[0]) // hop, int(reached[-1]) // hop
    if left <= 0 or right >= PROBE_FRAMES - 1:
        raise NotServing(f"the vocoder's receptive field is over {PROBE_FRAMES // 2} frames; it cannot run in chunks")
    return max(middle - left, right - middle), hop


class NemoNetworks:
    """FastPitch of each language and the vocoder, copied to one device. See `services.tts.nemo.device.Networks`."""

    def __init__(self, acoustics: Mapping[str, Acoustic], vocoder: Vocoder, device: str, *, is_half: bool) -> None:
        """`is_half`: the vocoder in 16 bits. FastPitch stays in 32: it is a small part of the work, and NeMo counts
        frames in the numbers it computes with, which in 16 bits are exact to 2048 only.
        """
        self._device = torch.device(device)
        self._vocoder = vocoder
        self._modules = {
            language: _Masked(copy.deepcopy(acoustic.module).to(self._device), acoustic.pad, acoustic.pitch)
            for language, acoustic in acoustics.items()
        }
        self._dtype = torch.float16 if is_half else torch.float32
        self._generator = copy.deepcopy(vocoder.generator).to(self._device, self._dtype)
        if self._device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # windows have few lengths

    def spectra(self, texts: Sequence[Text]) -> list[Mel]:
        module = self._modules[texts[0].language]
        with torch.inference_mode():
            return [
                Mel(frames, frames.shape[1], durations.cpu().numpy().astype(np.int64))
                for frames, durations in module.infer(texts, self._device)
            ]

    def vocode(self, parts: Sequence[tuple[Mel, Window]]) -> list[Samples]:
        with torch.inference_mode():
            mels = torch.stack([mel.frames[:, window.low : window.high] for mel, window in parts])
            sound = self._vocoder.run(self._generator, self._vocoder.input(mels).to(self._dtype)).float()
            whole = (sound.clamp(-1.0, 1.0) * 32767).round().to(torch.int16).cpu().numpy()
        hop = whole.shape[1] // parts[0][1].n_frames
        return [
            samples[(window.begin - window.low) * hop : (window.end - window.low) * hop]
            for samples, (_, window) in zip(whole, parts, strict=True)
        ]

    def is_out_of_memory(self, error: Exception) -> bool:
        if not isinstance(error, torch.OutOfMemoryError):
            return False
        torch.cuda.empty_cache()
        return True

    def probe(self) -> None:
        one = torch.ones(8, 8, device=self._device)
        if float((one @ one).sum()) != 512.0:
            raise RuntimeError("the device computes wrongly")


class _Masked:
    """FastPitch over a batch of texts of different lengths, each exactly as it would be alone.

    NeMo masks between its layers but not between the convolutions inside of them, so that the last tokens of a padded
    text would see what padding made of itself. Here the input of every convolution that sees its neighbours is masked.
    """

    def __init__(self, module: Any, pad: int, pitch: Pitch) -> None:
        self.module, self._pad, self._pitch = module.eval(), pad, pitch
        self._token_mask: Any = None
        self._frame_mask: Any = None
        decoder_parts = set(module.decoder.modules())
        for part in module.modules():
            if isinstance(part, torch.nn.Conv1d) and part.kernel_size[0] > 1:
                hook = self._mask_frames if part in decoder_parts else self._mask_tokens
                part.register_forward_pre_hook(hook)
        module.decoder.register_forward_pre_hook(self._see_lengths, with_kwargs=True)

    def infer(self, texts: Sequence[Text], device: Any) -> list[tuple[Any, Any]]:
        """For each text its spectrogram (n_mels, n_frames) and the frames of its tokens (n_tokens,)."""
        lengths = torch.tensor([len(text.tokens) for text in texts])
        rows = [torch.tensor(text.tokens, dtype=torch.long) for text in texts]
        tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self._pad).to(device)
        self._token_mask = _mask(lengths, tokens.shape[1]).to(device)
        pace = torch.tensor([[text.pace] for text in texts], device=device)
        speaker = torch.tensor([text.speaker for text in texts], device=device)
        mels, n_frames, durations, *_ = self.module.infer(
            text=tokens,
            pitch=torch.tensor([[self._pitch.shift(text.pitch)] for text in texts], device=device).expand(tokens.shape),
            speaker=speaker if self.module.speaker_emb is not None else None,
            pace=pace,
        )
        frames_of = (durations.float() / pace + 0.5).floor().long()  # as NeMo's regulate_len counts them
        return [
            (mels[number, :, : int(n_frames[number])], frames_of[number, : len(text.tokens)])
            for number, text in enumerate(texts)
        ]

    def _see_lengths(self, _module: Any, args: Any, kwargs: Any) -> None:
        self._frame_mask = _mask(kwargs["seq_lens"], kwargs["input"].shape[1])

    def _mask_tokens(self, _module: Any, args: Any) -> Any:
        return (args[0] * self._token_mask.to(args[0].dtype), *args[1:])

    def _mask_frames(self, _module: Any, args: Any) -> Any:
        return (args[0] * self._frame_mask.to(args[0].dtype), *args[1:])


def cuda_devices(most: int) -> list[str]:
    """The first GPUs that are there, at most so many."""
    return [f"cuda:{number}" for number in range(min(most, torch.cuda.device_count()))]


def is_half_worthwhile(device: str) -> bool:
    """Return whether a device computes faster in 16 bits than in 32: from Volta (sm_70) on."""
    return device.startswith("cuda") and torch.cuda.get_device_capability(torch.device(device)) >= (7, 0)


def hash_of(*modules: Any) -> str:
    """A hash of networks' weights."""
    whole = hashlib.sha256()
    for module in modules:
        for name, weights in sorted(module.state_dict().items()):
            whole.update(name.encode() + str(tuple(weights.shape)).encode())
            whole.update(weights.detach().cpu().contiguous().numpy().tobytes())
    return whole.hexdigest()


def _mask(lengths: Any, longest: int) -> Any:
    """(batch, 1, longest), 1.0 inside of each."""
    return (torch.arange(longest, device=lengths.device)[None, None, :] < lengths[:, None, None]).float()


def _restore(model_class: Any, name: str, setting: str) -> Any:
    path = Path(name).expanduser()
    if name.endswith(".nemo") and not path.is_file():
        raise NotServing(f"{setting}: there is no file {path}")
    with loading(f"{setting}: {name}"):  # a broken archive, another model's, an unknown name, no network, a full disk
        if path.is_file():
            return model_class.restore_from(str(path), map_location="cpu").eval()
        return model_class.from_pretrained(name, map_location=torch.device("cpu")).eval()


def _bigvgan(folder: Path) -> Vocoder:
    from bigvgan import BigVGAN  # noqa: PLC0415  only where it is used
    from bigvgan.env import AttrDict  # noqa: PLC0415

    settings = AttrDict(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    with contextlib.redirect_stdout(io.StringIO()):
        generator = BigVGAN(settings).eval()
        weights = torch.load(folder / "bigvgan_generator.pt", map_location="cpu", weights_only=True)
        generator.load_state_dict(weights["generator"])
        generator.remove_weight_norm()
    return Vocoder("bigvgan", generator, int(settings.sampling_rate))


def _fetch(name: str) -> Path:
    from huggingface_hub import hf_hub_download  # noqa: PLC0415  only where it is used

    paths = [Path(hf_hub_download(name, file)) for file in ("config.json", "bigvgan_generator.pt")]
    return paths[0].parent
