"""Webhook: posts analyses of calls to a URL of the operator, signed, so that a person who takes a call over has its
summary.

One delivery is a POST of JSON. `X-Tong-Dai-Signature` is `t=SECONDS,v1=HEX`: the HMAC-SHA256, by the shared secret, of
the seconds since 1970, a dot and the body as it was sent. `X-Tong-Dai-Delivery` is the same at every try of a delivery,
so that a receiver recognises a repeated one. With a file (webhook_file.py) a delivery is on disk before it is tried,
and is tried for a day, by the next process too; without a file it is tried a few times, then given up.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import uuid4

import aiohttp
from prometheus_client import Counter

from services.call_gateway.webhook_file import DeliveryOutcome, Kept, WebhookFile
from services.runtime.logs import get_logger
from services.runtime.metrics import StageMetrics

log = get_logger(__name__)

MOST_WAITING = 256
WORKERS = 2
TRIES = 5
TRY_LIMIT_S = 10.0
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
KEPT_LONGEST_WAIT_S = 300.0  # between two tries of what is on disk
KEPT_LIMIT_S = 86_400.0  # then it is given up
_LOOK_S = 1.0  # between two looks at the file
_AT_ONCE = 8  # deliveries of the file
_LATER = frozenset({408, 425, 429})  # statuses of the fourth class that may be another at the next try
_DELIVERIES = Counter("voice_webhook_deliveries_total", "Posts to the webhook, by how they ended.", ["outcome"])
for _outcome in DeliveryOutcome:
    _DELIVERIES.labels(_outcome.value)
_metrics = StageMetrics("call")
_metrics.queue_dropped_total("webhook")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST to the webhook."""

    event: str  # "call_analysed", "hand_over", "callback_requested"
    body: bytes
    id: str
    settles: str = ""  # the analysis that it is the news of, as the file has it


def delivery_id(event: str, *key: str) -> str:
    """The id of a delivery: the same for the same news, whichever process has it; without a key one of its own. Each
    field goes in with its length before it, so that no two keys read alike, of whatever tenants.
    """
    if not key:
        return uuid4().hex
    digest = hashlib.sha256()
    for field in (event, *key):
        content = field.encode(errors="surrogatepass")
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()[:32]


def signature(secret: str, body: bytes, *, at: int) -> str:
    """The header of a body that is sent `at` seconds since 1970."""
    mac = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"


