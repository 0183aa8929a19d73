"""Acoustic end-of-turn models: optional, asked at each pause beside the words."""

from collections.abc import Callable
from importlib import import_module
from typing import Protocol, cast

from services.runtime.errors import StartupError
from services.stt_proxy.engine import Speech
from services.stt_proxy.settings import SttSettings

MODELS = {
    "none": "services.stt_proxy.end_of_turn.sound:NoModel",
    "smart_turn": "services.stt_proxy.end_of_turn.smart_turn:SmartTurn",
}


class EndOfTurnModel(Protocol):
    """Judges the sound of an utterance up to a pause, for many calls."""

    async def load(self) -> None:
        """Make ready. Raises StartupError."""

    def judge(self, speech: Speech, deliver: Callable[[float], None]) -> None:
        """Begin a judgement. `deliver` gets the probability that the turn is over, 0 to 1; on the event loop, or
        never.
        """

    async def close(self) -> None:
        """Release everything."""


class NoModel:
    """No acoustic model: the words alone decide."""

    def __init__(self, settings: SttSettings) -> None:
        """Needs nothing."""

    async def load(self) -> None:
        """Do nothing: there is nothing to load."""

    def judge(self, speech: Speech, deliver: Callable[[float], None]) -> None:
        """Deliver nothing."""

    async def close(self) -> None:
        """Do nothing: nothing is held."""


def make_end_of_turn_model(settings: SttSettings) -> EndOfTurnModel:
    """Build the model that the settings name. Raises StartupError."""
    where = MODELS.get(settings.end_of_turn)
    if where is None:
        raise StartupError(f"STT_END_OF_TURN={settings.end_of_turn} is not known: use one of {', '.join(MODELS)}")
    module_name, class_name = where.split(":")
    return cast(EndOfTurnModel, getattr(import_module(module_name), class_name)(settings))
