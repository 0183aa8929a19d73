"""NeMo's and BigVGAN's own code: chunks and batches are what the whole and the single clause are."""

import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from services.runtime.errors import NotServing, StartupError
from services.tts.nemo import networks
from services.tts.nemo.device import Mel, Text
from services.tts.nemo.networks import Acoustic, NemoNetworks, Vocoder, load_acoustic, load_vocoder, receptive_field
from services.tts.nemo.plan import Windows
from tests.nemo import tiny

TEXTS = [
    "yes.",
    "your appointment is confirmed for tuesday morning.",
    "one moment, please.",
    "i am sorry, i did not catch that. could you say it again?",
]


@pytest.fixture(scope="session")
def english(folder: Path) -> Acoustic:
    return load_acoustic("en", str(folder / "en.nemo"))


@pytest.fixture(scope="session")
def vocoders(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Vocoder]:
    base = tiny.write_bigvgan(tmp_path_factory.mktemp("base"), rates=tiny.V1)
    path = tmp_path_factory.mktemp("hifigan") / "hifigan.nemo"
    tiny.hifigan().save_to(str(path))
    hifigan = load_vocoder("hifigan", str(path))
    for weights in hifigan.generator.parameters():  # louder than random weights are, so that differences show
        weights.data.mul_(2 if weights.dim() > 1 else 1)
    return {
        "hifigan": hifigan,
        "bigvgan base": load_vocoder("bigvgan", str(base)),
        "bigvgan v2": load_vocoder("bigvgan", str(folder / "bigvgan")),
    }


@pytest.mark.parametrize(("kind", "margin"), [("hifigan", 13), ("bigvgan base", 18), ("bigvgan v2", 38)])
def test_the_margin_is_the_receptive_field(vocoders: dict[str, Vocoder], kind: str, margin: int) -> None:
    assert receptive_field(vocoders[kind], 80) == (margin, 256)


@pytest.mark.parametrize("kind", ["hifigan", "bigvgan base", "bigvgan v2"])
@pytest.mark.parametrize("n_frames", [20, 97, 260])
def test_chunks_equal_the_whole(vocoders: dict[str, Vocoder], device: str, kind: str, n_frames: int) -> None:
    vocoder = vocoders[kind]
    margin, hop = receptive_field(vocoder, 80)
    on_device = NemoNetworks({}, vocoder, device, is_half=False)
    frames = torch.randn(80, n_frames, generator=torch.Generator().manual_seed(1)) * 2 - 5
    mel = Mel(frames.to(device), n_frames, np.zeros(1, dtype=np.int64))
    with torch.inference_mode():
        whole = vocoder.run(vocoder.generator.to("cpu"), vocoder.input(frames[None]))[0].clamp(-1, 1).numpy()
    windows, parts = Windows(n_frames, margin), []
    while not windows.is_done:
        parts += on_device.vocode([(mel, windows.peek())])
        windows.advance()
    sound = np.concatenate(parts) / 32767
    assert len(sound) == n_frames * hop
    assert np.abs(whole).max() > 0.01
    assert np.abs(sound - whole).max() < (1e-4 if device == "cpu" else 2e-3)


def test_a_text_in_a_batch_is_what_it_is_alone(english: Acoustic, vocoders: dict[str, Vocoder], device: str) -> None:
    on_device = NemoNetworks({"en": english}, vocoders["hifigan"], device, is_half=False)
    paces = (1.0, 1.0, 1.5, 0.8)
    texts = [Text("en", english.tokens(text), pace=pace) for text, pace in zip(TEXTS, paces, strict=True)]
    together = on_device.spectra(texts)
    for text, in_batch in zip(texts, together, strict=True):
        (alone,) = on_device.spectra([text])
        assert np.array_equal(alone.durations, in_batch.durations)
        assert float((alone.frames - in_batch.frames).abs().max()) < 1e-4
    assert together[0].n_frames == int(together[0].durations.sum())


def test_a_text_alone_is_what_nemo_makes_of_it(english: Acoustic, vocoders: dict[str, Vocoder], folder: Path) -> None:
    theirs = networks.FastPitchModel.restore_from(str(folder / "en.nemo"), map_location="cpu").eval()
    with torch.inference_mode():
        wished = theirs.generate_spectrogram(tokens=theirs.parse(TEXTS[1], normalize=False))[0]
    ours = NemoNetworks({"en": english}, vocoders["hifigan"], "cpu", is_half=False)
    (made,) = ours.spectra([Text("en", english.tokens(TEXTS[1]))])
    assert torch.allclose(made.frames, wished, atol=1e-5)