class Webhook:
    """Delivers to one URL until cancelled; what is given while too much waits is dropped and counted."""

    def __init__(
        self,
        url: str,
        secret: str,
        *,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        first_wait_s: float = FIRST_WAIT_S,
        file: WebhookFile | None = None,
    ) -> None:
        """`secret` may be empty: nothing is signed then. `clock` gives seconds since 1970, `chance` 0 to 1; `file`
        keeps what waits.
        """
        self._file = file
        self._noted = asyncio.Event()
        self._url, self._secret, self._clock, self._chance = url, secret, clock, chance
        self._first_wait_s = first_wait_s
        self._waiting: asyncio.Queue[Delivery] = asyncio.Queue(MOST_WAITING)

    def post(self, event: str, content: Mapping[str, object], *, key: tuple[str, ...] = (), settles: str = "") -> None:
        """Have it delivered; returns at once. News of the same event and `key` are one delivery. `settles`: the
        analysis that is kept no longer once the delivery is.
        """
        body = json.dumps({"event": event, **content}, ensure_ascii=False).encode(errors="replace")
        try:
            self._waiting.put_nowait(Delivery(event, body, delivery_id(event, *key), settles))
        except asyncio.QueueFull:
            _metrics.queue_dropped_total("webhook").inc()
            log.warning("webhook_full", event_name=event)

    async def run(self) -> None:
        """Deliver until cancelled."""
        limit = aiohttp.ClientTimeout(total=TRY_LIMIT_S)
        async with aiohttp.ClientSession(timeout=limit) as session, asyncio.TaskGroup() as tasks:
            if self._file is not None:
                tasks.create_task(self._keep(session, self._file))
                tasks.create_task(self._deliver_kept(session, self._file))
                return
            for _ in range(WORKERS):
                tasks.create_task(self._work(session))

    async def emptied(self) -> None:
        """Return when nothing waits in memory, and nothing of it is under way."""
        await self._waiting.join()

    async def _keep(self, session: aiohttp.ClientSession, file: WebhookFile) -> None:
        """Put what is given on disk, one after the other. Where that cannot be done it is tried from memory."""
        while True:
            delivery = await self._waiting.get()
            try:
                now, settles = self._clock(), delivery.settles
                if await file.put(delivery.id, delivery.event, delivery.body, now=now, settles=settles):
                    self._noted.set()
                else:
                    _metrics.queue_dropped_total("webhook").inc()
                    log.warning("webhook_full", event_name=delivery.event)
            except sqlite3.Error as error:
                log.warning("webhook_not_kept", event_name=delivery.event, why=str(error))
                await self._deliver(session, delivery)
            finally:
                self._waiting.task_done()

    async def _deliver_kept(self, session: aiohttp.ClientSession, file: WebhookFile) -> None:
        """Try what is due on disk, that of an earlier process too."""
        while True:
            self._noted.clear()
            try:
                now = self._clock()
                due = await file.claim(now, until=now + 2 * TRY_LIMIT_S, limit=_AT_ONCE)
                ended = await asyncio.gather(
                    *(self._try_kept(session, file, one) for one in due), return_exceptions=True
                )
                if broken := next((one for one in ended if one is not None), None):
                    raise broken  # when all are over: none is left without an owner
            except sqlite3.Error as error:
                log.warning("webhook_file_unreadable", why=str(error))
                due = []
            if not due:
                try:
                    async with asyncio.timeout(_LOOK_S):
                        await self._noted.wait()
                except TimeoutError:
                    continue

    async def _try_kept(self, session: aiohttp.ClientSession, file: WebhookFile, kept: Kept) -> None:
        status = await self._try(session, Delivery(kept.event, kept.body, kept.id))
        if 200 <= status < 300:
            outcome = DeliveryOutcome.DELIVERED
        elif 300 <= status < 500 and status not in _LATER:
            outcome = DeliveryOutcome.REFUSED
            log.warning("webhook_refused", event_name=kept.event, status=status)
        elif self._clock() - kept.noted >= KEPT_LIMIT_S:
            outcome = DeliveryOutcome.GIVEN_UP
            log.warning("webhook_given_up", event_name=kept.event, n_tries=kept.n_tries)
        else:
            log.info("webhook_put_off", event_name=kept.event, status=status, n_tries=kept.n_tries)
            wait_s = self._wait_s(kept.n_tries, longest_s=KEPT_LONGEST_WAIT_S)
            await file.put_off(kept.id, due=self._clock() + wait_s)
            return
        _DELIVERIES.labels(outcome.value).inc()
        await file.end(kept.id, outcome)

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while True:
            delivery = await self._waiting.get()
            try:
                await self._deliver(session, delivery)
            finally:
                self._waiting.task_done()

    async def _deliver(self, session: aiohttp.ClientSession, delivery: Delivery) -> None:
        for n_tries in range(1, TRIES + 1):
            status = await self._try(session, delivery)
            if 200 <= status < 300:
                _DELIVERIES.labels(DeliveryOutcome.DELIVERED.value).inc()
                return
            if 300 <= status < 500 and status not in _LATER:
                _DELIVERIES.labels(DeliveryOutcome.REFUSED.value).inc()
                log.warning("webhook_refused", event_name=delivery.event, status=status)
                return
            log.info("webhook_put_off", event_name=delivery.event, status=status, n_tries=n_tries)
            if n_tries < TRIES:
                await asyncio.sleep(self._wait_s(n_tries))
        _DELIVERIES.labels(DeliveryOutcome.GIVEN_UP.value).inc()
        log.warning("webhook_given_up", event_name=delivery.event, n_tries=TRIES)

    async def _try(self, session: aiohttp.ClientSession, delivery: Delivery) -> int:
        """Return the status of the answer; 0: no answer came."""
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "X-Tong-Dai-Event": delivery.event,
            "X-Tong-Dai-Delivery": delivery.id,
        }
        if self._secret:
            headers["X-Tong-Dai-Signature"] = signature(self._secret, delivery.body, at=int(self._clock()))
        try:
            async with session.post(self._url, data=delivery.body, headers=headers, allow_redirects=False) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.info("webhook_unreached", event_name=delivery.event, failure=type(error).__name__)
            return 0

    def _wait_s(self, n_tries: int, *, longest_s: float = LONGEST_WAIT_S) -> float:
        """Twice as long each time, between half of that and the whole."""
        longest = min(longest_s, self._first_wait_s * 2.0 ** min(n_tries - 1, 30))
        return longest * (0.5 + 0.5 * self._chance())
