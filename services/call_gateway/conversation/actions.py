"""What the agent wants done to the call: at once, or when its words have been heard to their end."""

from services.call_gateway.conversation.agent import Agent
from services.call_gateway.conversation.announcer import Announcer
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.commands import DoAction, ReportAction, UpdateEar
from services.call_gateway.conversation.ending import Ending
from services.call_gateway.conversation.events import (
    Action,
    ActionAsked,
    HangUpCall,
    PromptKind,
    SwitchLanguage,
    TransferCall,
)
from services.call_gateway.conversation.line import EndCause


class Actions:
    """Takes the agent's wishes. What waits for its words dies with their turn; a draft has no side effects."""

    def __init__(self, state: CallState, *, agent: Agent, announcer: Announcer, ending: Ending) -> None:
        self._state = state
        self._announcer = announcer
        self._agent = agent
        self._ending = ending

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

    def refused(self, action: Action) -> None:
        """The line would not do it. A caller who was promised a transfer hears that it failed, and may say what else
        they want.
        """
        if isinstance(action, TransferCall) and self._agent.answer is None:
            self._announcer.say(PromptKind.TRANSFER_FAILED)

    def do(self, asked: ActionAsked) -> None:
        """Now is the time."""
        match asked.action:
            case HangUpCall():
                self._state.command(ReportAction(asked.action_id, is_done=True))
                self._ending.begin(EndCause.AGENT, None)
            case SwitchLanguage(language_code):
                self._state.language_code = language_code
                update = UpdateEar(self._state.clock.sample, language_codes=(language_code,))
                self._state.command(update, ReportAction(asked.action_id, is_done=True))
            case action:
                self._state.command(DoAction(asked.action_id, action))
