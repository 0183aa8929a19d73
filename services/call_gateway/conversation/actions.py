"""What the agent wants done to the call: at once, or when its words have been heard to their end; and how it went."""

from services.call_gateway.conversation.agent import Agent
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.caller import Caller
from services.call_gateway.conversation.commands import DoAction, ReportAction, UpdateEar
from services.call_gateway.conversation.ending import Ending
from services.call_gateway.conversation.events import ActionAsked, ActionEnded, HangUpCall, SwitchLanguage
from services.call_gateway.conversation.history import History
from services.call_gateway.conversation.record import TurnNotes
from services.call_gateway.conversation.turn import Floor, Move
from services.call_gateway.line import EndCause


class Actions:
    """Takes the agent's wishes. What waits for its words dies with their turn; a draft has no side effects.

    Every outcome is told the agent. One the caller would wait for in vain, of an act that failed or whose turn had no
    words, becomes a turn of the agent's own as soon as nobody speaks; a turn of the caller's goes before it.
    """

    def __init__(self, state: CallState, *, agent: Agent, caller: Caller, history: History, ending: Ending) -> None:
        self._state = state
        self._agent = agent
        self._caller = caller
        self._history = history
        self._ending = ending
        self._asked: dict[str, ActionAsked] = {}  # being done, by its id
        self._untold: tuple[ActionAsked, ActionEnded] | None = None  # the caller has not heard how it went

    def hear(self, asked: ActionAsked) -> None:
        """The agent wants something done."""
        turn = self._agent.find(asked.turn_id)
        if turn is None:
            self._state.refuse(asked)
            self._state.command(ReportAction(asked.action_id, is_done=False))
        elif asked.is_after_playout or turn.is_draft:
            turn.actions.append(asked)
        else:
            self.do(asked)

    def do(self, asked: ActionAsked) -> None:
        """Now is the time."""
        self._asked[asked.action_id] = asked
        if not self._state.allows(asked.action):
            self._state.counters["acts_refused"] += 1
            self.ended(ActionEnded(asked.action_id, asked.action, is_done=False, reason="NOT_ALLOWED"))
            return
        match asked.action:
            case HangUpCall():
                self.ended(ActionEnded(asked.action_id, asked.action, is_done=True))
                self._ending.begin(EndCause.AGENT, None)
            case SwitchLanguage(language_code):
                self._switch_language(asked, language_code)
            case action:
                self._state.command(DoAction(asked.action_id, action))

    def _switch_language(self, asked: ActionAsked, language_code: str) -> None:
        if not self._state.speaks(language_code):
            self.ended(ActionEnded(asked.action_id, asked.action, is_done=False, reason="LANGUAGE_NOT_SPOKEN"))
            return
        self._state.language_code = language_code
        self._state.command(UpdateEar(self._state.clock.sample, language_codes=(language_code,)))
        self.ended(ActionEnded(asked.action_id, asked.action, is_done=True))

    def ended(self, event: ActionEnded) -> None:
        """It was done, or could not be."""
        self._state.command(ReportAction(event.action_id, event.is_done, event.reason))
        asked = self._asked.pop(event.action_id, None)
        if asked is not None:
            self._untold = (asked, event)

    def look_around(self) -> None:
        """After every event: is there an outcome to be told, and a moment to tell it in?"""
        if self._untold is None:
            return
        asked, event = self._untold
        answer = self._agent.answer
        if answer is not None and answer.turn_id > asked.turn_id and answer.is_speech:
            self._untold = None  # the caller has gone on; the agent knows how it went
        elif answer is None and self._state.floor is Floor.LISTENING and not self._caller.is_busy:
            self._untold = None
            if not event.is_done or not self._history.heard_of(asked.turn_id):
                self._state.move(Move.TURN_ENDED)
                self._agent.ask(event, TurnNotes(end_reason="action_ended"))
