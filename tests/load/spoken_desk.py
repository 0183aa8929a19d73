"""The agent of a file with a clock that runs from a given moment on, in an NLU service of one's own.

`NLU_AGENT_KIND=tests.load.spoken_desk:make` with `SPOKEN_NOW=2026-11-30T10:30`: dialogues that speak of "Tuesday" mean
the same date on whatever day they are played. The guard goes by that clock too.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta, tzinfo
from typing import Self

from services.nlu.agent import guarding
from services.nlu.agent.graph.agent import GraphAgent
from services.nlu.agent.interface import Agent
from services.nlu.agent.profile import AgentProfile
from services.nlu.engine import NluEngine
from services.nlu.settings import NluSettings

SPOKEN_NOW = "SPOKEN_NOW"
"""The variable: a moment by the agent's own clock, ISO 8601 without a zone."""


class ShiftedDatetime(datetime):
    """A clock that stood at `SPOKEN_NOW` when this process began, by the first zone that it is asked for."""

    _shift: timedelta | None = None

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        real = super().now(tz)
        if ShiftedDatetime._shift is None:
            began = datetime.fromisoformat(os.environ[SPOKEN_NOW]).replace(tzinfo=tz)
            ShiftedDatetime._shift = began - real
        return real + ShiftedDatetime._shift


def make(profile: AgentProfile, engine: NluEngine, settings: NluSettings) -> Agent:
    """The agent `graph` of a profile, and the guard of every agent, by the shifted clock."""
    vars(guarding)["datetime"] = ShiftedDatetime  # whose clock the guard reads
    zone = profile.zone
    return GraphAgent(profile, engine, settings, clock=lambda: ShiftedDatetime.now(zone))
