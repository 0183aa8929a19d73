"""Whisper model of CTranslate2: its options, and how it is loaded."""

from dataclasses import dataclass
from pathlib import Path

from faster_whisper import WhisperModel

from services.runtime.errors import StartupError


@dataclass(frozen=True, slots=True)
class WhisperOptions:
    """Options of a model."""

    device: str = "cpu"
    compute_type: str = ""  # CTranslate2's; empty: int8 on a CPU, float16 on a GPU
    beam_size: int = 1
    says_words: bool = False  # where each lies
    lone_threads: int = 1  # of a decode while cores idle


def load_whisper(folder: Path, options: WhisperOptions, *, n_workers: int, n_threads: int) -> WhisperModel:
    """Load the model of a folder. Raises StartupError."""
    try:
        return WhisperModel(
            str(folder),
            device=options.device,
            compute_type=options.compute_type or ("int8" if options.device == "cpu" else "float16"),
            cpu_threads=n_threads,
            num_workers=n_workers,
            local_files_only=True,
        )
    except Exception as error:  # the library raises RuntimeError and ValueError without a common base
        raise StartupError(f"the Whisper model in {folder} cannot be loaded: {error}") from error
