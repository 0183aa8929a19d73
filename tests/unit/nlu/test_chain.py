"""Engines that stand in for one another: who is asked, who takes over, and what the caller never hears twice."""

import asyncio
from contextlib import aclosing

import pytest

from services.nlu.engine import MadeBy, ReplyRequest, TextMade, ToolWanted
from services.runtime.errors import NotServing, StartupError, TurnFailed
from tests.unit.nlu.chain_engines import (
    BROKEN,
    LIMITS,
    REQUEST,
    Fake,
    answer,
    chain_of,
    good,
    made_by,
    run_in_virtual_time,
    text_of,
)


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
async def test_a_chain_starts_again_where_one_of_its_failures_may_pass() -> None:
    broken, full = (
        Fake("broken", [], fault=NotServing("a broken file")),
        Fake("full", [], fault=StartupError("no room")),
    )
    other = Fake("other", [], fault=NotServing("no key"))
    with pytest.raises(StartupError, match="no room"):
        await chain_of(broken, full, other, chains="vi=broken>full,*=other").load(())
    with pytest.raises(NotServing, match="no key"):
        await chain_of(broken, good("full"), other, chains="vi=broken>full,*=other").load(())


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