def test_rate_and_pitch_are_fastpitchs_own(english: Acoustic, vocoders: dict[str, Vocoder]) -> None:
    ours = NemoNetworks({"en": english}, vocoders["hifigan"], "cpu", is_half=False)
    tokens = english.tokens(TEXTS[1])
    plain, fast, high = ours.spectra([Text("en", tokens), Text("en", tokens, pace=2.0), Text("en", tokens, pitch=4.0)])
    assert fast.n_frames == pytest.approx(plain.n_frames / 2, rel=0.1)
    assert high.n_frames == plain.n_frames
    assert float((high.frames - plain.frames).abs().max()) > 1e-3


def test_word_ends_lie_behind_the_words_last_frames(english: Acoustic, vocoders: dict[str, Vocoder]) -> None:
    ours = NemoNetworks({"en": english}, vocoders["hifigan"], "cpu", is_half=False)
    text = "one moment, please."
    tokens = english.tokens(text)
    (mel,) = ours.spectra([Text("en", tokens)])
    ends = english.word_ends(text, tokens, mel.durations)
    assert [offset for offset, _ in ends] == [3, 11, 19]
    frames = [frame for _, frame in ends]
    before = np.cumsum(mel.durations)
    first_space = 1 + list(tokens[1:]).index(tokens[0])  # the tokens begin with a space
    assert frames[0] == before[first_space - 1]
    assert frames == sorted(frames)
    assert frames[-1] <= mel.n_frames


def test_words_a_model_has_no_token_for_share_the_frames(english: Acoustic) -> None:
    tokens = english.tokens("say 你好 now")
    ends = english.word_ends("say 你好 now", tokens, np.full(len(tokens), 5))
    assert [offset for offset, _ in ends] == [3, 6, 10]
    assert ends[-1][1] == 5 * len(tokens)


def test_nemos_spectrogram_is_turned_into_bigvgans(vocoders: dict[str, Vocoder]) -> None:
    power = torch.tensor([0.0, 1e-6, 1e-5, 1e-3, 1.0])
    theirs = torch.log(torch.clamp(power, min=1e-5))
    assert torch.allclose(vocoders["bigvgan v2"].input(torch.log(power + 1e-5)), theirs, atol=1e-2)
    assert torch.equal(vocoders["hifigan"].input(power), power)


def test_eight_streams_batched_are_made_in_half_the_time(
    english: Acoustic, vocoders: dict[str, Vocoder], device: str
) -> None:
    ours = NemoNetworks({"en": english}, vocoders["bigvgan v2"], device, is_half=False)
    texts = [Text("en", english.tokens(TEXTS[1])) for _ in range(8)]
    window = Windows(200, 38).peek()

    def seconds(batches: list[list[Any]]) -> float:
        clock = time.process_time if device == "cpu" else time.perf_counter  # other processes do not count
        begun_s = clock()
        for batch in batches:
            mels = ours.spectra(batch)
            ours.vocode([(mel, window) for mel in mels])
        return clock() - begun_s

    seconds([texts])
    together = min(seconds([texts]) for _ in range(3))
    alone = min(seconds([[text] for text in texts]) for _ in range(3))
    print(f"\n8 streams: alone {alone:.2f} s, batched {together:.2f} s: {alone / together:.1f} x")
    assert alone / together >= 1.8  # 2.1 to 2.7 measured


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "broken.nemo"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NotServing, match=r"TTS_NEMO_ACOUSTIC: .*broken\.nemo"):
        load_acoustic("en", str(path))
    with pytest.raises(NotServing, match=r"TTS_NEMO_VOCODER: .*broken\.nemo"):
        load_vocoder("hifigan", str(path))


def test_a_start_at_which_the_disk_is_full_is_tried_again(folder: Path) -> None:
    """NeMo unpacks a model before it reads it."""
    most, ceiling = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 << 10, ceiling))
    try:
        with pytest.raises(StartupError, match=r"TTS_NEMO_ACOUSTIC: .*en\.nemo cannot be loaded now") as refused:
            load_acoustic("en", str(folder / "en.nemo"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, ceiling))
    assert not isinstance(refused.value, NotServing)


def test_a_name_that_nvidia_does_not_publish_is_said() -> None:
    with pytest.raises(NotServing, match="TTS_NEMO_ACOUSTIC: tts_xx_nothing"):
        load_acoustic("en", "tts_xx_nothing")


def test_a_folder_that_is_no_bigvgan_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(NotServing, match="as a BigVGAN cannot be loaded"):
        load_vocoder("bigvgan", str(tmp_path))
