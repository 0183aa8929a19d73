"""Ownership of the ARI application's name between two processes, by a heartbeat in a global variable of Asterisk.

Asterisk gives the events of an application to the process that connected last, and does not report that this process is
gone: with calls left in it the application stays listed. So the owner of the name writes a fresh value every few
seconds.
"""

import asyncio
import secrets
import time
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
        self._own = ""  # the last sign of our own

    async def show(self) -> None:
        """Give signs of life, until cancelled."""
        while True:
            self._own = secrets.token_hex(8)
            try:
                await self._ari.post("asterisk", "variable", variable=self._variable, value=self._own)
            except LegFailed as error:
                log.info("sign_of_life_failed", error=str(error))
            await asyncio.sleep(BEAT_S)

    async def until_free(self) -> None:
        """Return when the process that took the name is gone: its application is gone, or no heartbeat has come for ten
        seconds. A process that never wrote a heartbeat is no gateway of ours, and is taken to live as long as the
        application is there.
        """
        seen, since = self._own, time.monotonic()
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                sign = str((await self._ari.get("asterisk", "variable", variable=self._variable))["value"])
                if sign != seen:
                    seen, since = sign, time.monotonic()
                if sign != self._own and time.monotonic() - since > GONE_AFTER_S:
                    return
                await self._ari.get("applications", self._app)
            except AriRefused as refusal:
                if refusal.is_gone:
                    return
                log.info("application_unknown", error=str(refusal))
            except LegFailed:
                return  # Asterisk itself is gone: connect again once it is back
