"""Kokoro's own path from text to sound, on a tiny network in place of its weights."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from services.language.reading.spoken import Stretch
from services.runtime.errors import NotServing, StartupError
from services.tts.engine import Line, Speech
from services.tts.engines.kokoro import KokoroEngine, cut
from services.tts.settings import TtsSettings
from services.tts.vits.phonemes import phonemes_of
from tests.fakes.tiny_kokoro import SAMPLES_A_TOKEN, VOCABULARY, tiny_kokoro


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_kokoro(tmp_path / "kokoro")


@pytest_asyncio.fixture
async def kokoro(folder: Path) -> AsyncIterator[KokoroEngine]:
    engine = KokoroEngine(TtsSettings(kokoro_model=str(folder), kokoro_threads=1, _env_file=None))
    await engine.load()
    yield engine
    await engine.close()


async def spoken(engine: KokoroEngine, text: str, *, stretches: tuple[Stretch, ...] = ()) -> list[Speech]:
    line = Line(text, "en-US", "af_one", 1.0, 1, is_first=True, stretches=stretches)
    return [piece async for piece in engine.synthesize(line)]


def heard(pieces: list[Speech]) -> str:
    """The tokens behind the sound, the first and the last left out."""
    signs = {number: sign for sign, number in VOCABULARY.items()}
    samples = np.concatenate([piece.samples for piece in pieces])[::SAMPLES_A_TOKEN]
    n_tokens = len(samples) - 2
    numbers = np.rint(samples / 32767 / (n_tokens * 1e-5)).astype(int)
    return "".join(signs[number] for number in numbers[1:-1])


async def test_it_describes_the_voices_whose_language_it_knows(kokoro: KokoroEngine) -> None:
    description = kokoro.describe()
    assert [(voice.name, voice.language_codes) for voice in description.voices] == [
        ("af_one", ("en-US",)),
        ("bm_two", ("en-GB",)),
    ]
    assert description.sample_rate_hertz == 24000
    assert description.sound_id


async def test_phonemes_are_written_as_it_was_trained_on_them(kokoro: KokoroEngine) -> None:
    assert heard(await spoken(kokoro, "My job, Joy.")) == "mI ʤˈɑb, ʤˈY."
    assert heard(await spoken(kokoro, "show")) == "ʃˈO"


async def test_sounds_and_other_languages_are_said_in_their_place(kokoro: KokoroEngine) -> None:
    pieces = await spoken(kokoro, "I am Kxq.", stretches=(Stretch(5, 8, ipa="bˈɑːd"),))
    assert heard(pieces) == "Iˈæm bˈɑd."
    german = await spoken(kokoro, "so Zeit", stretches=(Stretch(3, 7, language_code="de"),))
    assert heard(german) != heard(await spoken(kokoro, "so Zeit"))


async def test_a_line_is_one_piece_and_its_style_is_that_of_its_length(kokoro: KokoroEngine) -> None:
    [piece] = await spoken(kokoro, "show")
    assert piece.is_whole
    assert len(piece.samples) == SAMPLES_A_TOKEN * (3 + 2)


async def test_no_sound_to_make_is_no_fault(kokoro: KokoroEngine) -> None:
    assert await spoken(kokoro, "— —") == []


def test_what_is_too_long_for_one_step_is_cut() -> None:
    assert [len(part) for part in cut(range(1200))] == [510, 510, 180]


def test_marks_stay_between_phonemes() -> None:
    def letters(texts: Sequence[str], _language: str) -> list[str]:
        return ["".join(one for one in text.lower() if one.isalpha() or one == " ") for text in texts]

    assert phonemes_of("Ab c, d! E f.", letters) == "ab c, d! e f."


@pytest.mark.parametrize("what", ["model.onnx", "config.json", "voices/af_one.bin", "voices"])
async def test_a_broken_folder_ends_the_start_with_its_name(folder: Path, what: str) -> None:
    if what == "voices":
        for file in (folder / "voices").iterdir():
            file.unlink()
    else:
        (folder / what).write_bytes(b"broken")
    engine = KokoroEngine(TtsSettings(kokoro_model=str(folder), _env_file=None))
    with pytest.raises(NotServing, match=str(folder)):
        await engine.load()
    await engine.close()


@pytest.mark.parametrize("file", ["config.json", "voices/af_one.bin"])
async def test_a_disk_that_fails_at_the_start_is_read_again_at_the_next(folder: Path, file: str) -> None:
    (folder / file).unlink()
    (folder / file).symlink_to("/proc/self/mem")  # reading its first byte is an input/output error
    engine = KokoroEngine(TtsSettings(kokoro_model=str(folder), _env_file=None))
    with pytest.raises(StartupError, match=str(folder)) as refused:
        await engine.load()
    assert not isinstance(refused.value, NotServing)
    await engine.close()


async def test_a_folder_that_is_not_there_is_said() -> None:
    engine = KokoroEngine(TtsSettings(kokoro_model="/nowhere/kokoro", _env_file=None))
    with pytest.raises(StartupError, match="TTS_KOKORO_MODEL=/nowhere/kokoro"):
        await engine.load()
    await engine.close()
