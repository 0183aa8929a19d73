"""Voices that stand in for one another: never two of them within a turn that has sounded."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from services.runtime.breaker import BreakerPolicy
from services.runtime.errors import EngineFailed, NotServing, StartupError
from services.runtime.metrics import StageMetrics
from services.runtime.providers import ProviderBoard
from services.tts.chain import TurnVoice, load_engines
from services.tts.engine import EngineDescription, Line, Speech, Voice
from services.tts.router import Router
from tests.unit.tts.voices import PlainEngine


class Flaky(PlainEngine):
    """Fails while told to, before its sound, after so many pieces, or by saying nothing."""

    def __init__(self, name: str, **more: object) -> None:
        super().__init__(voices=(Voice(f"{name}-voice", ("en-US",)),), **more)  # type: ignore[arg-type]
        self.name = name
        self.fails = False
        self.fails_after = -1
        self.stalls = False
        self.fault: StartupError | None = None

    async def load(self) -> None:
        if self.fault:
            raise self.fault

    def describe(self) -> EngineDescription:
        return EngineDescription(self.name, f"model of {self.name}", 8000, self.voices, True)

    async def synthesize(self, line: Line) -> AsyncGenerator[Speech, None]:
        if self.fails:
            self.lines.append(line)
            raise EngineFailed("broken")
        if self.stalls:
            self.lines.append(line)
            await asyncio.sleep(3600)
        n_pieces = 0
        async for piece in super().synthesize(line):
            if n_pieces == self.fails_after:
                raise EngineFailed("broken in mid-line")
            n_pieces += 1
            yield piece


class Rig:
    """A router with two engines of a chain, and turns on it."""

    def __init__(self) -> None:
        self.first, self.second = Flaky("first"), Flaky("second")
        self.now = 0.0
        self.board = ProviderBoard(StageMetrics("tts"), BreakerPolicy(), lambda: self.now)
        self.router = Router({}, self.board)
        self.router.add("en", (self.first, self.second), ("first", "second"))

    def turn(self) -> TurnVoice:
        return TurnVoice(self.router, first_audio_limit_s=0.05)

    async def say(
        self, turn: TurnVoice, text: str = "Hello there, caller.", *, voice: str = "first-voice"
    ) -> list[Speech]:
        line = Line(text, "en-US", voice, 1.0, 1, is_first=True)
        return [piece async for piece in turn.synthesize(line, lambda description, voice: None)]


async def test_an_engine_that_fails_before_its_first_sound_hands_over() -> None:
    rig = Rig()
    rig.first.fails = True
    turn = rig.turn()
    assert await rig.say(turn)
    assert turn.used == "second"
    assert rig.second.lines[0].voice == "second-voice"


async def test_an_engine_that_is_late_hands_over() -> None:
    rig = Rig()
    rig.first.stalls = True
    turn = rig.turn()
    assert await rig.say(turn)
    assert turn.used == "second"


async def test_a_turn_that_has_sounded_never_changes_its_voice() -> None:
    rig = Rig()
    turn = rig.turn()
    await rig.say(turn)
    rig.first.fails = True
    with pytest.raises(EngineFailed):
        await rig.say(turn)
    assert rig.second.lines == []
    assert await rig.say(rig.turn()), "the next turn may"
    assert len(rig.second.lines) == 1


async def test_an_engine_that_fails_in_mid_clause_is_not_continued_by_another() -> None:
    rig = Rig()
    rig.first.fails_after = 1
    with pytest.raises(EngineFailed):
        await rig.say(rig.turn())
    assert rig.second.lines == []


async def test_a_turn_that_another_engine_began_keeps_it_though_the_first_is_back() -> None:
    rig = Rig()
    rig.first.fails = True
    turn = rig.turn()
    await rig.say(turn)
    rig.first.fails = False
    await rig.say(turn)
    assert len(rig.second.lines) == 2


async def test_a_provider_rests_after_failures_and_comes_back_at_a_turns_border() -> None:
    rig = Rig()
    rig.first.fails = True
    for _ in range(4):
        await rig.say(rig.turn())
    assert len(rig.first.lines) == 2
    rig.first.fails = False
    rig.now = 100.0
    turn = rig.turn()
    await rig.say(turn)
    assert turn.used == "first"


async def test_the_last_engine_of_a_chain_is_asked_even_when_its_breaker_is_open() -> None:
    rig = Rig()
    rig.first.fails = rig.second.fails = True
    for _ in range(3):
        with pytest.raises(EngineFailed):
            await rig.say(rig.turn())
    rig.first.fails = rig.second.fails = False
    assert await rig.say(rig.turn())


async def test_a_drill_takes_an_engine_out() -> None:
    rig = Rig()
    rig.board.trip("first", 30_000, is_allowed=True)
    turn = rig.turn()
    await rig.say(turn)
    assert turn.used == "second"


async def test_an_engine_that_does_not_load_is_lost_and_the_other_speaks() -> None:
    rig = Rig()
    rig.first.fault = StartupError("no voice file")
    await load_engines(rig.router)
    assert [provider.state for provider in rig.board.describe()] == [4, 1]
    line = Line("Hello.", "en-US", rig.router.choose("en-US").voice, 1.0, 1, is_first=True)
    assert [piece async for piece in rig.turn().synthesize(line, lambda description, voice: None)]
    rig.second.fault = StartupError("nor this one")
    with pytest.raises(StartupError, match="no voice file"):
        await load_engines(rig.router)


async def test_a_chain_starts_again_where_one_of_its_failures_may_pass() -> None:
    rig = Rig()
    rig.first.fault, rig.second.fault = NotServing("a broken file"), StartupError("a full disk")
    with pytest.raises(StartupError, match="a full disk"):
        await load_engines(rig.router)


async def test_an_engine_alone_is_no_provider() -> None:
    engine = Flaky("alone")
    router = Router({"en": engine})
    turn = TurnVoice(router, first_audio_limit_s=0.05)
    line = Line("Hello.", "en-US", "alone-voice", 1.0, 1, is_first=True)
    assert [piece async for piece in turn.synthesize(line, lambda description, voice: None)]
    assert (turn.used, len(router.board)) == ("", 0)


@pytest.mark.parametrize("voice", ["first-voice", ""])
async def test_an_engine_that_is_lost_between_two_clauses_is_not_followed_by_another(voice: str) -> None:
    rig = Rig()
    turn = rig.turn()
    await rig.say(turn)
    rig.board["first"].lose("its thread has ended")
    line = Line("And more.", "en-US", voice, 1.0, 1, is_first=False)
    with pytest.raises(EngineFailed):
        _ = [piece async for piece in turn.synthesize(line, lambda description, voice: None)]
    assert rig.second.lines == []
    line = Line("And more.", "en-US", "", 1.0, 2, is_first=True)
    assert [piece async for piece in rig.turn().synthesize(line, lambda description, voice: None)], "the next turn may"


async def test_a_probe_that_asks_nothing_is_given_back() -> None:
    rig = Rig()
    rig.board.trip("first", 1000, is_allowed=True)
    rig.now = 2.0

    def begin(description: EngineDescription, voice: str) -> None:
        raise RuntimeError("broken")

    line = Line("Hello there.", "en-US", "first-voice", 1.0, 1, is_first=True)
    with pytest.raises(RuntimeError):
        _ = [piece async for piece in rig.turn().synthesize(line, begin)]
    assert await rig.say(rig.turn())
    assert rig.first.lines, "it could not be probed any more"


async def test_a_text_that_names_a_voice_of_another_engine_gets_it_in_mid_turn() -> None:
    rig = Rig()
    turn = rig.turn()
    await rig.say(turn)
    await rig.say(turn, voice="second-voice")
    await rig.say(turn)
    assert [line.voice for line in rig.second.lines] == ["second-voice"]
    assert turn.used == "first>second"


async def test_each_voice_of_a_turn_keeps_its_engine_when_that_fails_later() -> None:
    rig = Rig()
    turn = rig.turn()
    await rig.say(turn)
    await rig.say(turn, voice="second-voice")
    rig.second.fails = True
    with pytest.raises(EngineFailed):
        await rig.say(turn, voice="second-voice")
    assert len(rig.first.lines) == 1
