"""A caller who says nothing: asked twice whether they are there, then wished goodbye."""

from enum import Enum

from services.call_gateway.conversation.settings import ConversationSettings


class SilenceStep(Enum):
    """What silence calls for."""

    ASK = "ask"
    GIVE_UP = "give_up"


class SilenceWatch:
    """Runs while the agent is done and the caller makes no sound."""

    def __init__(self, settings: ConversationSettings) -> None:
        self.settings = settings
        self.deadline: float | None = None  # seconds; None: not running
        self._asked = 0

    def start(self, *, now: float) -> None:
        """Nobody speaks from here on. Does nothing when it runs already."""
        if self.deadline is None:
            self.deadline = now + self.settings.silence_prompt_ms / 1000

    def stop(self) -> None:
        """Somebody makes a sound, or the call is on hold."""
        self.deadline = None

    def caller_took_part(self) -> None:
        """They said or keyed something: the next silence is a first one."""
        self.deadline = None
        self._asked = 0

    def due(self, *, now: float) -> SilenceStep | None:
        """What the silence so far calls for; the count goes up with each answer."""
        if self.deadline is None or now < self.deadline:
            return None
        self.deadline = None
        if self._asked >= self.settings.silence_prompts:
            return SilenceStep.GIVE_UP
        self._asked += 1
        return SilenceStep.ASK
