"""The conversation as the caller heard it: what a fresh NLU stream is told."""

from collections import deque
from dataclasses import dataclass, replace

from services.call_gateway.conversation.events import ToolUsed


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool the agent called."""

    tool_call_id: str
    name: str
    arguments_json: str = ""
    result_json: str = ""  # empty while it runs


@dataclass(frozen=True, slots=True)
class HeardTurn:
    """One turn as it was. Texts are personal data."""

    turn_id: int
    user_text: str  # what the caller said or keyed; empty for a greeting
    heard_text: str  # of the reply, what was played
    is_gateway: bool = False  # who made the words: the agent, or the gateway itself
    tool_calls: tuple[ToolCall, ...] = ()


class History:
    """The last turns, oldest first. Beyond its bound the oldest are forgotten."""

    def __init__(self, max_turns: int) -> None:
        self._turns: deque[HeardTurn] = deque(maxlen=max_turns)
        self._tools: dict[int, dict[str, ToolCall]] = {}  # of turns that may still get news of them
        self._running: set[tuple[int, str]] = set()

    @property
    def turns(self) -> tuple[HeardTurn, ...]:
        return tuple(self._turns)

    def heard_of(self, turn_id: int) -> str:
        """What the caller heard of a turn that is over."""
        return "".join(turn.heard_text for turn in self._turns if turn.turn_id == turn_id)

    def add(self, turn: HeardTurn) -> None:
        """A turn is over. Its tools so far are added here."""
        tools = tuple(self._tools.get(turn.turn_id, {}).values())
        self._turns.append(replace(turn, tool_calls=tools))
        oldest = self._turns[0].turn_id
        self._tools = {turn_id: tools for turn_id, tools in self._tools.items() if turn_id >= oldest}
        self._running = {(turn_id, tool) for turn_id, tool in self._running if turn_id >= oldest}

    def note_tool(self, news: ToolUsed) -> None:
        """A tool began or ended; its turn may be over already."""
        tools = self._tools.setdefault(news.turn_id, {})
        known = tools.get(news.tool_call_id)
        tools[news.tool_call_id] = ToolCall(
            news.tool_call_id,
            news.name or (known.name if known else ""),
            news.arguments_json or (known.arguments_json if known else ""),
            news.result_json or (known.result_json if known else ""),
        )
        if news.phase == "started":
            self._running.add((news.turn_id, news.tool_call_id))
        else:
            self._running.discard((news.turn_id, news.tool_call_id))
        self._replace(news.turn_id, tool_calls=tuple(tools.values()))

    def correct(self, turn_id: int, user_text: str) -> None:
        """A better text of what the caller said."""
        self._replace(turn_id, user_text=user_text)

    def has_tools(self, turn_id: int) -> bool:
        """Whether that turn called any tool."""
        return turn_id in self._tools

    def runs_tool(self, turn_id: int) -> bool:
        """Whether a tool of that turn has begun and not ended."""
        return any(running == turn_id for running, _ in self._running)

    def _replace(self, turn_id: int, **changes: object) -> None:
        for index, turn in enumerate(self._turns):
            if turn.turn_id == turn_id:
                self._turns[index] = replace(turn, **changes)  # type: ignore[arg-type]
