"""Watchers read at their own pace and are told what they lost."""

import asyncio

from services.call_gateway.line import EndCause
from services.call_gateway.watching import CallBegan, CallNews, CallOver, EventBus, Watcher


def news(call_id: str = "a", number: int = 0) -> CallNews:
    return CallNews(call_id, "tenant", number, CallBegan("program", ""))


async def read(watcher: Watcher, count: int) -> list[tuple[CallNews, int]]:
    taken = []
    async for item in watcher:
        taken.append(item)
        if len(taken) == count:
            break
    return taken


async def test_a_watcher_gets_the_events_it_wants_in_order():
    watcher = Watcher(lambda news: news.call_id == "a")
    for number, call_id in enumerate("abab"):
        watcher(news(call_id, number))
    assert [item.sample for item, _ in await read(watcher, 2)] == [0, 2]


async def test_a_slow_watcher_loses_the_oldest_and_is_told_how_many():
    watcher = Watcher(lambda _: True, limit=3)
    for number in range(10):
        watcher(news(number=number))
    taken = await read(watcher, 3)
    assert [item.sample for item, _ in taken] == [7, 8, 9]
    assert [dropped for _, dropped in taken] == [7, 0, 0]


async def test_watching_one_call_ends_with_it():
    watcher = Watcher(lambda _: True, is_last=lambda news: isinstance(news.news, CallOver))
    watcher(news())
    watcher(CallNews("a", "tenant", 5, CallOver(EndCause.CALLER, "", 0, 0)))
    assert [item.sample async for item, _ in watcher] == [0, 5]


async def test_a_watcher_waits_for_news():
    watcher = Watcher(lambda _: True)
    reading = asyncio.create_task(read(watcher, 1))
    await asyncio.sleep(0)
    watcher(news(number=3))
    assert [item.sample for item, _ in await reading] == [3]


def test_the_event_bus_sends_to_each_watcher_until_it_leaves():
    desk, heard = EventBus(), []
    desk.subscribe(heard.append)
    desk.publish(news(number=1))
    desk.unsubscribe(heard.append)
    desk.publish(news(number=2))
    assert [item.sample for item in heard] == [1]
