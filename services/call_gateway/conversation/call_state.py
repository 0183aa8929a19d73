"""What the parts of one conversation share: the time, the floor, the turn ids, and the commands to be carried out."""

from collections import Counter

from services.call_gateway.conversation.commands import Command
from services.call_gateway.conversation.events import (
    Action,
    Event,
    HangUpCall,
    PressKeys,
    Stage,
    SwitchLanguage,
    TransferCall,
)
from services.call_gateway.conversation.media_clock import MediaClock
from services.call_gateway.conversation.news import FloorMoved
from services.call_gateway.conversation.profile import ALL_ACTS
from services.call_gateway.conversation.settings import ConversationSettings
from services.call_gateway.conversation.turn import Floor, FloorHolder, Move

_KINDS: dict[type[Action], str] = {
    HangUpCall: "hang_up",
    TransferCall: "transfer",
    PressKeys: "send_dtmf",
    SwitchLanguage: "switch_language",
}


class CallState:
    """One call's shared facts. Holds no decisions."""

    def __init__(self, settings: ConversationSettings, clock: MediaClock, language_code: str) -> None:
        self.settings = settings
        self.clock = clock
        self.language_code = language_code  # BCP-47, spoken now
        self.spoken: tuple[str, ...] = ()  # BCP-47 tags of the agent's languages; empty: not known
        self.acts = ALL_ACTS  # what the agent may do to the call; its profile comes before anything it asks for
        self.now = 0.0  # seconds, monotonic; set on every call from outside
        self.answered_at: float | None = None  # when media began to flow
        self.turn_id = 0  # the last one begun
        self.counters: Counter[str] = Counter()
        self.open_stages = set(Stage)  # those that can be spoken to; the first opening is the session's own business
        self._holder = FloorHolder()
        self.floor = self._holder.floor  # whose turn it is; moved by `move` alone
        self._commands: list[Command] = []

    @property
    def covered_floor(self) -> Floor:
        """Where a pause or a hold leads back to."""
        return self._holder.covered

    def speaks(self, language_code: str) -> bool:
        """Whether the agent has the language, in whichever country's form."""
        primary = language_code.partition("-")[0].lower()
        return not self.spoken or any(code.partition("-")[0].lower() == primary for code in self.spoken)

    def allows(self, action: Action) -> bool:
        """Whether the agent's file allows the kind of act."""
        return _KINDS[type(action)] in self.acts

    def move(self, move: Move) -> bool:
        """Let the floor change hands; False when the table does not allow it here."""
        change = self._holder.handle(move)
        self.floor = self._holder.floor
        if change is None:
            return False
        self.command(FloorMoved(change.before.value, change.after.value, move.value, self.turn_id))
        return True

    def new_turn_id(self) -> int:
        """Ids rise by one: of the agent's turns, of drafts and of the gateway's own words alike."""
        self.turn_id += 1
        return self.turn_id

    def command(self, *commands: Command) -> None:
        """Have these carried out, in order."""
        self._commands.extend(commands)

    def take_commands(self) -> list[Command]:
        """Everything since the last time."""
        commands, self._commands = self._commands, []
        return commands

    def refuse(self, event: Event) -> None:
        """News that came too late, twice or out of place: counted, never acted on."""
        self.counters[f"late_{type(event).__name__}"] += 1
