"""FastPitch, HiFi-GAN and BigVGAN as their projects make them, with tiny random weights."""

import contextlib
import io
import json
import math
from pathlib import Path
from typing import Any

import torch
from bigvgan import BigVGAN
from bigvgan.env import AttrDict
from nemo.collections.tts.models import FastPitchModel, HifiGanModel
from omegaconf import OmegaConf

MODULES = "nemo.collections.tts.modules"
TOKENIZERS = "nemo.collections.common.tokenizers.text_to_speech.tts_tokenizers"
TOKENIZER = {"en": "EnglishCharsTokenizer", "vi": "VietnameseCharsTokenizer"}
FRAMES_A_TOKEN = 6
V1 = ([8, 8, 2, 2], [16, 16, 4, 4])
V2 = ([4, 4, 2, 2, 2, 2], [8, 8, 4, 4, 4, 4])  # of bigvgan_v2_22khz_80band_fmax8k_256x

MEL = {
    "n_window_size": 1024, "n_window_stride": 256, "n_fft": 1024, "lowfreq": 0, "highfreq": 8000, "sample_rate": 22050,
    "window": "hann", "normalize": None, "preemph": None, "dither": 0.0, "frame_splicing": 1, "log": True,
    "log_zero_guard_type": "add", "log_zero_guard_value": 1e-5, "mag_power": 1.0, "mel_norm": "slaney",
}  # fmt: skip


def fastpitch(language: str, *, width: int = 32, n_speakers: int = 1, seed: int = 0) -> Any:
    """A FastPitch of that language."""
    torch.manual_seed(seed)
    layers = {
        "n_layer": 2, "n_head": 1, "d_model": width, "d_head": width, "d_inner": 4 * width, "kernel_size": 3,
        "dropout": 0.1, "dropatt": 0.1, "dropemb": 0.0,
    }  # fmt: skip
    predictor = {
        "_target_": f"{MODULES}.fastpitch.TemporalPredictor", "input_size": width, "kernel_size": 3,
        "filter_size": width, "dropout": 0.1, "n_layers": 2,
    }  # fmt: skip
    config = {
        "learn_alignment": True, "bin_loss_warmup_epochs": 100, "n_speakers": n_speakers, "max_token_duration": 75,
        "symbols_embedding_dim": width, "pitch_embedding_kernel_size": 3, "n_mel_channels": 80, "pitch_fmin": 65.4,
        "pitch_fmax": 2093.0, "pitch_mean": 212.35, "pitch_std": 68.53, "n_window_size": 1024, "n_window_stride": 256,
        "sample_rate": 22050,
        "text_tokenizer": {
            "_target_": f"{TOKENIZERS}.{TOKENIZER[language]}", "punct": True, "apostrophe": True,
            "pad_with_space": True,
        },
        "train_ds": {"defer_setup": True, "dataset": {"_target_": "nemo.collections.tts.data.dataset.TTSDataset"}},
        "preprocessor": {
            "_target_": "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor", "features": 80,
            "window_size": False, "window_stride": False, "pad_to": 1, "pad_value": 0, **MEL,
        },
        "input_fft": {"_target_": f"{MODULES}.transformer.FFTransformerEncoder", **layers},
        "output_fft": {"_target_": f"{MODULES}.transformer.FFTransformerDecoder", **layers},
        "alignment_module": {"_target_": f"{MODULES}.aligner.AlignmentEncoder", "n_text_channels": width},
        "duration_predictor": predictor, "pitch_predictor": predictor, "optim": {"name": "adamw", "lr": 1e-3},
    }  # fmt: skip
    model = FastPitchModel(cfg=OmegaConf.create(config)).eval()
    with torch.no_grad():  # random weights would make every token last no time
        model.fastpitch.duration_predictor.fc.bias.fill_(math.log(FRAMES_A_TOKEN + 1))
    return model


def hifigan(*, channels: int = 32) -> Any:
    """A HiFi-GAN of NeMo's."""
    torch.manual_seed(0)
    config = {
        "preprocessor": {
            "_target_": "nemo.collections.asr.parts.preprocessing.features.FilterbankFeatures", "nfilt": 80,
            "pad_to": 0, "pad_value": -11.52, "exact_pad": True, **MEL,
        },
        "generator": {
            "_target_": f"{MODULES}.hifigan_modules.Generator", "resblock": 1, "upsample_rates": V1[0],
            "upsample_kernel_sizes": V1[1], "upsample_initial_channel": channels,
            "resblock_kernel_sizes": [3, 7, 11], "resblock_dilation_sizes": [[1, 3, 5]] * 3,
        },
        "train_ds": {"defer_setup": True, "dataset": {"_target_": "nemo.collections.tts.data.dataset.VocoderDataset"}},
        "optim": {"_target_": "torch.optim.AdamW", "lr": 2e-4}, "max_steps": 10,
    }  # fmt: skip
    return HifiGanModel(cfg=OmegaConf.create(config)).eval()


def write_bigvgan(folder: Path, *, channels: int = 64, rates: tuple[list[int], list[int]] = V2) -> Path:
    """A BigVGAN as it lies on Hugging Face."""
    torch.manual_seed(0)
    settings = AttrDict(
        resblock="1", num_mels=80, upsample_rates=rates[0], upsample_kernel_sizes=rates[1],
        upsample_initial_channel=channels, resblock_kernel_sizes=[3, 7, 11], resblock_dilation_sizes=[[1, 3, 5]] * 3,
        activation="snakebeta", snake_logscale=True, use_tanh_at_final=False, use_bias_at_final=False,
        sampling_rate=22050,
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.redirect_stdout(io.StringIO()):
        generator = BigVGAN(settings)
    with torch.no_grad():  # as loud as speech, so that differences show and nothing is clipped
        generator.conv_post.weight_g.mul_(1e-3)
        level = generator(torch.randn(1, 80, 64)).square().mean().sqrt()
        generator.conv_post.weight_g.mul_(0.1 / level)
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    torch.save({"generator": generator.state_dict()}, folder / "bigvgan_generator.pt")
    return folder


def write_models(folder: Path) -> dict[str, str]:
    """Tiny models in a folder, and the settings of the speaking stage that name them."""
    for language in TOKENIZER:
        path = folder / f"{language}.nemo"
        if not path.exists():
            fastpitch(language).save_to(str(path))
    bigvgan = write_bigvgan(folder / "bigvgan")
    return {
        "TTS_ENGINES": "*=nemo",
        "TTS_NEMO_ACOUSTIC": ",".join(f"{language}={folder / language}.nemo" for language in TOKENIZER),
        "TTS_NEMO_VOCODER": str(bigvgan),
        "TTS_NEMO_DEVICES": "cpu,cpu",
    }
