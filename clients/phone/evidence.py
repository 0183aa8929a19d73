"""The evidence of a finished call: the gateway's events, the phone's recordings and the caller's remarks."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from voice.call.v1 import record_pb2

from clients.phone.booking import Booked
from clients.phone.caller import Asked
from clients.phone.recording import Recording

_PAUSE_S: Final = 0.25  # shorter silence lies between words: the voice's own pause between sentences is 0.22
_WINDOW_S: Final = 0.010
_AUDIBLE_DBFS: Final = -40.0


@dataclass(frozen=True, slots=True)
class Sound:
    """A stretch of sound without a pause, in seconds since the call was answered."""

    start_s: float
    end_s: float


def sounds_of(recording: Recording, *, from_s: float = 0.0) -> tuple[Sound, ...]:
    """Every stretch above -40 dBFS at or after `from_s`, in order; silence shorter than 0.25 s does not part them."""
    loud = np.flatnonzero(recording.levels_dbfs(from_s=from_s) > _AUDIBLE_DBFS)
    if not len(loud):
        return ()
    seams = np.flatnonzero(np.diff(loud) * _WINDOW_S > _PAUSE_S)
    starts, ends = loud[[0, *(seams + 1)]], loud[[*seams, -1]]
    return tuple(
        Sound(round(from_s + start * _WINDOW_S, 3), round(from_s + (end + 1) * _WINDOW_S, 3))
        for start, end in zip(starts, ends, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Remark:
    """Something the caller did: said a recording, or put the call on hold."""

    name: str
    start_s: float
    end_s: float
    sounds: tuple[Sound, ...] = ()  # of the caller's voice meanwhile


@dataclass(frozen=True, slots=True)
class Told:
    """Something the gateway said, in seconds since the phone was answered."""

    at_s: float
    event: record_pb2.CallEvent


@dataclass(frozen=True, slots=True)
class Evidence:
    """One call, looked back upon."""

    told: tuple[Told, ...]
    agent: tuple[Sound, ...]  # as the phone heard it
    remarks: tuple[Remark, ...] = ()
    asked: tuple[Asked, ...] = ()
    booked: tuple[Booked, ...] = ()  # what came into the diary

    def remark(self, name: str) -> Remark | None:
        """The first of that name; None: the call was over before it came to it."""
        return next((remark for remark in self.remarks if remark.name == name), None)

    def turns(self, *, after_s: float = 0.0) -> list[record_pb2.TurnRecord]:
        """The agent's turns that were over after that moment, greeting included, the gateway's own prompts not."""
        told = (told for told in self.told if told.at_s >= after_s and told.event.HasField("turn"))
        return [each.event.turn for each in told if not each.event.turn.is_gateway_prompt]

    def moves(self, to: record_pb2.Floor.ValueType, *, from_s: float = 0.0, to_s: float = float("inf")) -> list[Told]:
        """Return when the floor went to `to`, between two moments."""
        return [
            told
            for told in self.told
            if told.event.HasField("floor_change") and told.event.floor_change.to == to and from_s <= told.at_s <= to_s
        ]

    def stays(self, on: record_pb2.Floor.ValueType) -> list[tuple[float, float]]:
        """From when to when the floor was there, in seconds; what was not left is left out."""
        stays, since_s = [], None
        for told in self.told:
            if not told.event.HasField("floor_change"):
                continue
            change = told.event.floor_change
            if change.to == on:
                since_s = told.at_s
            elif getattr(change, "from") == on and since_s is not None:
                stays.append((since_s, told.at_s))
                since_s = None
        return stays


def told_of(events: Iterable[record_pb2.CallEvent], *, answered_at_ns: int) -> tuple[Told, ...]:
    """The gateway's news on the phone's clock. `answered_at_ns`: when the phone was answered, since 1970."""
    return tuple(Told((event.time.ToNanoseconds() - answered_at_ns) / 1e9, event) for event in events)
