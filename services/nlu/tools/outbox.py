"""Stands between the decision to do something and the deed, so that it is done once whatever is killed in between.

A deed is on disk before it is tried. It is tried at once, and again with jitter until its system says that it is done
or refused; the system knows a deed that it has done by its key.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial

from services.nlu.agent.tools import ToolRefused
from services.nlu.engine import ToolSpec
from services.nlu.tools.deed import Deed, DeedState, NotReached
from services.nlu.tools.outbox_file import Decided, OutboxFile
from services.nlu.tools.sqlite_thread import Worker
from services.runtime.logs import get_logger

log = get_logger(__name__)

NOT_NOTED = "it could not be noted, and will not be done"

_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 300.0
_LOOK_S = 1.0  # between two looks for deeds that are due
_MOST_AT_ONCE = 16


KEPT_S = 90 * 86_400.0  # of a deed that has ended
_FORGET_S = 3600.0  # between two looks for those that go
_MOST_FORGOTTEN = 500  # at one look

Forget = Callable[[Sequence[str]], Awaitable[None]]
"""Lets go of what is kept elsewhere under keys of deeds that ended long ago. Raises NotReached."""

Tell = Callable[[Decided, str], Awaitable[None]]
"""Tells a caller, in a language, how their deed ended. The same deed may come twice. Raises ToolRefused."""


class Outbox:
    """The deeds of all tenants of one process."""

    def __init__(
        self,
        file: OutboxFile,
        worker: Worker,
        *,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        kept_s: float = KEPT_S,
        forget: Forget | None = None,
    ) -> None:
        """`clock` gives seconds since 1970, `chance` a number from 0 to 1 for the jitter. A deed that has ended is kept
        for `kept_s`; `forget` is given the keys of those that go.
        """
        self._kept_s, self._forget, self._looked_at = kept_s, forget, 0.0
        self._file, self._worker, self._clock, self._chance = file, worker, clock, chance
        self._deeds: dict[str, Deed] = {}
        self._orders: dict[str, tuple[tuple[str, ...], str]] = {}  # by name: the names of its order, and the argument
        self._trying: dict[str, asyncio.Task[Decided]] = {}
        self._retries: asyncio.Task[None] | None = None
        self._tell: Tell | None = None

    def tell_by(self, tell: Tell) -> None:
        """Have those told how their deed ended who were promised it."""
        self._tell = tell

    async def promise(self, key: str, language_code: str) -> bool:
        """Note that the caller is told, in a language, how a deed ends. False: no tool can tell them, or it was not
        noted.
        """
        if self._tell is None:
            return False
        try:
            await self._worker.run(lambda: self._file.promise(key, language_code))
        except NotReached:
            return False
        return True

    async def keep_promises(self) -> None:
        """Tell those whose deeds have ended. What fails is tried again."""
        if self._tell is None:
            return
        for decided, language_code in await self._worker.run(lambda: self._file.to_tell(limit=_MOST_AT_ONCE)):
            try:
                await self._tell(decided, language_code)
            except ToolRefused as refused:
                log.warning("message_refused", tool=decided.tool, why=str(refused))
            await self._worker.run(partial(self._file.keep_promise, decided.key))

    def add(self, deed: Deed) -> None:
        """Deeds of this name are done by it, those that an earlier process has decided too."""
        self._deeds[deed.spec.name] = deed

    def add_in_order(self, deeds: Sequence[Deed], argument: str) -> None:
        """The same, for deeds that change one thing: those with the same value of an argument are done in the order
        they were decided. While one of them is pending, the next ones wait.
        """
        names = tuple(deed.spec.name for deed in deeds)
        for deed in deeds:
            self.add(deed)
            self._orders[deed.spec.name] = (names, argument)

    def start(self) -> None:
        """Try again what is pending, from here on. Needs a running loop."""
        if self._retries is None:
            self._retries = asyncio.create_task(self._retry())

    async def stop(self) -> None:
        if self._retries is not None:
            self._retries.cancel()
            await asyncio.gather(self._retries, return_exceptions=True)

    async def do(self, name: str, arguments: Mapping[str, object], *, tenant_id: str, key: str) -> Decided:
        """Decide and try a deed; returns how it stands now. A key that was decided before is not decided again.

        Raises NotReached where it could not even be noted: then it will not be done.
        """
        arguments_json = json.dumps(arguments, ensure_ascii=False, sort_keys=True)
        wanted = Decided(key, tenant_id, name, arguments_json)
        due = self._clock() + _FIRST_WAIT_S
        noted = await self._worker.run(lambda: self._file.put(wanted, due=due))
        return noted if noted.state is not DeedState.PENDING else await self._try_in_order(noted)

    async def state(self, key: str) -> Decided | None:
        """The state of a deed; None: it was never decided."""
        return await self._worker.run(lambda: self._file.find(key))

    async def pending(self, tenant_id: str, argument: str, values: Collection[str]) -> list[Decided]:
        """Deeds of a tenant that are noted and not done yet, of which an argument is one of the values.

        Raises NotReached.
        """
        return await self._worker.run(lambda: self._file.pending(tenant_id, argument, values))

    async def try_due(self) -> int:
        """Try what is due; returns how many deeds that were."""
        due = await self._worker.run(lambda: self._file.due(self._clock(), limit=_MOST_AT_ONCE))
        known = [decided for decided in due if decided.tool in self._deeds]
        for decided in known:
            await self._try_in_order(decided)
        return len(known)

    async def forget_old(self) -> int:
        """Take out what ended long ago; returns how many deeds that were. What is kept elsewhere goes first, so that a
        process killed in between finds the deed ended still, and begins again.
        """
        before = self._clock() - self._kept_s
        keys = await self._worker.run(lambda: self._file.ended_before(before, limit=_MOST_FORGOTTEN))
        if keys and self._forget is not None:
            await self._forget(keys)
        if keys:
            await self._worker.run(lambda: self._file.forget(keys))
        return len(keys)

    async def _forget_in_time(self) -> None:
        """The same, once in a while."""
        now = self._clock()
        if now - self._looked_at < _FORGET_S:
            return
        if await self.forget_old() < _MOST_FORGOTTEN:
            self._looked_at = now

    async def _try_in_order(self, decided: Decided) -> Decided:
        """One try, behind those that must come before it. Where one of these is pending still, it is put off."""
        try:
            if decided.tool in self._orders:
                names, argument = self._orders[decided.tool]
                for earlier in await self._worker.run(lambda: self._file.earlier(decided, names, argument)):
                    if (await self._try_once(earlier)).state is DeedState.PENDING:
                        await self._put_off(decided)
                        return decided
        except NotReached as error:  # it is noted, so it will be tried again
            log.warning("deed_unsettled", tool=decided.tool, why=str(error))
            return decided
        return await self._try_once(decided)

    async def _put_off(self, decided: Decided) -> None:
        due = self._clock() + self._wait_s(decided.n_tries)
        await self._worker.run(lambda: self._file.put_off(decided.key, due=due))

    async def _try_once(self, decided: Decided) -> Decided:
        """One try, shared by all who wait for it; cancelling one of them leaves it running. A deed whose end cannot
        be noted is pending, and its system knows it by its key at the next try.
        """
        trying = self._trying.get(decided.key)
        if trying is None:
            trying = asyncio.create_task(self._try(decided))
            self._trying[decided.key] = trying
            trying.add_done_callback(lambda _: self._trying.pop(decided.key, None))
        try:
            return await asyncio.shield(trying)
        except NotReached as error:
            log.warning("deed_unsettled", tool=decided.tool, why=str(error))
            return decided

    async def _try(self, decided: Decided) -> Decided:
        key, deed = decided.key, self._deeds[decided.tool]
        arguments = json.loads(decided.arguments_json)
        try:
            async with asyncio.timeout(deed.timeout_s):
                result_json = await deed.do(arguments, tenant_id=decided.tenant_id, key=key)
            state = DeedState.DONE
        except ToolRefused as refused:
            state, result_json = DeedState.FAILED, json.dumps({"error": str(refused)}, ensure_ascii=False)
        except Exception as error:  # whatever broke, the deed may be done: only its key can tell
            why = str(error) if isinstance(error, NotReached) else type(error).__name__
            log.warning("deed_put_off", tool=decided.tool, n_tries=decided.n_tries + 1, why=why)
            await self._put_off(decided)
            return decided
        await self._worker.run(lambda: self._file.settle(key, state, result_json))
        log.info("deed_ended", tool=decided.tool, state=state.value)
        settled = await self._worker.run(lambda: self._file.find(key))
        return settled or decided

    def _wait_s(self, n_tries: int) -> float:
        """Twice as long each time, between half of that and the whole."""
        longest = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(n_tries, 16))
        return longest * (0.5 + 0.5 * self._chance())

    async def _retry(self) -> None:
        while True:
            try:
                n_tried = await self.try_due()
                await self.keep_promises()
                await self._forget_in_time()
            except NotReached as error:
                log.warning("outbox_unreadable", why=str(error))
                n_tried = 0
            if n_tried < _MOST_AT_ONCE:
                await asyncio.sleep(_LOOK_S)


class OutboxTool:
    """A deed as a tool of one tenant's calls: what it answers is how the deed stands in the outbox."""

    def __init__(self, deed: Deed, outbox: Outbox, tenant_id: str, *, spec: ToolSpec | None = None) -> None:
        """`spec`: how it is shown to this tenant; left out: as the deed is."""
        self.spec = spec or deed.spec
        self._outbox, self._tenant_id = outbox, tenant_id

    async def run(self, arguments: Mapping[str, object], *, idempotency_key: str) -> str:
        try:
            decided = await self._outbox.do(self.spec.name, arguments, tenant_id=self._tenant_id, key=idempotency_key)
        except NotReached as error:
            raise ToolRefused(NOT_NOTED) from error
        return _told(decided)

    async def standing(self, *, idempotency_key: str) -> str:
        """Return how a deed stands whose result is late: it goes on, or is tried again, so the agent may not say
        that it failed.

        Raises NotReached where that cannot be read, ToolRefused where it was refused.
        """
        decided = await self._outbox.state(idempotency_key)
        return _told(decided) if decided is not None else ""


def _told(decided: Decided) -> str:
    if decided.state is DeedState.FAILED:
        raise ToolRefused(json.loads(decided.result_json)["error"])
    return decided.result_json or json.dumps({"status": decided.state.value, "reference": decided.key})
