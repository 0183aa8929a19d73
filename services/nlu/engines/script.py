"""Engine `script`: replies from a file with exact timing, for tests, load and capacity work."""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from services.nlu.agent.acts import ACT_NAMES
from services.nlu.agent.phrases import phrases_of
from services.nlu.engine import Began, Message, ReplyPart, ReplyRequest, Role, TextMade, ToolWanted
from services.nlu.settings import NluSettings
from services.runtime.errors import StartupError, TurnFailed

_TOKEN = re.compile(r"\s*(?:[\u3400-\u9fff][，。！？；：、]?|[^\s\u3400-\u9fff]+)|\s+$")


@dataclass(frozen=True, slots=True)
class ScriptedText:
    """Text, given token by token."""

    text: str


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait in seconds; None: for ever."""

    seconds: float | None


@dataclass(frozen=True, slots=True)
class Fail:
    """The turn fails."""

    reason: str


Part = ScriptedText | Wait | Fail | ToolWanted


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply by its name."""

    name: str
    when: tuple[str, ...]
    parts: tuple[Part, ...]
    first_token_s: float
    token_s: float


class ScriptEngine:
    """Scripted replies. Times count from the request on: a late token does not make the next one late."""

    name = "script"
    continues = False

    def __init__(self, settings: NluSettings) -> None:
        self._settings = settings
        self.model = settings.script_file.stem
        self._replies: tuple[Reply, ...] = ()
        self._default: Reply | None = None

    async def load(self, prompts: tuple[tuple[Message, ...], ...]) -> None:
        self._replies = read_replies(self._settings)
        wanted = self._settings.script_reply
        self._default = next((reply for reply in self._replies if reply.name == wanted), None)
        if self._default is None:
            names = ", ".join(reply.name for reply in self._replies)
            raise StartupError(f"NLU_SCRIPT_REPLY={wanted}: the script has {names}")

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        yield Began()
        said = [message for message in request.messages if message.role is Role.CALLER]
        chosen = self._choose(said[-1].text if said else "", request.language_code)
        due = began + chosen.first_token_s
        waits_for_results = False
        for part in _after_tools(chosen.parts, request.messages):
            if waits_for_results and not _is_tool(part):
                return  # the results come with the next request
            match part:
                case ScriptedText(text):
                    for token in _TOKEN.findall(text):
                        await asyncio.sleep(max(0.0, due - loop.time()))
                        due += chosen.token_s
                        yield TextMade(token)
                case Wait(None):
                    await asyncio.Event().wait()
                case Wait(seconds):
                    await asyncio.sleep(seconds or 0.0)
                    due += seconds or 0.0
                case Fail(reason):
                    raise TurnFailed(reason, f"the script's reply {chosen.name!r} fails here", is_retryable=True)
                case ToolWanted():
                    yield part
                    waits_for_results = _is_tool(part)

    async def commit(self, conversation: str, turn_id: int) -> None:
        """Do nothing: replies do not wait for one another."""

    async def prepare(self, conversation: str, messages: tuple[Message, ...], *, language_code: str) -> None:
        """Do nothing: there is no cache."""

    async def forget(self, conversation: str) -> None:
        """Do nothing: there is no cache."""

    async def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def _choose(self, text: str, language_code: str) -> Reply:
        phrases = phrases_of(language_code)
        plain = phrases.plain(text)
        found = next((reply for reply in self._replies if phrases.has(plain, reply.when)), self._default)
        if found is None:
            raise TurnFailed("ENGINE_STOPPED", "the script is not loaded", is_retryable=True)
        return found


def read_replies(settings: NluSettings) -> tuple[Reply, ...]:
    """Read the replies of the script file. Raises StartupError, one line that names the reply at fault."""
    path = settings.script_file
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))["reply"]
        return tuple(_read_reply(table, settings) for table in tables)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise StartupError(f"NLU_SCRIPT_FILE={path}: {error}") from error


def _read_reply(table: dict[str, object], settings: NluSettings) -> Reply:
    match table:
        case {"name": str(name), "parts": list(parts)}:
            first_token_ms = _number(table, "first_token_ms", settings.script_first_token_ms)
            return Reply(
                name=name,
                when=tuple(str(words) for words in _list(table, "when")),
                parts=tuple(_read_part(name, part) for part in parts),
                first_token_s=first_token_ms / 1000,
                token_s=1 / _number(table, "tokens_per_s", settings.script_tokens_per_s),
            )
    raise ValueError(f"a reply needs name and parts: {str(table)[:80]}")


def _read_part(name: str, part: object) -> Part:
    match part:
        case {"text": str(text)}:
            return ScriptedText(text)
        case {"tool": str(tool), "arguments": dict(arguments)}:
            return ToolWanted(tool, json.dumps(arguments))
        case {"tool": str(tool)}:
            return ToolWanted(tool)
        case {"wait_ms": int(wait_ms)}:
            return Wait(wait_ms / 1000)
        case {"stall": True}:
            return Wait(None)
        case {"fail": str(reason)}:
            return Fail(reason)
    raise ValueError(f"reply {name!r}: a part is one of text, tool, wait_ms, stall, fail, not {part}")


def _after_tools(parts: tuple[Part, ...], messages: tuple[Message, ...]) -> tuple[Part, ...]:
    """Return the rest of a reply when the results of tools stand at the end of the prompt."""
    results = 0
    for message in reversed(messages):
        if message.role is Role.CALLER:
            break
        results += message.called is not None
    for place, part in enumerate(parts):
        if results and _is_tool(part):
            results -= 1
            if not results:
                return parts[place + 1 :]
    return parts


def _is_tool(part: Part) -> bool:
    """Tools in a row are called at the same time."""
    return isinstance(part, ToolWanted) and part.name not in ACT_NAMES


def _number(table: dict[str, object], key: str, default: float) -> float:
    value = table.get(key, default)
    if not isinstance(value, int | float) or value < 0:
        raise ValueError(f"{key} must be a number from 0, not {value!r}")
    return float(value)


def _list(table: dict[str, object], key: str) -> list[object]:
    value = table.get(key, [])
    if not isinstance(value, list):
        raise ValueError(f"{key} must be a list")
    return value
