"""When a pause is worth a draft: a guess at the caller's turn that is answered ahead and perhaps thrown away."""

from dataclasses import dataclass
from enum import Enum

from services.call_gateway.conversation.settings import ConversationSettings
from services.language.words import normalise


class DraftAdvice(Enum):
    """What to do about a draft text."""

    KEEP = "keep"  # the live draft says the same
    REPLACE = "replace"  # it says something else: drop it, make another
    DROP = "drop"  # it says something else, and another is not worth it
    MAKE = "make"
    IGNORE = "ignore"


@dataclass(slots=True)
class DraftDesk:
    """The draft of the turn under way. Counts what the turn has cost."""

    settings: ConversationSettings
    live_words: tuple[str, ...] | None = None  # None: no draft lives
    made: int = 0
    dropped: int = 0

    def consider(self, text: str, *, speech_ms: float, can_make: bool) -> DraftAdvice:
        """What a draft text of so much speech asks for. `can_make`: both stages that would work are there."""
        words = normalise(text)
        if self.matches(text):
            return DraftAdvice.KEEP
        is_worth_it = (
            bool(words)
            and can_make
            and self.made < self.settings.max_drafts
            and speech_ms <= self.settings.max_draft_speech_ms
        )
        if self.live_words is None:
            return DraftAdvice.MAKE if is_worth_it else DraftAdvice.IGNORE
        return DraftAdvice.REPLACE if is_worth_it else DraftAdvice.DROP

    def matches(self, text: str) -> bool:
        """Whether the live draft has the same words."""
        return self.live_words is not None and self.live_words == normalise(text)

    def note_made(self, text: str) -> None:
        """A draft was made."""
        self.live_words = normalise(text)
        self.made += 1

    def note_dropped(self) -> None:
        """The live draft was given up."""
        self.live_words = None
        self.dropped += 1

    def begin_turn(self) -> None:
        """The next turn has drafts of its own."""
        self.live_words = None
        self.made = self.dropped = 0
