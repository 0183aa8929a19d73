"""Ownership of the ARI application's name between two processes, by a heartbeat in a global variable of Asterisk.

Asterisk gives the events of an application to the process that connected last, and does not report that this process is
gone: with calls left in it the application stays listed. So the owner of the name writes a fresh value before it takes
the name, and every few seconds from then on.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from services.call_gateway.edges.ari.client import AriClient, AriRefused
from services.call_gateway.edges.edge import LegFailed
from services.runtime.logs import get_logger

BEAT_S: Final = 3.0
LOOK_S: Final = 1.0
GONE_AFTER_S: Final = 10.0  # three signs of life have not come

log = get_logger(__name__)


class Ownership:
    """Shows that this process has the name, or waits until no other process has it."""

    def __init__(self, ari: AriClient, app: str) -> None:
        self._ari = ari
        self._app = app
        self._variable = f"TONG_DAI_ALIVE_{app}"
        self._process = secrets.token_hex(8)  # begins every sign of our own

    async def announce(self) -> None:
        """Give the first sign of life, before the name is taken: the process that has it then knows whose turn it is,
        even where this one ends at once. Raises AriUnreachable.
        """
        with suppress(AriRefused):  # `show` logs a refusal
            await self._beat()

    async def show(self) -> None:
        """Give signs of life, until cancelled."""
        while True:
            try:
                await self._beat()
            except LegFailed as error:
                log.info("sign_of_life_failed", error=str(error))
            await asyncio.sleep(BEAT_S)

    async def _beat(self) -> None:
        value = f"{self._process}-{secrets.token_hex(4)}"
        await self._ari.post("asterisk", "variable", variable=self._variable, value=value)

    async def until_free(self, clear_left: Callable[[], Awaitable[None]]) -> None:
        """Return when the process that took the name is gone: its application is gone, or no heartbeat has come for ten
        seconds.

        A process that never wrote a heartbeat is no gateway of ours, and is taken to live as long as the application is
        there. What this process left in the application keeps it there too, and no one takes that up: after ten seconds
        `clear_left` removes it. It may raise LegFailed.
        """
        seen, since, heard_at = "", time.monotonic(), time.monotonic()
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                sign = str((await self._ari.get("asterisk", "variable", variable=self._variable))["value"])
                if sign != seen:
                    seen, since = sign, time.monotonic()
                if time.monotonic() - since > GONE_AFTER_S:
                    if not sign.startswith(self._process):
                        return
                    since = time.monotonic()
                    await clear_left()
                    await asyncio.sleep(LOOK_S)
                    await self._drop_unused_applications()
                await self._ari.get("applications", self._app)
                heard_at = time.monotonic()
            except AriRefused as refusal:
                if refusal.is_gone:
                    return
                log.info("application_unknown", error=str(refusal))
            except LegFailed as error:  # one late answer tells nothing of the other process
                log.info("ownership_unknown", error=str(error))
                if time.monotonic() - heard_at > GONE_AFTER_S:
                    return  # Asterisk itself is gone: connect again once it is back

    async def _drop_unused_applications(self) -> None:
        """Have Asterisk drop the applications that have neither a connection nor channels and bridges. It looks for
        such ones only when an application comes or goes, or a channel leaves one; not when a bridge is removed.
        """
        events = await self._ari.open_events(f"{self._app}-look")
        await events.close()
