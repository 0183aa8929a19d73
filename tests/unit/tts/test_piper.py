"""The embedded Piper voice itself."""

import json
import os
import resource
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import pytest_asyncio

from services.audio.leveller import PAUSE_S, TARGET_DBOV, Leveller
from services.audio.speech_level import SpeechLevelMeter
from services.runtime.errors import NotServing, StartupError
from services.tts.engine import Line, Speech
from services.tts.engines.piper import CHUNK_FRAMES, PiperEngine
from services.tts.espeak.process import EspeakProcess
from services.tts.settings import TtsSettings
from services.tts.vits.network import Scales, VitsNetwork

pytestmark = [pytest.mark.models, pytest.mark.asyncio(loop_scope="module")]

VOICE = TtsSettings().models_dir / "piper-en-joe" / "en_US-joe-medium.onnx"
SILERO = next((TtsSettings().models_dir / "silero-vad").glob("*.onnx"), VOICE)
QUIET = Scales(noise=0.0, length=1.0, noise_width=0.0)
PHONEMES = (20, 59, 24, 27, 100, 3, 15, 14, 32, 8, 3, 20, 61, 24, 10) * 3
IDS = [1, 0, *(part for phoneme in PHONEMES for part in (phoneme, 0)), 2]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def piper() -> AsyncIterator[PiperEngine]:
    engine = PiperEngine(TtsSettings())
    await engine.load()
    yield engine
    await engine.close()


@pytest.fixture(scope="module")
def network() -> VitsNetwork:
    return VitsNetwork(VOICE, threads=1)


async def spoken(engine: PiperEngine, text: str, rate: float = 1.0) -> list[Speech]:
    line = Line(text, "en-US", "en_US-joe-medium", rate, turn_id=1, is_first=True)
    return [piece async for piece in engine.synthesize(line)]


async def test_sound_decoded_in_chunks_equals_the_whole(network: VitsNetwork) -> None:
    whole = network.encode(IDS, QUIET)
    chunked = network.encode(IDS, QUIET)
    at_once = whole.decode(whole.n_frames)
    parts = []
    while not chunked.is_done:
        parts.append(chunked.decode(CHUNK_FRAMES[min(len(parts), 2)]))
    assert len(parts) > 2
    in_chunks = np.concatenate(parts)
    assert len(in_chunks) == len(at_once)
    assert np.abs(in_chunks.astype(np.int32) - at_once).max() <= 2


async def test_words_end_in_order_within_the_sound(piper: PiperEngine) -> None:
    pieces = await spoken(piper, "Thank you for calling, how can I help you?")
    words = pieces[0].word_ends
    assert len(pieces) > 1
    assert [word.text_offset for word in words] == [5, 9, 13, 22, 26, 30, 32, 37, 42]
    assert [word.sample for word in words] == sorted(word.sample for word in words)
    assert words[-1].sample <= sum(len(piece.samples) for piece in pieces)


async def test_a_slower_rate_takes_longer(piper: PiperEngine) -> None:
    normal = sum(len(piece.samples) for piece in await spoken(piper, "How can I help you today?"))
    slow = sum(len(piece.samples) for piece in await spoken(piper, "How can I help you today?", 0.5))
    assert slow > 1.3 * normal  # twice, but for how the voice draws its durations


async def test_the_first_piece_is_short_and_says_what_it_cost(piper: PiperEngine) -> None:
    pieces = await spoken(piper, "Your appointment is on Tuesday morning.")
    assert len(pieces[0].samples) == CHUNK_FRAMES[0] * 256
    assert pieces[0].compute_us > 0


def described(**change: object) -> bytes:
    """The description of the embedded voice, with some of it changed."""
    return json.dumps(json.loads(Path(f"{VOICE}.json").read_bytes()) | change).encode()


