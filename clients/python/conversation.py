"""A conversation with the agent (voice.nlu.v1.NluService), turn by turn."""

from collections.abc import AsyncIterator
from typing import Any, Self

from voice.nlu.v1 import agent_pb2, nlu_pb2, nlu_pb2_grpc
from voice.type.v1 import engine_pb2
from voice.type.v1.turn_pb2 import TurnEnd

from clients.python.connection import Connection
from clients.python.stream import Stream, Turns

MAX_HISTORY_BYTES = 12 * 1024
"""History and state that are handed to a fresh stream; servers take 16 KiB, the oldest turns go first."""


class Conversation(Turns[nlu_pb2.StreamingConverseRequest, nlu_pb2.StreamingConverseResponse]):
    """A conversation. It reports replies as heard, and goes on with history and state where the server asks for it."""

    _config: nlu_pb2.ConversationConfig
    _asked = nlu_pb2.UserTurn()
    _heard = ""
    """Of the turn under way: what was said, and of the reply what has been handed over."""

    @classmethod
    async def open(cls, connection: Connection, **config: Any) -> Self:
        """Open a conversation. `config`: fields of ConversationConfig. Raises TongDaiError."""
        fields = nlu_pb2.ConversationConfig(**config)

        async def begin() -> Stream[nlu_pb2.StreamingConverseRequest, nlu_pb2.StreamingConverseResponse]:
            return await Stream._open(
                connection,
                lambda one: nlu_pb2_grpc.NluServiceStub(one).StreamingConverse,
                nlu_pb2.StreamingConverseRequest,
                fields,
            )

        talk = cls(await begin(), begin)
        talk._config = fields
        return talk

    @property
    def engine(self) -> engine_pb2.EngineInfo:
        """Return the description of the engine that answers."""
        return self._stream.first.engine.engine

    @property
    def agent(self) -> agent_pb2.AgentProfile:
        """Return the description of the agent."""
        return self._stream.first.engine.agent

    async def greet(self) -> AsyncIterator[nlu_pb2.StreamingConverseResponse]:
        """The agent's greeting, as `say` gives a reply."""
        async for response in self._turn(nlu_pb2.UserTurn(open=nlu_pb2.Open())):
            yield response

    async def say(self, text: str) -> AsyncIterator[nlu_pb2.StreamingConverseResponse]:
        """Say something: the clauses, tools and acts of the reply, up to its end. Raises TongDaiError; a turn that
        fails is one with the code FAILED.
        """
        async for response in self._turn(nlu_pb2.UserTurn(text=text)):
            yield response

    async def _turn(self, turn: nlu_pb2.UserTurn) -> AsyncIterator[nlu_pb2.StreamingConverseResponse]:
        turn.turn_id = await self._begin()
        self._asked, self._heard = turn, ""
        await self._stream.put(user_turn=turn)
        async for response in self._reply():
            self._heard += response.reply_text.text
            if response.HasField("turn_end"):
                await self._take_end(response.turn_end)
            yield response

    async def _leave(self) -> None:
        if self._is_under_way:
            await super()._leave()
            await self._take_end(TurnEnd())

    async def _take_end(self, end: TurnEnd) -> None:
        turn, reply = self._asked, self._heard
        self._config.state = end.state or self._config.state
        if end.outcome == TurnEnd.OUTCOME_FAILED and not reply:
            return  # nothing was heard, and what was said may be what cannot be taken
        self._config.history.add(turn_id=turn.turn_id, user_text=turn.text, heard_text=reply)
        while self._config.history and self._config.ByteSize() > MAX_HISTORY_BYTES:
            del self._config.history[0]
        report = nlu_pb2.PlayoutReport(turn_id=turn.turn_id, heard_offset=len(reply), is_final=True)
        await self._stream.put(playout_report=report)
