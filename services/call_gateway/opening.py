"""Opening of a call: it is answered once every stage has opened its stream. Otherwise the call goes elsewhere."""

import asyncio
from collections.abc import Callable
from typing import Final

from services.call_gateway.conversation.events import Stage, StageFailed
from services.runtime.errors import CapacityError, RequestError, ServiceError, UnavailableError

RING_LIMIT_S: Final = 3.0
"""A stage that restarts may come back while the caller hears the telephone ring."""
AGAIN_S: Final = 0.25


class StageAway(UnavailableError):
    """A stage cannot be reached, or will not take this call."""

    reason = "STAGE_AWAY"


class CallRefused(RequestError):
    """A stage does not serve what the call asks for."""

    reason = "CALL_REFUSED"


class Opening:
    """Collects the stages' events until the call is answered."""

    def __init__(self) -> None:
        self.is_over = False
        """The conversation takes care of the stages from here on."""
        self._awaited = set(Stage)
        self._failures: dict[Stage, StageFailed] = {}
        self._news = asyncio.Event()

    def ready(self, stage: Stage) -> None:
        """A stage has taken the call."""
        self._awaited.discard(stage)
        self._failures.pop(stage, None)
        self._news.set()

    def failed(self, event: StageFailed) -> None:
        """A stage has not taken it, or has died since."""
        self._awaited.add(event.stage)
        self._failures[event.stage] = event
        self._news.set()

    async def failure(self, reopen: Callable[[Stage], None]) -> ServiceError | None:
        """Return why the call cannot be answered; None as soon as every stage has taken it. A stage that is away is
        tried again for as long as a telephone may ring; a stage that is full, or refuses, is not.
        """
        try:
            async with asyncio.timeout(RING_LIMIT_S):
                while self._awaited:
                    await self._news.wait()
                    self._news.clear()
                    for failure in tuple(self._failures.values()):
                        if failure.reason == CapacityError.reason:
                            return CapacityError(f"{failure.stage.value} is full: call another gateway")
                        if failure.is_request_at_fault:
                            return CallRefused(f"{failure.stage.value} does not serve this call: {failure.reason}")
                        if not failure.is_retryable:
                            return StageAway(f"{failure.stage.value} does not take the call: {failure.reason}")
                    await self._again(reopen)
        except TimeoutError:
            return self._away()
        return None

    async def _again(self, reopen: Callable[[Stage], None]) -> None:
        if not self._failures:
            return
        await asyncio.sleep(AGAIN_S)
        for stage in tuple(self._failures):
            del self._failures[stage]
            reopen(stage)

    def _away(self) -> StageAway:
        names = ", ".join(sorted(stage.value for stage in self._awaited))
        return StageAway(f"cannot be reached: {names}; call another gateway")
