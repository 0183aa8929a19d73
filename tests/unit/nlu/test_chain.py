"""Engines that stand in for one another: who is asked, who takes over, and what the caller never hears twice."""

import asyncio
import functools
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import pytest

from services.nlu.chained_reply import ChainLimits
from services.nlu.engine import Began, CutShort, MadeBy, Message, ReplyPart, ReplyRequest, Role, TextMade, ToolWanted
from services.nlu.engines.chain import ChainEngine
from services.runtime.breaker import BreakerPolicy, BreakerState, ErrorClass
from services.runtime.engine_chains import parse_chains
from services.runtime.errors import NotFoundError, PermissionDeniedError, RequestError, StartupError, TurnFailed
from services.runtime.metrics import StageMetrics
from services.runtime.providers import ProviderBoard, ProviderFailed
from tests.unit.nlu.virtual_time import run

REQUEST = ReplyRequest("a", 1, (Message(Role.CALLER, "Hello?"),), "en-US")
LIMITS = ChainLimits(first_token_s=2.0, token_gap_s=1.0)
BROKEN = ProviderFailed("ENGINE_FAILED", "503", ErrorClass.TRANSIENT)


def run_in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def wrapped(*arguments: Any, **named: Any) -> None:
        run(test(*arguments, **named))

    return wrapped


Step = ReplyPart | BaseException | float


@dataclass
class Fake:
    """Plays steps: a part is yielded, a number waited for, an exception raised."""

    name: str
    steps: Sequence[Step]
    continues: bool = True
    model: str = "fake"
    fault: StartupError | None = None
    asked: list[ReplyRequest] = field(default_factory=list)
    n_closed: int = 0
    calls: list[str] = field(default_factory=list)
    read_ahead: list[object] = field(default_factory=list)

    async def load(self, prompts: object) -> None:
        if self.fault:
            raise self.fault

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        self.asked.append(request)
        try:
            yield Began()
            for step in self.steps:
                if isinstance(step, BaseException):
                    raise step
                if isinstance(step, float):
                    await asyncio.sleep(step)
                else:
                    yield step
        finally:
            self.n_closed += 1

    async def commit(self, conversation: str, turn_id: int) -> None:
        self.calls.append("commit")

    async def prepare(self, conversation: str, messages: object, *, language_code: str) -> None:
        self.calls.append("prepare")
        self.read_ahead.append(messages)

    async def forget(self, conversation: str) -> None:
        self.calls.append("forget")

    async def close(self) -> None:
        self.calls.append("close")


def good(name: str = "good", text: str = "Hello.") -> Fake:
    return Fake(name, [TextMade(text)])


def chain_of(*engines: Fake, limits: ChainLimits = LIMITS, chains: str = "") -> ChainEngine:
    clock = asyncio.get_running_loop().time
    board = ProviderBoard(StageMetrics("nlu"), BreakerPolicy(), clock)
    wanted = parse_chains(chains or "*=" + ">".join(engine.name for engine in engines))
    return ChainEngine(wanted, {engine.name: engine for engine in engines}, board, limits, clock)


async def answer(chain: ChainEngine, request: ReplyRequest = REQUEST) -> list[ReplyPart]:
    return [part async for part in chain.reply(request) if not isinstance(part, Began)]


def text_of(parts: list[ReplyPart]) -> str:
    return "".join(part.text for part in parts if isinstance(part, TextMade))


def made_by(parts: list[ReplyPart]) -> list[str]:
    return [part.engine for part in parts if isinstance(part, MadeBy)]


@run_in_virtual_time
async def test_the_first_engine_answers_and_the_others_are_not_asked() -> None:
    first, second = good("first"), good("second")
    parts = await answer(chain_of(first, second))
    assert (text_of(parts), made_by(parts)) == ("Hello.", ["first"])
    assert second.asked == []


@run_in_virtual_time
async def test_a_failure_before_the_first_word_is_never_heard() -> None:
    first, second = Fake("first", [BROKEN]), good("second")
    parts = await answer(chain_of(first, second))
    assert (text_of(parts), made_by(parts)) == ("Hello.", ["second"])


@run_in_virtual_time
async def test_a_first_token_that_is_late_is_not_waited_for() -> None:
    first, second = Fake("first", [60.0, TextMade("Late.")]), good("second")
    began = asyncio.get_running_loop().time()
    parts = await answer(chain_of(first, second))
    assert text_of(parts) == "Hello."
    assert asyncio.get_running_loop().time() - began == pytest.approx(LIMITS.first_token_s)
    assert first.n_closed == 1


