"""Asterisk's ARI events that the gateway reads (https://docs.asterisk.org, Asterisk REST Data Models)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Json = Mapping[str, Any]

EVENT_KINDS: Final = (
    "StasisStart",
    "ChannelHangupRequest",
    "StasisEnd",
    "ChannelDestroyed",
    "ChannelDtmfReceived",
    "ChannelHold",
    "ChannelUnhold",
    "ApplicationReplaced",
    "Dial",
)
"""The event types that read_event understands."""


class UnreadableEvent(ValueError):
    """An event or a reply lacks what its kind must have."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel as Asterisk describes it."""

    channel_id: str
    is_up: bool
    caller: str  # number, "" when withheld; personal data
    variables: Mapping[str, str]  # those ari.conf lists under channelvars, and those of an external channel
    app: str  # the Stasis application it is in or was sent to; "" when none


@dataclass(frozen=True, slots=True)
class ChannelEntered:
    """A channel came into our application."""

    channel: Channel
    replaced_channel_id: str = ""  # the one whose place it takes (attended transfer)
    arguments: tuple[str, ...] = ()  # that the dialplan gave with the application's name


@dataclass(frozen=True, slots=True)
class HangUpAsked:
    """The far side of a channel wants to end it."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class ChannelLeft:
    """A channel left our application: it hung up, or goes on elsewhere."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class ChannelGone:
    """A channel is no more."""

    channel_id: str
    cause_text: str


@dataclass(frozen=True, slots=True)
class DtmfReceived:
    """A key was let go of."""

    channel_id: str
    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class HoldSet:
    """The far side put the call on hold, or took it back."""

    channel_id: str
    is_held: bool


@dataclass(frozen=True, slots=True)
class DialAnswered:
    """Whom the dialplan called for a channel has taken the call."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class AppReplaced:
    """Another connection took over our application: it has all events from now on."""


AriEvent = (
    ChannelEntered | HangUpAsked | ChannelLeft | ChannelGone | DtmfReceived | HoldSet | DialAnswered | AppReplaced
)


def read_event(event: Json) -> AriEvent | None:
    """Read an event; None for a kind that the gateway does not use. Raises UnreadableEvent."""
    try:
        return _read(event)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableEvent(f"{event.get('type', 'event without a type')}: {error!r}") from error


def _read(event: Json) -> AriEvent | None:  # noqa: PLR0911 (one line a kind)
    match event["type"]:
        case "StasisStart":
            replaced = event.get("replace_channel") or {}
            arguments = tuple(str(argument) for argument in event.get("args") or ())
            return ChannelEntered(read_channel(event["channel"]), str(replaced.get("id", "")), arguments)
        case "ChannelHangupRequest":
            return HangUpAsked(_id(event))
        case "StasisEnd":
            return ChannelLeft(_id(event))
        case "ChannelDestroyed":
            return ChannelGone(_id(event), str(event.get("cause_txt", "")))
        case "ChannelDtmfReceived":
            return DtmfReceived(_id(event), str(event["digit"]), int(event.get("duration_ms", 0)))
        case "ChannelHold" | "ChannelUnhold":
            return HoldSet(_id(event), is_held=event["type"] == "ChannelHold")
        case "Dial":
            return DialAnswered(str(event["caller"]["id"])) if _is_answer(event) else None
        case "ApplicationReplaced":
            return AppReplaced()
        case _:
            return None


def _is_answer(dial: Json) -> bool:
    return dial.get("dialstatus") == "ANSWER" and bool(dial.get("caller"))


def read_channel(channel: Json) -> Channel:
    """A channel of an event or a reply. Raises UnreadableEvent."""
    try:
        dialplan = channel.get("dialplan") or {}
        in_stasis = dialplan.get("app_name") == "Stasis"
        variables = channel.get("channelvars") or {}
        return Channel(
            channel_id=str(channel["id"]),
            is_up=channel.get("state") == "Up",
            caller=str((channel.get("caller") or {}).get("number", "")),
            variables={str(name): str(value) for name, value in variables.items()},
            app=str(dialplan.get("app_data", "")).split(",", 1)[0] if in_stasis else "",
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableEvent(f"channel: {error!r}") from error


def _id(event: Json) -> str:
    return str(event["channel"]["id"])
