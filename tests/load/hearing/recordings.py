"""Speech with its text: the repo's English clips, six Vietnamese speakers, Asterisk's prompts, and one's own.

All of it comes out at 8 kHz. Prompts are fetched with `apt-get download` and kept in ~/.cache/tong-dai/speech.
"""

import gzip
import shutil
import subprocess
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import soxr

from services.audio.g711 import decode_mulaw
from tests.load.clips import load_clips
from tests.load.hearing.conditions import RATE, Sound
from tests.load.vietnamese import CACHE, PACKAGE, SAMPLES_DIR, fetch_clips

PROMPTS = {"en-US": "asterisk-core-sounds-en", "ru-RU": "asterisk-core-sounds-ru"}
PROMPT_S = (1.5, 8.0)  # of what is taken: no single words, nothing longer than a turn
FETCH_LIMIT_S = 120
Item = TypeVar("Item")


class NotThere(Exception):
    """The set cannot be had on this machine; the message says why."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A recording and what was said. `sound` is (n_samples,) at 8 kHz, int16 range."""

    name: str
    text: str
    language_code: str
    sound: Sound


def read_wav(path: Path) -> Sound:
    """A mono or stereo 16-bit file at 8 kHz. Raises NotThere."""
    with wave.open(str(path)) as file:
        if file.getsampwidth() != 2:
            raise NotThere(f"{path} is not 16-bit")
        sound = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float64)
        rate, n_channels = file.getframerate(), file.getnchannels()
    mono = sound.reshape(-1, n_channels).mean(axis=1)
    return np.asarray(mono if rate == RATE else soxr.resample(mono, rate, RATE), dtype=np.float64)


def english() -> list[Spoken]:
    """The bench's clips in which somebody says whole words."""
    return [
        Spoken(
            clip.name, clip.text.replace("|", " "), clip.language_code,
            decode_mulaw(b"".join(clip.frames)).astype(np.float64),
        )
        for clip in load_clips()
        if clip.language_code.startswith("en") and clip.kind in ("plain", "pause", "interruption")
    ]  # fmt: skip


def vietnamese() -> list[Spoken]:
    """Six people who read a sentence or more each."""
    fetch_clips()
    folder = CACHE / PACKAGE.replace("==", "-") / SAMPLES_DIR
    return [
        Spoken(path.stem, path.with_suffix(".txt").read_text(encoding="utf-8").strip(), "vi-VN", read_wav(path))
        for path in sorted(folder.glob("*.wav"))
    ]


def prompts(language_code: str) -> list[Spoken]:
    """The prompts of Asterisk's speaker of the language, with the package's own list of texts. Raises NotThere."""
    package = PROMPTS.get(language_code)
    if package is None:
        raise NotThere(f"no prompts are known for {language_code}")
    root = CACHE / package
    if not root.is_dir():
        _fetch_prompts(package, root)
    [listing] = (root / "usr/share/doc").rglob("core-sounds-*.txt*")
    opened = gzip.open if listing.suffix == ".gz" else open
    with opened(listing, "rt", encoding="utf-8") as lines:
        texts = dict(line.strip().split(": ", 1) for line in lines if ": " in line and not line.startswith(";"))
    files = {path.stem: path for path in (root / "usr/share/asterisk/sounds").glob("*/*.wav")}
    found = []
    for name in sorted(texts.keys() & files.keys()):
        if "[" in texts[name]:
            continue  # a sound, or words that are not all spoken
        sound = read_wav(files[name])
        if PROMPT_S[0] * RATE <= len(sound) <= PROMPT_S[1] * RATE:
            found.append(Spoken(name, texts[name], language_code, sound))
    return found


def folder_of(path: Path, language_code: str) -> list[Spoken]:
    """Every WAV file with a text file of the same name beside it. Raises NotThere."""
    found = [
        Spoken(one.stem, one.with_suffix(".txt").read_text(encoding="utf-8").strip(), language_code, read_wav(one))
        for one in sorted(path.rglob("*.wav"))
        if one.with_suffix(".txt").is_file()
    ]
    if not found:
        raise NotThere(f"{path} holds no WAV file with a .txt file beside it")
    return found


def spread_over(spoken: Sequence[Item], most: int) -> list[Item]:
    """At most so many, taken evenly over the whole set."""
    if len(spoken) <= most:
        return list(spoken)
    return [spoken[number * len(spoken) // most] for number in range(most)]


def _fetch_prompts(package: str, root: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise NotThere(f"{package}: fetched with apt-get and dpkg-deb, which are not here")
    fetched = root.with_suffix(".part")
    fetched.mkdir(parents=True, exist_ok=True)
    try:
        command = ["apt-get", "download", package, f"{package}-wav"]
        subprocess.run(command, cwd=fetched, check=True, capture_output=True, timeout=FETCH_LIMIT_S)
        for deb in sorted(fetched.glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", deb.name, "."], cwd=fetched, check=True, timeout=FETCH_LIMIT_S)
            deb.unlink()
    except (subprocess.SubprocessError, OSError) as error:
        shutil.rmtree(fetched, ignore_errors=True)
        raise NotThere(f"{package} could not be fetched: {error}") from error
    fetched.rename(root)