@run_in_virtual_time
async def test_the_last_engine_may_take_its_time() -> None:
    parts = await answer(chain_of(Fake("first", [BROKEN]), Fake("second", [30.0, TextMade("Slow.")])))
    assert text_of(parts) == "Slow."


@run_in_virtual_time
async def test_an_answer_that_broke_off_goes_on_where_it_was() -> None:
    first, second = Fake("first", [TextMade("We open"), TextMade(" at "), BROKEN]), good("second", "eight.")
    parts = await answer(chain_of(first, second))
    assert text_of(parts) == "We open at eight."
    assert made_by(parts) == ["first", "second"]
    assert second.asked[0].begun == "We open at"


@run_in_virtual_time
async def test_an_answer_that_stalls_goes_on_within_a_second_and_a_half() -> None:
    first, second = Fake("first", [TextMade("We open "), 60.0]), good("second", " at eight.")
    began = asyncio.get_running_loop().time()
    assert text_of(await answer(chain_of(first, second))) == "We open at eight."
    assert asyncio.get_running_loop().time() - began < 1.5


@run_in_virtual_time
async def test_the_engine_that_would_go_on_reads_the_question_while_the_first_answers() -> None:
    first, mute = Fake("first", [1.0, TextMade("We open."), 0.5]), Fake("mute", [], continues=False)
    second, third = good("second"), good("third")
    chain = chain_of(first, mute, second, third)
    async with aclosing(chain.reply(REQUEST)) as parts:
        assert isinstance(await anext(parts), MadeBy)
        assert [engine.read_ahead for engine in (first, mute, second, third)] == [[], [], [REQUEST.messages], []]
    chain.board.trip("second", 30_000, is_allowed=True)
    await answer(chain)
    assert third.read_ahead == [REQUEST.messages], "one that rests is not the one that would go on"


@pytest.mark.parametrize(
    "again",
    ["We open at eight.", " We open at eight.", "at eight."],
    ids=["whole", "spaced", "end"],
)
@run_in_virtual_time
async def test_what_was_heard_is_not_said_again(again: str) -> None:
    first, second = Fake("first", [TextMade("We open at "), BROKEN]), Fake("second", [TextMade(c) for c in again])
    said = text_of(await answer(chain_of(first, second)))
    assert said.count("We open") == 1
    assert said.rstrip() in {"We open at eight.", "We open at at eight."}


@pytest.mark.parametrize("adds", ["", "  ", "We open at"], ids=["nothing", "spaces", "the beginning again"])
@run_in_virtual_time
async def test_an_answer_to_which_the_next_engine_adds_nothing_is_not_whole(adds: str) -> None:
    first, second = Fake("first", [TextMade("We open at "), BROKEN]), Fake("second", [TextMade(adds)] if adds else [])
    third = good("third", "eight.")
    assert text_of(await answer(chain_of(first, second, third))) == "We open at eight."
    with pytest.raises(TurnFailed):
        await answer(chain_of(first, second))


@pytest.mark.parametrize(
    "said", ["We open at eight. ", "\u6211\u4eec\u516b\u70b9\u5f00\u95e8\u3002", 'She said "no." ']
)
@run_in_virtual_time
async def test_an_answer_that_broke_off_behind_a_sentence_may_end_there(said: str) -> None:
    first, second = Fake("first", [TextMade(said), BROKEN]), Fake("second", [])
    assert text_of(await answer(chain_of(first, second))).strip() == said.strip()


@run_in_virtual_time
async def test_an_engine_that_cannot_go_on_never_begins_an_answer_again() -> None:
    first = Fake("first", [TextMade("We open "), BROKEN])
    second, third = Fake("second", [TextMade("Hi.")], continues=False), good("third", " at eight.")
    assert text_of(await answer(chain_of(first, second, third))) == "We open at eight."
    assert second.asked == []
    with pytest.raises(TurnFailed):
        await answer(chain_of(Fake("first", [TextMade("We open "), BROKEN]), second))
    assert second.asked == []


@run_in_virtual_time
async def test_a_tool_is_not_asked_for_by_two() -> None:
    first, second = Fake("first", [ToolWanted("book"), BROKEN]), good("second")
    with pytest.raises(TurnFailed):
        await answer(chain_of(first, second))
    assert second.asked == []


