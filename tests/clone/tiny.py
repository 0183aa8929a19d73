"""Writes an XTTS v2 with tiny random weights: `python tests/clone/tiny.py FOLDER`, by the Python of deploy/clone."""

import sys
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from TTS.tts.configs.xtts_config import XttsArgs, XttsConfig
from TTS.tts.models.xtts import Xtts

LANGUAGES = ["en", "es", "fr", "ru", "zh-cn"]
WIDTH = 64
MOST_TOKENS = 24  # of sound, each 46 ms: random weights do not know where a sentence ends
LETTERS = "abcdefghijklmnopqrstuvwxyz'.,!?-"


def write_tokenizer(path: Path) -> int:
    """Letters as tokens, beside XTTS's own marks. How many there are."""
    marks = ["[STOP]", "[UNK]", "[SPACE]", "[START]", *(f"[{language}]" for language in LANGUAGES)]
    vocabulary = {token: number for number, token in enumerate([*marks, *LETTERS])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106 - a mark in the vocabulary
    tokenizer.pre_tokenizer = Split(Regex(r"\[[^\]]*\]|."), "isolated")
    tokenizer.save(str(path))
    return len(vocabulary)


def main(folder: Path) -> None:
    """Write config.json, vocab.json and model.pth."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    n_tokens = write_tokenizer(folder / "vocab.json")
    args = XttsArgs(
        gpt_layers=2,
        gpt_n_model_channels=WIDTH,
        gpt_n_heads=2,
        gpt_max_audio_tokens=MOST_TOKENS,
        gpt_max_text_tokens=402,
        gpt_number_text_tokens=n_tokens,
        gpt_start_text_token=3,
        gpt_stop_text_token=0,
        gpt_num_audio_tokens=1026,
        gpt_start_audio_token=1024,
        gpt_stop_audio_token=1025,
        gpt_use_perceiver_resampler=True,
        decoder_input_dim=WIDTH,
    )
    config = XttsConfig(model_args=args, languages=LANGUAGES)
    model = Xtts(config)
    config.save_json(str(folder / "config.json"))
    torch.save({"model": model.state_dict()}, folder / "model.pth")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
