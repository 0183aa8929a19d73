"""A conversation with the agent (voice.nlu.v1.NluService), turn by turn."""

from collections.abc import AsyncIterator
from typing import Any, Self

from voice.nlu.v1 import nlu_pb2, nlu_pb2_grpc
from voice.type.v1.turn_pb2 import Cancellation, TurnEnd

from clients.python.connection import Connection, Stream
from clients.python.errors import ServerError, UnavailableError

MAX_HISTORY_BYTES = 12 * 1024
"""History and state that are handed to a fresh stream; servers take 16 KiB, the oldest turns go first."""


class Conversation:
    """One conversation. It counts turns, reports replies as heard, keeps history and state, and goes on elsewhere where
    the server asks for it or a turn failed in a way that a fresh stream may mend.
    """

    def __init__(
        self,
        connection: Connection,
        stream: Stream[nlu_pb2.StreamingConverseRequest, nlu_pb2.StreamingConverseResponse],
        config: dict[str, Any],
    ) -> None:
        self.engine = stream.first.engine.engine
        """voice.type.v1.EngineInfo."""
        self.agent = stream.first.engine.agent
        """voice.nlu.v1.AgentProfile."""
        self._connection = connection
        self._stream = stream
        self._config = config
        self._history: list[nlu_pb2.HistoryTurn] = []
        self._state = b""
        self._turn_id = 0
        self._fenced_through = 0
        self._is_server_leaving = False

    @classmethod
    async def open(cls, connection: Connection, **config: Any) -> Self:
        """Open a conversation. `config`: fields of ConversationConfig. Raises TongDaiError."""
        return cls(connection, await _open(connection, config), config)

    async def greet(self) -> AsyncIterator[nlu_pb2.StreamingConverseResponse]:
        """The agent's greeting, as `say` gives a reply."""
        async for response in self._turn(open=nlu_pb2.Open()):
            yield response

    async def say(self, text: str) -> AsyncIterator[nlu_pb2.StreamingConverseResponse]:
        """Say something: the clauses, tools and acts of the reply, up to its end. Raises TongDaiError; a turn that
        fails is one with the code FAILED.
        """
        async for response in self._turn(text=text):
            yield response

    async def cancel_turn(self) -> None:
        """Stop the reply; the turn still gets its end."""
        self._fenced_through = self._turn_id
        cancellation = Cancellation(turn_id=self._turn_id)
        await self._stream.send(nlu_pb2.StreamingConverseRequest(cancellation=cancellation))

    async def close(self) -> None:
        """End the stream in good order."""
        await self._stream.half_close()
        async for _ in self._stream:
            pass

    async def _turn(self, **user_input: Any) -> AsyncIterator[nlu_pb2.StreamingConverseResponse]:
        self._turn_id += 1
        request = nlu_pb2.StreamingConverseRequest(user_turn=nlu_pb2.UserTurn(turn_id=self._turn_id, **user_input))
        if self._is_server_leaving:
            await self._open_afresh()
        for may_retry in (True, False):
            await self._stream.send(request)
            reply, has_acted = "", False
            async for response in self._responses():
                kind = response.WhichOneof("response")
                end = response.turn_end
                has_failed = kind == "turn_end" and end.outcome == TurnEnd.OUTCOME_FAILED and end.is_retryable
                if has_failed and may_retry and not reply and not has_acted:
                    break
                if kind == "reply_text":
                    reply += response.reply_text.text
                has_acted = has_acted or kind in ("tool_activity", "call_action")
                yield response
                if kind == "turn_end":
                    await self._take_end(user_input.get("text", ""), reply, end)
                    return
            else:
                raise UnavailableError("UNAVAILABLE", "ENDED_EARLY", "the stream ended in the middle of a turn")
            await self._open_afresh()

    async def _responses(self) -> AsyncIterator[nlu_pb2.StreamingConverseResponse]:
        """What belongs to the turn, and what outlives others."""
        async for response in self._stream:
            match response.WhichOneof("response"):
                case "going_away":
                    self._is_server_leaving = True
                case "turn_end" if response.turn_end.turn_id != self._turn_id:
                    continue
                case "reply_text" if response.reply_text.turn_id <= self._fenced_through:
                    continue
                case None | "engine":
                    continue
                case _:
                    yield response

    async def _take_end(self, text: str, reply: str, end: TurnEnd) -> None:
        if end.outcome == TurnEnd.OUTCOME_FAILED:
            raise ServerError("FAILED", end.reason, end.message, retry_delay_s=end.retry_delay_ms / 1000)
        self._state = end.state or self._state
        self._history.append(nlu_pb2.HistoryTurn(turn_id=end.turn_id, user_text=text, heard_text=reply))
        while sum(turn.ByteSize() for turn in self._history) + len(self._state) > MAX_HISTORY_BYTES and self._history:
            del self._history[0]
        report = nlu_pb2.PlayoutReport(turn_id=end.turn_id, heard_offset=len(reply), is_final=True)
        await self._stream.send(nlu_pb2.StreamingConverseRequest(playout_report=report))

    async def _open_afresh(self) -> None:
        self._stream.cancel()
        self._is_server_leaving = False
        config = {**self._config, "history": self._history, "state": self._state}
        self._stream = await _open(self._connection, config)


async def _open(connection: Connection, config: dict[str, Any]) -> Stream[Any, Any]:
    request = nlu_pb2.StreamingConverseRequest(config=nlu_pb2.ConversationConfig(**config))
    return await connection.open(lambda one: nlu_pb2_grpc.NluServiceStub(one).StreamingConverse, request)