@run_in_virtual_time
async def test_a_provider_that_fails_again_and_again_rests_and_comes_back() -> None:
    first, second = Fake("first", [BROKEN]), good("second")
    chain = chain_of(first, second)
    for _ in range(5):
        assert text_of(await answer(chain)) == "Hello."
    assert len(first.asked) == 2
    assert chain.board["first"].breaker.state is BreakerState.OPEN
    first.steps = [TextMade("Back.")]
    await asyncio.sleep(6)
    assert [text_of(await answer(chain)) for _ in range(3)] == ["Back."] * 3
    assert chain.board["first"].breaker.state is BreakerState.CLOSED


@run_in_virtual_time
async def test_when_every_provider_rests_one_is_asked_all_the_same() -> None:
    first, second = Fake("first", [BROKEN]), Fake("second", [BROKEN])
    chain = chain_of(first, second)
    for _ in range(3):
        with pytest.raises(TurnFailed):
            await answer(chain)
    first.steps = second.steps = [TextMade("Hello.")]
    assert text_of(await answer(chain)) == "Hello."


@pytest.mark.parametrize(
    ("first", "mute_rests_ms"),
    [([BROKEN], 25_000), ([TextMade("We open "), BROKEN], 10_000)],
    ids=["before a word", "in mid-reply"],
)
@run_in_virtual_time
async def test_an_engine_that_rests_takes_a_turn_over_where_no_other_can(first: list[Step], mute_rests_ms: int) -> None:
    second, mute, third = good("second", "at eight."), Fake("mute", [], continues=False), good("third", "at nine.")
    chain = chain_of(Fake("first", first), second, mute, third)
    for name, rest_ms in (("second", 20_000), ("mute", mute_rests_ms), ("third", 30_000)):
        chain.board.trip(name, rest_ms, is_allowed=True)
    assert "at eight." in text_of(await answer(chain))
    assert second.read_ahead == [REQUEST.messages], "it reads the question ahead"
    assert third.asked == []


@run_in_virtual_time
async def test_a_caller_who_interrupts_closes_the_engine_and_counts_as_no_failure() -> None:
    first = Fake("first", [TextMade("One"), 0.5, TextMade(" two"), 0.5, TextMade(" three")])
    chain = chain_of(first, good("second"))
    for _ in range(5):
        async with aclosing(chain.reply(REQUEST)) as parts:
            async for part in parts:
                if isinstance(part, TextMade):
                    break
    assert first.n_closed == 5
    assert chain.board["first"].breaker.state is BreakerState.CLOSED


@run_in_virtual_time
async def test_a_hedge_asks_the_second_and_the_first_to_answer_wins() -> None:
    limits = ChainLimits(first_token_s=10.0, token_gap_s=1.0, hedge_s=0.5)
    slow, quick = Fake("slow", [3.0, TextMade("Slow.")]), Fake("quick", [0.2, TextMade("Quick.")])
    loop = asyncio.get_running_loop()
    began = loop.time()
    parts = await answer(chain_of(slow, quick, limits=limits))
    assert (text_of(parts), made_by(parts)) == ("Quick.", ["quick"])
    assert loop.time() - began == pytest.approx(0.7)
    assert slow.n_closed == 1
    slow, quick = Fake("slow", [0.6, TextMade("Slow.")]), Fake("quick", [0.4, TextMade("Quick.")])
    assert text_of(await answer(chain_of(slow, quick, limits=limits))) == "Slow."
    assert quick.n_closed == 1


@run_in_virtual_time
async def test_without_a_late_token_a_hedge_sends_no_second_request() -> None:
    limits = ChainLimits(first_token_s=10.0, token_gap_s=1.0, hedge_s=0.5)
    first, second = good("first"), good("second")
    assert text_of(await answer(chain_of(first, second, limits=limits))) == "Hello."
    assert second.asked == []


