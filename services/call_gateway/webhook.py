"""Posts what calls were about to a URL of the operator's, signed, so that who takes a call over has its summary.

One delivery is a POST of JSON. `X-Tong-Dai-Signature` is `t=SECONDS,v1=HEX`: the HMAC-SHA256, by the shared secret, of
the seconds since 1970, a dot and the body as it was sent; `X-Tong-Dai-Delivery` is the same at every try of a delivery,
so that a receiver may take the second of two for what it is. A delivery is tried a few times, then given up.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import uuid4

import aiohttp
from prometheus_client import Counter

from services.runtime.logs import get_logger
from services.runtime.metrics import StageMetrics

log = get_logger(__name__)

MOST_WAITING = 256
WORKERS = 2
TRIES = 5
TRY_LIMIT_S = 10.0
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
_LATER = frozenset({408, 425, 429})  # statuses of the fourth class that may be another at the next try
_DELIVERIES = Counter("voice_webhook_deliveries_total", "Posts to the webhook, by how they ended.", ["outcome"])
for _outcome in ("delivered", "refused", "given_up"):
    _DELIVERIES.labels(_outcome)
_metrics = StageMetrics("call")
_metrics.queue_dropped_total("webhook")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One post."""

    event: str  # "call_analysed", "hand_over", "callback_requested"
    body: bytes
    id: str = field(default_factory=lambda: uuid4().hex)


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
    ) -> None:
        """`secret` may be empty: nothing is signed then. `clock` gives seconds since 1970, `chance` 0 to 1."""
        self._url, self._secret, self._clock, self._chance = url, secret, clock, chance
        self._first_wait_s = first_wait_s
        self._waiting: asyncio.Queue[Delivery] = asyncio.Queue(MOST_WAITING)

    def post(self, event: str, content: Mapping[str, object]) -> None:
        """Have it delivered; returns at once."""
        body = json.dumps({"event": event, **content}, ensure_ascii=False).encode(errors="replace")
        try:
            self._waiting.put_nowait(Delivery(event, body))
        except asyncio.QueueFull:
            _metrics.queue_dropped_total("webhook").inc()
            log.warning("webhook_full", event_name=event)

    async def run(self) -> None:
        """Deliver until cancelled."""
        limit = aiohttp.ClientTimeout(total=TRY_LIMIT_S)
        async with aiohttp.ClientSession(timeout=limit) as session, asyncio.TaskGroup() as tasks:
            for _ in range(WORKERS):
                tasks.create_task(self._work(session))

    async def emptied(self) -> None:
        """Return when nothing waits and nothing is under way."""
        await self._waiting.join()

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
                _DELIVERIES.labels("delivered").inc()
                return
            if 300 <= status < 500 and status not in _LATER:
                _DELIVERIES.labels("refused").inc()
                log.warning("webhook_refused", event_name=delivery.event, status=status)
                return
            log.info("webhook_put_off", event_name=delivery.event, status=status, n_tries=n_tries)
            if n_tries < TRIES:
                await asyncio.sleep(self._wait_s(n_tries))
        _DELIVERIES.labels("given_up").inc()
        log.warning("webhook_given_up", event_name=delivery.event, n_tries=TRIES)

    async def _try(self, session: aiohttp.ClientSession, delivery: Delivery) -> int:
        """The status of the answer; 0: there was none."""
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

    def _wait_s(self, n_tries: int) -> float:
        """Twice as long each time, between half of that and the whole."""
        longest = min(LONGEST_WAIT_S, self._first_wait_s * 2.0 ** (n_tries - 1))
        return longest * (0.5 + 0.5 * self._chance())
