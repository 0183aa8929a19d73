"""Speech that is kept: found again by the same tenant only, bounded, and never in the way of speaking."""

import asyncio
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from services.audio.leveller import TARGET_DBOV
from services.audio.pcm import TELEPHONE, AudioFormat, Encoding, decode
from services.audio.polyphase import PolyphaseResampler
from services.audio.speech_level import SpeechLevelMeter
from services.language.reading.normalizer import Normalizer
from services.runtime.breaker import BreakerPolicy
from services.runtime.errors import EngineFailed
from services.runtime.metrics import StageMetrics
from services.runtime.providers import ProviderBoard
from services.tts.chain import TurnVoice
from services.tts.engine import EngineDescription, Line, Speech, Voice
from services.tts.ready import Mark, ReadyClause, ReadySpeech
from services.tts.router import Router
from services.tts.sentences import Caching, SpeechParameters
from services.tts.speaker import Pauses, TurnSpeaker
from services.tts.speech_cache import CallCache, SpeechCache
from services.tts.track import Chunk, ChunkLengths
from services.tts.turn import TextLimits, Turn, TurnText
from tests.unit.tts.voices import RATE, PlainEngine

WIDEBAND = AudioFormat(Encoding.LINEAR16, 16_000)
LINE = Line("Hello there, caller.", "en-US", "plain", 1.0, 1, is_first=True)


class Kept(PlainEngine):
    """An engine whose sound may be kept, and that fails when told to."""

    sound_id = "weights"
    fails = False

    def describe(self) -> EngineDescription:
        return EngineDescription("plain", "plain", RATE, self.voices, self.measures_words, self.sound_id)

    async def synthesize(self, line: Line):  # type: ignore[no-untyped-def]
        if self.fails:
            raise EngineFailed("broken")
        async for piece in super().synthesize(line):
            yield piece


class Rig:
    """A cache in a folder, an engine, and calls that speak with it."""

    def __init__(self, folder: Path, *, max_bytes: int = 10_000_000, after_calls: int = 3) -> None:
        self.folder, self.engine = folder, Kept()
        self.cache = SpeechCache(folder, max_bytes=max_bytes, after_calls=after_calls)
        self.cache.open()
        self.router = Router({"en": self.engine})

    async def say(
        self, line: Line = LINE, caching: Caching = Caching.KEPT, *, tenant: str = "", call: str = "one"
    ) -> list[Speech]:
        turn = TurnVoice(self.router, first_audio_limit_s=None, cache=CallCache(self.cache, tenant, call))
        pieces = [piece async for piece in turn.synthesize(line, lambda description, voice: None, caching)]
        while self.cache.n_waiting:
            await asyncio.sleep(0.001)
        return pieces

    @property
    def n_made(self) -> int:
        return len(self.engine.lines)

    @property
    def n_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.files())

    def files(self) -> list[Path]:
        return list(self.folder.rglob("*.*"))


def joined(pieces: list[Speech]) -> np.ndarray:
    return np.concatenate([piece.samples for piece in pieces])


async def test_a_fixed_text_is_made_once_and_comes_back_sample_for_sample(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    made, kept = await rig.say(), await rig.say()
    assert rig.n_made == 1
    assert np.array_equal(joined(made), joined(kept))
    ends = [word for piece in kept for word in piece.word_ends]
    assert ends == [word for piece in made for word in piece.word_ends]
    again = Rig(tmp_path)
    assert np.array_equal(joined(await again.say()), joined(made)), "the next process has it too"
    assert again.n_made == 0


async def test_a_frequent_clause_is_kept_once_so_many_calls_have_asked_for_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path, after_calls=3)
    for call in ("a", "a", "a", "b", "c", "d"):
        await rig.say(caching=Caching.FREQUENT, call=call)
    assert rig.n_made == 5, "one call that repeats itself makes nothing frequent; the third call does"


async def test_what_is_forbidden_is_neither_kept_nor_looked_up(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.say(caching=Caching.FORBIDDEN)
    assert not rig.n_bytes
    await rig.say(caching=Caching.KEPT)
    await rig.say(caching=Caching.FORBIDDEN)
    assert rig.n_made == 3


async def test_a_cache_of_no_size_keeps_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, max_bytes=0)
    await rig.say()
    await rig.say()
    assert rig.n_made == 2
    assert not rig.files()


