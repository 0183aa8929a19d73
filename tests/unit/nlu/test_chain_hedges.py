"""Hedges, breakers and drills of a chain of engines."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import pytest

from services.nlu.chained_reply import ChainLimits
from services.nlu.engine import CutShort, MadeBy, ReplyPart, ReplyRequest, TextMade
from services.runtime.breaker import BreakerState
from services.runtime.errors import NotFoundError, PermissionDeniedError, RequestError, TurnFailed
from tests.unit.nlu.chain_engines import (
    BROKEN,
    REQUEST,
    Fake,
    Step,
    answer,
    chain_of,
    good,
    made_by,
    run_in_virtual_time,
    text_of,
)


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


@pytest.mark.parametrize(("first", "within_s"), [([60.0], 6.1), ([TextMade("We open "), 60.0], 3.1)])
@run_in_virtual_time
async def test_an_engine_that_rests_takes_a_turn_over_from_one_that_hangs(first: list[Step], within_s: float) -> None:
    chain = chain_of(Fake("first", first), good("second", "at eight."))
    chain.board.trip("second", 20_000, is_allowed=True)
    began = asyncio.get_running_loop().time()
    assert text_of(await answer(chain)).endswith("at eight.")
    assert 2.9 < asyncio.get_running_loop().time() - began < within_s


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
