"""Keys become one turn: a number is whole at #, at its expected length, or when no key follows."""

from services.call_gateway.conversation.settings import ConversationSettings

TERMINATOR = "#"
MAX_KEYS = 64  # more is a stuck key


class KeyCollector:
    """Gathers keys until they make a number."""

    def __init__(self, settings: ConversationSettings) -> None:
        self.settings = settings
        self._digits = ""
        self.deadline: float | None = None  # seconds; None: no key waits

    def press(self, digit: str, *, expected_length: int, now: float) -> str | None:
        """A key. Returns the keys when they are whole; a lone # counts as a key, one after others ends them."""
        if digit == TERMINATOR and self._digits:
            return self.take()
        self._digits += digit
        if digit == TERMINATOR or len(self._digits) >= (expected_length or MAX_KEYS):
            return self.take()
        self.deadline = now + self.settings.key_gap_ms / 1000
        return None

    def take(self) -> str:
        """The keys so far, which are whole now."""
        digits, self._digits, self.deadline = self._digits, "", None
        return digits

    def shift(self, held_s: float) -> None:
        """The call was on hold for so long: nobody could press."""
        if self.deadline is not None:
            self.deadline += held_s