async def test_one_tenant_never_hears_what_was_kept_for_another(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.say(tenant="a")
    await rig.say(tenant="b")
    await rig.say(tenant="a")
    assert rig.n_made == 2


@pytest.mark.parametrize(
    "other",
    [
        Line("Hello there, friend.", "en-US", "plain", 1.0, 1, is_first=True),
        Line("Hello there, caller.", "en-US", "plain", 1.5, 1, is_first=True),
        Line("Hello there, caller.", "vi-VN", "plain", 1.0, 1, is_first=True),
    ],
)
async def test_another_text_rate_or_language_is_another_sound(tmp_path: Path, other: Line) -> None:
    rig = Rig(tmp_path)
    rig.engine.voices = (Voice("plain", ("en-US", "vi-VN")),)
    rig.router = Router({"*": rig.engine})
    await rig.say()
    await rig.say(other)
    assert rig.n_made == 2


async def test_other_weights_are_another_sound_and_an_engine_without_an_id_is_not_kept(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path)
    await rig.say()
    rig.engine.sound_id = "other weights"
    await rig.say()
    rig.engine.sound_id = ""
    await rig.say()
    await rig.say()
    assert rig.n_made == 4


async def test_the_folder_is_bounded_and_what_was_used_last_stays(tmp_path: Path) -> None:
    rig = Rig(tmp_path, max_bytes=40_000)  # six clauses of 20 characters, 6.4 kB each
    lines = [Line(f"Hello there, caller {letter}", "en-US", "plain", 1.0, 1, is_first=True) for letter in "abcdefghij"]
    for line in lines:
        await rig.say(line)
        await rig.say(lines[0])
        assert rig.n_bytes <= 40_000
    n_made = rig.n_made
    await rig.say(lines[0])
    await rig.say(lines[-1])
    assert rig.n_made == n_made
    await rig.say(lines[1])
    assert rig.n_made == n_made + 1


async def test_a_tenant_that_keeps_much_pushes_out_its_own_first(tmp_path: Path) -> None:
    rig = Rig(tmp_path, max_bytes=40_000)
    await rig.say(tenant="small")
    for letter in "abcdefghij":
        await rig.say(Line(f"Hello there, caller {letter}", "en-US", "plain", 1.0, 1, is_first=True), tenant="large")
    n_made = rig.n_made
    await rig.say(tenant="small")
    assert rig.n_made == n_made


@pytest.mark.parametrize("damage", [b"", b"{", b'{"format": 1}\n', None])
async def test_a_damaged_file_is_made_again(tmp_path: Path, damage: bytes | None) -> None:
    rig = Rig(tmp_path)
    made = await rig.say()
    path = rig.files()[0]
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if damage is None else damage)
    assert np.array_equal(joined(await rig.say()), joined(made))
    assert rig.n_made == 2
    await rig.say()
    assert rig.n_made == 2, "and kept again"