@run_in_virtual_time
async def test_a_hedge_survives_the_failure_of_either() -> None:
    limits = ChainLimits(first_token_s=10.0, token_gap_s=1.0, hedge_s=0.5)
    first, second = Fake("first", [1.0, BROKEN]), Fake("second", [2.0, TextMade("Second.")])
    assert text_of(await answer(chain_of(first, second, limits=limits))) == "Second."
    first, second = Fake("first", [2.0, TextMade("First.")]), Fake("second", [0.1, BROKEN])
    assert text_of(await answer(chain_of(first, second, limits=limits))) == "First."
    first, second = Fake("first", [1.0, BROKEN]), Fake("second", [0.1, BROKEN])
    third = good("third", "Third.")
    assert text_of(await answer(chain_of(first, second, third, limits=limits))) == "Third."


@run_in_virtual_time
async def test_each_language_has_its_chain() -> None:
    one, two = good("one", "One."), good("two", "Two.")
    chain = chain_of(one, two, chains="vi=two>one,*=one")
    assert text_of(await answer(chain)) == "One."
    assert text_of(await answer(chain, ReplyRequest("a", 1, REQUEST.messages, "vi-VN"))) == "Two."


@run_in_virtual_time
async def test_only_the_engines_of_the_languages_chain_read_ahead() -> None:
    one, two, three = good("one"), good("two"), good("three")
    chain = chain_of(one, two, three, chains="vi=two>one,*=three")
    await chain.prepare("a", (), language_code="vi-VN")
    assert [len(engine.read_ahead) for engine in (one, two, three)] == [1, 1, 0]
    await chain.prepare("a", (), language_code="en-US")
    assert [len(engine.read_ahead) for engine in (one, two, three)] == [1, 1, 1]


@run_in_virtual_time
async def test_one_engine_that_loads_is_enough_and_the_other_is_lost() -> None:
    first, second = Fake("first", [TextMade("No.")], fault=StartupError("no key")), good("second")
    chain = chain_of(first, second)
    await chain.load(())
    assert text_of(await answer(chain)) == "Hello."
    lost, closed = chain.board.describe()
    assert (lost.state, lost.cause) == (4, "no key")
    assert closed.state == 1
    second.fault = StartupError("no file")
    with pytest.raises(StartupError):
        await chain_of(Fake("first", [], fault=StartupError("no key")), second).load(())


@run_in_virtual_time
async def test_every_engine_is_told_of_commits_and_of_conversations_read_ahead() -> None:
    first, second = good("first"), good("second")
    chain = chain_of(first, second)
    await chain.prepare("a", (), language_code="en")
    await chain.commit("a", 1)
    await chain.forget("a")
    await chain.close()
    assert first.calls == second.calls == ["prepare", "commit", "forget", "close"]


@run_in_virtual_time
async def test_a_drill_takes_a_provider_out_and_ends() -> None:
    first, second = good("first", "First."), good("second", "Second.")
    chain = chain_of(first, second)
    tripped = chain.board.trip("first", 30_000, is_allowed=True)[0]
    assert (tripped.state, tripped.cause, tripped.retry_delay_ms) == (2, "drill", 30_000)
    assert text_of(await answer(chain)) == "Second."
    chain.board.trip("first", 0, is_allowed=True)
    assert text_of(await answer(chain)) == "First."


@run_in_virtual_time
async def test_a_drill_is_refused_where_it_makes_no_sense() -> None:
    board = chain_of(good("first"), good("second")).board
    with pytest.raises(PermissionDeniedError):
        board.trip("first", 1000, is_allowed=False)
    with pytest.raises(NotFoundError):
        board.trip("third", 1000, is_allowed=True)
    for duration_ms in (-1, 3_600_001):
        with pytest.raises(RequestError):
            board.trip("first", duration_ms, is_allowed=True)


@run_in_virtual_time
async def test_what_an_answer_ends_with_comes_through() -> None:
    parts = await answer(chain_of(Fake("first", [TextMade("Well"), CutShort()]), good("second")))
    assert parts == [MadeBy("first"), TextMade("Well"), CutShort()]


@run_in_virtual_time
async def test_an_engine_that_answers_nothing_is_gone_past() -> None:
    first, second = Fake("first", []), good("second")
    parts = await answer(chain_of(first, second))
    assert (text_of(parts), made_by(parts)) == ("Hello.", ["second"])


@run_in_virtual_time
async def test_a_last_engine_that_answers_nothing_ends_the_turn_without_words() -> None:
    parts = await answer(chain_of(Fake("first", [BROKEN]), Fake("second", [])))
    assert (text_of(parts), made_by(parts)) == ("", ["second"])


