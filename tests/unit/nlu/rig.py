"""One conversation with the script engine, in virtual time and without gRPC."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from services.nlu.agent.guarding import guarding_of
from services.nlu.agent.interface import Agent, Call
from services.nlu.agent.kinds import Factory
from services.nlu.agent.profile import read_agents
from services.nlu.agent.prompt_agent import PromptAgent
from services.nlu.conversation import Conversation
from services.nlu.engine import NluEngine, ReplyPart, ReplyRequest
from services.nlu.engines.script import ScriptEngine
from services.nlu.inputs import Config, Input, Text, UserTurn
from services.nlu.outputs import Output, ReplyText, TurnEnd
from services.nlu.settings import NluSettings
from services.runtime.metrics import StageMetrics

Kind = TypeVar("Kind")
SURE = "Sure, we have a free chair on Tuesday at ten. Just come to the front desk then."


def say(turn_id: int, text: str = "Hello there.", **more: object) -> UserTurn:
    """A turn of the caller. The script answers "Hello there." with SURE."""
    return UserTurn(turn_id, Text(text), **more)  # type: ignore[arg-type]


class WatchedScript(ScriptEngine):
    """The script engine; keeps what it was asked."""

    def __init__(self, settings: NluSettings) -> None:
        super().__init__(settings)
        self.requests: list[ReplyRequest] = []
        self.closed: list[int] = []

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        self.requests.append(request)
        try:
            async for part in super().reply(request):
                yield part
        finally:
            self.closed.append(request.turn_id)


class Rig:
    """A client of one conversation."""

    def __init__(self, conversation: Conversation, engine: WatchedScript, outputs: list[tuple[float, Output]]) -> None:
        self.conversation, self.engine, self.timed = conversation, engine, outputs

    @property
    def outputs(self) -> list[Output]:
        return [output for _, output in self.timed]

    async def send(self, *received: Input, wait_s: float = 0.0) -> None:
        """Send, then let the time pass."""
        for one in received:
            await self.conversation.handle(one)
        await asyncio.sleep(wait_s)

    def of(self, kind: type[Kind], turn_id: int | None = None) -> list[Kind]:
        """The outputs of a kind, of one turn or of all."""
        return [
            output
            for output in self.outputs
            if isinstance(output, kind) and turn_id in (None, getattr(output, "turn_id", None))
        ]

    def said(self, turn_id: int) -> str:
        return "".join(clause.text for clause in self.of(ReplyText, turn_id))

    def end(self, turn_id: int) -> TurnEnd:
        (end,) = self.of(TurnEnd, turn_id)
        return end

    def prompt(self) -> list[str]:
        """The last prompt, without the opening."""
        messages = self.engine.requests[-1].messages
        return [f"{message.role.value}: {message.text}" for message in messages[1:]]


def script_settings(tmp_path: Path | None = None, script: str = "", **changes: object) -> NluSettings:
    """Settings of the script engine; `script` is the TOML of its replies in place of the usual ones."""
    if tmp_path is not None and script:
        path = tmp_path / "script.toml"
        path.write_text(script, encoding="utf-8")
        changes["script_file"] = path
    return NluSettings.model_validate({"engine": "script", "agent_kind": "prompt", **changes})


@asynccontextmanager
async def opened(
    settings: NluSettings | None = None, config: Config | None = None, *, factory: Factory = PromptAgent
) -> AsyncIterator[Rig]:
    """A conversation of an agent that `factory` makes, the clinic's if `config` names none; leaving the block
    half-closes it and waits for its end.
    """
    settings = settings or script_settings()
    config = config or Config(call_id="call", tenant_id="tenant", instructions="Be brief.")
    engine = WatchedScript(settings)
    typed: NluEngine = engine
    await typed.load(())
    profile = read_agents(settings.agents_dir)[config.agent_id or "clinic"]
    agent: Agent = factory(profile, engine, settings)
    await agent.load()
    call = Call("conversation", profile.language_codes, instructions=config.instructions, caller=config.caller)
    outputs: list[tuple[float, Output]] = []

    async def emit(output: Output) -> None:
        outputs.append((asyncio.get_running_loop().time(), output))

    async with asyncio.TaskGroup() as tasks:
        conversation = Conversation(
            config,
            agent=agent,
            call=call,
            guarding=guarding_of(profile, instructions=config.instructions),
            engine=engine,
            settings=settings,
            metrics=StageMetrics("nlu"),
            emit=emit,
            tasks=tasks,
        )
        rig = Rig(conversation, engine, outputs)
        yield rig
        await conversation.finish()
