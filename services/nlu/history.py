"""Conversation history as the caller heard it: the caller's words, and of the replies only the words that were played.

Sans-IO. Offsets count Unicode code points.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

_KEPT_TURNS = 400  # an hour of quick turns; older ones are forgotten
_KEPT_GATEWAY_TURNS = 64  # of those, turns of the gateway's own making, which say little
_KEPT_GATEWAY_TEXTS = 8  # of one turn


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that was called, or an act on the call."""

    tool_call_id: str
    name: str
    arguments_json: str
    result_json: str = ""  # empty while it runs


@dataclass(frozen=True, slots=True)
class Entry:
    """One turn as the prompt shows it."""

    turn_id: int
    user_text: str = ""  # empty for a greeting
    heard_text: str = ""
    gateway_text: str = ""  # what the gateway said by itself, after the reply
    tool_calls: tuple[ToolCall, ...] = ()
    unheard_text: str = field(default="", compare=False)  # rest of a reply that was sent; not known of a config's turns

    @property
    def is_empty(self) -> bool:
        return not (self.user_text or self.heard_text or self.gateway_text or self.tool_calls)


@dataclass(slots=True)
class _Turn:
    turn_id: int
    user_text: str
    reply: str = ""  # as sent to the client
    heard_offset: int = 0
    earlier_heard: str = ""  # of the same turn on another stream
    gateway_texts: dict[str, str] = field(default_factory=dict)  # each whole text, and what was heard of it
    tool_calls: dict[str, ToolCall] = field(default_factory=dict)
    joined_in: int = 0  # the turn that continues this one and holds its text; 0: none
    joined_text: str = ""  # the text that went into it

    @property
    def is_gateways(self) -> bool:
        """Return whether the turn was made by a report of the gateway's words alone."""
        return not (self.user_text or self.reply or self.earlier_heard or self.tool_calls or self.joined_in)

    def entry(self, heard_offset: int) -> Entry:
        heard = self.earlier_heard + self.reply[:heard_offset]
        gateway_text = " ".join(text for text in self.gateway_texts.values() if text)
        calls = tuple(self.tool_calls.values())
        return Entry(self.turn_id, self.user_text, heard, gateway_text, calls, self.reply[heard_offset:])


class History:
    """History of the turns that stand. A draft enters it when it is committed."""

    def __init__(self, entries: tuple[Entry, ...] = ()) -> None:
        """`entries`: the conversation so far, of a stream opened in mid-call."""
        self._turns: dict[int, _Turn] = {}
        for entry in entries:
            turn = self._turns.setdefault(entry.turn_id, _Turn(entry.turn_id, ""))
            turn.user_text = entry.user_text or turn.user_text
            turn.earlier_heard += entry.heard_text
            if entry.gateway_text:
                turn.gateway_texts[entry.gateway_text] = entry.gateway_text
            turn.tool_calls |= {call.tool_call_id: call for call in entry.tool_calls}

    def stand(self, turn_id: int, user_text: str, *, reply: str = "", continues_turn_id: int = 0) -> None:
        """Enter a turn that stands: it began committed, or its draft was committed with `reply` written up to then.

        `user_text` is the whole of what was said, so the text of the turn it
        continues goes; its heard words and tools stay.
        """
        if continued := self._turns.get(continues_turn_id):
            continued.joined_in, continued.joined_text = turn_id, continued.user_text or continued.joined_text
            continued.user_text = ""
        turn = self._turns.setdefault(turn_id, _Turn(turn_id, user_text))
        turn.user_text, turn.reply = user_text, reply
        self._forget_oldest()

    def stands(self, turn_id: int) -> bool:
        return turn_id in self._turns

    def add_reply(self, turn_id: int, text: str) -> None:
        """Add more of a standing turn's reply that was sent; it counts when it is heard."""
        if turn := self._turns.get(turn_id):
            turn.reply += text

    def on_heard(self, turn_id: int, heard_offset: int) -> bool:
        """Take a playout report: `heard_offset` code points were played; the last report counts. False: no such turn
        stands.
        """
        turn = self._turns.get(turn_id)
        if turn is not None:
            turn.heard_offset = max(heard_offset, 0)
        return turn is not None

    def on_gateway_heard(self, turn_id: int, text: str, heard_offset: int) -> None:
        """Take a playout report of the gateway's own words; it may name a turn that only the gateway made. Of the same
        text the last report counts; another text of the same turn is added.
        """
        turn = self._turns.setdefault(turn_id, _Turn(turn_id, ""))
        turn.gateway_texts[text] = text[: max(heard_offset, 0)]
        if len(turn.gateway_texts) > _KEPT_GATEWAY_TEXTS:
            del turn.gateway_texts[next(iter(turn.gateway_texts))]
        self._forget_oldest()

    def correct(self, turn_id: int, user_text: str) -> bool:
        """Correct the caller's text of a turn. False: no such turn stands.

        The text of a turn that another continues stands at the beginning of that other's: it is corrected there.
        """
        turn = self._turns.get(turn_id)
        if turn is None:
            return False
        if not turn.joined_in:
            turn.user_text = user_text
            return True
        joined = self._turns.get(turn.joined_in)
        beginning = turn.joined_text
        if joined is None or not beginning:
            return False
        text = joined.joined_text if joined.joined_in else joined.user_text
        if text.startswith(beginning):
            turn.joined_text = user_text
            return self.correct(joined.turn_id, user_text + text[len(beginning) :])
        return False

    def note_tool(self, turn_id: int, call: ToolCall) -> None:
        """Note that a tool began or ended; of the same id the last note counts."""
        if turn := self._turns.get(turn_id):
            turn.tool_calls[call.tool_call_id] = call

    def note_result(self, tool_call_id: str, result_json: str) -> bool:
        """Note the result of a tool or an act. False: its id is not known."""
        for turn in self._turns.values():
            if call := turn.tool_calls.get(tool_call_id):
                turn.tool_calls[tool_call_id] = replace(call, result_json=result_json)
                return True
        return False

    def tool_calls(self, turn_ids: Iterable[int]) -> list[ToolCall]:
        """Return the tools that these turns have called, in order."""
        turns = [self._turns[turn_id] for turn_id in turn_ids if turn_id in self._turns]
        return [call for turn in turns for call in turn.tool_calls.values()]

    def entries(
        self,
        *,
        before_turn_id: int | None = None,
        provisional: tuple[int, int] | None = None,
        continues_turn_id: int = 0,
    ) -> list[Entry]:
        """Return the turns before one, or all, oldest first, as that turn's prompt shows them.

        `provisional` is a (turn_id, heard_offset) that holds for this look
        alone; of the turn it continues the user's text is left out.
        """
        entries = []
        for turn in sorted(self._turns.values(), key=lambda turn: turn.turn_id):
            if before_turn_id is not None and turn.turn_id >= before_turn_id:
                break
            is_provisional = provisional is not None and provisional[0] == turn.turn_id
            entry = turn.entry(provisional[1] if provisional and is_provisional else turn.heard_offset)
            if turn.turn_id == continues_turn_id:
                entry = replace(entry, user_text="")
            if not entry.is_empty:
                entries.append(entry)
        return entries

    def _forget_oldest(self) -> None:
        gateways = [turn.turn_id for turn in self._turns.values() if turn.is_gateways]
        for turn_id in gateways[:-_KEPT_GATEWAY_TURNS]:
            del self._turns[turn_id]
        while len(self._turns) > _KEPT_TURNS:
            del self._turns[next(iter(self._turns))]
