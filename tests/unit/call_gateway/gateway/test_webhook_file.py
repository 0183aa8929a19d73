"""Deliveries on disk: once under an id, given to one process at a time, and gone when they have ended."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any, cast

import pytest

from services.call_gateway import webhook_file
from services.call_gateway.webhook import Webhook, delivery_id
from services.call_gateway.webhook_file import KEPT_S, DeliveryOutcome, Kept, KeptAnalysis, WebhookFile
from services.runtime.errors import StartupError

NOW = 1_000_000.0


def said_in(folder: Path) -> list[str]:
    """The files in which a body stands."""
    return [each.name for each in folder.iterdir() if b"caller said" in each.read_bytes()]


async def claimed(file: WebhookFile, now: float) -> list[Kept]:
    return await file.claim(now, until=now + 20, limit=8)


async def test_the_same_id_is_kept_once(tmp_path: Path) -> None:
    file = WebhookFile(tmp_path / "webhook.sqlite")
    assert await file.put("a", "call_analysed", b"first", now=NOW)
    assert await file.put("a", "call_analysed", b"second", now=NOW)
    assert [one.body for one in await claimed(file, NOW)] == [b"first"]


async def test_what_waits_is_there_for_the_next_process(tmp_path: Path) -> None:
    await WebhookFile(tmp_path / "webhook.sqlite").put("a", "hand_over", b"body", now=NOW)
    assert [(one.id, one.event) for one in await claimed(WebhookFile(tmp_path / "webhook.sqlite"), NOW)] == [
        ("a", "hand_over")
    ]


async def test_what_one_process_tries_is_not_given_to_another_until_its_time_is_up(tmp_path: Path) -> None:
    one, other = WebhookFile(tmp_path / "webhook.sqlite"), WebhookFile(tmp_path / "webhook.sqlite")
    await one.put("a", "hand_over", b"body", now=NOW)
    assert len(await claimed(one, NOW)) == 1
    assert await claimed(other, NOW + 19) == []
    assert [kept.n_tries for kept in await claimed(other, NOW + 21)] == [2]


async def test_what_was_put_off_comes_when_it_is_due(tmp_path: Path) -> None:
    file = WebhookFile(tmp_path / "webhook.sqlite")
    await file.put("a", "hand_over", b"body", now=NOW)
    await claimed(file, NOW)
    await file.put_off("a", due=NOW + 2)
    assert await claimed(file, NOW + 1) == []
    assert len(await claimed(file, NOW + 2)) == 1


async def test_the_body_of_one_that_has_ended_is_gone_and_its_id_is_not(tmp_path: Path) -> None:
    path = tmp_path / "webhook.sqlite"
    file = WebhookFile(path)
    await file.put("a", "hand_over", b"what a caller said", now=NOW)
    await file.end("a", DeliveryOutcome.DELIVERED)
    await file.put("a", "hand_over", b"again", now=NOW + 60)
    assert await claimed(file, NOW + 60) == []
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT body, ended FROM deliveries").fetchall() == [(b"", "delivered")]
    await file.put("b", "hand_over", b"much later", now=NOW + KEPT_S + 1)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT id FROM deliveries").fetchall() == [("b",)]


async def test_nothing_of_a_body_is_left_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "webhook.sqlite"
    file = WebhookFile(path)
    for n in range(20):
        await file.put(f"a{n}", "hand_over", b"what a caller said" * 1000, now=NOW)
    assert said_in(tmp_path)
    for n in range(20):
        await file.end(f"a{n}", DeliveryOutcome.DELIVERED)
    assert said_in(tmp_path) == []


async def test_what_does_not_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_file, "MOST_WAITING", 2)
    file = WebhookFile(tmp_path / "webhook.sqlite")
    assert [await file.put(name, "hand_over", b"", now=NOW) for name in "abc"] == [True, True, False]
    assert await file.n_waiting() == 2


def test_the_file_is_its_owners_alone_and_no_link(tmp_path: Path) -> None:
    WebhookFile(tmp_path / "webhook.sqlite")
    assert (tmp_path / "webhook.sqlite").stat().st_mode & 0o777 == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "webhook.sqlite")
    with pytest.raises(StartupError, match="GATEWAY_WEBHOOK_FILE"):
        WebhookFile(tmp_path / "link")


def test_the_same_news_of_a_call_has_the_same_id_in_every_process() -> None:
    assert delivery_id("call_analysed", "acme", "call-1") == delivery_id("call_analysed", "acme", "call-1")
    assert delivery_id("call_analysed") != delivery_id("call_analysed")


def test_no_two_news_have_one_id_whatever_a_client_calls_them() -> None:
    keys = [
        ("acme", "a"),
        ("", "acmea"),
        ("acm", "ea"),
        ("acme", "a", "5"),
        ("acme", "a 5"),
        ("acme\0a",),
        ("acme", ""),
    ]
    made = [delivery_id(event, *key) for event in ("call_analysed", "hand_over") for key in keys]
    assert len(set(made)) == len(made)


class BrokenDisk:
    """A file that cannot note how "a" ended, and takes its time over "b"."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.is_asked_again = asyncio.Event()

    async def claim(self, now: float, *, until: float, limit: int) -> list[Kept]:
        del until, limit
        self.events.append("claim")
        if len(self.events) > 1:
            self.is_asked_again.set()
            return []
        return [Kept(name, "hand_over", b"body", now, 1) for name in ("a", "b")]

    async def end(self, delivery_id: str, outcome: str) -> None:
        del outcome
        if delivery_id == "a":
            raise sqlite3.OperationalError("disk I/O error")
        for _ in range(50):  # turns of the loop
            await asyncio.sleep(0)
        self.events.append(delivery_id)


async def test_a_disk_that_fails_for_one_delivery_leaves_none_without_an_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    async def accepted(*_: object) -> int:
        return 204

    monkeypatch.setattr(Webhook, "_try", accepted)
    monkeypatch.setattr("services.call_gateway.webhook._LOOK_S", 0.0)
    disk = BrokenDisk()
    webhook = Webhook("http://127.0.0.1:1/", "")
    looking = asyncio.create_task(webhook._deliver_kept(cast(Any, None), cast(Any, disk)))
    async with asyncio.timeout(5):
        await disk.is_asked_again.wait()
    looking.cancel()
    assert disk.events[:3] == ["claim", "b", "claim"]


async def test_a_conversation_waits_for_its_analysis_until_its_news_is_kept(tmp_path: Path) -> None:
    file = WebhookFile(tmp_path / "webhook.sqlite")
    kept = KeptAnalysis("a", b"caller said", "0912", 7, True)
    await file.note_analysis(kept, now=NOW, until=NOW + 10)
    assert await file.claim_analyses(NOW + 9, until=NOW + 20, limit=4) == []
    (left,) = await WebhookFile(tmp_path / "webhook.sqlite").claim_analyses(NOW + 11, until=NOW + 20, limit=4)
    assert (left.id, left.request, left.caller, left.sample, left.is_over) == ("a", b"caller said", "0912", 7, True)
    assert await file.claim_analyses(NOW + 12, until=NOW + 30, limit=4) == []
    assert await file.put("news", "call_analysed", b"body", now=NOW + 12, settles="a")
    assert await file.claim_analyses(NOW + 99, until=NOW + 199, limit=4) == []