def without_sound() -> bytes:
    """The embedded voice with weights that are no numbers in the last layer of its decoder."""
    model = onnx.load(VOICE)
    [last] = [weights for weights in model.graph.initializer if weights.name == "dec.conv_post.weight"]
    last.raw_data = np.full(len(last.raw_data) // 4, np.nan, dtype=np.float32).tobytes()
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("content", "about", "fault"),
    [
        (lambda: b"no voice", described, r"voice\.onnx is not a single-speaker Piper voice"),
        (lambda: VOICE.read_bytes()[:1_000_000], described, r"voice\.onnx is not a single-speaker Piper voice"),
        (SILERO.read_bytes, described, r"voice\.onnx is not a single-speaker Piper voice"),
        (without_sound, described, r"voice\.onnx makes no sound"),
        (VOICE.read_bytes, lambda: b"[]", r"json does not describe a Piper voice"),
        (VOICE.read_bytes, lambda: described(inference=[1]), r"json does not describe a Piper voice"),
        (VOICE.read_bytes, lambda: described(phoneme_id_map={"a": [1]}), r"cannot be loaded: KeyError"),
        (
            VOICE.read_bytes,
            lambda: described(phoneme_id_map={sound: [9999] for sound in "^_$helo"}),
            r"cannot be loaded: ",
        ),
        (VOICE.read_bytes, lambda: described(espeak={"voice": "nobody"}), r"cannot be loaded: "),
    ],
    ids=["noise", "cut", "foreign", "no numbers", "a list", "a scale", "few sounds", "other sounds", "language"],
)
async def test_a_voice_that_is_broken_is_one_clear_line_and_no_reason_to_start_again(
    tmp_path: Path, content: Callable[[], bytes], about: Callable[[], bytes], fault: str
) -> None:
    (tmp_path / "voice.onnx").write_bytes(content())
    (tmp_path / "voice.onnx.json").write_bytes(about())
    engine = PiperEngine(TtsSettings(piper_model=str(tmp_path)))
    with pytest.raises(NotServing, match=fault) as refused:
        await engine.load()
    assert "\n" not in str(refused.value)
    await engine.close()


class FailingEspeak(EspeakProcess):
    """Its process gets a signal before it is first asked for phonemes, and is there again after the request."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(None, None)
        self._number = number

    def phonemes(self, texts: Sequence[str], *, voice: str) -> list[str]:
        assert self.pid is not None
        os.kill(self.pid, self._number)
        try:
            return super().phonemes(texts, voice=voice)
        finally:
            self.start()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_start_at_which_the_process_of_espeak_ng_fails_is_tried_again(number: signal.Signals) -> None:
    engine = PiperEngine(TtsSettings())
    engine._espeak = FailingEspeak(number)
    with pytest.raises(StartupError, match="process failed") as refused:
        await engine.load()
    assert not isinstance(refused.value, NotServing)
    await engine.close()


async def test_a_start_at_which_the_disk_is_full_is_tried_again() -> None:
    engine = PiperEngine(TtsSettings())
    most, ceiling = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, ceiling))
    try:
        with pytest.raises(StartupError, match="OSError") as refused:
            await engine.load()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, ceiling))
    assert not isinstance(refused.value, NotServing)
    await engine.close()


async def test_a_word_by_itself_is_one_whole_piece_at_the_level_of_all(piper: PiperEngine) -> None:
    for text in ("No.", "Yes.", "Why?"):
        [piece] = await spoken(piper, text)
        assert piece.is_whole
        assert piece.word_ends
        leveller = Leveller(piper.describe().sample_rate_hertz, expected_dbov=piper.describe().voices[0].level_dbov)
        meter = SpeechLevelMeter(piper.describe().sample_rate_hertz)
        meter.push(leveller.push(piece.samples, is_whole=piece.is_whole))
        level_dbov = meter.with_pause(PAUSE_S).level_dbov
        assert level_dbov is not None
        assert abs(level_dbov - TARGET_DBOV) < 1.0