async def test_a_file_of_another_release_is_made_again_without_a_warning(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.say()
    path = rig.files()[0]
    path.write_bytes(path.read_bytes().replace(b'"format": ', b'"format": 9', 1))
    with capture_logs() as logs:
        await rig.say()
    assert rig.n_made == 2
    assert not logs


async def test_where_the_folder_cannot_be_written_speech_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    rig = Rig(tmp_path / "file")
    assert await rig.say()
    assert await rig.say()
    assert rig.n_made == 2


async def test_a_clause_that_was_cut_off_or_failed_is_not_kept(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    turn = TurnVoice(rig.router, first_audio_limit_s=None, cache=CallCache(rig.cache, "", "one"))
    speech = turn.synthesize(LINE, lambda description, voice: None, Caching.KEPT)
    await anext(speech)
    await speech.aclose()
    rig.engine.fails = True
    with pytest.raises(EngineFailed):
        await rig.say()
    assert not rig.n_bytes


async def test_kept_speech_says_nothing_of_an_engine_s_health(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    now = 0.0
    board = ProviderBoard(StageMetrics("tts"), BreakerPolicy(), lambda: now)
    rig.router = Router({}, board)
    rig.router.add("en", (rig.engine, PlainEngine()), ("first", "second"))
    await rig.say()
    rig.engine.fails = True
    for _ in range(20):
        await rig.say()
    assert rig.n_made == 1
    turn = TurnVoice(rig.router, first_audio_limit_s=0.5, cache=CallCache(rig.cache, "", "two"))
    other = Line("Something else.", "en-US", "plain", 1.0, 1, is_first=True)
    assert [piece async for piece in turn.synthesize(other, lambda description, voice: None)]
    assert turn.used == "second"


class Voiced(Kept):
    """Speaks with 22 ms of silence around, in pieces, at a level of its own."""

    async def synthesize(self, line: Line):  # type: ignore[no-untyped-def]
        self.lines.append(line)
        times = np.arange(RATE // 2) / RATE
        sound = np.rint(3000 * np.sin(2 * np.pi * 200 * times)).astype(np.int16)
        sound = np.concatenate((np.zeros(176, dtype=np.int16), sound, np.zeros(176, dtype=np.int16)))
        for at in range(0, len(sound), 1000):
            yield Speech(sound[at : at + 1000])


async def test_kept_and_live_clauses_of_a_turn_join_without_a_seam(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.engine = Voiced()
    rig.router = Router({"en": rig.engine})

    async def spoken(cache: CallCache | None) -> np.ndarray:
        pauses = Pauses(sentence_ms=100, phrase_ms=50, joint_ms=20)
        lengths = ChunkLengths(20, 100)
        speaker = TurnSpeaker(
            rig.router, Normalizer(), WIDEBAND, lengths=lengths, pauses=pauses, max_lead_ms=0, cache=cache
        )
        turn = Turn(1, TurnText(start_offset=0, limits=TextLimits(1000, 200)))
        fixed, live = (
            SpeechParameters("en-US", "plain", 1.0, caching) for caching in (Caching.KEPT, Caching.FORBIDDEN)
        )
        for text, parameters in (("Good morning. ", fixed), ("It is ten. ", live), ("Good morning. ", fixed)):
            turn.text.append(text, parameters, flush=True)
        turn.text.end()
        chunks = [out.content async for out in speaker.speak(turn) if isinstance(out, Chunk)]
        return decode(WIDEBAND, b"".join(chunks)).astype(int)

    cache = CallCache(rig.cache, "", "one")
    plain = await spoken(None)
    await spoken(cache)
    while rig.cache.n_waiting:
        await asyncio.sleep(0.001)
    n_made = len(rig.engine.lines)
    mixed = await spoken(cache)
    assert len(rig.engine.lines) == n_made + 1, "the live clause only"
    assert len(mixed) == len(plain)
    levels = [np.sqrt((part.astype(float) ** 2).mean()) for part in np.array_split(mixed, 6)]
    wished = [np.sqrt((part.astype(float) ** 2).mean()) for part in np.array_split(plain, 6)]
    assert np.abs(20 * np.log10(np.array(levels) / wished)).max() < 1.0  # a live one is made louder where it may fall
    assert np.abs(np.diff(mixed)).max() <= 1.05 * np.abs(np.diff(plain)).max()


class Fading(Kept):
    """Speaks a line that grows 8 dB softer from its beginning to its end."""

    async def synthesize(self, line: Line):  # type: ignore[no-untyped-def]
        self.lines.append(line)
        times = np.arange(2 * RATE) / RATE
        sound = np.rint(6000 * 10 ** (-0.2 * times) * np.sin(2 * np.pi * 200 * times)).astype(np.int16)
        for at in range(0, len(sound), 1000):
            yield Speech(sound[at : at + 1000])


async def test_a_kept_clause_has_the_level_of_all_from_its_first_sample_to_its_last(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.engine = Fading()
    rig.router = Router({"en": rig.engine})

    async def spoken() -> np.ndarray:
        speaker = TurnSpeaker(
            rig.router,
            Normalizer(),
            WIDEBAND,
            lengths=ChunkLengths(20, 100),
            pauses=Pauses(100, 50, 20),
            max_lead_ms=0,
            cache=CallCache(rig.cache, "", "one"),
        )
        turn = Turn(1, TurnText(start_offset=0, limits=TextLimits(1000, 200)))
        turn.text.append("Good morning.", SpeechParameters("en-US", "plain", 1.0, Caching.KEPT), flush=True)
        turn.text.end()
        chunks = [out.content async for out in speaker.speak(turn) if isinstance(out, Chunk)]
        while rig.cache.n_waiting:
            await asyncio.sleep(0.001)
        return decode(WIDEBAND, b"".join(chunks))

    await spoken()
    kept = await spoken()
    meter = SpeechLevelMeter(WIDEBAND.sample_rate_hertz)
    meter.push(kept)
    assert meter.level_dbov == pytest.approx(TARGET_DBOV, abs=0.2)
    fifths = [np.sqrt((part.astype(float) ** 2).mean()) for part in np.array_split(kept[800:-800], 5)]
    steps_db = 20 * np.log10(np.array(fifths[1:]) / fifths[:-1])
    assert steps_db == pytest.approx(np.full(4, -0.2 * 20 * 0.38), abs=0.1), "the gain does not move"


async def test_what_is_said_again_is_neither_read_nor_converted_again_and_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path)
    rig.engine = Voiced()
    rig.router = Router({"en": rig.engine})

    async def spoken(audio_format: AudioFormat = TELEPHONE, *, tenant: str = "") -> tuple[bytes, list[Mark]]:
        speaker = TurnSpeaker(
            rig.router,
            Normalizer(),
            audio_format,
            lengths=ChunkLengths(20, 100),
            pauses=Pauses(sentence_ms=100, phrase_ms=50, joint_ms=20),
            max_lead_ms=0,
            cache=CallCache(rig.cache, tenant, "one"),
        )
        turn = Turn(1, TurnText(start_offset=0, limits=TextLimits(1000, 200)))
        for text in ("Room 12 is free. ", "Good day to you."):
            turn.text.append(text, SpeechParameters("en-US", "plain", 1.0, Caching.KEPT), flush=True)
        turn.text.end()
        outputs = [out async for out in speaker.speak(turn)]
        while rig.cache.n_waiting:
            await asyncio.sleep(0.001)
        marks = [out for out in outputs if isinstance(out, Mark)]
        return b"".join(out.content for out in outputs if isinstance(out, Chunk)), marks

    await spoken()
    from_disk = await spoken()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("asked again")

    with monkeypatch.context() as patched:
        patched.setattr(PolyphaseResampler, "push", refuse)
        patched.setattr(Normalizer, "speak", refuse)
        patched.setattr(SpeechCache, "_read", refuse)
        assert await spoken() == from_disk
        with pytest.raises(AssertionError, match="asked again"):
            await spoken(tenant="other")
    wideband, marks = await spoken(WIDEBAND)
    assert len(wideband) == pytest.approx(4 * len(from_disk[0]), abs=200)
    assert [mark.text_end_offset for mark in marks] == [mark.text_end_offset for mark in from_disk[1]]
    assert len(rig.engine.lines) == 2


def test_ready_clauses_are_bounded() -> None:
    ready = ReadySpeech(max_bytes=1000)
    for number in range(5):
        ready.keep(number, ReadyClause(np.zeros(200, dtype=np.int16), (), None))
    assert [number for number in range(5) if ready.find(number)] == [3, 4]
    ready.keep("too long", ReadyClause(np.zeros(501, dtype=np.int16), (), None))
    assert ready.find("too long") is None
    assert ready.find(4) is not None


async def test_the_closed_cache_has_written_everything(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    turn = TurnVoice(rig.router, first_audio_limit_s=None, cache=CallCache(rig.cache, "", "one"))
    with closing(rig.cache):
        assert [piece async for piece in turn.synthesize(LINE, lambda description, voice: None, Caching.KEPT)]
    assert len(rig.files()) == 1
    assert TELEPHONE.sample_rate_hertz == RATE
