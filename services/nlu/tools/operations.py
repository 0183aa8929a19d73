"""Operations of packages as tools: look-ups that run at once, and deeds behind the outbox."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from services.nlu.agent.tools import ToolRefused
from services.nlu.tools.deed import NotReached
from services.nlu.tools.journal import Journal
from services.nlu.tools.package import Asked, Operation
from services.nlu.tools.proof import Proof, proof_in
from services.nlu.tools.rest.failures import CallFailed
from services.runtime.logs import get_logger

log = get_logger(__name__)

MAX_RESULT_BYTES = 16 * 1024  # of what a tool tells; a model's prompt has to hold it
NOT_KNOWN = "whether it was done is not known: it is not sent again, and staff must look"

_SHOWN_CHARS = 300  # of an answer that proves no deed
_SENT = "sent"
_DONE = "done:"
_NOTE = "note:"


class OperationLookUp:
    """Runs one operation that changes nothing."""

    def __init__(self, operation: Operation, prefix: str, tenant_id: str) -> None:
        self.spec = operation.spec(prefix)
        self._operation, self._tenant_id = operation, tenant_id

    async def run(self, arguments: Mapping[str, object], *, idempotency_key: str) -> str:
        del idempotency_key
        checked = self._operation.check(arguments)
        try:
            return _told(await self._operation.run(checked, Asked(self._tenant_id)))
        except CallFailed as failure:
            _log(self.spec.name, failure)
            raise ToolRefused(str(failure)) from failure


class OperationDeed:
    """Does one operation that writes. A system that does not know a key again is asked once for each: where that came
    to nothing certain, the deed is refused, and says so.
    """

    def __init__(self, operations: Sequence[Operation], prefix: str, journal: Journal) -> None:
        """`operations` are of one name, and each of other tenants."""
        self.spec = operations[0].spec(prefix)
        self._journal = journal
        self.serve(operations)

    def serve(self, operations: Sequence[Operation]) -> None:
        """Replace the operations: a server of tools may say otherwise later."""
        self._operations = tuple(operations)
        self.timeout_s = max(operation.timeout_s for operation in operations)

    async def do(self, arguments: Mapping[str, object], *, tenant_id: str, key: str) -> str:
        operation = self._of(tenant_id)
        checked = operation.check(arguments)
        noted = await self._journal.find(key) or ""
        if noted.startswith(_DONE):
            return noted.removeprefix(_DONE)
        if noted == _SENT and not operation.is_repeatable:
            raise ToolRefused(f"no answer came: {NOT_KNOWN}")
        if not operation.is_repeatable:
            await self._journal.note(key, _SENT)

        async def note(text: str) -> None:
            await self._journal.note(key, _NOTE + text)

        asked = Asked(tenant_id, key, note, noted.removeprefix(_NOTE) if noted.startswith(_NOTE) else "")
        try:
            value = await operation.run(checked, asked)
        except ToolRefused:
            await self._forget(operation, key)
            raise
        except CallFailed as failure:
            _log(self.spec.name, failure)
            raise await self._outcome(operation, failure, key) from failure
        told = _told(value if isinstance(value, dict) and "status" in value else {"status": "done", "result": value})
        proof = proof_in(value, tool=self.spec.name, is_answered=True)
        if proof is Proof.REFUSED:
            await self._forget(operation, key)
            raise ToolRefused(f"it was not done: {_shown(value)}")
        if proof is Proof.UNKNOWN:
            raise ToolRefused(f"it was asked for, and {_shown(value)} came: {NOT_KNOWN}")
        await self._journal.note(key, _DONE + told)
        return told

    def _of(self, tenant_id: str) -> Operation:
        """Raises NotReached where this tenant's server does not list it now."""
        for operation in self._operations:
            if operation.tenants is None or tenant_id in operation.tenants:
                return operation
        raise NotReached("no server of this tenant's has it now")

    async def _outcome(self, operation: Operation, failure: CallFailed, key: str) -> Exception:
        """The outcome that the outbox is told: tried again only where that cannot do it twice."""
        if not operation.is_repeatable:
            if not failure.is_untouched:
                return ToolRefused(f"{failure}: {NOT_KNOWN}")
            await self._forget(operation, key)
        return ToolRefused(str(failure)) if failure.is_settled else NotReached(str(failure))

    async def _forget(self, operation: Operation, key: str) -> None:
        if not operation.is_repeatable:
            await self._journal.forget(key)


def _told(value: Any) -> str:
    """The result as JSON. Raises ToolRefused where it is too long for a prompt."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if len(text.encode()) > MAX_RESULT_BYTES:
        raise ToolRefused(f"the result has more than {MAX_RESULT_BYTES} bytes: ask for less")
    return text


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)[:_SHOWN_CHARS]


def _log(tool: str, failure: CallFailed) -> None:
    log.warning("tool_failed", tool=tool, failure=type(failure).__name__, status=failure.status, why=str(failure))