@pytest.mark.parametrize(
    ("pieces", "following", "heard"),
    [
        (["We ", "appoint"], "appointed her.", "We appointed her."),
        (["12", ".", "5"], "50 dollars.", "12.50 dollars."),
        (
            ["\u0417\u0430\u0432\u0442\u0440\u0430 "],
            "\u0432 \u0434\u0432\u0430.",
            "\u0417\u0430\u0432\u0442\u0440\u0430 \u0432 \u0434\u0432\u0430.",
        ),
        (["\u6211\u4eec\u516b\u70b9"], "\u5f00\u95e8\u3002", "\u6211\u4eec\u516b\u70b9\u5f00\u95e8\u3002"),
        (["On Tuesday,"], "at nine.", "On Tuesday, at nine."),
        (["Hello.  We\nopen "], "Hello. We open at eight.", "Hello.  We\nopen at eight."),
        (["Good morning. We all open "], "We all open at eight.", "Good morning. We all open at eight."),
        (["We do not o"], "open.", "We do not open."),
    ],
)
@run_in_virtual_time
async def test_no_word_is_lost_broken_or_doubled_at_the_joint(pieces: list[str], following: str, heard: str) -> None:
    first = Fake("first", [*map(TextMade, pieces), BROKEN])
    assert text_of(await answer(chain_of(first, Fake("second", [TextMade(one) for one in following])))) == heard


@run_in_virtual_time
async def test_an_answer_of_one_engine_comes_as_it_was_made() -> None:
    made = ["We", " op", "en at eight", ".", " Any", "thing else"]
    chain = chain_of(Fake("first", list(map(TextMade, made))), good("second"))
    assert text_of(await answer(chain)) == "".join(made)


@dataclass
class Breaking(Fake):
    """Breaks at what it is told, and while it is closed."""

    async def prepare(self, conversation: str, messages: object, *, language_code: str) -> None:
        raise RuntimeError("broken")

    async def commit(self, conversation: str, turn_id: int) -> None:
        raise RuntimeError("broken")

    async def forget(self, conversation: str) -> None:
        raise RuntimeError("broken")

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        try:
            async for part in super().reply(request):
                yield part
        finally:
            await asyncio.sleep(0.5)
            raise RuntimeError("broken")


@run_in_virtual_time
async def test_an_engine_that_stands_by_and_breaks_takes_no_turn_with_it() -> None:
    first, second = good("first"), Breaking("second", [])
    chain = chain_of(second, first, chains="*=first>second")
    assert text_of(await answer(chain)) == "Hello."
    await chain.prepare("a", (), language_code="en")
    await chain.commit("a", 1)
    await chain.forget("a")
    assert first.calls == ["prepare", "commit", "forget"]


@pytest.mark.parametrize("n_cancels", [1, 2])
@run_in_virtual_time
async def test_a_turn_that_is_cancelled_gives_its_probe_back(n_cancels: int) -> None:
    first = Breaking("first", [60.0])
    chain = chain_of(first, good("second"), limits=ChainLimits(first_token_s=100.0, token_gap_s=1.0))
    chain.board.trip("first", 1000, is_allowed=True)
    await asyncio.sleep(2)
    turn = asyncio.ensure_future(answer(chain))
    for _ in range(n_cancels):
        await asyncio.sleep(0.1)
        turn.cancel()
    await asyncio.gather(turn, return_exceptions=True)
    await asyncio.sleep(1)
    assert first.n_closed == 1
    assert chain.board["first"].breaker.state is BreakerState.HALF_OPEN
    assert chain.board["first"].admit() is not None, "it could not be probed any more"


@run_in_virtual_time
async def test_an_engine_that_gives_up_of_itself_is_a_failure_and_no_end_of_the_turn() -> None:
    first = Fake("first", [asyncio.CancelledError()])
    assert text_of(await answer(chain_of(first, good("second")))) == "Hello."


@run_in_virtual_time
async def test_both_engines_of_a_hedge_that_fail_are_failures() -> None:
    limits = ChainLimits(first_token_s=10.0, token_gap_s=1.0, hedge_s=0.5)
    first, second = Fake("first", [1.0, BROKEN]), Fake("second", [2.0, BROKEN])
    chain = chain_of(first, second, limits=limits)
    for _ in range(2):
        with pytest.raises(TurnFailed):
            await answer(chain)
    assert [provider.breaker.state for provider in chain.board] == [BreakerState.OPEN] * 2
